"""The reference of the Gray-Scott equations: its stated error, independent solutions, and what would break it."""

import numpy as np
import pytest
from oracles import gray_scott as oracle
from reference_checks import degrees_of_products, products_times, refuse, silent, stencil_times

from gradalign.problems._start import FORMULATION
from gradalign.problems.gray_scott import Settings as ProblemSettings
from gradalign.problems.gray_scott import initial_condition
from gradalign.references import gray_scott
from gradalign.references._contract import relative_l2
from gradalign.references._refinement import differences
from gradalign.references.gray_scott import (
    Settings,
    compute,
    finite_differences,
    fourier,
    initial_values,
)

SMOKE = Settings(times=5, points=33, modes=128, coarse_modes=96, time_step=2.5e-4, cells=96)
SMALL = Settings(times=3, points=9, modes=64, coarse_modes=48, time_step=5e-4, cells=48)
SHORT = ProblemSettings(horizon=0.02)
PUBLISHED = ProblemSettings()
# More diffusion and less reaction: smooth enough for few modes
MILD = ProblemSettings(horizon=0.02, diffusion_u=0.8, diffusion_v=0.6, reaction=300.0)


def largest_difference(values, reference):
    return max(differences(values, reference))


@pytest.mark.slow
def test_smoke_settings_state_a_small_error():
    seen = []
    found = compute(SMOKE, lambda share, text: seen.append(share), SHORT)
    assert list(found.coordinates) == ["t", "x", "y"]
    assert {name: values.shape for name, values in found.fields.items()} == {"u": (5, 33, 33), "v": (5, 33, 33)}
    ends = {name: values[[0, -1]].tolist() for name, values in found.coordinates.items()}
    assert ends == {"t": [0, 0.02], "x": [-1, 1], "y": [-1, 1]}
    assert found.self_convergence_error < 1e-5  # measured 5.9e-6: 96 modes against 128
    assert found.independent_difference < 1e-5  # measured 5.9e-6: 96 cells
    assert found.stated_error == max(found.self_convergence_error, found.independent_difference)
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1)
    assert 0 < found.seconds < 60
    assert found.step == 2.5e-4
    assert found.resolution == "128² modes against 96²; time step against twice as long"
    assert found.independent_check == "finite differences of order 16, 96² cells, Runge-Kutta 8(5,3)"


@pytest.mark.slow
def test_known_values():
    """Converged values at (x, y) = (0.2, 0.1), given to nine decimals."""
    plane, series = fourier(np.array([0.0, 0.05, 0.2]), PUBLISHED, 128, 2.5e-4, silent)
    found = plane.evaluate(series, np.array([0.2]), np.array([0.1]))[1:, :, 0, 0]
    known = [[0.411974751, 0.186253562], [0.958630143, 0.000592746]]
    np.testing.assert_allclose(found, known, rtol=0, atol=5e-8)  # error of the step: 16 times less at half of it


@pytest.mark.slow
def test_against_splitting():
    """Both methods against a third one, which shares neither the steps nor the treatment of the reaction."""
    t = np.array([0.0, 0.02])
    grid, exact = oracle.splitting(96, 0.02, 40)
    plane, series = fourier(t, SHORT, 128, 2.5e-4, silent)
    found = plane.evaluate(series[-1], grid, grid)
    nodes, other = finite_differences(t, SHORT, 96, silent)
    np.testing.assert_array_equal(nodes, grid)
    assert largest_difference(found[None], exact[None]) < 5e-6  # measured 3.1e-6: 96 modes of the oracle
    assert largest_difference(other[-1:], exact[None]) < 1e-5


def test_initial_values_are_those_of_the_problem_and_the_mean_of_both_sides_at_the_edges():
    x, y = np.linspace(-1, 1, 9), np.linspace(-1, 1, 5)
    found = initial_values(x, y)
    at = [np.stack(oracle.initial(x[:, None] * a, y[None, :] * b)) for a in (1, -1) for b in (1, -1)]
    np.testing.assert_allclose(found[:, 1:-1, 1:-1], at[0][:, 1:-1, 1:-1], rtol=1e-15)
    np.testing.assert_allclose(found[:, 0, 1:-1], (at[0] + at[2])[:, 0, 1:-1] / 2, rtol=1e-15)
    np.testing.assert_allclose(found[:, 1:-1, 0], (at[0] + at[1])[:, 1:-1, 0] / 2, rtol=1e-15)
    np.testing.assert_allclose(found[:, 0, -1], sum(at)[:, 0, -1] / 4, rtol=1e-15)
    np.testing.assert_allclose(found[:, 0], found[:, -1], rtol=1e-15)
    np.testing.assert_allclose(found[:, :, 0], found[:, :, -1], rtol=1e-15)
    posed = initial_condition(x[1:-1, None], y[None, 1:-1])
    np.testing.assert_allclose(found[:, 1:-1, 1:-1], posed, rtol=1e-14)


def test_the_series_starts_there_too():
    """The reference holds the closed form at t = 0; the projected series converges to it, at the edges as well."""
    x = np.linspace(-1, 1, 101)
    exact = initial_values(x, x)
    t, errors = np.array([0.0, 1e-6]), []
    for modes in (32, 64, 128):
        plane, series = fourier(t, PUBLISHED, modes, 1e-6, silent)
        errors.append(np.max(np.abs(plane.evaluate(series[0], x, x) - exact)[:, 0]))
    np.testing.assert_allclose(np.divide(errors[:-1], errors[1:]), 2, rtol=0.02)  # at x = -1, as 1/M
    assert errors[2] < 5e-6  # the jump is 1e-4
    sampled = plane.evaluate(plane.interpolate(lambda x, y: oracle.initial(x, y)[1]), np.array([-1.0]), x)
    assert np.max(np.abs(sampled[0] - exact[1, 0])) > 4e-5  # interpolation takes one side instead
    found = compute(SMALL, None, MILD)
    np.testing.assert_array_equal(found.fields["v"][0], initial_values(np.linspace(-1, 1, 9), np.linspace(-1, 1, 9))[1])


def test_the_budget_of_both_substances():
    """Diffusion moves and the reaction exchanges: the mean of u + v changes by F (1 - u) - d v alone."""
    gap = 2e-4
    _, series = fourier(0.01 + gap * np.arange(-51, 3), PUBLISHED, 64, 1e-4, silent)
    u, v = series[-5:, 0, 0, 0].real, series[-5:, 1, 0, 0].real
    slope = np.array([1, -8, 0, 8, -1]) @ (u + v) / (12 * gap)
    assert slope == pytest.approx(40 * (1 - u[2]) - 100 * v[2], rel=1e-6)


@pytest.mark.slow
def test_coefficients_are_those_of_the_problem():
    base = compute(SMALL, None, MILD)
    for name, value in MILD.model_dump(exclude=set(FORMULATION)).items():
        other = compute(SMALL, None, MILD.model_copy(update={name: 1.1 * value}))
        assert relative_l2(other.fields["u"], base.fields["u"]) > 1e-4, name
        assert other.stated_error < 1e-3, name  # both methods know of it


@pytest.mark.slow
def test_a_wrong_factor_or_sign_of_either_method_is_seen():
    assert compute(SMALL, None, MILD).stated_error < 1e-3
    for factor in (1.01, -1):
        with products_times(factor):
            assert compute(SMALL, None, MILD).stated_error > 3e-3
    with stencil_times(gray_scott, 2, 1.05):
        assert compute(SMALL, None, MILD).stated_error > 3e-3


@pytest.mark.slow
def test_errors_in_time_and_in_space_are_both_stated():
    fine = SMALL.model_copy(update={"modes": 96, "coarse_modes": 80})
    errors = {
        "both fine": compute(fine, None, MILD).self_convergence_error,
        "in time": compute(fine.model_copy(update={"time_step": 5e-3}), None, MILD).self_convergence_error,
        "in space": compute(fine.model_copy(update={"coarse_modes": 24}), None, MILD).self_convergence_error,
    }
    assert errors["in time"] > 30 * errors["both fine"]
    assert errors["in space"] > 30 * errors["both fine"]


def test_aliasing_is_removed_up_to_the_cubic():
    assert degrees_of_products(lambda: fourier(np.array([0.0, 1e-3]), PUBLISHED, 32, 1e-3, silent)) == {3}


def test_order_of_both_methods():
    t = np.array([0.0, 0.02])
    _, exact = fourier(t, MILD, 48, 1.25e-4, silent)
    errors = [
        relative_l2(*np.abs([fourier(t, MILD, 48, step, silent)[1][-1], exact[-1]])) for step in (4e-3, 2e-3, 1e-3)
    ]
    assert np.all(np.log2(np.divide(errors[:-1], errors[1:])) >= 3.8), errors


def test_wrong_settings_are_refused():
    wrongs = ({"modes": 193}, {"time_step": 0.0}, {"times": 1}, {"points": 1}, {"cells": 15}, {"grid": 3})
    refuse(Settings, 192, wrongs)
