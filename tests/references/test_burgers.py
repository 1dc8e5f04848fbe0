"""The reference solution of Burgers' equation: its stated error, what it is made of, and what would break it."""

import numpy as np
import pytest
from pydantic import ValidationError

from gradalign.problems.burgers import Settings as ProblemSettings
from gradalign.references._contract import relative_l2
from gradalign.references.burgers import Settings, compute, fourier
from gradalign.references.solvers import cole_hopf, spectral

NU = 0.01 / np.pi
SMOKE = Settings(times=51, points=128, nodes=801, refined_nodes=1501, modes=1024, time_step=1e-3)
SMALL = Settings(times=3, points=33, nodes=401, refined_nodes=801, modes=256, time_step=2e-3)
WIDE = ProblemSettings(viscosity=0.05)


def test_smoke_settings_state_a_small_error():
    seen = []
    found = compute(SMOKE, lambda share, text: seen.append(share))
    assert found.fields["u"].shape == (51, 128)
    assert (found.coordinates["t"][[0, -1]].tolist(), found.coordinates["x"][[0, -1]].tolist()) == ([0, 1], [-1, 1])
    assert found.self_convergence_error < 1e-14
    assert found.independent_difference < 2e-8  # measured 1.0e-8: 1024 modes, step 1e-3
    assert found.stated_error == max(found.self_convergence_error, found.independent_difference)
    assert seen == sorted(seen)
    assert seen[-1] == 1
    assert 0 < found.seconds < 60
    assert found.resolution == "801 nodes, refined to 1501"
    assert found.independent_check == "Fourier ETDRK4, 1024 modes, time step 0.001"


def test_default_settings_of_the_independent_check_reach_ten_digits():
    t, x = np.array([0.0, 0.25, 0.6]), np.linspace(-1, 1, 65)
    default = Settings()
    exact = cole_hopf.burgers(t, x, NU, default.nodes)
    found = fourier(t, x, NU, default.modes, default.time_step, lambda share, text: None)
    assert relative_l2(found, exact) < 1e-10  # measured 3.8e-11 on the whole grid


def test_default_grid_holds_the_published_one():
    default = Settings()
    x = np.linspace(-1, 1, default.points)
    for place in (0.499021526418787, 0.099804305283757, 0.009784735812133):
        assert np.min(np.abs(x - place)) < 1e-14
    assert default.times == 201


def test_viscosity_is_that_of_the_problem():
    found = compute(SMALL, problem_settings=WIDE)
    np.testing.assert_array_equal(found.fields["u"], cole_hopf.burgers(*found.coordinates.values(), 0.05, 401))
    assert found.stated_error < 1e-9


def test_a_wrong_sign_of_the_nonlinear_term_is_seen(monkeypatch):
    right = spectral.Fourier.derivative  # it stands in the nonlinear term only
    monkeypatch.setattr(spectral.Fourier, "derivative", lambda self, v: -right(self, v))
    assert compute(SMALL, problem_settings=WIDE).stated_error > 0.1


def test_a_wrong_factor_of_either_method_is_seen(monkeypatch):
    right = spectral.Fourier.pointwise
    with monkeypatch.context() as changed:
        changed.setattr(spectral.Fourier, "pointwise", lambda self, function, v: 1.01 * right(self, function, v))
        assert compute(SMALL, problem_settings=WIDE).stated_error > 1e-4
    quadrature = cole_hopf.burgers
    monkeypatch.setattr(cole_hopf, "burgers", lambda t, x, nu, *rest: quadrature(t, x, 1.01 * nu, *rest))
    assert compute(SMALL, problem_settings=WIDE).stated_error > 1e-4


def test_fourth_order_in_time():
    t, x = np.array([0.0, 0.5]), np.linspace(-1, 1, 65)
    exact = cole_hopf.burgers(t, x, 0.05, 1001)
    steps = (0.1, 0.05, 0.025)
    errors = [relative_l2(fourier(t, x, 0.05, 256, step, lambda share, text: None), exact) for step in steps]
    assert np.all(np.log2(np.divide(errors[:-1], errors[1:])) >= 3.8), errors


def test_wrong_settings_are_refused():
    with pytest.raises(ValidationError, match="refined_nodes must exceed nodes = 1501"):
        Settings(refined_nodes=1501)
    for wrong in ({"modes": 1023}, {"time_step": 0.0}, {"times": 1}, {"points": 5.5}, {"grid": 3}):
        with pytest.raises(ValidationError):
            Settings(**wrong)
