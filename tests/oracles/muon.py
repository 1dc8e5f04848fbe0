"""Muon in NumPy, by singular values: Jordan's iteration only ever changes them."""

import numpy as np


def orthogonalised(M, coefficients, steps, eps):
    """U p(S / |M|) V^T with p: x -> a x + b x^3 + c x^5, ``steps`` times."""
    U, s, Vt = np.linalg.svd(M, full_matrices=False)
    s = s / (np.linalg.norm(M) + eps)
    a, b, c = coefficients
    for _ in range(steps):
        s = a * s + b * s**3 + c * s**5
    return U @ np.diag(s) @ Vt


class Muon:
    """direction(G) for a matrix, call by call, with the look-ahead and the scale of the shape as in optax."""

    def __init__(self, shape, b1, coefficients, steps, eps, nesterov):
        self.b1, self.coefficients, self.steps, self.eps, self.nesterov = b1, coefficients, steps, eps, nesterov
        self.M, self.t = np.zeros(shape), 0

    def direction(self, G):
        self.t += 1
        self.M = self.b1 * self.M + (1 - self.b1) * G
        M = self.M / (1 - self.b1**self.t)
        if self.nesterov:
            M = self.b1 * self.M / (1 - self.b1 ** (self.t + 1)) + (1 - self.b1) * G / (1 - self.b1**self.t)
        rows, columns = G.shape
        return np.sqrt(max(1, columns / rows)) * orthogonalised(M, self.coefficients, self.steps, self.eps)
