"""Which settings of `laptop-best` leave the least residual where no network was trained: no error is looked at.

    python benchmarks/choice.py --problem burgers    its candidates, some minutes each

The candidates of choice.yaml are merged over workflow/config/laptop-best.yaml and trained with Gauss-Newton and a seed
that is in no table. They are compared by the validation residual: the root of the mean, over the slabs of time, of the
loss at the last step of a slab. Points are drawn anew there, so that it is taken where the network was not trained;
weights of loss terms are the same for all candidates of a problem. One that takes more than ten minutes is not chosen.
Each problem takes the cores that its run has in laptop-best.yaml.
"""

import argparse
import os
import tempfile
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as in `gradalign train`, and before SciPy is loaded

import numpy as np
import pandas as pd
import yaml
from gpu_second_order import finished
from loop import solution

from gradalign import configuration
from gradalign.files import exclusive, write_table
from gradalign.precision import enable_float64

ROOT = Path(__file__).parents[1]
CONFIGURATION = ROOT / "workflow/config/laptop-best.yaml"
CANDIDATES = ROOT / "benchmarks/choice.yaml"
SEED = 11
LIMIT = 600.0
"""Seconds of training that a candidate may take."""


def validation_residual(curves: pd.DataFrame, stage_steps: list[int]) -> float:
    """The root mean square over the windows, which are equally long, of the loss logged last in each.

    >>> curves = pd.DataFrame({"step": [0, 5, 10, 15, 20], "quantity": "loss", "value": [9.0, 9.0, 1.0, 9.0, 7.0]})
    >>> validation_residual(curves, [10, 10])  # the losses at steps 10 and 20
    2.0
    """
    losses = curves[curves["quantity"] == "loss"].set_index("step")["value"]
    return float(np.sqrt(losses[np.cumsum(stage_steps)].mean()))


def settings_of(overlay: dict[str, object] | None) -> configuration.Configuration:
    """The configuration of a candidate, for one seed that no table has."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(overlay or {}, file)
        file.flush()
        return configuration.load([CONFIGURATION, file.name], {"seeds": [SEED]})


def row(problem: str, candidate: str, overlay: dict[str, object] | None, directory: Path) -> dict[str, object]:
    """One row of the table: a candidate, trained to its end."""
    settings = settings_of(overlay)
    given = settings.run(f"{problem}-gauss_newton")
    place = directory / problem / candidate.replace(" ", "-")
    if not finished(given, solution(settings.reference(problem)), place, float("inf")):
        raise AssertionError("there is no limit of time")
    record = pd.read_csv(place / "runs.csv").iloc[0]
    return {
        "problem": problem,
        "candidate": candidate,
        "network": record["network"],
        "parameters": record["parameters"],
        "windows": record["windows"],
        "steps": record["steps"],
        "points": record["points"],
        "seconds": record["train_seconds"],
        "validation_residual": validation_residual(pd.read_csv(place / "curves.csv"), given.training.stage_steps),
        "seed": SEED,
        "device": record["device"],
        "commit": record["commit"],
    }


def main(arguments: list[str] | None = None) -> None:
    candidates = yaml.safe_load(CANDIDATES.read_text(encoding="utf-8"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--problem", choices=candidates, action="append", required=True, help="its candidates; may be repeated"
    )
    parser.add_argument(
        "--candidate",
        action="append",
        help="only this one of every problem, beside those in the table; may be repeated",
    )
    parser.add_argument("--directory", type=Path, default=ROOT / "results/choice", help="checkpoints and records")
    parser.add_argument("--table", type=Path, default=ROOT / "benchmarks/results/choice-cpu.csv", help="table to write")
    chosen = parser.parse_args(arguments)
    problems: list[str] = chosen.problem
    for name in chosen.candidate or []:
        if any(name not in candidates[problem] for problem in problems):
            allowed = "; ".join(", ".join(map(repr, candidates[problem])) for problem in problems)
            parser.error(f"--candidate is {name!r}; allowed: {allowed}")
    cores = {settings_of(None).cores_of(f"{problem}-gauss_newton") or os.cpu_count() for problem in problems}
    if len(cores) > 1:
        parser.error(
            f"{', '.join(problems)} take {' and '.join(map(str, sorted(cores)))} cores; a process has one number of "
            "them: start one for each"
        )
    os.environ["NPROC"] = str(cores.pop())  # XLA reads it as soon as something is computed, which nothing was yet
    enable_float64()
    for problem in problems:
        names = [name for name in candidates[problem] if chosen.candidate is None or name in chosen.candidate]
        found = pd.DataFrame([row(problem, name, candidates[problem][name], chosen.directory) for name in names])
        with exclusive(chosen.directory / ".lock", print):
            table = pd.read_csv(chosen.table) if chosen.table.exists() else pd.DataFrame(columns=found.columns)
            replaced = table["candidate"].isin(names) | ~table["candidate"].isin(candidates[problem])
            own = pd.concat([table[(table["problem"] == problem) & ~replaced].astype(object), found], ignore_index=True)
            allowed = own["validation_residual"].where(own["seconds"] <= LIMIT).astype(float)
            own["chosen"] = allowed == allowed.min()
            write_table(chosen.table, pd.concat([table[table["problem"] != problem].astype(object), own]))
        print(own[["problem", "candidate", "seconds", "validation_residual", "chosen"]].to_string(index=False))


if __name__ == "__main__":
    main()
