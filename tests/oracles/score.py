"""The alignment score and what belongs to it in NumPy, straight from the formulas, one vector at a time."""

import numpy as np


def unit(v):
    v = np.asarray(v, dtype=np.longdouble)
    v = v / np.max(np.abs(v))
    return v / np.sqrt(np.sum(v * v))


def score(vectors):
    """2 || (1/n) sum v_i / ||v_i|| ||^2 - 1."""
    mean = sum(unit(v) for v in vectors) / len(vectors)
    return float(2 * np.sum(mean * mean) - 1)


def cosine(v, w):
    return float(np.sum(unit(v) * unit(w)))


def cosines(vectors):
    return np.array([[cosine(v, w) for w in vectors] for v in vectors])


def pairs(vectors):
    """The cosines of distinct pairs."""
    return [cosine(vectors[i], vectors[j]) for i in range(len(vectors)) for j in range(i)]


def variance(vectors):
    """(1/n) sum ||u_i - mean u||^2."""
    units = [unit(v) for v in vectors]
    mean = sum(units) / len(units)
    return float(sum(np.sum((u - mean) ** 2) for u in units) / len(units))


def gradient(vectors):
    """dA/dv_i = 4 / (n^2 ||v_i||) (I - u_i u_i^T) s."""
    n, d = np.shape(vectors)
    units = np.array([unit(v) for v in vectors])
    s = units.sum(axis=0)
    scale = [4 / (n**2 * np.linalg.norm(v)) for v in vectors]
    rows = [c * (np.eye(d) - np.outer(u, u)) @ s for c, u in zip(scale, units, strict=True)]
    return np.array(rows, dtype=float)


def duplicated(vectors, j):
    """The score after adding a second copy of vector j, from the resultant alone."""
    n = len(vectors)
    mean = sum(unit(v) for v in vectors) / n
    return float(2 * (n**2 * np.sum(mean**2) + 2 * n * np.sum(mean * unit(vectors[j])) + 1) / (n + 1) ** 2 - 1)


def pcgrad(g1, g2):
    """Both gradients of a conflicting pair, each without its part along the other."""
    return g1 - (g1 @ g2) / (g2 @ g2) * g2, g2 - (g1 @ g2) / (g1 @ g1) * g1


def smoothed(vectors, epsilon):
    """The score with v / (||v|| + epsilon) in place of unit vectors, and the largest epsilon / (||v|| + epsilon)."""
    lengths = [np.linalg.norm(v) for v in vectors]
    mean = sum(v / (length + epsilon) for v, length in zip(vectors, lengths, strict=True)) / len(vectors)
    return 2 * mean @ mean - 1, max(epsilon / (length + epsilon) for length in lengths)
