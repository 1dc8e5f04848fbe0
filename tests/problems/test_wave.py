"""Residuals of the wave equation on its solution and on a product, with both ways to impose the ends."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import wave as oracle
from pydantic import ValidationError
from tolerances import IDENTITY, ROUNDING

from gradalign.base.errors import ConfigurationError
from gradalign.networks import architectures
from gradalign.networks.settings import NetworkSettings
from gradalign.problems.wave import Settings, initial_condition, problem, solution
from gradalign.training.model import observed_of, residuals_of

COUNTS = {"ic": 6, "bc": 7, "pde": 32}
BOUNDARIES = ("penalised", "exact")


def posed(boundary="penalised", **coefficients):
    return problem(Settings(boundary=boundary, **coefficients))


def points(boundary="penalised", dtype=jnp.float64, seed=0):
    return posed(boundary).sample(jax.random.key(seed), COUNTS, jnp.dtype(dtype))


def exact(speed_squared=4.0):
    return lambda params, z: params * solution(z[:, :1], z[:, 1:], speed_squared)


def product(params, z):
    """The field of the oracle, as a network would give it."""
    return params * jnp.exp(0.7 * z[:, :1]) * jnp.cos(2 * z[:, 1:] + 0.3)


# Second derivatives reach 316; float32 keeps seven digits of the terms that cancel.
@pytest.mark.parametrize(("dtype", "tolerance"), [(jnp.float64, IDENTITY), (jnp.float32, 1e-3)])
@pytest.mark.parametrize("speed_squared", [4.0, 2.25])
def test_the_solution_makes_every_residual_vanish(dtype, tolerance, speed_squared):
    wave = posed(speed_squared=speed_squared)
    found = jax.jit(lambda z: residuals_of(wave, exact(speed_squared), jnp.ones((), dtype), z))(points(dtype=dtype))
    assert set(found) == {"u0", "ut0", "bc", "pde"}
    for name, residual in found.items():
        assert residual.dtype == dtype
        np.testing.assert_allclose(residual, 0, atol=tolerance if name in ("ut0", "pde") else tolerance / 100)


def test_the_quotient_makes_every_residual_of_the_exact_boundary_vanish():
    """The network that the exact boundary asks for is u / (4 x (1 - x))."""

    def quotient(params, z):
        return exact()(params, z) / (4 * z[:, 1:] * (1 - z[:, 1:]))

    z = points("exact")
    for residual in residuals_of(posed("exact"), quotient, jnp.ones(()), z).values():
        np.testing.assert_allclose(residual, 0, atol=1e-10)  # 1/x³ near the ends magnifies rounding
    observed = observed_of(posed("exact"), quotient, jnp.ones(()), z["pde"])
    np.testing.assert_allclose(observed[:, 0], solution(*z["pde"].T), atol=ROUNDING)


@pytest.mark.parametrize("speed_squared", [4.0, 0.5])
def test_residuals_of_a_product_are_those_derived_by_hand(speed_squared):
    for boundary, expected in (("penalised", oracle.residual), ("exact", oracle.residual_of_product)):
        z = points(boundary)
        found = residuals_of(posed(boundary, speed_squared=speed_squared), product, jnp.ones(()), z)
        np.testing.assert_allclose(found["pde"], expected(*np.asarray(z["pde"]).T, speed_squared), atol=IDENTITY)
        t, x = np.asarray(z["ic"]).T
        value, slope = oracle.network(t, x)[:2]
        factor = 4 * x * (1 - x) if boundary == "exact" else 1
        np.testing.assert_allclose(found["u0"], factor * value - oracle.initial(x), atol=IDENTITY)
        np.testing.assert_allclose(found["ut0"], factor * slope, atol=IDENTITY)
        if boundary == "penalised":
            np.testing.assert_allclose(found["bc"], oracle.network(*np.asarray(z["bc"]).T)[0], atol=IDENTITY)


def test_only_a_squared_speed_of_four_fits_the_stated_solution():
    """What c = 4 would leave over: -12 ∂²u/∂x² of the stated solution."""
    z = points()
    t, x = np.asarray(z["pde"]).T
    curvature = -(np.pi**2) * np.sin(np.pi * x) * np.cos(2 * np.pi * t)
    curvature -= 8 * np.pi**2 * np.sin(4 * np.pi * x) * np.cos(8 * np.pi * t)
    found = residuals_of(posed(speed_squared=16.0), exact(), jnp.ones(()), z)["pde"]
    np.testing.assert_allclose(found, -12 * curvature, atol=1e-10)


def test_the_solution_at_the_nodes_is_that_of_leapfrog():
    cells, steps = 40, 80  # one period of the slow wave
    t, x = np.meshgrid(np.arange(steps + 1) / (2 * cells), np.linspace(0, 1, cells + 1), indexing="ij")
    np.testing.assert_allclose(solution(jnp.asarray(t), jnp.asarray(x)), oracle.leapfrog(cells, steps), atol=IDENTITY)
    np.testing.assert_allclose(initial_condition(jnp.asarray(x[0])), oracle.initial(x[0]), atol=ROUNDING)


def test_boundary_points_lie_at_both_ends():
    assert points("penalised")["bc"][:, 1].tolist() == [0, 1, 0, 1, 0, 1, 0]


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_only_the_exact_boundary_makes_a_network_vanish_at_the_ends(boundary):
    wave = posed(boundary)
    chosen = NetworkSettings(architecture="mlp", width=4, depth=2, activation="tanh")
    network = architectures.build(chosen, wave, jnp.dtype(jnp.float32))
    params = network.init(jax.random.key(0))
    ends = observed_of(wave, network.apply, params, jnp.asarray([[0.3, 0.0], [0.7, 1.0]], jnp.float32))
    assert (jnp.max(jnp.abs(ends)) == 0) == (boundary == "exact")


@pytest.mark.parametrize(
    ("boundary", "terms", "sets"), [("penalised", 4, ("ic", "bc", "pde")), ("exact", 3, ("ic", "pde"))]
)
def test_contract(boundary, terms, sets):
    wave = posed(boundary)
    assert (wave.name, wave.coordinates, wave.fields, wave.observed) == ("wave", ("t", "x"), ("u",), ("u",))
    assert (len(wave.losses), wave.sets, wave.domain) == (terms, sets, ((0.0, 1.0), (0.0, 1.0)))
    assert (wave.causal, wave.periodic, wave.formulation) == (("pde",), (), ("boundary", "start"))
    assert wave.point_sets["u0"] == wave.point_sets["ut0"] == "ic"
    assert not wave.given
    assert list(residuals_of(wave, product, jnp.ones(()), points(boundary))) == list(wave.losses)


def test_the_wave_equation_has_one_window():
    assert not posed().has_windows
    for windows in (0, 2):
        with pytest.raises(ConfigurationError, match=rf"{windows} windows .* allowed: 1.* set windows to 1"):
            problem(Settings(), windows=windows)


def test_settings():
    assert (Settings().speed_squared, Settings().boundary) == (4.0, "penalised")
    for wrong in ({"speed_squared": 0.0}, {"boundary": "periodic"}, {"speed": 2.0}):
        with pytest.raises(ValidationError):
            Settings(**wrong)
