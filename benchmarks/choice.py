"""Which settings of `laptop-best` leave the least residual where no network was trained: no error is looked at.

    python benchmarks/choice.py --problem burgers    its candidates, some minutes each

The candidates of choice.yaml are merged over workflow/config/laptop-best.yaml and trained with a seed that is in no
table, with Gauss-Newton unless they name another method. They are compared by the validation residual: the root of the
mean loss over the slabs of time, on points that none was trained on, the same for all candidates of a problem, in
float64; so are the weights of loss terms. The least of each method is chosen, among those of ten minutes at most. Each
problem takes the cores that its run has in laptop-best.yaml.
"""

import argparse
import os
import tempfile
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as in `gradalign train`, and before SciPy is loaded

import jax
import jax.numpy as jnp
import pandas as pd
import yaml
from loop import solution

from gradalign.base import randomness
from gradalign.base.files import exclusive, write_table
from gradalign.base.precision import enable_float64
from gradalign.pipeline import configuration
from gradalign.training import checkpoints, loop, runner
from gradalign.training.settings import RunSpecification

ROOT = Path(__file__).parents[1]
CONFIGURATION = ROOT / "workflow/config/laptop-best.yaml"
CANDIDATES = ROOT / "benchmarks/choice.yaml"
SEED = 11
LIMIT = 600.0
"""Seconds of training that a candidate may take."""


DRAWS, POINTS = 16, 512
"""How often the validation draws points in every slab, and how many in each of the problem's sets of points."""


def validation_residual(given: RunSpecification, directory: Path) -> float:
    """The root of the mean loss over the windows, which are equally long, of what a finished run left in a directory.

    Points come from a stream of their own; the loss has its first weights and no causal ones.
    """
    trained = loop.build(given)
    like = jax.eval_shape(lambda: trained.solution(trained.start(SEED)))
    found, _ = checkpoints.load(directory / "parameters" / f"seed-{SEED}.safetensors", like)
    alike = given.training.model_copy(
        update={"precision": "float64", "sampling": "lattice", "points_every": 1, "causal": None}
    )
    points = dict.fromkeys(given.points, POINTS)
    experiment = loop.build(given.model_copy(update={"training": alike, "points": points}))
    found = jax.tree.map(lambda leaf: leaf.astype(experiment.dtype), found)
    key, start = randomness.stream(SEED, "validation"), experiment.start(SEED)

    @jax.jit
    def loss(window: jax.Array) -> jax.Array:
        one = found if experiment.windows == 1 else jax.tree.map(lambda leaf: leaf[window], found)
        exact = experiment.problem.hard_start is not None
        params, begin = (one["network"], one["start"]) if exact else (one, ())
        state = start._replace(stage=window, start=begin, finished=found if experiment.windows > 1 else ())
        objective = experiment.objective(start.loss_weights, begin)
        draws = jnp.arange(DRAWS, dtype=jnp.int32)
        at = jax.lax.map(lambda draw: objective.loss(params, experiment.points(key, state._replace(step=draw))), draws)
        return jnp.mean(at)

    windows = jnp.arange(experiment.windows, dtype=jnp.int32)
    return float(jnp.sqrt(jnp.mean(jax.lax.map(loss, windows))))


def run_of(problem: str, own: dict[str, object] | None) -> tuple[configuration.Configuration, RunSpecification]:
    """The configuration of a candidate, for one seed that no table has, and the run in it."""
    changes = dict(own or {})
    method = changes.pop("method", "gauss_newton")
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump({"problems": {problem: {"runs": {method: changes}}}}, file)
        file.flush()
        settings = configuration.load([CONFIGURATION, file.name], {"seeds": [SEED]})
    return settings, settings.run(f"{problem}-{method}")


def row(problem: str, candidate: str, own: dict[str, object] | None, directory: Path) -> dict[str, object]:
    """One row of the table: a candidate, trained to its end."""
    settings, given = run_of(problem, own)
    place = directory / problem / candidate.replace(" ", "-")
    runner.train(given, solution(settings.reference(problem)), place, _said, print)
    record = pd.read_csv(place / "runs.csv").iloc[0]
    return {
        "problem": problem,
        "candidate": candidate,
        "method": record["method"],
        "network": record["network"],
        "parameters": record["parameters"],
        "windows": record["windows"],
        "steps": record["steps"],
        "points": record["points"],
        "seconds": record["train_seconds"],
        "validation_residual": validation_residual(given, place),
        "seed": SEED,
        "device": record["device"],
        "commit": record["commit"],
    }


def _said(event: runner.Progress) -> None:
    print(
        f"{event.run}: step {event.step} of {event.steps}, loss {event.loss:.2e}, error {event.error:.2e}", flush=True
    )


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
    cores = {run_of(problem, None)[0].cores_of(f"{problem}-gauss_newton") or os.cpu_count() for problem in problems}
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
            own["chosen"] = allowed == allowed.groupby(own["method"]).transform("min")
            write_table(chosen.table, pd.concat([table[table["problem"] != problem].astype(object), own]))
        print(own[["problem", "candidate", "seconds", "validation_residual", "chosen"]].to_string(index=False))


if __name__ == "__main__":
    main()
