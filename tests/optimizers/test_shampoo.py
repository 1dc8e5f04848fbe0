"""Shampoo against the NumPy oracle, and the effects of its roots, its damping and its grafting."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles.shampoo import Shampoo, power
from oracles.soap import Adam

from gradalign.optimizers.shampoo import Settings, inverse_root, method, scale_by_shampoo, shampoo_map


def drawn(shape, count, seed=0):
    """Gradients with a drifting mean and correlated rows."""
    rng = np.random.default_rng(seed)
    mix = rng.normal(size=(shape[0], shape[0]))
    return [np.tensordot(mix, rng.normal(size=shape), 1) + k / 5 * rng.normal(size=shape) for k in range(count)]


def directions(settings, sequence):
    transformation = scale_by_shampoo(settings)
    state = transformation.init(jax.tree.map(jnp.zeros_like, jax.tree.map(jnp.asarray, sequence[0])))
    found = []
    for gradient in sequence:
        direction, state = transformation.update(jax.tree.map(jnp.asarray, gradient), state)
        found.append(jax.tree.map(np.asarray, direction))
    return found, state


@pytest.mark.parametrize("shape", [(5, 3), (3, 4), (4, 4)])
@pytest.mark.parametrize(("exponent", "grafting"), list(itertools.product([None, 0.5], [True, False])))
@pytest.mark.parametrize(("b2", "frequency"), [(0.95, 1), (0.95, 2), (1.0, 1)])
def test_first_five_iterates_agree_with_the_oracle(shape, exponent, grafting, b2, frequency):
    sequence = drawn(shape, 5)
    # Schedules use float32, which represents a power of two exactly
    settings = Settings(
        learning_rate=0.125, b2=b2, exponent=exponent, eps=1e-4, precondition_frequency=frequency, grafting=grafting
    )
    chosen = method(settings, 1)
    params = jnp.ones(shape)
    state, expected = chosen.init(params), np.ones(shape)
    oracle = Shampoo(shape, 0.9, b2, exponent or 0.25, 1e-4, frequency, grafting)
    for gradient in sequence:
        params, state, _ = chosen.step(None, params, state, None, jnp.asarray(gradient))
        expected = expected - 0.125 * oracle.direction(gradient)
        np.testing.assert_allclose(params, expected, rtol=0, atol=1e-10)


def test_one_gradient_direction_gives_the_polar_factor():
    gradient = drawn((4, 4), 1)[0]
    left, _, right = np.linalg.svd(gradient)
    found, _ = directions(Settings(learning_rate=1.0, eps=1e-13, grafting=False), [gradient] * 3)
    np.testing.assert_allclose(found[-1], left @ right, rtol=0, atol=1e-8)


def test_tensors_have_a_root_along_every_axis_of_some_length():
    sequence = drawn((2, 3, 1, 4), 3)
    settings = Settings(learning_rate=1.0, b1=0.0, b2=1.0, eps=1e-4, precondition_frequency=1, grafting=False)
    found, _ = directions(settings, sequence)
    a, b, c = (
        power(sum(np.einsum(pattern, g, g) for g in sequence), 1 / 6, 1e-4)
        for pattern in ("ijlk,mjlk->im", "ijlk,imlk->jm", "ijlk,ijlm->km")
    )
    expected = np.einsum("ijlk,ia,jb,kc->ablc", sequence[-1], a, b, c)
    np.testing.assert_allclose(found[-1], expected, rtol=0, atol=1e-10)


def test_vectors_scalars_and_long_axes_get_adam():
    shapes = {"scalar": (), "vector": (6,), "long": (1, 9)}
    rng = np.random.default_rng(0)
    sequence = [{name: rng.normal(size=shape) for name, shape in shapes.items()} for _ in range(5)]
    found, _ = directions(Settings(learning_rate=1.0, max_precondition_dimension=8), sequence)
    oracles = {name: Adam(shape, 0.9, 0.95, 1e-8) for name, shape in shapes.items()}
    for direction, gradient in zip(found, sequence, strict=True):
        for name, oracle in oracles.items():
            np.testing.assert_allclose(direction[name], oracle.direction(gradient[name]), rtol=0, atol=1e-12)


def test_a_vector_with_a_factor_gets_adagrad_with_a_full_matrix():
    sequence = drawn((3,), 4)
    settings = Settings(
        learning_rate=1.0, b1=0.0, b2=1.0, eps=1e-4, precondition_frequency=1, precondition_1d=True, grafting=False
    )
    found, _ = directions(settings, sequence)
    root = power(sum(np.outer(g, g) for g in sequence), 0.5, 1e-4)
    np.testing.assert_allclose(found[-1], root @ sequence[-1], rtol=0, atol=1e-10)


def test_an_axis_that_is_too_long_is_left_alone():
    state = scale_by_shampoo(Settings(learning_rate=1.0, max_precondition_dimension=3)).init(jnp.zeros((5, 3)))
    assert state.factors[0][0] is None
    assert state.factors[0][1].shape == (3, 3)
    sequence = drawn((5, 3), 1)
    settings = Settings(learning_rate=1.0, max_precondition_dimension=3, eps=1e-4, grafting=False)
    expected = sequence[0] @ power(sequence[0].T @ sequence[0], 0.5, 1e-4)  # one axis: 1 / 2
    np.testing.assert_allclose(directions(settings, sequence)[0][0], expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("grafting", [True, False])
def test_steps_do_not_depend_on_the_scale_of_the_loss(grafting):
    sequence = drawn((4, 3), 5)
    settings = Settings(learning_rate=1.0, precondition_frequency=2, grafting=grafting)
    found, _ = directions(settings, sequence)
    scaled, _ = directions(settings, [2.0**10 * gradient for gradient in sequence])
    np.testing.assert_allclose(scaled, found, rtol=1e-7)  # eps = 1e-8 beside the root in Adam


def test_the_linear_map_takes_the_first_moment_to_the_direction():
    sequence = drawn((4, 3), 5)
    settings = Settings(learning_rate=1.0)
    found, state = directions(settings, sequence)
    moment = state.first_moment / (1 - 0.9**5)
    np.testing.assert_allclose(shampoo_map(state, moment, settings), found[-1], rtol=1e-12)


def test_grafting_gives_the_length_of_adam():
    sequence = drawn((4, 3), 5)
    found, _ = directions(Settings(learning_rate=1.0), sequence)
    oracle = Adam((4, 3), 0.9, 0.95, 1e-8)
    for direction, gradient in zip(found, sequence, strict=True):
        assert np.linalg.norm(direction) == pytest.approx(np.linalg.norm(oracle.direction(gradient)), rel=1e-12)


def test_a_gradient_of_zero_leaves_the_identity():
    _, state = directions(Settings(learning_rate=1.0), [np.zeros((3, 2))])
    for root in state.roots[0]:
        np.testing.assert_array_equal(root, np.eye(len(root)))
    assert np.all(np.isfinite(shampoo_map(state, jnp.ones((3, 2)), Settings(learning_rate=1.0))))


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_the_root_of_a_singular_factor_is_finite(dtype):
    column = jnp.asarray([[3.0], [4.0]], dtype)
    root = inverse_root(column @ column.T, 0.5, 1e-6)
    assert root.dtype == dtype
    np.testing.assert_allclose(np.linalg.eigvalsh(root), [0.2, 200.0], rtol=1e-6 if dtype == jnp.float64 else 0.2)
