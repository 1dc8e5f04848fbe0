"""Point sets that most problems share: in the interior, at the initial time, and on both faces of a coordinate."""

from collections.abc import Callable, Sequence

import jax.numpy as jnp
from jax import Array

from gradalign.base.types import Box
from gradalign.problems._contract import At, Fields, PointSet, Residuals, Term
from gradalign.problems._sampling import stratified_in_time, uniform, with_values


def interior(domain: Box, residuals: Callable[[Fields, At], Residuals], terms: Sequence[Term]) -> PointSet:
    """The set ``pde`` of points in the domain, sorted by time, for the residuals of the equations.

    >>> import jax
    >>> still = interior(((0.0, 1.0), (0.0, 1.0)), lambda fields, at: {"pde": fields(at)[:, 0]}, [Term("pde")])
    >>> still.sample(jax.random.key(0), 4, jnp.dtype("float32")).shape
    (4, 2)
    """

    def sample(key: Array, count: int, dtype: jnp.dtype) -> Array:
        return stratified_in_time(key, domain, count, dtype)

    return PointSet("pde", sample, residuals, tuple(terms), causal=True)


def initial_values(domain: Box, fields: tuple[str, ...], values: Callable[..., Sequence[Array]]) -> PointSet:
    """The set ``ic`` of points at the initial time, where the first fields have given values.

    ``values(x, ...)`` returns the fields there, each (N,). The loss term is ``ic`` for one field, and ``u_ic``,
    ``v_ic``, ... for several.

    >>> import jax
    >>> start = initial_values(((0.0, 1.0), (0.0, 1.0)), ("u",), lambda x: [2 * x])
    >>> points = start.sample(jax.random.key(0), 4, jnp.dtype("float32"))
    >>> bool(jnp.all(points[:, 2] == 2 * points[:, 1]))
    True
    """
    (start, _), *space = domain
    names = ("ic",) if len(fields) == 1 else tuple(f"{name}_ic" for name in fields)

    def sample(key: Array, count: int, dtype: jnp.dtype) -> Array:
        places = uniform(key, ((start, start), *space), count, dtype)
        given = values(*(places[:, axis] for axis in range(1, len(domain))))
        if len(given) != len(fields):
            raise ValueError(f"{len(given)} initial values for the fields {fields}; allowed: one for each")
        return with_values(places, *given)

    def residuals(found: Fields, at: At) -> Residuals:
        gaps = found(at)[:, : len(fields)] - at.given
        return {name: gaps[:, i] for i, name in enumerate(names)}

    return PointSet("ic", sample, residuals, tuple(map(Term, names)), given=fields, condition="initial")


def at_both_ends(
    domain: Box, residuals: Callable[[Fields, At], Residuals], terms: Sequence[Term], side: int = 1
) -> PointSet:
    """The set ``bc`` of points on the two faces of the coordinate with index ``side``, in turn.

    >>> import jax
    >>> ends = at_both_ends(((0.0, 1.0), (-1.0, 1.0)), lambda fields, at: {"bc": fields(at)[:, 0]}, [Term("bc")])
    >>> ends.sample(jax.random.key(0), 4, jnp.dtype("float32"))[:, 1].tolist()
    [-1.0, 1.0, -1.0, 1.0]
    """
    low, high = domain[side]
    face = tuple((low, low) if index == side else box for index, box in enumerate(domain))

    def sample(key: Array, count: int, dtype: jnp.dtype) -> Array:
        return uniform(key, face, count, dtype).at[1::2, side].set(high)

    return PointSet("bc", sample, residuals, tuple(terms), condition="boundary")
