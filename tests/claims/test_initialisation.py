"""Claims T34-T36 against the losses and kernels in NumPy."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import initialisation as oracle
from tolerances import CONDITIONED, DIFFERENCES, IDENTITY, ROUNDING, STANDARD_ERRORS
from topic_contract import TopicContract

from gradalign.claims import _shallow_networks as shallow_networks
from gradalign.claims import initialisation as topic

SEED = st.integers(0, 2**32 - 1)
LENGTHS = st.floats(0.4, 2)


@pytest.mark.slow
class TestTopic(TopicContract):
    topic = topic
    claims = "T34 T35 T36"
    measured = (
        "zero_data_gradients shallow_gradients feature_scores finite_output_scores small_output_scores "
        "two_point_scores zero_data_law limit_score"
    )


def problem(seed, boundary=2, inner=4):
    generator = np.random.default_rng(seed)
    points = generator.uniform(-1, 1, boundary + inner)
    values, source = generator.standard_normal(boundary), generator.standard_normal(inner)
    return shallow_networks.Poisson(points[:boundary], values, points[boundary:], source)


@given(SEED, st.integers(1, 5), st.sampled_from(["cosine", "tanh"]), st.floats(0.1, 2))
def test_gradients_of_shallow_networks(seed, M, name, scale):
    parameters = np.random.default_rng(seed).standard_normal((3, M))
    case = problem(seed)
    network = oracle.shallow(getattr(oracle, name), scale)
    found = shallow_networks.shallow_gradients(
        parameters, case, getattr(shallow_networks, f"{name}_derivatives"), scale
    )
    assert found == pytest.approx(oracle.gradients(network, parameters, *case), rel=CONDITIONED, abs=IDENTITY)


def test_losses_of_any_network():
    parameters, case = np.random.default_rng(0).standard_normal((3, 7)), problem(1)
    expected = oracle.losses(oracle.shallow(oracle.tanh, 0.5), parameters, *case)
    found = [
        loss(jnp.asarray(parameters))
        for loss in shallow_networks.losses(shallow_networks.shallow_network(jnp.tanh, 0.5), case)
    ]
    assert np.array(found) == pytest.approx(expected, rel=IDENTITY, abs=0)


def test_T34_only_an_exactly_zero_network_has_no_score():
    w, phase = topic.draw_features(np.random.default_rng(0), 1, 30)
    network = oracle.shallow(oracle.cosine, 30**-0.5)
    case = problem(2)._replace(values=np.zeros(2))
    silent = np.stack([np.zeros(30), w[0], phase[0]])
    assert np.all(oracle.gradients(network, silent, *case)[0] == 0)
    gradients = shallow_networks.shallow_gradients(silent, case, shallow_networks.cosine_derivatives, 30**-0.5)
    assert np.all(gradients[0] == 0)
    assert np.any(gradients[1] != 0)
    with np.errstate(invalid="ignore"):
        assert np.isnan(shallow_networks.gram_scores(shallow_networks.gram(gradients.reshape(1, 2, -1)))[0])
    loud = silent + np.array([[1e-9], [0], [0]])
    gradients = shallow_networks.shallow_gradients(loud, case, shallow_networks.cosine_derivatives, 30**-0.5)
    assert np.isfinite(shallow_networks.gram_scores(shallow_networks.gram(gradients.reshape(1, 2, -1)))[0])


@given(SEED, st.integers(2, 10), st.integers(1, 3))
def test_T35_output_flip_antisymmetry(seed, M, boundary):
    case = problem(seed, boundary)._replace(values=np.zeros(boundary))
    generator = np.random.default_rng(seed)
    w, phase = topic.draw_features(generator, 3, M)
    c = generator.standard_normal((3, M))
    scores = []
    for sign in (1, -1):
        output = topic.boundary_output(w, phase, sign * c, case.boundary)
        scores.append(topic.small_output_scores(w, phase, {"zero": output}, case)["zero"])
    assert scores[0] == pytest.approx(-scores[1], abs=ROUNDING)
    parameters = np.stack([1e-12 * c[0], w[0], phase[0]])
    expected = oracle.score(oracle.gradients(oracle.shallow(oracle.cosine, M**-0.5), parameters, *case))
    assert scores[0][0] == pytest.approx(expected, abs=DIFFERENCES)  # A - A_0 is of the order of the output


def test_T35_the_score_differs_from_its_limit_by_the_order_of_the_output():
    near, limit = topic.finite_output_scores(np.array([1e-3, 1e-5]), np.zeros(2))
    errors = np.abs(near - limit).mean(axis=1)
    assert errors[0] / errors[1] == pytest.approx(100, rel=0.02)


@given(SEED, LENGTHS, st.integers(1, 3))
def test_T35_limit_law(seed, length, boundary):
    case = problem(seed, boundary)._replace(boundary=np.linspace(-2, 2, 3)[:boundary])
    matrices = oracle.kernel_matrices(case.boundary, case.points, length)
    z = np.random.default_rng(seed).standard_normal((50, boundary))
    expected = oracle.law(z @ np.linalg.cholesky(matrices[0]).T, case.source, matrices)
    found = topic.zero_data_law(case, length, z)
    assert found == pytest.approx(expected, abs=CONDITIONED)
    assert topic.zero_data_law(case, length, -3 * z) == pytest.approx(-found, abs=IDENTITY)
    assert np.max(np.abs(found)) <= 1
    if boundary == 1:
        assert np.abs(found) == pytest.approx(np.full(50, abs(found[0])), abs=IDENTITY)


def test_T35_wide_networks_follow_the_law():
    case = topic.EXAMPLE._replace(boundary=np.array([0.0, 0.2]))  # correlated boundary values
    generator = np.random.default_rng(35)
    w, phase = topic.draw_features(generator, 1000, 1000)
    output = topic.boundary_output(w, phase, generator.standard_normal(w.shape), case.boundary)
    assert np.cov(output.T)[0, 1] == pytest.approx(shallow_networks.kernel(np.array(0.2), topic.LENGTH)[0], abs=0.15)
    squares = topic.small_output_scores(w, phase, {"zero": output}, case)["zero"] ** 2
    limit = topic.zero_data_law(case, topic.LENGTH, topic.CIRCLE) ** 2
    error = STANDARD_ERRORS * squares.std() / np.sqrt(squares.size)
    assert squares.mean() == pytest.approx(limit.mean(), abs=error)
    assert error < 0.4 * limit.mean()


@given(st.floats(-3, 3), LENGTHS)
def test_T36_kernel_of_gaussian_features(t, length):
    expected = oracle.kernels(t * length, length)
    scale = length ** np.array([0, 2, 4])
    assert np.array(shallow_networks.kernel(np.array(t * length), length)) * scale == pytest.approx(
        np.array(expected) * scale, abs=CONDITIONED
    )


@given(SEED, LENGTHS)
def test_T36_limit_with_data(seed, length):
    case = problem(seed)._replace(boundary=np.array([-1.5, 1.5]))
    matrices = oracle.kernel_matrices(case.boundary, case.points, length)
    found = topic.limit_score(case, length)
    assert found == pytest.approx(-oracle.law(case.values, case.source, matrices), abs=CONDITIONED)
    assert topic.limit_score(case._replace(values=-case.values), length) == pytest.approx(-found, abs=ROUNDING)


def test_T36_wide_networks_reach_the_limit():
    case, M = problem(4), 20_000
    generator = np.random.default_rng(36)
    w, phase = topic.draw_features(generator, 40, M)
    found = topic.small_output_scores(w, phase, {"data": -case.values}, case)["data"]
    error = STANDARD_ERRORS * np.std(found) / np.sqrt(found.size)
    assert np.mean(found) == pytest.approx(topic.limit_score(case, topic.LENGTH), abs=error)
    parameters = np.stack([1e-12 * np.ones(6), w[0, :6], phase[0, :6]])
    small = topic.small_output_scores(w[:1, :6], phase[:1, :6], {"data": -case.values}, case)["data"][0]
    expected = oracle.score(oracle.gradients(oracle.shallow(oracle.cosine, 6**-0.5), parameters, *case))
    assert small == pytest.approx(expected, abs=CONDITIONED)


@given(st.floats(0, 4))
def test_T36_two_points(t):
    matrices = oracle.kernel_matrices(np.zeros(1), np.array([t]), 1.0)
    expected = -oracle.law(np.ones(1), np.ones(1), matrices)
    assert float(topic.two_point_limit(np.array(t))) == pytest.approx(expected, abs=CONDITIONED)
    assert (expected > CONDITIONED) <= (t < 1)


@pytest.mark.parametrize(("draw", "kurtosis"), [("normal", 3), ("logistic", 4.2), ("uniform", 1.8)])
def test_T36_coincident_points_show_the_kurtosis(draw, kurtosis):
    generator = np.random.default_rng(1)
    # uniform on [-1, 1]; the other two have their location and their scale
    w = getattr(generator, draw)(*((-1, 1) if draw == "uniform" else (0, 1)), (20, 20_000))
    point = shallow_networks.Poisson(np.zeros(1), np.ones(1), np.zeros(1), np.ones(1))
    phase = generator.uniform(0, 2 * np.pi, w.shape)
    found = topic.small_output_scores(w, phase, {"data": -point.values}, point)["data"]
    assert np.mean(found) == pytest.approx(kurtosis**-0.5, abs=0.01)
