"""The Gray-Scott equations by 2-D Fourier ETDRK4, checked by coarser runs and by finite differences, Runge-Kutta."""

import time
from itertools import pairwise

import numpy as np
from pydantic import Field, PositiveFloat, model_validator
from scipy.ndimage import correlate1d

from gradalign.base.settings import StrictModel
from gradalign.problems.gray_scott import SQUARE
from gradalign.problems.gray_scott import Settings as ProblemSettings
from gradalign.references._contract import Progress, Reference, Values, part_of
from gradalign.references._refinement import differences, require_fewer_modes
from gradalign.references.solvers import spectral
from gradalign.references.solvers.finite_differences import central_stencil
from gradalign.references.solvers.method_of_lines import integrate
from gradalign.references.solvers.plane import Plane

REACH = 8
"""Neighbours on either side in the finite differences, whose order is twice as high."""

STABLE = 4.0
"""Steps of the Runge-Kutta check times the fastest decay rate; DOP853 is stable up to about 6."""


class Settings(StrictModel):
    """Grid of the reference solution, and resolutions of the two methods."""

    times: int = Field(default=101, ge=2, description="times of the grid, first and last of the horizon included")
    points: int = Field(default=200, ge=2, description="points of the grid in x and in y, both ends included")
    modes: int = Field(default=192, ge=16, multiple_of=2, description="Fourier modes of the reference along x and y")
    coarse_modes: int = Field(default=128, ge=16, multiple_of=2, description="modes of the coarse one; fewer")
    time_step: PositiveFloat = Field(default=1.25e-4, description="longest time step; twice as long in a coarse run")
    cells: int = Field(default=128, ge=2 * REACH, description="cells of the independent check along x and y")

    _refines = model_validator(mode="after")(require_fewer_modes)


def compute(
    settings: Settings,
    progress: Progress | None = None,
    problem_settings: ProblemSettings = ProblemSettings(),  # noqa: B008 - frozen
) -> Reference:
    """u and v on a grid of ``times`` by ``points`` by ``points`` over t in [0, T], (x, y) in [-1, 1]²; float64.

    The reference is a Fourier ETDRK4 solution with ``modes`` modes along either side, evaluated on the grid by its
    exact series. At t = 0 it is the initial condition itself, at the edges the mean of both sides. Its error is the
    largest of the relative L2 differences, of u and of v, to one with ``coarse_modes``, to one with twice the time
    step, both of which are worse than the reference, and to finite differences of order 16 with Runge-Kutta steps on
    their own grid, which share no step of it. Dimensionless.

    >>> small = Settings(times=3, points=9, modes=96, coarse_modes=80, time_step=5e-4, cells=80)
    >>> found = compute(small, problem_settings=ProblemSettings(horizon=0.02))
    >>> found.fields["u"].shape, found.stated_error < 1e-4
    ((3, 9, 9), True)
    """
    report: Progress = progress or (lambda share, text: None)
    started = time.perf_counter()
    t, x = np.linspace(0.0, problem_settings.horizon, settings.times), np.linspace(*SQUARE[0], settings.points)

    def solution(modes: int, time_step: float, start: float, end: float) -> tuple[Plane, spectral.Coefficients]:
        return fourier(t, problem_settings, modes, time_step, part_of(report, start, end))

    def on_grid(plane: Plane, series: spectral.Coefficients) -> Values:
        return np.concatenate([initial_values(x, x)[None], plane.evaluate(series[1:], x, x)])

    plane, series = solution(settings.modes, settings.time_step, 0.0, 0.4)
    fields = on_grid(plane, series)
    coarse = on_grid(*solution(settings.coarse_modes, settings.time_step, 0.4, 0.6))
    longer = on_grid(*solution(settings.modes, 2 * settings.time_step, 0.6, 0.8))
    nodes, independent = finite_differences(t, problem_settings, settings.cells, part_of(report, 0.8, 1.0))
    at_nodes = plane.evaluate(series[1:], nodes, nodes)
    return Reference(
        problem="gray_scott",
        coordinates={"t": t, "x": x, "y": x.copy()},
        fields={"u": fields[:, 0].copy(), "v": fields[:, 1].copy()},
        solver="Fourier ETDRK4 in two dimensions",
        resolution=f"{settings.modes}² modes against {settings.coarse_modes}²; time step against twice as long",
        step=settings.time_step,
        self_convergence_error=[*differences(coarse, fields), *differences(longer, fields)],
        independent_check=f"finite differences of order {2 * REACH}, {settings.cells}² cells, Runge-Kutta 8(5,3)",
        independent_difference=differences(independent[1:], at_nodes),
        seconds=time.perf_counter() - started,
    )


def fourier(
    t: Values, problem_settings: ProblemSettings, modes: int, time_step: float, progress: Progress
) -> tuple[Plane, spectral.Coefficients]:
    """Coefficients of u and v at the times t by Fourier ETDRK4, and their plane: (T, 2, modes, modes/2 + 1).

    The linear part is D Δ less F or d, the rest the reaction c u v², without aliasing, and the constant feed F. The
    initial condition, which is not periodic, is projected by quadrature.
    """
    plane = Plane(modes, modes, SQUARE)
    kappa, mu = plane.wavenumbers
    laplacian = -(kappa**2 + mu**2)
    symbol = np.stack(
        [
            problem_settings.diffusion_u * laplacian - problem_settings.feed,
            problem_settings.diffusion_v * laplacian - problem_settings.decay,
        ]
    )

    def reaction(fields: spectral.Coefficients) -> spectral.Coefficients:
        turned = plane.pointwise(lambda u, v: problem_settings.reaction * u * v**2, *fields, degree=3)
        change = np.stack([-turned, turned])
        change[0, 0, 0] += problem_settings.feed
        return change

    initial = np.stack([plane.project(function, modes // 4, 16) for function in (_hole, _hill)])
    return plane, spectral.solve(symbol, reaction, initial, t, time_step, progress)


def initial_values(x: Values, y: Values) -> Values:
    """u and v at t = 0 on the grid that x and y span, at the edges the mean of both sides: (2, X, Y).

    That is where the periodic solution starts from: its limit as t -> 0.

    >>> x = np.array([-1.0, 0.0, 1.0])
    >>> v = initial_values(x, x)[1]
    >>> bool(v[0, 1] == v[2, 1]), bool(np.isclose(v[0, 1], np.exp(-0.004) * (np.exp(-11.025) + np.exp(-9.025)) / 2))
    (True, True)
    """
    opposite_x, opposite_y = (np.where(np.abs(places) == 1, -places, places) for places in (x, y))
    sides = [(one[:, None], other[None, :]) for one in (x, opposite_x) for other in (y, opposite_y)]
    return np.stack([np.mean([function(*side) for side in sides], axis=0) for function in (_hole, _hill)])


def finite_differences(
    t: Values, problem_settings: ProblemSettings, cells: int, progress: Progress
) -> tuple[Values, Values]:
    """u and v at the times t on a periodic grid of ``cells`` by ``cells`` cells: its nodes, and (T, 2, cells, cells).

    Central differences of order 16 for each second derivative, explicit Runge-Kutta steps of order 8.
    """
    (low, high), _ = SQUARE
    nodes = low + (high - low) * np.arange(cells) / cells
    weights = central_stencil(2, REACH) / ((high - low) / cells) ** 2

    def laplacian(values: Values) -> Values:
        along_x: Values = correlate1d(values, weights, axis=0, mode="wrap")
        return along_x + correlate1d(values, weights, axis=1, mode="wrap")

    def rate(time: float, fields: Values) -> Values:
        u, v = fields.reshape(2, cells, cells)
        turned = problem_settings.reaction * u * v**2
        change_u = problem_settings.diffusion_u * laplacian(u) + problem_settings.feed * (1 - u) - turned
        change_v = problem_settings.diffusion_v * laplacian(v) - problem_settings.decay * v + turned
        return np.concatenate([change_u.ravel(), change_v.ravel()])

    # Decay rate of the grid's shortest wave, along both sides
    diffusion = max(problem_settings.diffusion_u, problem_settings.diffusion_v)
    fastest = 2 * diffusion * np.abs(weights).sum() + max(problem_settings.feed, problem_settings.decay)
    fields = initial_values(nodes, nodes).ravel()
    found = [fields]
    for index, interval in enumerate(pairwise(t), start=1):  # interpolation in time is less accurate than the steps
        run = integrate(rate, interval, fields, "DOP853", rtol=1e-9, atol=1e-10, max_step=STABLE / fastest)
        found.append(fields := run[:, -1])
        progress(index / (len(t) - 1), f"finite differences, {cells}² cells")
    return nodes, np.reshape(found, (len(t), 2, cells, cells))


def _hole(x: Values, y: Values) -> Values:
    return 1 - np.exp(-10 * ((x + 0.05) ** 2 + (y + 0.02) ** 2))


def _hill(x: Values, y: Values) -> Values:
    return np.exp(-10 * ((x - 0.05) ** 2 + (y - 0.02) ** 2))
