"""Operations of an optimizer step, counted in the program that JAX traces, by XLA's conventions.

XLA's own count (``jax.stages.Lowered.cost_analysis``) takes the more expensive branch of a condition at every step,
counts a loop once, and omits LAPACK. Here a condition on a counter of the state counts the branch that is taken, trials
of a line search or of dampings are counted separately, and factorisations have their textbook counts.
"""

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.extend import core

from gradalign.training.loop import Experiment

LEFT_OUT = frozenset(
    [
        "atan2",
        "bitcast_convert_type",
        "broadcast_in_dim",
        "cbrt",
        "concatenate",
        "convert_element_type",
        "copy",
        "copy_p",
        "cos",
        "device_put",
        "dynamic_slice",
        "dynamic_update_slice",
        "erf",
        "exp",
        "exp2",
        "expand_dims",
        "expm1",
        "gather",
        "iota",
        "log",
        "log1p",
        "logistic",
        "optimization_barrier",
        "pad",
        "pow",
        "random_bits",
        "random_fold_in",
        "random_split",
        "random_unwrap",
        "random_wrap",
        "reshape",
        "rev",
        "rsqrt",
        "select_and_gather_add",
        "sharding_constraint",
        "sin",
        "slice",
        "sort",
        "split",
        "sqrt",
        "squeeze",
        "stop_gradient",
        "tan",
        "tanh",
        "threefry2x32",
        "transpose",
    ]
)
"""Not operations: data movement, random numbers, and transcendental functions, which XLA counts separately."""


class Counted(NamedTuple):
    """step: operations outside the trials. trial: those of one trial of the loop that searches for a step."""

    step: float
    trial: float


class OperationCount:
    """Operations of the steps of an experiment, from their gradient evaluations, which the run counts anyway.

    Traced once; nothing is compiled. A multiplication and an addition are two operations. As for the gradient
    evaluations of ``Method``, only the method counts: no points, weights of loss terms, own states or diagnostics. The
    operations of s steps with e evaluations are

        s c + (e - s e_0) t / e_1

    where c is a step without trials, t a trial, and e_0 and e_1 are their evaluations (``Method.evaluations``). c is
    the mean over a period of the counters in the state, such as that of SOAP's refreshes. Loops within a trial, which
    repeat a failed factorisation, are left out. A Cholesky factorisation of n x n costs n^3/3, a triangular solve with
    k right-hand sides n^2 k, QR of m x n with both factors 4 m n^2 - 4 n^3/3, all eigenvectors of a symmetric matrix
    9 n^3 (Golub and Van Loan 2013, sections 4.2, 3.1, 5.2, 8.3).
    """

    def __init__(self, experiment: Experiment) -> None:
        key = jax.random.key(0)
        loop = jax.eval_shape(lambda: experiment.start(0))
        points = jax.eval_shape(experiment.points, key, loop)

        def step(params: Any, state: Any, points: Any, weights: Any, start: Any) -> Any:
            objective = experiment.objective(weights, start)
            return experiment.method.step(objective, params, state, points, None)[:2]

        arguments = (loop.params, loop.state, points, loop.loss_weights, loop.start)
        self.program = jax.make_jaxpr(step)(*arguments)
        self.places = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(arguments)]
        self.shapes = [(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(arguments)]
        self.evaluations = experiment.method.evaluations
        period = experiment.method.period
        self.before, self.after = (self._mean(period, handed_over) for handed_over in (False, True))

    def _mean(self, period: int, handed_over: bool) -> Counted:
        """The mean over ``period`` late steps, without the work of the first steps only."""
        found = []
        for counter in range(1000 * period, 1001 * period):
            known = [
                np.asarray(handed_over if "handed_over" in place else counter, dtype)
                if place.startswith("[1]") and shape == () and dtype in (np.int32, np.bool_)
                else None
                for place, (shape, dtype) in zip(self.places, self.shapes, strict=True)
            ]
            found.append(_count(self.program.jaxpr, self.program.consts, known))
        return Counted(float(np.mean([one.step for one in found])), max(one.trial for one in found))

    def between(self, steps: int, evaluations: int, handed_over: bool = True) -> float:
        """Operations of ``steps`` steps with ``evaluations`` gradient evaluations."""
        counted = self.after if handed_over else self.before
        beside, of_trial = self.evaluations if counted.trial else (1, 1)
        return steps * counted.step + (evaluations - steps * beside) / of_trial * counted.trial


def _count(jaxpr: core.Jaxpr, consts: Sequence[Any], given: Sequence[Any], inner: bool = False) -> Counted:
    """Operations of a program with some known integer inputs; ``inner`` if the program is inside a loop."""
    return _walk(jaxpr, consts, given, inner)[0]


def _walk(jaxpr: core.Jaxpr, consts: Sequence[Any], given: Sequence[Any], inner: bool) -> tuple[Counted, list[Any]]:
    """The result of ``_count``, and the outputs, None if unknown."""
    known: dict[Any, Any] = {}
    for variable, value in [*zip(jaxpr.constvars, consts, strict=True), *zip(jaxpr.invars, given, strict=True)]:
        if value is not None and _is_integer(variable):
            known[variable] = value

    def value_of(variable: Any) -> Any:
        return variable.val if isinstance(variable, core.Literal) else known.get(variable)

    step, trial = 0.0, 0.0
    for equation in jaxpr.eqns:
        name, parameters = equation.primitive.name, equation.params
        values = [value_of(variable) for variable in equation.invars]
        found, results = Counted(0.0, 0.0), [None] * len(equation.outvars)
        if name == "cond":
            index, *operands = values
            branches = parameters["branches"] if index is None else [parameters["branches"][int(index)]]
            taken = [_walk(branch.jaxpr, branch.consts, operands, inner) for branch in branches]
            found = max(counted for counted, _ in taken)
            results = taken[0][1] if index is not None else results
        elif name == "while":
            if not inner:  # the trials of the step; loops inside them are left out
                found = Counted(0.0, _unknown(parameters["body_jaxpr"]).step)
        elif name == "scan":
            found = Counted(parameters["length"] * _unknown(parameters["jaxpr"]).step, 0.0)
        elif (body := _inside(parameters)) is not None:
            operands = values[len(values) - len(body.jaxpr.invars) :]
            found, results = _walk(body.jaxpr, body.consts, operands, inner)
        else:
            found = Counted(_operations(equation), 0.0)
            if all(value is not None for value in values) and all(map(_is_integer, equation.outvars)):
                bound = equation.primitive.bind(*values, **parameters)
                results = list(bound) if equation.primitive.multiple_results else [bound]
        known |= {
            variable: value for variable, value in zip(equation.outvars, results, strict=True) if value is not None
        }
        step, trial = step + found.step, trial + found.trial
    return Counted(step, trial), [value_of(variable) for variable in jaxpr.outvars]


def _unknown(body: core.ClosedJaxpr) -> Counted:
    """Operations of one iteration of a loop."""
    return _count(body.jaxpr, body.consts, [None] * len(body.jaxpr.invars), inner=True)


def _is_integer(variable: Any) -> bool:
    """Whether it is a single integer or boolean, such as a counter."""
    found = variable.aval
    return getattr(found, "shape", None) == () and getattr(found, "dtype", np.dtype(float)).kind in "iub"


def _inside(parameters: dict[str, Any]) -> core.ClosedJaxpr | None:
    """The program inside a call, a checkpoint or a custom derivative; None for a primitive of arrays."""
    for found in parameters.values():
        if isinstance(found, core.ClosedJaxpr):
            return found
        if isinstance(found, core.Jaxpr):
            return core.ClosedJaxpr(found, ())
    return None


def _operations(equation: core.JaxprEqn) -> float:
    """Operations of one primitive on arrays."""
    name = equation.primitive.name
    shapes = [v.aval.shape for v in equation.invars if hasattr(v.aval, "shape")]
    size = max((prod(v.aval.shape) for v in equation.outvars if hasattr(v.aval, "shape")), default=0)
    if name == "dot_general":
        (contracted, _), _ = equation.params["dimension_numbers"]
        return 2.0 * size * prod(shapes[0][axis] for axis in contracted)
    if name == "cholesky":
        return size * shapes[0][-1] / 3
    if name == "triangular_solve":
        return float(size * shapes[0][-1])
    if name == "eigh":
        return 9.0 * prod(shapes[0]) * shapes[0][-1]
    if name in ("qr", "geqrf", "householder_product"):
        *batch, m, n = shapes[0]
        least, most = min(m, n), max(m, n)
        return (2 if name == "qr" else 1) * prod(batch) * (2 * most * least**2 - 2 * least**3 / 3)
    if name in LEFT_OUT:
        return 0.0
    if name.startswith(("reduce_", "cum", "arg")):
        return float(prod(shapes[0]))
    if name == "integer_pow":
        return float(size * max(1, abs(equation.params["y"]) - 1))
    return float(size)
