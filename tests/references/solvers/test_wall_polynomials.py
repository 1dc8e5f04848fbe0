"""Polynomials that vanish at both ends: their end conditions, scales and spans."""

import numpy as np
import pytest
from numpy.polynomial import legendre
from tolerances import IDENTITY

from gradalign.references.solvers.wall_polynomials import clamped, evaluate, vanishing

ENDS = np.array([-1.0, 1.0])


@pytest.mark.parametrize(("family", "conditions"), [(vanishing, 1), (clamped, 2)])
def test_end_conditions_scale_and_span(family, conditions):
    count = 20
    table = family(count)
    assert table.shape == (count, count + 2 * conditions)
    for order in range(conditions):
        np.testing.assert_allclose(evaluate(table, ENDS, order), 0, atol=IDENTITY)
    assert np.min(np.abs(evaluate(table, ENDS, conditions))) > 0.1  # and no further condition
    nodes, weights = legendre.leggauss(40)
    values = evaluate(table, nodes, conditions)
    np.testing.assert_allclose((values * weights) @ values.T, np.eye(count), atol=IDENTITY)
    # Every polynomial (1 - y²)^conditions y^n of the degree is a combination of them
    bubbles = np.array([(1 - nodes**2) ** conditions * nodes**n for n in range(count)])
    found = np.linalg.lstsq(evaluate(table, nodes).T, bubbles.T, rcond=None)[0]
    np.testing.assert_allclose(found.T @ evaluate(table, nodes), bubbles, atol=IDENTITY)


def test_values_and_derivatives_of_known_polynomials():
    y = np.linspace(-1, 1, 7)
    np.testing.assert_allclose(evaluate(vanishing(1), y)[0], 1.5 * (1 - y**2) / np.sqrt(6), atol=IDENTITY)
    # h_0 is a multiple of (1 - y²)², with slope -4y (1 - y²) and curvature 12y² - 4
    multiple = evaluate(clamped(1), np.array([0.0]))[0, 0]
    for order, values in enumerate([(1 - y**2) ** 2, -4 * y * (1 - y**2), 12 * y**2 - 4]):
        np.testing.assert_allclose(evaluate(clamped(1), y, order)[0], multiple * values, atol=IDENTITY)
    table = np.random.default_rng(0).normal(size=(2, 3, 5))
    assert evaluate(table, y).shape == (2, 3, 7)
    np.testing.assert_allclose(
        evaluate(table, y, 1)[1, 2], legendre.legval(y, legendre.legder(table[1, 2])), atol=IDENTITY
    )
