"""The reference of the lid-driven cavity: its stated error, what it is made of, and what would break it."""

import numpy as np
import pytest
from oracles import lid_driven_cavity as oracle
from pydantic import ValidationError
from tolerances import ROUNDING

from gradalign.problems.lid_driven_cavity import Settings as ProblemSettings
from gradalign.references._contract import relative_l2
from gradalign.references.lid_driven_cavity import Settings, compute
from gradalign.references.solvers import cavity, cavity_collocation, cavity_finite_differences, cavity_lids

SMOKE = Settings(points=64, degree=40, coarser_degree=32, elements=24)
SMALL = Settings(points=33, degree=24, coarser_degree=20, elements=14)
REYNOLDS = 100.0
REGULARISED, SHARP = (ProblemSettings(reynolds=REYNOLDS, lid=lid) for lid in ("regularised", "sharp"))


def stacked(found):
    return np.stack([found.fields["u"], found.fields["v"]])


@pytest.mark.slow
def test_smoke_settings_state_a_small_error():
    seen = []
    found = compute(SMOKE, lambda share, text: seen.append(share), REGULARISED)
    assert {name: values.shape for name, values in found.fields.items()} == {"u": (64, 64), "v": (64, 64)}
    assert {name: (values[0], values[-1]) for name, values in found.coordinates.items()} == {"x": (0, 1), "y": (0, 1)}
    assert found.self_convergence_error < 2e-5  # measured 1.7e-5
    assert found.independent_difference < 4e-6  # measured 2.7e-6
    assert list(found.evidence) == ["smallest u on x = 1/2", "smallest v on y = 1/2"]
    assert max(found.evidence.values()) < 1e-7
    assert found.stated_error == max(found.self_convergence_error, found.independent_difference)
    assert seen == sorted(seen)
    assert seen[-1] == 1
    assert np.isnan(found.step)
    assert found.solver == "Legendre-Galerkin stream function, Newton's method, regularised lid, Re 100"
    assert found.resolution == "degree 40; coarser: 32"
    assert found.independent_check == "spline collocation, 24 elements"


@pytest.mark.slow
def test_stated_error_bounds_the_true_one():
    found = compute(SMALL, None, REGULARISED)
    [finer] = cavity.solve([REYNOLDS], "regularised", 48)
    exact = np.stack(finer.velocity(*found.coordinates.values()))
    assert relative_l2(stacked(found), exact) < found.stated_error < 1e-2


@pytest.mark.parametrize(("given", "known"), [(REGULARISED, oracle.REGULARISED), (SHARP, oracle.SHARP)])
def test_fields_are_those_of_the_chosen_lid(given, known):
    found = compute(SMALL, None, given)
    u, v = found.fields["u"], found.fields["v"]
    smallest_u, largest_v, smallest_v = known[100]
    # Grid values near an extremum stay above it by less than its curvature, up to 20, times (1/64)²/2
    assert -1e-4 < np.min(u[16]) - smallest_u < 3e-3
    assert -1e-4 < largest_v - np.max(v[:, 16]) < 3e-3
    assert -1e-4 < np.min(v[:, 16]) - smallest_v < 3e-3
    x = found.coordinates["x"]
    np.testing.assert_allclose(u[:, -1], oracle.lid(x, given.lid), atol=ROUNDING)  # with both ends
    for wall in (u[0, :-1], u[-1, :-1], u[:, 0], v[0], v[-1], v[:, 0], v[:, -1]):
        np.testing.assert_allclose(wall, 0, atol=1e-12)


def test_the_two_lids_are_two_problems():
    """Their speeds differ by 4.1e-2 on a fine grid without the corners."""
    nodes = np.linspace(0, 1, 129)
    inside = np.ones((129, 129), bool)
    inside[[0, -1], -1] = False
    sharp, regularised = (
        np.hypot(*cavity.solve([REYNOLDS], lid, 32)[0].velocity(nodes, nodes))[inside]
        for lid in ("sharp", "regularised")
    )
    assert 3.8e-2 < relative_l2(regularised, sharp) < 4.4e-2


@pytest.mark.slow
@pytest.mark.parametrize("lid", ["regularised", "sharp"])
def test_a_third_discretisation_converges_to_it(lid):
    """Finite differences with their own equations, of second order, away from the corners."""
    [flow] = cavity.solve([REYNOLDS], lid, 40)
    errors = []
    for cells in (32, 64):
        [scheme] = cavity_finite_differences.solve([REYNOLDS], lid, cells)
        nodes = np.linspace(0, 1, cells + 1)
        below = slice(0, 3 * cells // 4)
        gap = np.stack([scheme.u, scheme.v]) - np.stack(flow.velocity(nodes, nodes))
        errors.append(np.sqrt(np.mean(gap[:, :, below] ** 2)))
    assert errors[1] < errors[0] / 3
    assert errors[1] < 2e-3


@pytest.mark.slow
def test_reynolds_number_is_that_of_the_problem():
    base = compute(SMALL, None, REGULARISED)
    other = compute(SMALL, None, ProblemSettings(reynolds=150.0))
    assert relative_l2(stacked(other), stacked(base)) > 0.05
    assert other.stated_error < 1e-2


@pytest.mark.slow
def test_both_resolutions_are_stated():
    base = compute(SMALL, None, REGULARISED)
    coarse = compute(SMALL.model_copy(update={"coarser_degree": 8}), None, REGULARISED)
    few = compute(SMALL.model_copy(update={"elements": 6}), None, REGULARISED)
    assert coarse.self_convergence_error > 5 * base.self_convergence_error
    assert coarse.stated_error == coarse.self_convergence_error
    assert few.independent_difference > 5 * base.independent_difference
    assert few.stated_error == few.independent_difference
    for found in (base, coarse, few):
        assert found.stated_error >= max(found.evidence.values())
        np.testing.assert_array_equal(stacked(found), stacked(base))


@pytest.mark.slow
def test_a_wrong_factor_of_either_method_is_seen(monkeypatch):
    right = cavity._Space.residual
    with monkeypatch.context() as changed:  # in the inertia of the reference
        changed.setattr(cavity._Space, "residual", lambda self, psi, reynolds: right(self, psi, 1.02 * reynolds))
        assert compute(SMALL, None, REGULARISED).independent_difference > 1e-3
    solve = cavity_collocation.solve
    with monkeypatch.context() as changed:  # in that of the check
        changed.setattr(cavity_collocation, "solve", lambda reynolds, *rest: solve(1.02 * reynolds, *rest))
        assert compute(SMALL, None, REGULARISED).independent_difference > 1e-3
    lift = cavity_lids.lifting  # in the boundary values of the reference
    monkeypatch.setattr(cavity, "lifting", lambda *given: lift(*given) + lift(*given))
    assert compute(SMALL, None, ProblemSettings(reynolds=1.0)).stated_error > 0.1


def test_a_wrong_sign_of_the_inertia_is_seen(monkeypatch):
    right, matrix = cavity._Space.residual, cavity._Space.jacobian
    monkeypatch.setattr(cavity._Space, "residual", lambda self, psi, reynolds: right(self, psi, -reynolds))
    monkeypatch.setattr(cavity._Space, "jacobian", lambda self, psi, reynolds: matrix(self, psi, -reynolds))
    assert compute(SMALL, None, REGULARISED).stated_error > 0.1


def test_wrong_settings_are_refused():
    with pytest.raises(ValidationError, match="coarser_degree must be below degree = 64"):
        Settings(coarser_degree=64)
    for wrong in ({"points": 4}, {"degree": 7}, {"elements": 5}, {"points": 5.5}, {"times": 3}):
        with pytest.raises(ValidationError):
            Settings(**wrong)
