"""What a Gauss-Newton step costs and where: operations of its parts, their times, and the share of the machine's peak.

python benchmarks/second_order.py                 three problems with exact starts and a larger network, three minutes
python benchmarks/second_order.py --problem wave  one problem

Operations of a step, with N rows, P parameters, M = min(N, P), S streams of derivatives, a dampings that are tried:

    Jacobian      6 N S P + 2 N P    forward, backward, and an outer product for each stream and weight; J^T r
    Gram          (1 + 1/b) N P M    lower triangle in b bands of rows
    Cholesky      a M^3 / 3
    acceleration  10 a N S P         value, first and second derivative along the direction
    loss          2 a N S P
    solutions     2 a (2 N P + 2 M^2)

where a multiplication and an addition are two operations, and what is no product of matrices counts nothing. XLA's own
count has that too, but the loop over dampings once, and the Cholesky factorisation not at all. The peak is that of
square products in float64. All programs of a case take turns: their ratios hold on a machine with other users, their
times do not. The steps are those of one draw of points, always from the same state. Evaluations are repeated as often,
since what does not depend on the parameters is computed once a draw.
"""

import argparse
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as in `gradalign train`, and before SciPy is loaded

import floor
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jax import Array
from jax.flatten_util import ravel_pytree
from measuring import in_turns

from gradalign.base import randomness
from gradalign.base.files import write_table
from gradalign.base.precision import enable_float64
from gradalign.base.provenance import commit
from gradalign.base.types import Points
from gradalign.networks.settings import NetworkSettings
from gradalign.optimizers._damped_least_squares import BLOCKS, damped_system
from gradalign.optimizers._objective import Objective
from gradalign.training.loop import Experiment, LoopState, build
from gradalign.training.runner import device_name
from gradalign.training.settings import RunSpecification, TrainingSettings

STEPS = 10
"""Of one draw of points."""

RESULTS = Path(__file__).parent / "results"


class Case(NamedTuple):
    """streams: in the network, the value, the operator of the equation, and the derivatives that both are made of."""

    problem: str
    streams: int
    settings: Mapping[str, Any]
    width: int = 24
    points: int = 2000


BAND_LIMITED = {"initial_condition": "band_limited", "start_harmonics": 255}
CASES = (
    Case("korteweg_de_vries", 4, {}),
    Case("allen_cahn", 3, BAND_LIMITED),
    Case("wave", 4, {"boundary": "exact"}),
    Case("allen_cahn", 3, BAND_LIMITED, width=34, points=4480),
)


def specification(case: Case) -> RunSpecification:
    """A run as of docs/how-to/accurate.md."""
    windows = None if case.problem == "wave" else {"count": 20, "network": "warm"}
    return RunSpecification(
        name=f"{case.problem}-gauss_newton",
        scale="laptop",
        device="cpu",
        problem=case.problem,
        problem_settings={"start": "exact", **case.settings},
        points={"pde": case.points},
        network=NetworkSettings(architecture="mlp", width=case.width, depth=2, activation="tanh", harmonics=10),
        method="gauss_newton",
        method_settings={"initial_damping": 1e-3},
        training=TrainingSettings(
            steps=1200,
            precision="float64",
            log_every=60,
            checkpoint_every=60,
            own_state=False,
            points_every=STEPS,
            sampling="lattice",
            weighting={"scheme": "constant"},
            windows=windows,
        ),
        seeds=[0],
    )


def operations(rows: int, parameters: int, streams: int, attempts: float) -> dict[str, float]:
    """Operations of the parts of a step, by the formulas above.

    >>> {part: round(count) for part, count in operations(8, 3, 2, 1.0).items()}
    {'jacobian': 336, 'gram': 90, 'cholesky': 9, 'acceleration': 480, 'loss': 96, 'solutions': 132}
    """
    smaller, products = min(rows, parameters), rows * streams * parameters
    return {
        "jacobian": 6.0 * products + 2.0 * rows * parameters,
        "gram": (1 + 1 / BLOCKS) * rows * parameters * smaller,
        "cholesky": attempts * smaller**3 / 3,
        "acceleration": 10 * attempts * products,
        "loss": 2 * attempts * products,
        "solutions": 2 * attempts * (2 * rows * parameters + 2 * smaller**2),
    }


def evaluations(experiment: Experiment, loop: LoopState, points: Points) -> dict[str, Callable[[], Array]]:
    """Programs that do the same at ``STEPS`` parameters, each of which needs what was found at the one before."""
    flat, unravel = ravel_pytree(loop.params)

    def jacobian(objective: Objective, theta: Array, points: Points) -> Array:
        residuals, found = objective.linearisation(unravel(theta), points)
        return residuals @ found

    def acceleration(objective: Objective, theta: Array, points: Points) -> Array:
        def along(theta: Array) -> Array:
            return jax.jvp(lambda at: objective.rows(unravel(at), points)["pde"], (theta,), (flat,))[1]

        return jnp.sum(jax.jvp(along, (theta,), (flat,))[1])

    def loss(objective: Objective, theta: Array, points: Points) -> Array:
        return objective.loss(unravel(theta), points)

    def repeated(part: Callable[[Objective, Array, Points], Array]) -> Callable[[], Array]:
        def program(loop: LoopState, points: Points) -> Array:
            objective = experiment.objective(loop.loss_weights, loop.start)
            tiny = jnp.finfo(flat.dtype).tiny  # changes nothing, which the compiler does not know
            return jax.lax.fori_loop(0, STEPS, lambda _, theta: theta + tiny * part(objective, theta, points), flat)

        compiled = jax.jit(program).lower(loop, points).compile()
        return lambda: compiled(loop, points)

    return {part.__name__: repeated(part) for part in (jacobian, acceleration, loss)}


def measured(case: Case, seconds: float) -> dict[str, object]:
    """One row of the table."""
    given = specification(case)
    experiment, key = build(given), randomness.stream(0, "points")
    lowered = jax.jit(experiment.advance).lower(key, experiment.start(0), np.int32(STEPS))
    begun = time.perf_counter()
    advance = lowered.compile()
    compile_seconds = time.perf_counter() - begun
    loop = advance(key, experiment.start(0), np.int32(2 * STEPS))
    points = jax.jit(experiment.points)(key, loop)

    step, later, attempts = jax.jit(experiment.step), loop, 0.0
    for _ in range(STEPS):
        later, metrics = step(key, later)
        attempts += float(metrics["attempts"]) / STEPS

    objective = experiment.objective(loop.loss_weights, loop.start)
    jacobian = jax.jit(lambda loop: objective.linearisation(loop.params, points)[1])(loop)
    gram = jax.jit(lambda jacobian: damped_system(jacobian).gram)
    matrix, damping = gram(jacobian), loop.state.damping
    cholesky = jax.jit(
        lambda matrix: jax.lax.linalg.cholesky(matrix + damping * jnp.eye(len(matrix)), symmetrize_input=False)
    )
    times = in_turns(
        {
            "step": lambda: advance(key, loop, np.int32(STEPS)),
            **evaluations(experiment, loop, points),
            "gram": lambda: gram(jacobian),
            "cholesky": lambda: cholesky(matrix),
            "products": floor.products(floor.SQUARE, floor.SQUARE, "float64", 1),
        },
        seconds,
    ).median()
    milliseconds = times / [
        STEPS if name in ("step", "jacobian", "acceleration", "loss") else 1 for name in times.index
    ]
    count = operations(*jacobian.shape, case.streams, attempts)
    total, peak = sum(count.values()), 2.0 * floor.SQUARE**3 / (milliseconds["products"] / 1000)
    return {
        "problem": case.problem,
        "width": case.width,
        "points": case.points,
        "parameters": jacobian.shape[1],
        "attempts": attempts,
        **{f"operations_{part}": value for part, value in count.items()},
        "operations_per_step": total,
        "operations_by_xla": floor.operations(given),
        **{f"milliseconds_{name}": value for name, value in milliseconds.drop("products").items()},
        "operations_per_second": total / (milliseconds["step"] / 1000),
        "peak": peak,
        "share": total / (milliseconds["step"] / 1000) / peak,
        "compile_seconds": compile_seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    problems = sorted({case.problem for case in CASES})
    parser.add_argument("--problem", choices=problems, action="append", help="only this problem; may be repeated")
    parser.add_argument("--seconds", type=float, default=10.0, help="time for each case")
    arguments = parser.parse_args()
    enable_float64()
    rows = []
    for case in CASES:
        if case.problem in (arguments.problem or problems):
            rows.append(measured(case, arguments.seconds) | {"device": device_name(), "commit": commit()})
            shown = pd.DataFrame(rows[-1:]).drop(columns=["device", "commit"])
            print(
                shown.T.map(lambda value: f"{value:.3g}" if isinstance(value, float) else value).to_string(header=False)
            )
    write_table(RESULTS / f"second_order-{jax.devices()[0].platform}.csv", pd.DataFrame(rows))


if __name__ == "__main__":
    main()
