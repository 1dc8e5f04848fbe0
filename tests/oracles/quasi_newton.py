"""Self-scaled quasi-Newton steps in NumPy, by the Hessian itself (arXiv 2405.04230), and functions to minimise."""

import numpy as np


def updated_hessian(B, s, y, variant="ssbroyden"):
    """B_+ = tau [B - B s s^T B / (s^T B s) + theta (s^T B s) w w^T] + y y^T / (y^T s).

    w = y / (y^T s) - B s / (s^T B s). Nothing of the update of H = B^-1 is used here.
    """
    ys, sBs = y @ s, s @ B @ s
    h, b = y @ np.linalg.solve(B, y) / ys, sBs / ys
    a = h * b - 1
    if variant == "bfgs":
        theta, tau = 0.0, 1.0
    elif variant == "ssbfgs":
        theta, tau = 0.0, min(1.0, 1 / b)
    else:
        rho_minus = min(1.0, h * (1 - np.sqrt(abs(a) / (1 + a))))
        theta_minus = (rho_minus - 1) / a
        theta = max(theta_minus, min(1 / rho_minus, (1 - b) / b))
        sigma = 1 + a * theta
        root = abs(sigma) ** (1 / (1 - len(s)))
        if theta <= 0:
            tau = min(min(1.0, 1 / b) * root, sigma)
        else:
            tau = min(1.0, 1 / b) * min(root, 1 / theta)
    w = y / ys - B @ s / sBs
    return tau * (B - np.outer(B @ s, B @ s) / sBs + theta * sBs * np.outer(w, w)) + np.outer(y, y) / ys


def iterates(gradient, x, lengths, variant="ssbroyden", scale_first=True):
    """Points visited from x with the given step lengths; ``lengths(k, d, g)`` may depend on direction and gradient."""
    B, g, visited = np.eye(len(x)), gradient(x), []
    for k in range(5):
        d = -np.linalg.solve(B, g)
        s = lengths(k, d, g) * d
        x = x + s
        y = gradient(x) - g
        if k == 0 and scale_first:
            B = y @ y / (y @ s) * B
        B, g = updated_hessian(B, s, y, variant), g + y
        visited.append(x)
    return visited


def rosenbrock_gradient(x):
    """Gradient of sum_i 100 (x_(i+1) - x_i^2)^2 + (1 - x_i)^2."""
    g = np.zeros_like(x)
    for i in range(len(x) - 1):
        g[i] += -400 * x[i] * (x[i + 1] - x[i] ** 2) - 2 * (1 - x[i])
        g[i + 1] += 200 * (x[i + 1] - x[i] ** 2)
    return g
