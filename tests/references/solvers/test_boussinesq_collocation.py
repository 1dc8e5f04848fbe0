"""The collocation flow between walls: exact derivatives, textbook decay rates, translations, and failing steps."""

import numpy as np
import pytest
from oracles import rayleigh_taylor as oracle
from tolerances import CONDITIONED

from gradalign.references._contract import relative_l2
from gradalign.references.solvers.boussinesq_collocation import CollocatedConvection

FLOW = CollocatedConvection(points=12, degree=16, viscosity=0.03, diffusivity=0.02)
TIMES, PLACES, HEIGHTS = np.array([0.0, 1.0]), np.arange(12) / 12, np.linspace(0, 2, 9)


def plume(x, y):
    return oracle.initial_temperature(x, y, 0.2, 0.25)


def test_derivatives_are_exact_for_polynomials():
    eta, inner = FLOW._nodes, FLOW._nodes[1:-1]
    p = np.polynomial.Polynomial([1, -2, 0, 3, 0, 1])
    bubble = np.polynomial.Polynomial([1, 0, -1])
    for order in range(5):
        values = ((bubble * p).deriv(order) if order else bubble * p)(eta)
        np.testing.assert_allclose(
            FLOW._slopes[order] @ (bubble * p)(inner), values, atol=1e-7
        )  # rounding times 16⁸/1e3
        values = ((bubble**2 * p).deriv(order) if order else bubble**2 * p)(eta)
        np.testing.assert_allclose(FLOW._stream[order] @ (bubble * p)(inner), values, atol=1e-7)


def test_decay_rates_of_stokes_flow():
    flow = CollocatedConvection(points=8, degree=28, viscosity=0.5, diffusivity=1.0)
    for k in (1, 2):
        found = np.sort(-np.linalg.eigvals(flow._operators[1][k]).real)[:2]
        np.testing.assert_allclose(found, 0.5 * np.array(oracle.slowest_stokes_rates(2 * np.pi * k)), rtol=1e-8)
        assert np.max(np.linalg.eigvals(flow._operators[1][k]).real) < 0  # no spurious growth


@pytest.mark.slow
def test_a_shifted_start_gives_the_shifted_flow():
    """It does not know where the mirror of the flow is."""
    flow = FLOW.solve(plume, TIMES, PLACES, HEIGHTS, 1e-10)
    shifted = FLOW.solve(lambda x, y: plume(x - 0.25, y), TIMES, PLACES + 0.25, HEIGHTS, 1e-10)
    for name, values in flow.items():
        assert values.shape == (2, 12, 9)
        assert relative_l2(shifted[name], values) < CONDITIONED, name
    assert np.max(np.abs(flow["v"][-1])) > 0.05


def test_fields_at_the_walls():
    found = FLOW.solve(plume, TIMES, PLACES, np.array([0.0, 2.0]), 1e-8)
    for name in ("u", "v", "T"):
        np.testing.assert_allclose(found[name], 0, atol=1e-12)
    assert np.max(np.abs(found["w"][-1])) > 0.1


def test_progress_and_failing_steps():
    seen = []
    FLOW.solve(plume, TIMES, PLACES, HEIGHTS, 1e-8, lambda share, text: seen.append(share))
    assert min(seen) == 0
    assert max(seen) == 1
    with (
        np.errstate(all="ignore"),
        pytest.raises(FloatingPointError, match="steps of DOP853 failed"),
    ):
        FLOW.solve(lambda x, y: 1e200 * plume(x, y), TIMES, PLACES, HEIGHTS, 1e-8)
