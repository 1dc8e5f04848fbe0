"""Condition numbers and angles of two losses in NumPy, from the definitions."""

import numpy as np


def condition(matrix):
    """lambda_max / lambda_min of a symmetric positive definite matrix."""
    values = np.linalg.eigvalsh(matrix)
    return values[-1] / values[0]


def two_quadratics_condition(angle, ratio):
    """The root kappa >= 1 of kappa + 1/kappa + 2 = (1 + rho)^2 / (rho sin^2 phi)."""
    half = ((1 + ratio) ** 2 / (ratio * np.sin(angle) ** 2) - 2) / 2
    return half + np.sqrt(max(half**2 - 1, 0.0))


def inverse_root(matrix):
    """S^(-1/2) of a symmetric positive definite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return vectors @ np.diag(values**-0.5) @ vectors.T


def conflict(K, first):
    """||K_11^(-1/2) K_12 K_22^(-1/2)||_2."""
    return np.linalg.norm(inverse_root(K[:first, :first]) @ K[:first, first:] @ inverse_root(K[first:, first:]), 2)


def block_diagonal(one, two):
    D = np.zeros((len(one) + len(two), len(one) + len(two)))
    D[: len(one), : len(one)], D[len(one) :, len(one) :] = one, two
    return D


def cosine(x, y):
    return x @ y / np.sqrt((x @ x) * (y @ y))


def best_weight_condition(K, first, decades=6, rounds=8):
    """The least lambda_max / lambda_min of W K W, W = diag(w, ..., w, 1, ..., 1), by finer and finer grids of log w."""
    low, high = -decades, decades
    for _ in range(rounds):
        logs = np.linspace(low, high, 41)
        found = []
        for log in logs:
            scales = np.where(np.arange(len(K)) < first, 10.0**log, 1.0)
            found.append(condition(K * np.outer(scales, scales)))
        best, step = int(np.argmin(found)), logs[1] - logs[0]
        low, high = logs[best] - step, logs[best] + step
    return found[best]
