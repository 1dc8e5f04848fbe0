"""The reference of the complex Ginzburg-Landau equation: its stated error, other solutions, what would break it."""

import numpy as np
import pytest
from oracles import ginzburg_landau as oracle
from reference_checks import degrees_of_products, products_times, refuse, silent, stencil_times

from gradalign.problems._start import FORMULATION
from gradalign.problems.ginzburg_landau import Settings as ProblemSettings
from gradalign.references import ginzburg_landau
from gradalign.references._contract import relative_l2
from gradalign.references._refinement import differences
from gradalign.references.ginzburg_landau import DISC, Settings, compute, fourier, radial
from gradalign.references.solvers.plane import Plane
from gradalign.references.solvers.spectral import solve

SMOKE = Settings(times=5, points=33, modes=96, coarse_modes=80, time_step=2e-3, cells=300)
SMALL = Settings(times=3, points=17, modes=64, coarse_modes=48, time_step=5e-3, cells=150)
SHORT = ProblemSettings(horizon=0.05)
PUBLISHED = ProblemSettings()


def largest_difference(values, reference):
    return max(differences(values, reference))


def real(amplitude):
    return np.stack([amplitude.real, amplitude.imag])


def test_smoke_settings_state_a_small_error():
    seen = []
    found = compute(SMOKE, lambda share, text: seen.append(share), SHORT)
    assert list(found.coordinates) == ["t", "x", "y"]
    assert {name: values.shape for name, values in found.fields.items()} == {"u": (5, 33, 33), "v": (5, 33, 33)}
    ends = {name: values[[0, -1]].tolist() for name, values in found.coordinates.items()}
    assert ends == {"t": [0, 0.05], "x": [-1, 1], "y": [-1, 1]}
    assert found.self_convergence_error < 1e-5  # measured 6.0e-6: 80 modes against 96
    assert found.independent_difference < 1e-6  # measured 5.3e-7
    assert found.stated_error == max(found.self_convergence_error, found.independent_difference)
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1)
    assert 0 < found.seconds < 60
    assert found.step == 2e-3
    assert found.resolution == "96² modes against 80²; time step against twice as long"
    assert found.independent_check == (
        "radial form within r = 0.75, differences of order 12, 300 cells, Runge-Kutta 8(5,3)"
    )


@pytest.mark.slow
def test_known_values():
    """Converged values at (x, y) = (0.1, 0.2), given to nine decimals: both methods, and the initial condition."""
    t = np.array([0.0, 0.1, 0.2])
    known = [[0.573009594, 0.286504797], [0.797810483, -0.408228089], [-0.185620707, -0.946640220]]
    plane, series = fourier(t, PUBLISHED, 192, 1e-3, silent)
    found = plane.evaluate(series, np.array([0.1]), np.array([0.2]))[:, :, 0, 0]
    np.testing.assert_allclose(found, known, rtol=0, atol=5e-9)  # measured 2.5e-9
    other = radial(np.array([0.0, 0.1, 0.2, 0.5, 1.0]), np.array([0.1, 0.2]), PUBLISHED, 600, silent)[:, :, 0, 1]
    known += [[0.888653237, 0.392829709], [0.951337810, 0.061117711]]
    np.testing.assert_allclose(other, known, rtol=0, atol=2e-8)


@pytest.mark.slow
def test_against_exact_splitting():
    """Both methods against a third one, which shares neither steps nor treatment of the cubic term."""
    grid = -1 + 2 * np.arange(160) / 160
    exact = real(oracle.splitting(oracle.initial(grid[:, None], grid[None, :]), 0.1, 30))
    t = np.array([0.0, 0.1])
    plane, series = fourier(t, PUBLISHED, 160, 2e-3, silent)
    # Measured 3.6e-8 and 4.9e-9: 160 modes of the oracle, and the step
    assert largest_difference(plane.evaluate(series[-1:], grid, grid), exact[None]) < 6e-8
    assert largest_difference(radial(t, grid, PUBLISHED, 400, silent)[-1:], exact[None]) < 1e-8


@pytest.mark.slow
def test_across_the_edges():
    """Waves that leave on one side and return on the other, which the radial form does not know."""
    wide = PUBLISHED.model_copy(update={"diffusion": 0.1})
    grid = -1 + 2 * np.arange(48) / 48
    exact = real(oracle.splitting(oracle.initial(grid[:, None], grid[None, :]), 0.5, 60, eps=0.1))
    t = np.array([0.0, 0.5])
    plane, series = fourier(t, wide, 48, 2e-3, silent)
    assert largest_difference(plane.evaluate(series[-1:], grid, grid), exact[None]) < 1e-6
    assert largest_difference(radial(t, grid, wide, 150, silent)[-1:], exact[None]) > 1e-2


@pytest.mark.slow
def test_the_square_is_felt_outside_of_the_disc():
    """Until t = 1, the radial form and the periodic square agree within the disc and part at the edges."""
    t, x = np.array([0.0, 1.0]), np.linspace(-1, 1, 41)
    plane, series = fourier(t, PUBLISHED, 96, 5e-3, silent)
    square, whole = plane.evaluate(series, x, x), radial(t, x, PUBLISHED, 300, silent)
    within = np.hypot(x[:, None], x[None, :]) <= DISC
    assert largest_difference(square[..., within], whole[..., within]) < 1e-4  # measured 6.0e-5: 96 modes
    assert largest_difference(square[..., ~within], whole[..., ~within]) > 3e-4


def test_a_quarter_turn_of_the_square_turns_the_solution():
    """A(t, -y, x) = -i A(t, x, y), hence u(t, -y, x) = v(t, x, y)."""
    found = compute(SMALL, None, SHORT).fields
    turned = found["u"][:, ::-1].transpose(0, 2, 1)  # entry (x, y) is u(-y, x)
    np.testing.assert_allclose(turned, found["v"], atol=1e-9)


def test_a_plane_wave_keeps_its_form():
    """An exact solution of the periodic square: a wave of any direction turns and does nothing else."""
    problem_settings = ProblemSettings(diffusion=0.05, rate=8.0, dispersion=0.7)
    q = (np.pi, -2 * np.pi)
    amplitude, frequency = oracle.plane_wave(0.05, 8.0, 0.7, q)
    plane = Plane(16, 16, ginzburg_landau.SQUARE)

    def wave(part, t):
        return lambda x, y: amplitude * part(q[0] * x + q[1] * y - frequency * t)

    symbol, saturation = ginzburg_landau.operators(plane, problem_settings)
    start = np.stack([plane.interpolate(wave(part, 0.0)) for part in (np.cos, np.sin)])
    found = solve(symbol, saturation, start, [0.0, 0.3], 2e-3)[-1]
    exact = np.stack([plane.interpolate(wave(part, 0.3)) for part in (np.cos, np.sin)])
    np.testing.assert_allclose(found, exact, atol=1e-8)


def test_coefficients_are_those_of_the_problem():
    base = compute(SMALL, None, SHORT)
    for name, value in SHORT.model_dump(exclude=set(FORMULATION)).items():
        other = compute(SMALL, None, SHORT.model_copy(update={name: 1.2 * value}))
        assert relative_l2(other.fields["u"], base.fields["u"]) > 1e-3, name
        assert other.stated_error < 1e-3, name  # both methods know of it


def test_a_wrong_factor_or_sign_of_either_method_is_seen(monkeypatch):
    assert compute(SMALL, None, SHORT).stated_error < 1e-3
    with products_times(1.01):
        assert compute(SMALL, None, SHORT).stated_error > 2e-3
    with monkeypatch.context() as changed:  # the other sense of rotation
        other = SHORT.model_copy(update={"dispersion": -1.5})
        changed.setattr(ginzburg_landau, "radial", lambda t, x, given, *rest: radial(t, x, other, *rest))
        assert compute(SMALL, None, SHORT).stated_error > 0.1
    for order, factor in ((1, 1.2), (1, -1), (2, 1.2)):
        with stencil_times(ginzburg_landau, order, factor):
            assert compute(SMALL, None, SHORT).stated_error > 2e-3


def test_errors_in_time_and_in_space_are_both_stated():
    base = SMOKE.model_copy(update={"times": 2})
    errors = {
        "both fine": compute(base, None, SHORT).self_convergence_error,
        "in time": compute(base.model_copy(update={"time_step": 0.025}), None, SHORT).self_convergence_error,
        "in space": compute(base.model_copy(update={"coarse_modes": 32}), None, SHORT).self_convergence_error,
    }
    assert errors["in time"] > 5 * errors["both fine"]
    assert errors["in space"] > 30 * errors["both fine"]


def test_aliasing_is_removed_up_to_the_cubic():
    assert degrees_of_products(lambda: fourier(np.array([0.0, 0.01]), PUBLISHED, 32, 0.01, silent)) == {3}


def test_order_of_both_methods():
    t = np.array([0.0, 0.2])
    _, exact = fourier(t, PUBLISHED, 64, 1.25e-3, silent)
    errors = [np.linalg.norm(fourier(t, PUBLISHED, 64, step, silent)[1] - exact) for step in (0.02, 0.01, 0.005)]
    assert np.all(np.log2(np.divide(errors[:-1], errors[1:])) >= 3.8), errors


def test_wrong_settings_are_refused():
    wrongs = ({"modes": 255}, {"time_step": 0.0}, {"times": 1}, {"points": 1}, {"cells": 11}, {"grid": 3})
    refuse(Settings, 256, wrongs)
