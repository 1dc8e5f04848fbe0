"""Hard-constrained initial conditions, and time windows that pass them on exactly.

    u_f(t, x) = B_f(t, x) + t N_f(t, x),   B_f(0, x) = s_f(x)

N is the network, and s the trigonometric interpolant of the fields at the start of the window, on 2K + 1 equidistant
nodes along each axis. B is s propagated by a linear flow that is diagonal in Fourier space, B_f = exp(t L_f) s_f, or s
itself. The network then need not learn what a stiff linear term does alone. At the end of a window the fields are
interpolated again, and the interpolant starts the next one. No loss term for the initial condition remains. All
quantities are dimensionless.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jax import Array

from gradalign.base.types import Operators
from gradalign.derivatives.fields import HasCoordinates
from gradalign.derivatives.fourier_series import (
    fourier_waves,
    growing_series,
    growing_series_derivatives,
    wave_numbers,
)
from gradalign.derivatives.partial import partial_derivatives
from gradalign.problems._contract import Growth, HardStart


@dataclass(frozen=True)
class Constraint:
    """The hard-constrained initial condition of a problem, with the interpolant of any initial fields."""

    given: HardStart

    def nodes(self, dtype: jnp.dtype) -> Array:
        """The nodes of the interpolant, (M, D - 1) with M = (2K + 1)^(D - 1), the last axis fastest."""
        places = np.arange(2 * self.given.harmonics + 1) / (2 * self.given.harmonics + 1)
        axes = [low + (high - low) * places for low, high in self.given.box]
        return jnp.asarray(np.stack([grid.ravel() for grid in np.meshgrid(*axes, indexing="ij")], axis=1), dtype)

    def first(self, dtype: jnp.dtype) -> Array:
        """The coefficients of the initial condition of the first window: (F, 2K + 1) or (F, 2K + 1, 2K + 1)."""
        return self.interpolated(jnp.stack(self.given.initial(*self.nodes(dtype).T), axis=1))

    def interpolated(self, values: Array) -> Array:
        """The coefficients by field of the interpolant of values (M, F') on the nodes, F' >= F.

        The waves of an axis are 1, cos(2πk y/P), k = 1..K, and sin(2πk y/P), k = 1..K, with y the distance from its low
        end.
        """
        low, high = self.given.box[-1]
        distance = self.nodes(values.dtype)[: 2 * self.given.harmonics + 1, -1:] - low
        waves = fourier_waves(distance, high - low, self.given.harmonics)
        weights = jnp.full(len(waves), 2 / len(waves), values.dtype).at[0].set(1 / len(waves))
        transform = (waves * weights).T
        size = len(waves)
        found = []
        for field in range(len(self.given.growth)):
            grid = values[:, field].reshape((size,) * len(self.given.box))
            grid = transform @ grid
            found.append(grid if len(self.given.box) == 1 else grid @ transform.T)
        return jnp.stack(found)

    def tail(self, start: Array) -> Array:
        """The largest coefficient in the highest tenth of the waves of the initial condition, relative to the largest.

        max |c_k| over k > 0.9 K, divided by max |c_k|; in the plane, k is the larger wave number of the two axes. The
        largest value over the fields. (), from 0 to 1. The waves beyond K are about as large and are cut off. A
        derivative of order m multiplies them by (2πK/P)^m, which bounds the residual of every network from below.

        >>> from gradalign.problems._contract import at_rest
        >>> wave = Constraint(HardStart(((0.0, 1.0),), 10, lambda x: [jnp.sin(2 * jnp.pi * x)], (at_rest,)))
        >>> bool(wave.tail(wave.first(jnp.dtype("float64"))) < 1e-14)
        True
        >>> point = Constraint(HardStart(((0.0, 1.0),), 10, lambda x: [jnp.where(x == 0, 1.0, 0.0)], (at_rest,)))
        >>> # its waves are all alike, but for k = 0
        >>> round(float(point.tail(point.first(jnp.dtype("float64")))), 9)
        1.0
        """
        k = np.concatenate(
            [np.arange(self.given.harmonics + 1), np.arange(1, self.given.harmonics + 1)]
        )  # in the order of the waves
        k = k if len(self.given.box) == 1 else np.maximum.outer(k, k)
        size = jnp.abs(start).reshape(len(start), -1)
        high, whole = jnp.max(size[:, k.ravel() > 0.9 * self.given.harmonics], axis=1), jnp.max(size, axis=1)
        return jnp.max(jnp.where(whole > 0, high / jnp.where(whole > 0, whole, 1), 0))

    def fields(self, start: Array, outputs: Array, coordinates: Array) -> Array:
        """The fields (N, F'') at coordinates (N, D), from the coefficients ``start`` and the outputs of the network.

        >>> from gradalign.problems._contract import diffusion
        >>> sine = Constraint(HardStart(((0.0, 1.0),), 1, lambda x: [jnp.sin(2 * jnp.pi * x)], (diffusion(1.0),)))
        >>> place = jnp.asarray([[0.0, 0.25], [0.1, 0.25]])
        >>> found = sine.fields(sine.first(place.dtype), jnp.ones((2, 1)), place)[:, 0]  # sin + t, with decaying sine
        >>> [round(float(u), 9) for u in found], round(float(jnp.exp(-0.1 * (2 * jnp.pi) ** 2) + 0.1), 9)
        ([1.0, 0.119296303], 0.119296303)
        """
        origins, k, rates = self._series(coordinates.dtype)
        return self._joined(growing_series(start, coordinates, origins, k, rates), coordinates[:, :1], outputs)

    def _series(self, dtype: jnp.dtype) -> tuple[Array, Array, Array]:
        """Origins, wave numbers and rates of B, as ``growing_series`` takes them."""
        box = self.given.box
        k = jnp.stack([wave_numbers(high - low, self.given.harmonics, dtype) for low, high in box])
        rates = jnp.stack([jnp.stack([_rates(growth, along) for growth in self.given.growth]) for along in k])
        return jnp.asarray([low for low, _ in box], dtype), k, rates

    def _joined(self, base: Array, time: Array | float, outputs: Array) -> Array:
        """B + t N for the fields with an initial condition, N for the others."""
        count = len(self.given.growth)
        moved = base + time * outputs[:, :count]
        return moved if outputs.shape[1] == count else jnp.concatenate([moved, outputs[:, count:]], axis=1)


@dataclass(frozen=True)
class ConstrainedFields:
    """The fields B + t N of a network N, with the derivatives of B in closed form (``problems._contract.Fields``).

    constraint, start: B. network: coordinates (N, D) to outputs (N, F). names: of the D coordinates.
    """

    constraint: Constraint
    start: Array
    network: Callable[[Array], Array]
    names: Sequence[str]

    def __call__(self, at: HasCoordinates) -> Array:
        return self.constraint.fields(self.start, self.network(at.coordinates), at.coordinates)

    def derivatives(
        self, at: HasCoordinates, wanted: Sequence[str], operators: Operators | None = None
    ) -> dict[str, Array]:
        count = len(self.constraint.given.growth)

        def learned(z: Array) -> Array:
            outputs = self.network(z)
            moved = z[:, :1] * outputs[:, :count]
            return moved if outputs.shape[1] == count else jnp.concatenate([moved, outputs[:, count:]], axis=1)

        found = partial_derivatives(learned, at.coordinates, wanted, self.names, operators)
        words = {word: {word: 1.0} for word in wanted} | dict(operators or {})
        origins, k, rates = self.constraint._series(at.coordinates.dtype)
        known = growing_series_derivatives(self.start, at.coordinates, origins, k, rates, words, self.names)
        return {name: self.constraint._joined(known[name], 1.0, value) for name, value in found.items()}


def _rates(growth: Growth, k: Array) -> Array:
    """The growth rate ρ of every wave of an axis with the wave numbers k (K,): (2K + 1,)."""
    rates = growth(jnp.insert(k, 0, 0))
    return jnp.concatenate([rates, rates[1:]])
