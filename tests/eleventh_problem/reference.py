"""The heat equation by its closed form, checked by finite differences with an implicit Runge-Kutta method."""

import time

import numpy as np
from gradalign.problems.heat import DOMAIN
from gradalign.problems.heat import Settings as ProblemSettings
from pydantic import Field
from scipy.integrate import solve_ivp

from gradalign.base.settings import StrictModel
from gradalign.references._contract import Progress, Reference, relative_l2


class Settings(StrictModel):
    """Grid of the reference solution."""

    times: int = Field(default=51, ge=2, description="times of the grid, first and last of the horizon included")
    points: int = Field(default=101, ge=5, description="points of the grid in x, both ends included")


def compute(settings: Settings, progress: Progress | None, problem_settings: ProblemSettings) -> Reference:
    """u = exp(-κπ²t) sin(πx) on a grid of ``times`` by ``points``; the stated error is the difference to the check."""
    started = time.perf_counter()
    t, x = (np.linspace(*side, count) for side, count in zip(DOMAIN, (settings.times, settings.points), strict=True))
    u = np.exp(-problem_settings.conductivity * np.pi**2 * t)[:, None] * np.sin(np.pi * x)
    cells = settings.points - 1

    def rate(_: float, inner: np.ndarray) -> np.ndarray:
        return problem_settings.conductivity * cells**2 * np.diff(np.pad(inner, 1), 2)

    found = solve_ivp(rate, (t[0], t[-1]), u[0, 1:-1], "Radau", t, rtol=1e-8, atol=1e-10)
    return Reference(
        problem="heat",
        coordinates={"t": t, "x": x},
        fields={"u": u},
        solver="closed form",
        resolution="exact",
        step=float("nan"),
        self_convergence_error=0.0,
        independent_check=f"finite differences of order 2, {cells} cells, Radau",
        independent_difference=relative_l2(np.pad(found.y.T, ((0, 0), (1, 1))), u),
        seconds=time.perf_counter() - started,
    )
