"""The reference of the Kuramoto-Sivashinsky equation: known values, other solutions, and what would break it."""

import jax.numpy as jnp
import numpy as np
import pytest
from oracles import kuramoto_sivashinsky as oracle
from oracles.korteweg_de_vries import expansion
from reference_checks import derivatives_times, network_of, refuse, silent, stencil_times
from tolerances import IDENTITY

from gradalign.problems.kuramoto_sivashinsky import Settings as ProblemSettings
from gradalign.problems.kuramoto_sivashinsky import problem
from gradalign.references import kuramoto_sivashinsky
from gradalign.references._contract import relative_l2
from gradalign.references.kuramoto_sivashinsky import (
    Settings,
    compute,
    finite_differences,
    fourier,
    symmetry_defect,
)
from gradalign.references.solvers import spectral
from gradalign.training.model import residuals_of

SMOKE = Settings(times=11, points=128, modes=192, coarse_modes=128, time_step=2e-4, cells=128, tolerance=1e-10)
SMALL = Settings(times=3, points=33, modes=128, coarse_modes=96, time_step=4e-4, cells=64, tolerance=1e-9)
SHORT = ProblemSettings(horizon=0.04)


def test_smoke_settings_state_a_small_error():
    seen = []
    found = compute(SMOKE, lambda share, text: seen.append(share), SHORT)
    assert found.fields["u"].shape == (11, 128)
    assert found.coordinates["t"][[0, -1]].tolist() == [0, 0.04]
    assert found.coordinates["x"][[0, -1]].tolist() == [0, 2 * np.pi]
    assert found.self_convergence_error < 2e-10  # measured 9e-11: twice the time step
    assert found.independent_difference < 5e-9  # measured 1.6e-9: the tolerance per step
    assert found.stated_error == max(found.self_convergence_error, found.independent_difference)
    assert found.evidence["mean drift"] < 1e-15
    assert found.evidence["symmetry defect"] < 1e-14
    assert seen == sorted(seen)
    assert seen[-1] == 1
    assert 0 < found.seconds < 60
    assert found.resolution == "192 modes, against 128; time step 0.0002, against twice of it"
    assert found.independent_check == "finite differences of order 14, 128 cells on half of the domain, LSODA"
    assert found.step == 2e-4


@pytest.mark.slow
def test_known_values():
    """At the 164th of 512 points; printed to 9 decimals. The error grows a thousandfold on the way."""
    x = np.linspace(0, 2 * np.pi, 512)[163]
    assert abs(x - 2.004225450235367) < 1e-14
    space, v = fourier(np.array([0.0, 0.2, 0.5, 1.0]), ProblemSettings(), 256, 5e-5, silent)
    found = space.evaluate(v, np.array([x]))[:, 0]
    np.testing.assert_allclose(found[1], -1.142246261, atol=1e-9)
    np.testing.assert_allclose(found[2], 2.169756821, atol=2e-9)
    np.testing.assert_allclose(found[3], 0.169826274, atol=2e-8)  # measured 1.1e-8 at this step
    assert np.max(np.abs(v[:, 0])) == 0
    assert 1e-14 < symmetry_defect(v[-1]) < 1e-9  # rounding, grown


@pytest.mark.slow
def test_both_methods_agree_on_the_chaotic_part_of_the_way():
    """To t = 0.4, the horizon of the scale laptop, at lower resolution."""
    t, x = np.linspace(0, 0.4, 5), np.linspace(0, 2 * np.pi, 101)
    given = ProblemSettings(horizon=0.4)
    space, v = fourier(t, given, 256, 1e-4, silent)
    found, other = space.evaluate(v, x), finite_differences(t, x, given, 256, 1e-11, silent)
    errors = [relative_l2(other[row], found[row]) for row in range(1, 5)]
    assert max(errors) < 2e-8
    np.testing.assert_allclose(other[0], oracle.initial(x), atol=IDENTITY)
    np.testing.assert_allclose(found[0], oracle.initial(x), atol=IDENTITY)


def test_against_collocation_in_unit_variables():
    """Dense matrices and an implicit method, on x' = 16 x and t' = 100 t: this fixes all three coefficients."""
    exact = oracle.collocation(80, 0.04)
    space, v = fourier(np.array([0.0, 0.04]), SHORT, 192, 1e-4, silent)
    assert relative_l2(space.evaluate(v[-1:], 2 * np.pi * np.arange(80) / 80)[0], exact) < 1e-8


@pytest.mark.slow
def test_the_reference_as_a_series_satisfies_the_equation():
    """A polynomial in time of degree ten, a Fourier series in space, on another grid than that of the solver."""
    found = compute(SMOKE.model_copy(update={"points": 102}), None, SHORT)
    series = network_of(expansion(found.fields["u"]), lambda t: t / 0.02 - 1, lambda x: x)
    random = np.random.default_rng(0)
    places = np.stack([random.uniform(0.008, 0.032, 60), random.uniform(0, 2 * np.pi, 60)], axis=1)
    points = {"ic": jnp.zeros((1, 3)), "pde": jnp.asarray(places)}
    residual = residuals_of(problem(SHORT), series, None, points)["pde"]
    assert np.max(np.abs(residual)) < 1e-5  # terms of order ten; ∂/∂t and ∂⁴/∂x⁴ magnify what is left out


def test_order_four_for_the_fourth_order_operator():
    t = np.array([0.0, 0.04])
    exact = fourier(t, SHORT, 128, 1e-4, silent)[1][-1]
    errors = [relative_l2(fourier(t, SHORT, 128, step, silent)[1][-1], exact) for step in (4e-3, 2e-3, 1e-3)]
    assert np.all(np.log2(np.divide(errors[:-1], errors[1:])) >= 3.8), errors


def test_finite_differences_converge_to_the_spectral_solution():
    t, x = np.array([0.0, 0.04]), np.linspace(0, 2 * np.pi, 33)
    space, v = fourier(t, SHORT, 128, 2e-4, silent)
    exact = space.evaluate(v[-1:], x)[0]
    errors = [relative_l2(finite_differences(t, x, SHORT, cells, 1e-11, silent)[-1], exact) for cells in (32, 40, 48)]
    slopes = -np.diff(np.log(errors)) / np.diff(np.log([32, 40, 48]))
    assert np.all(slopes > 9), (errors, slopes)  # 14 in the end
    assert errors[-1] < 1e-6


def test_settings_of_the_problem_are_used():
    base = compute(SMALL, None, SHORT)
    assert base.stated_error < 1e-6
    for changed in ({"convection": 5.0}, {"growth": 0.3}, {"damping": 0.002}, {"horizon": 0.03}):
        other = compute(SMALL, None, SHORT.model_copy(update=changed))
        assert other.stated_error < 1e-6
        assert relative_l2(other.fields["u"][-1], base.fields["u"][-1]) > 1e-4


def test_the_error_at_the_last_time_counts():
    found = compute(SMALL.model_copy(update={"time_step": 2e-3}), None, ProblemSettings(horizon=0.1))
    last = found.evidence["coarser at the last time"]
    assert found.self_convergence_error == last
    assert found.stated_error >= last > 1e-6
    assert found.independent_difference >= found.evidence["check at the last time"]


def test_a_wrong_sign_or_factor_of_either_method_is_seen():
    for factor in (-1, 1.01):
        with derivatives_times(factor):
            assert compute(SMALL, None, SHORT).stated_error > 1e-3
    for order in (1, 2, 4):
        with stencil_times(kuramoto_sivashinsky, order, 1.01):
            assert compute(SMALL, None, SHORT).stated_error > 1e-5


def test_errors_in_time_and_in_space_are_both_stated():
    fine = compute(SMALL, None, SHORT)
    long_steps = compute(SMALL.model_copy(update={"time_step": 4e-3}), None, SHORT)
    few_modes = compute(SMALL.model_copy(update={"modes": 66, "coarse_modes": 64}), None, ProblemSettings(horizon=0.06))
    assert fine.self_convergence_error < 1e-8
    assert long_steps.self_convergence_error > 1e-6
    assert few_modes.self_convergence_error > 1e-6


def test_symmetry_defect_is_that_of_the_values():
    random = np.random.default_rng(0)
    v = np.append(random.normal(size=8) + 1j * random.normal(size=8), 0)
    v[0] = v[0].real
    space = spectral.Fourier(16, 0.0, 2 * np.pi)
    x = 2 * np.pi * np.arange(40) / 40
    u, mirrored = space.evaluate(v, x), space.evaluate(v, np.pi - x)
    assert symmetry_defect(v) == pytest.approx(np.linalg.norm(u + mirrored) / np.linalg.norm(u), abs=IDENTITY)


def test_wrong_settings_are_refused():
    wrongs = ({"modes": 383}, {"time_step": 0.0}, {"times": 1}, {"points": 1}, {"cells": 31}, {"tolerance": 1e-14})
    refuse(Settings, 384, wrongs)
