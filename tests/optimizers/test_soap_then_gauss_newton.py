"""The hand-over from SOAP to Gauss-Newton: which method makes each step, and when SOAP ends."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gradalign.optimizers import gauss_newton, soap
from gradalign.optimizers._objective import Objective
from gradalign.optimizers.soap_then_gauss_newton import Settings, method

SOAP = soap.Settings(learning_rate=0.01)
POINTS = {"fit": jnp.asarray(np.random.default_rng(0).normal(size=(12, 3)))}


def objective():
    def residuals(params, points):
        hidden = jnp.tanh(points["fit"][:, :2] @ params["in"])
        return {"fit": hidden @ params["out"] - points["fit"][:, 2]}

    return Objective({"fit": jnp.ones(())}, residuals)


def start():
    generator = np.random.default_rng(1)
    return {"in": jnp.asarray(generator.normal(size=(2, 3))), "out": jnp.asarray(generator.normal(size=3))}


def run(steps, **settings):
    chosen = method(Settings(soap=SOAP, **settings), steps)
    params = start()
    state, step = chosen.init(params), jax.jit(chosen.step)
    log = []
    for _ in range(steps):
        params, state, metrics = step(objective(), params, state, POINTS)
        log.append({name: float(value) for name, value in metrics.items()})
    return params, state, log


def same(one, other):
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


@pytest.mark.slow
def test_before_the_first_trial_it_is_soap():
    params, state, log = run(4, probe_every=5)
    alone = soap.method(SOAP, 4)
    expected = start()
    expected_state = alone.init(expected)
    for _ in range(4):
        expected, expected_state, _ = alone.step(objective(), expected, expected_state, POINTS)
    same(params, expected)
    same(state.soap, expected_state)
    assert [row["attempts"] for row in log] == [0.0] * 4


@pytest.mark.slow
def test_a_trial_is_one_gauss_newton_step_with_the_given_damping():
    before, *_ = run(4, probe_every=5)
    after, state, _ = run(5, probe_every=5, damping=0.3)
    alone = gauss_newton.method(gauss_newton.Settings(initial_damping=0.3), 1)
    expected, expected_state, _ = alone.step(objective(), before, alone.init(before), POINTS)
    same(after, expected)
    same(state.gauss_newton, expected_state)


@pytest.mark.slow
def test_while_trials_fail_soap_goes_on():
    # Without damping, the first steps overshoot
    _, state, log = run(6, probe_every=3, damping=1e-12, gauss_newton=gauss_newton.Settings(bad_ratio=0.999))
    assert [row["attempts"] for row in log] == [0, 0, 1, 0, 0, 1]
    assert not state.handed_over


@pytest.mark.slow
def test_once_a_trial_succeeds_it_is_gauss_newton_for_good():
    _, state, log = run(9, probe_every=4, damping=10.0)
    assert [row["attempts"] > 0 for row in log] == [False] * 3 + [True] * 6
    assert [row["handed_over"] for row in log] == [0.0] * 3 + [1.0] * 6
    assert state.handed_over
    # It starts from its own damping of 10, of which a third is left after each good step
    assert [row["damping"] for row in log[3:5]] == pytest.approx([10, 10 / 3])


@pytest.mark.slow
def test_after_the_longest_time_gauss_newton_takes_over_in_any_case():
    *_, log = run(6, longest=4)
    assert [row["attempts"] > 0 for row in log] == [False] * 4 + [True] * 2
    assert [row["handed_over"] for row in log] == [0.0] * 3 + [1.0] * 3
    before, *_ = run(4)
    after, *_ = run(5, longest=4)
    alone = gauss_newton.method(gauss_newton.Settings(), 1)
    expected, _, _ = alone.step(objective(), before, alone.init(before), POINTS)
    same(after, expected)
