"""The reproduced errors of the published data of the Allen-Cahn equation, against either initial condition."""

import numpy as np
import pytest
from pydantic import ValidationError
from tolerances import IDENTITY

from gradalign.references.studies import published_allen_cahn
from gradalign.references.studies.published_allen_cahn import Settings, collocation, compute, share_at_the_ends

BAND_LIMITED, KINKED = "published against band-limited", "published against kinked"
BETWEEN = "kinked against band-limited"
SMALL = Settings(times=51, points=512, time_step=4e-3, band_limited_modes=1024, kinked_modes=1024)


@pytest.fixture(scope="module")
def full():
    seen = []
    settings = Settings(time_step=2e-3, band_limited_modes=2048, kinked_modes=4096)
    found = compute(settings, lambda share, text: seen.append(share))
    assert seen == sorted(seen)
    assert seen[-1] == 1
    return {(one.quantity, one.series): one for one in found}


def test_the_errors_of_the_published_data_are_reproduced(full):
    """Measured on the data: 3.4e-8 and 1.57e-5, at most 9e-4, and 1.9e-7 at t = 1."""
    assert full["relative L2", BAND_LIMITED].y[0] == pytest.approx(3.4e-8, abs=0.05e-8)
    assert full["relative L2", KINKED].y[0] == pytest.approx(1.57e-5, abs=0.01e-5)
    assert full["largest error", KINKED].y[0] == pytest.approx(9e-4, abs=0.5e-4)
    assert full["largest error, time", KINKED].y[0] <= 0.02
    assert abs(full["largest error, place", KINKED].y[0]) == 1
    for name in (BAND_LIMITED, KINKED):
        assert full["relative L2 by time", name].y[-1] == pytest.approx(1.9e-7, abs=0.05e-7)
    assert full["relative L2 by time", BETWEEN].y[-1] < 1e-9  # by then the two problems have the same solution


def test_the_difference_between_the_problems_is_at_the_ends_and_early(full):
    shares = full["share at the ends by time", KINKED]
    assert np.all(np.diff(shares.y) >= 0)
    by_time = dict(zip(np.round(shares.x, 3).tolist(), shares.y, strict=True))
    assert by_time[0.02] == pytest.approx(0.46, abs=0.01)
    assert by_time[0.1] == pytest.approx(0.86, abs=0.01)
    assert full["share at the ends by time", BAND_LIMITED].y[-1] < 0.1


def test_both_converged_solutions_are_known_better_than_what_they_judge(full):
    band_limited, kinked = (full["change with half the modes", name].y[0] for name in ("band-limited", "kinked"))
    assert band_limited < full["relative L2", BAND_LIMITED].y[0] / 100
    assert kinked < full["relative L2", KINKED].y[0] / 10
    assert full["change with half the time step", "published"].y[0] < 1e-9
    assert [full["modes", name].y for name in ("published", "band-limited", "kinked")] == [[511], [2048], [4096]]


def test_the_published_data_start_from_both_at_their_own_points():
    x = np.linspace(-1, 1, 512)
    found = collocation(np.array([0.0, 1e-3]), x, 1e-3, lambda share, text: None)
    np.testing.assert_allclose(found[0], x**2 * np.cos(np.pi * x), atol=IDENTITY)
    between = (x[:1] + x[1:2]) / 2
    start = collocation(np.array([0.0, 1e-3]), between, 1e-3, lambda share, text: None)[0]
    assert np.abs(start - between**2 * np.cos(np.pi * between)) > 1e-4  # but not between them, next to the kink


def test_a_wrong_equation_is_seen_in_both(monkeypatch):
    right = published_allen_cahn.Collocation.pointwise
    monkeypatch.setattr(
        published_allen_cahn.Collocation, "pointwise", lambda self, function, v: 1.0001 * right(self, function, v)
    )
    found = {(one.quantity, one.series): one.y[0] for one in compute(SMALL)}
    assert found["relative L2", BAND_LIMITED] > 1e-6
    assert found["relative L2", BETWEEN] < 3e-5


def test_share_at_the_ends():
    np.testing.assert_allclose(share_at_the_ends(np.array([[3.0, 0.0, 4.0], [0.0, 5.0, 0.0]])), [0.5, 0.5])
    np.testing.assert_allclose(share_at_the_ends(np.array([[0.0, 1.0, 1.0], [1.0, 1.0, 0.0]])), [0.25, 0.5])


def test_wrong_settings_are_refused():
    for wrong in (
        {"kinked_modes": 512},
        {"kinked_modes": 1026},
        {"band_limited_modes": 2047},
        {"initial_condition": "k"},
    ):
        with pytest.raises(ValidationError):
            Settings(**wrong)
