"""Consecutive gradients on quadratics in NumPy, from the steps themselves."""

import numpy as np


def closed_form(H, P, v, eta):
    """(1 - eta a) / sqrt((1 - eta a)^2 + eta^2 b^2) with a = <v, PHv> / ||v||^2, b = ||PHv - a v|| / ||v||."""
    image = P @ H @ v
    a = v @ image / (v @ v)
    b = np.sqrt((image - a * v) @ (image - a * v) / (v @ v))
    return (1 - eta * a) / np.sqrt((1 - eta * a) ** 2 + eta**2 * b**2)


def defect(x, y):
    """1 - cos of two vectors as ||u - w||^2 / 2."""
    difference = x / np.linalg.norm(x) - y / np.linalg.norm(y)
    return difference @ difference / 2


def gradient_descent(H, theta, eta, steps):
    """The gradients H theta_t of t = 0..steps."""
    found = [H @ theta]
    for _ in range(steps):
        theta = theta - eta * (H @ theta)
        found.append(H @ theta)
    return np.array(found)
