"""Residuals of Kolmogorov flow on exact and manufactured flows, its initial condition, and the contract."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import kolmogorov_flow as oracle
from pydantic import ValidationError
from tolerances import IDENTITY, ROUNDING

from gradalign.problems.kolmogorov_flow import Settings, initial_modes, initial_velocity, problem
from gradalign.references.kolmogorov_flow import BOX, velocity, vorticity
from gradalign.references.solvers.plane import Plane
from gradalign.training.model import observed_of, residuals_of

NU, FORCE = 0.03, 2.0
COUNTS = {"ic": 6, "pde": 32}
SMALL = Settings(viscosity=NU, peak=2.5, cutoff=3, horizon=0.4)
LOSSES = ("u_ic", "v_ic", "ru", "rv", "rc")


def points(dtype=jnp.float64, settings=SMALL, seed=0):
    return problem(settings).sample(jax.random.key(seed), COUNTS, jnp.dtype(dtype))


def residuals(apply, settings=SMALL, z=None):
    return residuals_of(problem(settings), apply, None, points() if z is None else z)


def stacked(u, v, p):
    return jnp.stack([u, v, p], axis=1)


def laminar(params, z):
    """An exact flow under the force: u = U + a(t) sin(4πy), v = 0, from a(0) = 0.3, with the drift U = 0.2."""
    rate = 16 * jnp.pi**2 * NU
    a = FORCE / rate + (0.3 - FORCE / rate) * jnp.exp(-rate * z[:, 0])
    u = 0.2 + a * jnp.sin(4 * jnp.pi * z[:, 2])
    return stacked(u, jnp.zeros_like(u), jnp.ones_like(u))


def vortices(params, z):
    """An exact flow without a force: Taylor-Green vortices that decay and drift with the velocity (0.5, -0.3)."""
    t = z[:, 0]
    x, y = 2 * jnp.pi * (z[:, 1] - 0.5 * t), 2 * jnp.pi * (z[:, 2] + 0.3 * t)
    decay = jnp.exp(-8 * jnp.pi**2 * NU * t)
    u = 0.5 - jnp.cos(x) * jnp.sin(y) * decay
    v = -0.3 + jnp.sin(x) * jnp.cos(y) * decay
    return stacked(u, v, -(jnp.cos(2 * x) + jnp.cos(2 * y)) / 4 * decay**2)


def manufactured(params, z):
    """The flow of the oracle, from its stream function by automatic differentiation."""

    def stream(place):
        t, x, y = place
        return jnp.exp(-0.7 * t) * jnp.sin(2 * jnp.pi * x + 0.4) * jnp.cos(4 * jnp.pi * y)

    slopes = jax.vmap(jax.grad(stream))(z)
    p = (1 + z[:, 0]) * jnp.cos(2 * jnp.pi * z[:, 1]) * jnp.sin(2 * jnp.pi * z[:, 2])
    return stacked(slopes[:, 2], -slopes[:, 1], p)


# Terms of the residual reach 16π² ν = 5; float32 keeps seven digits of what cancels.
@pytest.mark.parametrize(("dtype", "tolerance"), [(jnp.float64, IDENTITY), (jnp.float32, 2e-5)])
def test_laminar_flow_solves_the_equations(dtype, tolerance):
    flow = problem(SMALL)
    found = jax.jit(lambda z: residuals_of(flow, laminar, None, z))(points(dtype))
    for name in ("ru", "rv", "rc"):
        assert found[name].dtype == dtype
        np.testing.assert_allclose(found[name], 0, atol=tolerance)
    t = np.linspace(0, 0.4, 5)
    peak = laminar(None, jnp.asarray(np.stack([t, 0 * t, 0 * t + 1 / 8], axis=1)))[:, 0]
    np.testing.assert_allclose(peak, 0.2 + oracle.laminar(t, NU, FORCE, 0.3), atol=ROUNDING)


def test_drifting_vortices_solve_the_equations_without_the_force():
    free = residuals(vortices, SMALL.model_copy(update={"forcing": 0.0}))
    for name in ("ru", "rv", "rc"):
        np.testing.assert_allclose(free[name], 0, atol=IDENTITY)
    forced, y = residuals(vortices), np.asarray(points()["pde"][:, 2])
    np.testing.assert_allclose(forced["ru"], -2 * np.sin(4 * np.pi * y), atol=IDENTITY)
    np.testing.assert_allclose(forced["rv"], 0, atol=IDENTITY)


@pytest.mark.slow
@pytest.mark.parametrize(("nu", "force"), [(0.01, 2.0), (0.5, 3.0)])
def test_manufactured_flow_leaves_the_residuals_of_the_oracle(nu, force):
    z = points()
    t, x, y = np.asarray(z["pde"]).T
    found = residuals(manufactured, Settings(viscosity=nu, forcing=force), z)
    ru, rv = oracle.manufactured_residuals(t, x, y, nu, force)
    np.testing.assert_allclose(found["ru"], ru, atol=1e-10)  # terms of the size of αβ² = 1,000
    np.testing.assert_allclose(found["rv"], rv, atol=1e-10)
    np.testing.assert_allclose(found["rc"], 0, atol=1e-10)


def test_the_divergence_has_both_terms():
    z = points()
    t, x, y = np.asarray(z["pde"]).T
    found = residuals(lambda params, z: stacked(z[:, 1] ** 2, z[:, 0] * z[:, 2] ** 3, z[:, 1]), z=z)["rc"]
    np.testing.assert_allclose(found, 2 * x + 3 * t * y**2, atol=ROUNDING)


def test_observed_fields_and_scored_quantities():
    flow = problem(SMALL)
    z = points()["pde"]
    assert (flow.observed, flow.main_quantity) == (("u", "v", "w"), "speed")
    u, v, _, w = oracle.manufactured(*np.asarray(z).T)
    np.testing.assert_allclose(observed_of(flow, manufactured, None, z).T, [u, v, w], atol=1e-11)
    scored = {name: quantity({"u": u, "v": v, "w": w}) for name, quantity in flow.quantities.items()}
    assert list(scored) == ["u", "v", "w", "speed"]
    for name, expected in {"u": u, "v": v, "w": w, "speed": np.sqrt(u**2 + v**2)}.items():
        np.testing.assert_allclose(scored[name], expected, atol=ROUNDING)


@pytest.mark.parametrize(("peak", "cutoff", "count"), [(2.5, 3, 14), (3.0, 6, 56), (6.0, 16, 398)])
def test_the_initial_velocity_is_the_sum_over_its_modes(peak, cutoff, count):
    settings = Settings(peak=peak, cutoff=cutoff)
    assert len(initial_modes(peak, cutoff).amplitudes) == count
    x, y = np.random.default_rng(1).uniform(-1, 2, (2, 200))
    expected = oracle.initial_velocity(x, y, peak, cutoff)
    np.testing.assert_allclose(initial_velocity(jnp.asarray(x), jnp.asarray(y), settings), expected, atol=IDENTITY)
    single = initial_velocity(jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32), settings)
    assert {values.dtype for values in single} == {jnp.dtype(jnp.float32)}
    # Places are rounded by 1e-7, at slopes of up to 2π · 16 · 3
    np.testing.assert_allclose(single, expected, atol=2e-4)


def test_the_initial_velocity_has_unit_mean_square_and_no_divergence():
    settings, count = Settings(), 40
    x, y = (jnp.asarray(k.ravel() / count) for k in np.mgrid[0:count, 0:count])
    u, v = initial_velocity(x, y, settings)
    assert float(jnp.mean(u**2 + v**2)) == pytest.approx(1, abs=IDENTITY)
    assert max(abs(float(jnp.mean(u))), abs(float(jnp.mean(v)))) < ROUNDING

    def flow(params, z):
        return stacked(*initial_velocity(z[:, 1], z[:, 2], settings), z[:, 0])

    found = residuals(flow, settings, points(settings=settings))
    for name in ("u_ic", "v_ic", "rc"):
        np.testing.assert_allclose(found[name], 0, atol=IDENTITY * 100)  # slopes of 300
    with pytest.raises(ValueError, match="read-only"):
        initial_modes(6.0, 16).amplitudes[0] = 1.0


def test_a_small_peak_underflows_nowhere():
    found = initial_modes(0.05, 3)
    assert np.all(np.isfinite(found.amplitudes))
    speeds = 2 * np.pi * np.hypot(found.kx, found.ky) * found.amplitudes
    np.testing.assert_allclose(speeds[np.hypot(found.kx, found.ky) == 1], 1, atol=IDENTITY)


def test_initial_residuals_use_the_values_given_at_the_points():
    """From the second window on these columns hold what the network before it predicts."""
    z = points()
    x, y = np.asarray(z["ic"][:, 1:3]).T
    zero = residuals(lambda params, y: jnp.zeros((len(y), 3)), z=z)
    u, v = oracle.initial_velocity(x, y, SMALL.peak, SMALL.cutoff)
    np.testing.assert_allclose(zero["u_ic"], -u, atol=IDENTITY)
    np.testing.assert_allclose(zero["v_ic"], -v, atol=IDENTITY)
    changed = z | {"ic": z["ic"].at[:, 3].set(7).at[:, 4].set(jnp.arange(6.0))}
    found = residuals(lambda params, y: stacked(1 + y[:, 1], 2 + y[:, 2], y[:, 0]), z=changed)
    np.testing.assert_allclose(found["u_ic"], x - 6, atol=ROUNDING)
    np.testing.assert_allclose(found["v_ic"], y + 2 - np.arange(6), atol=ROUNDING)


@pytest.mark.slow
def test_the_reference_has_small_residuals():
    """The spectral solution as a function: its own series in space, a polynomial of degree 8 through 9 times."""
    smoke, modes, last = Settings(viscosity=1e-2, peak=2.5, cutoff=3, horizon=0.1), 48, 0.02
    plane, t = Plane(modes, modes, BOX), np.linspace(0, last, 9)
    kx, ky = plane.wavenumbers
    w = vorticity(t, smoke, modes, 1.25e-3)
    u, v = velocity(w, plane)
    uu, uv, vv = np.moveaxis(
        [plane.pointwise(lambda u, v: (u * u, u * v, v * v), *pair) for pair in zip(u, v, strict=True)], 1, 0
    )
    squares = kx**2 + ky**2
    squares[0, 0] = np.inf
    p = -(kx**2 * uu + 2 * kx * ky * uv + ky**2 * vv) / squares  # ∆p = -∂_i ∂_j (u_i u_j)
    series = np.stack([u, v, p], axis=1) * np.where(ky == 0, 1, 2)
    powers = np.linalg.solve(np.vander(t / last, increasing=True), series.reshape(9, -1))
    powers = jnp.asarray(powers.reshape(9, *series.shape[1:]))

    def flow(params, z):
        at_time = jnp.einsum("nt,tfjk->nfjk", ((z[:, :1] / last) ** jnp.arange(9.0)).astype(complex), powers)
        angles = (z[:, axis, None] * k.ravel() for axis, k in ((1, kx), (2, ky)))
        waves = (jax.lax.complex(jnp.cos(angle), jnp.sin(angle)) for angle in angles)
        return jnp.einsum("nfjk,nj,nk->nf", at_time, *waves).real

    z = problem(smoke.model_copy(update={"horizon": last})).sample(jax.random.key(0), COUNTS, jnp.dtype("float64"))
    found = residuals_of(problem(smoke), flow, None, z)
    assert max(float(jnp.max(jnp.abs(found[name]))) for name in ("u_ic", "v_ic", "rc")) < 1e-11
    assert max(float(jnp.max(jnp.abs(found[name]))) for name in ("ru", "rv")) < 1e-7  # measured 2e-8: the polynomial


def test_the_places_of_the_initial_points_are_their_own():
    assert not bool(jnp.any(points()["ic"][:, 1:3] == points()["pde"][:6, 1:]))


def test_contract():
    flow = problem(Settings())
    assert (flow.name, flow.coordinates, flow.fields) == ("kolmogorov_flow", ("t", "x", "y"), ("u", "v", "p"))
    assert (flow.losses, flow.sets, flow.periodic) == (LOSSES, ("ic", "pde"), ("x", "y"))
    assert flow.domain == ((0.0, 1.0), (0.0, 1.0), (0.0, 1.0))
    assert flow.causal == ("ru", "rv", "rc")
    assert flow.point_sets == {"u_ic": "ic", "v_ic": "ic", "ru": "pde", "rv": "pde", "rc": "pde"}
    assert flow.given == {"ic": ("u", "v")}
    assert flow.has_windows
    assert list(residuals(manufactured)) == list(LOSSES)


def test_settings():
    chosen = Settings()
    assert (chosen.viscosity, chosen.forcing, chosen.horizon) == (1e-4, 2.0, 1.0)
    assert (chosen.peak, chosen.cutoff) == (6.0, 16)
    for wrong in ({"viscosity": 0.0}, {"forcing": -1.0}, {"cutoff": 0}, {"cutoff": 2.5}, {"horizon": 0.0}, {"kp": 3.0}):
        with pytest.raises(ValidationError):
            Settings(**wrong)
