"""Steady flow in the lid-driven cavity by spline collocation, in float64: an independent check of ``cavity``.

    Δ²ψ = Re (∂ψ/∂y Δ∂ψ/∂x - ∂ψ/∂x Δ∂ψ/∂y),   u = ∂ψ/∂y,   v = -∂ψ/∂x

ψ is a tensor product of splines of degree 7 with three continuous derivatives, on elements that shrink towards the
walls. The equation holds in its strong form at the 4 x 4 Gauss points of each element (C. de Boor and B. Swartz, SIAM
J. Numer. Anal. 10, 1973): no weak form, no quadrature, no corner terms. Every step is one sparse LU factorisation. All
quantities are dimensionless.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse
from scipy.interpolate import BSpline
from scipy.sparse.linalg import splu

from gradalign.references._contract import Values
from gradalign.references.solvers.cavity_lids import Lid, speed

DEGREE, PER_ELEMENT = 7, 4
"""Degree of the splines, and collocation points per element: 4 conditions at the ends leave 4 unknowns per element."""

CONVERGED = 1e-10
ITERATIONS = 15

Spline = list[sparse.csr_matrix]
"""Values and derivatives of all splines at the points, by order: each (points, splines)."""


@dataclass(frozen=True)
class SplineFlow:
    """A steady flow as splines: their knots and coefficients (splines, splines)."""

    lid: Lid
    knots: Values
    coefficients: Values

    def velocity(self, x: Values, y: Values) -> tuple[Values, Values]:
        """(u, v) on the tensor grid of x (X,) and y (Y,): (X, Y) each; on the lid and its two ends, the lid's."""
        (x0, x1), (y0, y1) = (_splines(self.knots, z, 1) for z in (x, y))
        u, v, top = x0 @ self.coefficients @ y1.T, -(x1 @ self.coefficients @ y0.T), np.asarray(y) == 1
        u[:, top], v[:, top] = speed(self.lid, x)[:, None], 0.0
        return u, v


def solve(
    reynolds: float, lid: Lid, elements: int, start: Callable[[Values, Values], Values] | None = None
) -> SplineFlow:
    """The flow with ``elements`` elements in each direction, by Newton's method from a stream function.

    ``start(x, y) -> (X, Y)`` gives that stream function on a tensor grid. By default it is zero, which suffices up to
    Re = 100. The solution does not depend on it unless there are several steady flows. The speed of the lid is
    interpolated except at its ends, where v = 0 on the walls requires u = 0 with slope 0.

    Raises ``ValueError`` for a Reynolds number that is not positive or fewer than 4 elements, ``FloatingPointError`` if
    Newton's method does not converge.

    >>> flow = solve(1.0, "regularised", 6)
    >>> u, v = flow.velocity(np.array([0.3, 0.7]), np.array([0.0, 0.5]))
    >>> bool(abs(u[0, 0]) < 1e-14), bool(abs(u[0, 1] - u[1, 1]) < 2e-3)  # the wall; a slow flow is almost symmetric
    (True, True)
    """
    if reynolds <= 0 or elements < 4:
        raise ValueError(f"Re = {reynolds:g}, {elements} elements; allowed: a positive one, at least 4 elements")
    breaks = _breaks(elements)
    knots = np.concatenate([np.repeat(breaks[0], 4), np.repeat(breaks, 4), np.repeat(breaks[-1], 4)])
    gauss = (np.polynomial.legendre.leggauss(PER_ELEMENT)[0] + 1) / 2
    points = (breaks[:-1, None] + np.diff(breaks)[:, None] * gauss).ravel()
    splines = [sparse.csr_matrix(values) for values in _splines(knots, points, 4)]

    def product(in_x: int, in_y: int) -> sparse.csr_matrix:
        return sparse.kron(splines[in_x], splines[in_y], format="csr")

    bilaplacian = product(4, 0) + 2 * product(2, 2) + product(0, 4)
    dx, dy = product(1, 0), product(0, 1)
    laplacian_dx, laplacian_dy = product(3, 0) + product(1, 2), product(2, 1) + product(0, 3)

    c, inner = _boundary(lid, knots, start)
    for _ in range(ITERATIONS):
        u, minus_v, gx, gy = (matrix @ c for matrix in (dy, dx, laplacian_dx, laplacian_dy))
        left = bilaplacian @ c - reynolds * (u * gx - minus_v * gy)
        linear = bilaplacian - reynolds * (
            sparse.diags(u) @ laplacian_dx
            + sparse.diags(gx) @ dy
            - sparse.diags(minus_v) @ laplacian_dy
            - sparse.diags(gy) @ dx
        )
        # Fourth derivatives are larger in small elements than in large ones, by many orders of magnitude
        scale = 1 / np.abs(linear).max(axis=1).toarray().ravel()
        step = splu((sparse.diags(scale) @ linear[:, inner]).tocsc()).solve(scale * left)
        c[inner] -= step
        change = float(np.max(np.abs(step)))
        if not math.isfinite(change):
            break
        if change <= CONVERGED * np.max(np.abs(c)):
            size = len(knots) - DEGREE - 1
            return SplineFlow(lid, knots, c.reshape(size, size))
    raise FloatingPointError(
        f"Newton's method does not converge at Re = {reynolds:g} with {elements} elements; the usual cause is a stream "
        "function to start from that is too far off: start from a flow at a Reynolds number nearby"
    )


def _breaks(elements: int) -> Values:
    """Ends of the elements in [0, 1]: b(s) = s²(3 - 2s)/2 + s³(10 - 15s + 6s²)/2 at equidistant s."""
    s = np.arange(elements + 1) / elements
    return (s**2 * (3 - 2 * s) + s**3 * (10 - 15 * s + 6 * s**2)) / 2


def _splines(knots: Values, points: Values, order: int) -> list[Values]:
    """All splines on the knots and their derivatives up to an order, at the points: (points, splines) each."""
    basis = BSpline(knots, np.eye(len(knots) - DEGREE - 1), DEGREE)
    return [basis(points, nu) for nu in range(order + 1)]


def _boundary(lid: Lid, knots: Values, start: Callable[[Values, Values], Values] | None) -> tuple[Values, np.ndarray]:
    """Initial coefficients with the boundary conditions imposed, and which of them are free: (splines²,) each.

    Two rows along each wall are fixed: ψ = 0 sets the outer one, the slope the inner one.
    """
    size = len(knots) - DEGREE - 1
    averages = np.array([knots[i + 1 : i + DEGREE + 1].mean() for i in range(size)])  # Greville points, one per spline
    interpolation = np.linalg.inv(_splines(knots, averages, 0)[0])
    c = np.zeros((size, size))
    if start is not None:
        c = interpolation @ start(averages, averages) @ interpolation.T
    free = np.zeros((size, size), bool)
    free[2:-2, 2:-2] = True
    c[~free] = 0
    # ∂ψ/∂y at y = 1 is (last - last but one) DEGREE / (1 - the last inner knot)
    along = interpolation @ speed(lid, averages)
    c[2:-2, -2] = -along[2:-2] * (1 - knots[-DEGREE - 2]) / DEGREE
    return c.ravel(), free.ravel()
