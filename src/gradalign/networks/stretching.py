"""Coordinates stretched at the faces of a box, where solutions have thin layers. All quantities are dimensionless.

A coordinate z in [l, h] with the stretching factor a > 0 has the place ζ in [-1, 1] with

    (2z - l - h)/(h - l) = tanh(a ζ)/tanh(a)

(the hyperbolic tangent of Vinokur 1983, J. Comput. Phys. 50, 215). Points that are uniform in ζ lie sinh(2a)/(2a)
times as densely at the faces as uniform ones, and a thin layer there is as many times wider in ζ. a = 0 is the limit,
uniform points and ζ = (2z - l - h)/(h - l).
"""

import math

import jax.numpy as jnp
from jax import Array

Side = tuple[float, float]
"""``(low, high)`` of one coordinate."""


def place(z: Array, side: Side, factor: float) -> Array:
    """ζ in [-1, 1] from z (N,) in the side; the faces have -1 and 1. Traceable, smooth up to the faces.

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
    """Points of the side (N,) moved towards its faces, so that uniform ones become uniform in ζ; faces stay.

    >>> places = jnp.asarray([0.0, 0.25, 0.5, 1.0])
    >>> [round(float(x), 6) for x in moved(places, (0.0, 1.0), 2.0)]  # (1 - tanh(1)/tanh(2))/2
    [0.0, 0.104994, 0.5, 1.0]
    """
    if factor == 0:
        return z
    low, high = side
    unit = 2 * (z - low) / (high - low) - 1
    inside = (low + high + (high - low) * jnp.tanh(factor * unit) / math.tanh(factor)) / 2
    # A face is told by equality, and the tanh of NumPy and of XLA differ in the last bit
    return jnp.where((z == low) | (z == high), z, jnp.clip(inside, low, high))


def share(z: Array, side: Side, factor: float) -> Array:
    """The part of the side that a point (N,) stands for, relative to one of as many uniform points: dz/dζ · 2/(h - l).

    The mean of f over points that are uniform in ζ, with these weights, is the mean of f over the side. From
    2a/sinh(2a) beside the faces to a/tanh(a) in the middle; points on a face all lie there, and have 1.

    >>> face, beside, middle = share(jnp.asarray([0.0, 1e-9, 0.5]), (0.0, 1.0), 2.0).tolist()
    >>> face, round(beside * math.sinh(4) / 4, 6), round(middle * math.tanh(2) / 2, 9)
    (1.0, 1.0, 1.0)
    """
    if factor == 0:
        return jnp.ones_like(z)
    low, high = side
    slope = math.tanh(factor) * (2 * (z - low) / (high - low) - 1)
    return jnp.where((z == low) | (z == high), 1, factor * (1 - slope * slope) / math.tanh(factor))
