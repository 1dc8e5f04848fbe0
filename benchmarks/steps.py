"""Cost of one training step: derivatives for the batch at once against point by point, and SOAP against Adam.

python benchmarks/steps.py                 the table of docs/results/speed.md, a quarter of an hour on two cores
python benchmarks/steps.py --problem wave  one problem, and no table

Point by point derivatives are taken as in the authors' two public codes, see point_by_point.py.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as in `gradalign train`, and before SciPy is loaded

import jax
import numpy as np
import pandas as pd
import point_by_point
from measuring import in_turns, ratio

from gradalign.base import randomness
from gradalign.base.files import write_table
from gradalign.base.precision import enable_float64
from gradalign.base.provenance import commit
from gradalign.networks.settings import NetworkSettings
from gradalign.training.loop import LoopState, build
from gradalign.training.runner import device_name
from gradalign.training.settings import RunSpecification, TrainingSettings

SMALL, LARGE = (64, 2, 1024), (128, 3, 2048)
"""Width and blocks of the PirateNet, and points of the residual."""

CASES = {
    "burgers": (SMALL, LARGE),
    "allen_cahn": (SMALL, LARGE),
    "wave": (SMALL, LARGE),
    "korteweg_de_vries": (SMALL,),
    "kuramoto_sivashinsky": (SMALL,),
    "gray_scott": (SMALL,),
    "ginzburg_landau": (SMALL,),
    "lid_driven_cavity": (SMALL,),
    "kolmogorov_flow": (SMALL,),
    "rayleigh_taylor": (SMALL,),
}
SETTINGS = {
    "allen_cahn": {"initial_condition": "kinked"},
    "lid_driven_cavity": {"reynolds": 100.0},
    "rayleigh_taylor": {},
}
RESULTS = Path(__file__).parent / "results"


def specification(
    problem: str, method: str, size: tuple[int, int, int], precision: str = "float32"
) -> RunSpecification:
    """A run with the network and the batch of a case; points are drawn anew at every step, weights stay."""
    width, depth, batch = size
    module = import_module(f"gradalign.problems.{problem}")
    posed = module.problem(module.Settings(**SETTINGS.get(problem, {})))
    points = {name: batch if name == "pde" else batch // 8 for name in posed.sets}
    return RunSpecification(
        name=f"{problem}-{method}",
        scale="laptop",
        device="cpu",
        problem=problem,
        problem_settings=SETTINGS.get(problem, {}),
        points=points,
        network=NetworkSettings(
            architecture="pirate_net", width=width, depth=depth, activation="tanh", fourier_features=width
        ),
        method=method,
        method_settings={"learning_rate": 1e-3} | ({"precondition_frequency": 2} if method == "soap" else {}),
        training=TrainingSettings(
            steps=1000,
            precision=precision,
            log_every=100,
            checkpoint_every=1000,
            own_state=False,
            weighting={"scheme": "constant"},
        ),
        seeds=[0],
    )


def stepper(given: RunSpecification, steps: int, code: str | None = None) -> tuple[Callable[[], LoopState], float]:
    """A program that does some steps of a run and goes on from there at the next call; seconds of its compilation.

    Derivatives are taken as in a public code where one is named, and for the batch at once otherwise.
    """
    experiment = build(given)
    key, state = randomness.stream(0, "points"), [experiment.start(0)]
    with nullcontext() if code is None else point_by_point.in_use(given.problem, code):
        lowered = jax.jit(experiment.advance, donate_argnums=1).lower(key, state[0], np.int32(steps))
    begun = time.perf_counter()
    compiled = lowered.compile()
    seconds = time.perf_counter() - begun

    def program() -> LoopState:
        state[0] = compiled(key, state[0], np.int32(steps))
        return state[0]

    return program, seconds


def compared(problem: str, size: tuple[int, int, int], seconds: float) -> Iterator[dict[str, object]]:
    """The rows of a case: derivatives as in each public code, and SOAP, against Adam with derivatives for the batch."""
    ours, compiled = stepper(specification(problem, "adam", size), 2)
    programs = {"batch": ours, "SOAP": stepper(specification(problem, "soap", size), 2)[0]}
    for code in point_by_point.EXAMPLES:
        programs[code] = stepper(specification(problem, "adam", size), 2, code)[0]
    times = in_turns(programs, seconds) / 2
    kinds = {code: (f"{code} / batch", point_by_point.description(code, problem)) for code in point_by_point.EXAMPLES}
    for slow, (what, derivatives) in (kinds | {"SOAP": ("SOAP / Adam", "for the batch")}).items():
        found = ratio(times, slow, "batch")
        yield {
            "problem": problem,
            **dict(zip(("width", "blocks", "points"), size, strict=True)),
            "compared": what,
            "derivatives": derivatives,
            "milliseconds": found.pop(slow),
            "milliseconds_of_second": found.pop("batch"),
            **found,
            "compile_seconds": compiled,
            "device": device_name(),
            "commit": commit(),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problem", choices=CASES, action="append", help="only this one, no table; may be repeated")
    parser.add_argument("--seconds", type=float, default=6.0, help="time for each comparison")
    arguments = parser.parse_args()
    enable_float64()
    rows: list[dict[str, object]] = []
    for problem in arguments.problem or CASES:
        for size in CASES[problem]:
            for row in compared(problem, size, arguments.seconds):
                rows.append(row)
                shown = pd.DataFrame([row]).drop(columns=["device", "commit"])
                print(shown.to_string(index=False, header=len(rows) == 1, float_format="%.3g"), flush=True)
    if not arguments.problem:
        write_table(RESULTS / f"steps-{jax.devices()[0].platform}.csv", pd.DataFrame(rows))


if __name__ == "__main__":
    main()
