"""The second-order scheme for the cavity: its equations node by node, its order, and values of converged flows."""

import numpy as np
import pytest
from oracles import cavity_finite_differences as oracle

from gradalign.base.errors import ConfigurationError
from gradalign.references.solvers.cavity_finite_differences import Scheme, solve
from gradalign.references.solvers.cavity_lids import speed

CONVERGED = {
    "sharp": (-0.2140424, 0.1795729, -0.2538030),
    "regularised": (-0.2139129, 0.1794498, -0.2539786),
}
"""Re 100: least u on x = 1/2, largest and least v on y = 1/2, of a spectral solution."""


def nodes(cells):
    return np.linspace(0, 1, cells + 1)


def extrema(flow):
    """On the lines between four nodes each, by parabolas through the three highest values."""
    middle = len(flow.u) // 2

    def highest(values):
        k = int(np.argmax(values))
        before, at, after = values[k - 1 : k + 2]
        return at + (after - before) ** 2 / (8 * (2 * at - before - after))

    return np.array([-highest(-flow.u[middle]), highest(flow.v[:, middle]), -highest(-flow.v[:, middle])])


@pytest.mark.parametrize("reynolds", [1.0, 100.0, 400.0])
def test_second_order_on_a_flow_in_closed_form(reynolds):
    errors = []
    for cells in (16, 32, 64, 128) if reynolds > 1 else (16, 32, 64):
        x = nodes(cells)
        scheme = Scheme(oracle.term(x, np.ones(1), 0, 1)[:, 0])
        force = oracle.force(x[1:-1], x[1:-1], reynolds).ravel()
        flow = scheme.flow(scheme.newton(scheme.creeping(), reynolds, force))
        exact = (oracle.term(x, x, 0, 0), oracle.term(x, x, 0, 1), -oracle.term(x, x, 1, 0))
        errors.append([np.max(np.abs(found - true)) for found, true in zip(flow, exact, strict=True)])
    slopes = np.log2(np.divide(errors[-2], errors[-1]))
    assert np.all(slopes > 1.8), (errors, slopes)
    assert np.all(np.array(errors[-1]) < 5e-3), errors


@pytest.mark.parametrize("lid", ["sharp", "regularised"])
def test_second_order_towards_the_converged_flow(lid):
    errors = [np.abs(extrema(solve([100.0], lid, cells)[0]) - CONVERGED[lid]) for cells in (32, 64, 128)]
    slopes = np.log2(np.divide(errors[:-1], errors[1:]))
    assert np.all(slopes > 1.8), (errors, slopes)
    assert np.all(errors[-1] < 1e-3), errors


@pytest.mark.parametrize("lid", ["sharp", "regularised"])
def test_the_flow_solves_the_equations_written_node_by_node(lid):
    flows = solve([100.0, 300.0], lid, 24)
    for reynolds, flow in zip([100.0, 300.0], flows, strict=True):
        psi, moving = flow.stream_function, speed(lid, nodes(24))
        terms = np.max(np.abs(oracle.residual(psi, moving, np.inf)))
        assert np.max(np.abs(oracle.residual(psi, moving, reynolds))) < 1e-9 * terms
        assert np.max(np.abs(oracle.residual(psi, moving, 1.01 * reynolds))) > 1e-3 * terms


def test_velocity_on_the_walls_and_its_divergence():
    (flow,) = solve([100.0], "regularised", 32)
    x = nodes(32)
    np.testing.assert_allclose(flow.u[:, -1], 1 - np.cosh(50 * (x - 0.5)) / np.cosh(25), atol=1e-15)
    for values in (flow.u[0], flow.u[-1], flow.u[:, 0], flow.v[0], flow.v[-1], flow.v[:, 0], flow.v[:, -1]):
        assert np.max(np.abs(values)) < 1e-15
    (sharp,) = solve([100.0], "sharp", 32)
    assert sharp.u[:, -1].tolist() == [1.0] * 33
    inner = slice(2, -2)
    divergence = sharp.u[3:-1, inner] - sharp.u[1:-3, inner] + sharp.v[inner, 3:-1] - sharp.v[inner, 1:-3]
    assert np.max(np.abs(divergence)) < 1e-14
    psi = sharp.stream_function
    np.testing.assert_allclose(sharp.u[5, 5], (psi[5, 6] - psi[5, 4]) * 16, rtol=1e-12)
    np.testing.assert_allclose(sharp.v[5, 5], -(psi[6, 5] - psi[4, 5]) * 16, rtol=1e-12)


def test_creeping_flow_is_a_mirror_image_of_itself():
    scheme = Scheme(np.ones(33))
    psi = scheme.flow(scheme.creeping()).stream_function
    np.testing.assert_allclose(psi, psi[::-1], atol=1e-14)
    assert psi.min() == pytest.approx(-0.1, abs=2e-3)  # the vortex of Stokes' flow, psi -0.10008


def test_the_way_to_a_reynolds_number_does_not_matter():
    seen = []
    direct = solve([400.0], "sharp", 32, lambda share, text: seen.append((share, text)))[-1]
    detour = solve([50.0, 200.0, 400.0], "sharp", 32)[-1]
    np.testing.assert_allclose(direct.u, detour.u, atol=1e-9)
    assert seen == [(1.0, "finite differences, sharp lid, 32 cells, Re 400")]


def test_what_cannot_be_solved_is_refused():
    for reynolds in ([], [0.0], [100.0, -1.0]):
        with pytest.raises(ValueError, match="allowed: positive ones, at least one"):
            solve(reynolds, "sharp", 16)
    with pytest.raises(ValueError, match="3 cells; allowed: at least 4"):
        solve([100.0], "sharp", 3)
    with pytest.raises(ConfigurationError, match="unknown lid 'smooth'"):
        solve([100.0], "smooth", 16)
    with pytest.raises(FloatingPointError, match=r"Re 100000, 16 cells, does not converge .* smaller steps"):
        solve([1e5], "sharp", 16)
