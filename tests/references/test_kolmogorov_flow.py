"""The reference of Kolmogorov flow: its stated error, exact flows, budgets, and what would break it."""

import numpy as np
import pytest
from oracles import kolmogorov_flow as oracle
from pydantic import ValidationError
from reference_checks import silent
from tolerances import IDENTITY, ROUNDING

from gradalign.base.errors import ConfigurationError
from gradalign.problems.kolmogorov_flow import BOX, InitialModes
from gradalign.problems.kolmogorov_flow import Settings as ProblemSettings
from gradalign.references import kolmogorov_flow
from gradalign.references._contract import relative_l2
from gradalign.references.kolmogorov_flow import (
    Settings,
    budgets,
    compute,
    differences,
    fields,
    initial_vorticity,
    projected_velocity,
    velocity,
    vorticity,
)
from gradalign.references.solvers.plane import Plane

FLOW = ProblemSettings(viscosity=1e-2, peak=2.5, cutoff=3, horizon=0.1)
SMOKE = Settings(times=5, points=16, modes=48, coarse_modes=32, time_step=2.5e-3, check_modes=32)
STRONG = ProblemSettings(viscosity=1e-2, peak=3.0, cutoff=6, horizon=0.5)
WEAK = ProblemSettings(viscosity=1e-3, peak=3.0, cutoff=6, horizon=0.5)
SMALL = Settings(times=3, points=8, modes=32, coarse_modes=24, time_step=2.5e-3, check_modes=16)


def test_smoke_settings_state_a_small_error():
    seen = []
    found = compute(SMOKE, lambda share, text: seen.append(share), FLOW)
    assert list(found.coordinates) == ["t", "x", "y"]
    assert {name: values.shape for name, values in found.fields.items()} == dict.fromkeys("uvw", (5, 16, 16))
    np.testing.assert_allclose(found.coordinates["t"], np.linspace(0, 0.1, 5))
    for name in "xy":
        np.testing.assert_array_equal(found.coordinates[name], np.arange(16) / 16)
    assert found.self_convergence_error < 4e-7  # measured 2.9e-7: the coarser 32 modes
    assert found.independent_difference < 1e-8  # measured 6.6e-9: the time step
    assert list(found.evidence) == ["energy budget", "enstrophy budget"]
    assert max(found.evidence.values()) < 1e-9
    assert found.stated_error == max(found.self_convergence_error, found.independent_difference)
    assert seen == sorted(seen)
    assert seen[-1] == 1
    assert 0 < found.seconds < 60
    assert found.step == 2.5e-3
    assert found.solver == "vorticity, Fourier ETDRK4"
    assert found.resolution == "48 x 48 modes, coarser 32; time step longer by as much"
    assert found.independent_check == (
        "projected velocity, 32 x 32 modes, Runge-Kutta 8(5,3), against the first method with as many"
    )


# Computed once by an independent program and printed to the digits that its refinement confirmed; u, v, w at
# (0.25, 0.5) and the kinetic energy, all at the last time
@pytest.mark.slow
@pytest.mark.parametrize(
    ("flow", "modes", "time_step", "known", "digits"),
    [
        (FLOW, 48, 1.25e-3, (-0.176214458, 0.883909290, -4.0834084, 0.439645776), 2e-8),
        (STRONG, 80, 2.5e-3, (-0.525767200, 0.114195585, -11.4460752, 0.304704442), 2e-8),
        (WEAK, 128, 2.5e-3, (-0.509497904, -0.177825605, -14.9516126, 0.790004844), 1e-5),
    ],
)
def test_known_values(flow, modes, time_step, known, digits):
    plane = Plane(modes, modes, BOX)
    w = vorticity(np.array([0.0, flow.horizon]), flow, modes, time_step)[-1]
    u, v = velocity(w, plane)
    found = [plane.evaluate(one, np.array([0.25]), np.array([0.5])).item() for one in (u, v, w)]
    found.append((plane.mean_square(u) + plane.mean_square(v)) / 2)
    np.testing.assert_allclose(found, known, rtol=digits)


def test_initial_values_of_both_methods_are_those_of_the_oracle():
    t, x = np.array([0.0, 1e-3]), np.arange(7) / 7
    u, v = oracle.initial_velocity(x[:, None], x[None, :], 3.0, 6)
    w = oracle.initial_vorticity(x[:, None], x[None, :], 3.0, 6)
    spectral = fields(vorticity(t, STRONG, 16, 1e-3), 16, x)
    projected = projected_velocity(t, STRONG, 16, x, silent)
    for name, expected in {"u": u, "v": v, "w": w}.items():
        assert relative_l2(spectral[name][0], expected) < IDENTITY
        assert relative_l2(projected[name][0], expected) < IDENTITY


def test_waves_of_one_length_decay_without_changing():
    """All modes of one |k| solve the equation without a force: the vorticity is a function of the stream function."""
    one = ProblemSettings(viscosity=0.02, forcing=0.0, peak=2.0, cutoff=1, horizon=0.5)
    t, x = np.array([0.0, 0.2, 0.5]), np.arange(6) / 6
    decay = np.exp(-0.02 * 4 * np.pi**2 * t)[:, None, None]
    u, v = oracle.initial_velocity(x[:, None], x[None, :], 2.0, 1)
    for found in (fields(vorticity(t, one, 16, 0.05), 16, x), projected_velocity(t, one, 16, x, silent)):
        assert relative_l2(found["u"], decay * u) < 1e-10
        assert relative_l2(found["v"], decay * v) < 1e-10


def test_the_force_drives_the_laminar_flow(monkeypatch):
    """u = a(t) sin(4πy) from a = -1; y alone, so that nothing is convected."""
    shear = InitialModes(np.array([0]), np.array([2]), np.array([1 / (4 * np.pi)]), np.array([0.0]))  # u = -sin(4πy)
    monkeypatch.setattr(kolmogorov_flow, "initial_modes", lambda peak, cutoff: shear)
    t, x = np.linspace(0, 0.5, 3), np.arange(9) / 9
    flow = ProblemSettings(viscosity=0.02, cutoff=2)
    amplitude = oracle.laminar(t, 0.02, 2.0, -1.0)[:, None, None]
    for found in (fields(vorticity(t, flow, 16, 0.05), 16, x), projected_velocity(t, flow, 16, x, silent)):
        assert relative_l2(found["u"], amplitude * np.sin(4 * np.pi * x) + 0 * x[:, None]) < 1e-9
        assert relative_l2(found["w"], -4 * np.pi * amplitude * np.cos(4 * np.pi * x) + 0 * x[:, None]) < 1e-9
        assert np.max(np.abs(found["v"])) < ROUNDING


def test_mean_velocity_and_divergence_are_zero_and_w_is_the_curl():
    count, modes = 48, 48
    t, x = np.linspace(0, 0.1, 3), np.arange(count) / count
    k = 2 * np.pi * np.fft.fftfreq(count, 1 / count)
    for found in (fields(vorticity(t, FLOW, modes, 2.5e-3), modes, x), projected_velocity(t, FLOW, modes, x, silent)):
        u, v, w = (np.fft.fft2(found[name], norm="forward") for name in "uvw")
        assert np.max(np.abs([u[:, 0, 0], v[:, 0, 0]])) < ROUNDING
        assert np.max(np.abs(k[:, None] * u + k * v)) < IDENTITY
        np.testing.assert_allclose(1j * (k[:, None] * v - k * u), w, atol=IDENTITY)


@pytest.mark.parametrize("modes", [16, 18])  # 3/2 times as many is even, or not
def test_both_methods_solve_the_same_truncated_equations(modes):
    """So few modes do not resolve this flow, but both methods leave out the same."""
    t, x = np.linspace(0, 0.2, 3), np.arange(8) / 8
    first = fields(vorticity(t, WEAK, modes, 5e-4), modes, x)
    second = projected_velocity(t, WEAK, modes, x, silent)
    resolved = fields(vorticity(t, WEAK, 48, 5e-3), 48, x)
    for name in "uvw":
        assert relative_l2(first[name], second[name]) < 1e-9
        assert relative_l2(first[name], resolved[name]) > 1e-3


def test_order_in_time():
    t, x = np.array([0.0, 0.2]), np.arange(16) / 16
    exact = fields(vorticity(t, STRONG, 32, 5e-4), 32, x)["w"][-1]
    errors = [relative_l2(fields(vorticity(t, STRONG, 32, h), 32, x)["w"][-1], exact) for h in (0.02, 0.01, 0.005)]
    assert np.all(np.log2(np.divide(errors[:-1], errors[1:])) >= 3.8), errors


def test_budgets_measure_the_error_of_the_time_step():
    t = np.linspace(0, 0.5, 41)
    coarse, fine = (budgets(t, vorticity(t, STRONG, 32, h), 32, STRONG) for h in (1.25e-2, 1.25e-3))
    for name in ("energy budget", "enstrophy budget"):
        assert fine[name] < 5e-8
        assert coarse[name] > 30 * fine[name]
    # Every term counts: with another viscosity or force, or without either, the budgets fail
    w = vorticity(t, STRONG, 32, 2.5e-3)
    for changed in ({"viscosity": 1.01e-2}, {"forcing": 2.02}):
        wrong = budgets(t, w, 32, STRONG.model_copy(update=changed))
        assert min(wrong.values()) > 1e-4


@pytest.mark.slow
def test_coefficients_are_those_of_the_problem():
    base = compute(SMALL, None, FLOW).fields["w"]
    for changed in ({"viscosity": 2e-2}, {"forcing": 0.0}, {"peak": 2.0}, {"cutoff": 2}, {"horizon": 0.2}):
        other = compute(SMALL, None, FLOW.model_copy(update=changed))
        assert relative_l2(other.fields["w"], base) > 1e-3
        assert other.coordinates["t"][-1] == changed.get("horizon", 0.1)
        assert other.stated_error < 1e-3


@pytest.mark.slow
def test_a_wrong_factor_of_either_method_is_seen(monkeypatch):
    assert compute(SMALL, None, FLOW).independent_difference < 1e-7
    right = Plane.pointwise
    with monkeypatch.context() as changed:
        changed.setattr(Plane, "pointwise", lambda self, *given, **named: 1.01 * right(self, *given, **named))
        assert compute(SMALL, None, FLOW).independent_difference > 1e-4
        changed.setattr(Plane, "pointwise", lambda self, *given, **named: -right(self, *given, **named))
        assert compute(SMALL, None, FLOW).independent_difference > 0.05
    solve = kolmogorov_flow.integrate
    monkeypatch.setattr(
        kolmogorov_flow,
        "integrate",
        lambda rate, *given, **named: solve(lambda time, state: 1.001 * rate(time, state), *given, **named),
    )
    assert compute(SMALL, None, FLOW).independent_difference > 1e-5


def test_errors_in_time_and_in_space_are_both_stated():
    fine = compute(SMALL, None, FLOW)
    coarse_in_space = compute(SMALL.model_copy(update={"coarse_modes": 16}), None, FLOW)
    assert fine.self_convergence_error < 3e-5
    assert coarse_in_space.self_convergence_error > 5e-4
    assert coarse_in_space.stated_error == coarse_in_space.self_convergence_error
    # Four steps against three in each interval, and modes enough to leave no other error
    flow, h = FLOW.model_copy(update={"horizon": 0.2}), 0.025
    coarse_in_time = SMALL.model_copy(update={"modes": 48, "coarse_modes": 36, "time_step": h})
    stated = compute(coarse_in_time, None, flow).self_convergence_error
    t, x = np.linspace(0, 0.2, 3), np.arange(8) / 8
    found, exact = (fields(vorticity(t, flow, 36, step), 36, x) for step in (h, 2e-3))
    assert 3e-5 < max(differences(found, exact)) < stated < 1e-2


def test_wrong_settings_are_refused():
    with pytest.raises(ValidationError, match="coarse_modes must be at most 4/5 of modes = 100"):
        Settings(modes=100, coarse_modes=82, check_modes=16)
    assert Settings(modes=100, coarse_modes=80, check_modes=100).coarse_modes == 80
    with pytest.raises(ValidationError, match="check_modes must not exceed modes = 768"):
        Settings(modes=768, check_modes=770)
    with pytest.raises(ValidationError, match=r"\(times - 1\) samples must be 7 or more"):
        Settings(times=3, samples=3)
    for wrong in ({"modes": 769}, {"time_step": 0.0}, {"times": 1}, {"points": 3}, {"samples": 0}, {"grid": 3}):
        with pytest.raises(ValidationError):
            Settings(**wrong)
    with pytest.raises(ConfigurationError, match=r"time_step = 0.05 at intervals of 0.05; allowed: 0.025 or less"):
        compute(SMALL.model_copy(update={"time_step": 0.05}), None, FLOW)
    with pytest.raises(ConfigurationError, match="12 modes per axis with cutoff = 6; allowed: 14 or more"):
        initial_vorticity(STRONG, 12)
    assert initial_vorticity(STRONG, 14).shape == (14, 8)
