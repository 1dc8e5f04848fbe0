"""Two losses with linear residuals, exact descent on them, and the linear PINN -u'' = f on (0, 1) of claim T17.

r = J theta + r_0 with the rows of the first loss on top, L_i = ||r_i||^2 / 2. Every step theta -> theta - B r moves the
residual by r -> (I - J B) r, so runs follow r, whose rounding is relative to its own length, however small it gets.
All in float64; all quantities are dimensionless.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray

from gradalign.claims._batches import Floats, scores
from gradalign.diagnostics.matrices import random_orthogonal

Steps = NDArray[np.integer[Any]]

POINTS = 64
"""Gauss points that integrate the squares of sines up to sin 16 pi x to rounding."""


class TwoLosses(NamedTuple):
    """J (m, d) of full row rank, and the number of rows of the first loss."""

    J: Floats
    first: int


class Path(NamedTuple):
    """Seen along a run: steps (T,), raw and Newton score (T,), total loss (T,), residuals (T, m)."""

    steps: Steps
    raw: Floats
    newton: Floats
    loss: Floats
    residuals: Floats


def random_jacobian(generator: np.random.Generator, spectrum: Floats, d: int) -> Floats:
    """J (m, d) with random row space, whose K = J J^T has random eigenvectors and the eigenvalues ``spectrum`` (m,).

    >>> J = random_jacobian(np.random.default_rng(0), np.array([1.0, 4.0]), 5)
    >>> np.linalg.eigvalsh(J @ J.T).round(12).tolist()
    [1.0, 4.0]
    """
    vectors, rows = random_orthogonal(generator, len(spectrum)), random_orthogonal(generator, d)[: len(spectrum)]
    return np.asarray((vectors * np.sqrt(spectrum)) @ vectors.T @ rows)


def raw_directions(problem: TwoLosses, r: Floats) -> Floats:
    """g_i = J_i^T r_i at residuals r (N, m): (N, 2, d).

    >>> raw_directions(TwoLosses(np.diag([2.0, 3.0]), 1), np.ones((1, 2))).tolist()
    [[[2.0, 0.0], [0.0, 3.0]]]
    """
    return _sided(problem.J, problem.first, r)


def newton_directions(problem: TwoLosses, r: Floats) -> Floats:
    """H^+ g_i = J^+ E_i r_i at residuals r (N, m), E_i the columns of block i: (N, 2, d).

    >>> newton_directions(TwoLosses(np.diag([2.0, 4.0]), 1), np.ones((1, 2))).tolist()
    [[[0.5, 0.0], [0.0, 0.25]]]
    """
    return _sided(np.linalg.pinv(problem.J).T, problem.first, r)


def descend(problem: TwoLosses, start: Floats, eta: float, steps: int) -> Path:
    """Gradient descent, r -> (I - eta J J^T) r from ``start`` (m,), seen at some 150 log-spaced steps and the last."""
    seen = np.unique(np.append(np.round(np.geomspace(1, steps + 1, 150)).astype(int) - 1, steps))
    return _run(problem, start, eta * problem.J @ problem.J.T, seen)


def damped_newton(problem: TwoLosses, start: Floats, eta: float, steps: int) -> Path:
    """theta -> theta - eta J^+ r, so r -> (I - eta J J^+) r from ``start`` (m,), seen at every step."""
    return _run(problem, start, eta * problem.J @ np.linalg.pinv(problem.J), np.arange(steps + 1))


def sines(N: int) -> tuple[Floats, Floats]:
    """Rows of the boundary (2, N + 2) and of the equation (64, N + 2) in the basis 1, x, sin k pi x, k = 1..N."""
    x, w = gauss_legendre(POINTS)
    k = np.arange(1, N + 1)
    ends = np.array([0.0, 1.0])
    boundary = np.column_stack([np.ones(2), ends, np.sin(np.pi * np.outer(ends, k))])
    second = np.column_stack([np.zeros((POINTS, 2)), (np.pi * k) ** 2 * np.sin(np.pi * np.outer(x, k))])
    return boundary, np.asarray(np.sqrt(w)[:, None] * second)


def legendre_rows(N: int, orthonormal: bool) -> tuple[Floats, Floats]:
    """Rows of the boundary (2, N + 2) and of the equation (N, N + 2) in Legendre coefficients P_0..P_(N+1).

    P_k is taken on (0, 1), times sqrt(2 k + 1) if ``orthonormal``. N Gauss points integrate all products exactly.

    >>> boundary, interior = legendre_rows(1, False)
    >>> boundary.tolist(), abs(interior).round(12).tolist()
    ([[1.0, -1.0, 1.0], [1.0, 1.0, 1.0]], [[0.0, 0.0, 12.0]])
    """
    x, w = gauss_legendre(N)
    basis = np.diag(np.sqrt(2 * np.arange(N + 2) + 1)) if orthonormal else np.eye(N + 2)
    boundary = legendre.legval(np.array([-1.0, 1.0]), basis).T
    second = -4 * legendre.legval(2 * x - 1, legendre.legder(basis, 2)).T  # 4 = (d(2 x - 1)/dx)^2
    return np.asarray(boundary), np.asarray(np.sqrt(w)[:, None] * second)


def exponential_pinn(N: int) -> tuple[TwoLosses, Floats]:
    """-u'' = -exp(x), u(0) = 1, u(1) = e in Legendre coefficients, and its residuals (N + 2,) at zero coefficients.

    N Gauss points leave J square and invertible, so that both losses vanish at one point.
    """
    boundary, interior = legendre_rows(N, False)
    x, w = gauss_legendre(N)
    start = np.concatenate([[-1, -np.e], np.sqrt(w) * np.exp(x)])
    return TwoLosses(np.concatenate([boundary, interior]), 2), start


def gauss_legendre(points: int) -> tuple[Floats, Floats]:
    """Gauss-Legendre points and weights on (0, 1).

    >>> [part.tolist() for part in gauss_legendre(1)]
    [[0.5], [1.0]]
    """
    x, w = legendre.leggauss(points)
    return (x + 1) / 2, w / 2


def _run(problem: TwoLosses, start: Floats, change: Floats, seen: Steps) -> Path:
    step, r, residuals = np.eye(len(start)) - change, start, []
    for count in np.diff(seen, prepend=0).tolist():
        for _ in range(int(count)):
            r = step @ r
        residuals.append(r)
    found = np.array(residuals)
    raw, newton = (scores(make(problem, found)) for make in (raw_directions, newton_directions))
    return Path(seen, raw, newton, np.sum(found**2, axis=1) / 2, found)


def _sided(rows: Floats, first: int, r: Floats) -> Floats:
    return np.stack([r[:, :first] @ rows[:first], r[:, first:] @ rows[first:]], axis=1)
