"""A cavity flow in closed form under a body force, and the discrete equations written out node by node."""

import numpy as np
from numpy.polynomial import Polynomial

# psi = 8 f(x) g(y) (Shih, Tan and Hwang, Int. J. Numer. Methods Fluids 9, 1989): psi = 0 and slope 0 on three walls
F = Polynomial([0, 0, 1, -2, 1])
G = Polynomial([0, 0, -1, 0, 1])


def term(x, y, along_x, along_y):
    """The derivative of psi of the given orders on the tensor grid, first index x."""
    return 8 * np.outer((F.deriv(along_x) if along_x else F)(x), (G.deriv(along_y) if along_y else G)(y))


def force(x, y, reynolds):
    """What must be added to Lap Lap psi / Re - psi_y (Lap psi)_x + psi_x (Lap psi)_y so that psi solves it."""

    def laplacian(along_x, along_y):
        return term(x, y, along_x + 2, along_y) + term(x, y, along_x, along_y + 2)

    biharmonic = laplacian(2, 0) + laplacian(0, 2)
    convection = term(x, y, 0, 1) * laplacian(1, 0) - term(x, y, 1, 0) * laplacian(0, 1)
    return convection - biharmonic / reynolds


def residual(psi, lid, reynolds):
    """Lap zeta / Re - psi_y zeta_x + psi_x zeta_y at the inner nodes, zeta on walls by Thom's formula; loops."""
    n = len(psi) - 1
    h = 1 / n
    zeta = np.zeros_like(psi)
    for i in range(1, n):
        for j in range(1, n):
            around = psi[i + 1, j] + psi[i - 1, j] + psi[i, j + 1] + psi[i, j - 1]
            zeta[i, j] = (around - 4 * psi[i, j]) / h**2
    for k in range(1, n):
        zeta[0, k] = 2 * psi[1, k] / h**2
        zeta[n, k] = 2 * psi[n - 1, k] / h**2
        zeta[k, 0] = 2 * psi[k, 1] / h**2
        zeta[k, n] = 2 * (psi[k, n - 1] + h * lid[k]) / h**2
    result = np.zeros((n - 1, n - 1))
    for i in range(1, n):
        for j in range(1, n):
            around = zeta[i + 1, j] + zeta[i - 1, j] + zeta[i, j + 1] + zeta[i, j - 1]
            u, minus_v = (psi[i, j + 1] - psi[i, j - 1]) / (2 * h), (psi[i + 1, j] - psi[i - 1, j]) / (2 * h)
            zeta_x, zeta_y = (zeta[i + 1, j] - zeta[i - 1, j]) / (2 * h), (zeta[i, j + 1] - zeta[i, j - 1]) / (2 * h)
            result[i - 1, j - 1] = (around - 4 * zeta[i, j]) / h**2 / reynolds - u * zeta_x + minus_v * zeta_y
    return result
