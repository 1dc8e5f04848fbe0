"""The reference of the Korteweg-de Vries equation: known values, independent solutions, and what would break it."""

import jax.numpy as jnp
import numpy as np
import pytest
from oracles import korteweg_de_vries as oracle
from reference_checks import derivatives_times, network_of, refuse, silent, stencil_times

from gradalign.problems.korteweg_de_vries import Settings as ProblemSettings
from gradalign.problems.korteweg_de_vries import problem
from gradalign.references import korteweg_de_vries
from gradalign.references._contract import relative_l2
from gradalign.references.korteweg_de_vries import Settings, compute, finite_differences, fourier, invariants
from gradalign.references.solvers import spectral
from gradalign.training.model import residuals_of

DISPERSION = 0.022**2
SMOKE = Settings(times=51, points=128, modes=256, coarse_modes=192, time_step=2.5e-4, subdivisions=2)
SMALL = Settings(times=3, points=65, modes=128, coarse_modes=96, time_step=1e-3)
WIDE = ProblemSettings(dispersion=0.01)


@pytest.mark.slow
def test_smoke_settings_state_a_small_error():
    seen = []
    found = compute(SMOKE, lambda share, text: seen.append(share))
    assert found.fields["u"].shape == (51, 128)
    assert (found.coordinates["t"][[0, -1]].tolist(), found.coordinates["x"][[0, -1]].tolist()) == ([0, 1], [-1, 1])
    assert found.self_convergence_error < 2e-7  # measured 1.5e-7: twice the time step
    assert found.independent_difference < 6e-7  # measured 4.7e-7: 254 cells
    assert set(found.evidence) == {"mass drift", "momentum drift", "energy drift"}
    assert found.evidence["mass drift"] < 1e-15
    assert max(found.evidence.values()) < 2e-9  # the invariants are better than the solution
    assert found.stated_error == max(found.self_convergence_error, found.independent_difference)
    assert seen == sorted(seen)
    assert seen[-1] == 1
    assert 0 < found.seconds < 60
    assert found.resolution == "256 modes, against 192; time step 0.00025, against twice of it"
    assert found.independent_check == "finite differences of order 14, 254 cells, Runge-Kutta 8(5,3)"
    assert found.step == 2.5e-4


@pytest.mark.slow
def test_known_values():
    """Printed to 11 decimals; the default step is 1e-11 off."""
    default = Settings()
    t, x = np.array([0.0, 0.25, 0.5, 1.0]), np.linspace(-1, 1, default.points)
    space, v = fourier(t, DISPERSION, default.modes, default.time_step, silent)
    found = space.evaluate(v, x)
    known = {(1, 0.248532289628180): 1.00532302121, (2, 0.499021526418787): -0.25539955354}
    known[3, 0.248532289628180] = -0.50956062233
    for (row, place), value in known.items():
        column = np.argmin(np.abs(x - place))
        assert abs(x[column] - place) < 1e-14
        assert found[row, column] == pytest.approx(value, abs=1.5e-11)
    drifts = {name: np.max(np.abs(q - q[0])) for name, q in invariants(space, v, DISPERSION).items()}
    assert drifts["mass"] < 1e-15
    assert drifts["momentum"] < 5e-12  # measured 2e-12
    assert drifts["energy"] < 2e-12


@pytest.mark.slow
@pytest.mark.parametrize(("start", "tolerance"), [(20, 1e-7), (170, 1e-3)])
def test_the_reference_as_a_series_satisfies_the_equation(start, tolerance):
    """Eleven rows around t = 0.125 and t = 0.875: a polynomial in time, a Fourier series in space."""
    t, x = np.linspace(0, 1, 201), np.linspace(-1, 1, 258)
    space, v = fourier(t[: start + 11], DISPERSION, 256, 2.5e-4, silent)
    expansion = oracle.expansion(space.evaluate(v[start:], x))
    middle, half = t[start + 5], 5 / 200
    series = network_of(expansion, lambda t: (t - middle) / half, lambda x: jnp.pi * (x + 1))
    random = np.random.default_rng(0)
    places = np.stack([middle + half * random.uniform(-0.3, 0.3, 60), random.uniform(-1, 1, 60)], axis=1)
    points = {"ic": jnp.zeros((1, 3)), "pde": jnp.asarray(places)}
    residual = residuals_of(problem(ProblemSettings()), series, None, points)["pde"]
    slope = space.evaluate(space.derivative(v[start + 5]), x)
    assert np.max(np.abs(residual)) < tolerance * np.max(np.abs(slope))


def test_against_the_scheme_of_1965():
    """Leapfrog of second order, which shares neither space nor time with the reference."""
    errors = []
    for count in (32, 64, 128):
        space, v = fourier(np.array([0.0, 0.3]), 0.01, 128, 1e-3, silent)
        exact = space.evaluate(v[-1:], -1 + 2 * np.arange(count) / count)[0]
        errors.append(relative_l2(oracle.leapfrog(count, 0.3, 80 * (count // 32) ** 3, 0.01), exact))
    np.testing.assert_allclose(np.log2(np.divide(errors[:-1], errors[1:])), 2, atol=0.1)
    assert errors[-1] < 5e-3


@pytest.mark.slow
def test_order_of_both_methods():
    t = np.array([0.0, 0.5])
    exact = fourier(t, 0.01, 128, 1.25e-4, silent)[1][-1]
    errors = [relative_l2(fourier(t, 0.01, 128, step, silent)[1][-1], exact) for step in (2.5e-3, 1.25e-3, 6.25e-4)]
    assert np.all(np.log2(np.divide(errors[:-1], errors[1:])) >= 3.8), errors
    errors = []
    for points in (25, 33, 41):
        space, v = fourier(t, 0.02, 128, 2e-3, silent)
        found = finite_differences(t, points, 0.02, 1, silent)[-1]
        errors.append(relative_l2(found, space.evaluate(v[-1:], np.linspace(-1, 1, points))[0]))
    slopes = -np.diff(np.log(errors)) / np.diff(np.log([24, 32, 40]))
    assert np.all(slopes > 11), (errors, slopes)  # 14 in the end
    assert errors[-1] < 1e-6


def test_finite_differences_refine_the_same_grid():
    t = np.array([0.0, 0.1])
    coarse, fine = finite_differences(t, 33, 0.02, 2, silent), finite_differences(t, 65, 0.02, 1, silent)
    np.testing.assert_array_equal(coarse, fine[:, ::2])
    assert coarse[1, 0] == coarse[1, -1]


@pytest.mark.slow
def test_dispersion_is_that_of_the_problem():
    base = compute(SMALL, None, WIDE)
    other = compute(SMALL, None, ProblemSettings(dispersion=0.02))
    assert base.stated_error < 1e-5
    assert other.stated_error < 1e-5
    assert relative_l2(other.fields["u"], base.fields["u"]) > 0.1


def test_real_coefficients_of_the_step_would_be_seen(monkeypatch):
    """The imaginary part of the weights is what a version for diffusive equations throws away."""
    right = spectral.ExponentialStep.of

    def real_weights(symbol, length, **rest):
        step = right(symbol, length, **rest)
        parts = {name: getattr(step, name).real for name in ("average", "first", "middle", "last")}
        return spectral.ExponentialStep(whole=step.whole, half=step.half, **parts)

    monkeypatch.setattr(spectral.ExponentialStep, "of", real_weights)
    found = compute(SMALL.model_copy(update={"time_step": 5e-3}), None, WIDE)
    assert found.stated_error > 1e-2


@pytest.mark.slow
def test_a_wrong_sign_or_factor_of_either_method_is_seen():
    for factor in (-1, 1.01):
        with derivatives_times(factor):
            assert compute(SMALL, None, WIDE).stated_error > 1e-3
    for order in (1, 3):
        with stencil_times(korteweg_de_vries, order, 1.01):
            assert compute(SMALL, None, WIDE).stated_error > 1e-4


@pytest.mark.slow
def test_errors_in_time_and_in_space_are_both_stated():
    fine = compute(SMALL, None, WIDE)
    long_steps = compute(SMALL.model_copy(update={"time_step": 0.02}), None, WIDE)
    few_modes = compute(
        SMALL.model_copy(update={"modes": 66, "coarse_modes": 64}), None, ProblemSettings(dispersion=1e-3)
    )
    assert fine.self_convergence_error < 1e-7
    assert long_steps.self_convergence_error > 1e-5
    assert few_modes.self_convergence_error > 1e-5
    assert few_modes.stated_error >= few_modes.independent_difference


def test_invariants_are_those_of_quadrature():
    space = spectral.Fourier(64, -1.0, 1.0)
    x = -1 + np.arange(400) / 200
    u = 0.3 + np.cos(np.pi * x) + 0.5 * np.sin(3 * np.pi * x)
    slope = -np.pi * np.sin(np.pi * x) + 1.5 * np.pi * np.cos(3 * np.pi * x)
    v = space.interpolate(lambda y: 0.3 + np.cos(np.pi * y) + 0.5 * np.sin(3 * np.pi * y))
    found = invariants(space, np.stack([v, 2 * v]), 0.01)
    parts = 0.03 * np.mean(slope**2)
    np.testing.assert_allclose(found["mass"], np.mean(u) / np.sqrt(np.mean(u**2)) * np.array([1, 2]), rtol=1e-13)
    np.testing.assert_allclose(found["momentum"], [1, 4], rtol=1e-13)
    energies = [(np.mean(u**3) - parts) / (4 * parts), (8 * np.mean(u**3) - 4 * parts) / (4 * parts)]
    np.testing.assert_allclose(found["energy"], energies, rtol=1e-12)


def test_wrong_settings_are_refused():
    wrongs = ({"modes": 513}, {"time_step": 0.0}, {"times": 1}, {"points": 17}, {"subdivisions": 0}, {"grid": 3})
    refuse(Settings, 512, wrongs)
