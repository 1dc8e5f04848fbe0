"""Matrix products in the precisions of tensor cores, emulated in float32, to test what those precisions cost.

Each factor is split into parts of 8 (bfloat16) or 11 (TF32) significant bits. The products of parts are exact in
float32, and are summed in float32. The sums of tensor cores themselves round differently; that is not emulated.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import jax
from jax import Array, lax
from jax.extend import core

from gradalign.derivatives.rules import applied

PARTS: dict[str, tuple[int, tuple[tuple[int, int], ...]]] = {
    "BF16_BF16_F32": (8, ((0, 0),)),
    "BF16_BF16_F32_X3": (8, ((0, 1), (1, 0), (0, 0))),
    "BF16_BF16_F32_X6": (8, ((0, 2), (1, 1), (2, 0), (0, 1), (1, 0), (0, 0))),
    "BF16_BF16_F32_X9": (8, ((2, 2), (1, 2), (2, 1), (0, 2), (1, 1), (2, 0), (0, 1), (1, 0), (0, 0))),
    "TF32_TF32_F32": (11, ((0, 0),)),
    "TF32_TF32_F32_X3": (11, ((0, 1), (1, 0), (0, 0))),
}
"""By algorithm: significant bits of a part, and the pairs of parts that are multiplied, the smallest products first."""


def emulated(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function of float32 arrays, with its matrix products by an algorithm of ``PARTS`` done in float32.

    The algorithm is that of each product in the function's own program (``jax.default_matmul_precision``), so that the
    products of derivatives and gradients are emulated too. Products without an algorithm stay as they are.

    >>> import jax.numpy as jnp
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
