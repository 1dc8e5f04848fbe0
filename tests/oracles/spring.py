"""SPRING in NumPy for a model with Jacobian in closed form, by its least-squares problem (arXiv 2401.10190)."""

import numpy as np


def model(theta, x):
    """Residuals sin(x A) theta_1 + (x . theta_2)^2 - 1 of N points x (N, 3), weighted by 1 / sqrt(N), and Jacobian."""
    waves = np.sin(x @ np.arange(1.0, 13.0).reshape(3, 4) / 3)
    product = x @ theta[4:]
    r = waves @ theta[:4] + product**2 - 1
    J = np.hstack([waves, 2 * product[:, None] * x])
    return r / np.sqrt(len(x)), J / np.sqrt(len(x))


def direction(J, r, damping, previous):
    """The minimiser of ||J d + r||^2 + mu ||d - p||^2, from the stacked least-squares problem."""
    stacked = np.vstack([J, np.sqrt(damping) * np.eye(J.shape[1])])
    return np.linalg.lstsq(stacked, np.concatenate([-r, np.sqrt(damping) * previous]), rcond=None)[0]


def iterates(theta, batches, rates, momentum, damping, longest=np.inf):
    """Parameters after each batch, with the learning rates given."""
    d, visited = np.zeros_like(theta), []
    for x, rate in zip(batches, rates, strict=True):
        r, J = model(theta, x)
        d = direction(J, r, damping, momentum * d)
        step = rate * d
        theta = theta + step * min(1, longest / np.linalg.norm(step))
        visited.append(theta)
    return visited
