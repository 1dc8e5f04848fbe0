"""The baselines of the speed tables: input derivatives point by point, as the authors' public codes take them.

Two codes are public. ``jaxpi`` (github.com/PredictiveIntelligenceLab/jaxpi) has the configurations of the paper;
``jaxpi2`` (github.com/sifanexisted/jaxpi2, commit 4e289aa of 2026) is its successor. Both write a residual for one
point and ``vmap`` it over the points. They differ in how an example takes its derivatives, which ``EXAMPLES`` lists as
read in their ``examples/*/models.py``. The constructions here are our own and stand where a problem has
``gradalign.derivatives.partial.partial_derivatives``, so that programs share all the rest: equation, network, points,
weights, optimizer. Nothing else of those codes is timed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array
from jax.experimental.jet import jet

from gradalign.base.types import Operators
from gradalign.derivatives import fields
from gradalign.derivatives.partial import Fields

AtPoint = Callable[..., Array]
"""The fields at one point, (F,), by the coordinates as scalars."""
Positions = Mapping[str, tuple[int, ...]]
"""Derivatives by name, each as the positions of the coordinates it is taken in."""
Rule = Callable[[AtPoint, Sequence[Array], Positions], dict[str, Array]]
"""Derivatives at one point, each of the first fields or of all of them."""


def nested_gradients(fields: AtPoint, point: Sequence[Array], words: Positions) -> dict[str, Array]:
    """Reverse over reverse: a gradient for each letter, by fields and derivatives one at a time."""
    count = jax.eval_shape(fields, *point).size

    def one(index: int, positions: tuple[int, ...]) -> Array:
        derivative = lambda *at: fields(*at)[index]  # noqa: E731
        for position in positions:
            derivative = jax.grad(derivative, argnums=position)
        return derivative(*point)

    return {word: jnp.stack([one(index, positions) for index in range(count)]) for word, positions in words.items()}


def reverse_jacobian(fields: AtPoint, point: Sequence[Array], words: Positions) -> dict[str, Array]:
    """First derivatives of all fields, a reverse pass for each field."""
    columns = jax.jacrev(fields, argnums=[position for (position,) in words.values()])(*point)
    return dict(zip(words, columns, strict=True))


def hessian(fields: AtPoint, point: Sequence[Array], words: Positions) -> dict[str, Array]:
    """Second derivatives in one coordinate each, from the whole matrix of second derivatives of all fields at once."""
    matrix = jax.hessian(fields, argnums=[first for first, second in words.values() if first == second])(*point)
    return {word: matrix[row][row] for row, word in enumerate(words)}


def hessian_by_field(count: int, fields: AtPoint, point: Sequence[Array], words: Positions) -> dict[str, Array]:
    """The same, a matrix for each of the first ``count`` fields."""
    found = [hessian(lambda *at, index=index: fields(*at)[index], point, words) for index in range(count)]
    return {word: jnp.stack([one[word] for one in found]) for word in words}


def forward_mode(fields: AtPoint, point: Sequence[Array], words: Positions) -> dict[str, Array]:
    """Forward products for all fields at once: one per first derivative, linearised once; two nested per second one."""
    found = {}
    first = {word: positions[0] for word, positions in words.items() if len(positions) == 1}
    if first:
        along = lambda *moved: fields(*_replaced(point, first.values(), moved))  # noqa: E731
        _, product = jax.linearize(along, *(point[position] for position in first.values()))
        for word, unit in zip(first, jnp.eye(len(first), dtype=point[0].dtype), strict=True):
            found[word] = product(*unit)
    for word, positions in words.items():
        if word not in first:
            position, again = positions
            assert position == again
            path = lambda c, position=position: fields(*_replaced(point, [position], [c]))  # noqa: E731
            one = jnp.ones_like(point[position])
            slope = lambda c, path=path, one=one: jax.jvp(path, (c,), (one,))[1]  # noqa: E731
            found[word] = jax.jvp(slope, (point[position],), (one,))[1]
    return found


def taylor_mode(fields: AtPoint, point: Sequence[Array], words: Positions) -> dict[str, Array]:
    """All derivatives in one coordinate up to the highest order that is asked for, in one pass."""
    position = next(iter(words.values()))[0]
    assert all(set(positions) == {position} for positions in words.values())
    order = max(map(len, words.values()))
    path = lambda c: fields(*_replaced(point, [position], [c]))  # noqa: E731
    line = [jnp.asarray(float(n == 0), point[position].dtype) for n in range(order)]  # the path is c + s
    _, found = jet(path, (point[position],), [line])
    return {word: found[len(positions) - 1] for word, positions in words.items()}


def _replaced(point: Sequence[Array], positions: Sequence[int], values: Sequence[Array]) -> list[Array]:
    moved = dict(zip(positions, values, strict=True))
    return [moved.get(position, value) for position, value in enumerate(point)]


NAMES = {
    nested_gradients: "nested gradients",
    reverse_jacobian: "reverse Jacobian",
    hessian: "Hessian",
    hessian_by_field: "Hessians",
    forward_mode: "forward mode",
    taylor_mode: "Taylor mode",
}

SCALAR = {nested_gradients: ("t", "x", "tt", "xx")}
FLOW = {reverse_jacobian: ("t", "x", "y")}
FORWARD = {forward_mode: ("t", "x", "y", "tt", "xx", "yy")}
EXAMPLES: dict[str, dict[str, dict[Rule, tuple[str, ...]]]] = {
    "jaxpi": {
        "burgers": SCALAR,
        "allen_cahn": SCALAR,
        "wave": SCALAR,
        "korteweg_de_vries": {nested_gradients: ("t",), taylor_mode: ("x", "xx", "xxx")},
        "kuramoto_sivashinsky": {nested_gradients: ("t",), taylor_mode: ("x", "xx", "xxx", "xxxx")},
        "gray_scott": {reverse_jacobian: ("t",), hessian: ("xx", "yy")},
        "ginzburg_landau": {nested_gradients: ("t",), hessian: ("xx", "yy")},
        "lid_driven_cavity": {nested_gradients: ("x", "y", "xx", "yy")},
        "kolmogorov_flow": FLOW | {partial(hessian_by_field, 2): ("xx", "yy")},
        "rayleigh_taylor": FLOW | {partial(hessian_by_field, 3): ("xx", "yy")},
    },
    "jaxpi2": {
        "burgers": FORWARD,
        "allen_cahn": FORWARD,
        "wave": FORWARD,
        "korteweg_de_vries": {forward_mode: ("t",), taylor_mode: ("x", "xx", "xxx")},
        "kuramoto_sivashinsky": {forward_mode: ("t",), taylor_mode: ("x", "xx", "xxx", "xxxx")},
        "gray_scott": FORWARD,
        "ginzburg_landau": FORWARD,
        "lid_driven_cavity": FORWARD,
        "kolmogorov_flow": FORWARD,
        "rayleigh_taylor": FORWARD,
    },
}
"""By code and problem the derivatives that each construction takes."""


def description(code: str, problem: str) -> str:
    """How the example of a public code takes its derivatives, in words.

    >>> description("jaxpi", "kuramoto_sivashinsky")
    'nested gradients, Taylor mode'
    """
    return ", ".join(NAMES[getattr(rule, "func", rule)] for rule in EXAMPLES[code][problem])


def partial_derivatives(
    rules: Mapping[Rule, Sequence[str]] | None,
    function: Fields,
    coordinates: Array,
    wanted: Sequence[str],
    names: Sequence[str] = ("t", "x"),
    operators: Operators | None = None,
) -> dict[str, Array]:
    """Partial derivatives of fields u: R^D -> R^F at N points, as
    ``gradalign.derivatives.partial.partial_derivatives``.

    Without rules all are nested gradients. Fields that a rule leaves out, because no equation of the example has their
    derivative, are NaN.
    """
    operators = operators or {}
    needed = dict.fromkeys([*wanted, *(word for terms in operators.values() for word in terms)])
    needed.pop("", None)
    rules = {nested_gradients: list(needed)} if rules is None else rules
    taken = {rule: [word for word in words if word in needed] for rule, words in rules.items()}
    if missing := sorted(set(needed).difference(*taken.values())):
        raise ValueError(f"no rule takes {', '.join(missing)}")

    at_one_point = _at_one_point(function, coordinates)

    def fields(*point: Array) -> Array:
        return at_one_point(jnp.stack(point))

    @jax.vmap
    def found(point: Array) -> dict[str, Array]:
        values = {"": fields(*point)}
        for rule, words in taken.items():
            if words:
                values |= rule(fields, list(point), {word: tuple(map(names.index, word)) for word in words})
        count = values[""].size
        return {
            word: jnp.pad(value, (0, count - value.size), constant_values=jnp.nan) for word, value in values.items()
        }

    derivatives = found(coordinates)
    results = {word: derivatives[word] for word in wanted}
    for name, terms in operators.items():
        results[name] = sum(coefficient * derivatives[word] for word, coefficient in terms.items())
    return results


def _at_one_point(function: Fields, coordinates: Array) -> Callable[[Array], Array]:
    """The fields at one point (D,). Networks take it as it is, as those of the public codes do.

    A hard-constrained initial condition takes batches only, here one of a single row. Nothing is timed that way: a row
    under ``vmap`` is about twice as slow as a vector.
    """
    try:
        jax.eval_shape(function, jax.ShapeDtypeStruct(coordinates.shape[1:], coordinates.dtype))
    except (IndexError, TypeError, ValueError):
        return lambda point: function(point[None])[0]
    return function


@contextmanager
def in_use(problem: str, code: str) -> Iterator[None]:
    """Let a problem take its derivatives as a public code does. What is traced in the meantime stays that way.

    A problem that neither code has as an example takes nested gradients.
    """
    batched = fields.partial_derivatives
    fields.partial_derivatives = partial(partial_derivatives, EXAMPLES[code].get(problem))
    try:
        yield
    finally:
        fields.partial_derivatives = batched
