"""SOAP with Gauss-Newton statistics for one matrix in NumPy, with explicit loops and a Jacobian in closed form."""

import numpy as np


def model(W, x, z):
    """Residuals ((x_i^T W z_i)^2 - 1) / sqrt(N) of N points, x (N, m), z (N, n), and their Jacobian (N, m, n)."""
    inner = np.array([a @ W @ b for a, b in zip(x, z, strict=True)])
    J = np.array([2 * t * np.outer(a, b) for t, a, b in zip(inner, x, z, strict=True)])
    return (inner**2 - 1) / np.sqrt(len(x)), J / np.sqrt(len(x))


class SoapGaussNewton:
    """direction(W, signs) gives the bounded Newton step in the slowly moving eigenbasis of L and R, call by call."""

    def __init__(self, x, z, b1, b2, eps, trust, frequency):
        self.x, self.z = x, z
        self.b1, self.b2, self.eps, self.trust, self.frequency = b1, b2, eps, trust, frequency
        m, n = x.shape[1], z.shape[1]
        self.M, self.C = np.zeros((m, n)), np.zeros((m, n))
        self.L, self.R = np.zeros((m, m)), np.zeros((n, n))
        self.calls = self.averaged = 0

    def enter(self):
        """The next window begins: only the mean of gradients starts again."""
        self.M, self.averaged = np.zeros_like(self.M), 0

    def direction(self, W, signs):
        self.calls += 1
        r, J = model(W, self.x, self.z)
        G = 2 * np.einsum("i,imn->mn", r, J)
        sketches = [np.sqrt(2) * sum(e * row for e, row in zip(drawn, J, strict=True)) for drawn in signs]
        if self.calls == 1:
            self._accumulate(sketches)
            self.QL, self.QR = (np.linalg.eigh(factor)[1][:, ::-1] for factor in (self.L, self.R))
            return np.zeros_like(W)
        t = self.calls - 1
        self.averaged += 1
        self.M = self.b1 * self.M + (1 - self.b1) * G
        squares = sum((self.QL.T @ S @ self.QR) ** 2 for S in sketches) / len(sketches)
        self.C = self.b2 * self.C + (1 - self.b2) * squares
        step = (self.QL.T @ self.M @ self.QR) / (1 - self.b1**self.averaged) / (self.C / (1 - self.b2**t) + self.eps)
        step = self.QL @ np.minimum(np.maximum(step, -self.trust), self.trust) @ self.QR.T
        self._accumulate(sketches)
        if self.calls % self.frequency == 0:
            rows = np.argsort(-np.diag(self.QL.T @ self.L @ self.QL), kind="stable")
            columns = np.argsort(-np.diag(self.QR.T @ self.R @ self.QR), kind="stable")
            self.C = self.C[rows][:, columns]
            self.QL = np.linalg.qr(self.L @ self.QL[:, rows])[0]
            self.QR = np.linalg.qr(self.R @ self.QR[:, columns])[0]
        return step

    def _accumulate(self, sketches):
        self.L = self.b2 * self.L + (1 - self.b2) * sum(S @ S.T for S in sketches) / len(sketches)
        self.R = self.b2 * self.R + (1 - self.b2) * sum(S.T @ S for S in sketches) / len(sketches)
