"""Burgers' equation by two routes that share nothing with the solvers: adaptive quadrature, and finite differences."""

import numpy as np
from scipy.integrate import quad, solve_ivp


def cole_hopf(t, x, nu):
    """u(t, x) for u(0, x) = -sin(pi x), by adaptive quadrature of both integrals of the Cole-Hopf formula."""

    def exponent(eta):
        return -np.cos(np.pi * (x - eta)) / (2 * np.pi * nu) - eta**2 / (4 * nu * t)

    reach = t + 9 * np.sqrt(4 * nu * t)
    grid = np.linspace(-reach, reach, 4001)
    peak = grid[np.argmax(exponent(grid))]
    largest = exponent(peak)
    options = {"epsabs": 1e-13, "epsrel": 1e-13, "limit": 500, "points": [peak]}

    def integral(factor):
        return quad(lambda eta: factor(eta) * np.exp(exponent(eta) - largest), -reach, reach, **options)[0]

    return -integral(lambda eta: np.sin(np.pi * (x - eta))) / integral(lambda eta: 1.0)


def finite_differences(times, cells, nu, tolerance=1e-9):
    """u at ``times`` and the cells + 1 points of [-1, 1], with Dirichlet values 0: central differences, order 2."""
    x = np.linspace(-1, 1, cells + 1)
    h = x[1] - x[0]

    def rate(t, inner):
        u = np.concatenate([[0.0], inner, [0.0]])
        advection = u[1:-1] * (u[2:] - u[:-2]) / (2 * h)
        return nu * (u[2:] - 2 * u[1:-1] + u[:-2]) / h**2 - advection

    found = solve_ivp(
        rate, (0, times[-1]), -np.sin(np.pi * x[1:-1]), "LSODA", times, rtol=tolerance, atol=tolerance, lband=1, uband=1
    )
    return x, np.pad(found.y.T, ((0, 0), (1, 1)))
