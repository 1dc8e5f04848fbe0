"""Residuals of Burgers' equation on exact solutions, with signs, conditions and points."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pydantic import ValidationError

from gradalign.problems.burgers import Settings, initial_condition, problem
from gradalign.training.model import residuals_of

NU = 0.1
COUNTS = {"ic": 6, "bc": 7, "pde": 32}


def front(speed, height):
    """An exact solution: u = c - a tanh(a (x - c t) / (2ν)), which falls from c + a to c - a and moves at speed c."""

    def apply(params, z):
        return speed - height * jnp.tanh(params * height * (z[:, 1:] - speed * z[:, :1]) / (2 * NU))

    return apply


def points(dtype=jnp.float64, seed=0):
    return problem(Settings()).sample(jax.random.key(seed), COUNTS, jnp.dtype(dtype))


# Derivatives of the front reach a^3/(4 nu) = 16; float32 keeps seven digits of the terms that cancel.
@pytest.mark.parametrize(("dtype", "tolerance"), [(jnp.float64, 1e-12), (jnp.float32, 2e-4)])
def test_moving_front_solves_the_equation(dtype, tolerance):
    one = jnp.ones((), dtype)
    burgers = problem(Settings(viscosity=NU))
    residuals = jax.jit(lambda z: residuals_of(burgers, front(0.3, 0.8), one, z))(points(dtype))
    assert residuals["pde"].dtype == dtype
    np.testing.assert_allclose(residuals["pde"], 0, atol=tolerance)


def test_signs_of_every_term():
    """What is left of the residual on an exact solution names the term that was changed."""
    one, z = jnp.ones(()), points()
    t, x = np.asarray(z["pde"]).T
    c, a = 0.3, 0.8
    level = np.tanh(a * (x - c * t) / (2 * NU))
    u, slope = c - a * level, -(a**2) / (2 * NU) * (1 - level**2)
    curvature = a**3 / (2 * NU**2) * level * (1 - level**2)
    burgers = problem(Settings(viscosity=NU))
    negated = residuals_of(burgers, lambda params, y: -front(c, a)(params, y), one, z)["pde"]
    np.testing.assert_allclose(negated, 2 * u * slope, atol=1e-12)  # u -> -u turns the nonlinear term alone
    thicker = residuals_of(problem(Settings(viscosity=2 * NU)), front(c, a), one, z)["pde"]
    np.testing.assert_allclose(thicker, -NU * curvature, atol=1e-12)
    frozen = residuals_of(burgers, lambda params, y: front(c, a)(params, y.at[:, 0].set(0)), one, z)
    level = np.tanh(a * x / (2 * NU))
    np.testing.assert_allclose(frozen["pde"], -c * a**2 / (2 * NU) * (1 - level**2), atol=1e-12)  # ∂u/∂t is missing


def test_conditions():
    burgers, z = problem(Settings()), points()
    exact = residuals_of(burgers, lambda params, y: initial_condition(y[:, 1:]), None, z)
    np.testing.assert_allclose(exact["ic"], 0, atol=1e-15)
    np.testing.assert_allclose(exact["bc"], 0, atol=1e-15)  # sin(π) is 1e-16
    zero = residuals_of(burgers, lambda params, y: 0 * y[:, 1:], None, z)
    np.testing.assert_allclose(zero["ic"], np.sin(np.pi * np.asarray(z["ic"][:, 1])), atol=1e-15)
    ends = residuals_of(burgers, lambda params, y: y[:, 1:], None, z)["bc"]
    assert ends.tolist() == [-1, 1, -1, 1, -1, 1, -1]


def test_boundary_points_lie_at_both_ends():
    assert set(points()["bc"][:, 1].tolist()) == {-1.0, 1.0}


def test_contract():
    burgers = problem(Settings())
    assert burgers.name == "burgers"
    assert (burgers.coordinates, burgers.fields, burgers.losses) == (("t", "x"), ("u",), ("ic", "bc", "pde"))
    assert burgers.domain == ((0.0, 1.0), (-1.0, 1.0))
    assert set(burgers.causal) <= set(burgers.losses)
    assert list(residuals_of(burgers, lambda params, y: y[:, 1:], None, points())) == list(burgers.losses)


def test_viscosity():
    assert Settings().viscosity == 0.01 / math.pi
    for wrong in ({"viscosity": 0.0}, {"viscosity": -1.0}, {"viscosity": "small"}, {"nu": 0.1}):
        with pytest.raises(ValidationError):
            Settings(**wrong)
