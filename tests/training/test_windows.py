"""Time windows and curricula: the initial state and the inputs of a new stage, and the error over all windows."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from experiments import line_reference, specification

from gradalign.base import randomness
from gradalign.training import evaluation
from gradalign.training.checkpoints import load
from gradalign.training.loop import build
from gradalign.training.runner import train

WINDOWS = {"windows": {"count": 2, "network": "warm"}, "steps": 8}


def leaves(tree):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(leaves(one), leaves(other), strict=True))


@pytest.fixture(scope="module", params=["warm", "fresh"])
def marched(request):
    """An experiment with two windows after four steps, before and after the change of window."""
    experiment = build(specification("adam", **(WINDOWS | {"windows": {"count": 2, "network": request.param}})))
    before = jax.jit(experiment.advance)(randomness.stream(3, "points"), experiment.start(3), np.int32(4))
    return experiment, before, jax.jit(experiment.next_stage)(randomness.stream(3, "parameters"), before)


def test_each_window_is_half_of_the_time(marched):
    experiment, *_ = marched
    assert experiment.problem.domain == ((0.0, 0.5), (-1.0, 1.0))
    assert experiment.specification.training.stage_steps == [4, 4]


def test_the_first_window_may_take_more_steps_and_the_others_share_out_the_rest():
    given = specification("adam", steps=16, windows={"count": 3, "network": "warm", "first_steps": 8})
    assert given.training.stage_steps == [8, 4, 4]


@pytest.mark.parametrize(("first", "expected"), [(None, [56, 28, 16]), (40, [40, 40, 20])])
def test_every_window_may_take_a_share_of_the_steps_of_the_one_before(first, expected):
    windows = {"count": 3, "network": "warm", "first_steps": first, "steps_ratio": 0.5}
    assert specification("adam", steps=100, log_every=4, windows=windows).training.stage_steps == expected


def test_a_new_window_starts_from_the_network_of_the_one_before(marched):
    experiment, before, after = marched
    key = randomness.stream(3, "points")
    first, second = (experiment.points(key, loop) for loop in (before, after))
    np.testing.assert_allclose(first["ic"][:, 2], -np.sin(np.pi * np.asarray(first["ic"][:, 1])), atol=1e-14)
    assert np.all(second["ic"][:, 0] == 0)  # every window has its own clock
    at_end = second["ic"][:, :2].at[:, 0].set(0.5)
    np.testing.assert_array_equal(second["ic"][:, 2], experiment.network.apply(before.params, at_end)[:, 0])
    for name in ("bc", "pde"):
        np.testing.assert_array_equal(first[name], second[name])  # at the same step, nothing else changes


def test_a_new_window_starts_the_optimizer_and_the_weights_again(marched):
    experiment, before, after = marched
    assert int(before.state[0].count) == 4
    assert int(after.state[0].count) == 0
    assert {float(weight) for weight in after.loss_weights.values()} == {1.0}
    assert [int(after.step), int(after.stage), int(after.stage_start)] == [4, 1, 4]
    assert int(after.gradient_evaluations) == 4  # of the whole run
    if experiment.specification.training.windows.network == "warm":
        assert same(after.params, before.params)
    else:
        assert not same(after.params, before.params)
        assert not same(after.params, experiment.start(3).params)
        again = experiment.next_stage(randomness.stream(3, "parameters"), before)  # not compiled: other rounding
        for one, other in zip(leaves(again.params), leaves(after.params), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("network", ["warm", "fresh"])
def test_curvatures_are_kept_where_the_network_is(network):
    windows = {"count": 2, "network": network, "first_steps": 6}
    experiment = build(specification("soap_gauss_newton", learning_rate=0.1, steps=8, own_state=False, windows=windows))
    before = jax.jit(experiment.advance)(randomness.stream(3, "points"), experiment.start(3), np.int32(6))
    after = experiment.next_stage(randomness.stream(3, "parameters"), before)
    assert [int(before.state.done), int(before.state.steps)] == [6, 6]
    assert [int(after.state.done), int(after.state.steps)] == [0, 2]
    assert not any(np.any(leaf) for leaf in leaves(after.state.mean))
    assert any(np.any(leaf) for leaf in leaves(before.state.mean))
    if network == "warm":
        assert same(after.state.curvature, before.state.curvature)
        assert same(after.state.bases, before.state.bases)
        assert int(after.state.calls) == 6
    else:
        assert same(after.state, experiment.method.init(after.params)._replace(steps=np.int32(2)))


def test_the_solution_holds_the_parameters_of_every_window(marched):
    experiment, before, after = marched
    moved = after._replace(params=jax.tree.map(lambda leaf: leaf + 1, after.params))
    solution = experiment.solution(moved)
    assert same(jax.tree.map(lambda leaf: leaf[0], solution), before.params)
    assert same(jax.tree.map(lambda leaf: leaf[1], solution), moved.params)


@pytest.mark.parametrize("block", [2, 100])
def test_every_time_is_predicted_by_its_window_and_the_last_by_the_last(marched, block):
    experiment, before, after = marched
    moved = after._replace(params=jax.tree.map(lambda leaf: leaf + 1, after.params))
    t, x = np.linspace(0, 1, 5), np.linspace(-1, 1, 3)
    found = evaluation.predictor(experiment, {"t": t, "x": x}, block)(experiment.solution(moved))["u"]

    def at(params, time):
        return experiment.network.apply(params, np.stack([np.full(3, time), x], axis=1))[:, 0]

    expected = [at(before.params, 0.0), at(before.params, 0.25)]
    expected += [at(moved.params, 0.0), at(moved.params, 0.25), at(moved.params, 0.5)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.slow
def test_windows_join_and_a_killed_run_goes_on_bit_for_bit(tmp_path, shared_programs):
    """Gauss-Newton steps fit the initial condition of the second window, so hardly a jump is left between the two. The
    second window starts from the network of the first, whose ends differ by a whole wave."""
    given = specification(
        "gauss_newton",
        learning_rate=None,
        steps=80,
        points_every=100,
        width=8,
        own_state=False,
        weighting={"scheme": "constant"},
        windows={"count": 2, "network": "warm", "first_steps": 36},
        problem_settings={"viscosity": 0.3},
    ).model_copy(update={"seeds": [0], "points": {"ic": 32, "bc": 8, "pde": 64}})
    train(given, line_reference(viscosity=0.3), tmp_path / "whole")
    experiment = build(given)
    like = jax.eval_shape(lambda: experiment.solution(experiment.start(0)))
    solution, _ = load(tmp_path / "whole" / "parameters" / "seed-0.safetensors", like)
    x = jnp.linspace(-1, 1, 21)
    ends = [
        experiment.network.apply(jax.tree.map(lambda leaf, i=i: leaf[i], solution), jnp.stack([0 * x + t, x], axis=1))
        for i, t in ((0, 0.5), (1, 0.0))
    ]
    assert float(jnp.max(jnp.abs(ends[0]))) > 0.05
    assert float(jnp.max(jnp.abs(ends[1] - ends[0]))) < 0.05 * float(jnp.max(jnp.abs(ends[0])))

    class KilledError(Exception):
        pass

    def listen(progress):
        if progress.step == 40:  # the preceding checkpoint is the first of the second window
            raise KilledError

    with pytest.raises(KilledError):
        train(given, line_reference(viscosity=0.3), tmp_path / "killed", listen)
    steps = []
    train(given, line_reference(viscosity=0.3), tmp_path / "killed", lambda progress: steps.append(progress.step))
    assert steps[0] == 40
    one, other = (pd.read_csv(tmp_path / name / "curves.csv").drop(columns="seconds") for name in ("whole", "killed"))
    pd.testing.assert_frame_equal(one, other, check_exact=True)
    counted = one[one["quantity"] == "gradient_evaluations"].set_index("step")["value"]
    assert counted[0] == 0
    assert (counted.diff().dropna() >= 4 * (1 + 2)).all()  # at least the Jacobian and one attempt per step
    assert (counted % 2 == counted.index % 2).all()
