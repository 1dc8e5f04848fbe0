"""Small runs that use a bit of everything, trained on one device and on all devices that JAX sees.

This is a separate program, because JAX fixes the number of devices when it starts.

    python parallel_runs.py DIRECTORY

Writes ``<devices>/<run>``, as ``train`` does. For the run RESUMED, it also writes ``<devices>/resumed``, which resumes
from the middle of the run on the other number of devices. ``<devices>/gauss_newton.safetensors`` holds the parameters
after some steps of Levenberg-Marquardt. ``parts.json`` gives the number of parts into which every set of points was
cut.
"""

import json
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import jax
import numpy as np
from experiments import line_reference, specification

from gradalign.base import randomness
from gradalign.networks.settings import NetworkSettings
from gradalign.training import checkpoints, devices
from gradalign.training.loop import Experiment, build
from gradalign.training.runner import train

RESUMED = "adam"
EVERYTHING = {
    "own_state": True,
    "causal": {"tolerance": 1.0, "chunks": 4},
    "weighting": {"scheme": "gradient_norm", "every": 10},
    "windows": {"count": 2, "network": "warm"},
}
PLAIN = {"own_state": False, "weighting": {"scheme": "constant"}}


def run(method, width=4, **given):
    """Fifty steps of a network of one layer, with a log and a checkpoint in the middle."""
    loop = {"steps": 50, "log_every": 25, "checkpoint_every": 25, "points": {"ic": 8, "bc": 8, "pde": 32}}
    network = NetworkSettings(architecture="mlp", width=width, depth=1, activation="tanh")
    return specification(method, **loop, **given).model_copy(update={"seeds": [0], "network": network})


RUNS = {
    "adam": run("adam", **EVERYTHING),
    # Two units: the first gradients of wider layers give factors with several zero eigenvalues, whose eigenbasis is not
    # unique and would depend on rounding
    "soap": run("soap", width=2, **PLAIN),
}


def losses_only(experiment, key, loop):
    """Replaces the diagnostics, whose programs take longer to compile than everything else."""
    points = experiment.points(key, loop)
    losses = experiment.objective(loop.loss_weights).losses(loop.params, points)
    weights = {f"weight/{name}": weight for name, weight in loop.loss_weights.items()}
    return {"loss": sum(losses.values()), "gradient_evaluations": loop.step, **losses, **weights}


@contextmanager
def seen_devices(count):
    """Let training see only ``count`` devices."""
    seen = jax.devices()[:count]
    with patch.object(jax, "devices", lambda: seen):
        yield


def halfway(finished, directory):
    """Copy a finished run as it was at its checkpoint in the middle."""
    shutil.copytree(finished, directory)
    for path in (*directory.glob("checkpoints/*/step-*50.safetensors"), *directory.glob("parameters/*")):
        path.unlink()


def gauss_newton(path):
    """Save the parameters after ten steps of Levenberg-Marquardt."""
    given = run("gauss_newton", learning_rate=None, **PLAIN)
    experiment = build(given, devices.mesh_for(given.points))
    start = devices.held_by_all(experiment.start(0), experiment.mesh)
    loop = jax.jit(experiment.advance)(randomness.stream(0, "points"), start, np.int32(10))
    checkpoints.save(path, loop.params, {})


def parts(given):
    """The number of different parts into which every set of points is cut."""
    experiment = build(given, devices.mesh_for(given.points))
    points = jax.jit(experiment.points)(randomness.stream(0, "points"), experiment.start(0))
    return {name: len({str(part.index) for part in values.addressable_shards}) for name, values in points.items()}


def main(directory):
    numbers = (1, len(jax.devices()))
    for count in numbers:
        with seen_devices(count):
            for name, given in RUNS.items():
                train(given, line_reference(), directory / str(count) / name)
            gauss_newton(directory / str(count) / "gauss_newton.safetensors")
    for count, other in (numbers, numbers[::-1]):
        halfway(directory / str(other) / RESUMED, directory / str(count) / "resumed")
        with seen_devices(count):
            train(RUNS[RESUMED], line_reference(), directory / str(count) / "resumed")
    (directory / "parts.json").write_text(json.dumps(parts(RUNS[RESUMED])))


if __name__ == "__main__":
    with patch.object(Experiment, "diagnose", losses_only):
        main(Path(sys.argv[1]))
