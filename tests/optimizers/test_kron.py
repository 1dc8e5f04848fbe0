"""Kron against the NumPy oracle, and the effects of its fit, its bound and its noise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles.kron import Kron

from gradalign.optimizers.kron import Settings, kron_map, method, noise, refitted, scale_by_kron


def drawn(shape, count, seed=0):
    """Gradients with a drifting mean and correlated rows."""
    rng = np.random.default_rng(seed)
    mix = rng.normal(size=(shape[0], shape[0]))
    return [np.tensordot(mix, rng.normal(size=shape), 1) + k / 5 * rng.normal(size=shape) for k in range(count)]


def directions(settings, sequence):
    transformation = scale_by_kron(settings)
    state = transformation.init(jax.tree.map(jnp.zeros_like, jax.tree.map(jnp.asarray, sequence[0])))
    update, found = jax.jit(transformation.update), []
    for gradient in sequence:
        direction, state = update(jax.tree.map(jnp.asarray, gradient), state)
        found.append(jax.tree.map(np.asarray, direction))
    return found, state


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(5, 3), (3, 4), (4, 4)])
@pytest.mark.parametrize(("first_calls", "frequency"), [(500, 10), (0, 1), (2, 3)])
@pytest.mark.parametrize("longest", [1.1, 0.3])
def test_first_six_iterates_agree_with_the_oracle(shape, first_calls, frequency, longest):
    # Schedules use float32, which represents a power of two exactly
    settings = Settings(
        learning_rate=0.125, first_calls=first_calls, precondition_frequency=frequency, longest=longest, eps=0.01
    )
    chosen = method(settings, 1)
    params = jnp.ones(shape)
    state, expected = chosen.init(params), np.ones(shape)
    oracle = Kron(shape, 0.9, 0.1, 0.01, longest)
    for call, gradient in enumerate(drawn(shape, 6), 1):
        due = call <= first_calls or call % frequency == 0
        v = np.asarray(noise(state[0].key, jnp.asarray(call, jnp.int32), 0, shape, jnp.dtype("float64")))
        params, state, _ = chosen.step(None, params, state, None, jnp.asarray(gradient))
        expected = expected - 0.125 * oracle.direction(gradient, v if due else None)
        np.testing.assert_allclose(params, expected, rtol=0, atol=1e-10)


@pytest.mark.slow
def test_a_tensor_is_refitted_along_every_axis_as_one_matrix_is_along_two():
    """A (2, 3, 1, 4) tensor with identity factors, against the formula for each axis by einsum."""
    rng = np.random.default_rng(0)
    g, v = rng.normal(size=(2, 2, 3, 1, 4))
    factors = (jnp.eye(2), jnp.eye(3), jnp.ones(1), jnp.eye(4))
    found = refitted(jnp.asarray(g), jnp.asarray(v), factors, 0.1)
    product = np.einsum("ab,cd,e,fg->acefbdg", *map(np.asarray, found))
    expected = []
    for pattern in ("ijlk,mjlk->im", "ijlk,imlk->jm", "ijlk,ijmk->lm", "ijlk,ijlm->km"):
        large, small = (np.einsum(pattern, part, part) for part in (g, v))
        c = max((large + small).T, key=np.linalg.norm)
        norm = np.linalg.norm((large + small) @ c) / np.linalg.norm(c)
        expected.append(np.eye(len(large)) - 0.1 / norm * np.triu(large - small))
    expected[2] = np.diag(expected[2])
    np.testing.assert_allclose(product, np.einsum("ab,cd,e,fg->acefbdg", *expected), rtol=1e-12, atol=1e-14)


def test_correlated_gradients_are_whitened():
    """For G = L Z R with independent normal Z, the fit tends to the inverse roots of L L^T and R^T R."""
    rng = np.random.default_rng(3)
    left, right = (np.eye(d) + 0.5 * rng.normal(size=(d, d)) / np.sqrt(d) for d in (4, 3))
    keys = jax.random.split(jax.random.key(0), 20000)

    def step(factors, inputs):
        number, key = inputs
        z, v = jax.random.normal(key, (2, 4, 3))
        rate = 0.1 / (1 + number / 500)
        return refitted(left @ z @ right, v, factors, rate), None

    (q, p), _ = jax.lax.scan(step, (jnp.eye(4), jnp.eye(3)), (jnp.arange(20000.0), keys))
    q, p = q.T @ q, p.T @ p
    whole = np.kron(q @ left @ left.T @ q, p @ right.T @ right @ p)
    np.testing.assert_allclose(whole, np.eye(12), atol=0.1)


def test_factors_stay_upper_triangular():
    _, state = directions(Settings(learning_rate=1.0), drawn((4, 3), 30))
    for factor in state.factors[0]:
        np.testing.assert_array_equal(factor, np.triu(factor))
        assert np.all(np.diag(factor) > 0)


def test_vectors_scalars_and_long_axes_have_a_diagonal():
    shapes = {"long": (3, 9), "scalar": (), "vector": (6,)}
    rng = np.random.default_rng(0)
    sequence = [{name: rng.normal(size=shape) for name, shape in shapes.items()} for _ in range(5)]
    found, state = directions(Settings(learning_rate=1.0, max_precondition_dimension=8), sequence)
    assert [[factor.shape for factor in leaf] for leaf in state.factors] == [[(3, 3), (9,)], [(1,)], [(6,)]]
    assert {name: value.shape for name, value in found[-1].items()} == shapes
    assert all(np.all(np.isfinite(value)) for value in found[-1].values())


def test_steps_do_not_depend_on_the_scale_of_the_loss():
    sequence = drawn((4, 3), 8)
    settings = Settings(learning_rate=1.0, eps=1e-12)
    found, _ = directions(settings, sequence)
    scaled, _ = directions(settings, [2.0**10 * gradient for gradient in sequence])
    np.testing.assert_allclose(scaled, found, rtol=1e-7)


def test_the_linear_map_takes_the_momentum_to_the_direction():
    sequence = drawn((4, 3), 6)
    settings = Settings(learning_rate=1.0, longest=0.5)
    found, state = directions(settings, sequence)
    assert np.sqrt(np.mean(found[-1] ** 2)) == pytest.approx(0.5)
    np.testing.assert_allclose(kron_map(state, state.mean / (1 - 0.9**6), settings), found[-1], rtol=1e-6)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_a_gradient_of_zero_stays_finite_for_ever(dtype):
    """Without noise, the factors would grow by a tenth per call and overflow float32 after a thousand calls."""
    transformation = scale_by_kron(Settings(learning_rate=1.0, first_calls=10**6))
    state = transformation.init(jnp.zeros((3, 2), dtype))
    state = jax.lax.fori_loop(0, 3000, lambda _, s: transformation.update(jnp.zeros((3, 2), dtype), s)[1], state)
    assert all(np.all(np.isfinite(factor)) for factor in state.factors[0])
    direction = kron_map(state, jnp.ones((3, 2), dtype), Settings(learning_rate=1.0))
    assert direction.dtype == dtype
    assert np.all(np.isfinite(direction))
