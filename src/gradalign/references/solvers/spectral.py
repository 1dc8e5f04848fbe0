"""Fourier pseudo-spectral solution of periodic PDEs in float64, with a fourth-order exponential time step.

    ∂u/∂t = ℒu + 𝒩(u),   u(x) = Σ_k û_k exp(2πik(x - a)/P),   x in [a, a + P]

A PDE is given by the linear symbol λ_k of ℒ (real, imaginary or complex) and by 𝒩 as a function of the coefficients.
Coefficients are those of ``numpy.fft.rfft`` divided by the number of points: k = 0..N/2, û_{-k} their conjugates. The
step takes coefficients of any shape; those of two dimensions are in ``solvers.plane``. All quantities are
dimensionless.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradalign.references._contract import Progress, Values

Coefficients = NDArray[np.complex128]
Nonlinear = Callable[[Coefficients], Coefficients]

_BLOCK = 4096
"""Coefficients whose contour means are taken at a time: with 64 points each, a temporary array takes 4 MB."""


@dataclass(frozen=True)
class Fourier:
    """The trigonometric polynomials of N modes on [low, high), N even; the mode N/2 is kept zero.

    >>> space = Fourier(8, -1.0, 1.0)
    >>> slope = space.evaluate(space.derivative(space.interpolate(lambda x: np.sin(np.pi * x))), np.array([0.0]))
    >>> bool(abs(slope[0] - np.pi) < 1e-14)
    True
    """

    modes: int
    low: float
    high: float

    def __post_init__(self) -> None:
        if self.modes < 4 or self.modes % 2:
            raise ValueError(f"{self.modes} modes; allowed: even numbers from 4")

    @property
    def wavenumbers(self) -> Values:
        """κ_k = 2πk/P for k = 0..N/2: (N/2 + 1,)."""
        return 2 * np.pi / (self.high - self.low) * np.arange(self.modes // 2 + 1, dtype=np.float64)

    def interpolate(self, function: Callable[[Values], Values]) -> Coefficients:
        """Coefficients of the interpolant of ``function`` at the N points low + (high - low) j/N."""
        points = self.low + (self.high - self.low) * np.arange(self.modes) / self.modes
        return self._without_last(np.fft.rfft(function(points)) / self.modes)

    def derivative(self, coefficients: Coefficients, order: int = 1) -> Coefficients:
        """Coefficients of ∂^order u/∂x^order."""
        return (1j * self.wavenumbers) ** order * coefficients

    def pointwise(
        self, function: Callable[[Values], Values], coefficients: Coefficients, degree: int = 2
    ) -> Coefficients:
        """Coefficients of ``function(u)``, free of aliasing if it is a polynomial of that degree in u.

        The function is applied on (degree + 1)/2 times as many points (the 3/2 rule for products of two), and the
        result is truncated to N modes.
        """
        fine = math.ceil(self.modes * (degree + 1) / 2)
        padded = np.zeros(fine // 2 + 1, complex)
        padded[: self.modes // 2] = coefficients[:-1]
        values = function(np.fft.irfft(padded, fine) * fine)
        return self._without_last(np.fft.rfft(values)[: self.modes // 2 + 1] / fine)

    def evaluate(self, coefficients: Coefficients, points: Values) -> Values:
        """u at any points from its exact series: (..., N/2 + 1) and (X,) -> (..., X)."""
        doubled = coefficients * np.where(self.wavenumbers == 0, 1, 2)
        phase = np.outer(self.wavenumbers, points - self.low)
        return doubled.real @ np.cos(phase) - doubled.imag @ np.sin(phase)

    @staticmethod
    def _without_last(coefficients: Coefficients) -> Coefficients:
        """The mode N/2 set to zero: it has no conjugate partner among N points, so its derivatives are not defined."""
        coefficients[-1] = 0
        return coefficients


@dataclass(frozen=True)
class ExponentialStep:
    """One step of ETDRK4 of fixed length h (Cox and Matthews, J. Comput. Phys. 176, 2002, eq. 26-29).

    whole, half: exp(λh), exp(λh/2). average: h φ(λh/2)/2, with φ(z) = (exp(z) - 1)/z. first, middle, last: the weights
    of the four stages. All are complex: for an imaginary symbol, such as that of ∂³/∂x³, the real parts alone are
    wrong.
    """

    whole: Coefficients
    half: Coefficients
    average: Coefficients
    first: Coefficients
    middle: Coefficients
    last: Coefficients

    @classmethod
    def of(cls, symbol: NDArray[np.inexact], length: float, contour_points: int = 64) -> "ExponentialStep":
        """The step of length h for the linear symbol λ; the weights have the shape of λ.

        The weights have removable singularities at λ = 0 and suffer cancellation nearby. Each is therefore the mean
        over a circle of radius 1 around λh (Kassam and Trefethen, SIAM J. Sci. Comput. 26, 2005), over the whole circle
        because λ may be complex.

        >>> step = ExponentialStep.of(np.array([0.0]), 0.1)  # λ = 0 is the classical Runge-Kutta method
        >>> [round(6 * float(w[0].real), 12) for w in (step.first, 2 * step.middle, step.last)]
        [0.1, 0.2, 0.1]
        """
        z = np.asarray(symbol, complex) * length
        circle = np.exp(2j * np.pi * (np.arange(contour_points) + 0.5) / contour_points)
        means: NDArray[np.complex128] = np.empty((4, z.size), complex)
        for start in range(0, z.size, _BLOCK):
            w = z.reshape(-1)[start : start + _BLOCK, None] + circle
            e = np.exp(w)
            integrands = (
                (np.exp(w / 2) - 1) / w,
                (-4 - w + e * (4 - 3 * w + w**2)) / w**3,
                (2 + w + e * (w - 2)) / w**3,
                (-4 - 3 * w - w**2 + e * (4 - w)) / w**3,
            )
            for row, values in zip(means, integrands, strict=True):
                row[start : start + _BLOCK] = np.mean(values, axis=1)
        average, first, middle, last = length * means.reshape(4, *z.shape)
        return cls(np.exp(z), np.exp(z / 2), average, first, middle, last)

    def advance(self, v: Coefficients, nonlinear: Nonlinear) -> Coefficients:
        """The coefficients one step later."""
        n0 = nonlinear(v)
        a = self.half * v + self.average * n0
        na = nonlinear(a)
        b = self.half * v + self.average * na
        nb = nonlinear(b)
        nc = nonlinear(self.half * a + self.average * (2 * nb - n0))
        return self.whole * v + self.first * n0 + 2 * self.middle * (na + nb) + self.last * nc


def solve(
    symbol: NDArray[np.inexact],
    nonlinear: Nonlinear,
    initial: Coefficients,
    times: Sequence[float] | Values,
    longest_step: float,
    progress: Progress = lambda share, text: None,
) -> Coefficients:
    """Coefficients at all ``times``, the first being ``initial``: (T, ...), followed by the shape of ``initial``.

    Coefficients are arrays of any shape, for instance (fields, K) for a system; the symbol broadcasts against them.
    Each interval between two times is divided into equal steps, as few as ``longest_step`` allows; nothing is
    interpolated in time. Fourth order in the step, spectral in space. Raises ``ValueError`` if times do not increase or
    the step is not positive, ``FloatingPointError`` if the solution is no longer finite.

    >>> decay = solve(np.array([-1.0]), lambda v: 0 * v, np.array([1.0 + 0j]), [0.0, 1.0], 0.5)
    >>> bool(abs(decay[-1, 0] - np.exp(-1)) < 1e-15)
    True
    """
    times = np.asarray(times, float)
    if longest_step <= 0 or np.any(np.diff(times) <= 0):
        raise ValueError(f"longest step {longest_step}, times {times}; allowed: a positive step, increasing times")
    v = np.asarray(initial, complex)
    result = np.empty((len(times), *v.shape), complex)
    result[0] = v
    steps: dict[float, ExponentialStep] = {}
    for index, interval in enumerate(np.diff(times), start=1):
        count = math.ceil(interval / longest_step * (1 - 1e-9))  # an integer up to rounding counts as one
        length = float(f"{interval / count:.13e}")  # equal intervals differ in the last bits: let them share a step
        if length not in steps:
            steps[length] = ExponentialStep.of(symbol, length)
        for _ in range(count):
            v = steps[length].advance(v, nonlinear)
        if not np.all(np.isfinite(v)):
            raise FloatingPointError(
                f"the solution is not finite at t = {times[index]}; the usual cause is a step too long for the "
                f"nonlinear term: make it shorter than {length:.3g}"
            )
        result[index] = v
        progress(index / (len(times) - 1), f"ETDRK4, {v.size} coefficients, step {longest_step:g}")
    return result


def mean_square(coefficients: Coefficients) -> Values:
    """The mean of u² over a period, from its coefficients, by Parseval's theorem: (..., K) -> (...).

    >>> float(mean_square(np.array([1.0, 0.5, 0.0])))  # u = 1 + cos(x)
    1.5
    """
    return np.sum(np.abs(coefficients) ** 2 * np.where(np.arange(coefficients.shape[-1]) == 0, 1, 2), axis=-1)
