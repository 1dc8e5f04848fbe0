"""Central differences of any order on equidistant grids, in float64. All quantities are dimensionless."""

import math

import numpy as np

from gradalign.references._contract import Values


def odd_extension(values: Values, reach: int) -> Values:
    """The values (N,) extended by ``reach`` on both sides, odd about the first and the last value.

    >>> odd_extension(np.array([0.0, 1.0, 2.0, 3.0, 0.0]), 2).tolist()
    [-2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 0.0, -3.0, -2.0]
    """
    return np.concatenate([-values[reach:0:-1], values, -values[-2 : -reach - 2 : -1]])


def central_stencil(order: int, reach: int) -> Values:
    """Weights s_j, j = -reach..reach, with h^order ∂^order u/∂x^order(x) ≈ Σ_j s_j u(x + jh), for orders 1 to 4.

    They are the derivatives at 0 of the Lagrange polynomials of the 2·reach + 1 points, hence exact for polynomials of
    degree 2·reach. For j > 0, with P = Π_i i²/(i² - j²) and S = Σ_i 1/i² over i = 1..reach without j: P/(2j), P/j²,
    -3PS/j, -12PS/j². The error is of order 2·reach for orders 1 and 2, 2·reach - 2 for 3 and 4.

    >>> [central_stencil(order, 2).tolist() for order in (3, 4)]
    [[-0.5, 1.0, 0.0, -1.0, 0.5], [1.0, -4.0, 6.0, -4.0, 1.0]]
    """
    weights = np.zeros(2 * reach + 1)
    for j in range(1, reach + 1):
        others = [i for i in range(1, reach + 1) if i != j]
        product = math.prod(i**2 for i in others) / math.prod(i**2 - j**2 for i in others)
        weight = math.factorial(order) / 2 * product / j ** (2 - order % 2)
        if order > 2:
            weight *= -sum(1 / i**2 for i in others)
        weights[reach + j], weights[reach - j] = weight, -weight if order % 2 else weight
    if order % 2 == 0:
        weights[reach] = -np.sum(weights)
    return weights
