"""Claim T22 as properties of drawn quadratics and preconditioners."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from oracles import compromise as oracle
from tolerances import CONDITIONED, LEADING_ORDER, ROUNDING
from topic_contract import TopicContract

from gradalign.claims import compromise as topic
from gradalign.claims._batches import misaligned, score
from gradalign.diagnostics.matrices import random_orthogonal, random_positive_definite

SEED = st.integers(0, 2**32 - 1)
SIZE = st.integers(2, 6)
COUNT = st.integers(2, 4)


class TestTopic(TopicContract):
    topic = topic
    claims = "T22a T22b"
    false_in_general = "T22a"
    measured = "score scores misalignments"


def problem(seed, n, d):
    generator = np.random.default_rng(seed)
    hessians = [random_positive_definite(generator, d, 20.0) for _ in range(n)]
    minimisers = generator.standard_normal((n, d))
    P = random_orthogonal(generator, d) * np.exp(generator.uniform(-2, 2, d)) @ random_orthogonal(generator, d)
    return generator, hessians, minimisers, P


@given(SEED, COUNT, SIZE)
def test_T22_stationary_bound(seed, n, d):
    _, hessians, minimisers, P = problem(seed, n, d)
    theta = oracle.minimum(hessians, minimisers)
    gradients = np.stack([H @ (theta - other) for H, other in zip(hessians, minimisers, strict=True)])
    assume(np.min(np.linalg.norm(gradients, axis=1)) > 1e-3)
    np.testing.assert_allclose(gradients.sum(axis=0), 0, atol=CONDITIONED)
    directions = gradients @ P.T
    found = score(directions)
    assert found == pytest.approx(oracle.score(directions), abs=CONDITIONED)
    assert found <= oracle.bound(n) + CONDITIONED
    assert float(topic.cancellation_bound(n)) == pytest.approx(oracle.bound(n), abs=ROUNDING)
    if n == 2:
        assert found == pytest.approx(-1, abs=CONDITIONED)


@given(SEED, COUNT, SIZE, st.floats(-3, 0.5))
def test_T22_near_a_compromise(seed, n, d, exponent):
    generator, hessians, minimisers, P = problem(seed, n, d)
    theta = oracle.minimum(hessians, minimisers) + 10.0**exponent * generator.standard_normal(d)
    directions = np.stack([P @ H @ (theta - other) for H, other in zip(hessians, minimisers, strict=True)])
    lengths = [np.linalg.norm(v) for v in directions]
    epsilon = np.linalg.norm(sum(directions)) / max(lengths)
    assert float(topic.imbalances(directions[None])[0]) == pytest.approx(epsilon, abs=CONDITIONED)
    assume(epsilon <= 1)
    assert float(topic.cancellation_bound(n, epsilon)) == pytest.approx(oracle.bound(n, epsilon), abs=ROUNDING)
    assert score(directions) <= oracle.bound(n, epsilon) + CONDITIONED


@pytest.mark.parametrize(("n", "expected"), [(2, -1), (3, -7 / 9), (4, -1 / 2)])
def test_T22_bound_is_attained_and_not_exceeded_nearby(n, expected):
    u = np.array([1.0, 2.0, -1.0])
    vectors = np.stack([u] * (n - 1) + [-(n - 1) * u])
    assert score(vectors) == pytest.approx(expected, abs=ROUNDING)
    assert oracle.bound(n) == pytest.approx(expected, abs=ROUNDING)
    assert oracle.bound(n, 1.0) == pytest.approx(1, abs=ROUNDING)


@given(SEED, SIZE, st.floats(0.1, 3), st.floats(0.1, 10))
def test_T22_thales(seed, d, distance, factor):
    generator, hessians, minimisers, _ = problem(seed, 2, d)
    proportional = np.stack([hessians[0], factor * hessians[0]])
    radius = np.linalg.norm(minimisers[1] - minimisers[0]) / 2
    assume(radius > 0.1)
    assume(abs(distance - 1) > 1e-3)
    offset = generator.standard_normal(d)
    theta = minimisers.mean(axis=0) + distance * radius * offset / np.linalg.norm(offset)
    directions = topic.newton_directions(theta[None], minimisers, proportional)
    np.testing.assert_allclose(directions, oracle.newton(theta, proportional, minimisers), atol=CONDITIONED)
    assert score(directions) == pytest.approx(oracle.angle_cosine(theta, *minimisers), abs=CONDITIONED)
    assert (score(directions) < 0) == (distance < 1)


@given(SEED, SIZE, st.floats(0.05, 0.95))
def test_T22_on_the_line_of_both_minimisers(seed, d, share):
    _, hessians, minimisers, _ = problem(seed, 2, d)
    difference = minimisers[1] - minimisers[0]
    assume(np.linalg.norm(difference) > 0.1)
    proportional = np.stack([hessians[0], 2 * hessians[0]])
    between = topic.newton_directions((minimisers[0] + share * difference)[None], minimisers, proportional)
    beyond = topic.newton_directions((minimisers[1] + share * difference)[None], minimisers, proportional)
    assert misaligned(between[0], -between[1]) < CONDITIONED
    assert misaligned(*beyond) < CONDITIONED


@given(SEED, st.integers(2, 6))
def test_T22_far_field(seed, d):
    generator, hessians, minimisers, _ = problem(seed, 2, d)
    proportional = np.stack([hessians[0], 2 * hessians[0]])
    way = generator.standard_normal(d)
    way /= np.linalg.norm(way)
    difference = minimisers[1] - minimisers[0]
    across = difference - (difference @ way) * way
    assume(np.linalg.norm(across) > 0.1 * np.linalg.norm(difference))
    distance = 1e4 * np.linalg.norm(difference)
    found = misaligned(*topic.newton_directions((minimisers[0] + distance * way)[None], minimisers, proportional))
    assert found == pytest.approx(across @ across / (2 * distance**2), rel=LEADING_ORDER, abs=0)


def test_T22_random_compromises_cancel():
    for n in (2, 3, 4):
        directions = topic.compromises(np.random.default_rng(n), n, 50)
        np.testing.assert_allclose(topic.imbalances(directions), 0, atol=CONDITIONED)
        near = topic.imbalances(topic.near_compromises(np.random.default_rng(n), n, 50))
        assert near.size > 10
        assert np.all((near >= 1e-3) & (near <= 1))
