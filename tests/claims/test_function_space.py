"""Claim T23 as properties of drawn linear models and of a small network, against steps in NumPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import gauss_newton as oracle
from tolerances import CONDITIONED, IDENTITY
from topic_contract import TopicContract

from gradalign.claims import function_space as topic
from gradalign.claims._least_squares import grid, linearise, ordinary_network, rich_network

SEED = st.integers(0, 2**32 - 1)
SIZES = st.lists(st.integers(1, 3), min_size=2, max_size=4)
ETA = st.floats(0.01, 1)


class TestTopic(TopicContract):
    topic = topic
    claims = "T23 T23a T23b T23c T23d T23e"
    false_in_general = "T23b"
    measured = (
        "gauss_newton_after residuals_at gauss_newton_paths _bend interference score descent _gauss_newton_step "
        "ordinary_conditions"
    )


def padded(blocks, residuals):
    J, r = np.zeros((len(blocks), 3, 14)), np.zeros((len(blocks), 3))
    for i, (block, values) in enumerate(zip(blocks, residuals, strict=True)):
        J[i, : len(block)], r[i, : len(values)] = block, values
    return J, r


@given(SEED, SIZES, ETA)
def test_T23_all_losses_of_linear_models_decay_at_one_rate(seed, sizes, eta):
    blocks, residuals = oracle.full_rank(seed, sizes, 14)
    # The step as the sum of the directions of the losses
    step = oracle.directions(blocks, residuals, 1.0).sum(axis=0)
    for J, r in zip(blocks, residuals, strict=True):
        assert r - eta * J @ step == pytest.approx((1 - eta) * r, abs=CONDITIONED)


@given(SEED, SIZES)
def test_T20_master_identity_without_interference(seed, sizes):
    blocks, residuals = oracle.full_rank(seed, sizes, 14)
    J, r = padded(blocks, residuals)
    v = oracle.directions(blocks, residuals, 1.0)
    lengths = np.linalg.norm(r, axis=1)
    expected = np.array([[b.T @ values @ w for w in v] for b, values in zip(blocks, residuals, strict=True)])
    assert topic.interference(J, r, 1.0) == pytest.approx(expected / np.outer(lengths, lengths), abs=CONDITIONED)
    assert topic.interference(J, r, 1.0) == pytest.approx(np.eye(len(sizes)), abs=CONDITIONED)
    g = [b.T @ values for b, values in zip(blocks, residuals, strict=True)]
    cosines = [[x @ y / np.linalg.norm(x) / np.linalg.norm(y) for y in g] for x in g]
    assert topic.interference(J, r, 0.0) == pytest.approx(np.array(cosines), abs=IDENTITY)


@given(SEED, SIZES)
def test_T23_descent_for_every_loss(seed, sizes):
    blocks, residuals = oracle.full_rank(seed, sizes, 14)
    effects, ratios = topic.descent(np.concatenate(blocks), np.concatenate(residuals), np.array(sizes))
    step = oracle.directions(blocks, residuals, 1.0).sum(axis=0)
    smallest = np.linalg.svd(np.concatenate(blocks), compute_uv=False)[-1]
    whole = np.sqrt(sum(r @ r for r in residuals))
    for J, r, effect, ratio in zip(blocks, residuals, effects, ratios, strict=True):
        g = J.T @ r
        assert effect == pytest.approx(g @ step / (r @ r), abs=CONDITIONED)
        assert effect == pytest.approx(1, abs=CONDITIONED)
        bound = np.sqrt(r @ r) / whole * smallest / np.linalg.svd(J, compute_uv=False)[0]
        assert ratio == pytest.approx(g @ step / np.linalg.norm(g) / np.linalg.norm(step) / bound, rel=1e-6, abs=0)
        assert ratio >= 1 - CONDITIONED


@given(SEED, SIZES, ETA, st.sampled_from([1e-4, 1e-2, 1.0]))
def test_T23_damped_steps(seed, sizes, eta, damping):
    blocks, residuals = oracle.full_rank(seed, sizes, 14)
    J, r = np.concatenate(blocks), np.concatenate(residuals)
    values, modes = np.linalg.eigh(J @ J.T)
    after = modes.T @ (r - eta * J @ oracle.damped_step(J, r, damping))
    assert after == pytest.approx((1 - eta * values / (values + damping)) * (modes.T @ r), abs=CONDITIONED)


def test_T23_descent_along_the_network():
    start = rich_network(np.random.default_rng([23, topic.BEST]))
    J, r = linearise(start, grid(topic.POINTS))
    rows, values = J.reshape(-1, J.shape[-1]), r.ravel()
    # One step by hand: the least-norm solution of J x = r, by the kernel
    present = np.any(rows != 0, axis=1)
    rows, values = rows[present], values[present]
    step = rows.T @ np.linalg.solve(rows @ rows.T, values)
    losses = topic.gauss_newton_paths()[topic.BEST]
    assert losses[0] == pytest.approx(np.sum(r**2, axis=1) / 2, rel=1e-12, abs=0)
    after = linearise(start - topic.ETA * step, grid(topic.POINTS))[1]
    assert losses[1] == pytest.approx(np.sum(after**2, axis=1) / 2, rel=1e-6, abs=0)
    assert losses[-1] / losses[0] == pytest.approx((1 - topic.ETA) ** (2 * topic.STEPS), rel=0.3, abs=0)


def test_T23_order_of_the_flow():
    start = rich_network(np.random.default_rng([23, topic.BEST]))
    expected = np.exp(-0.5) * linearise(start, grid(topic.POINTS))[1]
    errors = [
        np.linalg.norm(linearise(topic.gauss_newton_flow(start, 0.5, steps), grid(topic.POINTS))[1] - expected)
        for steps in (10, 20)
    ]
    assert errors[0] / errors[1] == pytest.approx(16, rel=0.3, abs=0)


def test_T23_ordinary_networks_are_ill_conditioned():
    found = topic.ordinary_conditions(4)
    J, _ = linearise(ordinary_network(np.random.default_rng([23, 0])), grid(4))
    rows = np.concatenate([J[0], J[1, :1], J[2, :1]])
    singular = np.linalg.svd(rows, compute_uv=False)
    assert found[0] == pytest.approx(np.log10((singular[0] / singular[-1]) ** 2), abs=1e-6)
    assert len(found) == topic.ORDINARY
