"""The Cole-Hopf quadrature against adaptive quadrature, finite differences, published points and symmetries."""

import numpy as np
import pytest
from oracles import burgers as oracle

from gradalign.references.solvers import cole_hopf

NU = 0.01 / np.pi

# Converged values on the grid of 512 points, agreed on by two quadratures and by spectral solutions.
POINTS = [
    (0.25, 0.499021526418787, -0.804428998234),
    (0.5, 0.099804305283757, -0.958263474593),
    (1.0, 0.009784735812133, -0.588272710797),
]


@pytest.mark.parametrize(("t", "x", "u"), POINTS)
def test_reproduces_known_values(t, x, u):
    found = cole_hopf.burgers(np.array([t]), np.array([x]), NU, 1501)[0, 0]
    assert found == pytest.approx(u, abs=1e-12)  # the digits that are given


@pytest.mark.parametrize("viscosity", [NU, 0.05, 1.0])
def test_agrees_with_adaptive_quadrature(viscosity):
    random = np.random.default_rng(0)
    for t, x in zip(random.uniform(0.001, 1, 8), random.uniform(-1, 1, 8), strict=True):
        found = cole_hopf.burgers(np.array([t]), np.array([x]), viscosity, 1501)[0, 0]
        assert found == pytest.approx(
            oracle.cole_hopf(t, x, viscosity), abs=1e-11
        )  # oracle: 1e-13 over an integral >= 0.01


def test_finite_differences_converge_to_it_with_order_two():
    times = np.array([0.0, 0.3, 0.6])
    errors = []
    for cells in (100, 200, 400):
        x, u = oracle.finite_differences(times, cells, 0.05)
        exact = cole_hopf.burgers(times, x, 0.05, 801)
        errors.append(np.linalg.norm(u - exact) / np.linalg.norm(exact))
    slopes = np.log2(np.divide(errors[:-1], errors[1:]))
    np.testing.assert_allclose(slopes, 2, atol=0.05)
    assert errors[-1] < 2e-4


def test_converges_faster_than_any_power():
    t, x = np.array([0.05, 0.5, 1.0]), np.linspace(-1, 1, 65)
    exact = cole_hopf.burgers(t, x, NU, 6001)
    errors = [np.max(np.abs(cole_hopf.burgers(t, x, NU, nodes) - exact)) for nodes in (101, 201, 401)]
    assert errors[1] < errors[0] / 1e2
    assert errors[2] < 1e-13


def test_initial_condition_is_exact_and_solution_is_odd_and_periodic():
    t, x = np.array([0.0, 1e-6, 0.4]), np.linspace(-1, 1, 33)
    u = cole_hopf.burgers(t, x, NU, 1501)
    np.testing.assert_array_equal(u[0], -np.sin(np.pi * x))
    np.testing.assert_allclose(u[1], -np.sin(np.pi * x), atol=2e-6 * np.pi)  # |∂u/∂t| <= π/2 + ν π² at t = 0
    np.testing.assert_allclose(u, -u[:, ::-1], atol=1e-14)
    np.testing.assert_allclose(u[:, [0, -1]], 0, atol=1e-14)
    np.testing.assert_allclose(cole_hopf.burgers(t, x + 2, NU, 1501), u, atol=1e-13)


def test_blocks_do_not_change_the_result(monkeypatch):
    t, x = np.array([0.2]), np.linspace(-1, 1, 17)
    whole = cole_hopf.burgers(t, x, NU, 401)
    monkeypatch.setattr(cole_hopf, "_BLOCK", 1000)
    np.testing.assert_allclose(cole_hopf.burgers(t, x, NU, 401), whole, rtol=0, atol=1e-15)


def test_progress_goes_to_one():
    seen = []
    cole_hopf.burgers(
        np.array([0.0, 0.1, 0.2, 0.3]), np.zeros(1), NU, 101, lambda share, text: seen.append((share, text))
    )
    assert [share for share, _ in seen] == [0.25, 0.5, 0.75, 1.0]
    assert seen[0][1] == "Cole-Hopf, 101 nodes"


@pytest.mark.parametrize("wrong", [(np.array([-0.1]), NU, 101), (np.array([0.1]), 0.0, 101), (np.array([0.1]), NU, 2)])
def test_wrong_arguments_are_readable(wrong):
    times, viscosity, nodes = wrong
    with pytest.raises(ValueError, match="allowed: viscosity > 0, at least 3 nodes, times >= 0"):
        cole_hopf.burgers(times, np.zeros(1), viscosity, nodes)
