"""What the host costs between the chunks of a training, and what compiling costs: a SOAP run of every problem.

python benchmarks/loop.py                 all ten at the scale laptop, a quarter of an hour on two cores
python benchmarks/loop.py --problem wave  one problem

Every run has the settings of its scale but fewer chunks, at least one in every window or stage, and two seeds. Its time
from the first step of a seed to its end is divided into

    training      waiting for the chunks of steps: the purpose of it all
    diagnosis     waiting for the device to compute scores, gains and losses of the log
    prediction    waiting for the device to evaluate the network on the grid of the logged error
    stage_starts  waiting for the device to start a window or a stage; more often here than in a whole run
    host          all the rest: norms of errors, rows of the log, checkpoints (``saving`` is a part), the loop itself

so that all but ``saving`` sum to 1. Compiling is timed twice: with an empty folder of JAX's compilation cache, and with
what that leaves. Compilations are counted by JAX's own events: those of the program of a chunk, and all that happen
after the first chunk of the first seed.
"""

import argparse
import json
import math
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import jax
import pandas as pd

from gradalign.base.files import write_table
from gradalign.base.provenance import commit
from gradalign.pipeline import configuration
from gradalign.references import _cache as reference_cache
from gradalign.references._contract import Reference
from gradalign.references._specification import ReferenceSpecification
from gradalign.training import devices, runner
from gradalign.training.loop import build
from gradalign.training.runner import device_name
from gradalign.training.settings import RunSpecification

CHUNKS = 4
"""Least number of chunks of a seed."""

DEVICE = ("training", "diagnosis", "prediction", "stage_starts")
"""What is waited for, as the columns name it."""

RESULTS = Path(__file__).parent / "results"

compiled = Counter[str]()
"""How often each program was compiled or taken from the cache, by the name of its function."""


def count(event: str, seconds: float, **labels: Any) -> None:
    """A listener of JAX's events."""
    del seconds
    if event == "/jax/core/compile/backend_compile_duration":
        compiled[str(labels.get("fun_name", "unknown"))] += 1


def shortened(given: RunSpecification) -> RunSpecification:
    """The run with two seeds and few chunks; all that a chunk does, and how often it is logged, stays."""
    training, stages = given.training, len(given.training.stage_steps)
    steps = max(1, math.ceil(CHUNKS / stages)) * training.log_every
    changed: dict[str, Any] = {"steps": stages * steps}
    if training.curriculum is not None:
        cut = [stage.model_copy(update={"steps": steps}) for stage in training.curriculum.stages]
        changed["curriculum"] = training.curriculum.model_copy(update={"stages": cut})
    return given.model_copy(update={"seeds": [0, 1], "training": training.model_copy(update=changed)})


def solution(given: ReferenceSpecification) -> Reference:
    """The reference solution of a problem, from the cache, which has it afterwards."""
    recipe, posed = (import_module(f"gradalign.{part}.{given.problem}") for part in ("references", "problems"))
    settings = recipe.Settings.model_validate_json(json.dumps(given.reference_settings))
    equation = posed.Settings.model_validate_json(json.dumps(given.problem_settings))
    inputs = reference_cache.digest(given.problem, settings, equation)
    found = reference_cache.fetch(given.problem, inputs, print)
    if found is None:
        found = replace(recipe.compute(settings, lambda share, text="": None, equation), inputs=inputs)
        reference_cache.store(found, print)
    return found


class Watch:
    """Seconds by what they were spent on, from the first chunk of a seed to its end."""

    def __init__(self) -> None:
        self.seconds = Counter[str]()
        self.begun = 0.0

    def over(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with its results waited for and its time taken."""

        def timed(*arguments: Any) -> Any:
            begun = time.perf_counter()
            result = jax.block_until_ready(function(*arguments))
            self.seconds[name] += time.perf_counter() - begun
            return result

        return timed

    def start(self) -> None:
        """Forget what was before."""
        self.seconds.clear()
        self.begun = time.perf_counter()

    def stop(self) -> Counter[str]:
        """What was found, with the time in ``all``."""
        return self.seconds + Counter(all=time.perf_counter() - self.begun)


def measured(given: RunSpecification, reference: Reference, directory: Path) -> dict[str, object]:
    """A row of the table: shares of the time, seconds of compilation, numbers of compilations."""
    experiment = build(given, devices.mesh_for(given.points))

    def runner() -> runner._Runner:
        return runner._Runner(experiment, reference, directory, lambda progress: None, print, math.inf)

    cold = runner().compile_seconds
    jax.clear_caches()
    compiled.clear()
    running, watch = runner(), Watch()
    warm, first = running.compile_seconds, Counter[str]()
    log = running._log

    def logged(seed: int, loop: Any, *rest: Any) -> None:
        log(seed, loop, *rest)
        if int(loop.step) == 0:  # what a seed does before its first chunk is left out
            watch.start()
        elif not first:
            first.update(compiled)

    running._log = logged
    running.advance = watch.over("training", running.advance)
    running.diagnose = watch.over("diagnosis", running.diagnose)
    running.predict = watch.over("prediction", running.predict)
    if len(given.training.stage_steps) > 1:
        running.next_stage = watch.over("stage_starts", running.next_stage)
    running._save = watch.over("saving", running._save)
    spent = Counter[str]()
    for seed in given.seeds:
        running.finish(seed)
        spent += watch.stop()
    share = {name: spent[name] / spent["all"] for name in (*DEVICE, "saving")}
    programs = [name for name in compiled if "advance" in name]
    return {
        "run": given.name,
        "stages": len(given.training.stage_steps),
        "chunks": given.training.steps // given.training.log_every * len(given.seeds),
        "steps": given.training.steps * len(given.seeds),
        "seconds": spent["all"],
        **share,
        "host": 1 - sum(share[name] for name in DEVICE),
        "compile_seconds": cold,
        "compile_seconds_cached": warm,
        "compilations_of_a_chunk": sum(compiled[name] for name in programs),
        "compilations_after_the_first": (compiled - first).total(),
        "device": device_name(),
        "commit": commit(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problem", action="append", help="only this problem; may be repeated")
    parser.add_argument("--scale", default="laptop", help="scale whose runs to take")
    arguments = parser.parse_args()
    settings = configuration.load([Path(__file__).parents[1] / f"workflow/config/{arguments.scale}.yaml"])
    jax.monitoring.register_event_duration_secs_listener(count)
    folder = Path(tempfile.mkdtemp())
    jax.config.update("jax_compilation_cache_dir", str(folder / "compiled"))
    rows = []
    for problem in arguments.problem or settings.references:
        given = shortened(settings.run(f"{problem}-soap"))
        reference = solution(settings.reference(problem))
        rows.append({"problem": problem} | measured(given, reference, folder / problem))
        print(pd.DataFrame(rows[-1:]).to_string(index=False, header=len(rows) == 1, float_format="%.3g"), flush=True)
    shutil.rmtree(folder)
    path = RESULTS / f"loop-{jax.devices()[0].platform}.csv"
    table = pd.DataFrame(rows)
    if path.exists():  # problems that were left out keep their rows, with the commit of these
        earlier = pd.read_csv(path)
        table = pd.concat([earlier[~earlier["problem"].isin(table["problem"])], table])
    write_table(path, table)


if __name__ == "__main__":
    main()
