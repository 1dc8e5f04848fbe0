"""The reference of the Rayleigh-Taylor flow: known values, its stated error, and what would break it."""

import numpy as np
import pytest
from oracles import rayleigh_taylor as oracle
from pydantic import ValidationError
from tolerances import IDENTITY

from gradalign.problems.rayleigh_taylor import Settings as ProblemSettings
from gradalign.references import rayleigh_taylor
from gradalign.references.rayleigh_taylor import Settings, compute, initial_temperature
from gradalign.references.solvers import boussinesq
from gradalign.references.solvers.boussinesq import Convection
from gradalign.references.solvers.boussinesq_collocation import CollocatedConvection

MILD = {"rayleigh": 1e4, "thickness": 0.15, "amplitude": 0.25}
SMOKE = ProblemSettings(**MILD, horizon=0.5)
SMOKE_GRID = Settings(
    times=6, points=32, heights=65, modes=32, degree=48, coarse_modes=24, coarse_degree=40, time_step=0.01,
    check_points=24, check_degree=32, check_times=6,
)  # fmt: skip
SMALL = Settings(
    times=3, points=16, heights=17, modes=20, degree=28, coarse_modes=16, coarse_degree=24, time_step=0.02,
    check_points=20, check_degree=22, check_times=3,
)  # fmt: skip
GENTLE = ProblemSettings(rayleigh=1e3, thickness=0.2, amplitude=0.25, horizon=0.6)


@pytest.fixture(scope="module")
def base():
    return compute(SMALL, None, GENTLE)


@pytest.mark.slow
def test_smoke_settings_state_a_small_error():
    seen = []
    found = compute(SMOKE_GRID, lambda share, text: seen.append(share), SMOKE)
    assert list(found.fields) == ["u", "v", "w", "T"]
    assert {values.shape for values in found.fields.values()} == {(6, 32, 65)}
    t, x, y = found.coordinates.values()
    assert (t[-1], x[0], x[-1], y[0], y[-1]) == (0.5, 0, 31 / 32, 0, 2)
    assert found.self_convergence_error < 3e-7  # measured 2.2e-7: w with degree 40
    assert found.independent_difference < 2e-6  # measured 1.3e-6: w with degree 32
    assert found.evidence["kinetic-energy budget"] < 2e-9
    assert found.evidence["heat budget"] < 1e-11
    assert found.evidence["mirror symmetry"] < 1e-11
    assert found.stated_error == max(found.self_convergence_error, found.independent_difference)
    assert seen == sorted(seen)
    assert seen[-1] == 1
    assert 0 < found.seconds < 60
    assert found.resolution == "32 modes, degree 48; coarser: 24 modes, degree 40; time step doubled"
    assert (
        found.independent_check == "Fourier-Chebyshev collocation, 24 points, degree 32, Runge-Kutta 8(5,3), t <= 0.5"
    )


# At the last time: v, T at (0.5, 1.25), then u, v, T, w at (0.25, 0.75); printed to 9 decimals, w to 7.
KNOWN = {
    "smoke": (SMOKE, [0.106165653, 0.462714442, 0.035517617, 0.011828629, 0.803829432, 0.6589810]),
    "laptop": (
        ProblemSettings(**MILD, horizon=2.0),
        [0.316243151, 0.656006681, 0.084002601, 0.010474697, 0.618377673, 2.1272380],
    ),
    "sharper": (
        ProblemSettings(rayleigh=1e4, thickness=0.1, amplitude=0.1, horizon=3.0),
        [0.271086394, 0.589708562, 0.088825798, 0.009440257, 0.653881815, 1.8128579],
    ),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_values(name):
    settings, known = KNOWN[name]
    flow = Convection(32, 56, settings.viscosity, settings.diffusivity)
    start = flow.initial(initial_temperature(settings))
    state = flow.solve(start, np.array([0.0, settings.horizon]), 0.01)[-1]
    plume, side = (flow.fields(state, np.array([x]), np.array([y])) for x, y in ((0.5, 1.25), (0.25, 0.75)))
    found = [plume[k].item() for k in ("v", "T")] + [side[k].item() for k in ("u", "v", "T", "w")]
    np.testing.assert_allclose(found[:-1], known[:-1], atol=1e-9)
    np.testing.assert_allclose(found[-1], known[-1], atol=6e-8)


def test_both_methods_start_from_the_chosen_temperature():
    t, x, y = np.array([0.0, 1e-3]), np.arange(8) / 8, np.linspace(0, 2, 17)
    exact = oracle.initial_temperature(x[:, None], y, 0.2, 0.25)
    temperature = initial_temperature(GENTLE)
    np.testing.assert_allclose(temperature(x[:, None], y), exact, atol=IDENTITY)
    flow = Convection(24, 40, GENTLE.viscosity, GENTLE.diffusivity)
    np.testing.assert_allclose(flow.fields(flow.initial(temperature), x, y)["T"], exact, atol=1e-8)
    other = CollocatedConvection(24, 40, GENTLE.viscosity, GENTLE.diffusivity)
    np.testing.assert_allclose(other.solve(temperature, t, x, y, 1e-8)["T"][0], exact, atol=1e-8)


@pytest.mark.slow
def test_coefficients_are_those_of_the_problem(base):
    for name, value in {"rayleigh": 1.1e3, "prandtl": 0.8, "thickness": 0.22, "amplitude": 0.2}.items():
        other = compute(SMALL, None, GENTLE.model_copy(update={name: value}))
        assert max(rayleigh_taylor._differences(base.fields, other.fields)) > 3e-3, name
        assert other.stated_error < 1e-4, name


BREAKS = {
    "explicit rates of the Galerkin method": (
        boussinesq.Convection,
        "_explicit",
        lambda f: lambda self, s: 1.001 * f(self, s),
    ),
    "viscous form": (boussinesq, "velocity_forms", lambda f: lambda n, k: (f(n, k)[0], 1.001 * f(n, k)[1])),
    "thermal form": (boussinesq, "temperature_forms", lambda f: lambda n, k: (f(n, k)[0], 1.001 * f(n, k)[1])),
    "rates of collocation": (CollocatedConvection, "_rate", lambda f: lambda self, s: 1.001 * f(self, s)),
}


@pytest.mark.slow
@pytest.mark.parametrize("place", BREAKS)
def test_a_wrong_factor_of_either_method_is_seen(monkeypatch, base, place):
    owner, name, change = BREAKS[place]
    assert base.stated_error < 2e-5
    monkeypatch.setattr(owner, name, change(getattr(owner, name)))
    assert compute(SMALL, None, GENTLE).stated_error > 1e-4


@pytest.mark.slow
def test_broken_budgets_and_symmetry_are_stated(monkeypatch):
    for name, key in {"energy": "kinetic-energy budget", "heat": "heat budget"}.items():
        with monkeypatch.context() as changed:
            right = getattr(Convection, name)
            changed.setattr(
                Convection,
                name,
                lambda self, states, right=right: (right(self, states)[0], 1.01 * right(self, states)[1]),
            )
            found = compute(SMALL, None, GENTLE)
            assert found.stated_error == found.evidence[key] > 1e-4
    with monkeypatch.context() as changed:
        right = CollocatedConvection.solve
        changed.setattr(
            CollocatedConvection,
            "solve",
            lambda self, start, *rest: right(
                self, lambda x, y: start(x, y) + 0.01 * np.sin(2 * np.pi * x) * y * (2 - y), *rest
            ),
        )
        assert compute(SMALL, None, GENTLE).evidence["mirror symmetry"] > 1e-3


@pytest.mark.slow
def test_errors_in_time_and_in_space_are_both_stated(base):
    coarse_in_time = compute(SMALL.model_copy(update={"time_step": 0.5}), None, GENTLE)
    sharp = compute(SMALL, None, GENTLE.model_copy(update={"thickness": 0.05}))
    assert base.self_convergence_error < 2e-5
    assert coarse_in_time.self_convergence_error > 1e-4
    assert sharp.self_convergence_error > 1e-3
    assert (base.step, coarse_in_time.step) == (pytest.approx(0.3 / 16), 0.15)  # even numbers of steps, so 2 at least


def test_the_check_may_cover_the_first_times_only():
    found = compute(SMALL.model_copy(update={"check_times": 2}), None, GENTLE)
    assert found.independent_check.endswith("t <= 0.3")
    assert found.independent_difference < 2e-5


def test_wrong_settings_are_refused():
    for wrong in ({"coarse_modes": 128}, {"coarse_degree": 160}):
        with pytest.raises(ValidationError, match="coarse_modes must be below modes = 128, coarse_degree below 160"):
            Settings(**wrong)
    with pytest.raises(ValidationError, match="check_times must not exceed times = 17"):
        Settings(check_times=18)
    for wrong in ({"modes": 127}, {"degree": 3}, {"time_step": 0.0}, {"times": 1}, {"check_points": 5}, {"grid": 3}):
        with pytest.raises(ValidationError):
            Settings(**wrong)
