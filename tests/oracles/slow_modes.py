"""Scores of two losses at eigenvectors of the kernel, and a linear PINN, in NumPy from the definitions."""

import numpy as np
from numpy.polynomial import Legendre


def score(x, y):
    return x @ y / np.sqrt((x @ x) * (y @ y))


def raw_and_newton(J, first, r):
    """Scores of g_i = J_i^T r_i and of (J^T J)^+ g_i, by the matrix of the parameters' size."""
    one, two = J[:first].T @ r[:first], J[first:].T @ r[first:]
    inverse = np.linalg.pinv(J.T @ J, rcond=1e-9)
    return score(one, two), score(inverse @ one, inverse @ two)


def closed_form(J, first, bottom):
    """The formulas of T15: rho_i = z_i^T K_ii z_i/||z_i||^2, 1/k_i' = z_i^T (K^-1)_ii z_i/||z_i||^2."""
    K = J @ J.T
    values, vectors = np.linalg.eigh(K)
    k, z = (values[0], vectors[:, 0]) if bottom else (values[-1], vectors[:, -1])
    rho, inner = [], []
    for part in (slice(None, first), slice(first, None)):
        rho.append(z[part] @ K[part, part] @ z[part] / (z[part] @ z[part]))
        inner.append((z[part] @ z[part]) / (z[part] @ np.linalg.inv(K)[part, part] @ z[part]))
    if bottom:
        return (
            -np.sqrt((1 - k / rho[0]) * (1 - k / rho[1])),
            np.sqrt((inner[0] / k - 1) * (inner[1] / k - 1)),
        )
    return np.sqrt((k / rho[0] - 1) * (k / rho[1] - 1)), -np.sqrt((1 - inner[0] / k) * (1 - inner[1] / k))


def gradient_descent(J, r, eta, steps):
    """The residual after theta -> theta - eta J^T r, in the parameters' error e with r = J e."""
    e = np.linalg.pinv(J) @ r
    for _ in range(steps):
        e = e - eta * J.T @ (J @ e)
    return J @ e


def legendre_blocks(N, orthonormal):
    """H_bc and H_pde of P_0..P_(N+1) on (0, 1): boundary values, exact integrals of products of second derivatives."""
    basis = [Legendre.basis(k, domain=[0, 1]) for k in range(N + 2)]
    scale = np.sqrt(2 * np.arange(N + 2) + 1) if orthonormal else np.ones(N + 2)
    values = np.array([[p(x) for p in basis] for x in (0.0, 1.0)]) * scale
    # Products of Legendre polynomials stay well conditioned as Legendre series
    second = [p.deriv(2) if p.degree() > 1 else Legendre([0.0], domain=[0, 1]) for p in basis]
    integrals = np.array([[_integral(p * q) for q in second] for p in second])
    return values.T @ values, integrals * np.outer(scale, scale)


def sine_hessian(N, weight):
    """diag(weight [[2, 1], [1, 1]], (k pi)^4 / 2) of the basis 1, x, sin k pi x."""
    H = np.diag(np.concatenate([[0, 0], (np.pi * np.arange(1, N + 1)) ** 4 / 2]))
    H[:2, :2] = weight * np.array([[2, 1], [1, 1]])
    return H


def _integral(series):
    """Over (0, 1): the coefficient of P_0."""
    return series.coef[0]
