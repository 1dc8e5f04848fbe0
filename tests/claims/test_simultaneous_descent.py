"""Claim T21 as properties of drawn quadratics with a shared minimiser, loss by loss."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from oracles import simultaneous_descent as oracle
from tolerances import CONDITIONED, IDENTITY, INVERSE_ROOTS, LEADING_ORDER, NEAR_ANTIPARALLEL
from topic_contract import TopicContract

from gradalign.claims import simultaneous_descent as topic

SEED = st.integers(0, 2**32 - 1)
COUNT = st.integers(2, 4)
SIZE = st.integers(2, 6)
RANK = st.integers(1, 3)


class TestTopic(TopicContract):
    topic = topic
    claims = "T21a T21b T21c T21d T21e T21f"
    false_in_general = "T21a T21c"
    measured = "gradients losses directions scores score misalignments batched newton_effect first_order_effects"


def padded(H, e):
    """Zeros to (1, n, 6, 6) and (1, 6): one program for all sizes."""
    gap = topic.SIZE - len(e)
    return np.pad(H, ((0, 0), (0, gap), (0, gap)))[None], np.pad(e, (0, gap))[None]


@given(SEED, COUNT, SIZE, RANK, st.floats(0.05, 0.95))
def test_T21_equal_rates_and_h_metric(seed, n, d, rank, eta):
    H, e = oracle.curvatures(seed, n, d, min(rank, d))
    values = np.linalg.eigvalsh(H.sum(axis=0))
    assume(values[values > 1e-10][0] > 1e-3)
    assume(min(x @ e for x in H @ e) > 1e-3)
    steps = topic.directions(*padded(H, e), 1.0)[0, :, :d]
    step = steps.sum(axis=0)
    assert step == pytest.approx(oracle.power(H.sum(axis=0), -1.0) @ H.sum(axis=0) @ e, abs=INVERSE_ROOTS)
    for i, Hi in enumerate(H):
        loss = e @ Hi @ e / 2
        assert (Hi @ e) @ step == pytest.approx(2 * loss, rel=1e-7, abs=0)
        after = e - eta * step
        assert after @ Hi @ after / 2 == pytest.approx((1 - eta) ** 2 * loss, rel=1e-6, abs=0)
        assert topic.losses(*padded(H, e))[0, i] == pytest.approx(loss, rel=1e-12, abs=0)
        assert topic.gradients(*padded(H, e))[0, i, :d] == pytest.approx(Hi @ e, abs=IDENTITY)


@given(SEED, SIZE, RANK)
def test_T21_two_whitened_losses_never_conflict(seed, d, rank):
    H, e = oracle.curvatures(seed, 2, d, min(rank, d))
    values = np.linalg.eigvalsh(H.sum(axis=0))
    assume(values[values > 1e-10][0] > 1e-3)
    assume(np.min(np.linalg.norm(H @ e, axis=1)) > 1e-3)
    v = topic.directions(*padded(H, e), 0.5)[0, :, :d]
    root = oracle.power(H.sum(axis=0), -0.5)
    assert v == pytest.approx(np.array([root @ Hi @ e for Hi in H]), abs=INVERSE_ROOTS)
    assert oracle.cosine(*v) >= -INVERSE_ROOTS


@given(st.floats(0.05, 3.09))
def test_T21_newton_turns_agreement_into_conflict(angle):
    H, e = topic.two_valleys(angle)
    assert oracle.cosine(*topic.directions(H, e, 0.0)[0]) == pytest.approx(np.cos(angle), abs=CONDITIONED)
    assert oracle.cosine(*topic.directions(H, e, 0.5)[0]) == pytest.approx(0, abs=INVERSE_ROOTS)
    assert oracle.cosine(*topic.directions(H, e, 1.0)[0]) == pytest.approx(-np.cos(angle), abs=NEAR_ANTIPARALLEL)


@pytest.mark.parametrize(("delta", "printed"), [(0.3, -0.437), (0.1, -0.680), (0.03, -0.750), (0.01, -0.769)])
def test_T21_three_whitened_losses_may_conflict(delta, printed):
    H, e = topic.conflicting_triple(delta)
    assert H[0].sum(axis=0) == pytest.approx(np.eye(2), abs=IDENTITY)
    assert min(np.linalg.eigvalsh(Hi)[0] for Hi in H[0]) > -IDENTITY
    assert oracle.score(H[0] @ e[0]) == pytest.approx(printed, abs=5e-4)  # half a unit of the last printed digit
    assert oracle.score(topic.directions(H, e, 0.5)[0]) == pytest.approx(oracle.score(H[0] @ e[0]), abs=IDENTITY)


@given(SEED, COUNT, SIZE, st.floats(-1, 1.5))
def test_T21_commuting_curvatures_never_conflict(seed, n, d, exponent):
    generator = np.random.default_rng(seed)
    Q = np.linalg.qr(generator.standard_normal((d, d)))[0]
    H = np.array([(Q * generator.uniform(0.1, 1, d)) @ Q.T for _ in range(n)])
    v = topic.directions(*padded(H, generator.standard_normal(d)), exponent)[0]
    assert min(oracle.cosine(x, y) for x in v for y in v) >= -IDENTITY


@given(SEED, SIZE)
def test_T21_parallel_newton_directions(seed, d):
    H, e = oracle.curvatures(seed, 1, d, d)
    D, _ = oracle.curvatures(seed + 1, 1, d, d)
    De = D[0] @ e
    assume(np.linalg.norm(e) > 0.1)
    pair = np.stack([H[0], H[0] + D[0] - np.outer(De, De) / (e @ De)])
    assert oracle.score(topic.directions(*padded(pair, e), 1.0)[0]) == pytest.approx(1, abs=CONDITIONED)
    shares = np.array([0.2, 1.0, 3.0])[:, None, None] * H
    assert oracle.score(topic.directions(*padded(shares, e), 1.0)[0]) == pytest.approx(1, abs=CONDITIONED)


@given(SEED, SIZE)
def test_T21_smooth_losses(seed, d):
    H, direction = oracle.curvatures(seed, 3, d, d)
    T = np.random.default_rng(seed).standard_normal((3, d, d, d))
    orders = ((0, 1, 2, 3), (0, 1, 3, 2), (0, 2, 1, 3), (0, 2, 3, 1), (0, 3, 1, 2), (0, 3, 2, 1))
    T = sum(T.transpose(order) for order in orders) / 6
    e = 1e-5 * direction / np.linalg.norm(direction)
    effect, doubled = topic.newton_effect(H, T, e)
    gradient = [Hi @ e + Ti @ e @ e / 2 for Hi, Ti in zip(H, T, strict=True)]
    hessian = sum(Hi + Ti @ e for Hi, Ti in zip(H, T, strict=True))
    step = np.linalg.solve(hessian, sum(gradient))
    assert effect == pytest.approx(np.array([g @ step for g in gradient]), rel=1e-9, abs=0)
    assert doubled == pytest.approx(np.array([e @ Hi @ e for Hi in H]), rel=1e-9, abs=0)
    assert effect == pytest.approx(doubled, rel=LEADING_ORDER, abs=0)


def test_T21_probability_that_gradient_descent_raises_a_loss():
    # q_1 along the first axis; the share of angles (phi, alpha) on a fine grid
    phi, alpha = np.meshgrid(*((np.arange(n) + 0.5) * np.pi / n for n in (1009, 1511)), indexing="ij")
    x, y, c = np.cos(alpha), np.cos(alpha - phi), np.cos(phi)
    share = np.mean((x * x + x * y * c < 0) | (y * y + x * y * c < 0))
    assert share == pytest.approx(4 / np.pi**2 * (1 / 3 + 1 / 243 + 1 / 6075 + 1 / 107163), abs=1e-4)
