"""Claim T16 as properties of drawn runs, against sign descent and Adam in NumPy and optax."""

from itertools import islice, pairwise

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from oracles import sign_descent as oracle
from tolerances import CONDITIONED, IDENTITY, ROUNDING
from topic_contract import TopicContract

from gradalign.claims import sign_descent as topic
from gradalign.claims._two_modes import MODES, MODES_START
from gradalign.diagnostics.alignment import inter_step_score

SEED = st.integers(0, 2**32 - 1)
ETA = 1e-3
H_STEP = np.sqrt(2) * ETA


class TestTopic(TopicContract):
    topic = topic
    claims = "T16a T16b T16c"
    measured = "score scores sign_step consecutive_scores floors fitted_steps adam_steps"

    def test_adam_is_measured_and_the_fitted_counts_prove_nothing(self, records):
        adam = {record.quantity: record.status for record in records if record.claim == "T16c"}
        assert sorted(adam.values()) == ["consistency"] * 4 + ["observation"] * 4
        assert all(("fitted" in quantity) == (status == "consistency") for quantity, status in adam.items())

    def test_late_scores(self, curves):
        late = {curve.series: curve for curve in curves if curve.quantity == "late score"}
        assert late["sign descent"].y == pytest.approx(np.full(late["sign descent"].x.size, -1.0), abs=ROUNDING)
        rate = 2 * late["Adam"].x[4] / MODES.sum()
        start = oracle.frame(45) @ MODES_START[::-1]
        positions = oracle.adam(oracle.hessian(MODES[1] / MODES[0], 45), start, rate, topic.LATE)
        updates = np.diff(positions, axis=0)[-topic.WINDOW :]
        mean = np.mean([cosine(*pair) for pair in pairwise(updates)])
        assert late["Adam"].y[4] == pytest.approx(mean, abs=1e-3)


_cosine = jax.jit(inter_step_score)


def cosine(one, other):
    return float(_cosine(*(jnp.asarray(np.pad(vector, (0, 8 - len(vector)))) for vector in (one, other))))


@given(SEED, st.integers(1, 8))
def test_T16_sign_flips(seed, d):
    one, other = np.random.default_rng(seed).choice([-1.0, 1.0], (2, d))
    assert cosine(one, other) == pytest.approx(1 - 2 * oracle.flips(one, other), abs=ROUNDING)


@given(SEED, st.floats(2, 300), st.sampled_from([0, 20, 45, 70]))
def test_T16_steps_are_those_of_the_parameters(seed, kappa, degrees):
    position = np.random.default_rng(seed).standard_normal(2)
    H, frame = oracle.hessian(kappa, degrees), oracle.frame(degrees)
    g = H @ frame @ position
    assume(np.min(np.abs(g)) > IDENTITY)
    assert topic.gradients(position[None], np.array([kappa]), degrees)[0] == pytest.approx(g, abs=ROUNDING)
    after = frame.T @ oracle.sign_descent(H, frame @ position, 0.3, 1)[1]
    assert topic.sign_step(position[None], np.array([kappa]), degrees, 0.3)[0] == pytest.approx(after, abs=ROUNDING)
    loss = frame @ position @ H @ frame @ position / 2
    assert topic.losses(position[None], np.array([kappa]))[0] == pytest.approx(loss, rel=IDENTITY, abs=0)


@given(st.floats(3, 200), st.floats(0.02, 0.98), st.floats(-0.98, 0.98), st.sampled_from([-1, 1]))
def test_T16_stall_set_is_invariant(kappa, share, height, sign):
    a = share * H_STEP
    b = height * kappa * min(a, H_STEP - a)
    frame = oracle.frame(45)
    trajectory = oracle.sign_descent(oracle.hessian(kappa, 45), frame @ np.array([sign * a, b]), ETA, 40) @ frame
    assert trajectory[:, 1] == pytest.approx(np.full(41, b), abs=IDENTITY)
    other = sign * (a - H_STEP)
    assert trajectory[:, 0] == pytest.approx(np.where(np.arange(41) % 2, other, sign * a), abs=IDENTITY)
    assert cosine(trajectory[-2] - trajectory[-1], trajectory[-3] - trajectory[-2]) == pytest.approx(
        -1, abs=CONDITIONED
    )


@given(st.floats(5, 200), st.floats(1, 20), st.floats(0, 20))
def test_T16_stall(kappa, a, b):
    frame = oracle.frame(45)
    start = frame @ np.array([a, kappa / 2 + b]) * H_STEP
    end = oracle.sign_descent(oracle.hessian(kappa, 45), start, ETA, 200)[-1] @ frame / H_STEP
    m = min(abs(end[0]), 1 - abs(end[0]))
    assume(kappa * m > 1.001)
    assert kappa * m - 1 - CONDITIONED < end[1] <= kappa * m + CONDITIONED
    assert topic.phase(end[:1] * H_STEP)[0] == pytest.approx(m * H_STEP, abs=IDENTITY)


@pytest.mark.parametrize(("degrees", "kappa"), [(0, 10.0), (0, 300.0), (45, 10.0), (45, 300.0)])
def test_T16_floors_are_mean_losses_of_the_last_cycle(degrees, kappa):
    generator = np.random.default_rng([16, 3, degrees])
    starts = generator.uniform(0.5, 1, (topic.CONDITIONS.size * topic.STARTS, 2))
    row = list(topic.CONDITIONS).index(kappa)
    H, frame = oracle.hessian(kappa, degrees), oracle.frame(degrees)
    end = oracle.sign_descent(H, frame @ starts[row * topic.STARTS], topic.ETA, topic.FLOOR_STEPS + 1)[-2:]
    expected = np.mean([theta @ H @ theta / 2 for theta in end])
    assert topic.floors(degrees)[row, 0] == pytest.approx(expected, rel=1e-6, abs=0)


@pytest.mark.parametrize("degrees", [0, 45])
def test_T16_adam_is_adam(degrees):
    H, frame, rate = oracle.hessian(50.0, degrees), oracle.frame(degrees), 0.1
    start = frame @ np.array([1.0, 0.5])
    expected = oracle.adam(H, start, rate, 60)
    runs = islice(topic.adam(np.array([[1.0, 0.5]]), np.array([50.0]), degrees, np.array([rate])), 60)
    found = np.array([position[0] for position, _ in runs])
    assert found @ frame == pytest.approx(expected, abs=CONDITIONED)
    optimiser = optax.adam(rate)
    theta = jnp.asarray(start)
    state = optimiser.init(theta)
    step = jax.jit(optimiser.update)
    for _ in range(20):
        with jax.numpy_dtype_promotion("standard"):  # optax itself mixes integer counts with floats
            change, state = step(jnp.asarray(H) @ theta, state)
        theta = theta + change
    assert expected[19] == pytest.approx(np.asarray(theta), abs=CONDITIONED)


def test_T16_adam_never_there_is_nan(monkeypatch):
    monkeypatch.setattr(topic, "ADAM_LIMIT", 10)
    assert np.isnan(topic.fitted_steps(45, 1e4))
    assert np.isnan(topic.adam_steps(45, 1e4))
    monkeypatch.setattr(topic, "ADAM_LIMIT", 82)
    assert topic.fitted_steps(0, 1e4) == 82


def test_T16_a_best_step_size_at_an_end_is_no_result(monkeypatch):
    assert topic.ADAM_STEPS[45, 1e2] == pytest.approx(topic.adam_steps(45, 1e2), rel=1e-3, abs=0)
    for rates in (np.logspace(-1.5, -0.5, 5), np.logspace(0, 1, 5)):  # the best one is between these
        monkeypatch.setattr(topic, "ADAM_RATES", rates)
        assert np.isnan(topic.adam_steps(45, 1e2))


@pytest.mark.parametrize(("degrees", "kappa"), [(0, 1e4), (45, 1e2)])
def test_T16_steps_of_adam_are_those_of_the_oracle(degrees, kappa):
    rates, frame, H = np.array([0.08, 0.5]), oracle.frame(degrees), oracle.hessian(kappa, degrees)
    starts = np.array([[0.9, 0.6], [0.7, 0.8]])
    found = topic.steps_to_target(starts, degrees, kappa, rates)
    for start, rate, count in zip(starts, rates, found, strict=True):
        run = oracle.adam(H, frame @ start, rate, int(count))
        target = 1e-8 * frame @ start @ H @ frame @ start
        loss = np.einsum("ti,ij,tj->t", run, H, run)
        assert loss[-1] < target <= np.min(loss[:-1])


def test_T16_larger_step_sizes_need_fewer_steps_than_the_fitted_ones():
    start, rates = np.ones((2, 2)), 10 ** np.array([-0.325, 0.2])
    for kappa, expected in ((1e2, 121), (1e4, 1757)):
        found = np.min(topic.steps_to_target(start, 45, kappa, rates))
        assert found == pytest.approx(expected, rel=0.005, abs=0)  # roundings grow over a thousand steps
        assert topic.fitted_steps(45, kappa) == topic.FITTED_STEPS[45, kappa] > expected
