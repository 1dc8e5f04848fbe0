"""Fourier collocation without dealiasing: an odd number of modes, and products taken at as many points.

    u(x) = Σ_k û_k exp(2πik(x - a)/P),   k = -(N - 1)/2..(N - 1)/2,   x in [a, a + P)

A product of two polynomials of N modes has 2N - 1 modes, of which N points resolve only N; the others alias to lower
ones. ``solvers.spectral`` avoids this, but much published data were made this way. Apart from products the two are
alike, and take the same time step. All quantities are dimensionless.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gradalign.references._contract import Values
from gradalign.references.solvers.spectral import Coefficients


@dataclass(frozen=True)
class Collocation:
    """The trigonometric polynomials of N modes on [low, high), N odd. Raises ``ValueError`` for an even N.

    >>> space = Collocation(3, 0.0, 1.0)
    >>> wave = space.interpolate(lambda x: np.cos(2 * np.pi * x))
    >>> square = space.evaluate(space.pointwise(np.square, wave), space.points)  # cos² = (1 + cos 4πx)/2
    >>> bool(np.allclose(square, np.cos(2 * np.pi * space.points) ** 2))  # right at the points
    True
    >>> float(np.abs(space.pointwise(np.square, wave)[1]).round(12))  # cos 4πx has become cos 2πx there
    0.25
    """

    modes: int
    low: float
    high: float

    def __post_init__(self) -> None:
        if self.modes < 3 or self.modes % 2 == 0:
            raise ValueError(f"{self.modes} modes; allowed: odd numbers from 3")

    @property
    def wavenumbers(self) -> Values:
        """κ_k = 2πk/P for k = 0..(N - 1)/2: ((N + 1)/2,)."""
        return 2 * np.pi / (self.high - self.low) * np.arange(self.modes // 2 + 1, dtype=np.float64)

    @property
    def points(self) -> Values:
        """x_j = low + (high - low) j/N: (N,)."""
        return self.low + (self.high - self.low) * np.arange(self.modes) / self.modes

    def interpolate(self, function: Callable[[Values], Values]) -> Coefficients:
        """Coefficients û_k, k >= 0, of the interpolant of ``function`` at the N points."""
        return np.fft.rfft(function(self.points)) / self.modes

    def pointwise(self, function: Callable[[Values], Values], coefficients: Coefficients) -> Coefficients:
        """Coefficients of the interpolant of ``function(u)`` at the N points."""
        return np.fft.rfft(function(np.fft.irfft(coefficients, self.modes) * self.modes)) / self.modes

    def evaluate(self, coefficients: Coefficients, points: Values) -> Values:
        """u at any points from its exact series: (..., (N + 1)/2) and (X,) -> (..., X)."""
        doubled = coefficients * np.where(self.wavenumbers == 0, 1, 2)
        phase = np.outer(self.wavenumbers, points - self.low)
        return doubled.real @ np.cos(phase) - doubled.imag @ np.sin(phase)
