"""Claims T1-T3 and T5-T7 as properties of drawn vectors, against the formulas in NumPy."""

import jax
import numpy as np
import pytest
from drawn_vectors import SEED, draw, padded, score, units
from hypothesis import assume, given
from hypothesis import strategies as st
from oracles import score as oracle
from tolerances import DIFFERENCES, DISTORTION, IDENTITY, NEAR_ANTIPARALLEL, ROUNDING
from topic_contract import TopicContract

from gradalign.claims import score as topic_score
from gradalign.diagnostics.alignment import (
    alignment_score,
    conflict_free_threshold,
    mean_cosine_from_score,
    misalignment,
    null_value,
    score_from_gram,
)

_misalignment = jax.jit(misalignment)
_gradient = jax.jit(jax.grad(alignment_score))
_from_gram = jax.jit(score_from_gram)


class TestTopic(TopicContract):
    topic = topic_score
    claims = "T1a T1b T1c T1d T1e T2a T2b T2c T3a T3b T3c T3d T5 T6 T7"
    false_in_general = "T2c T5"
    measured = "scores score misalignments batched _gram_scores_of units"
    exact = (
        ("T2b", "tau_3"),  # closed forms of n alone
        ("T2b", "tau_4"),
        ("T6", "violations in 600 draws"),  # expects NaN
    )

    def test_points_keep_to_the_formulas(self, curves):
        for curve in curves:
            n = int(curve.series.removeprefix("n = "))
            if curve.claim == "T1":
                np.testing.assert_allclose(curve.y, 2 / n - 1 + 2 * (n - 1) / n * curve.x, atol=IDENTITY)
            else:
                assert np.all(curve.x[curve.y >= 0] >= null_value(n) - IDENTITY)
                assert np.all(curve.y[curve.x > conflict_free_threshold(n) + IDENTITY] > 0)
                assert np.any((curve.y < 0) & (curve.x > 0))  # a conflict at a positive score
                assert np.any((curve.y > 0) & (curve.x < 0))  # none at a negative one


@pytest.mark.slow
@given(SEED, st.integers(1, 8), st.integers(2, 29))
def test_T1_range_affine_variance(seed, n, d):
    vectors = draw(seed, n, d, decades=8)
    value = score(vectors)
    assert -1 <= value <= 1
    assert value == pytest.approx(oracle.score(vectors), abs=IDENTITY)
    assert value == pytest.approx(1 - 2 * oracle.variance(vectors), abs=IDENTITY)
    assert float(_misalignment(padded(vectors))) == pytest.approx(1 - value, abs=IDENTITY)
    assert float(_from_gram(vectors @ vectors.T)) == pytest.approx(value, abs=IDENTITY)
    if n > 1:
        mean = np.mean(oracle.pairs(vectors))
        assert value == pytest.approx(2 / n - 1 + 2 * (n - 1) / n * mean, abs=IDENTITY)
        assert float(mean_cosine_from_score(value, n)) == pytest.approx(mean, abs=IDENTITY)
    if n == 2:
        assert value == pytest.approx(oracle.cosine(*vectors), abs=IDENTITY)


@pytest.mark.parametrize("n", range(2, 8))
def test_T1_extremes(n):
    angles = 2 * np.pi * np.arange(n) / n
    assert score(np.stack([np.cos(angles), np.sin(angles)], axis=1)) == pytest.approx(-1, abs=ROUNDING)
    assert score(np.outer(np.arange(1, n + 1), [3.0, -4.0])) == pytest.approx(1, abs=ROUNDING)
    assert score(np.eye(n)) == pytest.approx(2 / n - 1, abs=ROUNDING)
    line = score((-1.0) ** np.arange(n)[:, None])
    assert line == pytest.approx(-1 if n % 2 == 0 else 2 / n**2 - 1, abs=ROUNDING)


@given(SEED, st.integers(2, 6), st.floats(0, 3))
def test_T2_thresholds(seed, n, common):
    vectors = draw(seed, n, 4) + common * draw([seed, 1], 1, 4)
    value, least = score(vectors), min(oracle.pairs(vectors))
    if least >= 0:
        assert value >= null_value(n) - IDENTITY
    if conflict_free_threshold(n) + IDENTITY < value:
        assert least > 0


def test_T2_signs_do_not_decide():
    equiangular = np.linalg.cholesky(np.full((3, 3), 0.2) + 0.8 * np.eye(3))
    assert min(oracle.pairs(equiangular)) == pytest.approx(0.2, abs=ROUNDING)
    assert score(equiangular) == pytest.approx(-1 / 15, abs=ROUNDING)
    assert score([[1.0]] * 9 + [[-1.0]]) == pytest.approx(0.28, abs=ROUNDING)
    for n in range(2, 7):
        sharp = np.concatenate([np.eye(2), np.ones((n - 2, 2))])
        assert score(sharp) == pytest.approx(conflict_free_threshold(n), abs=ROUNDING)


@given(SEED, st.integers(2, 6), st.integers(2, 6))
def test_T3_invariances_and_distortion(seed, n, d):
    generator = np.random.default_rng(seed)
    vectors = draw(seed, n, d)
    rotation = np.linalg.qr(generator.standard_normal((d, d)))[0]
    changed = (generator.lognormal(0, 2, (n, 1)) * vectors)[generator.permutation(n)] @ rotation
    assert score(changed) == pytest.approx(score(vectors), abs=IDENTITY)
    T = generator.standard_normal((d, d))
    kappa = np.linalg.cond(T)
    assume(kappa < 1e4)
    before, after = score(vectors[:2]), score(vectors[:2] @ T.T)
    assume(abs(before) < 0.999)
    assume(abs(after) < 0.999999)
    factor = (1 - after) / (1 + after) * (1 + before) / (1 - before)
    assert kappa**-2 * (1 - DISTORTION) <= factor <= kappa**2 * (1 + DISTORTION)
    parallel = np.stack([vectors[0], -3 * vectors[0]]) @ T.T
    assert score(parallel) == pytest.approx(-1, abs=IDENTITY)


@pytest.mark.parametrize("k", [1.0, 3.0, 100.0])
@pytest.mark.parametrize("angle", [0.2, 1.0, 2.5])
def test_T3_the_distortion_is_attained(k, angle):
    pair = np.array([[np.cos(angle / 2), np.sin(angle / 2)], [np.cos(angle / 2), -np.sin(angle / 2)]])
    after = score(pair * [1.0, k])
    wanted = k**2 * np.tan(angle / 2) ** 2
    assert (1 - after) / (1 + after) == pytest.approx(wanted, rel=DISTORTION, abs=0)


@given(SEED, st.integers(1, 7), st.integers(2, 8))
def test_T5_duplicates(seed, n, d):
    vectors = draw(seed, n, d)
    larger = score(np.concatenate([vectors, vectors[:1]]))
    assert larger == pytest.approx(oracle.duplicated(vectors, 0), abs=IDENTITY)
    if n <= 4:
        assert score(np.tile(vectors, (2, 1))) == pytest.approx(score(vectors), abs=IDENTITY)
    mean = units(vectors).mean(axis=0)
    margin = 2 * n * mean @ units(vectors)[0] + 1 - (2 * n + 1) * mean @ mean
    assume(abs(margin) > NEAR_ANTIPARALLEL)
    assert (larger > score(vectors)) == (margin > 0)


@pytest.mark.parametrize(("k", "printed"), [(1, -1), (2, -0.778), (4, -0.28), (10, 0.339), (100, 0.922)])
def test_T5_total_conflict_has_any_score(k, printed):
    assert score([[1.0]] * k + [[-1.0]]) == pytest.approx(printed, abs=5e-4)


@given(SEED, st.integers(2, 6), st.floats(-8, 0))
def test_T6_eps_bound(seed, n, exponent):
    vectors = draw(seed, n, 4)
    smoothed, delta = oracle.smoothed(vectors, 10.0**exponent)
    assert abs(smoothed - score(vectors)) <= 4 * delta + IDENTITY


@given(SEED, st.integers(2, 6))
def test_T6_the_score_jumps_at_zero(seed, n):
    vectors = draw(seed, n, 4)
    S = units(vectors[1:]).sum(axis=0)
    limits = [score(np.concatenate([[sign * 1e-9 * S], vectors[1:]])) for sign in (1, -1)]
    assert limits[0] - limits[1] == pytest.approx(8 / n**2 * np.linalg.norm(S), abs=IDENTITY)
    assert np.isnan(score(np.concatenate([[0 * S], vectors[1:]])))


@pytest.mark.slow
@given(SEED, st.integers(2, 8), st.integers(2, 8))
def test_T7_gradient(seed, n, d):
    vectors = draw(seed, n, d, decades=1)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    found = np.asarray(_gradient(padded(vectors)))[:, :d] * lengths
    np.testing.assert_allclose(found, oracle.gradient(vectors) * lengths, atol=IDENTITY)
    np.testing.assert_allclose(np.sum(found * units(vectors), axis=1), 0, atol=IDENTITY)
    assert np.sum(found**2) <= 4 / n * (1 - score(vectors) ** 2) + IDENTITY
    step = 1e-5 * draw([seed, 1], n, d) * lengths
    difference = (score(vectors + step) - score(vectors - step)) / 2
    assume(np.max(np.abs(step / lengths)) < 3e-5)
    assert difference / 1e-5 == pytest.approx(np.sum(found * step / lengths) / 1e-5, abs=10 * DIFFERENCES)
