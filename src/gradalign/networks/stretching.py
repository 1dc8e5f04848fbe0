"""Coordinates stretched at the faces of a box, where solutions have thin layers. All quantities are dimensionless.

With the stretching factor a > 0, a coordinate z in [l, h] becomes ζ in [-1, 1] by

    (2z - l - h)/(h - l) = tanh(a ζ)/tanh(a)

(the hyperbolic tangent of Vinokur 1983, J. Comput. Phys. 50, 215). At the faces, points uniform in ζ are
sinh(2a)/(2a) times as dense as points uniform in z, and a thin layer is wider in ζ by the same factor. The limit a = 0
gives uniform points and ζ = (2z - l - h)/(h - l).
"""

import math

import jax.numpy as jnp
from jax import Array

Side = tuple[float, float]
"""``(low, high)`` of one coordinate."""


def place(z: Array, side: Side, factor: float) -> Array:
    """ζ in [-1, 1] for z (N,) in the side; the faces map to -1 and 1. Traceable, smooth up to the faces.

    >>> [round(float(x), 9) for x in place(jnp.asarray([0.0, 0.5, 1.0]), (0.0, 1.0), 2.0)]
    [-1.0, 0.0, 1.0]
    """
    low, high = side
    unit = 2 * (z - low) / (high - low) - 1
    if factor == 0:
        return unit
    slope = math.tanh(factor) * unit
    return (jnp.log1p(slope) - jnp.log1p(-slope)) / (2 * factor)


def moved(z: Array, side: Side, factor: float) -> Array:
    """Points of the side (N,) moved towards its faces, so that uniform points become uniform in ζ; faces stay.

    >>> places = jnp.asarray([0.0, 0.25, 0.5, 1.0])
    >>> [round(float(x), 6) for x in moved(places, (0.0, 1.0), 2.0)]  # (1 - tanh(1)/tanh(2))/2
    [0.0, 0.104994, 0.5, 1.0]
    """
    if factor == 0:
        return z
    low, high = side
    unit = 2 * (z - low) / (high - low) - 1
    inside = (low + high + (high - low) * jnp.tanh(factor * unit) / math.tanh(factor)) / 2
    # Faces are recognised by equality, and the tanh of NumPy and of XLA differ in the last bit
    return jnp.where((z == low) | (z == high), z, jnp.clip(inside, low, high))


def share(z: Array, side: Side, factor: float) -> Array:
    """Weights dz/dζ · 2/(h - l) of points (N,) that are uniform in ζ: the share of the side that each represents.

    With these weights, the mean of f over points uniform in ζ is the mean of f over the side. They range from
    2a/sinh(2a) beside the faces to a/tanh(a) in the middle. Points on a face were drawn there, and weigh 1.

    >>> face, beside, middle = share(jnp.asarray([0.0, 1e-9, 0.5]), (0.0, 1.0), 2.0).tolist()
    >>> face, round(beside * math.sinh(4) / 4, 6), round(middle * math.tanh(2) / 2, 9)
    (1.0, 1.0, 1.0)
    """
    if factor == 0:
        return jnp.ones_like(z)
    low, high = side
    slope = math.tanh(factor) * (2 * (z - low) / (high - low) - 1)
    return jnp.where((z == low) | (z == high), 1, factor * (1 - slope * slope) / math.tanh(factor))
