"""Claim T20 as properties of drawn least-squares problems, against the matrix of the parameters' size."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from oracles import gauss_newton as oracle
from tolerances import CONDITIONED, DIFFERENCES, IDENTITY, ROUNDING
from topic_contract import TopicContract

from gradalign.claims import _least_squares as least_squares
from gradalign.claims import gauss_newton as topic

SEED = st.integers(0, 2**32 - 1)
SIZES = st.lists(st.integers(1, 4), min_size=2, max_size=4)
POWER = st.floats(0, 1.5)


@pytest.mark.slow
class TestTopic(TopicContract):
    topic = topic
    claims = "T20 T20a T20b T20c T20d T20e T20f T20g"
    false_in_general = "T20a T20b T20f"
    measured = "directions grams scores score own_steps"


def padded(blocks, residuals):
    """Rows and columns of zeros to (1, n, 4, 20): one program a number of losses."""
    J, r = np.zeros((1, len(blocks), 4, 20)), np.zeros((1, len(blocks), 4))
    for i, (block, values) in enumerate(zip(blocks, residuals, strict=True)):
        J[0, i, : block.shape[0], : block.shape[1]], r[0, i, : len(values)] = block, values
    return J, r


@given(SEED, SIZES, POWER, st.sampled_from([0.0, 1e-3, 1.0]))
def test_T20_master_identity(seed, sizes, power, damping):
    blocks, residuals = oracle.full_rank(seed, sizes, 20)
    v = oracle.directions(blocks, residuals, power, damping)
    scales = np.linalg.norm(v, axis=1)
    J, r = padded(blocks, residuals)
    gram, score = least_squares.grams(J, r, power, damping)
    assert gram[0] / np.outer(scales, scales) == pytest.approx(v @ v.T / np.outer(scales, scales), abs=CONDITIONED)
    assert score[0] == pytest.approx(oracle.score(v), abs=CONDITIONED)
    definition = least_squares.directions(J, r, power, damping)[0]
    assert definition / scales[:, None] == pytest.approx(v / scales[:, None], abs=CONDITIONED)


@given(SEED, SIZES)
def test_T20_whitened_directions_are_orthogonal(seed, sizes):
    J, r = padded(*oracle.full_rank(seed, sizes, 20))
    gram, score = least_squares.grams(J, r, 0.5)
    assert gram[0] == pytest.approx(np.diag(np.sum(r[0] ** 2, axis=1)), abs=CONDITIONED)
    assert score[0] == pytest.approx(2 / len(sizes) - 1, abs=CONDITIONED)


def test_T20_whitened_directions_of_dependent_rows():
    generator = np.random.default_rng(0)
    rows, _ = oracle.full_rank(1, (1, 2), 20)
    # The residuals of each loss repeat: only their part along (1, 1) reaches the gradient
    blocks = [np.concatenate([block, block]) for block in rows]
    residuals = [generator.standard_normal(len(block)) for block in blocks]
    seen = [np.sum(np.sum(values.reshape(2, -1), axis=0) ** 2) / 2 for values in residuals]
    gram, score = least_squares.grams(*padded(blocks, residuals), 0.5)
    assert gram[0] == pytest.approx(np.diag(seen), abs=CONDITIONED)
    assert score[0] == pytest.approx(0, abs=CONDITIONED)


@given(SEED, st.floats(0.05, np.pi - 0.05), st.floats(-3, 3))
def test_T20_flip(seed, angle, log_scale):
    r = np.random.default_rng(seed).standard_normal(2)
    assume(np.min(np.abs(r)) > 1e-3)
    rows = [np.array([[1.0, 0.0]]), np.exp(log_scale) * np.array([[np.cos(angle), np.sin(angle)]])]
    J, values = padded(rows, [r[:1], r[1:]])
    raw, newton = (least_squares.grams(J, values, p)[1][0] for p in (0.0, 1.0))
    assert raw == pytest.approx(np.sign(r[0] * r[1]) * np.cos(angle), abs=CONDITIONED)
    assert newton == pytest.approx(-raw, abs=CONDITIONED)


@given(SEED, st.sampled_from([0.1, 0.3, 0.45, 0.55, 0.7, 1.0, 1.5]))
def test_T20_sign_rule(seed, power):
    blocks, residuals = oracle.full_rank(seed, (1, 1), 20)
    raw = oracle.score(oracle.directions(blocks, residuals, 0.0))
    assume(abs(raw) > 1e-3)
    found = least_squares.grams(*padded(blocks, residuals), power)[1][0]
    assert np.sign(found) == np.sign(raw) * np.sign(0.5 - power)


@given(SEED, SIZES, POWER, st.booleans())
def test_T20_eigenmodes(seed, sizes, power, slowest):
    blocks, _ = oracle.full_rank(seed, sizes, 20)
    rows = np.concatenate(blocks)
    values, modes = np.linalg.eigh(rows @ rows.T)
    z = np.split(modes[:, 0 if slowest else -1], np.cumsum(sizes)[:-1])
    v = oracle.directions(blocks, z, power)
    expected = [
        values[0 if slowest else -1] ** (1 - 2 * power) * (part @ part) - x @ x for part, x in zip(z, v, strict=True)
    ]
    gram = least_squares.grams(*padded(blocks, z), power)[0][0]
    net = gram.sum(axis=1) - np.diagonal(gram)
    scale = np.max(np.diagonal(gram))
    assert net / scale == pytest.approx(np.array(expected) / scale, abs=CONDITIONED)
    assert np.all(np.sign(power - 0.5) * (1 if slowest else -1) * net >= -CONDITIONED * scale)


def test_T20_ill_conditioned_limit():
    for found, sign in topic.ill_conditioned(20, (1e-4, 1e-6), np.random.default_rng(0)):
        far, near = np.abs(found - sign)
        assert near < 1e-2
        assert far / near == pytest.approx(100, rel=0.2, abs=0) or far > 0.1


@given(SEED, SIZES.filter(lambda sizes: len(sizes) == 2), POWER)
def test_T20_scores_are_odd_in_a_residual(seed, sizes, power):
    blocks, residuals = oracle.full_rank(seed, sizes, 20)
    scores = [least_squares.grams(*padded(blocks, [s * residuals[0], residuals[1]]), power)[1][0] for s in (1, -1)]
    assert scores[0] == pytest.approx(-scores[1], abs=IDENTITY)


@given(SEED, st.lists(st.integers(1, 4), min_size=2, max_size=2))
def test_T20_alignment_by_principal_pairs(seed, sizes):
    blocks, residuals = oracle.full_rank(seed, sizes, 20)
    J, r = padded(blocks, residuals)
    pairs = topic.principal_pairs(J, r)
    product = pairs.first[0] * pairs.second[0]
    alone = [np.linalg.lstsq(block, values, rcond=None)[0] for block, values in zip(blocks, residuals, strict=True)]
    assert topic.own_steps(J, r)[0] == pytest.approx(np.array(alone), abs=CONDITIONED)
    lengths = np.linalg.norm(alone[0]) * np.linalg.norm(alone[1])
    assert np.sum(pairs.cosines[0] * product) / lengths == pytest.approx(alone[0] @ alone[1] / lengths, abs=CONDITIONED)
    v = oracle.directions(blocks, residuals, 1.0)
    scale = np.linalg.norm(v[0]) * np.linalg.norm(v[1])
    expected = -np.sum(pairs.cosines[0] * product / (1 - pairs.cosines[0] ** 2))
    assert v[0] @ v[1] / scale == pytest.approx(expected / scale, abs=CONDITIONED)
    opposed = topic.opposed_residuals(J, r)
    changed = topic.principal_pairs(J, opposed)
    assert np.all(changed.first * changed.second <= CONDITIONED * lengths)
    assert np.abs(changed.second) == pytest.approx(np.abs(pairs.second), rel=CONDITIONED, abs=CONDITIONED)
    values = [opposed[0, i, : sizes[i]] for i in range(2)]
    assert oracle.score(oracle.directions(blocks, values, 1.0)) >= -CONDITIONED


def test_T20_gaussian_rows():
    J = np.random.default_rng([20, 11, 3])
    rows, r = J.standard_normal((topic.GAUSSIAN_CHUNK, 6, 8)), J.standard_normal((topic.GAUSSIAN_CHUNK, 6))
    law = next(law for law in topic.GAUSSIAN if law["m"] == 3)
    raw, newton = topic.gaussian_scores(**law)
    assert len(raw) == len(newton) == law["draws"]
    for k in range(0, topic.GAUSSIAN_CHUNK, 101):
        blocks, residuals = np.split(rows[k], 2), np.split(r[k], 2)
        for power, found in ((0.0, raw), (1.0, newton)):
            assert found[k] == pytest.approx(oracle.score(oracle.directions(blocks, residuals, power)), abs=CONDITIONED)


@pytest.mark.parametrize("deficient", [False, True])
def test_random_problems_keep_their_promises(deficient):
    J, r = least_squares.random_problems(3, 20, np.random.default_rng(3), deficient=deficient)
    for blocks, values in zip(J, r, strict=True):
        singular = np.linalg.svd(least_squares.stacked(blocks), compute_uv=False)
        ranks = [np.linalg.matrix_rank(block, tol=1e-8) for block in blocks]
        assert np.sum(singular > 1e-8) == sum(ranks)
        assert singular[0] <= 1 + ROUNDING
        assert singular[singular > 1e-8][-1] >= 1e-2 - ROUNDING
        used = np.count_nonzero(values, axis=1)
        assert used.tolist() == [rank + deficient for rank in ranks]
        assert all(np.all(block[count:] == 0) for block, count in zip(blocks, used, strict=True))
    assert least_squares.random_problems(2, 1, np.random.default_rng(0), rows=3)[1].shape == (1, 2, 4)


def test_network_against_numpy():
    theta = least_squares.rich_network(np.random.default_rng(1))
    points = np.asarray(least_squares.grid(4))[:, 0]
    assert points == pytest.approx([0.2, 0.4, 0.6, 0.8], abs=ROUNDING)
    J, r = least_squares.linearise(theta, least_squares.grid(4))
    equation, left, right = oracle.network_residuals(theta, points)
    assert r[0] == pytest.approx(equation, abs=1e-4)  # fourth-order differences of step 1e-3, rounding 1e-16 / 1e-6
    assert (r[1, 0], r[2, 0]) == pytest.approx((left, right), abs=IDENTITY)
    assert not np.any(r[1:, 1:])
    direction = np.random.default_rng(2).standard_normal(len(theta)) / 20
    ahead, behind = (least_squares.linearise(theta + s * 1e-5 * direction, least_squares.grid(4))[1] for s in (1, -1))
    assert J @ direction == pytest.approx((ahead - behind) / 2e-5, abs=1e3 * DIFFERENCES)


def test_joined_ends_have_the_gradient_of_their_sum():
    J, r = least_squares.linearise(least_squares.rich_network(np.random.default_rng(1)), least_squares.grid(4))
    joined, values = least_squares.joined_ends(J, r)
    g = np.einsum("nm,nmd->nd", values, joined)
    assert g[0] == pytest.approx(r[0] @ J[0], abs=IDENTITY)
    assert g[1] == pytest.approx(r[1] @ J[1] + r[2] @ J[2], abs=IDENTITY)
