"""Polynomials on [-1, 1] that vanish at both ends, as combinations of Legendre polynomials, after Jie Shen.

    vanishing:  φ_k = (L_k - L_{k+2}) / sqrt(4k + 6),  φ_k(±1) = 0,
                scaled so that ∫ φ_j' φ_k' dy = 1 if j = k, else 0
    clamped:    h_k = (L_k - 2(2k+5)/(2k+7) L_{k+2} + (2k+3)/(2k+7) L_{k+4}) / sqrt(2(2k+3)²(2k+5)),
                h_k(±1) = h_k'(±1) = 0,  scaled so that ∫ h_j'' h_k'' dy = 1 if j = k, else 0

Source: SIAM J. Sci. Comput. 15, 1994, sections 2 and 3. A family is the table of its Legendre coefficients, one row per
polynomial. The rows are independent, and together they span all polynomials of their degree with these end conditions.
All quantities are dimensionless.
"""

import numpy as np
from numpy.polynomial import legendre

from gradalign.references._contract import Values


def vanishing(count: int) -> Values:
    """Legendre coefficients of φ_0, ..., φ_{count-1}, which vanish at both ends: (count, count + 2).

    >>> bool(np.allclose(evaluate(vanishing(3), np.array([-1.0, 1.0])), 0))
    True
    """
    k = np.arange(count)
    return _banded({0: np.ones(count), 2: -np.ones(count)}, np.sqrt(4 * k + 6.0))


def clamped(count: int) -> Values:
    """Legendre coefficients of h_0, ..., h_{count-1}, which vanish with their slopes at both ends: (count, count + 4).

    >>> ends = np.array([-1.0, 1.0])
    >>> all(bool(np.allclose(evaluate(clamped(3), ends, order), 0)) for order in (0, 1))
    True
    """
    k = np.arange(count)
    bands = {0: np.ones(count), 2: -2 * (2 * k + 5) / (2 * k + 7), 4: (2 * k + 3) / (2 * k + 7)}
    return _banded(bands, (2 * k + 3) * np.sqrt(2 * (2 * k + 5.0)))


def evaluate(coefficients: Values, points: Values, order: int = 0) -> Values:
    """∂^order of polynomials with the given Legendre coefficients at points: (..., C), (Y,) -> (..., Y).

    >>> evaluate(np.array([0.0, 0.0, 2.0]), np.array([0.0, 1.0]), order=1).tolist()  # 2 L_2 = 3y² - 1
    [0.0, 6.0]
    """
    derived = legendre.legder(coefficients, order, axis=-1)
    return derived @ legendre.legvander(points, derived.shape[-1] - 1).T


def _banded(bands: dict[int, Values], scale: Values) -> Values:
    count = len(scale)
    table = np.zeros((count, count + max(bands)))
    for offset, values in bands.items():
        table[np.arange(count), np.arange(count) + offset] = values / scale
    return table
