"""Real trigonometric polynomials on a periodic rectangle, in float64, for the fields of two-dimensional PDEs.

    u(x, y) = Σ_jk û_jk exp(i κ_j (x - a) + i μ_k (y - b)),   κ_j = 2πj/P,   μ_k = 2πk/Q

The periods are P and Q, and (a, b) is the lower left corner. Coefficients are those of ``numpy.fft.rfft2`` divided by
the number of points: (M, N/2 + 1), j = 0..M/2-1, -M/2..-1 along the first axis and k = 0..N/2 along the second; û at
(-j, -k) is the conjugate of û at (j, k). Leading axes hold several fields. ``solvers.spectral.solve`` advances them in
time. All quantities are dimensionless.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from gradalign.references._contract import Values
from gradalign.references.solvers.spectral import Coefficients

Function = Callable[[Values, Values], Values]
"""``function(x, y)`` of arrays (X, 1) and (1, Y): (X, Y)."""


@dataclass(frozen=True)
class Plane:
    """The trigonometric polynomials of M = ``modes_x`` by N = ``modes_y`` modes on ``box``, both even and at least 4.

    ``box`` is ((a, a + P), (b, b + Q)). The modes j = M/2 and k = N/2 are kept zero, because they have no conjugate
    partner and their derivatives are not defined. Raises ``ValueError`` for other numbers of modes.

    >>> plane = Plane(8, 6, ((-1.0, 1.0), (0.0, 2.0)))
    >>> u = plane.interpolate(lambda x, y: np.sin(np.pi * x) * np.cos(np.pi * y))
    >>> mixed = plane.evaluate(plane.derivative(u, 1, 1), np.array([0.0]), np.array([0.5]))
    >>> bool(abs(mixed[0, 0] + np.pi**2) < 1e-13)  # ∂²u/∂x∂y = -π² cos(πx) sin(πy)
    True
    """

    modes_x: int
    modes_y: int
    box: tuple[tuple[float, float], tuple[float, float]]

    def __post_init__(self) -> None:
        for modes in (self.modes_x, self.modes_y):
            if modes < 4 or modes % 2:
                raise ValueError(f"{self.modes_x} by {self.modes_y} modes; allowed: even numbers from 4")

    @property
    def periods(self) -> tuple[float, float]:
        """P and Q, the lengths of the sides."""
        (left, right), (bottom, top) = self.box
        return right - left, top - bottom

    @property
    def wavenumbers(self) -> tuple[Values, Values]:
        """κ_j and μ_k, of shapes (M, 1) and (1, N/2 + 1), which broadcast against coefficients."""
        width, height = self.periods
        j = np.fft.ifftshift(np.arange(-self.modes_x // 2, self.modes_x // 2, dtype=np.float64))
        k = np.arange(self.modes_y // 2 + 1, dtype=np.float64)
        return 2 * np.pi / width * j[:, None], 2 * np.pi / height * k[None, :]

    def interpolate(self, function: Function) -> Coefficients:
        """Coefficients of the interpolant of ``function`` at the M x N points (a + P i/M, b + Q l/N)."""
        width, height = self.periods
        x = self.box[0][0] + width * np.arange(self.modes_x) / self.modes_x
        y = self.box[1][0] + height * np.arange(self.modes_y) / self.modes_y
        return self._coefficients(function(x[:, None], y[None, :]))

    def project(self, function: Function, panels: int, nodes: int) -> Coefficients:
        """Coefficients û_jk = 1/(PQ) ∫∫ u exp(-i κ_j (x - a) - i μ_k (y - b)) dx dy of any smooth function u.

        Gauss-Legendre quadrature with ``nodes`` nodes on each of ``panels`` equal parts of each side. Unlike the
        interpolant, it needs no periodic function: at a jump across the edges the interpolant takes the value of one
        side, and the best L2 approximation lies in between. The error is that of the quadrature. It is negligible if
        panels times nodes clearly exceeds the number of modes and the panels resolve u.

        >>> plane = Plane(4, 4, ((0.0, 1.0), (0.0, 1.0)))
        >>> u = plane.project(lambda x, y: x + 0 * y, 2, 8)  # û_10 = i/(2π)
        >>> round(float(u[0, 0].real), 12), round(float(u[1, 0].imag * 2 * np.pi), 12)
        (0.5, 1.0)
        """
        nodes_on_side, weights_on_side = np.polynomial.legendre.leggauss(nodes)
        unit = ((np.arange(panels)[:, None] + (nodes_on_side + 1) / 2) / panels).ravel()  # in (0, 1)
        weights = np.tile(weights_on_side / (2 * panels), panels)  # their sum is 1
        (left, _), (bottom, _) = self.box
        width, height = self.periods
        kappa, mu = self.wavenumbers
        values = function(left + width * unit[:, None], bottom + height * unit[None, :])
        waves_x = weights * np.exp(-1j * kappa * (width * unit))
        waves_y = weights * np.exp(-1j * mu.T * (height * unit))
        return self._without_middle(waves_x @ (values @ waves_y.T))

    def derivative(self, coefficients: Coefficients, order_x: int, order_y: int) -> Coefficients:
        """Coefficients of ∂^(order_x + order_y) u / ∂x^order_x ∂y^order_y: (..., M, N/2 + 1)."""
        kappa, mu = self.wavenumbers
        return (1j * kappa) ** order_x * (1j * mu) ** order_y * coefficients

    def pointwise(
        self, function: Callable[..., Values | tuple[Values, ...]], *coefficients: Coefficients, degree: int = 2
    ) -> Coefficients:
        """Coefficients of ``function(u, v, ...)``, free of aliasing if it is a polynomial of that degree.

        ``function`` maps as many arrays of values as there are ``coefficients`` to an array, giving (M, N/2 + 1), or to
        a tuple of R arrays, giving (R, M, N/2 + 1). It is applied on at least (degree + 1)/2 times as many points per
        axis (the 3/2 rule for products of two), and the result is truncated to M by N modes.
        """
        fine_x = scipy.fft.next_fast_len(math.ceil(self.modes_x * (degree + 1) / 2), real=False)
        fine_y = scipy.fft.next_fast_len(math.ceil(self.modes_y * (degree + 1) / 2), real=True)
        half = self.modes_x // 2
        padded = np.zeros((len(coefficients), fine_x, self.modes_y // 2), complex)
        for target, source in zip(padded, coefficients, strict=True):
            target[:half] = source[:half, :-1]
            target[-half + 1 :] = source[half + 1 :, :-1]
        # Columns beyond N/2 are zero before the transform along y, and dropped after the one back.
        partial = scipy.fft.ifft(padded, axis=1, norm="forward", overwrite_x=True)
        values = scipy.fft.irfft(partial, fine_y, axis=2, norm="forward", overwrite_x=True)
        found = function(*values)
        if isinstance(found, tuple):
            return np.stack([self._coefficients(one) for one in found])
        return self._coefficients(found)

    def evaluate(self, coefficients: Coefficients, x: Values, y: Values) -> Values:
        """u on the grid that x and y span, from its exact series: (..., M, N/2 + 1) -> (..., X, Y)."""
        (left, _), (bottom, _) = self.box
        kappa, mu = self.wavenumbers
        waves_x = np.exp(1j * kappa.T * (x - left)[:, None])
        waves_y = np.where(mu.T == 0, 1, 2) * np.exp(1j * mu.T * (y - bottom))  # k and -k are conjugate
        along_x = waves_x @ coefficients
        return along_x.real @ waves_y.real - along_x.imag @ waves_y.imag

    def mean_square(self, coefficients: Coefficients) -> Values:
        """The mean of u² over the rectangle, by Parseval's identity: (..., M, N/2 + 1) -> (...).

        >>> plane = Plane(8, 8, ((0.0, 1.0), (0.0, 1.0)))
        >>> round(float(plane.mean_square(plane.interpolate(lambda x, y: 2 + np.cos(2 * np.pi * (x + y))))), 12)
        4.5
        """
        doubled = np.where(self.wavenumbers[1] == 0, 1, 2)
        squares: Values = coefficients.real**2 + coefficients.imag**2
        return np.sum(doubled * squares, axis=(-2, -1))

    def _coefficients(self, values: Values) -> Coefficients:
        """The M by N modes of values on a grid of at least as many points."""
        half = self.modes_x // 2
        along_y = scipy.fft.rfft(values, axis=1, norm="forward")[:, : self.modes_y // 2 + 1]
        modes = scipy.fft.fft(along_y, axis=0, norm="forward")
        return self._without_middle(np.concatenate([modes[:half], modes[-half:]]))

    def _without_middle(self, coefficients: NDArray[np.complex128]) -> Coefficients:
        coefficients[self.modes_x // 2] = 0
        coefficients[:, -1] = 0
        return coefficients
