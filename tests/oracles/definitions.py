"""Newton in two coordinate systems, and the three definitions of the score, in NumPy from the formulas."""

import numpy as np


def cosine(one, other):
    return one @ other / np.sqrt((one @ one) * (other @ other))


class Losses:
    """L_i = sum_k (z + 0.3 sin z)^2 / 2 with z = M_i B p - b_i, as functions of p = B^-1 theta."""

    def __init__(self, rows, offsets, B):
        self.rows, self.offsets = [M @ B for M in rows], offsets

    def _parts(self, point):
        for M, b in zip(self.rows, self.offsets, strict=True):
            z = M @ point - b
            yield M, z + 0.3 * np.sin(z), 1 + 0.3 * np.cos(z), -0.3 * np.sin(z)

    def values(self, point):
        return np.array([r @ r / 2 for _, r, _, _ in self._parts(point)])

    def gradients(self, point):
        return np.array([M.T @ (r * slope) for M, r, slope, _ in self._parts(point)])

    def hessian(self, point):
        return sum(M.T @ np.diag(slope**2 + r * bend) @ M for M, r, slope, bend in self._parts(point))

    def gauss_newton(self, point):
        return sum(M.T @ np.diag(slope**2) @ M for M, _, slope, _ in self._parts(point))


def descend(losses, point, matrix, step, steps):
    """Loss values and per-loss directions along point -> point - step C^-1 g, C = ``matrix`` of the losses."""
    values, directions = [], []
    for _ in range(steps):
        v = np.linalg.solve(getattr(losses, matrix)(point), losses.gradients(point).T).T
        values.append(losses.values(point))
        directions.append(v)
        point = point - step * v.sum(axis=0)
    return np.array(values), np.array(directions)


def smallest_angle_cosine(first, second):
    """c of T13 for full row rank: the largest singular value of K_11^-1/2 K_12 K_22^-1/2, here by Cholesky factors."""
    one, two = (np.linalg.cholesky(J @ J.T) for J in (first, second))
    return np.linalg.svd(np.linalg.solve(one, first) @ np.linalg.solve(two, second).T)[1][0]


def sign_score(one, other):
    """1 - 2 (fraction of coordinates with opposite signs)."""
    return 1 - 2 * sum(a * b < 0 for a, b in zip(one, other, strict=True)) / len(one)
