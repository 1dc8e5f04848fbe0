"""Sign descent and Adam on rotated quadratics in NumPy, in the coordinates of the parameters, one run at a time."""

import numpy as np


def frame(degrees):
    """Unit axes of a and b as columns: (cos, sin) and (sin, -cos)."""
    c, s = np.cos(np.pi * degrees / 180), np.sin(np.pi * degrees / 180)
    return np.array([[c, s], [s, -c]])


def hessian(kappa, degrees):
    """Eigenvalue 1 along the axis of a, 1/kappa along the axis of b."""
    e, f = frame(degrees).T
    return np.outer(e, e) + np.outer(f, f) / kappa


def sign_descent(H, theta, eta, steps):
    """theta_0, ..., theta_steps."""
    found = [theta]
    for _ in range(steps):
        theta = theta - eta * np.sign(H @ theta)
        found.append(theta)
    return np.array(found)


def flips(x, y):
    return sum(a != b for a, b in zip(x, y, strict=True)) / len(x)


def adam(H, theta, rate, steps):
    """theta_1, ..., theta_steps of Adam (0.9, 0.999, 1e-8)."""
    m, v, found = 0 * theta, 0 * theta, []
    for t in range(1, steps + 1):
        g = H @ theta
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g * g
        theta = theta - rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        found.append(theta)
    return np.array(found)
