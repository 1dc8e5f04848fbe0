"""Kronecker structure of layers in NumPy, entry by entry."""

import numpy as np


def kronecker_covariance(outputs, inputs):
    """E[b_i b_k a_j a_l] - E[b_i b_k] E[a_j a_l] at (i j), (k l), row-major."""
    m, n, count = outputs.shape[1], inputs.shape[1], len(outputs)
    found = np.zeros((m * n, m * n))
    for i in range(m):
        for j in range(n):
            for k in range(m):
                for p in range(n):
                    b, a = outputs[:, i] * outputs[:, k], inputs[:, j] * inputs[:, p]
                    found[i * n + j, k * n + p] = b @ a / count - b.mean() * a.mean()
    return found


def failure_scalar(F, m, n):
    """(1 - sigma_1^2 / sum sigma_k^2)^1/2 of R(F)_{(i k), (j l)} = F_{(i j), (k l)}."""
    rows = [[F[i * n + j, k * n + p] for j in range(n) for p in range(n)] for i in range(m) for k in range(m)]
    squares = np.linalg.svd(np.array(rows), compute_uv=False) ** 2
    return np.sqrt(max(1 - squares[0] / squares.sum(), 0))


def pinn_residual(inner, middle, outer, x, step=1e-3):
    """u'' + u u' of u = outer tanh(W tanh(w x + b)) by fourth-order central differences."""

    def u(at):
        return outer @ np.tanh(middle @ np.tanh(inner[0] * at + inner[1]))

    values = [u(x + k * step) for k in (-2, -1, 0, 1, 2)]
    slope = (values[0] - 8 * values[1] + 8 * values[3] - values[4]) / (12 * step)
    bend = (-values[0] + 16 * values[1] - 30 * values[2] + 16 * values[3] - values[4]) / (12 * step**2)
    return bend + values[2] * slope
