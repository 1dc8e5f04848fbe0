"""Curvature matrices in NumPy, entry by entry from their definitions."""

import numpy as np
from scipy import linalg


def gradient(function, x, step=1e-6):
    """Central differences of a scalar function."""
    return np.array([(function(x + step * e) - function(x - step * e)) / (2 * step) for e in np.eye(len(x))])


def jacobian(function, x, step=1e-6):
    """Central differences of a vector function, shape (N, P)."""
    return np.array([(function(x + step * e) - function(x - step * e)) / (2 * step) for e in np.eye(len(x))]).T


def kronecker(B, C):
    (m, k), (n, p) = B.shape, C.shape
    return np.array([[B[i, a] * C[j, b] for a in range(k) for b in range(p)] for i in range(m) for j in range(n)])


def rearranged(F, m, n):
    """R(F)_{(i i'), (j j')} = F_{(i j), (i' j')}."""
    result = np.zeros((m * m, n * n))
    for i in range(m):
        for k in range(m):
            for j in range(n):
                for p in range(n):
                    result[i * m + k, j * n + p] = F[i * n + j, k * n + p]
    return result


def moments(samples):
    """F = E[vec G vec G^T], L = E[G G^T], R = E[G^T G]."""
    count = len(samples)
    F = sum(np.outer(G.reshape(-1), G.reshape(-1)) for G in samples) / count
    return F, sum(G @ G.T for G in samples) / count, sum(G.T @ G for G in samples) / count


def power(S, exponent):
    """S^q of a definite S."""
    return np.real(linalg.fractional_matrix_power(S, exponent))


def soap(samples, G):
    """Ideal SOAP's direction of G for the given statistics: Q_L [(Q_L^T G Q_R) / sqrt V] Q_R^T."""
    _, L, R = moments(samples)
    QL, QR = np.linalg.eigh(L)[1], np.linalg.eigh(R)[1]
    V = sum((QL.T @ sample @ QR) ** 2 for sample in samples) / len(samples)
    return QL @ ((QL.T @ G @ QR) / np.sqrt(V)) @ QR.T
