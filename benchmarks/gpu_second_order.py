"""Accurate solutions on a GPU: Gauss-Newton and hand-over with 1e4 parameters and more in float64, eight minutes a run.

    python benchmarks/gpu_second_order.py --problem wave    its runs; the same command goes on where they stopped
    python benchmarks/gpu_second_order.py                   all problems, 1-D ones first

The runs are those of gpu_second_order.yaml over workflow/config/paper.yaml; files of ``--config`` are merged over them.
A run that is finished gets its row in results/gpu_second_order-<device>.csv; those of other runs stay. One that used up
its time leaves a checkpoint in ``--directory``, and the program ends with 75. Seconds of a row are those of all pieces
of its run, without compiling.
"""

import argparse
import math
import time
from pathlib import Path

import jax
import pandas as pd
from loop import solution
from measuring import file_name

from gradalign.base.errors import DeviceError, TimeLimitError
from gradalign.base.files import write_table
from gradalign.base.precision import enable_float64
from gradalign.pipeline import configuration
from gradalign.references._contract import Reference
from gradalign.training import evaluation, runner
from gradalign.training.settings import RunSpecification

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks/results"
CONFIGURATION = (ROOT / "workflow/config/paper.yaml", ROOT / "benchmarks/gpu_second_order.yaml")
GOALS = {
    "wave": 1e-9,
    "burgers": 1e-7,
    "korteweg_de_vries": 1e-7,
    "kuramoto_sivashinsky": 1e-4,
    "ginzburg_landau": math.nan,
    "lid_driven_cavity": math.nan,
}
"""Relative L2 errors that are wanted, where there is a number, in the order of the runs."""


def row(given: RunSpecification, reference: Reference, directory: Path) -> dict[str, object]:
    """One row of the table: a finished run with its errors against the reference."""
    record = pd.read_csv(directory / "runs.csv").iloc[0]
    errors = evaluation.evaluate(given, directory, reference).main.iloc[0]
    network = given.network
    return {
        "run": given.name,
        "problem": given.problem,
        "method": given.method,
        "network": f"{network.architecture} {network.depth} x {network.width}",
        "points": given.points["pde"],
        "parameters": record["parameters"],
        "windows": record["windows"],
        "steps": record["steps"],
        "seconds": record["train_seconds"],
        "milliseconds_per_step": record["milliseconds_per_step"],
        "error": errors["relative_l2"],
        "error_at_last_time": errors["relative_l2_final_time"],
        "goal": GOALS[given.problem],
        "stated_error": reference.stated_error,
        "command": f"python benchmarks/gpu_second_order.py --problem {given.problem}",
        "device": record["device"],
        "commit": record["commit"],
    }


def finished(given: RunSpecification, reference: Reference, directory: Path, seconds: float) -> bool:
    """Train until the end or until the time is used up; whether it was the end."""

    def listen(event: runner.Progress) -> None:
        print(
            f"{event.run}: step {event.step} of {event.steps}, loss {event.loss:.2e}, error {event.error:.2e}",
            flush=True,
        )

    try:
        runner.train(given, reference, directory, listen, print, seconds)
    except TimeLimitError as error:
        print(error)
        return False
    return True


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problem", choices=GOALS, action="append", help="only its runs; may be repeated")
    parser.add_argument("--config", type=Path, action="append", default=[], help="file to merge over the settings")
    parser.add_argument("--seconds", type=float, default=480.0, help="time of a run, with compiling and its reference")
    parser.add_argument("--directory", type=Path, default=ROOT / "results/second_order", help="checkpoints and records")
    parser.add_argument("--table", type=Path, help="table to write; results/gpu_second_order-<device>.csv by default")
    chosen = parser.parse_args(arguments)
    enable_float64()
    if jax.config.values.get("jax_compilation_cache_dir") is None:  # the next piece need not compile again
        jax.config.update("jax_compilation_cache_dir", str(chosen.directory / "compiled"))
    settings = configuration.load([*CONFIGURATION, *chosen.config])
    path = chosen.table or RESULTS / f"gpu_second_order-{file_name(jax.devices()[0].device_kind)}.csv"
    stopped = []
    for given in map(settings.run, settings.run_names):
        if given.problem not in (chosen.problem or GOALS):
            continue
        begun = time.monotonic()
        try:
            runner.require_device(given.device, given.scale)
        except DeviceError as error:
            raise SystemExit(str(error)) from None
        reference, directory = solution(settings.reference(given.problem)), chosen.directory / given.name
        if not finished(given, reference, directory, chosen.seconds - (time.monotonic() - begun)):
            stopped.append(given.name)
            continue
        found = pd.DataFrame([row(given, reference, directory)])
        print(found.T.to_string(header=False))
        earlier = pd.read_csv(path) if path.exists() else found.iloc[:0]
        others = earlier[earlier["run"] != given.name]
        write_table(path, pd.concat([others, found]) if len(others) else found)
    if stopped:
        print(f"to be gone on with, by the same command: {', '.join(stopped)}")
        raise SystemExit(75)


if __name__ == "__main__":
    main()
