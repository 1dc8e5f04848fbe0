"""Fields that have their initial condition by construction, and windows of time that pass it on exactly.

    u_f(t, x) = B_f(t, x) + t N_f(t, x),   B_f(0, x) = s_f(x)

N is the network and s the trigonometric interpolant of the fields at the start of the window, on 2K + 1 equidistant
nodes along each axis. B is s carried on by a linear flow that is diagonal in its waves, B_f = exp(t L_f) s_f, or s
itself: what a stiff linear term does alone need not be learned. At the end of a window the fields are interpolated
again, which starts the next one. No loss term for the initial condition is left. All quantities are dimensionless.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import jax.numpy as jnp
import numpy as np
from jax import Array
from pydantic import Field, PositiveInt

from gradalign.base.settings import StrictModel
from gradalign.derivatives.growing_series import growing_series
from gradalign.derivatives.waves import fourier_waves, wave_numbers

FORMULATION = ("start", "start_harmonics")
"""The settings below, as a problem names them in its ``formulation``."""


class StartSettings(StrictModel):
    """Settings of a problem that can be posed in either way."""

    start: Literal["penalised", "exact"] = Field(
        default="penalised", description="a loss term for the initial condition, or fields that have it built in"
    )
    start_harmonics: PositiveInt = Field(
        default=128, description="waves along each axis by which the start of a window is interpolated, if built in"
    )


Growth = Callable[[Array], Array]
"""ρ(k): the rate of growth of the waves of wave number k along one axis, (K + 1,) to (K + 1,); rates of axes add up."""


def at_rest(k: Array) -> Array:
    """ρ = 0: the flow that leaves the initial condition as it is."""
    return jnp.zeros_like(k)


def diffusion(coefficient: float) -> Growth:
    """ρ(k) = -D k²: the flow of ∂u/∂t = D ∆u.

    >>> diffusion(0.5)(jnp.asarray([0.0, 2.0])).tolist()
    [-0.0, -2.0]
    """
    return lambda k: -coefficient * k**2


@dataclass(frozen=True)
class ExactStart:
    """How the initial condition of a problem over (t, x) or (t, x, y), periodic in space, is built into its fields.

    box: ``(low, high)`` per spatial axis. harmonics: K, per axis. initial: ``initial(x) -> (fields...)`` or
    ``initial(x, y)``, for coordinates (M,), the F fields at t = 0 of the first window. growth: ρ of L_f, by field; the
    network may have more fields than these, which stay as they are.
    """

    box: tuple[tuple[float, float], ...]
    harmonics: int
    initial: Callable[..., Sequence[Array]]
    growth: tuple[Growth, ...]

    def nodes(self, dtype: jnp.dtype) -> Array:
        """The nodes of the interpolant, (M, D - 1) with M = (2K + 1)^(D - 1), the last axis fastest."""
        places = np.arange(2 * self.harmonics + 1) / (2 * self.harmonics + 1)
        axes = [low + (high - low) * places for low, high in self.box]
        return jnp.asarray(np.stack([grid.ravel() for grid in np.meshgrid(*axes, indexing="ij")], axis=1), dtype)

    def first(self, dtype: jnp.dtype) -> Array:
        """The coefficients of the interpolant at the start of the first window: (F, 2K + 1) or (F, 2K + 1, 2K + 1)."""
        return self.interpolated(jnp.stack(self.initial(*self.nodes(dtype).T), axis=1))

    def interpolated(self, values: Array) -> Array:
        """The coefficients by field of the interpolant of values (M, F') on the nodes, F' >= F.

        An axis has the waves 1, cos(2πk y/P), k = 1..K, sin(2πk y/P), k = 1..K, with y the distance from its low end.
        """
        low, high = self.box[-1]
        distance = self.nodes(values.dtype)[: 2 * self.harmonics + 1, -1:] - low
        waves = fourier_waves(distance, high - low, self.harmonics)
        weights = jnp.full(len(waves), 2 / len(waves), values.dtype).at[0].set(1 / len(waves))
        transform = (waves * weights).T
        size = len(waves)
        found = []
        for field in range(len(self.growth)):
            grid = values[:, field].reshape((size,) * len(self.box))
            grid = transform @ grid
            found.append(grid if len(self.box) == 1 else grid @ transform.T)
        return jnp.stack(found)

    def tail(self, start: Array) -> Array:
        """What the start has in the highest tenth of its waves: the largest coefficient there, relative to the largest.

        max |c_k| over k > 0.9 K, over max |c_k|; in the plane, k is the larger wave number of the two axes. Of several
        fields the largest value. (), from 0 to 1. What lies beyond K is about as large and is cut off, and a derivative
        of order m makes it (2πK/P)^m times larger: a floor of the residual under which no network gets.

        >>> wave = ExactStart(((0.0, 1.0),), 10, lambda x: [jnp.sin(2 * jnp.pi * x)], (at_rest,))
        >>> bool(wave.tail(wave.first(jnp.dtype("float64"))) < 1e-14)
        True
        >>> point = ExactStart(((0.0, 1.0),), 10, lambda x: [jnp.where(x == 0, 1.0, 0.0)], (at_rest,))
        >>> # its waves are all alike, but for k = 0
        >>> round(float(point.tail(point.first(jnp.dtype("float64")))), 9)
        1.0
        """
        k = np.concatenate([np.arange(self.harmonics + 1), np.arange(1, self.harmonics + 1)])  # as the waves of an axis
        k = k if len(self.box) == 1 else np.maximum.outer(k, k)
        size = jnp.abs(start).reshape(len(start), -1)
        high, whole = jnp.max(size[:, k.ravel() > 0.9 * self.harmonics], axis=1), jnp.max(size, axis=1)
        return jnp.max(jnp.where(whole > 0, high / jnp.where(whole > 0, whole, 1), 0))

    def fields(self, start: Array, network: Array, coordinates: Array) -> Array:
        """The fields (N, F'') at coordinates (N, D) from the coefficients of the start and the network's outputs.

        >>> sine = ExactStart(((0.0, 1.0),), 1, lambda x: [jnp.sin(2 * jnp.pi * x)], (diffusion(1.0),))
        >>> place = jnp.asarray([[0.0, 0.25], [0.1, 0.25]])
        >>> found = sine.fields(sine.first(place.dtype), jnp.ones((2, 1)), place)[:, 0]  # sin + t, with decaying sine
        >>> [round(float(u), 9) for u in found], round(float(jnp.exp(-0.1 * (2 * jnp.pi) ** 2) + 0.1), 9)
        ([1.0, 0.119296303], 0.119296303)
        """
        time, dtype = coordinates[:, :1], coordinates.dtype
        lows = jnp.asarray([low for low, _ in self.box], dtype)
        k = jnp.stack([wave_numbers(high - low, self.harmonics, dtype) for low, high in self.box])
        rates = jnp.stack([jnp.stack([_rates(growth, along) for growth in self.growth]) for along in k])
        base = growing_series(start, coordinates, lows, k, rates)
        count = len(self.growth)
        moved = base + time * network[:, :count]
        return moved if network.shape[1] == count else jnp.concatenate([moved, network[:, count:]], axis=1)


def _rates(growth: Growth, k: Array) -> Array:
    """ρ of every wave of an axis with the wave numbers k (K,): (2K + 1,)."""
    rates = growth(jnp.insert(k, 0, 0))
    return jnp.concatenate([rates, rates[1:]])
