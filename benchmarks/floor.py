"""How near a training step comes to the floor of the machine: its operations a second against products of matrices.

python benchmarks/floor.py                 three problems at widths 64, 128 and 256, two minutes on two cores
python benchmarks/floor.py --problem wave  one problem

Operations of a step are those that XLA counts in the program before it compiles it, with all that is not a product of
matrices; the peak is that of products in float32, the better of two shapes, measured in turns with the step.
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as in `gradalign train`, and before SciPy is loaded

import jax
import pandas as pd
from measuring import in_turns
from steps import CASES, specification, stepper

from gradalign.base import randomness
from gradalign.base.files import write_table
from gradalign.base.precision import PRECISIONS, enable_float64
from gradalign.base.provenance import commit
from gradalign.training.loop import build
from gradalign.training.runner import device_name
from gradalign.training.settings import RunSpecification

PROBLEMS = ("burgers", "kuramoto_sivashinsky", "kolmogorov_flow")
SIZES = ((64, 2, 1024), (128, 3, 2048), (256, 3, 2048))
"""Width and blocks of the PirateNet, and points of the residual."""

SQUARE = 2048
RESULTS = Path(__file__).parent / "results"


def operations(given: RunSpecification) -> float:
    """Operations of one step as XLA counts them before it compiles."""
    experiment = build(given)
    key, state = randomness.stream(0, "points"), jax.eval_shape(lambda: experiment.start(0))
    lowered = jax.jit(lambda key, state: experiment.step(key, state)[0]).lower(key, state)
    return float(lowered.cost_analysis()["flops"])


def product_rate(rows: int, columns: int, precision: str, seconds: float, count: int = 10) -> float:
    """Operations a second of products (rows, columns) x (columns, columns), each needing the one before."""
    program = products(rows, columns, precision, count)
    milliseconds = in_turns({"products": program}, seconds / 4)["products"].median()
    return 2.0 * rows * columns**2 * count / (milliseconds / 1000)


def products(rows: int, columns: int, precision: str, count: int):
    """A program of so many products, each of which needs the one before."""
    found = PRECISIONS[precision]
    left, right = (jax.random.normal(jax.random.key(0), (n, columns), found.dtype) for n in (rows, columns))
    right = right / columns**0.5  # keeps the size of the entries

    @jax.jit
    def chain(left: jax.Array, right: jax.Array) -> jax.Array:
        with jax.default_matmul_precision(found.products):
            return jax.lax.fori_loop(0, count, lambda _, product: product @ right, left)

    return lambda: chain(left, right)


def share(problem: str, size: tuple[int, int, int], seconds: float) -> dict[str, object]:
    """One row of the table."""
    given, steps = specification(problem, "adam", size), 2
    shapes = {"square": (SQUARE, SQUARE, 1), "layer": (size[2], size[0], 20)}
    programs = {name: products(rows, columns, "float32", n) for name, (rows, columns, n) in shapes.items()}
    times = in_turns(programs | {"step": stepper(given, steps)[0]}, seconds).median() / 1000
    rates = {name: 2.0 * rows * columns**2 * n / times[name] for name, (rows, columns, n) in shapes.items()}
    count = operations(given)
    return {
        "problem": problem,
        "width": size[0],
        "blocks": size[1],
        "points": size[2],
        "operations_per_step": count,
        "milliseconds": 1000 * times["step"] / steps,
        "operations_per_second": count * steps / times["step"],
        "peak_square": rates["square"],
        "peak_layer": rates["layer"],
        "share": count * steps / times["step"] / max(rates.values()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problem", choices=CASES, action="append", help="only this problem; may be repeated")
    parser.add_argument("--seconds", type=float, default=5.0, help="time for each case")
    arguments = parser.parse_args()
    enable_float64()
    rows = []
    for problem in arguments.problem or PROBLEMS:
        for size in SIZES:
            rows.append(share(problem, size, arguments.seconds) | {"device": device_name(), "commit": commit()})
            shown = pd.DataFrame(rows[-1:]).to_string(index=False, header=len(rows) == 1, float_format="%.3g")
            print(shown, flush=True)
    write_table(RESULTS / f"floor-{jax.devices()[0].platform}.csv", pd.DataFrame(rows))


if __name__ == "__main__":
    main()
