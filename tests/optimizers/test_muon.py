"""Muon against singular values in NumPy, and its preconditioner against its own steps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles.muon import Muon, orthogonalised
from oracles.soap import Adam

from gradalign.optimizers._objective import Objective
from gradalign.optimizers.muon import COEFFICIENTS, Settings, method, orthogonalising_factor

SHAPES = [(5, 3), (3, 5), (4, 4)]


def moved(settings, gradients):
    """Directions of the steps for gradients that do not depend on the parameters, and the final state."""
    chosen = method(Settings(learning_rate=1.0, **settings), 1)
    params = jax.tree.map(jnp.zeros_like, jax.tree.map(jnp.asarray, gradients[0]))
    state = chosen.init(params)
    directions = []
    for gradient in gradients:
        after, state, _ = chosen.step(None, params, state, None, jax.tree.map(jnp.asarray, gradient))
        directions.append(jax.tree.map(lambda new, old: np.asarray(old - new), after, params))
        params = after
    return directions, state


def drawn(shape, count, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape) for _ in range(count)]


def test_iterations_are_as_many_as_in_the_source():
    gradient = drawn((4, 3), 1)[0]
    found, _ = moved({}, [gradient])
    oracle = Muon((4, 3), 0.95, COEFFICIENTS["fast"], 5, 1e-8, True)
    np.testing.assert_allclose(found[0], oracle.direction(gradient), rtol=0, atol=1e-10)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize("steps", [5, 10])
def test_five_steps_agree_with_the_oracle(shape, nesterov, steps):
    gradients = drawn(shape, 5)
    found, _ = moved({"nesterov": nesterov, "newton_schulz_steps": steps}, gradients)
    oracle = Muon(shape, 0.95, COEFFICIENTS["fast"], steps, 1e-8, nesterov)
    for direction, gradient in zip(found, gradients, strict=True):
        np.testing.assert_allclose(direction, oracle.direction(gradient), rtol=0, atol=1e-10)


def test_the_update_is_the_polar_factor_where_the_iteration_converges():
    gradient = drawn((4, 4), 1)[0]
    left, _, right = np.linalg.svd(gradient)
    found, _ = moved({"newton_schulz": "convergent", "newton_schulz_steps": 25}, [gradient])
    np.testing.assert_allclose(found[0], left @ right, rtol=0, atol=1e-12)


def test_the_fast_iteration_brings_singular_values_near_one():
    gradient = drawn((6, 6), 1)[0]
    for steps in (5, 10):
        found, _ = moved({"newton_schulz_steps": steps}, [gradient])
        values = np.linalg.svd(found[0], compute_uv=False)
        assert np.all((values > 0.65) & (values < 1.25))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", COEFFICIENTS)
def test_the_factor_takes_a_matrix_to_what_the_iteration_makes_of_it(shape, kind):
    matrix = drawn(shape, 1)[0]
    factor = np.asarray(orthogonalising_factor(jnp.asarray(matrix), COEFFICIENTS[kind], 5, 1e-8))
    product = factor @ matrix if shape[0] <= shape[1] else matrix @ factor
    np.testing.assert_allclose(product, orthogonalised(matrix, COEFFICIENTS[kind], 5, 1e-8), rtol=0, atol=1e-12)
    np.testing.assert_allclose(factor, factor.T, atol=1e-12)


def test_the_converged_factor_is_the_inverse_root_of_the_gram_matrix():
    matrix = drawn((3, 5), 1)[0]
    factor = np.asarray(orthogonalising_factor(jnp.asarray(matrix), COEFFICIENTS["convergent"], 30, 0.0))
    np.testing.assert_allclose(factor @ factor @ matrix @ matrix.T, np.eye(3), rtol=0, atol=1e-10)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_linear_map_takes_the_momentum_to_the_direction(shape):
    gradients = drawn(shape, 3)
    found, state = moved({"nesterov": False, "b1": 0.8}, gradients)
    momentum = np.zeros(shape)
    for gradient in gradients:
        momentum = 0.8 * momentum + 0.2 * gradient
    chosen = method(Settings(learning_rate=1.0, b1=0.8), 1)
    mapped = chosen.precondition(None, None, state, None, jnp.asarray(momentum / (1 - 0.8**3)))
    np.testing.assert_allclose(mapped, found[-1], rtol=0, atol=1e-10)


def test_what_is_no_matrix_gets_adam_at_its_own_rate():
    gradients = [{"v": v, "s": np.asarray(s)} for v, s in zip(drawn(4, 5), drawn((), 5, seed=1), strict=True)]
    found, state = moved({"nesterov": False, "adam_learning_rate_ratio": 0.25}, gradients)
    for name in ("v", "s"):
        oracle = Adam(gradients[0][name].shape, 0.9, 0.999, 1e-8)
        for direction, gradient in zip(found, gradients, strict=True):
            np.testing.assert_allclose(direction[name], 0.25 * oracle.direction(gradient[name]), rtol=0, atol=1e-10)
        chosen = method(Settings(learning_rate=1.0, adam_learning_rate_ratio=0.25), 1)
        mapped = chosen.precondition(None, None, state, None, jax.tree.map(jnp.asarray, gradients[-1]))
        expected = 0.25 * gradients[-1][name] / (np.sqrt(oracle.v / (1 - 0.999**5)) + 1e-8)
        np.testing.assert_allclose(mapped[name], expected, rtol=1e-10)


def test_ten_iterations_reach_directions_that_five_leave_behind():
    # A fit in which one singular value of the gradient is 1e-4 of the others: five iterations multiply it by about 300
    scales = jnp.asarray([1.0, 1.0, 1e-2])[:, None]
    objective = Objective({"fit": jnp.ones(())}, lambda W, points: {"fit": (scales * (W - points["fit"])).ravel()})
    points = {"fit": jnp.eye(3) * 5}
    gained = {}
    for steps in (5, 10):
        chosen = method(Settings(learning_rate=0.1, newton_schulz_steps=steps), 1)
        params, state = jnp.zeros((3, 3)), chosen.init(jnp.zeros((3, 3)))
        step = jax.jit(chosen.step)
        for _ in range(20):
            params, state, _ = step(objective, params, state, points)
        gained[steps] = float(params[2, 2])
    assert gained[5] < 0.2
    assert gained[10] > 1.2  # 20 steps of 0.1 with singular values above 0.65
