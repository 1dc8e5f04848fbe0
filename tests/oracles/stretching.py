"""The hyperbolic tangent of Vinokur (1983) in NumPy: z from its place ζ in [-1, 1], and back."""

import numpy as np


def at(zeta, low, high, factor):
    """z(ζ) = (l + h)/2 + (h - l)/2 · tanh(a ζ)/tanh(a)."""
    ratio = np.tanh(factor * zeta) / np.tanh(factor) if factor else zeta
    return (low + high) / 2 + (high - low) / 2 * ratio


def moved(z, low, high, factor):
    return at((2 * z - low - high) / (high - low), low, high, factor)


def place(z, low, high, factor):
    unit = (2 * z - low - high) / (high - low)
    return np.arctanh(np.tanh(factor) * np.clip(unit, -1, 1)) / factor if factor else unit


def share(z, low, high, factor):
    """dz/dζ over its mean (h - l)/2, with the derivative of tanh as the inverse square of cosh."""
    if not factor:
        return np.ones_like(z)
    return factor / np.tanh(factor) / np.cosh(factor * place(z, low, high, factor)) ** 2
