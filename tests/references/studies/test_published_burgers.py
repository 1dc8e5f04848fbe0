"""The reproduced error of the published data of Burgers' equation, and what would spoil the reproduction."""

import numpy as np
import pytest
from oracles import burgers as oracle
from pydantic import ValidationError
from reference_checks import silent

from gradalign.references.solvers import cole_hopf
from gradalign.references.solvers.collocation import Collocation
from gradalign.references.studies.published_burgers import Settings, collocation, compute

NU = 0.01 / np.pi
SMOKE = Settings(times=51, time_step=1e-3, nodes=801)


@pytest.fixture(scope="module")
def full():
    return {(one.quantity, one.series): one for one in compute(Settings(nodes=801, time_step=1e-3))}


def test_the_error_of_the_published_data_is_reproduced(full):
    """Measured on the data: relative L2 4.005e-5, largest error 5.5e-4 at t = 0.515, x = 0.002."""
    assert full["modes", "published"].y == [511]
    assert full["relative L2", "published"].y[0] == pytest.approx(4.005e-5, abs=0.0005e-5)
    assert full["largest error", "published"].y[0] == pytest.approx(5.5e-4, abs=0.05e-4)
    assert full["largest error, time", "published"].y[0] == pytest.approx(0.515, abs=1e-12)
    assert full["largest error, place", "published"].y[0] == pytest.approx(0.002, abs=5e-5)


def test_the_closed_form_is_not_in_doubt(full):
    assert full["relative L2", "refined"].y[0] < 1e-8
    assert full["relative L2", "dealiased"].y[0] == pytest.approx(1.9e-5, abs=0.05e-5)
    assert full["change with half the time step", "published"].y[0] < 1e-8


@pytest.mark.slow
def test_errors_by_time_make_up_the_error_of_the_whole_grid(full):
    for name in ("published", "dealiased", "refined"):
        line, t, x = full["relative L2 by time", name], np.linspace(0, 1, 201), np.linspace(-1, 1, 512)
        np.testing.assert_array_equal(line.x, t)
        sizes = np.linalg.norm(cole_hopf.burgers(t, x, NU, 801), axis=1)
        whole = np.linalg.norm(np.asarray(line.y) * sizes) / np.linalg.norm(sizes)
        assert full["relative L2", name].y[0] == pytest.approx(whole, rel=1e-10)
        assert line.y[0] < 1e-14
        assert 0.35 < line.x[np.argmax(line.y)] < 0.65  # the front is steepest near t = 0.5


@pytest.mark.slow
def test_smoke_settings_show_the_same():
    seen = []
    found = {(one.quantity, one.series): one for one in compute(SMOKE, lambda share, text: seen.append(share))}
    assert found["relative L2", "published"].y[0] == pytest.approx(4e-5, rel=0.05)
    assert {one.study for one in found.values()} == {"published_burgers"}
    assert seen == sorted(seen)
    assert seen[-1] == 1


def test_the_run_solves_the_equation():
    x = np.linspace(-1, 1, 9)
    found = collocation(np.array([0.0, 0.3]), x, 0.05, 63, 2e-3, silent)
    exact = [oracle.cole_hopf(0.3, place, 0.05) for place in x[:-1]]
    np.testing.assert_allclose(found[1, :-1], exact, atol=1e-8)
    np.testing.assert_allclose(found[0], -np.sin(np.pi * x), atol=1e-14)


@pytest.mark.slow
def test_the_error_is_that_of_aliasing_and_few_modes(monkeypatch):
    right = Collocation.pointwise
    monkeypatch.setattr(Collocation, "pointwise", lambda self, function, v: 1.001 * right(self, function, v))
    found = {(one.quantity, one.series): one.y[0] for one in compute(SMOKE)}
    assert found["relative L2", "published"] > 2e-4
    assert found["relative L2", "refined"] > 1e-4  # so that a wrong equation is not taken for the error of the data


def test_wrong_settings_are_refused():
    with pytest.raises(ValidationError, match="must be odd"):
        Settings(modes=512)
    for wrong in ({"time_step": 0.0}, {"times": 1}, {"nodes": 10}, {"viscosity": 0.1}):
        with pytest.raises(ValidationError):
            Settings(**wrong)
