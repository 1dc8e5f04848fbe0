"""The waves of a Fourier series along one axis."""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jax import Array

Pair = Callable[[Array], tuple[Array, Array]]
"""Sine and cosine of an array."""


def primitives(x: Array) -> tuple[Array, Array]:
    """sin x and cos x as operations of JAX, which ``derivatives`` knows: the plain case of ``waves_of``.

    >>> [float(value) for value in primitives(jnp.asarray(0.0))]
    [0.0, 1.0]
    """
    return jnp.sin(x), jnp.cos(x)


def fourier_waves(distance: Array, period: float, harmonics: int) -> Array:
    """1, cos(2πk y/P) for k = 1..K, sin(2πk y/P) for k = 1..K at distances y (N, 1): (N, 2K + 1), in their dtype.

    Plain operations, so that derivatives of any order up to 4 in y can be taken by ``derivatives``. Dimensionless.

    >>> fourier_waves(jnp.asarray([[0.25]]), 1.0, 1).round(9).tolist()
    [[1.0, 0.0, 1.0]]
    """
    return waves_of(distance, wave_numbers(period, harmonics, distance.dtype))


def wave_numbers(period: float, harmonics: int, dtype: jnp.dtype) -> Array:
    """2πk/P for k = 1..K, (K,).

    >>> wave_numbers(jnp.pi, 2, jnp.dtype("float64")).round(9).tolist()
    [2.0, 4.0]
    """
    return jnp.asarray(2 * np.pi / period * np.arange(1, harmonics + 1), dtype)


def waves_of(distance: Array, wave_numbers: Array, pair: Pair = primitives) -> Array:
    """1, cos(k y) for every k, sin(k y) for every k of ``wave_numbers`` (K,), as in ``fourier_waves``: (N, 2K + 1).

    ``pair`` takes sines and cosines; with one that is no operation of JAX, ``derivatives`` cannot read this.

    >>> waves_of(jnp.asarray([[jnp.pi / 2]]), jnp.asarray([1.0])).round(9).tolist()
    [[1.0, 0.0, 1.0]]
    """
    sine, cosine = pair(distance * wave_numbers)
    return jnp.concatenate([jnp.ones_like(distance), cosine, sine], axis=1)
