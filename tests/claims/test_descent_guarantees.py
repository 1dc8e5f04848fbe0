"""Claims T8-T11 as properties of drawn gradients, against the formulas in NumPy."""

import numpy as np
import pytest
from drawn_vectors import SEED, draw, score, units
from hypothesis import assume, given
from hypothesis import strategies as st
from oracles import score as oracle
from tolerances import IDENTITY, NEAR_ANTIPARALLEL, ROUNDING
from topic_contract import TopicContract

from gradalign.claims import descent_guarantees
from gradalign.diagnostics.alignment import common_descent_threshold


class TestTopic(TopicContract):
    topic = descent_guarantees
    claims = "T8a T8b T8c T8d T9 T10 T11"
    false_in_general = "T8d"
    measured = "score scores units _nearest_hull_points _pcgrad"

    def test_points_keep_to_the_bounds(self, curves):
        (curve,) = curves
        assert np.all(curve.y >= 9 / 4 * (curve.x - 1 + 4 / 3) - IDENTITY)
        assert np.all(curve.y <= 3 * (1 + curve.x) / 2 + IDENTITY)
        assert np.min(curve.y - 9 / 4 * (curve.x - 1 + 4 / 3)) < 0.01  # the bound is nearly touched


@given(SEED, st.integers(2, 8), st.integers(2, 8))
def test_T8_descent(seed, n, d):
    vectors = draw(seed, n, d, decades=1)
    value, u = score(vectors), units(vectors)
    products = u @ u.sum(axis=0)
    assert products.mean() / n == pytest.approx((1 + value) / 2, abs=IDENTITY)
    assert products.min() >= n**2 / 4 * (value - 1 + 4 / n) - IDENTITY
    if common_descent_threshold(n) + IDENTITY < value:
        assert products.min() > 0


@pytest.mark.parametrize("n", range(3, 9))
def test_T8_the_descent_threshold_is_sharp(n):
    vectors = np.tile([1.0, 0.0], (n, 1))
    vectors[0] = [-1 / (n - 1), np.sqrt(1 - 1 / (n - 1) ** 2)]
    assert score(vectors) == pytest.approx(common_descent_threshold(n), abs=ROUNDING)
    assert vectors[0] @ vectors.sum(axis=0) == pytest.approx(0, abs=ROUNDING)


@given(SEED, st.integers(2, 5), st.floats(0.1, 10), st.floats(0, 2))
def test_T8d_length_of_the_sum_and_smooth_descent(seed, n, gamma, share):
    vectors = gamma * units(draw(seed, n, 4))
    value, g = score(vectors), vectors.sum(axis=0)
    assert g @ g / gamma**2 == pytest.approx(n**2 * (1 + value) / 2, abs=1e-10)
    factor = draw([seed, 1], 4, 4)
    H = factor @ factor.T
    ell = np.linalg.eigvalsh(H)[-1]
    eta = share / ell
    change = -eta * g @ g + eta**2 / 2 * g @ H @ g
    bound = -eta * (1 - ell * eta / 2) * gamma**2 * n**2 * (1 + value) / 2
    assert change <= bound + IDENTITY * eta * gamma**2 * n**2
    assert np.linalg.norm(vectors[0] + vectors[1]) / (2 * gamma) == pytest.approx(
        np.sqrt((1 + score(vectors[:2])) / 2), abs=IDENTITY
    )


@given(SEED, st.floats(-4, 0))
def test_T9_pcgrad_flip(seed, exponent):
    g1, noise = draw(seed, 2, 3)
    g2 = -g1 + 10.0**exponent * noise
    c = oracle.cosine(g1, g2)
    assume(c < 0)
    assert score(oracle.pcgrad(g1, g2)) == pytest.approx(-c, abs=NEAR_ANTIPARALLEL)
    u1, u2 = units(g1), units(g2)
    np.testing.assert_allclose(np.sum(oracle.pcgrad(u1, u2), axis=0), (1 - c) * (u1 + u2), atol=IDENTITY)


@given(SEED, st.integers(2, 7), st.floats(0, 1))
def test_T10_cancellation(seed, n, kept):
    vectors = draw(seed, n, 3, decades=1)
    vectors = vectors - (1 - kept**4) * vectors.mean(axis=0)
    epsilon = np.linalg.norm(vectors.sum(axis=0)) / np.max(np.linalg.norm(vectors, axis=1))
    bound = min(n - 2 + 2 * epsilon, n)
    assert score(vectors) <= 2 * (bound / n) ** 2 - 1 + IDENTITY


@given(SEED, st.integers(2, 7))
def test_T10_exact_cancellation(seed, n):
    vectors = draw(seed, n, 3)
    vectors[-1] = -vectors[:-1].sum(axis=0)
    assume(np.linalg.norm(vectors[-1]) > NEAR_ANTIPARALLEL)
    limit = 2 * ((n - 2) / n) ** 2 - 1
    assert score(vectors) <= limit + IDENTITY
    attained = [[1.0]] * (n - 1) + [[1.0 - n]]
    assert score(attained) == pytest.approx(limit, abs=ROUNDING)


@given(SEED, st.floats(0, 6))
def test_T11_plain_sum_rule(seed, logarithm):
    g1, g2 = units(draw(seed, 2, 3)) * [[1.0], [np.exp(logarithm)]]
    value, rho = score([g1, g2]), np.exp(logarithm)
    assume(abs(value + 1 / rho) > IDENTITY)
    both = min(g1 @ (g1 + g2), g2 @ (g1 + g2)) > 0
    assert both == (value > -1 / rho)
    assert score([1e5 * g1, 1e-5 * g2]) == pytest.approx(value, abs=IDENTITY)
