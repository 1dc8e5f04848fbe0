"""The second-order scheme for the cavity against the converged flow of either lid."""

import numpy as np
import pytest
from pydantic import ValidationError

from gradalign.references.solvers import cavity, cavity_finite_differences
from gradalign.references.studies import published_cavity
from gradalign.references.studies.published_cavity import Settings, compute, speed_error

SMOKE = Settings(reynolds=[100.0], cells=[16, 32, 64], degree=32, coarser_degree=24)
ERRORS = "relative L2 of the speed by cells"


@pytest.fixture(scope="module")
def smoke():
    seen = []
    found = compute(SMOKE, lambda share, text: seen.append(share))
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1)
    assert {one.study for one in found} == {"published_cavity"}
    return {(one.quantity, one.series): one for one in found}


def test_errors_against_the_same_lid_fall_and_against_the_other_stay(smoke):
    sharp, regularised = (np.array(smoke[ERRORS, lid].y) for lid in ("sharp", "regularised"))
    assert list(smoke[ERRORS, "sharp"].x) == [16, 32, 64]
    slopes = np.log2(sharp[:-1] / sharp[1:])
    assert np.all(slopes > 1.0), slopes  # first order at the corners, second elsewhere
    between = smoke["relative L2 of the speed", "regularised against sharp"].y[0]
    assert sharp[-1] < between / 1.5
    assert regularised[-1] > 0.8 * between  # the rest is the difference of the problems, on any grid
    assert between == pytest.approx(4.1e-2, abs=0.2e-2)


def test_the_converged_flows_are_known_better_than_what_they_judge(smoke):
    for lid in ("sharp", "regularised"):
        assert smoke["change with a lower degree", lid].y[0] < smoke[ERRORS, lid].y[-1] / 3
    assert smoke["Reynolds number", "converged"].y == [100.0]
    assert smoke["degree", "converged"].y == [32]


@pytest.mark.slow
def test_errors_at_high_reynolds_numbers_are_those_of_the_grid():
    """Re 1000: the scheme on 64 cells errs by more than the lids differ, so that it cannot tell one from the other."""
    settings = Settings(reynolds=[100.0, 400.0, 1000.0], cells=[64], degree=32, coarser_degree=24)
    found = {(one.quantity, one.series): one.y[-1] for one in compute(settings)}
    sharp, regularised = found[ERRORS, "sharp"], found[ERRORS, "regularised"]
    assert sharp > 3 * found["relative L2 of the speed", "regularised against sharp"]
    assert sharp == pytest.approx(regularised, rel=0.1)


def test_the_scheme_has_the_sharp_lid_and_only_the_last_flow_counts(monkeypatch):
    asked = []

    def scheme(reynolds, lid, cells, progress):
        asked.append((list(reynolds), lid, cells))
        still = np.zeros((cells + 1, cells + 1))
        moving = cavity_finite_differences.GridFlow(still, still + 3, still + 4)
        return [moving] * (len(reynolds) - 1) + [cavity_finite_differences.GridFlow(still, still, still)]

    monkeypatch.setattr(cavity_finite_differences, "solve", scheme)
    settings = Settings(reynolds=[50.0, 100.0], cells=[8, 16], degree=12, coarser_degree=8)
    found = {(one.quantity, one.series): one.y for one in compute(settings)}
    assert asked == [([50.0, 100.0], "sharp", 8), ([50.0, 100.0], "sharp", 16)]
    assert found[ERRORS, "sharp"] == pytest.approx([1.0, 1.0], abs=1e-15)  # 0 in place of the flow
    x = np.linspace(0, 1, 17)
    speeds = []
    for lid in published_cavity.LIDS:
        u, v = cavity.solve([100.0], lid, 12)[0].velocity(x, x)
        speeds.append(np.sqrt(u**2 + v**2))
    between = found["relative L2 of the speed", "regularised against sharp"][0]
    assert between == pytest.approx(speed_error(speeds[1], speeds[0]), rel=1e-10)


def test_the_two_corners_of_the_lid_do_not_count():
    exact = np.full((3, 3), 2.0)
    speed = exact.copy()
    speed[0, 2] = speed[2, 2] = 100.0
    assert speed_error(speed, exact) == 0.0
    speed[1, 2] += 1.0
    speed[0, 0] -= 1.0
    assert speed_error(speed, exact) == pytest.approx(np.sqrt(2 / 28))


def test_wrong_settings_are_refused():
    with pytest.raises(ValidationError, match="coarser_degree must be below degree = 48"):
        Settings(degree=48, coarser_degree=48)
    for wrong in ({"reynolds": [100.0, 100.0]}, {"cells": [64, 32]}):
        with pytest.raises(ValidationError, match="must increase"):
            Settings(**wrong)
    for wrong in ({"reynolds": []}, {"reynolds": [-1.0]}, {"cells": []}, {"cells": [2, 64]}, {"lid": "sharp"}):
        with pytest.raises(ValidationError):
            Settings(**wrong)
