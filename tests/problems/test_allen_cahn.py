"""Residuals of the Allen-Cahn equation on exact solutions, with both initial and both boundary conditions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import allen_cahn as oracle
from pydantic import ValidationError
from tolerances import IDENTITY

from gradalign.base.errors import ConfigurationError
from gradalign.problems._start import FORMULATION
from gradalign.problems.allen_cahn import Settings, band_limited_coefficients, initial_condition, problem
from gradalign.training.model import residuals_of

DIFFUSION, REACTION = 0.05, 2.0
COUNTS = {"ic": 6, "bc": 7, "pde": 32}
KINDS = ("kinked", "band_limited")


def posed(boundary="penalised", kind="kinked", **coefficients):
    return problem(Settings(initial_condition=kind, boundary=boundary, **coefficients))


def points(boundary="penalised", dtype=jnp.float64, seed=0, kind="kinked"):
    return posed(boundary, kind).sample(jax.random.key(seed), COUNTS, jnp.dtype(dtype))


def front(params, z):
    """The moving layer of the oracle, as a network would give it."""
    steepness = (REACTION / (2 * DIFFUSION)) ** 0.5
    speed = 3 * (REACTION * DIFFUSION / 2) ** 0.5
    return params * jax.nn.sigmoid(steepness * (z[:, 1:] + speed * z[:, :1]))


# Derivatives of the layer reach k² = 20; float32 keeps seven digits of the terms that cancel.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("dtype", "tolerance", "boundary"), [(jnp.float64, IDENTITY, "embedded"), (jnp.float32, 1e-5, "penalised")]
)
def test_moving_layer_solves_the_equation(dtype, tolerance, boundary):
    one = jnp.ones((), dtype)
    allen_cahn = posed(boundary, diffusion=DIFFUSION, reaction=REACTION)
    residuals = jax.jit(lambda z: residuals_of(allen_cahn, front, one, z))(points(boundary, dtype))
    assert residuals["pde"].dtype == dtype
    np.testing.assert_allclose(residuals["pde"], 0, atol=tolerance)


@pytest.mark.slow
def test_signs_of_every_term():
    """What is left of the residual on an exact solution names the term that was changed."""
    one, z = jnp.ones(()), points()
    t, x = np.asarray(z["pde"]).T
    u = oracle.front(t, x, DIFFUSION, REACTION)
    k = np.sqrt(REACTION / (2 * DIFFUSION))
    curvature = k**2 * u * (1 - u) * (1 - 2 * u)

    def left(apply, **changed):
        allen_cahn = posed(**({"diffusion": DIFFUSION, "reaction": REACTION} | changed))
        return residuals_of(allen_cahn, apply, one, z)["pde"]

    np.testing.assert_allclose(left(front, diffusion=2 * DIFFUSION), -DIFFUSION * curvature, atol=IDENTITY)
    np.testing.assert_allclose(left(front, reaction=2 * REACTION), -REACTION * (u - u**3), atol=IDENTITY)
    doubled = left(lambda params, y: front(2 * params, y))
    np.testing.assert_allclose(doubled, REACTION * (8 - 2) * u**3, atol=1e-11)  # linear terms double, u³ does not
    frozen = left(lambda params, y: front(params, y.at[:, 0].set(0)))
    u = oracle.front(0, x, DIFFUSION, REACTION)
    speed = 3 * np.sqrt(REACTION * DIFFUSION / 2)
    np.testing.assert_allclose(frozen, -speed * k * u * (1 - u), atol=IDENTITY)  # ∂u/∂t is missing


@pytest.mark.parametrize("level", [-1.0, 0.0, 1.0])
def test_the_three_constant_solutions(level):
    found = residuals_of(posed(), lambda params, y: 0 * y[:, 1:] + level, None, points())
    np.testing.assert_allclose(found["pde"], 0, atol=0)
    np.testing.assert_allclose(found["bc"], 0, atol=0)


def test_both_initial_conditions_are_those_of_the_oracle():
    x = np.linspace(-1, 1, 301)
    np.testing.assert_allclose(initial_condition(jnp.asarray(x), "kinked"), oracle.kinked(x), atol=IDENTITY)
    found = initial_condition(jnp.asarray(x), "band_limited")
    np.testing.assert_allclose(found, oracle.band_limited(x), atol=IDENTITY)
    assert 5e-4 < np.max(np.abs(found - oracle.kinked(x))) < 2e-3  # at the ends: two different problems
    assert band_limited_coefficients().shape == (256,)
    with pytest.raises(ValueError, match="read-only"):
        band_limited_coefficients()[0] = 1.0


def test_the_band_limited_condition_keeps_float32():
    x = jnp.linspace(-1, 1, 401, dtype=jnp.float32)
    found = initial_condition(x, "band_limited")
    assert found.dtype == jnp.float32
    # The largest angle, 255π, is rounded by 5e-5, at coefficients that fall as 1/k²
    np.testing.assert_allclose(found, oracle.band_limited(np.asarray(x, float)), atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_initial_residual_uses_the_chosen_condition(kind):
    z = points(kind=kind)
    x = np.asarray(z["ic"][:, 1])
    zero = residuals_of(posed(kind=kind), lambda params, y: 0 * y[:, 1:], None, z)
    np.testing.assert_allclose(zero["ic"], -getattr(oracle, kind)(x), atol=IDENTITY)


def test_penalised_ends_compare_values_and_slopes_at_the_same_time():
    z = points()
    t, x = np.asarray(z["bc"]).T
    assert x.tolist() == [-1, 1, -1, 1, -1, 1, -1]
    # u = t (x + x²): u(t, 1) - u(t, -1) = 2t, and the slopes 3t and -t differ by 4t
    gaps = residuals_of(posed(), lambda params, y: y[:, :1] * (y[:, 1:] + y[:, 1:] ** 2), None, z)["bc"]
    np.testing.assert_allclose(gaps, np.where(x < 0, 2 * t, 4 * t), atol=IDENTITY)
    # A periodic function has neither gap
    wave = residuals_of(posed(), lambda params, y: jnp.sin(3 * jnp.pi * y[:, 1:] + y[:, :1]), None, z)["bc"]
    np.testing.assert_allclose(wave, 0, atol=1e-12)


@pytest.mark.parametrize(
    ("boundary", "losses", "periodic"), [("embedded", ("ic", "pde"), ("x",)), ("penalised", ("ic", "bc", "pde"), ())]
)
def test_contract(boundary, losses, periodic):
    allen_cahn = posed(boundary)
    assert (allen_cahn.name, allen_cahn.coordinates, allen_cahn.fields) == ("allen_cahn", ("t", "x"), ("u",))
    assert (allen_cahn.losses, allen_cahn.periodic, allen_cahn.domain) == (losses, periodic, ((0.0, 1.0), (-1.0, 1.0)))
    assert allen_cahn.causal == ("pde",)
    assert allen_cahn.formulation == ("boundary", *FORMULATION)
    assert list(residuals_of(allen_cahn, lambda params, y: y[:, 1:], None, points(boundary))) == list(losses)


def test_settings():
    chosen = Settings(initial_condition="kinked")
    assert (chosen.boundary, chosen.diffusion, chosen.reaction) == ("embedded", 1e-4, 5.0)
    for wrong in ({}, {"initial_condition": "smooth"}, {"initial_condition": "kinked", "boundary": "periodic"}):
        with pytest.raises(ValidationError):
            Settings(**wrong)
    for wrong in ({"diffusion": 0.0}, {"reaction": -1.0}, {"viscosity": 0.1}):
        with pytest.raises(ValidationError):
            Settings(initial_condition="kinked", **wrong)


@pytest.mark.parametrize(
    "wrong", [{"initial_condition": "kinked", "start_harmonics": 255}, {"initial_condition": "band_limited"}]
)
def test_an_interpolant_that_would_be_another_initial_condition_is_refused(wrong):
    with pytest.raises(ConfigurationError, match="allowed: 'band_limited' and at least 255"):
        problem(Settings(start="exact", **wrong))
