"""Fourier series in space whose waves grow or decay in time, with derivatives in closed form.

    B_f(t, x, y) = Σ_mn c_fmn w_m(x) w_n(y) exp((ρ_fm + ρ_fn) t),   w: 1, cos kx, sin kx, k = 2π/P, ..., 2πK/P

in one or two dimensions of space. A derivative of B is such a series again, of other coefficients that do not depend on
the place: a factor ρ_fm + ρ_fn by time, and along an axis (a cos kx + b sin kx)' = k b cos kx - k a sin kx. So each one
costs a product of matrices, and an operator too, where the waves themselves would carry all their derivatives along.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from gradalign.derivatives.rules import CoordinateStreams, Order, Plan, Streams
from gradalign.derivatives.sines import sine_and_cosine
from gradalign.derivatives.waves import Pair, primitives, waves_of


@jax.jit
def growing_series(coefficients: Array, coordinates: Array, origins: Array, wave_numbers: Array, rates: Array) -> Array:
    """B (N, F) at coordinates (N, 1 + A), time first, over A = 1 or 2 axes of space.

    coefficients c: (F, 2K + 1) or (F, 2K + 1, 2K + 1), the waves in the order of ``waves.waves_of``. origins: (A,),
    the zeros of x and y here. wave_numbers k: (A, K). rates ρ: (A, F, 2K + 1), the same for cosine and sine of one k.
    All dimensionless, in one floating dtype, which is that of the result. Raises nothing.

    >>> decaying = jnp.asarray([[[0.0, -2.0, -2.0]]])
    >>> place = jnp.asarray([[0.5, 1.0]])
    >>> found = growing_series(jnp.asarray([[0.0, 3.0, 0.0]]), place, jnp.zeros(1), jnp.ones((1, 1)), decaying)
    >>> round(float(found[0, 0]), 9), round(float(3 * jnp.cos(1.0) * jnp.exp(-1.0)), 9)
    (0.596298331, 0.596298331)
    """
    return _summed(coefficients, _grown(coordinates, origins, wave_numbers, rates))


def growing_series_streams(plan: Plan, values: Sequence[Any]) -> Streams | None:
    """The streams of ``growing_series`` from its arguments; None where these are not the coordinates and constants.

    Also None for a function of another signature that has its name.
    """
    if len(values) != 5:
        return None
    coefficients, coordinates, origins, wave_numbers, rates = values
    constants = (coefficients, origins, wave_numbers, rates)
    if not isinstance(coordinates, CoordinateStreams) or any(isinstance(value, dict) for value in constants):
        return None
    grown = _grown(coordinates[plan.value], origins, wave_numbers, rates, sine_and_cosine)
    growth = rates[0] if len(rates) == 1 else rates[0][:, :, None] + rates[1][:, None, :]

    def differentiated(order: Order) -> Array:
        found = coefficients
        for _ in range(order[0]):
            found = growth * found
        for axis, count in enumerate(order[1:]):
            for _ in range(count):
                found = _slope(found, wave_numbers[axis], axis + 1)
        return found

    streams: Streams = {order: _summed(differentiated(order), grown) for order in plan.orders}
    for name, terms in plan.operators.items():
        total = sum(coefficient * differentiated(order) for order, coefficient in terms.items())
        streams[name] = _summed(jnp.asarray(total), grown)
    return streams


def _grown(
    coordinates: Array, origins: Array, wave_numbers: Array, rates: Array, pair: Pair = primitives
) -> list[list[Array]]:
    """By axis and field the waves (N, 2K + 1), as they are at the time of each point."""
    time, found = coordinates[:, :1], []
    for axis, own in enumerate(rates):
        waves = waves_of(coordinates[:, axis + 1 : axis + 2] - origins[axis], wave_numbers[axis], pair)
        found.append([waves * jnp.exp(time * rate) for rate in own])
    return found


def _summed(coefficients: Array, grown: list[list[Array]]) -> Array:
    """The sum of the series of each field: (N, F)."""
    fields = []
    for field, own in enumerate(coefficients):
        along = grown[0][field] @ own  # (N,) or, in the plane, (N, 2K + 1)
        fields.append(along if len(grown) == 1 else jnp.sum(along * grown[1][field], axis=1))
    return jnp.stack(fields, axis=1)


def _slope(coefficients: Array, wave_numbers: Array, axis: int) -> Array:
    """The coefficients of the derivative along an axis."""
    count = len(wave_numbers)
    one, cosines, sines = jnp.split(coefficients, [1, count + 1], axis=axis)
    k = wave_numbers.reshape(tuple(count if at == axis else 1 for at in range(coefficients.ndim)))
    return jnp.concatenate([jnp.zeros_like(one), k * sines, -k * cosines], axis=axis)
