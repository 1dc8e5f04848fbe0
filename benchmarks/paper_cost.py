"""What the scale `paper` will cost, found without a GPU: two steps of every run on the CPU, and XLA's own count.

    python benchmarks/paper_cost.py                        every run of the scale that results/paper_cost.csv lacks
    python benchmarks/paper_cost.py --run burgers-soap     one run, counted anew; may be repeated
    python benchmarks/paper_cost.py --seconds 240          starts no further run after this time; call it again

Each run is compiled and does two steps on the CPU, by an override of its device, so that every one is known to run. A
run has a process of its own, and its row is written when it is done; a later call keeps the rows whose settings and
sources are still the same, and projects their hours anew.

Operations and memory are what XLA counts for the compiled program, the loop over the steps once. A branch counts as if
it were always taken, so the operations of a usual step are those of the same run with constant weights, and those of an
update of the weights are shared out over the steps between two of them. SOAP's refresh of the basis counts at every
step, without its QR, which XLA does not count; diagnostics are left out.

Hours on a GPU = operations x steps / (peak x share). `float32` has the peak without tensor cores, `tf32x3` a third of
the dense rate of the tensor cores in TF32; `bf16x6`, a sixth of theirs in bfloat16, has the same peak on all three. The
share is the one that benchmarks/floor.py has measured where its table is there, else an assumption (--share). That the
share stays the same on tensor cores, where all that is not a product takes its old time, makes `tf32x3` a lower bound.
"""

import argparse
import hashlib
import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pandas as pd

from gradalign.balancing.settings import WeightingSettings
from gradalign.base import randomness
from gradalign.base.files import write_table
from gradalign.base.provenance import commit, source_digest
from gradalign.pipeline import configuration
from gradalign.training.loop import Experiment, build
from gradalign.training.settings import RunSpecification

PEAKS = {
    "a6000": {"float32": 38.7e12, "tf32x3": 77.4e12 / 3},
    "h100": {"float32": 66.9e12, "tf32x3": 494.7e12 / 3},
    "h200": {"float32": 66.9e12, "tf32x3": 494.7e12 / 3},
}
"""Operations a second, dense, from the maker's data sheets: RTX A6000; H100 and H200 as SXM modules."""

PUBLISHED_HOURS = {"burgers-adam": 1.18, "gray_scott-soap": 40.0}
"""The two that are known, on one A6000 (arXiv 2502.00604, second-hand): the shortest and the longest."""

ASSUMED_SHARE = 0.3
CONFIGURATION = Path(__file__).parents[1] / "workflow/config/paper.yaml"
RESULTS = Path(__file__).parent / "results"
TABLE = RESULTS / "paper_cost.csv"


def digest(given: RunSpecification) -> str:
    """Of all that decides the cost of a run: its settings without seeds, and the sources."""
    modules = ["training.loop", f"problems.{given.problem}", f"optimizers.{given.method}"]
    sources = source_digest([f"gradalign.{module}" for module in modules])
    return hashlib.sha256((given.model_dump_json(exclude={"seeds"}) + sources).encode()).hexdigest()[:16]


def count(given: RunSpecification) -> dict[str, object]:
    """One row of the table without its projection: operations, memory and seconds of a step of a run."""
    given = given.model_copy(update={"device": "cpu"})
    weighting = given.training.weighting
    begun = time.perf_counter()
    experiment, compiled = _compiled(given)
    compile_seconds = time.perf_counter() - begun
    operations = compiled.cost_analysis()["flops"]
    if weighting.scheme != "constant":
        constant = given.training.model_copy(update={"weighting": WeightingSettings(scheme="constant")})
        usual = _compiled(given.model_copy(update={"training": constant}))[1].cost_analysis()["flops"]
        operations = usual + (operations - usual) / weighting.every
    memory = compiled.memory_analysis()
    key, state, seconds = randomness.stream(0, "points"), experiment.start(0), []
    for _ in range(2):
        begun = time.perf_counter()
        state = jax.block_until_ready(compiled(key, state, np.int32(1)))
        seconds.append(time.perf_counter() - begun)
    if int(state.step) != 2 or int(state.failed_step) >= 0:
        raise SystemExit(f"{given.name}: the two steps failed at step {int(state.failed_step)}")
    held = memory.argument_size_in_bytes + memory.output_size_in_bytes - memory.alias_size_in_bytes
    return {
        "run": given.name,
        "steps": given.training.steps,
        "operations_per_step": float(operations),
        "peak_bytes": int(memory.temp_size_in_bytes + held),
        "cpu_seconds_first_step": seconds[0],
        "cpu_seconds_second_step": seconds[1],
        "cpu_cores": os.cpu_count(),
        "compile_seconds": compile_seconds,
    }


def _compiled(given: RunSpecification) -> tuple[Experiment, jax.stages.Compiled]:
    experiment = build(given)
    key, state = randomness.stream(0, "points"), jax.eval_shape(lambda: experiment.start(0))
    advance = jax.jit(experiment.advance, donate_argnums=1)
    return experiment, advance.lower(key, state, np.int32(1)).compile()


def measured_share() -> tuple[float, str]:
    """The median share of the peak over the tables of benchmarks/floor.py, and where it is from."""
    tables = sorted(RESULTS.glob("floor-*.csv"))
    shares = [pd.read_csv(table)["share"] for table in tables]
    if not shares:
        return ASSUMED_SHARE, "assumed"
    return float(pd.concat(shares).median()), ", ".join(table.name for table in tables)


def projected(counted: pd.DataFrame, share: float, source: str) -> pd.DataFrame:
    """The table with projected hours by device and precision, and the published ones.

    >>> row = {"run": "burgers-adam", "operations_per_step": 38.7e12, "steps": 3600}
    >>> found = projected(pd.DataFrame([row]), 0.5, "assumed")  # 3600 steps of one second at the peak
    >>> found["hours_a6000_float32"].tolist(), found["published_hours_a6000"].tolist()
    ([2.0], [1.18])
    """
    total = counted["operations_per_step"] * counted["steps"]
    hours = {
        f"hours_{device}_{precision}": total / (peak * share) / 3600
        for device, peaks in PEAKS.items()
        for precision, peak in peaks.items()
    }
    published = counted["run"].map(PUBLISHED_HOURS)
    return counted.assign(**hours, published_hours_a6000=published, share=share, share_from=source)


def _in_a_process(name: str, seconds: float) -> dict[str, object] | None:
    """The row of one run; None, with the reason on the terminal, where it fails or takes too long."""
    command = [sys.executable, __file__, "--count", name]
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}
    try:
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        print(f"{name}: not done after {seconds:.0f} s", flush=True)
        return None
    if ended.returncode:
        print(f"{name}: failed with exit code {ended.returncode}\n{ended.stderr[-2000:]}", flush=True)
        return None
    return json.loads(ended.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", action="append", help="only this run, counted anew; may be repeated")
    parser.add_argument("--share", type=float, help="share of a GPU's peak that the program reaches")
    parser.add_argument("--seconds", type=float, default=math.inf, help="start no further run after this time")
    parser.add_argument("--run-seconds", type=float, default=900.0, help="give up a run after this time")
    parser.add_argument("--count", metavar="RUN", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    begun, settings = time.perf_counter(), configuration.load([CONFIGURATION])
    if arguments.count:
        from gradalign.base.precision import enable_float64

        enable_float64()  # as the command line does
        print(json.dumps(count(settings.run(arguments.count))))
        return
    share, source = (arguments.share, "given") if arguments.share else measured_share()
    rows = pd.read_csv(TABLE).to_dict("records") if TABLE.is_file() else []
    digests = {name: digest(settings.run(name)) for name in settings.run_names}
    known = {row["run"]: row for row in rows if row["digest"] == digests.get(row["run"])}
    missing, failed = arguments.run or [name for name in settings.run_names if name not in known], []
    for name in missing:
        if time.perf_counter() - begun > arguments.seconds:
            print(f"time is used up; left: {', '.join(missing[missing.index(name) :])}")
            break
        row = _in_a_process(name, arguments.run_seconds)
        if row is None:
            failed.append(name)
            continue
        known[name] = {**row, "digest": digests[name], "commit": commit()}
        order = [known[run] for run in settings.run_names if run in known]
        table = projected(pd.DataFrame(order), share, source)
        write_table(TABLE, table)
        print(table[table["run"] == name].drop(columns=["digest", "commit"]).T.to_string(header=False), flush=True)
    if known:
        order = [known[run] for run in settings.run_names if run in known]
        write_table(TABLE, projected(pd.DataFrame(order), share, source))
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
