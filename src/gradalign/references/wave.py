"""The wave equation in closed form, checked by d'Alembert's formula and by finite differences."""

import math
import time

import numpy as np
from pydantic import Field

from gradalign.base.settings import StrictModel
from gradalign.problems.wave import DOMAIN
from gradalign.problems.wave import Settings as ProblemSettings
from gradalign.references._contract import Progress, Reference, Values, relative_l2
from gradalign.references.solvers.finite_differences import central_stencil, odd_extension
from gradalign.references.solvers.method_of_lines import integrate

REACH = 6
"""Neighbours on each side in the finite differences, of order 12."""


class Settings(StrictModel):
    """Grid of the reference solution, and resolution of the independent check."""

    times: int = Field(default=200, ge=2, description="times of the grid, first and last of the horizon included")
    points: int = Field(default=128, ge=REACH + 2, description="points of the grid in x, both ends included")
    subdivisions: int = Field(default=1, ge=1, description="cells of the independent check per interval of the grid")
    tolerance: float = Field(default=1e-12, ge=1e-13, le=1e-3, description="error per step of the independent check")


def compute(
    settings: Settings,
    progress: Progress | None = None,
    problem_settings: ProblemSettings = ProblemSettings(),  # noqa: B008 - frozen
) -> Reference:
    """u on a grid of ``times`` by ``points`` over t in [0, 1], x in [0, 1], both ends included; float64.

    The reference is the sum of two standing waves. Its error is the larger of the relative L2 differences to the sum of
    two travelling waves (d'Alembert), which is the same function with other rounding errors, and to finite differences
    with Runge-Kutta steps, which know only the equation and the conditions. It does not depend on the setting
    ``boundary`` of the problem. Dimensionless.

    >>> found = compute(Settings(times=3, points=65, tolerance=1e-9))
    >>> found.fields["u"].shape, found.self_convergence_error < 1e-14, found.stated_error < 1e-7
    ((3, 65), True, True)
    """
    report: Progress = progress or (lambda share, text: None)
    started = time.perf_counter()
    (first, last), (left, right) = DOMAIN
    t, x = np.linspace(first, last, settings.times), np.linspace(left, right, settings.points)
    speed = math.sqrt(problem_settings.speed_squared)

    u = standing_waves(t, x, speed)
    report(0.1, "closed form")
    other_form = travelling_waves(t, x, speed)
    independent = finite_differences(t, settings.points, speed, settings.subdivisions, settings.tolerance)
    cells = settings.subdivisions * (settings.points - 1)
    report(1.0, f"finite differences, {cells} cells")
    return Reference(
        problem="wave",
        coordinates={"t": t, "x": x},
        fields={"u": u},
        solver="closed form",
        resolution="float64, against the form of d'Alembert",
        step=math.nan,
        self_convergence_error=relative_l2(u, other_form),
        independent_check=f"finite differences of order 12, {cells} cells, Runge-Kutta 8(5,3)",
        independent_difference=relative_l2(u, independent),
        seconds=time.perf_counter() - started,
    )


def standing_waves(t: Values, x: Values, speed: float) -> Values:
    """sin(πx) cos(πct) + ½ sin(4πx) cos(4πct) at all times and points: (T, X).

    >>> standing_waves(np.array([0.0, 0.5]), np.array([0.125]), 2.0).round(6).tolist()  # ½ ± sin(π/8)
    [[0.882683], [0.117317]]
    """
    angle = np.pi * speed * t
    return np.outer(np.cos(angle), np.sin(np.pi * x)) + 0.5 * np.outer(np.cos(4 * angle), np.sin(4 * np.pi * x))


def travelling_waves(t: Values, x: Values, speed: float) -> Values:
    """½ (f(x - ct) + f(x + ct)) with f(x) = u(0, x), whose formula is odd and 2-periodic as it must be: (T, X).

    >>> travelling_waves(np.array([0.5]), np.array([0.125]), 2.0).round(6).tolist()
    [[0.117317]]
    """
    shift = speed * t[:, None]
    return (initial_values(x - shift) + initial_values(x + shift)) / 2


def initial_values(x: Values) -> Values:
    """u(0, x) = sin(πx) + ½ sin(4πx).

    >>> round(float(initial_values(np.array(0.5))), 12)
    1.0
    """
    return np.sin(np.pi * x) + 0.5 * np.sin(4 * np.pi * x)


def finite_differences(t: Values, points: int, speed: float, subdivisions: int, tolerance: float) -> Values:
    """u at the times t and at ``points`` equidistant points, both ends included, by the method of lines: (T, points).

    The system ∂u/∂t = v, ∂v/∂t = c² ∂²u/∂x² with central differences on a grid of ``subdivisions`` cells per interval
    of the points, where u = 0 at both ends and the stencils see its odd continuation.
    """
    left, right = DOMAIN[1]
    cells = subdivisions * (points - 1)
    curvature = (speed * cells / (right - left)) ** 2 * central_stencil(2, REACH)

    def rate(time: float, state: Values) -> Values:
        u, v = np.split(state, 2)
        return np.concatenate([v, np.correlate(odd_extension(u, REACH), curvature, "valid")])

    start = initial_values(np.linspace(left, right, cells + 1))
    start[[0, -1]] = 0.0  # the sine of a multiple of π is not quite zero
    state = np.concatenate([start, np.zeros_like(start)])
    found = integrate(rate, (t[0], t[-1]), state, "DOP853", t, rtol=tolerance, atol=tolerance)
    return found[: cells + 1 : subdivisions].T
