"""The reference of the wave equation: its closed form against two other solutions, and what would break it."""

import jax.numpy as jnp
import numpy as np
import pytest
from oracles import wave as oracle
from pydantic import ValidationError
from scipy.fft import dct, dst
from tolerances import IDENTITY

from gradalign.problems.wave import Settings as ProblemSettings
from gradalign.problems.wave import problem, solution
from gradalign.references import wave
from gradalign.references._contract import relative_l2
from gradalign.references.wave import Settings, compute, finite_differences
from gradalign.training.model import residuals_of

SMOKE = Settings(times=50, points=32, subdivisions=2, tolerance=1e-10)
SMALL = Settings(times=9, points=33, tolerance=1e-9)


def test_default_settings_state_a_small_error():
    seen = []
    found = compute(Settings(), lambda share, text: seen.append(share))
    assert found.fields["u"].shape == (200, 128)
    assert (found.coordinates["t"][[0, -1]].tolist(), found.coordinates["x"][[0, -1]].tolist()) == ([0, 1], [0, 1])
    assert found.self_convergence_error < 2e-15
    assert found.independent_difference < 5e-12  # measured 1.7e-12: the tolerance per step
    assert found.stated_error == max(found.self_convergence_error, found.independent_difference)
    assert np.isnan(found.step)
    assert seen == sorted(seen)
    assert seen[-1] == 1
    assert (found.solver, found.resolution) == ("closed form", "float64, against the form of d'Alembert")
    assert found.independent_check == "finite differences of order 12, 127 cells, Runge-Kutta 8(5,3)"


def test_smoke_settings_state_a_small_error():
    assert compute(SMOKE).stated_error < 1e-9  # measured 1.3e-10


@pytest.mark.parametrize("speed_squared", [4.0, 2.0])
def test_the_closed_form_is_the_solution_of_leapfrog_and_of_the_problem(speed_squared):
    cells, steps = 64, 128
    t, x = np.arange(steps + 1) / (np.sqrt(speed_squared) * cells), np.linspace(0, 1, cells + 1)
    found = wave.standing_waves(t, x, np.sqrt(speed_squared))
    np.testing.assert_allclose(found, oracle.leapfrog(cells, steps), atol=IDENTITY)
    same = solution(jnp.asarray(t)[:, None], jnp.asarray(x)[None], speed_squared)
    np.testing.assert_allclose(found, same, atol=IDENTITY)


@pytest.mark.slow
def test_the_reference_as_a_double_series_satisfies_every_residual():
    """The grid of t is even about both ends for c = 2, that of x odd: cosines times sines, differentiated exactly."""
    u = compute(Settings(times=33, points=33, tolerance=1e-6)).fields["u"]
    cosines = dct(u, type=1, axis=0) / 32
    cosines[[0, -1]] /= 2
    a = dst(cosines[:, 1:-1], type=1, axis=1) / 32
    coefficients = jnp.asarray(a)

    def series(params, z):
        times = jnp.cos(jnp.pi * jnp.arange(33.0) * z[:, :1])
        return jnp.sum((times @ coefficients) * jnp.sin(jnp.pi * jnp.arange(1.0, 32.0) * z[:, 1:]), axis=1)[:, None]

    equation = problem(ProblemSettings())
    random = np.random.default_rng(0)
    inside, zero, ends = random.uniform(size=(40, 2)), random.uniform(size=(9, 2)), random.uniform(size=(9, 2))
    zero[:, 0], ends[:, 1] = 0, np.round(ends[:, 1])
    points = {"ic": jnp.asarray(zero), "bc": jnp.asarray(ends), "pde": jnp.asarray(inside)}
    for name, residual in residuals_of(equation, series, None, points).items():
        # Rounding of the coefficients times squares of wavenumbers, up to (32π)² and c² as much
        np.testing.assert_allclose(residual, 0, atol=1e-10 if name == "pde" else IDENTITY)


def test_the_reference_does_not_depend_on_how_the_ends_are_imposed():
    one, other = (compute(SMALL, None, ProblemSettings(boundary=kind)).fields["u"] for kind in ("penalised", "exact"))
    np.testing.assert_array_equal(one, other)


def test_the_speed_is_that_of_the_problem():
    base = compute(SMALL).fields["u"]
    found = compute(SMALL, None, ProblemSettings(speed_squared=2.0))
    assert relative_l2(found.fields["u"], base) > 0.1
    assert found.stated_error < 1e-6


def test_order_twelve_of_the_finite_differences():
    """On grids so coarse that the fast wave has three to five cells; on finer ones the steps in time decide."""
    t = np.array([0.0, 0.3])
    errors = []
    for points in (13, 17, 21):
        exact = wave.standing_waves(t, np.linspace(0, 1, points), 2.0)
        errors.append(relative_l2(finite_differences(t, points, 2.0, 1, 1e-13), exact))
    slopes = -np.diff(np.log(errors)) / np.diff(np.log([12, 16, 20]))
    assert np.all(slopes > 11), (errors, slopes)  # 12 in the end
    refined = finite_differences(t, 17, 2.0, 2, 1e-13)
    np.testing.assert_allclose(refined, finite_differences(t, 33, 2.0, 1, 1e-13)[:, ::2], atol=0)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("standing_waves", lambda right: lambda t, x, speed: right(t, x, 1.001 * speed)),  # a wrong coefficient
        ("standing_waves", lambda right: lambda t, x, speed: right(t + 1e-3, x, speed)),  # not from rest
        ("initial_values", lambda right: lambda x: right(-x)),  # a wrong sign
        ("central_stencil", lambda right: lambda order, reach: 1.001 * right(order, reach)),  # a wrong factor
    ],
)
def test_a_wrong_factor_or_sign_of_either_method_is_seen(monkeypatch, name, wrong):
    monkeypatch.setattr(wave, name, wrong(getattr(wave, name)))
    assert compute(SMALL).stated_error > 1e-4


def test_wrong_settings_are_refused():
    wrongs = ({"times": 1}, {"points": 7}, {"subdivisions": 0}, {"tolerance": 0.0}, {"tolerance": 1e-14}, {"modes": 64})
    for wrong in wrongs:
        with pytest.raises(ValidationError):
            Settings(**wrong)
