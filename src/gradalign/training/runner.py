"""One training run on the host: devices, checkpoints, the log, and the files that the next stage reads."""

import hashlib
import json
import math
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import pandas as pd

from gradalign.base import machine, provenance, randomness, trees
from gradalign.base.errors import DeviceError, MemoryLimitError, NonFiniteLossError, TimeLimitError
from gradalign.base.files import exclusive, write_table
from gradalign.base.precision import require_precision
from gradalign.optimizers._method import load_method
from gradalign.references import _equation as equation
from gradalign.references._contract import Reference, relative_l2
from gradalign.training import checkpoints, devices, faults, records
from gradalign.training.compilation import QUICK
from gradalign.training.evaluation import predictor, quantities, thinned, window_of
from gradalign.training.loop import Experiment, LoopState, build
from gradalign.training.operations import OperationCount
from gradalign.training.settings import RunSpecification

Row = dict[str, float]

LOGGED_POINTS = 32_768
"""Most points of the grid on which the error is logged during a run. The final error uses the whole grid."""


FEW_LOGS = 50
"""Most logs of a seed for which the diagnostics are compiled at a low optimisation level on a CPU. This saves 3 to 23 s
of compilation and makes a call 0 to 0.1 s longer [measured, ten runs of the scale laptop]. One seed gains; three with
41 logs each break even on the wave equation, where calls are slowest.
"""


class Progress(NamedTuple):
    """What the listener receives after every logged step."""

    run: str
    seed: int
    step: int
    steps: int
    loss: float
    error: float


def require_device(device: str, scale: str) -> None:
    """Refuse to start without the GPU that the settings ask for (``DeviceError``), or with a wrong NPROC."""
    device_name()
    platforms = sorted({found.platform for found in jax.devices()})
    if device == "gpu" and "gpu" not in platforms:
        raise DeviceError(
            f"scale {scale!r} is set to run on a GPU (key 'device'), and JAX sees only {', '.join(platforms)} here. "
            "Ways on: run it on a machine with a GPU and JAX's CUDA build (pip install 'jax[cuda13]'); send it there "
            "with a profile (snakemake --profile workflow/profiles/slurm); or run the scales made for two CPU cores, "
            "'make reproduce SCALE=laptop' or 'make reproduce SCALE=smoke'"
        )


def device_name() -> str:
    """The devices of a run as the tables name them, for instance ``cpu (2 cores)``; all that JAX sees take part.

    Cores are those available to XLA's threads (``machine.cores``, which raises ``ConfigurationError`` for a wrong
    NPROC).
    """
    devices = jax.devices()
    if devices[0].platform != "cpu":
        return f"{devices[0].device_kind} x{len(devices)}"
    cores = machine.cores()
    return f"cpu ({cores:g} core{'s' if cores != 1 else ''})" + (f" x{len(devices)}" if len(devices) > 1 else "")


def require_memory(run: str, programs: Iterable[Any]) -> None:
    """Raise ``MemoryLimitError`` if a compiled program of a run needs more memory than is available.

    XLA knows the need before it runs a program: arguments, results and temporaries, on each device.
    """
    needed, devices = 0, jax.devices()
    for program in programs:
        if (sizes := getattr(program, "memory_analysis", lambda: None)()) is not None:
            results = sizes.output_size_in_bytes - sizes.alias_size_in_bytes
            needed = max(needed, sizes.argument_size_in_bytes + sizes.temp_size_in_bytes + results)
    free = machine.available_memory()
    if stats := devices[0].memory_stats():  # of a GPU; a CPU has none
        left = stats.get("bytes_limit", sys.maxsize) - stats.get("bytes_in_use", 0)
        free = machine.Memory(left, f"the memory of {devices[0].device_kind}")
    else:
        needed *= len(devices)
    if needed > free.free:
        raise MemoryLimitError(
            f"the run {run!r} needs {machine.readable(needed)} of memory for its step or its diagnostics, and "
            f"{machine.readable(free.free)} are free in {free.where}. {machine.ways_on(devices[0].platform)}"
        )


def train(
    specification: RunSpecification,
    reference: Reference,
    directory: Path,
    listen: Callable[[Progress], None] = lambda progress: None,
    say: Callable[[str], object] = lambda text: None,
    max_seconds: float = math.inf,
) -> None:
    """Train every seed of a run, one after the other, on all devices that JAX sees, and write ``directory``.

    Files: ``runs.csv`` (a row per seed), ``curves.csv`` (long: a row per seed, logged step and quantity),
    ``parameters/seed-<seed>.safetensors``, ``specification.json`` (the settings), and their ``checksums.sha256``. The
    last two checkpoints of a seed, in ``checkpoints/seed-<seed>/``, let a killed run resume, bit for bit on a CPU. They
    count only for the same settings, sources and reference. ``say`` hears of a damaged one, which is skipped.

    After ``max_seconds`` of wall-clock time the run stops at the next logged step, with a checkpoint there.

    Raises before any compute ``DeviceError``, or ``ConfigurationError`` for points that cannot be split over the
    devices (see ``devices``), for a reference of another equation (see ``references._equation``), and for a
    ``directory`` that holds a finished run with other settings or files that no training wrote (see ``records``). After
    compilation it raises ``MemoryLimitError`` if the programs need more memory than there is. During training it raises
    ``NonFiniteLossError`` with step, problem, method, seed and tensor, after saving the log so far as
    ``curves-failed-<seed>.csv``, and ``TimeLimitError`` when the time is used up.
    """
    require_device(specification.device, specification.scale)
    require_precision(specification.training.precision)
    equation.require_same(reference, specification.problem, specification.problem_settings, specification.name)
    records.require_run_directory(directory)
    deadline = time.monotonic() + max_seconds
    experiment = build(specification, devices.mesh_for(specification.points))
    # A killed pipeline may have left a training that still runs
    with exclusive(directory / ".lock", say):
        records.remove_partial(directory)
        records.require_same_settings(directory, specification)
        runner = _Runner(experiment, reference, directory, listen, say, deadline)
        finished = [runner.finish(seed) for seed in specification.seeds]
        write_table(directory / "runs.csv", pd.DataFrame([row for row, _ in finished]))
        write_table(directory / "curves.csv", pd.DataFrame([row for _, rows in finished for row in rows]))
        parameters = [runner.parameters(seed) for seed in specification.seeds]
        recorded = records.record(directory, specification)
        records.seal(directory, [directory / "runs.csv", directory / "curves.csv", recorded, *parameters])


class _Runner:
    """The compiled functions of an experiment, and the files of its run."""

    def __init__(
        self,
        experiment: Experiment,
        reference: Reference,
        directory: Path,
        listen: Callable[[Progress], None],
        say: Callable[[str], object],
        deadline: float,
    ) -> None:
        self.experiment, self.reference, self.directory = experiment, reference, directory
        self.listen, self.say, self.deadline = listen, say, deadline
        self.specification = experiment.specification
        self.stage_ends = np.cumsum(self.specification.training.stage_steps).tolist()
        self.identity = _identity(self.specification, reference)
        self.commit = provenance.commit()
        grid, fields = thinned(reference, LOGGED_POINTS)
        self.times = grid.get("t")
        self.exact = quantities(experiment.problem, fields)[experiment.problem.main_quantity]
        self.predict = predictor(experiment, grid)
        self.operations = OperationCount(experiment)
        start = time.perf_counter()
        self.advance, self.diagnose, self.next_stage, self.solution = _compiled(experiment)
        self.compile_seconds = time.perf_counter() - start
        require_memory(self.specification.name, (self.advance, self.diagnose, self.next_stage, self.solution))

    def finish(self, seed: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Train one seed to its end, or load it from its checkpoint; returns its row and its curves."""
        training = self.specification.training
        key, parameters_key = (randomness.stream(seed, name) for name in ("points", "parameters"))
        loop, seconds, log = self._resume(seed)
        loop = devices.held_by_all(loop, self.experiment.mesh)
        done = int(loop.step)
        if not log:
            self._log(seed, loop, seconds, log, key)
        while done < training.steps:
            start = time.perf_counter()
            loop = self.advance(key, loop, np.int32(min(training.log_every, training.steps - done)))
            done = int(jax.block_until_ready(loop.step))
            seconds += time.perf_counter() - start
            if int(loop.failed_step) >= 0:
                what = f"not finite: {faults.origin(self.experiment, key, loop)}"
                self._fail(seed, int(loop.failed_step), what, log)
            self._log(seed, loop, seconds, log, key)
            if done in self.stage_ends[:-1]:
                loop = self.next_stage(parameters_key, loop)
            late = time.monotonic() > self.deadline and done < training.steps
            if done % training.checkpoint_every == 0 or done == training.steps or late:
                self._save(seed, loop, seconds, log)
            if late:
                raise TimeLimitError(
                    f"run {self.specification.name!r} stopped at step {done} of {training.steps} of seed {seed}, "
                    "because its time is used up. Start it again in the same way: it goes on from there"
                )
        checkpoints.save(self.parameters(seed), self.solution(loop), {"step": done})
        self._failed_log(seed).unlink(missing_ok=True)  # of an earlier attempt with other settings
        return self._row(seed, loop, seconds, log), self._curves(seed, log)

    def _log(self, seed: int, loop: LoopState, seconds: float, log: list[Row], key: jax.Array) -> None:
        scalars = {name: float(value) for name, value in jax.device_get(self.diagnose(key, loop)).items()}
        step = int(loop.step)
        if not math.isfinite(scalars["loss"]):
            terms = [name for name, value in scalars.items() if name.startswith("loss/") and not math.isfinite(value)]
            self._fail(seed, step, f"the loss is {scalars['loss']} (not finite: {', '.join(terms) or 'the sum'})", log)
        error = self._error(loop)
        before = log[-1] if log else {"step": 0, "gradient_evaluations": 0, "operations": 0.0}
        scalars["operations"] = before["operations"] + self.operations.between(
            step - int(before["step"]),
            int(scalars["gradient_evaluations"] - before["gradient_evaluations"]),
            scalars.get("handed_over", 1) > 0,
        )
        log.append({"step": step, "seconds": seconds, **scalars, "error": error})
        steps = self.specification.training.steps
        self.listen(Progress(self.specification.name, seed, step, steps, scalars["loss"], error))

    def _error(self, loop: LoopState) -> float:
        """The relative L2 error of the main quantity so far, over the windows up to the present one."""
        problem = self.experiment.problem
        found, exact = quantities(problem, self.predict(self.solution(loop)))[problem.main_quantity], self.exact
        if self.experiment.windows > 1:
            assert self.times is not None  # only problems with time have windows
            reached = int(np.sum(window_of(self.times, problem, self.experiment.windows) <= int(loop.stage)))
            time = exact.ndim - len(problem.coordinates)
            found, exact = (np.take(values, range(reached), axis=time) for values in (found, exact))
        return relative_l2(found.astype(np.float64), exact)

    def _fail(self, seed: int, step: int, what: str, log: list[Row]) -> None:
        path = self._failed_log(seed)
        write_table(path, pd.DataFrame(self._curves(seed, log)))
        raise NonFiniteLossError(
            f"run {self.specification.name!r} stopped at step {step}: {what} (problem {self.specification.problem!r}, "
            f"method {self.specification.method!r}, seed {seed}). The usual cause is a step size or loss weight that "
            f"is too large: lower learning_rate or lengthen warmup_steps. The log so far is in {path}"
        )

    def _failed_log(self, seed: int) -> Path:
        return self.directory / f"curves-failed-{seed}.csv"

    def parameters(self, seed: int) -> Path:
        """The file with the solution of a seed."""
        return self.directory / "parameters" / f"seed-{seed}.safetensors"

    def _checkpoints(self, seed: int) -> Path:
        return self.directory / "checkpoints" / f"seed-{seed}"

    def _save(self, seed: int, loop: LoopState, seconds: float, log: list[Row]) -> None:
        columns = {name: np.asarray([row[name] for row in log], np.float64) for name in log[0]}
        metadata = {"identity": self.identity, "seconds": seconds}
        checkpoints.save_step(self._checkpoints(seed), int(loop.step), loop, columns, metadata)

    def _resume(self, seed: int) -> tuple[LoopState, float, list[Row]]:
        start = self.experiment.start(seed)
        found = checkpoints.load_last(self._checkpoints(seed), start, self.identity, self.say)
        if found is None:
            checkpoints.clear(self._checkpoints(seed))
            return start, 0.0, []
        loop, columns, metadata = found
        columns["step"] = [int(step) for step in columns["step"]]
        return (
            loop,
            metadata["seconds"],
            [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)],
        )

    def _labels(self, seed: int) -> dict[str, Any]:
        given = self.specification
        return {"run": given.name, "problem": given.problem, "method": given.method, "seed": seed}

    def _curves(self, seed: int, log: list[Row]) -> list[dict[str, Any]]:
        return [
            {**self._labels(seed), "step": row["step"], "seconds": row["seconds"], "quantity": name, "value": value}
            for row in log
            for name, value in row.items()
            if name not in ("step", "seconds")
        ]

    def _row(self, seed: int, loop: LoopState, seconds: float, log: list[Row]) -> dict[str, Any]:
        given = self.specification
        method_settings = load_method(given.method).Settings(**given.method_settings)
        return {
            **self._labels(seed),
            "variant": given.method_settings.get("variant", ""),
            "changed": given.changed,
            "b1": getattr(method_settings, "b1", 0.0),
            "points_every": given.training.points_every,
            "scale": given.scale,
            "device": device_name(),
            "precision": given.training.precision,
            "commit": self.commit,
            "network": given.network.described,
            "recipe": given.recipe,
            "parameters": trees.size(loop.params),
            "steps": int(loop.step),
            "points": sum(given.points.values()),
            "loss_terms": len(self.experiment.problem.losses),
            "conditions": self.experiment.problem.conditions,
            "windows": self.experiment.windows,
            "stages": len(given.training.stage_steps),
            "last_stage_steps": given.training.stage_steps[-1],
            **{name: float(getattr(self.experiment.settings, name)) for name in self.experiment.problem.labels},
            "compile_seconds": self.compile_seconds,
            "train_seconds": seconds,
            "milliseconds_per_step": 1000 * seconds / int(loop.step),
            "final_loss": log[-1]["loss"],
        }


def _compiled(experiment: Experiment) -> tuple[Callable[..., Any], ...]:
    """``advance``, ``diagnose``, ``next_stage`` and ``solution`` of an experiment, compiled for its devices.

    The solution of one window needs no program; one program assembles that of several. Diagnostics that are logged a
    few times are compiled at a low optimisation level; steps never are.
    """
    everywhere = devices.replicated(experiment.mesh)
    key, loop = randomness.stream(0, "points"), jax.eval_shape(lambda: experiment.start(0))
    training = experiment.specification.training
    few = jax.default_backend() == "cpu" and training.steps <= FEW_LOGS * training.log_every
    next_stage = jax.jit(experiment.next_stage, **everywhere)
    several = len(experiment.specification.training.stage_steps) > 1
    return (
        jax.jit(experiment.advance, donate_argnums=1, **everywhere).lower(key, loop, np.int32(1)).compile(),
        jax.jit(experiment.diagnose, **everywhere).lower(key, loop).compile(_known(QUICK) if few else None),
        next_stage.lower(key, loop).compile() if several else next_stage,
        jax.jit(experiment.solution, **everywhere).lower(loop).compile()
        if experiment.windows > 1
        else experiment.solution,
    )


def _known(options: dict[str, str | bool]) -> dict[str, str | bool]:
    """The options that this version of XLA has."""
    trivial, known = jax.jit(lambda: 0).lower(), {}
    for name, value in options.items():
        try:
            trivial.compile({name: value})
        except jax.errors.JaxRuntimeError as error:
            if "No such compile option" not in str(error):
                raise
        else:
            known[name] = value
    return known


def _identity(specification: RunSpecification, reference: Reference) -> str:
    """A digest of all that determines the result of one seed: settings, sources, reference."""
    settings = specification.model_dump(exclude=records.FREE)
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    modules = ["training.runner", f"problems.{specification.problem}", f"optimizers.{specification.method}"]
    digest.update(provenance.source_digest([f"gradalign.{module}" for module in modules]).encode())
    for field in reference.fields.values():
        digest.update(np.ascontiguousarray(field).tobytes())
    return digest.hexdigest()
