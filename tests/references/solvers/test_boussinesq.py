"""The Galerkin flow between walls: eigenvalues of textbooks, the weak form, budgets, order, and what it must refuse."""

import numpy as np
import pytest
from numpy.polynomial import legendre
from oracles import rayleigh_taylor as oracle
from scipy.linalg import eigh
from tolerances import CONDITIONED, IDENTITY

from gradalign.references.solvers import boussinesq
from gradalign.references.solvers.boussinesq import Convection, temperature_forms, velocity_forms
from gradalign.references.solvers.wall_polynomials import clamped, evaluate, vanishing

VISCOSITY, DIFFUSIVITY = 0.03, 0.02
FLOW = Convection(modes=8, degree=14, viscosity=VISCOSITY, diffusivity=DIFFUSIVITY)


def plume(x, y):
    return oracle.initial_temperature(x, y, 0.2, 0.25)


def busy_state():
    """Every coefficient at work, and fields of order one."""
    state = FLOW.initial(plume)
    velocity, temperature = FLOW._parts(state)
    random = np.random.default_rng(0)
    velocity = random.normal(size=velocity.shape) / velocity.size**0.5
    temperature = random.normal(size=temperature.shape) / temperature.size**0.5
    velocity[0] = 0  # sin(0)
    return boussinesq._joined(velocity, temperature, 0.0, 0.0)


def test_onset_of_convection():
    """The least Ra = G H⁴/(νκ) at which the layer with ∂T/∂y = -G, of height H = 2, is not stable.

    At rest νA a = α² B b and κC b = G B' a, with forms A of ψ, C of T, and B = (h_i, φ_j); a, b being the coefficients
    of ψ = a sin(αx) / α and T = b cos(αx) with signs that make both positive.
    """
    degree, nodes = 24, legendre.leggauss(30)

    def critical(wavenumber):
        h, phi = (evaluate(family, nodes[0]) for family in (clamped(degree - 3), vanishing(degree - 1)))
        coupling = (h * nodes[1]) @ phi.T
        drive = wavenumber**2 * coupling @ np.linalg.solve(temperature_forms(degree, wavenumber)[1], coupling.T)
        return 2**4 / eigh(drive, velocity_forms(degree, wavenumber)[1], eigvals_only=True)[-1]

    alpha = oracle.CRITICAL_WAVENUMBER / 2
    assert critical(alpha) == pytest.approx(oracle.CRITICAL_RAYLEIGH, abs=6e-4)  # as many digits as are printed
    assert critical(0.98 * alpha) > critical(alpha) < critical(1.02 * alpha)


@pytest.mark.parametrize("wavenumber", [0.5, 2 * np.pi, 20.0])
def test_decay_rates_of_stokes_flow_and_of_heat(wavenumber):
    mass, stiffness = velocity_forms(30, wavenumber)
    found = eigh(stiffness, mass, eigvals_only=True)
    np.testing.assert_allclose(found[:2], oracle.slowest_stokes_rates(wavenumber), rtol=CONDITIONED)
    mass, stiffness = temperature_forms(30, wavenumber)
    found = eigh(stiffness, mass, eigvals_only=True)
    exact = wavenumber**2 + (np.pi / 2 * np.arange(1, 6)) ** 2
    np.testing.assert_allclose(found[:5], exact, rtol=CONDITIONED)


def test_the_tendency_satisfies_the_weak_form():
    """Against all test functions, with strong products on other points: over whole periods, and more of them."""
    state = busy_state()
    (a, b), (a_t, b_t) = FLOW.legendre(state), FLOW.legendre(FLOW.tendency(state))
    eta, weights = legendre.leggauss(40)
    x, alpha = np.arange(32) / 32, FLOW.wavenumbers[:, None]
    fields = FLOW.fields(state, x, 1 + eta)
    u, v, w, T = (fields[name] for name in ("u", "v", "w", "T"))
    sines, cosines = np.sin(x[:, None] * alpha.T), np.cos(x[:, None] * alpha.T)

    def at(table, order=0):
        return evaluate(table, eta, order)

    def integral(values):
        return np.sum(values * weights) / len(x)

    w_t = sines @ (alpha**2 * at(a_t) - at(a_t, 2))
    w_x, w_y = cosines @ (alpha * (alpha**2 * at(a) - at(a, 2))), sines @ (alpha**2 * at(a, 1) - at(a, 3))
    T_t, T_x, T_y = cosines @ at(b_t), -sines @ (alpha * at(b)), cosines @ at(b, 1)
    spread = cosines @ (at(b, 2) - alpha**2 * at(b))
    vorticity, heat = w_t + u * w_x + v * w_y - T_x, T_t + u * T_x + v * T_y - DIFFUSIVITY * spread
    for k, mode in enumerate(FLOW.wavenumbers):
        for h, bent in zip(at(clamped(FLOW.degree - 3)), at(clamped(FLOW.degree - 3), 2), strict=True):
            chi, curvature = sines[:, k : k + 1] * h, sines[:, k : k + 1] * (bent - mode**2 * h)
            assert abs(integral(vorticity * chi) - VISCOSITY * integral(w * curvature)) < CONDITIONED
        for phi in at(vanishing(FLOW.degree - 1)):
            assert abs(integral(heat * cosines[:, k : k + 1] * phi)) < CONDITIONED
    assert np.max(np.abs(u * w_x + v * w_y)) > 1  # the products have something to say
    rates = FLOW.tendency(state)[-2:].real
    assert rates[0] == pytest.approx(integral(v * T) - VISCOSITY * integral(w**2), abs=IDENTITY)
    flux = 2 * DIFFUSIVITY * evaluate(b[0], np.array([-1.0, 1.0]), 1)
    assert rates[1] == pytest.approx((flux[1] - flux[0]) / 2, abs=IDENTITY)


def test_fields_are_those_of_one_stream_function_and_obey_walls_and_symmetry():
    state, step = busy_state(), 1e-5
    walls = FLOW.fields(state, np.linspace(0, 1, 7), np.array([0.0, 2.0]))
    for name in ("u", "v", "T"):
        np.testing.assert_allclose(walls[name], 0, atol=IDENTITY)
    x, y = np.array([0.3, 0.3 - step, 0.3 + step]), np.array([0.7, 0.7 - step, 0.7 + step])
    found = FLOW.fields(state, x, y)

    def slope(name, axis):
        values = found[name] if axis == 0 else found[name].T
        return (values[2, 0] - values[1, 0]) / (2 * step)

    # The differences are off by a sixth of step² times a third derivative, of some hundreds for the waves of this state
    assert slope("u", 0) + slope("v", 1) == pytest.approx(0, abs=5e-8)
    assert slope("v", 0) - slope("u", 1) == pytest.approx(found["w"][0, 0], abs=1e-6)
    mirrored = FLOW.fields(state, 1 - x, y)
    for name, sign in {"u": -1, "v": 1, "w": -1, "T": 1}.items():
        np.testing.assert_allclose(mirrored[name], sign * found[name], atol=IDENTITY)


def test_energy_and_heat_are_the_integrals_of_the_fields():
    states = FLOW.solve(FLOW.initial(plume), np.array([0.0, 0.5, 1.0]), 0.02)
    eta, weights = legendre.leggauss(40)
    fields = FLOW.fields(states, np.arange(32) / 32, 1 + eta)
    energy = (fields["u"] ** 2 + fields["v"] ** 2) @ weights / 2
    np.testing.assert_allclose(FLOW.energy(states)[0], energy.mean(axis=1), atol=IDENTITY)
    np.testing.assert_allclose(FLOW.heat(states)[0], (fields["T"] @ weights).mean(axis=1), atol=IDENTITY)


def test_budgets_close_with_time_step_and_degree():
    """The energy budget closes with the time step, whatever the degree; that of heat needs the degree too."""
    times = np.linspace(0, 1, 5)

    def gaps(degree, step):
        flow = Convection(8, degree, VISCOSITY, DIFFUSIVITY)
        states = flow.solve(flow.initial(plume), times, step)
        return [np.max(np.abs(found - expected)) for found, expected in (flow.energy(states), flow.heat(states))]

    assert gaps(10, 0.01)[0] < 1e-9
    assert gaps(10, 0.01)[1] > 1e-6
    assert max(gaps(40, 0.01)) < 1e-9
    energies = [gaps(16, step)[0] for step in (0.05, 0.025, 0.0125)]
    assert np.all(np.log2(np.divide(energies[:-1], energies[1:])) >= 3.8), energies


def test_order_four_in_time():
    start, x, y = (
        FLOW.solve(FLOW.initial(plume), np.array([0.0, 0.2]), 0.01)[-1],
        np.arange(8) / 8,
        np.linspace(0, 2, 9),
    )

    def final(step):
        fields = FLOW.fields(FLOW.solve(start, np.array([0.0, 2.0]), step)[-1], x, y)
        return np.stack(list(fields.values()))

    exact = final(0.005)
    errors = [np.linalg.norm(final(step) - exact) for step in (0.2, 0.1, 0.05)]
    assert np.all(np.log2(np.divide(errors[:-1], errors[1:])) >= 3.8), errors


def test_layers_at_rest_conduct_exactly():
    """T = sin(πy) decays with κπ², T = sin(πy/2) with κπ²/4; both stay at rest, whatever buoyancy does."""
    flow = Convection(4, 24, VISCOSITY, DIFFUSIVITY)
    y, t = np.linspace(0, 2, 9), np.array([0.0, 3.0])
    states = flow.solve(flow.initial(lambda x, y: np.sin(np.pi * y) + np.sin(np.pi * y / 2) + 0 * x), t, 0.1)
    found = flow.fields(states, np.array([0.0, 0.3]), y)
    exact = [
        np.exp(-DIFFUSIVITY * np.pi**2 * t_) * np.sin(np.pi * y)
        + np.exp(-DIFFUSIVITY * np.pi**2 / 4 * t_) * np.sin(np.pi * y / 2)
        for t_ in t
    ]
    np.testing.assert_allclose(found["T"], np.stack([exact, exact], axis=1), atol=IDENTITY)
    assert all(np.max(np.abs(found[name])) < IDENTITY for name in ("u", "v", "w"))


def test_the_initial_state_is_a_mean_square_projection():
    """An error that falls fast with the resolution, and none for what the space contains."""
    x, y = np.arange(32)[:, None] / 32, np.linspace(0, 2, 33)
    exact = plume(x, y)
    errors = [
        np.max(np.abs(flow.fields(flow.initial(plume), x[:, 0], y)["T"] - exact))
        for flow in (Convection(n, n, 1.0, 1.0) for n in (12, 24, 48))
    ]
    assert errors[0] > 30 * errors[1] > 30**2 * errors[2], errors
    contained = FLOW.initial(lambda x, y: np.cos(2 * np.pi * x) * y * (2 - y))
    found = FLOW.fields(contained, x[:, 0], y)["T"]
    np.testing.assert_allclose(found, np.cos(2 * np.pi * x) * y * (2 - y), atol=IDENTITY)


def test_products_are_free_of_aliasing(monkeypatch):
    """More points change nothing; fewer do."""
    state = busy_state()
    exact = FLOW.tendency(state)
    right = boussinesq._points

    def with_points(change):
        monkeypatch.setattr(boussinesq, "_points", lambda count, nodes: right(*change(count, nodes)))
        return Convection(8, 14, VISCOSITY, DIFFUSIVITY).tendency(state)

    np.testing.assert_allclose(with_points(lambda count, nodes: (count + 3, nodes + 5)), exact, atol=CONDITIONED)
    assert np.max(np.abs(with_points(lambda count, nodes: (count - 2, nodes)) - exact)) > 1e-2
    assert np.max(np.abs(with_points(lambda count, nodes: (count, nodes - 5)) - exact)) > 1e-2


def test_wrong_arguments_are_refused():
    for modes in (2, 7):
        with pytest.raises(ValueError, match=f"{modes} modes; allowed: even numbers from 4"):
            Convection(modes, 10, 1.0, 1.0)
    with pytest.raises(ValueError, match="degree 3; allowed: 4 or more"):
        Convection(8, 3, 1.0, 1.0)
