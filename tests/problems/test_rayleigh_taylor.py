"""Residuals of the Rayleigh-Taylor flow on exact, invented and computed flows, with conditions and points."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.polynomial import legendre
from oracles import rayleigh_taylor as oracle
from pydantic import ValidationError
from tolerances import IDENTITY

from gradalign.problems.rayleigh_taylor import Settings, initial_temperature, problem
from gradalign.references import rayleigh_taylor as reference
from gradalign.references.solvers.boussinesq import Convection
from gradalign.training.model import observed_of, residuals_of

SETTINGS = Settings(rayleigh=50.0, prandtl=2.0, thickness=0.15, amplitude=0.25, horizon=0.8)  # ν = 0.2, κ = 0.1
FLOW = problem(SETTINGS)
COUNTS = {"ic": 6, "bc": 7, "pde": 32}
PDE = ("ru", "rv", "rc", "re")


def points(dtype=jnp.float64, seed=0):
    return FLOW.sample(jax.random.key(seed), COUNTS, jnp.dtype(dtype))


def as_network(function, *arguments):
    """A flow of the oracle as a network would give it."""
    return lambda params, z: jnp.stack(function(z[:, 0], z[:, 1], z[:, 2], *arguments, numpy=jnp), axis=1)


@pytest.mark.parametrize("flow", [as_network(oracle.layers, 0.1), as_network(oracle.vortices, 0.2)])
def test_exact_flows_solve_the_equations(flow):
    residuals = residuals_of(FLOW, flow, None, points())
    for name in PDE:
        np.testing.assert_allclose(residuals[name], 0, atol=1e-11)  # second derivatives reach 8π²


def test_an_invented_flow_has_the_residuals_derived_by_hand():
    z = points()
    found = residuals_of(FLOW, as_network(oracle.invented), None, z)
    expected = oracle.invented_residuals(*np.asarray(z["pde"]).T, 50.0, 2.0)
    for name in PDE:
        np.testing.assert_allclose(found[name], expected[name], atol=1e-11)
    fields = observed_of(FLOW, as_network(oracle.invented), None, z["pde"])
    u, v, T, _ = oracle.invented(*np.asarray(z["pde"]).T)
    np.testing.assert_allclose(fields, np.stack([u, v, expected["w"], T], axis=1), atol=1e-11)


@pytest.mark.slow
def test_the_computed_flow_solves_the_equations():
    """The reference by its exact series, with the pressure whose gradient fits the momentum equations best.

    If velocities were wrong, no pressure would do: only the part of the residual without curl can be fitted.
    """
    settings = Settings(rayleigh=1e4, thickness=0.15, amplitude=0.25, horizon=0.5)
    flow = Convection(32, 48, settings.viscosity, settings.diffusivity)
    start = flow.initial(reference.initial_temperature(settings))
    state = flow.solve(start, np.array([0.0, 0.5]), 0.01)[-1]
    series = flow.legendre(state), flow.legendre(flow.tendency(state))
    z = problem(settings).sample(jax.random.key(0), COUNTS, jnp.dtype("float64"))["pde"].at[:, 0].set(0.5)
    pressure = fitted_pressure(series, flow.wavenumbers, settings)
    given = {"ic": jnp.zeros((1, 6)), "bc": jnp.zeros((1, 3)), "pde": z}

    def residuals(pressure):
        return residuals_of(problem(settings), series_network(series, flow.wavenumbers, pressure, 0.5), None, given)

    found = residuals(pressure)
    # Measured on 400 points 8e-10, 2e-11, 2e-16, 2e-9, all near a wall; a tenth of that with degree 64
    for name, tolerance in {"ru": 1e-8, "rv": 1e-9, "rc": IDENTITY, "re": 1e-8}.items():
        assert np.max(np.abs(found[name])) < tolerance, name
    assert np.max(np.abs(residuals(0 * pressure)["rv"])) > 0.1


def legendre_values(count, eta):
    """L_0, ..., L_{count-1} by their recurrence, in whatever array type eta has: (Y,) -> (Y, count)."""
    values = [1 + 0 * eta, eta]
    for n in range(1, count - 1):
        values.append(((2 * n + 1) * eta * values[-1] - n * values[-2]) / (n + 1))
    return jnp.stack(values, axis=1)


def series_network(series, alpha, pressure, time):
    """u, v, T, p by their series, linear in time about ``time``; differentiable."""
    (a, b), (a_t, b_t) = series
    count = max(a.shape[1], pressure.shape[1])

    def padded(table):
        return jnp.asarray(np.pad(table, ((0, 0), (0, count - table.shape[1]))).T)

    tables = [
        (padded(legendre.legder(v, axis=1)), padded(alpha[:, None] * v), padded(w)) for v, w in ((a, b), (a_t, b_t))
    ]
    both = 2 * np.pi * np.arange(len(pressure))

    def apply(params, z):
        L, later = legendre_values(count, z[:, 2] - 1), z[:, 0] - time
        sines, cosines = jnp.sin(z[:, 1:2] * alpha), jnp.cos(z[:, 1:2] * alpha)
        u, v, T = (
            jnp.sum((L @ now + later[:, None] * (L @ rate)) * wave, axis=1)
            for now, rate, wave in zip(*tables, (sines, -cosines, cosines), strict=True)
        )
        return jnp.stack([u, v, T, jnp.sum((L @ padded(pressure)) * jnp.cos(z[:, 1:2] * both), axis=1)], axis=1)

    return apply


def fitted_pressure(series, alpha, settings):
    """Legendre coefficients of cos(2πkx) in p, k = 0..2K-1, by least squares: ∇p = νΔu + T e_y - ∂u/∂t - u·∇u."""
    (a, b), (a_t, _) = series
    eta, weights = legendre.leggauss(2 * a.shape[1])
    x = np.arange(8 * len(alpha)) / (8 * len(alpha))
    sines, cosines, k = np.sin(x[:, None] * alpha), np.cos(x[:, None] * alpha), alpha[:, None]

    def at(table, order=0):
        return legendre.legval(eta, legendre.legder(table, order, axis=1).T)

    u, u_x, u_y = sines @ at(a, 1), cosines @ (k * at(a, 1)), sines @ at(a, 2)
    v, v_x, v_y = -cosines @ (k * at(a)), sines @ (k**2 * at(a)), -cosines @ (k * at(a, 1))
    spread_u = sines @ (at(a, 3) - k**2 * at(a, 1))
    spread_v = -cosines @ (k * at(a, 2) - k**3 * at(a))
    across = settings.viscosity * spread_u - sines @ at(a_t, 1) - u * u_x - v * u_y
    up = settings.viscosity * spread_v + cosines @ at(b) + cosines @ (k * at(a_t)) - u * v_x - v * v_y
    degree = 2 * a.shape[1] - 4
    values, slopes = (
        legendre.legval(eta, legendre.legder(np.eye(degree + 1), order, axis=0)).T * np.sqrt(weights)[:, None]
        for order in (0, 1)
    )
    pressure = []
    for mode in 2 * np.pi * np.arange(2 * len(alpha)):
        share = (1 if mode == 0 else 2) / len(x)
        targets = share * np.sin(mode * x) @ across, share * np.cos(mode * x) @ up
        matrix = np.concatenate([-mode * values, slopes])
        target = np.concatenate([side * np.sqrt(weights) for side in targets])
        pressure.append(np.linalg.lstsq(matrix, target, rcond=1e-13)[0])
    return np.array(pressure)


def test_conditions():
    z = points()
    _, x, y = np.asarray(z["ic"][:, :3]).T
    T = oracle.initial_temperature(x, y, 0.15, 0.25)
    np.testing.assert_allclose(initial_temperature(jnp.asarray(x), jnp.asarray(y), SETTINGS), T, atol=IDENTITY)
    np.testing.assert_allclose(z["ic"][:, 3:], np.stack([0 * T, 0 * T, T], axis=1), atol=IDENTITY)
    numbers = jnp.asarray([2.0, 3.0, 5.0, 7.0])
    found = residuals_of(FLOW, lambda params, y: 0 * y[:, :1] + numbers, None, z)
    np.testing.assert_allclose(found["T_ic"], 5 - T, atol=IDENTITY)
    for name, value in {"u_ic": 2, "v_ic": 3, "u_bc": 2, "v_bc": 3, "T_bc": 5}.items():
        np.testing.assert_array_equal(found[name], value)


def test_the_initial_temperature_obeys_walls_and_symmetry():
    x = jnp.linspace(0, 1, 33)
    for wall in (0.0, 2.0):
        np.testing.assert_array_equal(initial_temperature(x, 0 * x + wall, SETTINGS), 0)
    T = initial_temperature(x, 0 * x + 1.1, SETTINGS)
    np.testing.assert_allclose(T, T[::-1], atol=IDENTITY)
    assert int(jnp.argmax(T)) == 16  # the plume rises at x = 1/2


def test_the_initial_residual_uses_the_given_values():
    """From the second window on they come from the network of the window before."""
    z = points()
    z["ic"] = z["ic"].at[:, 3:].set(jnp.arange(18.0).reshape(6, 3))
    found = residuals_of(FLOW, lambda params, y: 0 * y[:, :1] + jnp.zeros(4), None, z)
    for column, name in enumerate(("u_ic", "v_ic", "T_ic")):
        np.testing.assert_array_equal(found[name], -z["ic"][:, 3 + column])


def test_boundary_points_lie_on_both_walls_at_all_times():
    drawn = points()["bc"]
    assert drawn[:, 2].tolist() == [0, 2, 0, 2, 0, 2, 0]
    assert float(jnp.ptp(drawn[:, 0])) > 0.1


def test_contract():
    assert (FLOW.name, FLOW.coordinates, FLOW.fields) == ("rayleigh_taylor", ("t", "x", "y"), ("u", "v", "T", "p"))
    assert FLOW.domain == ((0.0, 0.8), (0.0, 1.0), (0.0, 2.0))
    assert (FLOW.sets, FLOW.causal, FLOW.periodic) == (("ic", "bc", "pde"), PDE, ("x",))
    assert FLOW.given == {"ic": ("u", "v", "T")}
    assert FLOW.has_windows
    assert list(residuals_of(FLOW, as_network(oracle.invented), None, points())) == list(FLOW.losses)
    assert len(FLOW.losses) == 10
    assert (FLOW.observed, FLOW.main_quantity) == (("u", "v", "w", "T"), "T")
    fields = {name: np.array([value]) for name, value in {"u": 3.0, "v": 4.0, "w": 1.0, "T": 2.0}.items()}
    found = {name: float(quantity(fields)[0]) for name, quantity in FLOW.quantities.items()}
    assert found == {"u": 3, "v": 4, "w": 1, "T": 2, "speed": 5}


def test_settings():
    assert Settings(rayleigh=1e6).viscosity == pytest.approx((0.71 / 1e6) ** 0.5)
    assert Settings(rayleigh=1e6).diffusivity == pytest.approx((0.71 * 1e6) ** -0.5)
    for name in ("rayleigh", "prandtl", "thickness", "amplitude", "horizon"):
        with pytest.raises(ValidationError):
            Settings(**{name: 0.0})
    with pytest.raises(ValidationError):
        Settings(amplitude=1.0)
