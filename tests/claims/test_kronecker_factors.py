"""Claims T28-T30 as properties of drawn layers, against the definitions in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn_vectors import SEED, cosine, samples
from hypothesis import assume, given
from hypothesis import strategies as st
from oracles import curvature as oracle
from tolerances import CONDITIONED, IDENTITY
from topic_contract import TopicContract

from gradalign.claims import kronecker_factors
from gradalign.claims._ideal_soap import factors_of, ideal_soap
from gradalign.diagnostics.kronecker import best_kronecker
from gradalign.diagnostics.matrices import random_orthogonal, random_positive_definite

SHAPE = st.sampled_from([(2, 2), (2, 5), (3, 4), (5, 3)])  # each shape is a program to compile

_soap = jax.jit(ideal_soap, static_argnums=(1, 2))
_best = jax.jit(best_kronecker, static_argnums=(1, 2))


@pytest.mark.slow
class TestTopic(TopicContract):
    topic = kronecker_factors
    claims = "T28a T28b T28c T29a T29b T29c T29d T30"
    false_in_general = "T29d"
    measured = "_structure_of factors_of _ideal_soap random_matrices"

    def test_points_keep_to_the_bounds(self, curves):
        errors = {(curve.series, curve.seed): np.array(curve.y) for curve in curves if curve.claim == "T29"}
        draws = {seed for _, seed in errors}
        assert len(errors) == 3 * len(draws)
        for draw in draws:
            shampoo, soap, best = (errors[name, draw] for name in ("Shampoo squared", "SOAP", "best Kronecker product"))
            assert np.all(soap <= shampoo + CONDITIONED)
            assert np.all(best <= shampoo + CONDITIONED)
            assert np.all((best > 0) & (shampoo < 1))
        for curve in curves:
            if curve.claim == "T28":
                assert np.all(curve.y <= curve.x + CONDITIONED)


def off_diagonal(soap, F):
    Q = np.kron(soap.left, soap.right)
    return F - (Q * np.ravel(soap.squares)) @ Q.T


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
    L, R = factors_of(jnp.asarray(oracle.kronecker(B, C)), m, n)
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
