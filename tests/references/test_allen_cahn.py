"""The reference of the Allen-Cahn equation: its stated error, independent solutions, and what would break it."""

import numpy as np
import pytest
from oracles import allen_cahn as oracle
from pydantic import ValidationError
from reference_checks import silent
from tolerances import IDENTITY

from gradalign.problems.allen_cahn import Settings as ProblemSettings
from gradalign.references import allen_cahn
from gradalign.references._contract import relative_l2
from gradalign.references.allen_cahn import Settings, compute, finite_differences, fourier, initial_coefficients
from gradalign.references.solvers import spectral

SMOKE = Settings(times=51, points=128, modes=512, refined_modes=640, time_step=2e-3, subdivisions=8)
SMALL = Settings(times=3, points=65, modes=512, refined_modes=640, time_step=0.01, subdivisions=4)
KINKED, BAND_LIMITED = (ProblemSettings(initial_condition=kind) for kind in ("kinked", "band_limited"))
WIDE = ProblemSettings(initial_condition="band_limited", diffusion=1e-3)


def test_smoke_settings_state_a_small_error():
    seen = []
    found = compute(SMOKE, lambda share, text: seen.append(share), BAND_LIMITED)
    assert found.fields["u"].shape == (51, 128)
    assert (found.coordinates["t"][[0, -1]].tolist(), found.coordinates["x"][[0, -1]].tolist()) == ([0, 1], [-1, 1])
    assert found.self_convergence_error < 4e-7  # measured 2.4e-7: 512 modes
    assert found.independent_difference < 4e-6  # 1016 cells
    assert found.stated_error == max(found.self_convergence_error, found.independent_difference)
    assert seen == sorted(seen)
    assert seen[-1] == 1
    assert 0 < found.seconds < 60
    assert found.resolution == "512 modes, refined to 640; time step halved"
    assert found.solver == "Fourier ETDRK4, band-limited initial condition"
    assert found.independent_check == "finite differences of order 8, 1016 cells, Runge-Kutta 8(5,3)"


# The kink is resolved slowly, but only at t near 0; so both reach ten digits later. Printed to 11 decimals.
@pytest.mark.parametrize("problem_settings", [BAND_LIMITED, KINKED], ids=lambda given: given.initial_condition)
def test_known_values(problem_settings):
    default = Settings()
    t, x = np.array([0.0, 0.25, 0.5, 1.0]), np.linspace(-1, 1, default.points)
    found = fourier(t, x, problem_settings, default.modes, default.time_step / 2, silent)
    known = {(1, 0.248532289628180): 0.15142170272, (2, 0.499021526418787): 0.00549966231}
    known[3, 0.248532289628180] = 0.98830995845
    for (row, place), value in known.items():
        column = np.argmin(np.abs(x - place))
        assert abs(x[column] - place) < 1e-14
        assert found[row, column] == pytest.approx(value, abs=1.5e-11)


def test_against_exact_splitting():
    """Both methods against a third one, which shares neither time stepping nor treatment of the cubic."""
    count, time = 1024, 0.5
    grid = -1 + 2 * np.arange(count) / count
    exact = oracle.splitting(oracle.band_limited(grid), count, time, 200)
    t = np.array([0.0, time])
    found = fourier(t, grid, BAND_LIMITED, 1024, 1e-3, silent)[-1]
    assert relative_l2(found, exact) < 1e-8  # measured 3e-10: the fourth-order error of the splitting
    # The finite differences have 512 intervals and both ends; every second point of the oracle
    other = finite_differences(t, 513, BAND_LIMITED, 4, silent)[-1]
    assert relative_l2(other[:-1], exact[::2]) < 1e-8
    assert other[0] == other[-1]


def test_kinked_coefficients_are_those_of_quadrature():
    found = initial_coefficients(512, KINKED)
    np.testing.assert_allclose(found.imag, 0)
    for k in (0, 1, 2, 3, 10, 57):
        assert found[k].real == pytest.approx(oracle.kinked_coefficient(k), abs=IDENTITY)
    assert found[-1] == 0


def test_initial_values_of_both_methods_are_the_chosen_ones():
    t, x = np.array([0.0, 0.005]), np.linspace(-1, 1, 128)
    band, kink = oracle.band_limited(x), oracle.kinked(x)
    assert relative_l2(fourier(t, x, BAND_LIMITED, 512, 5e-3, silent)[0], band) < IDENTITY
    assert relative_l2(finite_differences(t, 128, BAND_LIMITED, 2, silent)[0], band) < IDENTITY
    assert relative_l2(finite_differences(t, 128, KINKED, 2, silent)[0], kink) < IDENTITY
    errors = [relative_l2(fourier(t, x, KINKED, modes, 5e-3, silent)[0], kink) for modes in (512, 1024, 2048)]
    assert np.all(np.diff(errors) < 0)  # the series of a kink converges slowly
    assert errors[-1] < 2e-4


def test_the_two_initial_conditions_are_two_problems():
    """1.57e-5 over space and time, nearly all of it at the ends and at once; nothing is left at the end."""
    t, x = np.linspace(0, 1, 201), np.linspace(-1, 1, 512)
    kink, band = (fourier(t, x, given, 2048, 5e-3, silent) for given in (KINKED, BAND_LIMITED))
    assert 1.4e-5 < relative_l2(kink, band) < 1.8e-5
    row, column = np.unravel_index(np.argmax(np.abs(kink - band)), kink.shape)
    assert t[row] <= 0.02
    assert abs(x[column]) == 1
    assert relative_l2(kink[-1], band[-1]) < 1e-8


def test_the_reference_does_not_depend_on_how_the_ends_are_imposed():
    penalised = WIDE.model_copy(update={"boundary": "penalised"})
    one, other = (compute(SMALL, None, given).fields["u"] for given in (WIDE, penalised))
    np.testing.assert_array_equal(one, other)


def test_coefficients_are_those_of_the_problem():
    base = compute(SMALL, None, WIDE).fields["u"]
    for changed in ({"diffusion": 2e-3}, {"reaction": 4.0}, {"initial_condition": "kinked"}):
        other = compute(SMALL, None, WIDE.model_copy(update=changed))
        assert relative_l2(other.fields["u"], base) > 1e-6
        assert other.stated_error < 1e-3


def test_a_wrong_factor_of_either_method_is_seen(monkeypatch):
    right = spectral.Fourier.pointwise
    with monkeypatch.context() as changed:
        changed.setattr(
            spectral.Fourier, "pointwise", lambda self, function, v, degree: 1.01 * right(self, function, v, degree)
        )
        assert compute(SMALL, None, WIDE).stated_error > 1e-4
    monkeypatch.setattr(allen_cahn, "SECOND_DERIVATIVE", 1.01 * allen_cahn.SECOND_DERIVATIVE)
    assert compute(SMALL, None, WIDE).stated_error > 1e-5


def test_a_wrong_sign_of_the_nonlinear_term_is_seen(monkeypatch):
    right = spectral.Fourier.pointwise
    monkeypatch.setattr(
        spectral.Fourier, "pointwise", lambda self, function, v, degree: -right(self, function, v, degree)
    )
    with np.errstate(over="ignore", invalid="ignore"), pytest.raises(FloatingPointError, match="not finite"):
        compute(SMALL, None, WIDE)  # u grows without bound


def test_errors_in_time_and_in_space_are_both_stated():
    fine = compute(SMALL, None, WIDE)
    coarse_in_time = compute(SMALL.model_copy(update={"time_step": 0.25}), None, WIDE)
    sharp = compute(SMALL, None, WIDE.model_copy(update={"diffusion": 5e-6}))  # too sharp for these modes
    assert fine.self_convergence_error < 1e-6
    assert coarse_in_time.self_convergence_error > 1e-5
    assert sharp.self_convergence_error > 1e-5
    assert fine.step == 0.01


def test_aliasing_is_removed_up_to_the_cubic(monkeypatch):
    degrees = []
    right = spectral.Fourier.pointwise

    def noted(self, function, v, degree=2):
        degrees.append(degree)
        return right(self, function, v, degree)

    monkeypatch.setattr(spectral.Fourier, "pointwise", noted)
    fourier(np.array([0.0, 0.1]), np.linspace(-1, 1, 9), WIDE, 512, 0.05, silent)
    assert set(degrees) == {3}


def test_order_of_both_methods():
    t, x = np.array([0.0, 0.5]), np.linspace(-1, 1, 65)
    exact = fourier(t, x, WIDE, 512, 2e-3, silent)[-1]
    errors = [relative_l2(fourier(t, x, WIDE, 512, step, silent)[-1], exact) for step in (0.1, 0.05, 0.025)]
    assert np.all(np.log2(np.divide(errors[:-1], errors[1:])) >= 3.8), errors
    # The weights on cos(κx), whose second derivative at 0 is -κ²
    shifts = np.arange(len(allen_cahn.SECOND_DERIVATIVE))
    errors = []
    for angle in (0.8, 0.4, 0.2):
        found = allen_cahn.SECOND_DERIVATIVE @ (np.where(shifts == 0, 1, 2) * np.cos(angle * shifts))
        errors.append(abs(found / angle**2 + 1))
    assert np.all(np.log2(np.divide(errors[:-1], errors[1:])) >= 7.8), errors


def test_wrong_settings_are_refused():
    with pytest.raises(ValidationError, match="refined_modes must exceed modes = 1024"):
        Settings(refined_modes=1024)
    for wrong in ({"modes": 510}, {"modes": 1023}, {"time_step": 0.0}, {"times": 1}, {"points": 5}, {"grid": 3}):
        with pytest.raises(ValidationError):
            Settings(**wrong)
