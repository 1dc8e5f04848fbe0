"""Claim T38 against losses, expectations and draws in NumPy."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from oracles import initialisation as oracle
from tolerances import CONDITIONED, IDENTITY, ROUNDING, STANDARD_ERRORS
from topic_contract import TopicContract

from gradalign.claims import coin_flip as topic

SEED = st.integers(0, 2**32 - 1)
ANGLES = st.floats(0, 2 * np.pi)
DATUM = st.floats(-2, 2).filter(lambda value: abs(value) > 0.05)
BIAS = st.sampled_from([0.0, 0.5, 1.0])
M1, M2 = 0.5, 65 / 192  # means of x and x^2 over j/32, j = 0..32


@pytest.mark.slow
class TestTopic(TopicContract):
    topic = topic
    claims = "T38"
    false_in_general = "T38"
    measured = "shallow_gradients scores direction_scores limit_constant limit_law"


@given(SEED, st.integers(1, 30), st.floats(0.05, 2))
def test_T38_laplace_coin_flip(seed, M, right):
    parameters = 1e-3 * next(iter(topic.initial_parameters(np.random.default_rng(seed), 1, M, 0.0)))
    flipped = parameters * np.array([[-1], [1], [1]])
    found = topic.direction_scores(topic.gradients_at([parameters, flipped], topic.laplace((0.0, right))))
    a, w, _ = parameters
    sign = -np.sign(np.sum(a * w**3))
    assume(abs(np.sum(a * w**3)) > 1e-3 * np.sum(np.abs(a * w**3)))
    for scores in found.values():
        assert scores[0] == pytest.approx(-scores[1], abs=IDENTITY)
        assert np.sign(scores[0]) == sign
    assert found["sign"] == pytest.approx([sign, -sign], abs=ROUNDING)


@given(SEED, st.integers(1, 4), DATUM, BIAS)
def test_T38_small_parameters(seed, M, left, bias):
    (parameters,) = topic.initial_parameters(np.random.default_rng(seed), 1, M, bias)
    problem = topic.laplace((left, 1.0))
    a, w, b = parameters
    limit = oracle.small_tanh_gradients(a, w, b, np.sum(a * w**3), np.sum(a * w**2 * b), M1, M2, (left, 1.0))
    found = topic.small_gradients(parameters, problem)
    assert found == pytest.approx(np.array(limit), rel=CONDITIONED, abs=IDENTITY)
    small = 1e-7 * parameters
    case = (problem.boundary, problem.values, problem.points[::4], problem.source[::4])
    exact = oracle.gradients(oracle.shallow(oracle.tanh, 1.0), small, *case)
    m1, m2 = np.mean(case[2]), np.mean(case[2] ** 2)
    limit = oracle.small_tanh_gradients(a, w, b, np.sum(a * w**3), np.sum(a * w**2 * b), m1, m2, (left, 1.0))
    for one, other in zip(exact, limit, strict=True):
        direction, expected = (np.ravel(part) / np.linalg.norm(part) for part in (one, other))
        assert direction == pytest.approx(expected, abs=1e-6)  # s^2 over a sum that may nearly cancel


def test_points_have_the_stated_moments():
    assert topic.slopes(1.0, 0.0) == pytest.approx((M2, M1), abs=ROUNDING)
    assert topic.slopes(0.0, 1.0) == pytest.approx((M1, 1), abs=ROUNDING)


@given(ANGLES, DATUM, DATUM, BIAS, st.sampled_from(["GD", "UV^T"]))
def test_T38_wide_networks_by_quadrature(angle, left, right, bias, name):
    assume(abs(left + right) > 0.05)
    alpha, beta = np.sqrt(15) * np.cos(angle), bias * np.sqrt(3) * np.sin(angle)
    p, q = topic.slopes(alpha, beta)
    assume(min(abs(p), abs(q)) > 1e-3)
    expected = oracle.wide_score(name, alpha, beta, M1, M2, (left, right), bias)
    found = topic.wide_score(name, np.array([p]), np.array([q]), (left, right), bias)
    assert found[0] == pytest.approx(expected, abs=CONDITIONED)


@pytest.mark.parametrize("bias", [0.0, 1.0])
@pytest.mark.parametrize("data", [(0.0, 1.0), (0.4, -1.0), (-2.0, 1.0)])
def test_T38_signs_of_wide_networks(bias, data):
    a, w, b = np.random.default_rng(38).standard_normal((3, 200_000))
    alpha, beta = 1.3, 0.9 * bias
    boundary, equation = oracle.small_tanh_gradients(a, w, bias * b, alpha, beta, M1, M2, data)
    found = np.mean([np.sign(one) * np.sign(other) for one, other in zip(boundary, equation, strict=True)], axis=0)
    p, q = topic.slopes(alpha, beta)
    expected = topic.wide_score("sign", np.array([p]), np.array([q]), data, bias)[0]
    assert found.mean() == pytest.approx(expected, abs=STANDARD_ERRORS / np.sqrt(found.size))


@given(DATUM, DATUM)
def test_T38_two_values(left, right):
    total = left + right
    assume(abs(total) > 0.05)
    product = 6 * right * M2 + total * M1
    expected = product / np.sqrt((2 * right**2 + total**2) * (42 * M2**2 + 3 * M1**2))
    assert topic.limit_constant("GD", (left, right)) == pytest.approx(expected, abs=IDENTITY)
    signs = np.sign([right, right, total])
    assert topic.limit_constant("sign", (left, right)) == pytest.approx(np.mean(signs), abs=IDENTITY)
    blocks = signs * np.array([3 / np.sqrt(15), 1 / np.sqrt(3), 1 / np.sqrt(3)])
    assert topic.limit_constant("UV^T", (left, right)) == pytest.approx(np.mean(blocks), abs=IDENTITY)


def test_T38_random_biases_have_a_law():
    generator = np.random.default_rng(3)
    alpha, beta = np.sqrt(15) * generator.standard_normal(100_000), np.sqrt(3) * generator.standard_normal(100_000)
    p, q = alpha * M2 + beta * M1, alpha * M1 + beta
    g0, g1 = 0.5, 1.0
    draws = -(6 * g1 * p + 2 * (g0 + g1) * q) / np.sqrt((2 * g0**2 + 4 * g0 * g1 + 4 * g1**2) * (42 * p**2 + 10 * q**2))
    law = topic.limit_law("GD", (g0, g1), 1.0)
    for power in (1, 2, 4):
        sample = np.abs(draws) ** power
        error = STANDARD_ERRORS * sample.std() / np.sqrt(sample.size)
        assert np.mean(np.abs(law) ** power) == pytest.approx(sample.mean(), abs=error)
    assert np.std(np.abs(topic.limit_law("GD", (g0, g1), 0.0))) < ROUNDING
