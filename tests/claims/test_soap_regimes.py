"""Claims T31 and T32 as properties of drawn layers, against the definitions in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn_vectors import SEED, cosine, samples
from hypothesis import assume, given
from hypothesis import strategies as st
from oracles import curvature as oracle
from tolerances import CONDITIONED, INVERSE_ROOTS, LEADING_ORDER, ROUNDING
from topic_contract import TopicContract

from gradalign.claims import soap_regimes
from gradalign.claims._ideal_soap import IdealSoap, ideal_soap
from gradalign.diagnostics.alignment import alignment_score, null_value
from gradalign.diagnostics.matrices import random_orthogonal, random_positive_definite, symmetric_power

SHAPE = st.sampled_from([(2, 2), (2, 5), (3, 4), (5, 3)])  # each shape is a program to compile

_soap = jax.jit(ideal_soap, static_argnums=(1, 2))
_direction = jax.jit(IdealSoap.direction)


class TestTopic(TopicContract):
    topic = soap_regimes
    claims = "T31 T31i T31ii T31iii T31iv T31v T31vi T31vii T32"
    false_in_general = "T31ii T31vii"
    measured = (
        "_against _preconditioned_condition _history _rank_one_errors _row_misalignments _damped_newton_path _best "
        "_ideal_soap score"
    )

    def test_spectra_have_the_condition_numbers_of_the_regimes(self, curves):
        found = {(curve.claim, curve.series): curve.y for curve in curves if curve.quantity == "eigenvalue of P H"}
        kappa = {name: np.max(values) / np.min(values) for name, values in found.items()}
        assert kappa["T31", "none"] == pytest.approx(3000, rel=CONDITIONED, abs=0)
        for name in ("Newton", "i"):
            assert kappa["T31", name] == pytest.approx(1, abs=INVERSE_ROOTS)
        assert kappa["T31", "ii"] == pytest.approx(3000**0.5, rel=INVERSE_ROOTS, abs=0)
        assert kappa["T31", "iii"] == pytest.approx(50**0.5, rel=INVERSE_ROOTS, abs=0)
        # (iv): lambda / sqrt(lambda (lambda + c)) at both ends of [1, 3000] with c = sqrt(3000)
        ends = [x / np.sqrt(x * (x + 3000**0.5)) for x in (1, 3000)]
        assert kappa["T31", "iv"] == pytest.approx(ends[1] / ends[0], rel=INVERSE_ROOTS, abs=0)
        assert kappa["T31", "v"] == pytest.approx(3000**0.5, rel=LEADING_ORDER, abs=0)  # a step of 1e-3
        assert len(found["T31", "vi"]) == 4
        assert kappa["T32", "none"] == pytest.approx(736, rel=CONDITIONED, abs=0)
        assert kappa["T32", "Sigma"] == pytest.approx(736**0.5, rel=INVERSE_ROOTS, abs=0)
        assert kappa["T32", "Sigma^2"] == pytest.approx(1, abs=INVERSE_ROOTS)

    def test_snapshots_approach_newton_and_gradient_descent_does_not(self, curves):
        curves = [curve for curve in curves if curve.quantity == "1 - cosine to Newton"]
        soap, descent = (
            np.array([curve.y for curve in curves if curve.series == name]) for name in ("SOAP", "gradient descent")
        )
        assert np.all(np.diff(soap.mean(axis=0)) < 0)
        assert np.all(soap[:, -1] < 1e-3)
        assert np.all(descent > 0.1)


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
def test_T31_newton_where_H_is_diagonal_in_the_basis_of_soap(seed, shape):
    m, n = shape
    generator = np.random.default_rng(seed)
    D = generator.uniform(0.2, 2, (m, n))
    for sums in ((D**2).sum(axis=1), (D**2).sum(axis=0)):  # L and R need simple spectra
        assume(np.min(np.diff(np.sort(sums))) > 0.01)
    Q = np.kron(random_orthogonal(generator, m), random_orthogonal(generator, n))
    H = (Q * D.ravel()) @ Q.T
    e = generator.standard_normal(m * n)
    found = np.ravel(_direction(_soap(jnp.asarray(H @ H), m, n), jnp.asarray((H @ e).reshape(m, n))))
    np.testing.assert_allclose(found, e, atol=INVERSE_ROOTS)  # of length, too: the errors have covariance I
    singular = np.linalg.svd(oracle.rearranged(H, m, n), compute_uv=False)
    assert singular[1] > CONDITIONED * singular[0]  # no Kronecker product
    # Any other H: the rows of P H have length one in SOAP's basis, so P H is no multiple of the identity
    H = random_positive_definite(generator, m * n, 10.0)
    soap = _soap(jnp.asarray(H @ H), m, n)
    Q, P = np.kron(soap.left, soap.right), np.asarray(soap.matrix())
    np.testing.assert_allclose(np.linalg.norm(Q.T @ P @ H, axis=1), 1, atol=CONDITIONED)
    inside = Q.T @ H @ Q
    energy = np.linalg.norm(inside - np.diag(np.diag(inside))) / np.linalg.norm(inside)
    assert np.linalg.norm(P @ H - np.eye(m * n)) >= energy - CONDITIONED


def test_T31_equal_eigenvalues_leave_the_basis_open():
    """The same H in the basis that diagonalises it, and in that of the parameters, which L = R = 82 I allow as well."""
    half = np.array([[1.0, 1.0], [1.0, -1.0]]) / np.sqrt(2)
    Q = np.kron(half, half)
    H = (Q * [1, 9, 9, 1]) @ Q.T
    F, e = H @ H, np.array([4.0, 0.0, 0.0, 2.0])
    for G in (F.reshape(2, 2, 2, 2).trace(axis1=1, axis2=3), F.reshape(2, 2, 2, 2).trace(axis1=0, axis2=2)):
        np.testing.assert_allclose(G, 82 * np.eye(2), atol=CONDITIONED)
    for basis, expected in ((Q, 1.0), (np.eye(4), 0.6)):
        direction = basis @ (basis.T @ H @ e / np.sqrt(np.diag(basis.T @ F @ basis)))
        assert cosine(direction, e) == pytest.approx(expected, abs=CONDITIONED)


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
