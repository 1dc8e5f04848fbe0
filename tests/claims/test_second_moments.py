"""Claims T26 and T26b as properties of drawn gradients, against NumPy."""

from itertools import product

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from oracles import second_moments as oracle
from tolerances import CONDITIONED, IDENTITY, INVERSE_ROOTS, LEADING_ORDER
from topic_contract import TopicContract

from gradalign.claims import second_moments as topic
from gradalign.claims._batches import score
from gradalign.diagnostics.kronecker import rank_one_fraction
from gradalign.diagnostics.matrices import gauss_newton_matrix, second_moment

SEED = st.integers(0, 2**32 - 1)


class TestTopic(TopicContract):
    topic = topic
    claims = "T26(a) T26(b) T26(c) T26(d) T26b"
    false_in_general = "T26(b)"
    measured = "_moments _moment _steps _empirical_fisher _remainders rank_one_fraction common_state common_soap scores"


def jacobian(generator, m, d):
    """Full row rank, condition 10 at most."""
    left, right = (np.linalg.qr(generator.standard_normal((size, m)))[0] for size in (m, d))
    return left * generator.uniform(0.3, 3, m) @ right.T


def moment(gradients):
    return np.asarray(second_moment(jnp.asarray(gradients)[..., None]))


@given(SEED, st.integers(1, 5), st.floats(0.1, 3))
def test_T26_sampled_noise_gives_gauss_newton(seed, m, sigma):
    J = np.random.default_rng(seed).standard_normal((m, 6))
    noise = sigma * np.array(list(product((-1, 1), repeat=m)))
    np.testing.assert_allclose(moment(noise @ J), sigma**2 * J.T @ J, atol=CONDITIONED)
    np.testing.assert_allclose(gauss_newton_matrix(jnp.asarray(J)), J.T @ J, atol=IDENTITY)


@given(SEED)
def test_T26_empirical_fisher_inverts_residual(seed):
    generator = np.random.default_rng(seed)
    J = jacobian(generator, 5, 8)
    r = generator.choice([-1, 1], 5) * generator.uniform(0.2, 2, 5)
    fisher = topic._empirical_fisher(J[None], r[None])[0]
    np.testing.assert_allclose(fisher, oracle.empirical_fisher(J, r), atol=CONDITIONED)
    direction = np.linalg.pinv(fisher, rcond=1e-10, hermitian=True) @ (J.T @ r)
    np.testing.assert_allclose(J @ direction, 1 / r, rtol=INVERSE_ROOTS, atol=0)
    inverted, shrunk = topic._steps(J, r)
    np.testing.assert_allclose(inverted, r - topic.STEP / r, atol=INVERSE_ROOTS)
    np.testing.assert_allclose(shrunk, (1 - topic.STEP) * r, atol=INVERSE_ROOTS)


@given(SEED)
def test_T26_distance_from_gauss_newton(seed):
    generator = np.random.default_rng(seed)
    J, r = jacobian(generator, 4, 6), generator.uniform(0.2, 2, 4)
    F, G = oracle.empirical_fisher(J, r), J.T @ J
    errors, lengths = topic._best_scaled(F[None], G[None])
    found = [np.linalg.norm(F - c * G) for c in np.linspace(0, 5, 501)]
    assert errors[0] * lengths[0] <= min(found) + CONDITIONED
    assert errors[0] * lengths[0] >= min(found) - 0.01 * np.linalg.norm(G)  # c is on a grid of 0.01
    least = np.linalg.eigvalsh(J @ J.T)[0]
    assert min(found) >= least * np.linalg.norm(r**2 - np.mean(r**2)) - CONDITIONED
    Q = np.linalg.qr(J.T)[0].T
    varied, _ = topic._best_scaled(oracle.empirical_fisher(Q, r)[None], (Q.T @ Q)[None])
    assert varied[0] == pytest.approx(np.std(r**2) / np.mean(r**2), abs=CONDITIONED)


@pytest.mark.parametrize("replacement", [True, False])
@pytest.mark.parametrize(("count", "size"), [(4, 2), (4, 1), (5, 4), (3, 3)])
def test_T26_batches(count, size, replacement):
    samples = np.random.default_rng([count, size]).standard_normal((count, 6)) + 0.5
    gradients = np.array([samples[list(batch)].mean(axis=0) for batch in oracle.batches(count, size, replacement)])
    expected = oracle.batch_moment(samples, size, replacement)
    np.testing.assert_allclose(moment(gradients), expected, atol=IDENTITY)
    mean = samples.mean(axis=0)
    fraction = float(rank_one_fraction(jnp.asarray(gradients)))
    assert fraction == pytest.approx(mean @ mean / np.trace(expected), abs=IDENTITY)
    assert (np.linalg.matrix_rank(expected) == 1) == (count == size and not replacement)


def test_T26_remainder_of_the_hessian():
    generator = np.random.default_rng(8)
    params, offsets = generator.standard_normal((3, 12)), generator.standard_normal((3, 6))
    found = topic._remainders(params, offsets)
    points = np.linspace(-1, 1, 6)
    for k in range(3):
        a, w, b = params[k].reshape(3, 4)
        t = np.tanh(points[:, None] * w + b)
        first = np.concatenate([t, (1 - t**2) * a * points[:, None], (1 - t**2) * a], axis=1)
        second = np.zeros((6, 3, 4, 3, 4))  # of each residual, by pairs of blocks a, w, b; units do not mix
        for point in range(6):
            x, slope, bend = points[point], 1 - t[point] ** 2, -2 * t[point] * (1 - t[point] ** 2)
            for unit in range(4):
                block = np.array(
                    [
                        [0, slope[unit] * x, slope[unit]],
                        [slope[unit] * x, a[unit] * bend[unit] * x**2, a[unit] * bend[unit] * x],
                        [slope[unit], a[unit] * bend[unit] * x, a[unit] * bend[unit]],
                    ]
                )
                second[point, :, unit, :, unit] = block
        remainder = np.einsum("k,kij->ij", offsets[k], second.reshape(6, 12, 12))
        assert float(found["remainder"][k, 1]) == pytest.approx(np.linalg.norm(remainder), rel=CONDITIONED, abs=0)
        assert float(found["gauss_newton"][k, 1]) == pytest.approx(
            np.linalg.norm(first.T @ first), rel=CONDITIONED, abs=0
        )
        bound = np.linalg.norm(offsets[k]) * np.linalg.norm(second)
        assert float(found["bound"][k, 1]) == pytest.approx(bound, rel=CONDITIONED, abs=0)
        assert np.linalg.norm(remainder) <= bound


@given(SEED, st.sampled_from([2, 3, 4]), st.floats(-8, 2))
def test_T26b_disagreement_amplified(seed, n, exponent):
    generator = np.random.default_rng(seed)
    layers = generator.standard_normal((n, 3, 4))
    gradients = layers.reshape(n, 12)
    total = gradients.sum(axis=0)
    limit = oracle.projected(gradients)
    assume(np.linalg.norm(total) > 0.5)
    assume(min(np.linalg.norm(v) for v in limit) > 0.3)
    length = 10.0**exponent
    epsilon = length * total @ total
    found = score(topic.common_state(gradients[None], np.array([length]))[0])
    assert found == pytest.approx(oracle.score(oracle.common_state(gradients, epsilon)), abs=INVERSE_ROOTS)
    directions, rotated = (part[0] for part in topic.common_soap(layers[None], np.array([length])))
    assert score(directions) == pytest.approx(oracle.score(oracle.soap_state(layers, epsilon)), abs=INVERSE_ROOTS)
    np.testing.assert_allclose((rotated * (1 - np.eye(3, 4))).sum(axis=0), 0, atol=CONDITIONED)
    # The limits themselves, and the bound on both
    assert score(np.array(limit)) <= 2 * ((n - 2) / n) ** 2 - 1 + CONDITIONED
    last = score(topic.common_state(gradients[None], np.array([1e-8]))[0])
    assert last == pytest.approx(oracle.score(limit), abs=LEADING_ORDER)
    off = [part.ravel() for part in oracle.off_diagonal(layers)]
    np.testing.assert_allclose(sum(off), 0, atol=CONDITIONED)
    last = score(topic.common_soap(layers[None], np.array([1e-8]))[0][0])
    assert last == pytest.approx(oracle.score(off), abs=LEADING_ORDER)
    if n == 2:
        assert last == pytest.approx(-1, abs=LEADING_ORDER)
        expected = oracle.score(oracle.common_state(gradients, epsilon))
        assert topic._score_of_two(gradients[None], length)[0] == pytest.approx(expected, abs=CONDITIONED)


def test_T26b_large_epsilon_leaves_the_raw_score():
    gradients = np.array([[1.0, 2.0, 0.0], [1.0, -1.0, 1.0]])
    raw = oracle.score(gradients)
    assert oracle.score(oracle.common_state(gradients, 1e12)) == pytest.approx(raw, abs=CONDITIONED)
    padded = np.pad(gradients, ((0, 0), (0, 9)))
    found = score(topic.common_state(padded[None], np.array([1e12]))[0])
    assert found == pytest.approx(raw, abs=CONDITIONED)
