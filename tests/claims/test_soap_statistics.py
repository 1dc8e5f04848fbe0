"""Claims T28-T32 as properties of drawn layers, against the definitions in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from oracles import curvature as oracle
from tolerances import CONDITIONED, IDENTITY, INVERSE_ROOTS, ROUNDING

from gradalign.alignment import alignment_score, null_value
from gradalign.claims import soap_statistics as topic
from gradalign.curvature import best_kronecker, random_orthogonal, random_positive_definite, symmetric_power

SEED = st.integers(0, 2**32 - 1)
SHAPE = st.sampled_from([(2, 2), (2, 5), (3, 4), (5, 3)])  # each shape is a program to compile

_soap = jax.jit(topic.ideal_soap, static_argnums=(1, 2))
_direction = jax.jit(topic.IdealSoap.direction)
_best = jax.jit(best_kronecker, static_argnums=(1, 2))


def cosine(one, other):
    one, other = np.ravel(one), np.ravel(other)
    return one @ other / np.linalg.norm(one) / np.linalg.norm(other)


def off_diagonal(soap, F):
    Q = np.kron(soap.left, soap.right)
    return F - (Q * np.ravel(soap.squares)) @ Q.T


def samples(seed, count, m, n):
    generator = np.random.default_rng(seed)
    left, right = generator.standard_normal((m, m)), generator.standard_normal((n, n))
    found = left @ generator.standard_normal((count, m, n)) @ right
    return found / np.sqrt(np.mean(found**2))


@given(SEED, st.integers(1, 30), SHAPE)
def test_T28_T29_shampoo_soap(seed, count, shape):
    m, n = shape
    gradients = samples(seed, count, m, n)
    F, L, R = oracle.moments(gradients)
    scale = np.linalg.norm(F)
    rearranged = oracle.rearranged(F, m, n)
    # T28a: half-steps of power iteration
    np.testing.assert_allclose(rearranged @ np.eye(n).ravel(), L.ravel(), atol=IDENTITY * scale)
    np.testing.assert_allclose(rearranged.T @ np.eye(m).ravel(), R.ravel(), atol=IDENTITY * scale)
    # T28c: angles to the top singular pair
    u, singular, wt = np.linalg.svd(rearranged)
    ratio = (singular[1] / singular[0]) ** 2
    assume(ratio < 0.99)
    for factor, top, size in ((L, u[:, 0], n), (R, wt[0], m)):
        tangent = 1 / cosine(factor, top) ** 2 - 1
        assert tangent <= (size - 1) * ratio + CONDITIONED
    # T29a: V is the diagonal of Q^T F Q, and Pythagoras holds
    soap = _soap(jnp.asarray(F), m, n)
    rotated = np.mean((np.asarray(soap.left).T @ gradients @ np.asarray(soap.right)) ** 2, axis=0)
    np.testing.assert_allclose(soap.squares, rotated, atol=IDENTITY * scale)
    distance = np.linalg.norm(off_diagonal(soap, F)) ** 2
    squares = np.sum(np.asarray(soap.squares) ** 2)
    assert distance / scale**2 == pytest.approx(1 - squares / scale**2, abs=CONDITIONED)
    # T29b: not worse than gamma L kron R at its best gamma
    product = np.kron(L, R)
    gamma = np.sum(F * product) / np.sum(product**2)
    assert distance <= np.linalg.norm(F - gamma * product) ** 2 + CONDITIONED * scale**2
    nearest = _best(jnp.asarray(F), m, n)
    error = np.sqrt(np.sum(singular[1:] ** 2) / np.sum(singular**2))
    assert float(nearest.relative_error) == pytest.approx(error, abs=CONDITIONED)


@given(SEED, SHAPE)
def test_T28b_T29c_exact_classes(seed, shape):
    m, n = shape
    generator = np.random.default_rng(seed)
    B, C = (random_positive_definite(generator, size, 50.0) for size in shape)
    L, R = topic.factors_of(jnp.asarray(oracle.kronecker(B, C)), m, n)
    np.testing.assert_allclose(np.kron(L, R) / np.trace(L), np.kron(B, C), atol=IDENTITY)
    Q = np.kron(random_orthogonal(generator, m), random_orthogonal(generator, n))
    D = generator.uniform(0.1, 2, (m, n))
    for sums in (D.sum(axis=1), D.sum(axis=0)):  # L and R need simple spectra
        assume(np.min(np.diff(np.sort(sums))) > 0.01)
    F = (Q * D.ravel()) @ Q.T
    np.testing.assert_allclose(off_diagonal(_soap(jnp.asarray(F), m, n), F), 0, atol=CONDITIONED)


def test_T29d_soap_can_be_worse_than_the_best_kronecker_product():
    worse = 0
    for seed in range(40):
        F, _, _ = oracle.moments(samples(seed, 5, 3, 4))
        soap, nearest = _soap(jnp.asarray(F), 3, 4), _best(jnp.asarray(F), 3, 4)
        worse += np.linalg.norm(off_diagonal(soap, F)) > float(nearest.relative_error) * np.linalg.norm(F)
    assert 0 < worse < 40


@given(SEED, st.integers(2, 8), st.floats(0.01, 0.99))
def test_T30_quality(seed, d, epsilon):
    generator = np.random.default_rng(seed)
    E = generator.standard_normal((d, d))
    E = (E + E.T) * (1 - np.eye(d))
    C = np.eye(d) + epsilon * E / np.linalg.norm(E, 2)
    kappa = np.linalg.cond(C)
    assert kappa <= (1 + epsilon) / (1 - epsilon) * (1 + CONDITIONED)
    root = np.exp(generator.uniform(-1, 1, d))
    g = generator.standard_normal(d)
    diagonal, full = g / root**2, np.linalg.solve(root[:, None] * C * root, g)
    found = cosine(root * diagonal, root * full)
    assert found >= 2 * np.sqrt(kappa) / (1 + kappa) - CONDITIONED
    assert found >= np.sqrt(1 - epsilon**2) - CONDITIONED
    assert cosine(g, C @ g) >= 2 * np.sqrt(kappa) / (1 + kappa) - CONDITIONED


@given(SEED, SHAPE)
def test_T31_T32_regimes(seed, shape):
    m, n = shape
    generator = np.random.default_rng(seed)
    B, C = random_positive_definite(generator, m, 50.0), random_positive_definite(generator, n, 60.0)
    H = np.kron(B, C)
    e = generator.standard_normal(m * n)
    G = jnp.asarray((H @ e).reshape(m, n))

    def soap(F):
        return _direction(_soap(jnp.asarray(F), m, n), G)

    assert 1 - cosine(soap(H @ H), e) < INVERSE_ROOTS  # (i): Newton
    root = np.kron(oracle.power(B, 0.5), oracle.power(C, 0.5))
    assert 1 - cosine(soap(H), root @ e) < INVERSE_ROOTS  # (ii): whitened
    # (iv): for F = 0.1 H^2 + 0.02 H the gain on an eigenvalue lambda of H is (0.1 lambda^2 + 0.02 lambda)^(-1/2)
    mixed = 0.1 * H @ H + 0.02 * H
    found = np.ravel(soap(mixed))
    values, vectors = np.linalg.eigh(H)
    assert 1 - cosine(found, vectors @ (np.sqrt(values / (0.1 * values + 0.02)) * (vectors.T @ e))) < INVERSE_ROOTS
    # T32: a linear layer, I kron Sigma, whose left factor is degenerate
    layer = np.kron(np.eye(m), C)
    E = e.reshape(m, n)
    G = jnp.asarray(E @ C)
    assert 1 - cosine(soap(layer @ layer), E) < INVERSE_ROOTS
    assert 1 - cosine(soap(layer), E @ oracle.power(C, 0.5)) < INVERSE_ROOTS


@given(SEED, SHAPE)
def test_T31_one_gradient_direction_is_orthogonalised(seed, shape):
    m, n = shape
    generator = np.random.default_rng(seed)
    k = min(m, n)
    singular = np.sort(generator.uniform(0.1, 1, k))
    assume(np.min(np.diff(singular)) > 0.02)
    U, V = random_orthogonal(generator, m)[:, :k], random_orthogonal(generator, n)[:, :k]
    G = (U * singular) @ V.T
    F = np.outer(G.ravel(), G.ravel())
    found = _direction(_soap(jnp.asarray(F), m, n), jnp.asarray(G))
    np.testing.assert_allclose(found, U @ V.T, atol=INVERSE_ROOTS)


@pytest.mark.parametrize("regime", [2, 10])
def test_ideal_soap_is_the_oracle_on_samples(regime):
    gradients = samples(5, 30 * regime, 3, 4)
    F, _, _ = oracle.moments(gradients)
    soap = _soap(jnp.asarray(F), 3, 4)
    np.testing.assert_allclose(
        _direction(soap, jnp.asarray(gradients[0])), oracle.soap(gradients, gradients[0]), atol=CONDITIONED
    )
    matrix = np.asarray(soap.matrix())
    np.testing.assert_allclose(matrix @ gradients[0].ravel(), np.ravel(soap.direction(gradients[0])), atol=CONDITIONED)


@given(SEED, st.sampled_from([(1, 1), (2, 3), (1, 2, 2), (3, 1, 1)]))
def test_T32_whitened_losses_are_orthogonal(seed, sizes):
    generator = np.random.default_rng(seed)
    J = generator.standard_normal((sum(sizes), 7))
    assume(np.linalg.cond(J) < 100)
    residual = generator.standard_normal(sum(sizes))
    whitener = np.asarray(symmetric_power(J.T @ J, -0.5, 1e-9))
    parts = np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])
    directions = np.array([whitener @ J[part].T @ residual[part] for part in parts])
    assert float(alignment_score(jnp.asarray(directions))) == pytest.approx(null_value(len(sizes)), abs=CONDITIONED)
    assert abs(null_value(len(sizes)) - (2 / len(sizes) - 1)) < ROUNDING
