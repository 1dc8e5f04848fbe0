"""Claim T37 with few networks, and its gradients against the network in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import initialisation as oracle
from tolerances import CONDITIONED, IDENTITY
from topic_contract import TopicContract

from gradalign.claims import network_initialisation as topic
from gradalign.claims._checks import checked, checks_of
from gradalign.claims._shallow_networks import losses


class TestTopic(TopicContract):
    topic = topic
    claims = "T37"
    measured = "scores"

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def narrow(cls):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(topic, "MEANS", {16: topic.MEANS[16]})
            patch.setattr(topic, "_CHECKS", narrow_checks())
            yield


def narrow_checks():
    """The checks of width 16."""
    return [check for check in checks_of(topic) if check.quantity.endswith("w = 16")]


@pytest.fixture(scope="module")
def found():
    return topic.scores(16, 8)


def flat(layers):
    parts = [np.asarray(layer[name]).ravel() for layer in layers for name in ("kernel", "bias")]
    return np.concatenate(parts)


@pytest.mark.slow
def test_scores_are_those_of_the_network_in_numpy(found):
    params = topic.initial(jax.random.split(jax.random.key(37), 8)[3], 16)
    for name, value in topic.DATA.items():
        problem = topic.problem(np.full(2, value))
        expected = oracle.score(oracle.gradients(oracle.deep((1, 16, 16, 1)), flat(params), *problem))
        assert found[name][3] == pytest.approx(expected, abs=CONDITIONED)


@pytest.mark.slow
def test_losses_are_those_of_the_network_in_numpy():
    layers = topic.initial(jax.random.key(1), 5)
    params = [{**layer, "bias": layer["bias"] + 0.3} for layer in layers]
    problem = topic.problem(np.array([0.2, -1.0]))
    expected = oracle.losses(oracle.deep((1, 5, 5, 1)), flat(params), *problem)
    computed = [float(loss(params)) for loss in losses(topic.network, problem)]
    assert computed == pytest.approx(list(expected), rel=IDENTITY, abs=0)


def test_kernels_are_glorots_and_biases_zero():
    layers = topic.initial(jax.random.key(0), 256)
    variance = 2 / 512
    middle = np.asarray(layers[1]["kernel"])
    assert np.mean(middle**2) == pytest.approx(variance, rel=4 * np.sqrt(2 / middle.size), abs=0)
    outer = np.concatenate([np.ravel(layers[index]["kernel"]) for index in (0, 2)])
    assert np.mean(outer**2) == pytest.approx(2 / 257, rel=4 * np.sqrt(2 / outer.size), abs=0)
    assert all(not jnp.any(layer["bias"]) for layer in layers)


def test_T37_signs_follow_the_data(found):
    assert np.all(found["data 1"] > 0)
    assert np.all(found["data -1"] < 0)
    assert np.any(found["data 0"] > 0)
    assert np.any(found["data 0"] < 0)


def verdicts(monkeypatch, found):
    """The verdicts of width 16 on scores by data."""
    monkeypatch.setattr(topic, "scores", lambda width, seeds: found)
    return [record.verdict for record in checked(narrow_checks())]


def test_T37_records_notice_other_scores(monkeypatch):
    generator = np.random.default_rng(0)
    zero = 0.69 * np.sign(generator.permutation(np.arange(60) - 29.5))
    good = {"data 0": zero, "data 1": np.full(60, 0.523), "data -1": np.full(60, -0.521)}
    assert set(verdicts(monkeypatch, good)) == {"confirmed"}
    swapped = {**good, "data 1": good["data -1"], "data -1": good["data 1"]}
    assert verdicts(monkeypatch, swapped).count("violated") == 4
    biased = {**good, "data 0": np.abs(zero)}
    assert verdicts(monkeypatch, biased).count("violated") >= 2


def test_T37_curves_are_shares(monkeypatch):
    monkeypatch.setattr(topic, "MEANS", {16: topic.MEANS[16]})
    monkeypatch.setattr(topic, "SEEDS", 8)
    curves = topic.curves()
    assert [curve.series for curve in curves] == list(topic.DATA)
    assert all(np.sum(curve.y) == pytest.approx(1, abs=IDENTITY) for curve in curves)
    assert len(narrow_checks()) == 7
