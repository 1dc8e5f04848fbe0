"""Rules of differentiation: how one operation of a program propagates the derivatives of its inputs to its result.

Notation: u is an intermediate array, ∂^o u its derivative of order o = (o_1, ..., o_D) by coordinate, and
s u = Σ_o c_o ∂^o u an operator with scalar coefficients. A stream holds one of these arrays, in the shape of u; an
absent stream is zero. With C(o, q) = Π_i binomial(o_i, q_i), and sums over partitions π of the single differentiations
of o into |π| blocks b (Faà di Bruno):

    ∂^o (u v) = Σ_{q <= o} C(o, q) ∂^q u ∂^{o-q} v        s (u v) = u s v + v s u + Σ_o c_o Σ_{0 < q < o} (the same)
    ∂^o f(u)  = Σ_π f^(|π|)(u) Π_b ∂^b u                  s f(u)  = f'(u) s u + Σ_o c_o Σ_{|π| > 1} (the same)
"""

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from gradalign.derivatives.sines import sine_and_cosine

Order = tuple[int, ...]
"""Number of differentiations in each coordinate."""

Streams = dict[Order | str, Array]
"""Arrays of one shape, by order or by the name of an operator; absent ones are zero."""


Terms = Mapping[Order, Any]
"""Coefficients by order."""


class Plan:
    """What every intermediate array carries along.

    orders: derivatives by rising order, with all lower ones that they and the operators need.
    operators: by name, their coefficients by order.
    value: the order of the array itself.
    """

    def __init__(self, dimensions: int, wanted: Iterable[Order], operators: Mapping[str, Terms]) -> None:
        self.value = (0,) * dimensions
        self.operators = operators
        terms = {order for given in operators.values() for order in given}
        lower = {part for order in terms for part in _parts(order) if part != order}
        closed = {part for order in {*wanted, *lower, self.value} for part in _parts(order)}
        self.orders = sorted(closed, key=lambda order: (sum(order), order))

    def coordinates(self, points: Array) -> Streams:
        """The streams of the coordinates (N, D) themselves."""

        def slope(order: Order) -> Array:
            return jnp.zeros_like(points).at[:, order.index(1)].set(1)

        found: Streams = {self.value: points}
        found |= {order: slope(order) for order in self.orders if sum(order) == 1}
        for name, terms in self.operators.items():
            _put(found, name, [c * slope(order) for order, c in terms.items() if sum(order) == 1])
        return found

    def streams(self, value: Array | Streams) -> Streams:
        """Streams unchanged; an array that does not depend on the coordinates as the streams of a constant."""
        return value if isinstance(value, dict) else {self.value: value}


def propagated(plan: Plan, equation: Any, values: Sequence[Any]) -> list[Any]:
    """The results of one equation of a program, as streams if one of its inputs has streams.

    Integers and booleans are piecewise constant, so they carry no streams.
    """
    name, apply = equation.primitive.name, applied(equation)
    moving = [isinstance(value, dict) for value in values]
    inexact = [jnp.issubdtype(result.aval.dtype, jnp.inexact) for result in equation.outvars]
    if not any(moving) or not any(inexact):
        return apply(*(value[plan.value] if isinstance(value, dict) else value for value in values))
    if name in FUNCTIONS:
        return [_composed(plan, FUNCTIONS[name], values[0])]
    if name == "integer_pow":
        return [_composed(plan, _power(equation.params["y"]), values[0])]
    if name in PRODUCTS:
        return [_product(plan, lambda *both: apply(*both)[0], *map(plan.streams, values))]
    if name in LINEAR:
        given = [plan.streams(value) for value in values]
        keys = dict.fromkeys(key for one in given for key in one)
        zeros = [jnp.zeros_like(one[plan.value]) for one in given]
        return [{key: apply(*(one.get(key, zero) for one, zero in zip(given, zeros, strict=True)))[0] for key in keys}]
    if name == "div" and not moving[1]:
        return [{key: apply(stream, values[1])[0] for key, stream in values[0].items()}]
    return _general(plan, equation, values)


LINEAR = {
    *("add", "add_any", "sub", "neg", "concatenate", "stack", "broadcast_in_dim", "reshape", "squeeze", "slice"),
    *("transpose", "reduce_sum", "copy", "convert_element_type"),
}
"""Operations that are jointly linear in all their inputs."""

PRODUCTS = {"mul", "dot_general"}
"""Operations that are linear in each of their two inputs."""


def _sine(u: Array) -> list[Array]:
    sine, cosine = sine_and_cosine(u)
    return [sine, cosine, -sine, -cosine, sine]


def _cosine(u: Array) -> list[Array]:
    sine, cosine = sine_and_cosine(u)
    return [cosine, -sine, -cosine, sine, cosine]


def _tanh(u: Array) -> list[Array]:
    f = jnp.tanh(u)
    slope = 1 - f * f
    return [f, slope, -2 * f * slope, slope * (6 * f * f - 2), f * slope * (16 - 24 * f * f)]


def _logistic(u: Array) -> list[Array]:
    f = jax.lax.logistic(u)
    slope = f * (1 - f)
    second = slope * (1 - 2 * f)
    return [f, slope, second, slope * (1 - 6 * slope), second * (1 - 12 * slope)]


def _power(exponent: int) -> Callable[[Array], list[Array]]:
    """u^k and four derivatives, k (k - 1) ... (k - m + 1) u^(k - m)."""
    factors = [math.prod(exponent - i for i in range(m)) for m in range(5)]
    return lambda u: [
        factor * jax.lax.integer_pow(u, exponent - m) if factor else jnp.zeros_like(u)
        for m, factor in enumerate(factors)
    ]


FUNCTIONS: dict[str, Callable[[Array], list[Array]]] = {
    "cos": _cosine,
    "exp": lambda u: [jnp.exp(u)] * 5,
    "logistic": _logistic,
    "sin": _sine,
    "square": _power(2),
    "tanh": _tanh,
}
"""Functions of one variable, each with its first four derivatives; the compiler removes unused ones."""


def _composed(plan: Plan, function: Callable[[Array], list[Array]], u: Streams) -> Streams:
    """f(u) for a function of one variable."""
    f = function(u[plan.value])

    def chain(terms: Terms, least: int) -> list[Array]:
        """Σ_o c_o Σ_π f^(|π|)(u) Π_b ∂^b u over partitions into at least ``least`` blocks."""
        sums: dict[int, list[Array]] = {}
        for order, coefficient in terms.items():
            for count, blocks in _partitions(order):
                if len(blocks) >= least and all(block in u for block in blocks):
                    term = math.prod((u[block] for block in blocks[1:]), start=u[blocks[0]])
                    sums.setdefault(len(blocks), []).append(_scaled(coefficient, _scaled(count, term)))
        return [f[blocks] * sum(terms[1:], start=terms[0]) for blocks, terms in sums.items()]

    found: Streams = {plan.value: f[0]}
    for order in plan.orders[1:]:
        _put(found, order, chain({order: 1}, least=1))
    for name, terms in plan.operators.items():
        _put(found, name, [f[1] * u[name] if name in u else None, *chain(terms, least=2)])
    return found


def _product(plan: Plan, multiply: Callable[[Array, Array], Array], u: Streams, v: Streams) -> Streams:
    """u v for an operation that is linear in each input."""

    def leibniz(order: Order, parts: Iterable[Order]) -> list[Array]:
        pairs = [(part, tuple(a - b for a, b in zip(order, part, strict=True))) for part in parts]
        return [
            _scaled(math.prod(map(math.comb, order, part)), multiply(u[part], v[rest]))
            for part, rest in pairs
            if part in u and rest in v
        ]

    found: Streams = {}
    for order in plan.orders:
        _put(found, order, leibniz(order, _parts(order)))
    for name, terms in plan.operators.items():
        outer = [
            multiply(u[left], v[right])
            for left, right in ((plan.value, name), (name, plan.value))
            if left in u and right in v
        ]
        inner = [
            _scaled(c, term)
            for order, c in terms.items()
            for term in leibniz(order, [part for part in _parts(order) if part not in (order, plan.value)])
        ]
        _put(found, name, [*outer, *inner])
    return found


def _general(plan: Plan, equation: Any, values: Sequence[Any]) -> list[Any]:
    """Any differentiable operation, by nested forward mode along the Taylor polynomials of its inputs."""
    apply = applied(equation)
    inexact = [i for i, result in enumerate(equation.outvars) if jnp.issubdtype(result.aval.dtype, jnp.inexact)]

    def smooth(*values: Array) -> list[Array]:
        results = apply(*values)
        return [results[index] for index in inexact]

    def derivative(order: Order, parts: Sequence[Order]) -> list[Array]:
        """∂^order of the results, if the inputs have only the derivatives in ``parts``."""

        def moved(*steps: Array) -> list[Array]:
            def at(value: Any) -> Any:
                if not isinstance(value, dict):
                    return value
                total = value[plan.value]
                for part in parts:
                    if part in value and part != plan.value:
                        monomial = [s**k / math.factorial(k) for s, k in zip(steps, part, strict=True) if k]
                        total = total + jnp.prod(jnp.stack(monomial)).astype(total.dtype) * value[part]
                return total

            return smooth(*map(at, values))

        function = moved
        for axis in [axis for axis, count in enumerate(order) for _ in range(count)]:
            function = _along(function, axis)
        return function(*[jnp.zeros(())] * len(order))

    found: dict[Any, list[Array]] = {order: derivative(order, _parts(order)) for order in plan.orders}
    for name, terms in plan.operators.items():
        direction = [value.get(name, jnp.zeros_like(value[plan.value])) for value in values if isinstance(value, dict)]

        def moved(step: Array, direction: Sequence[Array] = direction) -> list[Array]:
            slopes = iter(direction)
            at = [
                v[plan.value] + step.astype(v[plan.value].dtype) * next(slopes) if isinstance(v, dict) else v
                for v in values
            ]
            return smooth(*at)

        sums = jax.jvp(moved, [jnp.zeros(())], [jnp.ones(())])[1]
        for order, coefficient in terms.items():
            if sum(order) > 1:
                rest = derivative(order, [part for part in _parts(order) if part != order])
                sums = [total + coefficient * term for total, term in zip(sums, rest, strict=True)]
        found[name] = sums
    results: list[Any] = apply(*(value[plan.value] if isinstance(value, dict) else value for value in values))
    for place, index in enumerate(inexact):
        results[index] = {key: streams[place] for key, streams in found.items()}
    return results


def applied(equation: Any) -> Callable[..., list[Array]]:
    """An equation as a function of its inputs; always a list of results."""

    def apply(*values: Array) -> list[Array]:
        bound = equation.primitive.get_bind_params(equation.params)
        functions, parameters = bound if isinstance(bound, tuple) else ((), bound)  # a tuple before JAX 0.10
        results = equation.primitive.bind(*functions, *values, **parameters)
        return list(results) if equation.primitive.multiple_results else [results]

    return apply


def _along(function: Callable[..., list[Array]], axis: int) -> Callable[..., list[Array]]:
    """The derivative of a function of scalars with respect to one of them."""

    def slope(*steps: Array) -> list[Array]:
        directions = [jnp.full_like(step, index == axis) for index, step in enumerate(steps)]
        return jax.jvp(function, steps, tuple(directions))[1]

    return slope


def _parts(order: Order) -> list[Order]:
    """All orders that exceed this one in no coordinate."""
    return list(itertools.product(*[range(count + 1) for count in order]))


@cache
def _partitions(order: Order) -> list[tuple[int, tuple[Order, ...]]]:
    """The partitions of the single differentiations of an order into blocks, with the count of equal ones.

    >>> _partitions((3,))  # u_xxx once, u_x u_xx three times, u_x^3 once
    [(1, ((3,),)), (3, ((1,), (2,))), (1, ((1,), (1,), (1,)))]
    """
    axes = [axis for axis, count in enumerate(order) for _ in range(count)]

    def split(items: list[int]) -> Iterator[list[list[int]]]:
        if not items:
            yield []
            return
        first, *others = items
        for size in range(len(others), -1, -1):
            for chosen in itertools.combinations(others, size):
                for rest in split([item for item in others if item not in chosen]):
                    yield [[first, *chosen], *rest]

    def as_order(block: list[int]) -> Order:
        return tuple(sum(axes[item] == axis for item in block) for axis in range(len(order)))

    counts = Counter(tuple(sorted(map(as_order, blocks))) for blocks in split(list(range(len(axes)))))
    return [(count, blocks) for blocks, count in counts.items()]


def _scaled(factor: Any, array: Array) -> Array:
    return array if isinstance(factor, int) and factor == 1 else factor * array


def _put(found: Streams, key: Order | str, terms: Iterable[Array | None]) -> None:
    """Store the sum of the terms that are present; without any, the stream stays absent."""
    present = [term for term in terms if term is not None]
    if present:
        found[key] = sum(present[1:], start=present[0])
