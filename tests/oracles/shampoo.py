"""Shampoo for one matrix in NumPy, written from arXiv 1802.09568 (algorithm 1), with momentum, decay and grafting."""

import numpy as np


def power(L, p, eps):
    """(L + eps lambda_max I)^(-p) by singular values."""
    U, s, _ = np.linalg.svd((L + L.T) / 2)
    return U @ np.diag((s + eps * s[0]) ** -p) @ U.T


class Shampoo:
    """direction(G), call by call."""

    def __init__(self, shape, b1, b2, p, eps, frequency, grafting):
        self.b1, self.b2, self.p, self.eps, self.frequency, self.grafting = b1, b2, p, eps, frequency, grafting
        m, n = shape
        self.M, self.V, self.L, self.R = np.zeros(shape), np.zeros(shape), np.zeros((m, m)), np.zeros((n, n))
        self.k = 0

    def direction(self, G):
        self.k += 1
        new, unbiased = (1.0, 1.0) if self.b2 == 1 else (1 - self.b2, 1 - self.b2**self.k)
        self.M = self.b1 * self.M + (1 - self.b1) * G
        self.V = self.b2 * self.V + new * G**2
        self.L = self.b2 * self.L + new * G @ G.T
        self.R = self.b2 * self.R + new * G.T @ G
        if (self.k - 1) % self.frequency == 0:
            self.left, self.right = (power(F / unbiased, self.p, self.eps) for F in (self.L, self.R))
        M = self.M / (1 - self.b1**self.k)
        direction = self.left @ M @ self.right
        if self.grafting:
            adam = M / (np.sqrt(self.V / unbiased) + 1e-8)
            direction = direction * np.linalg.norm(adam) / np.linalg.norm(direction)
        return direction
