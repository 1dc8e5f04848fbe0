"""How many steps of every run of a scale fit into the same time: what the steps of `laptop-methods` come from.

python benchmarks/budget.py --scale laptop-methods --seconds 40                 all runs, some seconds each
python benchmarks/budget.py --scale laptop-methods --seconds 40 --run wave-muon   one run; may be repeated

Of each run the first steps of a seed that no table has are timed: one chunk of the log to compile, then whole chunks of
its first stage until some seconds are used up, at least one. Steps that change their price later are not seen, such as
those after a hand-over, or line searches near a minimum. A run that fails has no time, and its step in `failed_step`,
which is -1 elsewhere. Each process takes the cores of its runs.
"""

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as in `gradalign train`, and before SciPy is loaded

import jax
import numpy as np
import pandas as pd

from gradalign.base import randomness
from gradalign.base.files import write_table
from gradalign.base.precision import enable_float64
from gradalign.base.provenance import commit
from gradalign.pipeline import configuration
from gradalign.training.loop import build
from gradalign.training.runner import device_name
from gradalign.training.settings import RunSpecification

ROOT = Path(__file__).parents[1]
SEED = 11
TIMED = 3.0
"""Seconds of steps of a run that are timed, at least."""


def fitting(seconds: float, milliseconds: float, stages: int, log_every: int) -> int:
    """The largest number of steps that takes at most so many seconds and has whole chunks in every stage, at least one.

    >>> fitting(10.0, 4.0, 8, 100)  # of 2500 steps three chunks in each of eight windows
    2400
    """
    chunk = stages * log_every
    return max(1, int(1000 * seconds / milliseconds) // chunk) * chunk


def row(given: RunSpecification, seconds: float) -> dict[str, object]:
    """One row of the table: a run, the time of its steps, and how many of them fit."""
    training = given.training
    experiment = build(given)
    key, loop = randomness.stream(SEED, "points"), experiment.start(SEED)
    advance = jax.jit(experiment.advance)
    loop = jax.block_until_ready(advance(key, loop, np.int32(training.log_every)))
    steps, begun, spent = 0, time.perf_counter(), 0.0
    while not steps or (spent < TIMED and steps + 2 * training.log_every <= training.stage_steps[0]):
        loop = jax.block_until_ready(advance(key, loop, np.int32(training.log_every)))
        steps, spent = steps + training.log_every, time.perf_counter() - begun
    failed = int(loop.failed_step)  # what follows a failed step costs nothing
    milliseconds = 1000 * spent / steps if failed < 0 else float("nan")
    return {
        "run": given.name,
        "precision": training.precision,
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(loop.params)),
        "milliseconds_per_step": milliseconds,
        "timed_steps": steps,
        "steps": training.steps,
        "fitting_steps": fitting(seconds, milliseconds, len(training.stage_steps), training.log_every)
        if failed < 0
        else 0,
        "failed_step": failed,
        "seconds": seconds,
        "device": device_name(),
        "commit": commit(),
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", default="laptop", help="scale whose runs to take")
    parser.add_argument("--seconds", type=float, default=40.0, help="time of training of one seed")
    parser.add_argument("--run", action="append", help="only this run; may be repeated")
    parser.add_argument("--table", type=Path, help="CSV file to write; rows of other runs stay in it")
    chosen = parser.parse_args(arguments)
    settings = configuration.load([ROOT / f"workflow/config/{chosen.scale}.yaml"])
    if settings.cores:
        os.environ["NPROC"] = str(settings.cores)  # XLA reads it as soon as something is computed
    enable_float64()
    for name in chosen.run or settings.run_names:
        found = pd.DataFrame([row(settings.run(name), chosen.seconds)])
        print(found.iloc[:, :8].to_string(index=False), flush=True)
        if chosen.table is not None:
            if chosen.table.exists():
                earlier = pd.read_csv(chosen.table)
                found = pd.concat([earlier[earlier["run"] != name], found])
            write_table(chosen.table, found)


if __name__ == "__main__":
    main()
