"""SOAP in NumPy: ``Soap`` from arXiv 2409.11321 (algorithm 3), ``Original`` and ``PortOf2024`` from the conventions of
two published programs, which were read for facts."""

import numpy as np


class Soap:
    """direction(G) gives Adam's direction in the slowly moving eigenbasis of L and R, call by call."""

    def __init__(self, shape, b1, b2, eps, frequency):
        self.b1, self.b2, self.eps, self.frequency = b1, b2, eps, frequency
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
        self.V = self.b2 * self.V + (1 - self.b2) * (self.QL.T @ G @ self.QR) ** 2
        t = self.calls - 1
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
        return step

    def _accumulate(self, G):
        self.L = self.b2 * self.L + (1 - self.b2) * G @ G.T
        self.R = self.b2 * self.R + (1 - self.b2) * G.T @ G


class _Eigenbases:
    """Factors F and bases Q of a matrix or a vector; a vector without a factor keeps the identity."""

    def __init__(self, shape, b2, vectors):
        self.b2, self.turns = b2, len(shape) == 2 or vectors
        self.F, self.Q = [np.zeros((d, d)) for d in shape], [np.eye(d) for d in shape]

    def into(self, G):
        return self.Q[0].T @ G if G.ndim == 1 else self.Q[0].T @ G @ self.Q[1]

    def out_of(self, G):
        return self.Q[0] @ G if G.ndim == 1 else self.Q[0] @ G @ self.Q[1].T

    def accumulate(self, G):
        squares = [np.outer(G, G)] if G.ndim == 1 else [G @ G.T, G.T @ G]
        self.F = [F + (1 - self.b2) * (square - F) for F, square in zip(self.F, squares, strict=True)]

    def start(self):
        if self.turns:
            self.Q = [np.linalg.eigh(F)[1][:, ::-1] for F in self.F]

    def turn(self, V):
        """One orthogonal iteration for each basis; V in the order of the new columns."""
        if self.turns:
            for axis, (F, Q) in enumerate(zip(self.F, self.Q, strict=True)):
                order = np.argsort(-np.diag(Q.T @ F @ Q), kind="stable")
                V = np.take(V, order, axis)
                self.Q[axis] = np.linalg.qr(F @ Q[:, order])[0]
        return V


class Original(_Eigenbases):
    """direction(G) of the authors' program (PyTorch, github.com/nikhilvyas/SOAP), for a matrix or a vector.

    Updates of the moments are counted, so that the first call counts as none. M lives in the basis and is carried into
    a new one. eps joins the root of V, and both bias corrections are one factor of the step. A refresh follows every
    update whose number is a multiple of the frequency.
    """

    def __init__(self, shape, b1, b2, eps, frequency, vectors=False):
        super().__init__(shape, b2, vectors)
        self.b1, self.eps, self.frequency = b1, eps, frequency
        self.M, self.V, self.updates = np.zeros(shape), np.zeros(shape), None

    def direction(self, G):
        if self.updates is None:
            self.updates = 0
            self.accumulate(G)
            self.start()
            return np.zeros_like(G)
        self.updates += 1
        turned = self.into(G)
        self.M = self.b1 * self.M + (1 - self.b1) * turned
        self.V = self.b2 * self.V + (1 - self.b2) * turned**2
        size = (1 - self.b2**self.updates) ** 0.5 / (1 - self.b1**self.updates)
        step = size * self.out_of(self.M / (np.sqrt(self.V) + self.eps))
        carried = self.out_of(self.M)
        self.accumulate(G)
        if self.updates % self.frequency == 0:
            self.V = self.turn(self.V)
        self.M = self.into(carried)
        return step


class PortOf2024(_Eigenbases):
    """direction(G) of the JAX port of September 2024 (github.com/haydn-jones/SOAP_JAX), for a matrix or a vector.

    Calls are counted, the first one too. Every vector has a factor. M lives in the coordinates of the parameter. eps
    joins the root of V, and both bias corrections are one factor of the step. A refresh follows every call whose number
    is a multiple of the frequency; every other call leaves V as it found it.
    """

    def __init__(self, shape, b1, b2, eps, frequency):
        super().__init__(shape, b2, vectors=True)
        self.b1, self.eps, self.frequency = b1, eps, frequency
        self.M, self.V, self.count = np.zeros(shape), np.zeros(shape), 0

    def direction(self, G):
        self.count += 1
        if self.count == 1:
            self.accumulate(G)
            self.start()
            return np.zeros_like(G)
        self.M = self.b1 * self.M + (1 - self.b1) * G
        V = self.b2 * self.V + (1 - self.b2) * self.into(G) ** 2
        step = self.out_of(self.into(self.M) / (np.sqrt(V) + self.eps))
        step = step * (np.sqrt(1 - self.b2**self.count) / (1 - self.b1**self.count))
        self.accumulate(G)
        if self.count % self.frequency == 0:
            self.V = self.turn(V)
        return step


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
