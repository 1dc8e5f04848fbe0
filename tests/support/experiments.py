"""Small experiments for the tests of the training loop."""

import numpy as np

from gradalign.networks.settings import NetworkSettings
from gradalign.problems import burgers
from gradalign.references import _equation as equation
from gradalign.references._contract import Reference
from gradalign.training.settings import RunSpecification, TrainingSettings


def specification(
    method,
    steps=12,
    learning_rate=1e-3,
    width=4,
    precision="float64",
    problem="burgers",
    points=None,
    problem_settings=None,
    **training,
):
    """Burgers with a tiny network and a handful of points; two seeds, logged every four steps."""
    loop = {
        "steps": steps,
        "precision": precision,
        "log_every": 4,
        "checkpoint_every": 4,
        "own_state": True,
        "weighting": {"scheme": "gradient_norm", "every": 4},
    }
    return RunSpecification(
        name=f"{problem}-{method}",
        scale="smoke",
        device="cpu",
        problem=problem,
        problem_settings=problem_settings or {},
        points=points or {"ic": 8, "bc": 4, "pde": 16},
        network=NetworkSettings(architecture="mlp", width=width, depth=2, activation="tanh"),
        method=method,
        method_settings={} if learning_rate is None else {"learning_rate": learning_rate},
        training=TrainingSettings(**{**loop, **training}),
        seeds=[0, 7],
    )


def line_reference(**problem_settings):
    """A stand-in for a reference solution: u = -x on a coarse grid. Errors against it mean nothing."""
    t, x = np.linspace(0, 1, 3), np.linspace(-1, 1, 5)
    return Reference(
        problem="burgers",
        coordinates={"t": t, "x": x},
        fields={"u": np.broadcast_to(-x, (3, 5)).copy()},
        solver="none",
        resolution="3 x 5",
        step=float("nan"),
        self_convergence_error=0.0,
        independent_check="none",
        independent_difference=0.0,
        seconds=0.0,
        equation=equation.described("burgers", burgers.Settings(**problem_settings)),
    )
