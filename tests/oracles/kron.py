"""PSGD's Kronecker preconditioner for one matrix in NumPy, written from arXiv 2402.04553: P as one matrix, factors by
inverses. Noise is given."""

import numpy as np


class Kron:
    """direction(G, V), call by call; V is None at a call that does not refit."""

    def __init__(self, shape, b1, rate, eps, longest):
        m, n = shape
        self.b1, self.rate, self.eps, self.longest = b1, rate, eps, longest
        self.left, self.right, self.mean, self.calls = np.eye(m), np.eye(n), np.zeros(shape), 0

    def refit(self, G, V):
        A = self.left @ G @ self.right.T
        B = np.linalg.inv(self.left).T @ V @ np.linalg.inv(self.right)
        left = self.step(self.left, A @ A.T, B @ B.T)
        right = self.step(self.right, A.T @ A, B.T @ B)
        a, b = np.abs(left).max(), np.abs(right).max()
        self.left, self.right = left * np.sqrt(b / a), right * np.sqrt(a / b)

    def step(self, Q, large, small):
        both = large + small
        c = max(both.T, key=np.linalg.norm)
        norm = np.linalg.norm(both @ c) / np.linalg.norm(c)
        return Q - self.rate / norm * np.triu(large - small) @ Q

    def direction(self, G, V):
        self.calls += 1
        self.mean = self.b1 * self.mean + (1 - self.b1) * G
        M = self.mean / (1 - self.b1**self.calls)
        if self.calls == 1:
            scale = np.mean(M**2) ** -0.125
            self.left, self.right = scale * self.left, scale * self.right
        elif V is not None:
            self.refit(M + self.eps * V, V)
        P = np.kron(self.left.T @ self.left, self.right.T @ self.right)  # of rows one after the other
        direction = (P @ M.ravel()).reshape(M.shape)
        return direction * min(1, self.longest / np.sqrt(np.mean(direction**2)))
