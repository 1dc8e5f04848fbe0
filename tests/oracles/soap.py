"""SOAP for one matrix in NumPy, written from arXiv 2409.11321 (algorithm 3) with explicit loops and eigenvectors."""

import numpy as np


class Soap:
    """direction(G) gives Adam's direction in the slowly moving eigenbasis of L and R, call by call."""

    def __init__(self, shape, b1, b2, eps, frequency, port_of_2024=False):
        self.b1, self.b2, self.eps, self.frequency, self.port_of_2024 = b1, b2, eps, frequency, port_of_2024
        m, n = shape
        self.M, self.V = np.zeros(shape), np.zeros(shape)
        self.L, self.R = np.zeros((m, m)), np.zeros((n, n))
        self.calls = 0

    def direction(self, G):
        self.calls += 1
        if self.calls == 1:
            self._accumulate(G)
            self.QL, self.QR = (np.linalg.eigh(factor)[1][:, ::-1] for factor in (self.L, self.R))
            return np.zeros_like(G)
        self.M = self.b1 * self.M + (1 - self.b1) * G
        before = self.V
        self.V = self.b2 * self.V + (1 - self.b2) * (self.QL.T @ G @ self.QR) ** 2
        t = self.calls if self.port_of_2024 else self.calls - 1
        step = (self.QL.T @ self.M @ self.QR) / (1 - self.b1**t)
        step = step / (np.sqrt(self.V / (1 - self.b2**t)) + self.eps)
        step = self.QL @ step @ self.QR.T
        self._accumulate(G)
        if self.calls % self.frequency == 0:
            rows = np.argsort(-np.diag(self.QL.T @ self.L @ self.QL), kind="stable")
            columns = np.argsort(-np.diag(self.QR.T @ self.R @ self.QR), kind="stable")
            self.V = self.V[rows][:, columns]
            self.QL = np.linalg.qr(self.L @ self.QL[:, rows])[0]
            self.QR = np.linalg.qr(self.R @ self.QR[:, columns])[0]
        elif self.port_of_2024:
            self.V = before
        return step

    def _accumulate(self, G):
        self.L = self.b2 * self.L + (1 - self.b2) * G @ G.T
        self.R = self.b2 * self.R + (1 - self.b2) * G.T @ G


class Adam:
    """direction(g) of Adam, arXiv 1412.6980 (algorithm 1), for an array of any shape."""

    def __init__(self, shape, b1, b2, eps):
        self.b1, self.b2, self.eps = b1, b2, eps
        self.m, self.v, self.t = np.zeros(shape), np.zeros(shape), 0

    def direction(self, g):
        self.t += 1
        self.m = self.b1 * self.m + (1 - self.b1) * g
        self.v = self.b2 * self.v + (1 - self.b2) * g**2
        return self.m / (1 - self.b1**self.t) / (np.sqrt(self.v / (1 - self.b2**self.t)) + self.eps)
