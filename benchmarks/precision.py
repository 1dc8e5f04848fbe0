"""Noise of the residuals and of their gradients in each precision, against float64, and the time of a step.

    python benchmarks/precision.py                              the four problems at the sizes of the paper, on a GPU
    python benchmarks/precision.py --width 64 --points 512      smaller, some minutes on two cores

The networks are those of the scale `paper`. Residuals and gradients are computed from the same float32 parameters and
points in float64 and in each precision, at the start of a run and after some hundred steps of Adam; the noise is
rms(r_p - r_64) / rms(r_64), by loss term, and for gradients the same over all their entries. A precision that the
device cannot do is emulated where that is possible without it ("emulated"): each factor is split into parts of 8
(bfloat16) or 11 (TF32) significant bits, whose products are exact in float32, and these are summed in float32. The sums
of tensor cores themselves round differently; that is not emulated.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jax import Array, lax
from jax.extend import core
from measuring import in_turns, ratio
from steps import stepper

from gradalign.base import randomness
from gradalign.base.files import write_table
from gradalign.base.precision import PRECISIONS, enable_float64, refusal
from gradalign.base.provenance import commit
from gradalign.derivatives.rules import applied
from gradalign.pipeline import configuration
from gradalign.training.loop import Experiment, build
from gradalign.training.runner import device_name
from gradalign.training.settings import RunSpecification

PROBLEMS = ("burgers", "kuramoto_sivashinsky", "gray_scott", "kolmogorov_flow")
CONFIGURATION = Path(__file__).parents[1] / "workflow/config/paper.yaml"
RESULTS = Path(__file__).parent / "results"

PARTS: dict[str, tuple[int, tuple[tuple[int, int], ...]]] = {
    "BF16_BF16_F32": (8, ((0, 0),)),
    "BF16_BF16_F32_X3": (8, ((0, 1), (1, 0), (0, 0))),
    "BF16_BF16_F32_X6": (8, ((0, 2), (1, 1), (2, 0), (0, 1), (1, 0), (0, 0))),
    "BF16_BF16_F32_X9": (8, ((2, 2), (1, 2), (2, 1), (0, 2), (1, 1), (2, 0), (0, 1), (1, 0), (0, 0))),
    "TF32_TF32_F32": (11, ((0, 0),)),
    "TF32_TF32_F32_X3": (11, ((0, 1), (1, 0), (0, 0))),
}
"""By algorithm: significant bits of a part, and the pairs of parts that are multiplied, the smallest products first."""

ALGORITHMS = {name: found.products for name, found in PRECISIONS.items() if found.dtype == jnp.float32} | {
    "tf32": "TF32_TF32_F32",
    "bf16x3": "BF16_BF16_F32_X3",
    "bf16x9": "BF16_BF16_F32_X9",
}
"""The precisions of a run, and for comparison some that a run cannot have, by name."""


def emulated(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function of float32 arrays, with its matrix products by an algorithm of ``PARTS`` done in float32.

    The algorithm is that of each product in the function's own program (``jax.default_matmul_precision``), so that the
    products of derivatives and gradients are emulated too. Products without an algorithm stay as they are.

    >>> def inner(x, y):
    ...     with jax.default_matmul_precision("BF16_BF16_F32"):
    ...         return x @ y
    >>> ones = jnp.ones((1, 1), jnp.float32)
    >>> float(emulated(inner)(ones + 2.0**-7, ones)[0, 0]) - 1, float(emulated(inner)(ones + 2.0**-9, ones)[0, 0]) - 1
    (0.0078125, 0.0)
    """

    def run(*arguments: Any) -> Any:
        program, shape = jax.make_jaxpr(function, return_shape=True)(*arguments)
        results = _evaluated(program, jax.tree.leaves(arguments))
        return jax.tree.unflatten(jax.tree.structure(shape), results)

    return run


def _evaluated(program: core.ClosedJaxpr, arguments: Sequence[Any]) -> list[Any]:
    jaxpr = program.jaxpr
    known = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*program.consts, *arguments), strict=True))

    def value(atom: Any) -> Any:
        return atom.val if isinstance(atom, core.Literal) else known[atom]

    for equation in jaxpr.eqns:
        inputs, primitive = [value(atom) for atom in equation.invars], equation.primitive
        if primitive.name == "dot_general" and isinstance(equation.params["precision"], lax.DotAlgorithmPreset):
            results = [_product(*inputs, **equation.params)]
        elif primitive.name in ("jit", "pjit"):
            results = _evaluated(equation.params["jaxpr"], inputs)
        elif primitive.name == "remat2":
            results = _evaluated(core.ClosedJaxpr(equation.params["jaxpr"], ()), inputs)
        elif next(inner_jaxprs(equation.params), None) is not None:
            raise NotImplementedError(f"products inside of {primitive.name} are not emulated")
        else:
            results = applied(equation)(*inputs)
        known |= dict(zip(equation.outvars, results, strict=True))
    return [value(atom) for atom in jaxpr.outvars]


def inner_jaxprs(params: dict[str, Any]) -> Iterator[core.Jaxpr]:
    """The programs in the parameters of an operation, such as the body of a loop."""
    for value in params.values():
        for one in value if isinstance(value, tuple | list) else (value,):
            if isinstance(one, core.ClosedJaxpr | core.Jaxpr):
                yield one.jaxpr if isinstance(one, core.ClosedJaxpr) else one


def _product(
    left: Array, right: Array, *, dimension_numbers: Any, precision: lax.DotAlgorithmPreset, **_: Any
) -> Array:
    bits, pairs = PARTS[precision.name]
    count = 1 + max(max(pair) for pair in pairs)
    lefts, rights = (_parts(factor, bits, count) for factor in (left, right))
    multiply = partial(lax.dot_general, dimension_numbers=dimension_numbers, precision=lax.Precision.HIGHEST)
    return sum((multiply(lefts[i], rights[j]) for i, j in pairs[1:]), multiply(lefts[pairs[0][0]], rights[pairs[0][1]]))


def _parts(values: Array, bits: int, count: int) -> list[Array]:
    """Numbers of so many significant bits, each the rest of those before it, to the nearest."""
    parts = []
    for _ in range(count):
        parts.append(lax.reduce_precision(values, exponent_bits=8, mantissa_bits=bits - 1))
        values = values - parts[-1]
    return parts


def specification(problem: str, precision: str, width: int | None, points: int | None) -> RunSpecification:
    """The run of the scale `paper` with Adam at a constant rate and constant loss weights; smaller where asked for."""
    given = configuration.load([CONFIGURATION]).run(f"{problem}-adam")
    network, counts = given.network, dict(given.points)
    if width is not None:
        network = network.model_copy(update={"width": width, "fourier_features": width})
    if points is not None:
        counts = {name: min(points, count) for name, count in counts.items()}
    plain = {"precision": precision, "own_state": False, "causal": None}
    training = given.training.model_copy(
        update=plain | {"weighting": given.training.weighting.model_copy(update={"scheme": "constant"})}
    )
    changes = {"device": "cpu", "network": network, "points": counts, "training": training}
    return given.model_copy(update=changes | {"method_settings": {"learning_rate": 1e-3}})


def quantities(experiment: Experiment, gradients: bool) -> Callable[..., dict[str, dict[str, Array]]]:
    """(parameters, points) -> residuals by loss term, and gradients of the loss terms and of their sum, flat."""

    def found(params: Any, points: Any) -> dict[str, dict[str, Array]]:
        weights = {name: jnp.ones((), experiment.dtype) for name in experiment.problem.losses}
        objective = experiment.objective(weights)
        residuals = {"residual": objective.residuals(params, points)}
        if not gradients:
            return residuals
        flat = {
            name: jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(gradient)])
            for name, gradient in objective.loss_gradients(params, points).items()
        }
        return residuals | {"gradient": flat | {"all": jnp.sum(jnp.stack(list(flat.values())), axis=0)}}

    return found


def with_products(experiment: Experiment, algorithm: str) -> Experiment:
    """The experiment with the products of its network by any algorithm, also one that no run can ask for."""

    def apply(params: Any, coordinates: Array) -> Array:
        with jax.default_matmul_precision(algorithm):
            return experiment.network.apply(params, coordinates)

    network = experiment.network._replace(apply=apply)
    return replace(experiment, model=replace(experiment.model, network=network))


def states(experiment: Experiment, steps: int) -> dict[str, tuple[Any, Any]]:
    """Parameters and points at the start and after so many steps; the points are those of the next step."""
    key, state = randomness.stream(0, "points"), experiment.start(0)
    points = jax.jit(experiment.points)
    found = {"initial": (jax.tree.map(jnp.copy, state.params), points(key, state))}
    state = jax.jit(experiment.advance, donate_argnums=1)(key, state, np.int32(steps))
    if int(state.failed_step) >= 0:
        raise SystemExit(f"{experiment.problem.name}: not finite at step {int(state.failed_step)}")
    return found | {f"after {steps} steps": (state.params, points(key, state))}


def noise(
    problem: str, width: int | None, points: int | None, steps: int, native_only: bool = False, gradients: bool = True
) -> list[dict[str, Any]]:
    """Rows for one problem: by state, precision, quantity and loss term, the noise and the rms in float64."""
    exact = jax.jit(quantities(build(specification(problem, "float64", width, points)), gradients))
    experiment = build(specification(problem, "float32", width, points))
    rows = []
    at = states(experiment, steps)
    true = {
        state: jax.device_get(exact(*jax.tree.map(lambda leaf: leaf.astype(jnp.float64), given)))
        for state, given in at.items()
    }
    for name, algorithm in ALGORITHMS.items():
        native = not refusal(algorithm)
        if native_only and not native:
            continue
        program = quantities(with_products(experiment, algorithm), gradients)
        program = jax.jit(program if native else emulated(program))
        for state, given in at.items():
            found = jax.device_get(program(*given))
            for quantity, reference in true[state].items():
                for term, exact_values in reference.items():
                    size = _rms(exact_values)
                    gap = _rms(found[quantity][term].astype(np.float64) - exact_values)
                    row = {"state": state, "precision": name, "how": "native" if native else "emulated"}
                    rows.append(row | {"quantity": quantity, "term": term, "noise": gap / size, "rms": size})
    return rows


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


def step_ratios(problem: str, width: int | None, points: int | None, seconds: float) -> list[dict[str, Any]]:
    """Rows for one problem: the time of a step in each precision that the device can do, against float32."""
    possible = [name for name, found in PRECISIONS.items() if not refusal(found.products)]
    programs = {name: stepper(specification(problem, name, width, points), 1)[0] for name in possible}
    times = in_turns(programs, seconds)
    rows = []
    for name in possible[1:]:
        found = ratio(times, name, possible[0])
        rows.append(
            {"precision": name, "how": "native", "quantity": f"step / step in {possible[0]}", "term": ""}
            | {"noise": float("nan"), "rms": float("nan"), "ratio": found["ratio"], "milliseconds": found[name]}
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problem", choices=PROBLEMS, action="append", help="only this problem; may be repeated")
    parser.add_argument("--width", type=int, help="of the network and its Fourier features; the paper's where left out")
    parser.add_argument("--points", type=int, help="at most so many of each set; the paper's where left out")
    parser.add_argument("--steps", type=int, default=300, help="steps of Adam before the second state")
    parser.add_argument("--seconds", type=float, default=6.0, help="time for the comparison of steps")
    arguments = parser.parse_args()
    enable_float64()
    path = RESULTS / f"precision-{jax.devices()[0].platform}.csv"
    for problem in arguments.problem or PROBLEMS:
        begun = time.perf_counter()
        size = arguments.width, arguments.points
        rows = noise(problem, *size, arguments.steps) + step_ratios(problem, *size, arguments.seconds)
        given = specification(problem, "float32", *size)
        labels = {"problem": problem, "width": given.network.width, "blocks": given.network.depth}
        labels["points"] = given.points["pde"]
        table = pd.DataFrame([labels | row for row in rows]).assign(device=device_name(), commit=commit())
        others = pd.read_csv(path) if path.is_file() else table.iloc[:0]
        kept = [others[others["problem"] != problem], table]
        write_table(path, pd.concat([part for part in kept if len(part)]))
        shown = table[table["term"].isin(["", "pde", "all"]) | (table["quantity"] == "residual")]
        print(shown.drop(columns=["device", "commit"]).to_string(index=False, float_format="%.2e"))
        print(f"{problem}: {time.perf_counter() - begun:.0f} s", flush=True)


if __name__ == "__main__":
    main()
