"""A training step with a start that is built in: its derivatives in closed form against those of its program.

python benchmarks/built_in_start.py            a few minutes, one core; writes results/built_in_start-cpu.csv

Both are the same run of the scale laptop-best, compiled with the rule of ``growing_series`` and without it, and take
turns. A round is as many steps as the longest time that points stay, so that what is computed once a draw counts once.
"""

import os

os.environ.setdefault("NPROC", "1")

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
from measuring import in_turns, ratio

from gradalign.base import randomness
from gradalign.base.files import write_table
from gradalign.base.precision import enable_float64
from gradalign.base.provenance import commit
from gradalign.derivatives import partial
from gradalign.pipeline import configuration
from gradalign.training.loop import build
from gradalign.training.runner import device_name

ROOT = Path(__file__).parents[1]
RUNS = [
    *("korteweg_de_vries-gauss_newton", "kuramoto_sivashinsky-gauss_newton", "allen_cahn-gauss_newton"),
    *("gray_scott-soap_gauss_newton", "gray_scott-soap", "ginzburg_landau-soap_gauss_newton", "ginzburg_landau-soap"),
    *("kolmogorov_flow-soap_gauss_newton", "kolmogorov_flow-soap-wide"),
]
STEPS = 10
"""Steps of a round at least."""


def in_two_ways(scale: configuration.Configuration, run: str, ways: Mapping[str, Callable[[], None]]) -> dict[str, Any]:
    """Milliseconds of a step as it is compiled after each of two changes of the library, the slow one first."""
    specification = scale.run(run)
    experiment, key = build(specification), randomness.stream(3, "points")
    steps = np.int32(max(STEPS, specification.training.points_every))
    loop, programs = experiment.start(3), {}
    for name, change in ways.items():
        change()
        # jax.jit keeps what it has traced by function, so that each way needs one of its own
        compiled = (
            jax.jit(lambda key, loop, steps: experiment.advance(key, loop, steps)).lower(key, loop, steps).compile()
        )
        programs[name] = lambda compiled=compiled: compiled(key, loop, steps)
    found = ratio(in_turns(programs, seconds=15.0), *ways)
    for name in ways:
        found[name] /= int(steps)
    return {"run": run, "precision": specification.training.precision, "steps": int(steps), **found}


def written(rows: list[dict[str, Any]], name: str) -> None:
    """The rows as a table of ``benchmarks/results``."""
    table = pd.DataFrame(rows).assign(device=device_name(), commit=commit())
    write_table(ROOT / "benchmarks" / "results" / f"{name}-{jax.devices()[0].platform}.csv", table)


if __name__ == "__main__":
    enable_float64()
    jax.config.update("jax_enable_compilation_cache", val=False)
    scale = configuration.load([ROOT / "workflow/config/laptop-best.yaml"])
    rules = dict(partial.CLOSED_FORMS)
    ways = {"program": partial.CLOSED_FORMS.clear, "closed form": lambda: partial.CLOSED_FORMS.update(rules)}
    rows = []
    for run in RUNS:
        rows.append(in_two_ways(scale, run, ways))
        print(rows[-1], flush=True)
    written(rows, "built_in_start")
