"""Fourier series in space, whose waves may grow or decay in time, with derivatives in closed form.

    B_f(t, x, y) = Σ_mn c_fmn w_m(x) w_n(y) exp((ρ_fm + ρ_fn) t),   w: 1, cos kx, sin kx, k = 2π/P, ..., 2πK/P

in one or two space dimensions. A derivative of B is again such a series, with other constant coefficients: the time
derivative multiplies them by ρ_fm + ρ_fn, and along an axis (a cos kx + b sin kx)' = k b cos kx - k a sin kx. Each
derivative, and each operator, thus costs one matrix product, and the waves need not carry their derivatives along.
"""

from collections.abc import Callable, Mapping, Sequence

import jax.numpy as jnp
import numpy as np
from jax import Array

from gradalign.derivatives.sines import sine_and_cosine

Pair = Callable[[Array], tuple[Array, Array]]
"""Sine and cosine of an array."""


def primitives(x: Array) -> tuple[Array, Array]:
    """sin x and cos x as plain JAX operations, which ``partial_derivatives`` can read; the default of ``waves_of``.

    >>> [float(value) for value in primitives(jnp.asarray(0.0))]
    [0.0, 1.0]
    """
    return jnp.sin(x), jnp.cos(x)


def fourier_waves(distance: Array, period: float, harmonics: int) -> Array:
    """1, cos(2πk y/P) for k = 1..K, sin(2πk y/P) for k = 1..K at distances y (N, 1): (N, 2K + 1), in their dtype.

    Plain operations, which ``partial_derivatives`` differentiates up to order 4 in y. Dimensionless.

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

    ``pair`` computes sine and cosine; ``partial_derivatives`` can read the result only if it uses plain operations.

    >>> waves_of(jnp.asarray([[jnp.pi / 2]]), jnp.asarray([1.0])).round(9).tolist()
    [[1.0, 0.0, 1.0]]
    """
    sine, cosine = pair(distance * wave_numbers)
    return jnp.concatenate([jnp.ones_like(distance), cosine, sine], axis=1)


def growing_series(coefficients: Array, coordinates: Array, origins: Array, wave_numbers: Array, rates: Array) -> Array:
    """B (N, F) at coordinates (N, 1 + A), time first, with A = 1 or 2 space dimensions.

    coefficients c: (F, 2K + 1) or (F, 2K + 1, 2K + 1), the waves in the order of ``waves_of``. origins: (A,), the
    zeros of x and y here. wave_numbers k: (A, K). rates ρ: (A, F, 2K + 1), equal for the cosine and sine of one k. All
    are dimensionless and of one floating dtype, that of the result.

    >>> decaying = jnp.asarray([[[0.0, -2.0, -2.0]]])
    >>> place = jnp.asarray([[0.5, 1.0]])
    >>> found = growing_series(jnp.asarray([[0.0, 3.0, 0.0]]), place, jnp.zeros(1), jnp.ones((1, 1)), decaying)
    >>> round(float(found[0, 0]), 9), round(float(3 * jnp.cos(1.0) * jnp.exp(-1.0)), 9)
    (0.596298331, 0.596298331)
    """
    return _summed(coefficients, _grown(coordinates, origins, wave_numbers, rates))


def growing_series_derivatives(
    coefficients: Array,
    coordinates: Array,
    origins: Array,
    wave_numbers: Array,
    rates: Array,
    words: Mapping[str, Mapping[str, float | Array]],
    names: Sequence[str],
) -> dict[str, Array]:
    """Linear combinations of derivatives of ``growing_series``, each (N, F), in closed form.

    ``words`` gives each combination by name, as coefficients by derivative: ``{"heat": {"t": 1, "xx": -0.5}}`` or
    ``{"x": {"x": 1}}``. ``names`` are the one-letter names of time and the space axes. The other arguments and the
    dtype are as in ``growing_series``.

    >>> place, one = jnp.asarray([[0.0, 1.0]]), jnp.ones((1, 1))
    >>> sine = (jnp.asarray([[0.0, 0.0, 1.0]]), place, jnp.zeros(1), one, jnp.zeros((1, 1, 3)))
    >>> found = growing_series_derivatives(*sine, {"xx": {"xx": 1.0}}, ("t", "x"))["xx"]
    >>> round(float(found[0, 0]), 9), round(float(-jnp.sin(1.0)), 9)
    (-0.841470985, -0.841470985)
    """
    grown = _grown(coordinates, origins, wave_numbers, rates, sine_and_cosine)
    growth = rates[0] if len(rates) == 1 else rates[0][:, :, None] + rates[1][:, None, :]

    def differentiated(word: str) -> Array:
        found = coefficients
        for _ in range(word.count(names[0])):
            found = growth * found
        for axis, name in enumerate(names[1:]):
            for _ in range(word.count(name)):
                found = _slope(found, wave_numbers[axis], axis + 1)
        return found

    def combined(terms: Mapping[str, float | Array]) -> Array:
        total = sum(coefficient * differentiated(word) for word, coefficient in terms.items())
        return _summed(jnp.asarray(total), grown)

    return {name: combined(terms) for name, terms in words.items()}


def _grown(
    coordinates: Array, origins: Array, wave_numbers: Array, rates: Array, pair: Pair = primitives
) -> list[list[Array]]:
    """By axis and field, the waves (N, 2K + 1) at the time of each point."""
    time, found = coordinates[:, :1], []
    for axis, own in enumerate(rates):
        waves = waves_of(coordinates[:, axis + 1 : axis + 2] - origins[axis], wave_numbers[axis], pair)
        found.append([waves * jnp.exp(time * rate) for rate in own])
    return found


def _summed(coefficients: Array, grown: list[list[Array]]) -> Array:
    """The sum of the series of each field: (N, F)."""
    fields = []
    for field, own in enumerate(coefficients):
        along = grown[0][field] @ own  # (N,), or (N, 2K + 1) in two dimensions
        fields.append(along if len(grown) == 1 else jnp.sum(along * grown[1][field], axis=1))
    return jnp.stack(fields, axis=1)


def _slope(coefficients: Array, wave_numbers: Array, axis: int) -> Array:
    """The coefficients of the derivative along an axis."""
    count = len(wave_numbers)
    one, cosines, sines = jnp.split(coefficients, [1, count + 1], axis=axis)
    k = wave_numbers.reshape(tuple(count if at == axis else 1 for at in range(coefficients.ndim)))
    return jnp.concatenate([jnp.zeros_like(one), k * sines, -k * cosines], axis=axis)
