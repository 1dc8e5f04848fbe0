"""Residuals of Burgers' equation on exact solutions, with signs, conditions and points."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pydantic import ValidationError

from gradalign import networks
from gradalign.objective import Objective
from gradalign.problems.burgers import DOMAIN, Settings, initial_condition, problem
from gradalign.settings import NetworkSettings
from gradalign.weighting import causal_row_weights

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
    residuals = jax.jit(lambda z: burgers.residuals(front(0.3, 0.8), one, z))(points(dtype))
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
    negated = burgers.residuals(lambda params, y: -front(c, a)(params, y), one, z)["pde"]
    np.testing.assert_allclose(negated, 2 * u * slope, atol=1e-12)  # u -> -u turns the nonlinear term alone
    thicker = problem(Settings(viscosity=2 * NU)).residuals(front(c, a), one, z)["pde"]
    np.testing.assert_allclose(thicker, -NU * curvature, atol=1e-12)
    frozen = burgers.residuals(lambda params, y: front(c, a)(params, y.at[:, 0].set(0)), one, z)
    level = np.tanh(a * x / (2 * NU))
    np.testing.assert_allclose(frozen["pde"], -c * a**2 / (2 * NU) * (1 - level**2), atol=1e-12)  # ∂u/∂t is missing


def test_conditions():
    burgers, z = problem(Settings()), points()
    exact = burgers.residuals(lambda params, y: initial_condition(y[:, 1:]), None, z)
    np.testing.assert_allclose(exact["ic"], 0, atol=1e-15)
    np.testing.assert_allclose(exact["bc"], 0, atol=1e-15)  # sin(π) is 1e-16
    zero = burgers.residuals(lambda params, y: 0 * y[:, 1:], None, z)
    np.testing.assert_allclose(zero["ic"], np.sin(np.pi * np.asarray(z["ic"][:, 1])), atol=1e-15)
    ends = burgers.residuals(lambda params, y: y[:, 1:], None, z)["bc"]
    assert ends.tolist() == [-1, 1, -1, 1, -1, 1, -1]


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_points_lie_where_they_belong(dtype):
    burgers = problem(Settings())
    drawn = jax.jit(lambda key: burgers.sample(key, COUNTS, jnp.dtype(dtype)))(jax.random.key(3))
    columns = {"ic": 3, "bc": 2, "pde": 2}  # the initial value is given behind the coordinates
    assert {name: value.shape for name, value in drawn.items()} == {n: (COUNTS[n], columns[n]) for n in COUNTS}
    assert {value.dtype for value in drawn.values()} == {jnp.dtype(dtype)}
    for value in drawn.values():
        for column, (low, high) in zip(value.T, DOMAIN, strict=False):
            assert bool(jnp.all((column >= low) & (column <= high)))
    assert bool(jnp.all(drawn["ic"][:, 0] == 0))
    assert set(drawn["bc"][:, 1].tolist()) == {-1.0, 1.0}
    assert bool(jnp.all(jnp.diff(drawn["pde"][:, 0]) > 0))
    assert not bool(jnp.any(drawn["pde"] == burgers.sample(jax.random.key(4), COUNTS, jnp.dtype(dtype))["pde"]))


def test_contract():
    burgers = problem(Settings())
    assert burgers.name == "burgers"
    assert (burgers.coordinates, burgers.fields, burgers.losses) == (("t", "x"), ("u",), ("ic", "bc", "pde"))
    assert burgers.domain == ((0.0, 1.0), (-1.0, 1.0))
    assert set(burgers.causal) <= set(burgers.losses)
    assert list(burgers.residuals(lambda params, y: y[:, 1:], None, points())) == list(burgers.losses)


def test_float32_stays_float32_with_a_network():
    burgers = problem(Settings())
    chosen = NetworkSettings(architecture="mlp", width=4, depth=2, activation="tanh")
    network = networks.build(chosen, burgers, jnp.dtype(jnp.float32))
    objective = Objective(
        {name: jnp.ones((), jnp.float32) for name in burgers.losses},
        lambda params, z: burgers.residuals(network.apply, params, z),
        lambda residuals: causal_row_weights(residuals, 1.0, 8, burgers.causal),
    )
    params = jax.eval_shape(network.init, jax.random.key(0))
    found = jax.eval_shape(jax.grad(objective.loss), params, points(jnp.float32))
    assert {leaf.dtype for leaf in jax.tree.leaves(found)} == {jnp.dtype(jnp.float32)}


def test_viscosity():
    assert Settings().viscosity == 0.01 / math.pi
    for wrong in ({"viscosity": 0.0}, {"viscosity": -1.0}, {"viscosity": "small"}, {"nu": 0.1}):
        with pytest.raises(ValidationError):
            Settings(**wrong)
