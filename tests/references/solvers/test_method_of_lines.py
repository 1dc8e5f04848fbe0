"""Integration that stops on the way is an error, and never a shorter solution."""

import numpy as np
import pytest

from gradalign.references.solvers.method_of_lines import integrate

TOLERANCES = {"rtol": 1e-8, "atol": 1e-8}


@pytest.mark.parametrize("times", [None, np.linspace(0, 2, 5)])
@pytest.mark.filterwarnings("ignore")
def test_a_solution_that_ends_before_the_interval_is_refused(times):
    """1/(1 - t) is unbounded at t = 1."""
    with pytest.raises(FloatingPointError, match="the steps of DOP853 failed"):
        integrate(lambda t, y: y**2, (0.0, 2.0), np.array([1.0]), "DOP853", times, **TOLERANCES)


@pytest.mark.filterwarnings("ignore")
def test_rates_that_are_not_finite_are_refused():
    with pytest.raises(FloatingPointError, match="the steps of DOP853 failed"):
        integrate(lambda t, y: y if t < 0.5 else np.nan * y, (0.0, 1.0), np.array([1.0, 2.0]), "DOP853", **TOLERANCES)


def test_a_sound_solution_has_all_its_times():
    times = np.linspace(0, 2, 5)
    found = integrate(lambda t, y: -y, (0.0, 2.0), np.array([1.0, 3.0]), "DOP853", times, **TOLERANCES)
    np.testing.assert_allclose(found, np.outer([1, 3], np.exp(-times)), rtol=1e-6)
