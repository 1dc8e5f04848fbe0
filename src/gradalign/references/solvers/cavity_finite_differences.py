"""Steady flow in a lid-driven cavity by second-order finite differences and Newton's method with a sparse LU.

    ν Δζ = ∂ψ/∂y ∂ζ/∂x - ∂ψ/∂x ∂ζ/∂y,   ζ = Δψ,   u = ∂ψ/∂y,   v = -∂ψ/∂x,   ν = 1/Re,   (x, y) in [0, 1]²

ψ = 0 on all walls; u is that of the lid at y = 1, and u = v = 0 on the three other walls. ζ = Δψ is minus the vorticity
∂v/∂x - ∂u/∂y. On a grid of n by n cells of size h = 1/n, all derivatives are central differences over one cell on
either side. On a wall, ζ follows from the tangential velocity U by the formula of Thom (1933), for the lid
ζ = 2 (ψ_below + h U)/h². The formula is first-order accurate in ζ, yet the flow is second-order accurate (W. E and
J.-G. Liu, J. Comput. Phys. 124, 1996). ζ is eliminated, which leaves the (n - 1)² interior values of ψ as unknowns.

There are two lids. ``sharp``: u = 1 along the whole lid. The velocity jumps at its corners. At the nodes next to them
it does not converge, and the L2 error of the velocity is of first order. ``regularised``:
u = 1 - cosh(50 (x - 1/2))/cosh(25), smooth, and of second order once the edges of width 1/50 are resolved.

This is the classical scheme, as accurate as much published data. The accurate solver is
``gradalign.references.solvers.cavity``; the two share only the lids. All quantities are dimensionless.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import SuperLU, splu

from gradalign.references._contract import Progress, Values
from gradalign.references.solvers.cavity_lids import Lid, speed

CONVERGED = 1e-10
"""Newton's method stops after a step of ψ below this; the next would be at least five times shorter."""

CLOSE = 1e-3
"""A factorised Jacobian is reused only after steps of ψ below this, a hundredth of the vortex."""

LARGEST_COUNT = 30
"""Most Newton steps; from a flow at a third of the Reynolds number about ten suffice."""


class GridFlow(NamedTuple):
    """ψ, u and v at the nodes (i/n, j/n), i the first index: (n + 1, n + 1) each.

    Walls have the prescribed velocity, and the two corners of the lid that of the lid.
    """

    stream_function: Values
    u: Values
    v: Values


def solve(
    reynolds: Sequence[float], lid: Lid, cells: int, progress: Progress = lambda share, text: None
) -> list[GridFlow]:
    """The flow at each Reynolds number, started from the previous one, the first from creeping flow.

    reynolds: positive, increasing by factors of at most about three or four, or Newton's method may not converge.
    cells: n >= 4 per side. Cost per Reynolds number: about 0.1 s for 64 cells, 3 s and 0.5 GB for 256. Raises
    ``ValueError`` for numbers out of range, ``ConfigurationError`` for an unknown lid, ``FloatingPointError`` if
    Newton's method does not converge.

    >>> (flow,) = solve([100.0], "sharp", 32)
    >>> round(float(flow.u[16].min()), 2), flow.u[16, -1].item()  # on x = 1/2: converged -0.2140, and the lid
    (-0.2, 1.0)
    """
    if not len(reynolds) or min(reynolds) <= 0:
        raise ValueError(f"Reynolds numbers {list(reynolds)}; allowed: positive ones, at least one")
    scheme = Scheme(speed(lid, np.linspace(0, 1, cells + 1)))
    psi = scheme.creeping()
    flows = []
    for index, number in enumerate(reynolds, start=1):
        psi = scheme.newton(psi, number)
        flows.append(scheme.flow(psi))
        progress(index / len(reynolds), f"finite differences, {lid} lid, {cells} cells, Re {number:g}")
    return flows


class Scheme:
    """The discrete equations for a lid with the given velocity at its n + 1 nodes, n >= 4.

    Vectors ψ hold the interior nodes, ζ all nodes, row by row in x.

    >>> still = Scheme(np.zeros(9))
    >>> float(np.abs(still.newton(still.creeping(), 100.0)).max())
    0.0
    """

    def __init__(self, lid: Values) -> None:
        cells = len(lid) - 1
        if cells < 4:
            raise ValueError(f"{cells} cells; allowed: at least 4")
        h = 1 / cells
        inner, nodes = cells - 1, cells + 1
        first = _banded({0: -1 / (2 * h), 2: 1 / (2 * h)}, inner, nodes)
        second = _banded({0: 1 / h**2, 1: -2 / h**2, 2: 1 / h**2}, inner, nodes)
        at = _banded({1: 1.0}, inner, nodes)  # values of the inner nodes from those of all nodes
        spread = sparse.csr_array(at.T)
        # ∂²ψ/∂x² at all nodes from the inner ψ; on a wall, where ψ and its slope vanish, ψ is mirrored beyond the wall
        ends = _banded({0: 2 / h**2}, 1, inner), _banded({inner - 1: 2 / h**2}, 1, inner)
        curvature = sparse.csr_array(sparse.vstack([ends[0], second @ spread, ends[1]]))
        self.cells, self.lid = cells, lid
        self.x_slope, self.y_slope = _product(first, at), _product(at, first)
        self.laplacian = _product(second, at) + _product(at, second)
        self.zeta_of_psi = _product(curvature, spread) + _product(spread, curvature)
        self.inclusion = _product(spread, spread)
        self.x_of_psi, self.y_of_psi = self.x_slope @ self.inclusion, self.y_slope @ self.inclusion
        moving = np.zeros((nodes, nodes))
        moving[1:-1, -1] = 2 * lid[1:-1] / h  # the slope of ψ at the lid, which the mirror image omits
        self.zeta_of_lid = moving.ravel()
        self.viscous = self.laplacian @ self.zeta_of_psi

    def creeping(self) -> Values:
        """ψ for Re = 0, where the equation is linear."""
        return _factors(self.viscous).solve(-(self.laplacian @ self.zeta_of_lid))

    def newton(self, psi: Values, reynolds: float, force: Values | float = 0.0) -> Values:
        """ψ at a Reynolds number, from an initial guess.

        ``force`` is added to the left-hand side at the interior nodes. Close to the solution, a factorised Jacobian is
        reused as long as each step is at least five times shorter.
        """
        factors, last = None, np.inf
        for _ in range(LARGEST_COUNT):
            zeta = self.zeta_of_psi @ psi + self.zeta_of_lid
            slopes = (self.y_of_psi @ psi, self.x_slope @ zeta, self.x_of_psi @ psi, self.y_slope @ zeta)
            if factors is None:
                factors = _factors(self.viscous / reynolds - self._convection(*slopes))
            psi_y, zeta_x, psi_x, zeta_y = slopes
            step = factors.solve(psi_y * zeta_x - psi_x * zeta_y - self.laplacian @ zeta / reynolds - force)
            psi, size = psi + step, float(np.max(np.abs(step)))
            if size < CONVERGED:
                return psi
            if not np.isfinite(size):
                break
            if size > min(CLOSE, last / 5):
                factors = None
            last = size
        raise FloatingPointError(
            f"Newton's method for the cavity at Re {reynolds:g}, {self.cells} cells, does not converge within "
            f"{LARGEST_COUNT} steps; approach the Reynolds number in smaller steps"
        )

    def _convection(self, psi_y: Values, zeta_x: Values, psi_x: Values, zeta_y: Values) -> sparse.csr_array:
        """Derivative of ∂ψ/∂y ∂ζ/∂x - ∂ψ/∂x ∂ζ/∂y with respect to ψ."""

        def times(factor: Values, operator: sparse.csr_array) -> sparse.csr_array:
            return sparse.csr_array(sparse.diags_array(factor) @ operator)

        of_zeta = times(psi_y, self.x_slope @ self.zeta_of_psi) - times(psi_x, self.y_slope @ self.zeta_of_psi)
        return of_zeta + times(zeta_x, self.y_of_psi) - times(zeta_y, self.x_of_psi)

    def flow(self, psi: Values) -> GridFlow:
        """ψ and the velocity at all nodes."""
        shape = (self.cells - 1, self.cells - 1)
        u = np.pad((self.y_of_psi @ psi).reshape(shape), 1)
        v = np.pad(-(self.x_of_psi @ psi).reshape(shape), 1)
        u[:, -1] = self.lid
        return GridFlow(np.pad(psi.reshape(shape), 1), u, v)


def _banded(diagonals: dict[int, float], rows: int, columns: int) -> sparse.csr_array:
    """A matrix with constant diagonals, by offset."""
    offsets = list(diagonals)
    return sparse.csr_array(sparse.diags_array(list(diagonals.values()), offsets=offsets, shape=(rows, columns)))


def _product(along_x: sparse.csr_array, along_y: sparse.csr_array) -> sparse.csr_array:
    """The grid operator that applies one matrix along x and the other along y."""
    return sparse.csr_array(sparse.kron(along_x, along_y))


def _factors(matrix: sparse.csr_array) -> SuperLU:
    # The pattern is symmetric, and the ordering for A + Aᵀ gives little fill-in if all pivots lie on the diagonal.
    # Other pivots give twenty times as many entries far from a solution. Newton's method corrects the rounding errors.
    options = {"SymmetricMode": True}
    return splu(matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options)
