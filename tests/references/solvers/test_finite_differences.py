"""Central differences against polynomials and waves."""

import numpy as np
import pytest
from tolerances import IDENTITY

from gradalign.references.solvers.finite_differences import central_stencil


@pytest.mark.parametrize(
    ("order", "reach", "accuracy"), [(1, 3, 6), (2, 4, 8), (1, 6, 12), (2, 8, 16), (3, 4, 6), (4, 4, 6), (4, 8, 14)]
)
def test_stencils_are_exact_for_polynomials_and_of_their_order_for_waves(order, reach, accuracy):
    stencil, j = central_stencil(order, reach), np.arange(-reach, reach + 1)
    for degree in range(2 * reach + 1):
        size = np.sum(np.abs(stencil) * np.abs(j.astype(float)) ** degree)
        exact = np.prod(np.arange(1.0, order + 1)) if degree == order else 0
        assert abs(stencil @ j.astype(float) ** degree - exact) < IDENTITY * max(size, 1)
    errors = [abs(stencil @ np.exp(1j * angle * j) / (1j * angle) ** order - 1) for angle in (0.8, 0.6, 0.5)]
    slopes = -np.diff(np.log(errors)) / np.diff(np.log([1 / 0.8, 1 / 0.6, 1 / 0.5]))
    np.testing.assert_allclose(slopes, accuracy, atol=0.55)
