"""Compromises of quadratics in NumPy, vector by vector."""

import numpy as np


def score(vectors):
    """2 ||mean of the unit vectors||^2 - 1."""
    mean = sum(np.array(v) / np.linalg.norm(v) for v in vectors) / len(vectors)
    return 2 * mean @ mean - 1


def minimum(hessians, minimisers):
    """Where sum_i H_i (theta - theta_i) = 0."""
    return np.linalg.inv(sum(hessians)) @ sum(H @ theta for H, theta in zip(hessians, minimisers, strict=True))


def newton(theta, hessians, minimisers):
    """(sum H)^-1 H_i (theta - theta_i)."""
    inverse = np.linalg.inv(sum(hessians))
    return [inverse @ H @ (theta - other) for H, other in zip(hessians, minimisers, strict=True)]


def bound(n, epsilon=0.0):
    """2 ((n - 2 + 2 epsilon) / n)^2 - 1."""
    length = n - 2 + 2 * epsilon
    return 2 * length * length / (n * n) - 1


def angle_cosine(theta, one, other):
    """Cosine of the angle under which theta sees two points."""
    to, fro = one - theta, other - theta
    return to @ fro / np.sqrt((to @ to) * (fro @ fro))
