"""What a GPU does at the sizes of the paper, in under eight minutes: PirateNet 3 x 256, 8192 points, four problems.

    python benchmarks/gpu.py             results/gpu-<device>.csv, on a machine with a GPU and JAX's CUDA build
    python benchmarks/gpu.py --dry-run   the same program at tiny sizes on any device, to see that it runs

For each problem, in this order: a step of SOAP against one of Adam; time that the host adds to a chunk of the loop;
operations a second against the peak of products of matrices; a step in each precision of the device; derivatives point
by point against the batch. Each problem has a process of its own and an equal share of the time that is left: what does
not fit into it is skipped, and the table says so. Every row is written when it is measured. A dry run keeps no table.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import pandas as pd
import point_by_point
from floor import operations, product_rate
from measuring import file_name, in_turns, ratio
from steps import specification, stepper

from gradalign.base.files import write_table
from gradalign.base.precision import PRECISIONS, enable_float64, refusal
from gradalign.base.provenance import commit

PROBLEMS = ("burgers", "kuramoto_sivashinsky", "gray_scott", "kolmogorov_flow")
RESULTS = Path(__file__).parent / "results"


class Sizes(NamedTuple):
    """Of a call of this program: the network, steps of a timed call and of a chunk, and rows of the square products."""

    width: int
    blocks: int
    points: int
    steps: int
    chunk: int
    square: int
    seconds: float


PAPER = Sizes(width=256, blocks=3, points=8192, steps=10, chunk=100, square=4096, seconds=4.0)
DRY_RUN = Sizes(width=8, blocks=1, points=32, steps=2, chunk=4, square=64, seconds=0.1)

Row = dict[str, Any]


def case(problem: str, sizes: Sizes) -> Iterator[Row]:
    """The rows of one problem, each as soon as it is measured."""
    size = sizes.width, sizes.blocks, sizes.points
    adam, compiled = stepper(specification(problem, "adam", size), sizes.steps)
    yield _row("compilation, Adam", compiled, "s")
    soap, compiled = stepper(specification(problem, "soap", size), sizes.steps)
    yield _row("compilation, SOAP", compiled, "s")
    times = in_turns({"SOAP": soap, "Adam": adam}, sizes.seconds) / sizes.steps
    yield _row("step, Adam", times["Adam"].median(), "ms")
    yield _row("step, SOAP with a new basis every 2 steps", times["SOAP"].median(), "ms")
    yield _compared("SOAP / Adam", ratio(times, "SOAP", "Adam"))
    yield from _loop(problem, size, sizes)
    yield from _floor(problem, size, sizes, times["Adam"].median() / 1000)
    yield from _precisions(problem, size, sizes)
    programs = {"batch": adam}
    for code in point_by_point.EXAMPLES:
        what = f"derivatives as in {code}: {point_by_point.description(code, problem)}"
        programs[code], compiled = stepper(specification(problem, "adam", size), sizes.steps, code)
        yield _row(f"compilation, {what}", compiled, "s")
    times = in_turns(programs, sizes.seconds) / sizes.steps
    for code in point_by_point.EXAMPLES:
        yield _row(f"step, derivatives as in {code}", times[code].median(), "ms")
        yield _compared(f"{code} / batch", ratio(times, code, "batch"))


def _loop(problem: str, size: tuple[int, int, int], sizes: Sizes) -> Iterator[Row]:
    """What a chunk of the loop costs beside its steps: T(n) = host + n step, from chunks of two lengths."""
    lengths = {"short": sizes.chunk, "long": 2 * sizes.chunk}
    programs = {name: stepper(specification(problem, "adam", size), n)[0] for name, n in lengths.items()}
    median = in_turns(programs, sizes.seconds, rounds=(3, 50)).median()
    host = 2 * median["short"] - median["long"]
    yield _row(f"host in a chunk of {sizes.chunk} steps", 100 * host / median["short"], "%")


def _floor(problem: str, size: tuple[int, int, int], sizes: Sizes, seconds: float) -> Iterator[Row]:
    """Operations of a step, as XLA counts them before it compiles, against the peak of products in float32."""
    count = operations(specification(problem, "adam", size))
    yield _row("operations of a step", count, "1")
    peaks = {}
    for rows, columns in ((sizes.square, sizes.square), (sizes.points, sizes.width)):
        peaks[rows, columns] = product_rate(rows, columns, "float32", sizes.seconds)
        yield _row(f"products {rows} x {columns} x {columns}, float32", peaks[rows, columns], "1/s")
    yield _row("operations a second / peak of products", count / seconds / max(peaks.values()), "1")


def _precisions(problem: str, size: tuple[int, int, int], sizes: Sizes) -> Iterator[Row]:
    """A step and the peak of products in each precision that the device can do, against float32."""
    programs = {}
    for name, found in PRECISIONS.items():
        if reason := refusal(found.products):
            yield _row(f"step, {name}", float("nan"), "ms", note=f"refused by the device: {reason}")
            continue
        if name != "float32":  # the peak above
            rate = product_rate(sizes.square, sizes.square, name, sizes.seconds)
            yield _row(f"products {sizes.square} x {sizes.square} x {sizes.square}, {name}", rate, "1/s")
        programs[name] = stepper(specification(problem, "adam", size, name), sizes.steps)[0]
    times = in_turns(programs, sizes.seconds) / sizes.steps
    for name in list(programs)[1:]:
        yield _row(f"step, {name}", times[name].median(), "ms")
        yield _compared(f"{name} / float32", ratio(times, name, "float32"))


def _row(what: str, value: float, unit: str, note: str = "") -> Row:
    return {"what": what, "value": float(value), "unit": unit, "low": None, "high": None, "note": note}


def _compared(what: str, found: dict[str, float]) -> Row:
    quartiles = {"low": found["ratio_low"], "high": found["ratio_high"]}
    return _row(what, found["ratio"], "1") | quartiles | {"note": f"quartiles over {found['rounds']} rounds"}


def _child(arguments: argparse.Namespace) -> None:
    """Print what the device is, or the rows of one case, as lines of JSON."""
    enable_float64()
    if arguments.case == "device":
        first = jax.devices()[0]
        print(json.dumps({"platform": first.platform, "device": first.device_kind, "count": len(jax.devices())}))
        return
    # What one measurement has compiled the next one finds again; nothing of an earlier call of this program is left
    jax.config.update("jax_compilation_cache_dir", os.environ["GRADALIGN_BENCHMARK_CACHE"])
    for row in case(arguments.case, DRY_RUN if arguments.dry_run else PAPER):
        print(json.dumps(row), flush=True)


def _rows_of(problem: str, dry_run: bool, seconds: float) -> Iterator[Row]:
    """The rows of a case in a process of its own, which is ended when its time is used up."""
    command = [sys.executable, __file__, "--case", problem, *(["--dry-run"] if dry_run else [])]
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as cache, tempfile.TemporaryFile("w+") as complaints:
        environment = os.environ | {"GRADALIGN_BENCHMARK_CACHE": cache}
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=complaints, text=True)
        late = threading.Timer(seconds, process.kill)
        late.start()
        try:
            assert process.stdout is not None
            for line in process.stdout:
                yield json.loads(line)
            code = process.wait()
        finally:
            late.cancel()
            process.kill()
            process.wait()
        if code == 0:
            return
        if time.perf_counter() - begun >= seconds:
            yield _row("the rest", float("nan"), "", note=f"skipped: the {seconds:.0f} s of this problem are used up")
            return
        complaints.seek(0)
        reason = (complaints.read().strip().splitlines() or [f"exit code {code}"])[-1]
        yield _row("the rest", float("nan"), "", note=f"failed: {reason[:300]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problem", choices=PROBLEMS, action="append", help="only this problem; may be repeated")
    parser.add_argument("--seconds", type=float, default=450.0, help="time for all problems together")
    parser.add_argument("--dry-run", action="store_true", help="tiny sizes, any device, a table that is thrown away")
    parser.add_argument("--case", choices=("device", *PROBLEMS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        _child(arguments)
        return
    deadline = time.perf_counter() + arguments.seconds
    asked = subprocess.run([sys.executable, __file__, "--case", "device"], capture_output=True, text=True, check=True)
    device = json.loads(asked.stdout.splitlines()[-1])
    if device["platform"] != "gpu" and not arguments.dry_run:
        raise SystemExit(
            f"JAX sees no GPU here, only {device['device']!r} ({device['platform']}). This program needs one, and "
            "JAX's CUDA build: pip install 'jax[cuda13]'. --dry-run shows that it runs here, at tiny sizes"
        )
    sizes = DRY_RUN if arguments.dry_run else PAPER
    labels = {"width": sizes.width, "blocks": sizes.blocks, "points": sizes.points}
    origin = {"device": f"{device['device']} x{device['count']}", "commit": commit()}
    problems, rows = arguments.problem or PROBLEMS, []
    with tempfile.TemporaryDirectory() as thrown_away:
        path = (
            Path(thrown_away) / "gpu.csv" if arguments.dry_run else RESULTS / f"gpu-{file_name(device['device'])}.csv"
        )
        for index, problem in enumerate(problems):
            share = (deadline - time.perf_counter()) / (len(problems) - index)
            for row in _rows_of(problem, arguments.dry_run, share):
                rows.append({"problem": problem, **labels, **row, **origin})
                write_table(path, pd.DataFrame(rows))
                print(f"{problem:22} {row['what']:60} {row['value']:10.4g} {row['unit']:8} {row['note']}", flush=True)
    failed = [row for row in rows if row["note"].startswith("failed")]
    print(f"{len(rows)} rows" + ("" if arguments.dry_run else f" in {path}"))
    if failed:
        raise SystemExit(f"{len(failed)} of the problems failed, see above")


if __name__ == "__main__":
    main()
