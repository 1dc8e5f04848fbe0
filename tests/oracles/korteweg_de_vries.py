"""The Korteweg-de Vries equation by its soliton and by the scheme of 1965; and series in time and space."""

import numpy as np
from numpy.polynomial import chebyshev


def soliton(t, x, dispersion, height, level):
    """A wave of the given height above the level: u, ∂u/∂x and ∂³u/∂x³; its speed is level + height/3."""
    k = np.sqrt(height / (12 * dispersion))
    angle = k * (x - (level + height / 3) * t)
    square = 1 / np.cosh(angle) ** 2
    slope = -2 * height * k * square * np.tanh(angle)
    third = -8 * height * k**3 * square * np.tanh(angle) * (1 - 3 * square)
    return level + height * square, slope, third


def leapfrog(count, end, steps, dispersion):
    """u(end) on ``count`` points of [-1, 1) by the scheme of N. J. Zabusky and M. D. Kruskal (1965): order 2."""
    h, k = 2 / count, end / steps
    old = np.cos(np.pi * (-1 + h * np.arange(count)))

    def change(u):
        left, right = np.roll(u, 1), np.roll(u, -1)
        convection = (left + u + right) * (right - left) / (6 * h)
        third = (np.roll(u, -2) - 2 * right + 2 * left - np.roll(u, 2)) / (2 * h**3)
        return -convection - dispersion * third

    now = old + k * change(old + k / 2 * change(old))
    for _ in range(steps - 1):
        old, now = now, old + 2 * k * change(now)
    return now


def expansion(values):
    """Chebyshev polynomials in time times a Fourier series in space through values (T, X) on equidistant grids.

    The last column repeats the first, X even. Returns the coefficients (T, K) of T_m(s) cos(kφ) and T_m(s) sin(kφ),
    with s in [-1, 1] over the times and φ in [0, 2π] over the points.
    """
    count = values.shape[1] - 1
    c = np.fft.rfft(values[:, :-1]) / count
    c[:, 1:] *= 2
    s = np.linspace(-1, 1, len(values))
    a = np.linalg.solve(chebyshev.chebvander(s, len(values) - 1), c)
    return a.real, -a.imag
