"""SPRING against the NumPy oracle and against damped Gauss-Newton steps, and the purpose of its momentum."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import spring as oracle

from gradalign.optimizers._objective import Objective
from gradalign.optimizers.spring import Settings, method, spring_direction

FREQUENCIES = jnp.arange(1.0, 13.0).reshape(3, 4) / 3
ONE = {"fit": jnp.ones(())}


def residuals(theta, points):
    x = points["fit"]
    return {"fit": jnp.sin(x @ FREQUENCIES) @ theta["waves"] + (x @ theta["product"]) ** 2 - 1}


def batches(rows, count=5):
    generator = np.random.default_rng(rows)
    return [generator.normal(size=(rows, 3)) for _ in range(count)]


def run(rows, longest_step=None, **settings):
    chosen = method(Settings(longest_step=longest_step, **settings), 5)
    theta = np.linspace(-1, 1, 7)
    params = {"product": jnp.asarray(theta[4:]), "waves": jnp.asarray(theta[:4])}
    state, visited = chosen.init(params), []
    step = jax.jit(chosen.step)
    for x in batches(rows):
        params, state, metrics = step(Objective(ONE, residuals), params, state, {"fit": jnp.asarray(x)})
        visited.append(np.concatenate([params["waves"], params["product"]]))
    return theta, visited, metrics


@pytest.mark.parametrize("momentum", [0.0, 0.9, 0.99])
@pytest.mark.parametrize("rows", [3, 7, 20])  # fewer than, as many as, and more than the 7 parameters
def test_five_iterates_are_those_of_the_oracle(momentum, rows):
    theta, visited, _ = run(rows, momentum=momentum, damping=1e-3, learning_rate=0.5, decay_rate=0.5, decay_steps=2)
    rates = 0.5 * 0.5 ** (np.arange(5) / 2)
    expected = oracle.iterates(theta, batches(rows), rates, momentum, 1e-3)
    np.testing.assert_allclose(visited, expected, rtol=0, atol=1e-10)


def test_steps_are_shortened_to_the_longest_allowed():
    theta, visited, metrics = run(3, damping=1e-3, longest_step=0.02)
    expected = oracle.iterates(theta, batches(3), np.full(5, 0.3), 0.9, 1e-3, longest=0.02)
    np.testing.assert_allclose(visited, expected, rtol=0, atol=1e-10)
    assert metrics["step_length"] * metrics["direction_norm"] <= 0.02 * (1 + 1e-12)


@pytest.mark.slow
@given(st.integers(0, 2**32 - 1), st.sampled_from([(7, 3), (3, 7), (4, 4)]), st.floats(1e-3, 10))
def test_without_momentum_it_is_the_damped_gauss_newton_step(seed, shape, damping):
    generator = np.random.default_rng(seed)
    J, r, previous = generator.normal(size=shape), generator.normal(size=shape[0]), generator.normal(size=shape[1])
    arguments = jnp.asarray(J), jnp.asarray(damping), jnp.asarray(r)
    found = spring_direction(*arguments, jnp.zeros(shape[1]))
    expected = -np.linalg.solve(J.T @ J + damping * np.eye(shape[1]), J.T @ r)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)
    found = spring_direction(*arguments, jnp.asarray(previous))
    np.testing.assert_allclose(found, oracle.direction(J, r, damping, previous), rtol=0, atol=1e-9)


def test_linear_map_is_the_damped_inverse():
    theta, (x,) = np.linspace(-1, 1, 7), batches(3, 1)
    chosen = method(Settings(damping=1e-2), 1)
    params = {"product": jnp.asarray(theta[4:]), "waves": jnp.asarray(theta[:4])}
    gradient = {"product": jnp.asarray([1.0, -2.0, 0.5]), "waves": jnp.asarray([0.0, 3.0, 1.0, 1.0])}
    points = {"fit": jnp.asarray(x)}
    found = chosen.precondition(Objective(ONE, residuals), params, chosen.init(params), points, gradient)
    J = oracle.model(theta, x)[1]
    expected = np.linalg.solve(J.T @ J + 1e-2 * np.eye(7), [0.0, 3.0, 1.0, 1.0, 1.0, -2.0, 0.5])
    np.testing.assert_allclose(np.concatenate([found["waves"], found["product"]]), expected, rtol=0, atol=1e-10)


def test_momentum_needs_fewer_batches_on_a_linear_problem():
    # One row at a time, in random order, of a consistent system with coherent rows: slow with Kaczmarz' method
    generator = np.random.default_rng(0)
    design = np.linspace(0, 1, 12)[:, None] ** np.arange(4)
    order = generator.integers(12, size=400)

    def error(momentum):
        chosen = method(Settings(momentum=momentum, damping=1e-6, learning_rate=0.5, longest_step=None), 1)
        objective = Objective(ONE, lambda theta, points: {"fit": points["fit"] @ theta})
        params = jnp.ones(4)
        state, step = chosen.init(params), jax.jit(chosen.step)
        for row in order:
            params, state, _ = step(objective, params, state, {"fit": jnp.asarray(design[row][None])})
        return float(jnp.linalg.norm(design @ params))

    assert error(0.9) < 0.5 * error(0.0)


def test_a_residual_that_is_not_finite_is_not_hidden():
    objective = Objective(ONE, lambda theta, points: {"fit": points["fit"] * theta})
    chosen = method(Settings(longest_step=None), 1)
    params, *_ = chosen.step(objective, jnp.ones(()), chosen.init(jnp.ones(())), {"fit": jnp.asarray([jnp.inf])})
    assert not jnp.isfinite(params)
