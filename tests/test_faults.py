"""A number that is not finite stops a run within one chunk and is traced to the tensor it came from."""

import dataclasses
import re

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from experiments import line_reference, specification

from gradalign import runs
from gradalign.errors import NonFiniteLossError
from gradalign.training import build

AT = 5
"""Steps before the fault; the log is written after every fourth, so that it comes in the middle of a chunk."""


TRIGGER = {}


def due(points):
    return jnp.abs(points["pde"][0, 1] - TRIGGER["x"]) < 1e-12


def faulty(experiment, place, value):
    """The experiment with one wrong number at step ``AT``, in a residual, a gradient, or the state of the method.

    The step is known by the points that are drawn for it, whose first x is ``TRIGGER["x"]``.
    """
    problem, method = experiment.problem, experiment.method
    if place == "residual":

        def residuals(apply, params, points):
            found = problem.residuals(apply, params, points)
            return found | {"pde": found["pde"] * jnp.where(due(points), value, 1.0)}

        return dataclasses.replace(experiment, problem=dataclasses.replace(problem, residuals=residuals))
    if place == "gradient":

        def residuals_with_slope(apply, params, points):
            found = problem.residuals(apply, params, points)
            bias = params["output"]["bias"][0]
            # The root of 0 has no slope
            offset = jnp.where(due(points), 0.0, 1.0)
            kink = jnp.sqrt(jnp.abs(bias - jax.lax.stop_gradient(bias)) + offset) - offset
            return found | {"bc": found["bc"] + kink}

        return dataclasses.replace(experiment, problem=dataclasses.replace(problem, residuals=residuals_with_slope))

    def step(objective, params, state, points, gradient=None):
        params, state, metrics = method.step(objective, params, state, points, gradient)
        soap = state[0]
        matrices = getattr(soap, place)
        changed = jnp.where(due(points), matrices[1][0].at[0, 0].set(value), matrices[1][0])
        replaced = (matrices[0], (changed, *matrices[1][1:]), *matrices[2:])
        return params, (soap._replace(**{place: replaced}), *state[1:]), metrics

    return dataclasses.replace(experiment, method=method._replace(step=step))


@pytest.mark.parametrize(
    ("place", "value", "named"),
    [
        ("residual", np.nan, "residual of the loss term pde"),
        ("residual", 1e200, "residual of the loss term pde"),  # its square overflows
        ("gradient", np.nan, r"gradient of the loss term bc by output/bias"),
        ("factors", np.inf, r"state of the method, 0/factors/1/0"),
        ("bases", np.nan, r"state of the method, 0/"),
    ],
)
def test_a_fault_stops_the_run_and_is_traced(tmp_path, monkeypatch, place, value, named):
    given = specification("soap", steps=12, own_state=False)
    experiment = build(given)
    points = experiment.points(runs.randomness.stream(0, "points"), experiment.start(0)._replace(step=jnp.int32(AT)))
    TRIGGER["x"] = float(points["pde"][0, 1])
    monkeypatch.setattr(runs, "build", lambda _: faulty(experiment, place, value))
    with pytest.raises(NonFiniteLossError) as caught:
        runs.train(given, line_reference(), tmp_path)
    message = str(caught.value)
    assert re.search(named, message), message
    for text in ("'burgers'", "'soap'", "seed 0", "learning_rate"):
        assert text in message
    step = int(re.search(r"at step (\d+)", message)[1])
    assert AT < step <= 8  # before the end of the chunk in which it came
    log = pd.read_csv(tmp_path / "curves-failed-0.csv")
    assert sorted(log["step"].unique()) == [0, 4]
    assert np.isfinite(log.query("quantity == 'loss'")["value"]).all()
    assert not (tmp_path / "checksums.sha256").exists()
