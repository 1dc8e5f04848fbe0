"""Two small PINN problems and the scores along a run in NumPy, from the formulas."""

import numpy as np


def jet(params, points, axis, low, high):
    """u, u', u'' along one coordinate of a tanh MLP whose inputs are scaled from [low, high] to [-1, 1]: (N,) each."""
    h = 2 * (points - low) / (high - low) - 1
    first, second = np.zeros_like(h), np.zeros_like(h)
    first[:, axis] = 2 / (high - low)
    for layer in params["hidden"]:
        W = np.asarray(layer["kernel"])
        a, da, dda = h @ W + np.asarray(layer["bias"]), first @ W, second @ W
        h = np.tanh(a)
        slope = 1 - h**2
        first, second = slope * da, slope * dda - 2 * h * slope * da**2
    W = np.asarray(params["output"]["kernel"])
    return (h @ W + np.asarray(params["output"]["bias"]))[:, 0], (first @ W)[:, 0], (second @ W)[:, 0]


def poisson_rows(params, points):
    """Residuals of -u'' = pi^2 sin(pi x), u(0) = u(1) = 0, over the roots of their numbers."""
    ends, inside = np.asarray(points["bc"]), np.asarray(points["pde"])
    equation = -jet(params, inside, 0, 0, 1)[2] - np.pi**2 * np.sin(np.pi * inside[:, 0])
    return {"bc": jet(params, ends, 0, 0, 1)[0] / np.sqrt(2), "pde": equation / np.sqrt(len(inside))}


def heat_rows(params, points, weights):
    """Residuals of u_t = 0.1 u_xx, u(0, x) = sin(pi x), u(t, 0) = u(t, 1) = 0, times sqrt(weight / number)."""
    ends, start, inside = (np.asarray(points[name]) for name in ("bc", "ic", "pde"))
    rows = {
        "bc": jet(params, ends, 1, 0, 1)[0],
        "ic": jet(params, start, 1, 0, 1)[0] - np.sin(np.pi * start[:, 1]),
        "pde": jet(params, inside, 0, 0, 1)[1] - 0.1 * jet(params, inside, 1, 0, 1)[2],
    }
    return {name: np.sqrt(weights[name] / len(r)) * r for name, r in rows.items()}


def score(vectors):
    """2 ||mean of the unit vectors||^2 - 1."""
    return 2 * np.sum(np.mean([v / np.linalg.norm(v) for v in vectors], axis=0) ** 2) - 1


def symmetric_power(matrix, power):
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * values**power) @ vectors.T


def gauss_newton_directions(J, rows, power, damping):
    """(J^T J + mu I)^-p J_i^T r_i with the matrix of the size of the parameters; mu in units of lambda_max."""
    matrix = J.T @ J
    mu = damping * np.linalg.eigvalsh(matrix)[-1]
    P = symmetric_power(matrix + mu * np.eye(len(matrix)), -power)
    parts = np.split(J, np.cumsum([len(r) for r in rows])[:-1])
    return [P @ part.T @ r for part, r in zip(parts, rows, strict=True)]


def damping_bound(J, rows, damping):
    """4 / n^2 sum_(i < j) sqrt(e_i e_j / ((1 - e_i) (1 - e_j))), e_i = mu r_i^T [(K + mu)^-1]_ii r_i / ||r_i||^2."""
    K = J @ J.T
    mu = damping * np.linalg.eigvalsh(K)[-1]
    E = mu * np.linalg.inv(K + mu * np.eye(len(K)))
    ends = np.cumsum([0, *(len(r) for r in rows)])
    lost = [r @ E[a:b, a:b] @ r / (r @ r) for r, a, b in zip(rows, ends[:-1], ends[1:], strict=True)]
    n = len(rows)
    pairs = [(i, j) for i in range(n) for j in range(i + 1, n)]
    return 4 / n**2 * sum(np.sqrt(lost[i] * lost[j] / ((1 - lost[i]) * (1 - lost[j]))) for i, j in pairs)
