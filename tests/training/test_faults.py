"""A non-finite number stops a run within one chunk and is traced to the tensor from which it came."""

import dataclasses
import re

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from experiments import line_reference, specification

from gradalign.base import randomness
from gradalign.base.errors import NonFiniteLossError
from gradalign.training import runner
from gradalign.training.loop import Experiment, build

pytestmark = [pytest.mark.slow, pytest.mark.endurance]

AT = 5
"""Steps before the fault; the log is written every four steps, so the fault falls in the middle of a chunk."""


FAULTS = {
    "residual": np.nan,
    "large residual": 1e200,  # its square overflows
    "gradient": np.nan,
    "factors": np.inf,
    "bases": np.nan,
}
"""Where a fault occurs, and its wrong number; its position in this table is the seed of the run that it spoils."""

GIVEN = specification("soap", steps=12, own_state=False)


def faulty(experiment):
    """The experiment with one wrong number at step ``AT`` of each seed, in a residual, a gradient or the state.

    The first x of the points drawn for a seed identifies this step.
    """
    method = experiment.method
    first = {}
    for seed, fault in enumerate(FAULTS):
        loop = experiment.start(seed)._replace(step=jnp.int32(AT))
        first[fault] = float(experiment.points(randomness.stream(seed, "points"), loop)["pde"][0, 1])
    assert len(set(first.values())) == len(FAULTS)

    def due(fault, points):
        return jnp.abs(points["pde"][0, 1] - first[fault]) < 1e-12

    def residuals(start, params, points):
        found = experiment._residuals(start, params, points)
        wrong = jnp.where(due("residual", points), FAULTS["residual"], 1.0)
        wrong = jnp.where(due("large residual", points), FAULTS["large residual"], wrong)
        bias = params["output"]["bias"][0]
        # The derivative of the square root at 0 is not finite
        offset = jnp.where(due("gradient", points), 0.0, 1.0)
        kink = jnp.sqrt(jnp.abs(bias - jax.lax.stop_gradient(bias)) + offset) - offset
        return found | {"pde": found["pde"] * wrong, "bc": found["bc"] + kink}

    def step(objective, params, state, points, gradient=None):
        params, state, metrics = method.step(objective, params, state, points, gradient)
        soap = state[0]
        for fault in ("factors", "bases"):
            matrices = getattr(soap, fault)
            changed = jnp.where(due(fault, points), matrices[1][0].at[0, 0].set(FAULTS[fault]), matrices[1][0])
            soap = soap._replace(**{fault: (matrices[0], (changed, *matrices[1][1:]), *matrices[2:])})
        return params, (soap, *state[1:]), metrics

    class Faulty(Experiment):
        def _residuals(self, start, params, points):
            return residuals(start, params, points)

    parts = {each.name: getattr(experiment, each.name) for each in dataclasses.fields(Experiment)}
    return Faulty(**parts | {"method": method._replace(step=step)})


@pytest.fixture(scope="module")
def spoilt(shared_programs):
    return faulty(build(GIVEN))


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        ("residual", "residual of the loss term pde"),
        ("large residual", "residual of the loss term pde"),
        ("gradient", r"gradient of the loss term bc by output/bias"),
        ("factors", r"state of the method, 0/factors/1/0"),
        ("bases", r"state of the method, 0/"),
    ],
)
def test_a_fault_stops_the_run_and_is_traced(tmp_path, monkeypatch, spoilt, fault, named):
    seed = list(FAULTS).index(fault)
    monkeypatch.setattr(runner, "build", lambda *_: spoilt)
    with pytest.raises(NonFiniteLossError) as caught:
        runner.train(GIVEN.model_copy(update={"seeds": [seed]}), line_reference(), tmp_path)
    message = str(caught.value)
    assert re.search(named, message), message
    for text in ("'burgers'", "'soap'", f"seed {seed}", "learning_rate"):
        assert text in message
    step = int(re.search(r"at step (\d+)", message)[1])
    assert AT < step <= 8  # within the chunk of the fault
    log = pd.read_csv(tmp_path / f"curves-failed-{seed}.csv")
    assert sorted(log["step"].unique()) == [0, 4]
    assert np.isfinite(log.query("quantity == 'loss'")["value"]).all()
    assert not (tmp_path / "checksums.sha256").exists()


def test_without_a_fault_the_same_experiment_ends_well(tmp_path, monkeypatch, spoilt):
    """The fault stops the other runs, not the way in which it is injected."""
    monkeypatch.setattr(runner, "build", lambda *_: spoilt)
    runner.train(GIVEN.model_copy(update={"seeds": [len(FAULTS)]}), line_reference(), tmp_path)
    assert (tmp_path / "checksums.sha256").exists()
