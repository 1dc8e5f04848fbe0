"""The Cole-Hopf closed form of Burgers' equation, in float64. All quantities are dimensionless."""

import numpy as np
from numpy.typing import NDArray

from gradalign.references._contract import Progress, Values

_BLOCK = 2_000_000
"""Entries of the largest temporary array: four of them take 64 MB."""


def burgers(
    times: Values, points: Values, viscosity: float, nodes: int, progress: Progress = lambda share, text: None
) -> Values:
    """u of ∂u/∂t + u ∂u/∂x = ν ∂²u/∂x², u(0, x) = -sin(πx), 2-periodic in x, at all times and points: (T, X).

    With u = -2ν ∂(log φ)/∂x, φ solves the heat equation (E. Hopf 1950; J. D. Cole 1951), and with y = x - η

        u(t, x) = - ∫ sin(πy) E dη / ∫ E dη,   E = exp(-cos(πy)/(2πν) - η²/(4νt)).

    The trapezoidal rule takes ``nodes`` nodes on |η| <= t + 9 sqrt(4νt). E has fallen by exp(-81) at the ends, because
    |u| <= 1 moves its peak by at most t, so the rule converges faster than any power of the spacing. The largest
    exponent of each point is subtracted before exponentiation. cos(πy) and sin(πy) come from the addition theorem,
    which leaves one exponential per node. At t = 0 the initial condition is returned exactly.

    Ranges: times >= 0, viscosity > 0 (with 1501 nodes, 0.01/π is resolved to rounding), nodes >= 3; ``ValueError``
    otherwise. Memory: below 100 MB.

    >>> u = burgers(np.array([0.0, 0.25]), np.array([0.5, 0.499021526418787]), 0.01 / np.pi, 1501)
    >>> float(u[0, 0]), round(float(u[1, 1]), 12)
    (-1.0, -0.804428998234)
    """
    if viscosity <= 0 or nodes < 3 or np.any(times < 0):
        raise ValueError(
            f"viscosity {viscosity}, {nodes} nodes, earliest time {np.min(times)}; allowed: viscosity > 0, "
            "at least 3 nodes, times >= 0"
        )
    result = np.empty((len(times), len(points)))
    width = max(1, _BLOCK // nodes)
    for row, time in enumerate(times):
        if time == 0:
            result[row] = -np.sin(np.pi * points)
        else:
            half = time + 9 * np.sqrt(4 * viscosity * time)
            eta = np.linspace(-half, half, nodes)
            for start in range(0, len(points), width):
                block = slice(start, start + width)
                result[row, block] = _quadrature(time, points[block], viscosity, eta)
        progress((row + 1) / len(times), f"Cole-Hopf, {nodes} nodes")
    return result


def _quadrature(time: float, points: Values, viscosity: float, eta: NDArray[np.float64]) -> Values:
    cos_x, sin_x = np.cos(np.pi * points), np.sin(np.pi * points)
    cos_eta, sin_eta = np.cos(np.pi * eta), np.sin(np.pi * eta)
    cosine = np.outer(cos_x, cos_eta) + np.outer(sin_x, sin_eta)  # cos(πy)
    exponent = cosine / (-2 * np.pi * viscosity) - eta**2 / (4 * viscosity * time)
    weights = np.exp(exponent - np.max(exponent, axis=1, keepdims=True))
    sine = np.outer(sin_x, cos_eta) - np.outer(cos_x, sin_eta)  # sin(πy)
    # The spacing of the rule cancels. Its halved ends do not matter, because the weights are exp(-81) there.
    return -np.einsum("xn,xn->x", sine, weights) / np.sum(weights, axis=1)
