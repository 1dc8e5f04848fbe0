"""Second moments of gradients in NumPy, term by term from their definitions."""

from itertools import combinations, product

import numpy as np


def score(vectors):
    """2 ||mean of the unit vectors||^2 - 1."""
    mean = sum(v / np.sqrt(v @ v) for v in vectors) / len(vectors)
    return 2 * mean @ mean - 1


def empirical_fisher(J, r):
    """sum_k r_k^2 J_k J_k^T."""
    return sum(r[k] ** 2 * np.outer(J[k], J[k]) for k in range(len(r)))


def batches(count, size, replacement):
    return list(product(range(count), repeat=size) if replacement else combinations(range(count), size))


def batch_moment(samples, size, replacement):
    """E[g_B g_B^T] by the closed forms."""
    count = len(samples)
    first = sum(np.outer(g, g) for g in samples) / count
    centre = np.outer(sum(samples), sum(samples)) / count**2
    share = 1 / size if replacement else (count - size) / (size * (count - 1))
    return share * first + (1 - share) * centre


def projected(gradients):
    """g_i minus its part along the sum."""
    total = sum(gradients)
    return [g - (g @ total) / (total @ total) * total for g in gradients]


def common_state(gradients, epsilon):
    """(g g^T + epsilon I)^-1/2 g_i: g has length (||g||^2 + epsilon)^1/2, everything across it epsilon^1/2."""
    total = sum(gradients)
    square = total @ total
    found = []
    for g in gradients:
        along = (g @ total) / square * total
        found.append(along / np.sqrt(square + epsilon) + (g - along) / np.sqrt(epsilon))
    return found


def soap_state(layers, epsilon):
    """U [(U^T G_i V) / sqrt(diag(Sigma^2) + epsilon)] V^T for the sum U Sigma V^T of the layers."""
    U, singular, Vt = np.linalg.svd(sum(layers))
    squares = np.zeros(layers[0].shape)
    np.fill_diagonal(squares, singular**2)
    return [(U @ ((U.T @ G @ Vt.T) / np.sqrt(squares + epsilon)) @ Vt).ravel() for G in layers]


def off_diagonal(layers):
    """The off-diagonal parts of U^T G_i V."""
    U, _, Vt = np.linalg.svd(sum(layers))
    rotated = [U.T @ G @ Vt.T for G in layers]
    for matrix in rotated:
        np.fill_diagonal(matrix, 0)
    return rotated
