"""Newton's steps on polynomials of degree four in NumPy, entry by entry."""

from itertools import permutations

import numpy as np


def symmetric_tensor(generator, d, order):
    """A symmetric tensor with entries of order one, (d, ..., d)."""
    draws = generator.standard_normal(order * (d,))
    orders = list(permutations(range(order)))
    return sum(np.transpose(draws, axes) for axes in orders) / len(orders)


def contract(tensor, e, times):
    """The tensor applied to e in its last indices, ``times`` times."""
    for _ in range(times):
        tensor = tensor @ e
    return tensor


def gradient(g, H, T, Q, e):
    """The gradient of <g, e> + H[e, e]/2 + T[e, e, e]/6 + Q[e, e, e, e]/24."""
    return g + contract(H, e, 1) + contract(T, e, 2) / 2 + contract(Q, e, 3) / 6


def newton(g, H, T, Q, e):
    """H(e)^-1 g(e)."""
    return np.linalg.solve(H + contract(T, e, 1) + contract(Q, e, 2) / 2, gradient(g, H, T, Q, e))


def across(v, x):
    """The part of v orthogonal to x."""
    return v - (v @ x) / (x @ x) * x


def update_constant(H, T, u, eta):
    """eta^2 (2 - eta)^2 / (8 (1 - eta)^2) ||part of H^-1 T[u, u] orthogonal to u||^2 for a unit error u."""
    t = across(np.linalg.inv(H) @ contract(T, u, 2), u)
    return eta**2 * (2 - eta) ** 2 / (8 * (1 - eta) ** 2) * (t @ t)


def gradient_constant(H, T, u, eta):
    """eta^4 / (8 (1 - eta)^2) ||part of T[u, u] orthogonal to H u||^2 / ||H u||^2 for a unit error u."""
    t = across(contract(T, u, 2), H @ u)
    return eta**4 / (8 * (1 - eta) ** 2) * (t @ t) / (H @ u @ H @ u)


def quartic_update_constant(H, Q, u, eta):
    """eta^2 (3 - 3 eta + eta^2)^2 / (18 (1 - eta)^2) ||part of H^-1 Q[u, u, u] orthogonal to u||^2, where T = 0."""
    t = across(np.linalg.inv(H) @ contract(Q, u, 3), u)
    return eta**2 * (3 - 3 * eta + eta**2) ** 2 / (18 * (1 - eta) ** 2) * (t @ t)


def quartic_gradient_constant(H, Q, u, eta):
    """eta^4 (3 - eta)^2 / (72 (1 - eta)^2) ||part of Q[u, u, u] orthogonal to H u||^2 / ||H u||^2, where T = 0."""
    t = across(contract(Q, u, 3), H @ u)
    return eta**4 * (3 - eta) ** 2 / (72 * (1 - eta) ** 2) * (t @ t) / (H @ u @ H @ u)
