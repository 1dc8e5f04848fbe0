"""SOAP and its variants against NumPy oracles, against Adam, and against the measured defect of the JAX port."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles.soap import Adam, Original, PortOf2024, Soap

from gradalign.base.errors import ConfigurationError
from gradalign.optimizers.soap import Settings, method, scale_by_soap, soap, whitening


@functools.cache
def refreshing_always(b2):
    transformation = scale_by_soap(0.9, b2, 1e-8, 1)
    return optax.GradientTransformation(transformation.init, jax.jit(transformation.update))


def gradients(shape, count, seed=0):
    """Gradients with a drifting mean and correlated rows, so that bases turn and eigenvalues change places."""
    rng = np.random.default_rng(seed)
    mix = rng.normal(size=(shape[0], shape[0]))
    return [mix @ rng.normal(size=shape) + k / 5 * rng.normal(size=shape) for k in range(count)]


def directions(transformation, sequence):
    state = transformation.init(jnp.zeros_like(jnp.asarray(sequence[0])))
    update = transformation.update if len(sequence) < 5 else jax.jit(transformation.update)
    found = []
    for gradient in sequence:
        direction, state = update(jnp.asarray(gradient), state)
        found.append(np.asarray(direction))
    return found, state


def assert_diagonalises(basis, factor):
    eigenvalues = np.linalg.eigvalsh(factor)[::-1]
    np.testing.assert_allclose(basis.T @ basis, np.eye(len(basis)), atol=1e-14 * len(basis))
    np.testing.assert_allclose(basis.T @ factor @ basis, np.diag(eigenvalues), atol=1e-13 * eigenvalues[0])


def network_gradient(params, step):
    """Gradient of ||tanh(X W + b) A + a - Y||^2 / 2 by hand, with points X and targets Y redrawn at every step."""
    W, b, A, a = params
    rng = np.random.default_rng(step)
    X, Y = rng.normal(size=(8, len(W))), rng.normal(size=(8, len(a)))
    hidden = np.tanh(X @ W + b)
    residual = hidden @ A + a - Y
    back = residual @ A.T * (1 - hidden**2)
    return [X.T @ back, np.sum(back, axis=0), hidden.T @ residual, np.sum(residual, axis=0)]


def start_of_network(sizes=(4, 3, 3)):
    """Short vectors: at a refresh after two calls their factors have rank two, which determines three eigenvectors."""
    rng = np.random.default_rng(7)
    return [rng.normal(size=shape) for shape in (sizes[:2], sizes[1:2], sizes[1:], sizes[2:])]


def trained(transformation, oracles, steps, rate, weight_decay=0.0):
    """Parameters after ``steps`` calls of the transformation, and those of the oracles, from the same initial bases.

    The oracles step by the rate and then shrink the parameters; their first call changes nothing.
    """
    params, own = start_of_network(), start_of_network()
    state = transformation.init([jnp.asarray(p) for p in params])
    update = jax.jit(transformation.update)
    for step in range(steps):
        updates, state = update([jnp.asarray(g) for g in network_gradient(params, step)], state, params)
        params = [p + np.asarray(u) for p, u in zip(params, updates, strict=True)]
        gradients_there = network_gradient(own, step)
        directions_there = [oracle.direction(g) for oracle, g in zip(oracles, gradients_there, strict=True)]
        own = [p - rate * d for p, d in zip(own, directions_there, strict=True)]
        if step:
            own = [(1 - rate * weight_decay) * p for p in own]
            continue
        for oracle, bases in zip(oracles, state[0].bases, strict=True):
            assert oracle.turns == (bases[0] is not None)
            if oracle.turns:
                oracle.Q = [np.asarray(basis) for basis in bases]
                for basis, factor in zip(oracle.Q, oracle.F, strict=True):
                    assert_diagonalises(basis, factor)
    return params, own


def oracle_directions(shape, b2, frequency, sequence):
    """Directions of the oracle, with the eigenvectors of the transformation's first call.

    After one gradient, the factor of the longer axis is singular, and the eigenvectors of its null space are arbitrary.
    The oracle adopts the basis, after a check that it diagonalises the factor.
    """
    transformation = refreshing_always(b2)
    _, state = transformation.update(jnp.asarray(sequence[0]), transformation.init(jnp.zeros(shape)))
    oracle = Soap(shape, 0.9, b2, 1e-8, frequency)
    first = oracle.direction(sequence[0])
    oracle.QL, oracle.QR = (np.asarray(basis) for basis in state.bases[0])
    for basis, factor in ((oracle.QL, oracle.L), (oracle.QR, oracle.R)):
        assert_diagonalises(basis, factor)
    return [first, *(oracle.direction(gradient) for gradient in sequence[1:])]


@pytest.mark.parametrize("shape", [(5, 3), (4, 4)])  # longer ones stay singular at the first refresh
@pytest.mark.parametrize("frequency", [1, 2, 10])
def test_agrees_with_the_oracle_for_twenty_steps(shape, frequency):
    sequence = gradients(shape, 21)
    found, _ = directions(scale_by_soap(0.9, 0.95, 1e-8, frequency), sequence)
    expected = oracle_directions(shape, 0.95, frequency, sequence)
    assert np.all(found[0] == 0)
    np.testing.assert_allclose(found[1], expected[1], rtol=0, atol=1e-10)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-8)


@pytest.mark.parametrize("vectors", [False, True])
@pytest.mark.parametrize("frequency", [1, 3, 10])
def test_original_agrees_with_the_oracle_of_its_conventions_for_fifty_steps(frequency, vectors):
    transformation = soap(
        3e-3, 0.9, 0.95, 1e-4, 0.1, frequency, precondition_1d=vectors, variant="soap-original"
    )  # eps and decay are large enough to affect every step
    oracles = [Original(p.shape, 0.9, 0.95, 1e-4, frequency, vectors) for p in start_of_network()]
    for ours, theirs in zip(*trained(transformation, oracles, 51, 3e-3, weight_decay=0.1), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("precondition_1d", [False, True])
@pytest.mark.parametrize("frequency", [1, 2, 3])
def test_port_of_2024_agrees_with_the_oracle_of_its_conventions_for_fifty_steps(frequency, precondition_1d):
    transformation = soap(
        3e-3, 0.9, 0.95, 1e-4, 0.0, frequency, precondition_1d=precondition_1d, variant="soap-jax-2024"
    )
    oracles = [PortOf2024(p.shape, 0.9, 0.95, 1e-4, frequency) for p in start_of_network()]
    for ours, theirs in zip(*trained(transformation, oracles, 51, 3e-3), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


@given(st.integers(0, 2**32 - 1))
def test_one_step_agrees_with_the_oracle(seed):
    sequence = gradients((4, 3), 2, seed)
    found, _ = directions(refreshing_always(0.99), sequence)
    expected = oracle_directions((4, 3), 0.99, 1, sequence)
    np.testing.assert_allclose(found[1], expected[1], rtol=0, atol=1e-10)


def test_port_of_2024_forgets_the_second_moment_between_refreshes():
    # Sums of V over its entries after calls 2, 3, 4, 5 and 9, measured with the historical port at f = 2 and b2 = 0.9,
    # beside the true sums. The sum does not depend on the basis, only on (1 - b2) ||G_k||^2. The true sums determine
    # calls 2 to 5. Both together determine only two combinations of calls 6 to 9, so calls 6 and 7 are chosen here.
    truth, port = {2: 0.501, 3: 1.448, 4: 2.080, 5: 2.450, 9: 3.440}, {2: 0.501, 3: 0.501, 4: 1.227, 5: 1.227, 9: 2.202}
    gained = {k: truth[k] - 0.9 * truth.get(k - 1, 0) for k in (2, 3, 4, 5)}
    gained |= {6: 0.6, 7: 0.5}
    gained[8] = port[9] - 0.9**2 * port[5] - 0.9 * gained[6]
    gained[9] = truth[9] - 0.9**4 * truth[5] - sum(0.9 ** (9 - k) * gained[k] for k in (6, 7, 8))
    rng = np.random.default_rng(3)
    sequence = [rng.normal(size=(4, 3)) for _ in range(9)]
    for k, gain in gained.items():
        sequence[k - 1] *= np.sqrt(10 * gain) / np.linalg.norm(sequence[k - 1])
    for variant, expected in (("soap", truth), ("soap-jax-2024", port)):
        transformation = scale_by_soap(0.9, 0.9, precondition_frequency=2, variant=variant)
        state = transformation.init(jnp.zeros((4, 3)))
        for k, gradient in enumerate(sequence, start=1):
            _, state = transformation.update(jnp.asarray(gradient), state)
            if k in expected:
                assert float(jnp.sum(state.second_moment)) == pytest.approx(
                    expected[k], abs=1e-3
                )  # measured to three decimals


def test_vectors_scalars_and_long_axes_get_adam():
    shapes = {"scalar": (), "vector": (6,), "long": (1, 9)}
    rng = np.random.default_rng(0)
    sequence = [{name: rng.normal(size=shape) for name, shape in shapes.items()} for _ in range(6)]
    transformation = scale_by_soap(0.9, 0.99, 1e-8, 2, max_precondition_dimension=8)
    state = transformation.init(jax.tree.map(jnp.zeros_like, jax.tree.map(jnp.asarray, sequence[0])))
    oracles = {name: Adam(shape, 0.9, 0.99, 1e-8) for name, shape in shapes.items()}
    for k, gradient in enumerate(sequence):
        direction, state = transformation.update(jax.tree.map(jnp.asarray, gradient), state)
        for name, oracle in oracles.items():
            expected = oracle.direction(gradient[name]) if k else np.zeros(shapes[name])
            np.testing.assert_allclose(direction[name], expected, atol=1e-12)


def test_one_sided_preconditions_the_shortest_axis_only():
    state = scale_by_soap(one_sided=True).init(jnp.zeros((5, 3)))
    assert state.bases[0][0] is None
    assert state.bases[0][1].shape == (3, 3)
    assert scale_by_soap(precondition_1d=True).init(jnp.zeros(4)).bases[0][0].shape == (4, 4)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_bases_stay_orthogonal(dtype):
    sequence = [gradient.astype(dtype) for gradient in gradients((8, 5), 60)]
    _, state = directions(scale_by_soap(precondition_frequency=1), sequence)
    for basis in state.bases[0]:
        departure = jnp.max(jnp.abs(basis.T @ basis - jnp.eye(basis.shape[0], dtype=dtype)))
        assert departure < 20 * jnp.finfo(dtype).eps  # one Householder QR: a small multiple of the rounding unit
        assert basis.dtype == dtype


def test_whitening_is_linear_and_gives_the_direction_without_momentum():
    sequence = gradients((4, 3), 5)
    transformation = scale_by_soap(0.0, 0.9, 1e-8, 100)
    state = transformation.init(jnp.zeros((4, 3)))
    for gradient in sequence:
        direction, state = transformation.update(jnp.asarray(gradient), state)
    np.testing.assert_allclose(whitening(state, jnp.asarray(sequence[-1]), 0.9, 1e-8), direction, atol=1e-12)
    one, other = (whitening(state, jnp.asarray(g), 0.9, 1e-8) for g in sequence[:2])
    both = whitening(state, jnp.asarray(2 * sequence[0] - sequence[1]), 0.9, 1e-8)
    np.testing.assert_allclose(both, 2 * one - other, atol=1e-12)


@pytest.mark.parametrize(("variant", "counted"), [("soap-original", 4), ("soap-jax-2024", 5)])
def test_the_linear_map_of_a_variant_has_its_conventions(variant, counted):
    rng = np.random.default_rng(4)
    (left, right), second, gradient = (
        [np.linalg.qr(rng.normal(size=(d, d)))[0] for d in (3, 2)],
        rng.uniform(size=(3, 2)),
        rng.normal(size=(3, 2)),
    )
    settings = Settings(learning_rate=1.0, b2=0.9, eps=0.1, variant=variant, precondition_1d=True)
    state = (
        scale_by_soap()
        .init(jnp.zeros((3, 2)))
        ._replace(
            calls=jnp.asarray(5, jnp.int32),
            second_moment=jnp.asarray(second),
            bases=((jnp.asarray(left), jnp.asarray(right)),),
        )
    )
    expected = left @ (left.T @ gradient @ right * np.sqrt(1 - 0.9**counted) / (np.sqrt(second) + 0.1)) @ right.T
    found = method(settings, 1).precondition(None, None, (state,), None, jnp.asarray(gradient))
    np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_one_gradient_direction_gives_the_polar_factor():
    # T31 (vi): SOAP is U V^T, whatever the singular values. eps hides the rounding errors off the diagonal, which would
    # otherwise be divided by themselves.
    rng = np.random.default_rng(1)
    gradient = rng.normal(size=(4, 4))
    left, _, right = np.linalg.svd(gradient)
    found, _ = directions(scale_by_soap(0.0, 0.9, 1e-8, 1), [gradient] * 3)
    np.testing.assert_allclose(found[-1], left @ right, atol=1e-6)


def test_tensors_of_order_three_are_rotated_along_every_axis():
    rng = np.random.default_rng(2)
    sequence = [rng.normal(size=(2, 3, 4)) for _ in range(3)]
    transformation = scale_by_soap(0.0, 0.9, 1e-8, 100)
    state = transformation.init(jnp.zeros((2, 3, 4)))
    for gradient in sequence:
        direction, state = transformation.update(jnp.asarray(gradient), state)
    a, b, c = (np.asarray(basis) for basis in state.bases[0])
    rotated = [np.einsum("ijk,ia,jb,kc->abc", g, a, b, c) for g in sequence]
    second = (0.9 * 0.1 * rotated[1] ** 2 + 0.1 * rotated[2] ** 2) / (1 - 0.9**2)
    expected = np.einsum("abc,ia,jb,kc->ijk", rotated[2] / (np.sqrt(second) + 1e-8), a, b, c)
    np.testing.assert_allclose(direction, expected, atol=1e-12)


def test_settings_of_the_port_must_say_that_vectors_have_a_factor():
    with pytest.raises(ValueError, match="precondition_1d must be true with variant = soap-jax-2024"):
        Settings(learning_rate=1e-3, variant="soap-jax-2024")
    assert scale_by_soap(variant="soap-jax-2024").init(jnp.zeros(4)).bases[0][0].shape == (4, 4)


def test_weight_decay_is_decoupled():
    transformation = soap(0.1, weight_decay=0.5)
    params = jnp.full((2, 2), 2.0)
    updates, _ = transformation.update(jnp.eye(2), transformation.init(params), params)
    np.testing.assert_allclose(optax.apply_updates(params, updates), params - 0.1 * 0.5 * params)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"b1": 1.0}, "b1 is 1.0"),
        ({"b2": -0.1}, "b2 is -0.1"),
        ({"eps": -1.0}, "eps is -1.0"),
        ({"precondition_frequency": 0}, "precondition_frequency is 0"),
        ({"max_precondition_dimension": 0}, "max_precondition_dimension is 0"),
        ({"variant": "soap-2023"}, "allowed: soap or soap-original or soap-jax-2024"),
    ],
)
def test_values_out_of_range_are_named(arguments, named):
    with pytest.raises(ConfigurationError, match=named):
        scale_by_soap(**arguments)
