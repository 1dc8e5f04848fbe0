"""Collocation points, drawn on the device. Coordinates are dimensionless, in the units of the problem's domain."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from gradalign.base.types import Box


def uniform(key: Array, box: Box, count: int, dtype: jnp.dtype) -> Array:
    """``count`` independent points, uniform in the box: (count, D), low <= z_d <= high.

    A coordinate with low = high is constant, which is how points on a face are drawn. Traceable in ``key``.

    >>> points = uniform(jax.random.key(0), ((0.0, 0.0), (-1.0, 1.0)), 100, jnp.dtype("float32"))
    >>> points.shape, float(jnp.max(jnp.abs(points[:, 0]))), bool(jnp.all(jnp.abs(points[:, 1]) <= 1))
    ((100, 2), 0.0, True)
    """
    return _into(jax.random.uniform(key, (count, len(box)), dtype), box)


def stratified_in_time(key: Array, box: Box, count: int, dtype: jnp.dtype) -> Array:
    """``count`` points, uniform in the box, sorted by the first coordinate (time): (count, D).

    z_i0 = low + (high - low) (i + U_i) / count with U_i uniform in [0, 1): one point in each of ``count`` equal
    intervals of time. Equal chunks of rows are therefore equal intervals of time, as causal weights need
    (arXiv 2203.07404), without sorting. On average over i the points are uniform over the box.

    >>> points = stratified_in_time(jax.random.key(0), ((0.0, 1.0), (-1.0, 1.0)), 8, jnp.dtype("float32"))
    >>> [int(slab) for slab in jnp.floor(points[:, 0] * 8)]
    [0, 1, 2, 3, 4, 5, 6, 7]
    """
    unit = jax.random.uniform(key, (count, len(box)), dtype)
    return _into(unit.at[:, 0].set((jnp.arange(count, dtype=dtype) + unit[:, 0]) / count), box)


def lattice(key: Array, box: Box, count: int, dtype: jnp.dtype) -> Array:
    """``count`` points of a shifted Kronecker lattice in the box, sorted by the first coordinate: (count, D).

    z_i0 = low + (high - low) (i + U_0) / count, and the other coordinates low + (high - low) frac(U_j + i φ^(-j)) for
    j = 1, ..., D - 1, where φ^D = φ + 1 and φ > 1 (the golden ratio for D = 2), and the shifts U are uniform in
    [0, 1). On average over i the points are uniform over the box. They fill it more evenly than independent points: for
    smooth functions a mean over N points differs from the integral by about 1/N instead of 1/sqrt(N).

    >>> points = lattice(jax.random.key(0), ((0.0, 1.0), (0.0, 1.0)), 100, jnp.dtype("float64"))
    >>> [int(slab) for slab in jnp.floor(points[:3, 0] * 100)]
    [0, 1, 2]
    >>> bool(jnp.all(jnp.bincount(jnp.floor(points[:, 1] * 10).astype(int), length=10) >= 9))
    True
    """
    ratio = 1.0
    for _ in range(60):  # a contraction to the root of x^D = x + 1
        ratio = (1 + ratio) ** (1 / len(box))
    steps = np.asarray([1 / count, *(ratio**-power for power in range(1, len(box)))])
    still = jnp.asarray(np.arange(count)[:, None] * steps % 1, dtype)  # in float64, whatever the dtype of the points
    shift = jax.random.uniform(key, (len(box),), dtype).at[0].divide(count)
    moved = still + shift
    wrapped = jnp.where(moved >= 1, moved - 1, moved).at[:, 0].set(moved[:, 0])  # times stay sorted if one rounds to 1
    return _into(wrapped, box)


def with_values(coordinates: Array, *values: Array) -> Array:
    """Points (N, D + G) from coordinates (N, D) and the G values (N,) that are given there.

    >>> with_values(jnp.asarray([[0.0, 0.5]]), jnp.asarray([3.0])).tolist()
    [[0.0, 0.5, 3.0]]
    """
    return jnp.concatenate([coordinates, jnp.stack(values, axis=1)], axis=1)


def first_window(box: Box, windows: int) -> tuple[tuple[float, float], ...]:
    """The box with its first coordinate (time) cut to the first of ``windows`` equal parts; ``ValueError`` for none.

    >>> first_window(((0.0, 1.0), (-1.0, 1.0)), 4)
    ((0.0, 0.25), (-1.0, 1.0))
    """
    if windows < 1:
        raise ValueError(f"{windows} windows; allowed: 1 or more")
    (start, end), *space = box
    return ((start, start + (end - start) / windows), *space)


def _into(unit: Array, box: Box) -> Array:
    """Points of the unit cube mapped into the box; the clip undoes rounding beyond the upper face."""
    low, high = (jnp.asarray(side, unit.dtype) for side in zip(*box, strict=True))
    return jnp.clip(low + (high - low) * unit, low, high)
