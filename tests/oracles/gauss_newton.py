"""Least-squares directions and steps in NumPy: by the matrix of the parameters' size, loss by loss."""

import numpy as np


def full_rank(seed, sizes, columns, condition=1e3):
    """Jacobian blocks (m_i, d) whose stacked kernel has at most the given condition, and residuals (m_i,)."""
    generator = np.random.default_rng(seed)
    rows = sum(sizes)
    left = np.linalg.qr(generator.standard_normal((rows, rows)))[0]
    right = np.linalg.qr(generator.standard_normal((columns, columns)))[0][:rows]
    J = (left * condition ** (-0.5 * generator.random(rows))) @ right
    ends = np.cumsum(sizes)[:-1]
    return np.split(J, ends), [generator.standard_normal(size) for size in sizes]


def directions(blocks, residuals, power, damping=0.0):
    """(J^T J + mu)^(-p) J_i^T r_i, (n, d), from the SVD of J; gradients have no part off its row space."""
    _, singular, rows = np.linalg.svd(np.concatenate(blocks), full_matrices=False)
    kept = singular > 1e-8 * singular[0]
    P = (rows[kept].T * (singular[kept] ** 2 + damping) ** -power) @ rows[kept]
    return np.array([P @ J.T @ r for J, r in zip(blocks, residuals, strict=True)])


def score(vectors):
    """2 ||mean of v_i / ||v_i|| ||^2 - 1."""
    units = np.array([v / np.linalg.norm(v) for v in vectors])
    return 2 * np.sum(units.mean(axis=0) ** 2) - 1


def damped_step(J, r, damping):
    """(J^T J + mu)^-1 J^T r."""
    return np.linalg.solve(J.T @ J + damping * np.eye(J.shape[1]), J.T @ r)


def network(theta, x):
    """tanh network 1-16-16-1 at a number x; theta holds kernel and bias of each layer in turn."""
    W1, b1, W2, b2, W3, b3 = np.split(theta, np.cumsum([16, 16, 256, 16, 16]))
    h = np.tanh(x * W1 + b1)
    h = np.tanh(h @ W2.reshape(16, 16) + b2)
    return float(h @ W3 + b3[0])


def network_residuals(theta, points, step=1e-3):
    """(-u'' - pi^2 sin(pi x)) / sqrt(N) by central differences of fourth order, u(0), u(1)."""
    weights = {-2: -1 / 12, -1: 4 / 3, 0: -5 / 2, 1: 4 / 3, 2: -1 / 12}
    equation = [
        -sum(w * network(theta, x + k * step) for k, w in weights.items()) / step**2 - np.pi**2 * np.sin(np.pi * x)
        for x in points
    ]
    return np.array(equation) / np.sqrt(len(points)), network(theta, 0.0), network(theta, 1.0)
