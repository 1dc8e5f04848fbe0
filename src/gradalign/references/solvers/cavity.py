"""Steady flow in the lid-driven cavity by Newton's method on a clamped Legendre-Galerkin stream function, in float64.

    u·∇u = -∇p + Δu/Re,   ∇·u = 0 in [0, 1]²,   u = v = 0 on three walls,   u = lid, v = 0 at y = 1

With u = ∂ψ/∂y and v = -∂ψ/∂x, so that the vorticity ∂v/∂x - ∂u/∂y is -Δψ, the weak form is

    (Δψ, Δχ) + Re (Δψ, ∂ψ/∂y ∂χ/∂x - ∂ψ/∂x ∂χ/∂y) = 0   for all χ = h_i(x) h_j(y),

with ψ = lifting + Σ c_kl h_k(x) h_l(y). The lifting has the boundary values and the leading corner singularities
(``cavity_lids``); the h_k vanish with their slopes at both ends (``wall_polynomials``). All quantities are
dimensionless.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.linalg import lu_factor, lu_solve
from scipy.optimize import minimize_scalar, root

from gradalign.references._contract import Progress, Values, part_of
from gradalign.references.solvers import wall_polynomials
from gradalign.references.solvers.cavity_lids import Derivatives, Lid, lifting, speed

COARSE = 40
"""Degree at which the Reynolds number is raised step by step; higher degrees start from these solutions."""

FIRST_STEP, LARGEST_STEP = 100.0, 2.0
"""The Reynolds number is raised to 100 at once, then by this factor at most."""

CONVERGED = 1e-10
"""Newton's method stops when the largest change is this share of the largest coefficient; rounding is below 1e-12."""

ITERATIONS = 30


class Extremum(NamedTuple):
    """A value and the coordinate at which it is attained."""

    value: float
    place: float


class CentrelineExtrema(NamedTuple):
    """The smallest u on x = 1/2 (place: y), the largest and the smallest v on y = 1/2 (place: x)."""

    u_minimum: Extremum
    v_maximum: Extremum
    v_minimum: Extremum


class Vortex(NamedTuple):
    """Centre of the primary vortex: where ψ is smallest, with ψ and the vorticity there (both negative)."""

    x: float
    y: float
    stream_function: float
    vorticity: float


@dataclass(frozen=True)
class Flow:
    """A steady flow as an exact series: the lid, the Reynolds number and the coefficients c_kl (degree, degree).

    All methods take coordinates x (X,) and y (Y,) in [0, 1] and return arrays (X, Y) on the tensor grid.
    """

    reynolds: float
    lid: Lid
    coefficients: Values

    def stream_function(self, x: Values, y: Values) -> Values:
        """ψ; 0 on all walls."""
        return self._psi(x, y).value

    def velocity(self, x: Values, y: Values) -> tuple[Values, Values]:
        """(u, v) = (∂ψ/∂y, -∂ψ/∂x), exact on the walls up to rounding; on the lid and its two ends, the lid's."""
        psi = self._psi(x, y)
        u, v, top = psi.y, -psi.x, np.asarray(y) == 1
        u[:, top], v[:, top] = speed(self.lid, x)[:, None], 0.0  # in the corners the series itself has no value
        return u, v

    def vorticity(self, x: Values, y: Values) -> Values:
        """∂v/∂x - ∂u/∂y = -Δψ; undefined in the two upper corners: NaN or infinite there."""
        psi = self._psi(x, y)
        return -psi.xx - psi.yy

    def extrema(self) -> CentrelineExtrema:
        """The extrema of the velocity on the centre lines, by optimisation of the series."""
        middle = np.array([0.5])
        return CentrelineExtrema(
            _smallest(lambda y: self.velocity(middle, y)[0][0]),
            _largest(lambda x: self.velocity(x, middle)[1][:, 0]),
            _smallest(lambda x: self.velocity(x, middle)[1][:, 0]),
        )

    def vortex(self) -> Vortex:
        """The centre of the primary vortex, where the velocity vanishes."""
        grid = np.linspace(0, 1, 66)[1:-1]
        i, j = np.unravel_index(np.argmin(self.stream_function(grid, grid)), (len(grid), len(grid)))

        def stagnation(z: Values) -> list[float]:
            return [float(component[0, 0]) for component in self.velocity(z[:1], z[1:])]

        x, y = root(stagnation, [grid[i], grid[j]], tol=1e-13).x
        at = np.array([x]), np.array([y])
        return Vortex(float(x), float(y), self.stream_function(*at).item(), self.vorticity(*at).item())

    def _psi(self, x: Values, y: Values) -> Derivatives:
        x, y = np.asarray(x, float), np.asarray(y, float)
        hx, hy = (_basis(len(self.coefficients), z) for z in (x, y))
        return lifting(self.lid, x, y) + _series(self.coefficients, hx, hy)


def solve(
    reynolds: Sequence[float], lid: Lid, degree: int, progress: Progress = lambda share, text: None
) -> list[Flow]:
    """The flows at all Reynolds numbers, in the given order.

    The Reynolds number is raised from 0 in steps, at a degree of at most 40; steps are halved where Newton's method
    fails. Each requested flow is then computed at ``degree``, the number of functions h_k in each direction, starting
    from that solution. Convergence in the degree is algebraic, because of the corners. Time grows as degree⁶
    (about 20 s at 96 on one core) and memory as 8 degree⁴ bytes.

    Raises ``ValueError`` for no Reynolds number or one that is not positive, or a degree below 4,
    ``ConfigurationError`` for an unknown lid, ``FloatingPointError`` if no step in the Reynolds number converges.

    >>> [flow] = solve([1.0], "regularised", 20)
    >>> u, v = flow.velocity(np.array([0.3, 0.7]), np.array([0.0, 0.5]))
    >>> bool(abs(u[0, 0]) < 1e-14), bool(abs(u[0, 1] - u[1, 1]) < 2e-3)  # the wall; a slow flow is almost symmetric
    (True, True)
    """
    if not len(reynolds) or min(reynolds) <= 0 or degree < 4:
        raise ValueError(f"Reynolds numbers {list(reynolds)}, degree {degree}; allowed: positive ones, degree >= 4")
    coarse = _Space.of(min(degree, COARSE), lid)
    fine = coarse if degree <= COARSE else _Space.of(degree, lid)
    targets = sorted(set(reynolds))
    flows = {}
    current, c = 0.0, coarse.newton(np.zeros((coarse.degree, coarse.degree)), 0.0)
    for index, target in enumerate(targets):
        report = part_of(progress, index / len(targets), (index + 1) / len(targets))
        c = _continued(coarse, c, current, target, part_of(report, 0.0, 0.5))
        current = target
        found: Values | None = c
        if fine is not coarse:
            start = np.zeros((degree, degree))
            start[:COARSE, :COARSE] = c  # the bases are nested
            found = fine.newton(start, target)
        flows[target] = Flow(float(target), lid, _required(found, target, degree))
        report(1.0, f"Newton, degree {degree}, Re {target:g}")
    return [flows[number] for number in reynolds]


def _continued(space: "_Space", c: Values | None, current: float, target: float, progress: Progress) -> Values:
    """The coefficients at the target, from those at the current Reynolds number."""
    c = _required(c, current, space.degree)
    begin = current
    while current < target:
        trial = min(target, max(FIRST_STEP, LARGEST_STEP * current))
        while (found := space.newton(c, trial)) is None:
            trial = (current + trial) / 2
            if trial - current < 1e-2 * max(current, 1.0):
                _required(None, trial, space.degree)
        current, c = trial, found
        progress((current - begin) / (target - begin), f"Newton, degree {space.degree}, Re {current:g}")
    return c


def _required(c: Values | None, reynolds: float, degree: int) -> Values:
    if c is None:
        raise FloatingPointError(
            f"Newton's method does not converge at Re = {reynolds:g} with degree {degree}; the usual cause is a degree "
            "too low for the Reynolds number: raise the degree"
        )
    return c


@dataclass(frozen=True)
class _Space:
    """The parts of the weak form that do not depend on the coefficients, on a tensor grid of Q x Q nodes."""

    degree: int
    weights: Values
    basis: tuple[Values, Values, Values]  # h, h', h'' at the nodes: (Q, degree)
    masses: tuple[Values, Values, Values]  # (h_i, h_k), (h_i', h_k'), (h_i'', h_k'')
    lift: Derivatives

    @classmethod
    def of(cls, degree: int, lid: Lid) -> "_Space":
        # A product of three functions has degree 3 (degree + 3); more nodes are for the lifting, which is no polynomial
        nodes, weights = clustered_quadrature(math.ceil(2.25 * (degree + 3)) + 24)
        basis = _basis(degree, nodes)
        h0, h1, h2 = (h.T @ (weights[:, None] * h) for h in basis)
        return cls(degree, weights, basis, (h0, h1, h2), lifting(lid, nodes, nodes))

    def newton(self, c: Values, reynolds: float) -> Values | None:
        """The solution near the coefficients c; None if the iteration does not converge.

        A factorised Jacobian is reused as long as it shrinks the change at least fivefold per step.
        """
        factors, last = None, math.inf
        for _ in range(ITERATIONS):
            psi = self.lift + _series(c, self.basis, self.basis)
            if factors is None:
                # LAPACK stores matrices by column: factorise the transpose in place
                factors = lu_factor(self.jacobian(psi, reynolds).T, overwrite_a=True, check_finite=False)
            step = lu_solve(factors, self.residual(psi, reynolds).ravel(), trans=1, check_finite=False)
            c = c - step.reshape(c.shape)
            change, size = float(np.max(np.abs(step))), float(np.max(np.abs(c)))
            if not math.isfinite(change) or size > 1e8:
                return None
            if change <= CONVERGED * size:
                return c
            if change > last / 5:
                factors = None
            last = change
        return None

    def residual(self, psi: Derivatives, reynolds: float) -> Values:
        """The weak form tested with h_i(x) h_j(y): (degree, degree)."""
        h0, h1, h2 = (self.weights[:, None] * h for h in self.basis)
        laplacian = psi.xx + psi.yy
        return (
            h2.T @ laplacian @ h0
            + h0.T @ laplacian @ h2
            + reynolds * (h1.T @ (laplacian * psi.y) @ h0 - h0.T @ (laplacian * psi.x) @ h1)
        )

    def jacobian(self, psi: Derivatives, reynolds: float) -> Values:
        """Derivative of the residual (i, j) by the coefficient (k, l): (degree², degree²), residuals along the rows.

        Sums over the nodes in y come first, for all pairs (j, l); then those over the nodes in x, for one i at a time.
        """
        n, w = self.degree, self.weights
        h0, h1, h2 = self.basis
        m0, m1, m2 = self.masses
        laplacian = psi.xx + psi.yy

        def pairs(left: Values, right: Values) -> Values:  # (Q, j and l)
            return (w[:, None, None] * left[:, :, None] * right[:, None, :]).reshape(len(w), n * n)

        p00, p01, p02, p10, p12 = (pairs(*both) for both in ((h0, h0), (h0, h1), (h0, h2), (h1, h0), (h1, h2)))
        in_y = np.concatenate(  # in the order of the products of functions of x below
            [psi.y @ p00, psi.y @ p02 + laplacian @ p01, -psi.x @ p10, -psi.x @ p12, -laplacian @ p10]
        )
        matrix = np.empty((n, n, n, n))
        for i in range(n):
            a0, a1 = reynolds * (w * h0[:, i])[:, None], reynolds * (w * h1[:, i])[:, None]
            in_x = np.concatenate([a1 * h2, a1 * h0, a0 * h2, a0 * h0, a0 * h1])
            block = (in_x.T @ in_y).reshape(n, n, n)  # k, j, l
            # (Δφ, Δχ); its mixed term (φ_xx, χ_yy) is (φ_xy, χ_xy), because both are clamped
            block += m2[i, :, None, None] * m0 + 2 * m1[i, :, None, None] * m1 + m0[i, :, None, None] * m2
            matrix[i] = block.transpose(1, 0, 2)
        return matrix.reshape(n * n, n * n)


def clustered_quadrature(count: int) -> tuple[Values, Values]:
    """Nodes x and weights of the Gauss-Legendre rule in s on [0, 1], mapped by x = s²(3 - 2s): (count,) each.

    The map has slope 0 at both ends and 3/2 in the middle. A singularity x^a at an end is integrated like x^(2a + 1),
    and a polynomial of degree d needs about 3d/4 nodes.

    >>> x, w = clustered_quadrature(20)
    >>> bool(abs(w @ x**5 - 1 / 6) < 1e-15)
    True
    """
    s, weights = np.polynomial.legendre.leggauss(count)
    s = (s + 1) / 2
    return s**2 * (3 - 2 * s), weights * 3 * s * (1 - s)


def _basis(count: int, points: Values) -> tuple[Values, Values, Values]:
    """h_k, h_k', h_k'' at points in [0, 1]: (P, count) each; the clamped polynomials at 2x - 1."""
    polynomials = wall_polynomials.clamped(count)
    h0, h1, h2 = (2**m * wall_polynomials.evaluate(polynomials, 2 * points - 1, m).T for m in range(3))
    return h0, h1, h2


def _series(c: Values, hx: tuple[Values, Values, Values], hy: tuple[Values, Values, Values]) -> Derivatives:
    """Σ c_kl h_k(x) h_l(y) with its derivatives, from the functions and their derivatives at the points."""
    in_y = [c @ h.T for h in hy]
    return Derivatives(hx[0] @ in_y[0], hx[1] @ in_y[0], hx[0] @ in_y[1], hx[2] @ in_y[0], hx[0] @ in_y[2])


def _smallest(function: Callable[[Values], Values]) -> Extremum:
    """The smallest value on [0, 1] of a function that takes arrays."""
    grid = np.linspace(0, 1, 257)
    nearest = int(np.clip(np.argmin(function(grid)), 1, len(grid) - 2))
    found = minimize_scalar(
        lambda z: float(function(np.array([z]))[0]),
        bounds=(grid[nearest - 1], grid[nearest + 1]),
        method="bounded",
        options={"xatol": 1e-10},
    )
    return Extremum(float(found.fun), float(found.x))


def _largest(function: Callable[[Values], Values]) -> Extremum:
    value, place = _smallest(lambda z: -function(z))
    return Extremum(-value, place)
