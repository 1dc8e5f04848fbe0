"""What the scale `paper` will cost, found without a GPU: two steps of every run on the CPU, and XLA's own count.

    python benchmarks/paper_cost.py                        every run of the scale, some minutes and 16 GB
    python benchmarks/paper_cost.py --run burgers-soap     one run

Each run is compiled and does two steps on the CPU, by an override of its device, so that every one is known to run. The
operations and the memory of a step are those that XLA counts for the compiled program, the loop over the steps once.
Hours on a GPU = operations x steps / (peak x share of the peak); the share is an assumption (--share).
"""

import argparse
import math
import time
from pathlib import Path

import jax
import numpy as np
import pandas as pd

from gradalign import configuration, randomness
from gradalign.files import write_table
from gradalign.provenance import commit
from gradalign.training import build

PEAKS = {"A6000": 38.7e12, "H100": 66.9e12, "H200": 66.9e12}
"""Operations a second in float32 without tensor cores, from the makers' data sheets (A6000; H100 and H200 SXM)."""

PUBLISHED_HOURS = {"burgers-adam": 1.18, "gray_scott-soap": 40.0}
"""The two that are known, on one A6000 (arXiv 2502.00604, second-hand): the shortest and the longest."""

RESULTS = Path(__file__).parent / "results" / "paper_cost.csv"


def cost(name: str, settings: configuration.Configuration) -> dict[str, object]:
    """One row of the table: size, operations, memory and seconds of a step of a run."""
    given = settings.run(name).model_copy(update={"device": "cpu"})
    experiment = build(given)
    key, state = randomness.stream(0, "points"), experiment.start(0)
    begun = time.perf_counter()
    compiled = jax.jit(experiment.advance, donate_argnums=1).lower(key, state, np.int32(1)).compile()
    compile_seconds = time.perf_counter() - begun
    counted, memory = compiled.cost_analysis(), compiled.memory_analysis()
    begun = time.perf_counter()
    state = jax.block_until_ready(compiled(key, state, np.int32(2)))
    seconds = (time.perf_counter() - begun) / 2
    if int(state.step) != 2 or int(state.failed_step) >= 0:
        raise SystemExit(f"{name}: the two steps failed at step {int(state.failed_step)}")
    return {
        "run": name,
        "steps": given.training.steps,
        "operations": float(counted["flops"]),
        "peak_bytes": int(memory.temp_size_in_bytes + memory.argument_size_in_bytes + memory.output_size_in_bytes),
        "cpu_seconds_per_step": seconds,
        "compile_seconds": compile_seconds,
        "cpu_operations_per_second": float(counted["flops"]) / seconds,
        "published_hours_a6000": PUBLISHED_HOURS.get(name, math.nan),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", action="append", help="only this run; may be repeated")
    parser.add_argument("--share", type=float, default=0.3, help="share of a GPU's peak that the program reaches")
    arguments = parser.parse_args()
    settings = configuration.load([Path(__file__).parents[1] / "workflow/config/paper.yaml"])
    rows = []
    for name in arguments.run or settings.run_names:
        row = cost(name, settings)
        for device, peak in PEAKS.items():
            row[f"hours_{device.lower()}"] = row["operations"] * row["steps"] / (peak * arguments.share) / 3600
        rows.append({**row, "share": arguments.share, "commit": commit()})
        print(pd.DataFrame(rows[-1:]).to_string(index=False, header=len(rows) == 1, float_format="%.3g"), flush=True)
        jax.clear_caches()
    if not arguments.run:
        write_table(RESULTS, pd.DataFrame(rows))


if __name__ == "__main__":
    main()
