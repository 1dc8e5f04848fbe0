"""The complex Ginzburg-Landau equation by 2-D Fourier ETDRK4, checked by coarser runs and by its radial form."""

import time
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat, model_validator
from scipy.interpolate import make_interp_spline

from gradalign.base.settings import StrictModel
from gradalign.problems.ginzburg_landau import SQUARE
from gradalign.problems.ginzburg_landau import Settings as ProblemSettings
from gradalign.references._contract import Progress, Reference, Values, part_of
from gradalign.references._refinement import differences, require_fewer_modes
from gradalign.references.solvers import spectral
from gradalign.references.solvers.finite_differences import central_stencil
from gradalign.references.solvers.method_of_lines import integrate
from gradalign.references.solvers.plane import Plane

REACH = 6
"""Neighbours on either side in the finite differences of the radial form, whose order is twice as high."""

OUTER_RADIUS = 1.5
"""Where the radial form ends, with the value 0: at least half the diagonal of the square."""

DISC = 0.75
"""Radius within which the radial form is compared: the neighbours of the periodic square are felt outside first."""


class Settings(StrictModel):
    """Grid of the reference solution, and resolutions of the two methods."""

    times: int = Field(default=101, ge=2, description="times of the grid, first and last of the horizon included")
    points: int = Field(default=200, ge=4, description="points of the grid in x and in y, both ends included")
    modes: int = Field(default=256, ge=16, multiple_of=2, description="Fourier modes of the reference along x and y")
    coarse_modes: int = Field(default=192, ge=16, multiple_of=2, description="modes of the coarse one; fewer")
    time_step: PositiveFloat = Field(default=1e-3, description="longest time step; twice as long in a coarse run")
    cells: int = Field(default=600, ge=2 * REACH, description="cells of the independent check along the radius")

    _refines = model_validator(mode="after")(require_fewer_modes)


def compute(
    settings: Settings,
    progress: Progress | None = None,
    problem_settings: ProblemSettings = ProblemSettings(),  # noqa: B008 - frozen
) -> Reference:
    """u and v on a grid of ``times`` by ``points`` by ``points`` over t in [0, T], (x, y) in [-1, 1]²; float64.

    The reference is a Fourier ETDRK4 solution with ``modes`` modes along either side, evaluated on the grid by its
    exact series. Its error is the largest of the relative L2 differences, of u and of v, to one with ``coarse_modes``,
    to one with twice the time step, both of which are worse than the reference, and to the radial form of the equation
    by finite differences with Runge-Kutta steps, on the points within the radius 3/4. Dimensionless.

    >>> small = Settings(times=3, points=9, modes=64, coarse_modes=48, time_step=0.01, cells=200)
    >>> found = compute(small, problem_settings=ProblemSettings(horizon=0.02))
    >>> found.fields["u"].shape, found.self_convergence_error < 1e-3, found.stated_error < 1e-3
    ((3, 9, 9), True, True)
    """
    report: Progress = progress or (lambda share, text: None)
    started = time.perf_counter()
    t, x = np.linspace(0.0, problem_settings.horizon, settings.times), np.linspace(*SQUARE[0], settings.points)

    def solution(modes: int, time_step: float, start: float, end: float) -> Values:
        plane, series = fourier(t, problem_settings, modes, time_step, part_of(report, start, end))
        return plane.evaluate(series, x, x)

    fields = solution(settings.modes, settings.time_step, 0.0, 0.45)
    coarse = solution(settings.coarse_modes, settings.time_step, 0.45, 0.7)
    longer = solution(settings.modes, 2 * settings.time_step, 0.7, 0.95)
    within = np.hypot(x[:, None], x[None, :]) <= DISC
    independent = radial(t, x, problem_settings, settings.cells, part_of(report, 0.95, 1.0))
    return Reference(
        problem="ginzburg_landau",
        coordinates={"t": t, "x": x, "y": x.copy()},
        fields={"u": fields[:, 0].copy(), "v": fields[:, 1].copy()},
        solver="Fourier ETDRK4 in two dimensions",
        resolution=f"{settings.modes}² modes against {settings.coarse_modes}²; time step against twice as long",
        step=settings.time_step,
        self_convergence_error=[*differences(coarse, fields), *differences(longer, fields)],
        independent_check=f"radial form within r = {DISC}, differences of order {2 * REACH}, {settings.cells} cells, "
        "Runge-Kutta 8(5,3)",
        independent_difference=differences(independent[..., within], fields[..., within]),
        seconds=time.perf_counter() - started,
    )


def fourier(
    t: Values, problem_settings: ProblemSettings, modes: int, time_step: float, progress: Progress
) -> tuple[Plane, spectral.Coefficients]:
    """Coefficients of u and v at the times t by Fourier ETDRK4, and their plane: (T, 2, modes, modes/2 + 1).

    The initial condition is interpolated: it is periodic to 2e-10.
    """
    plane = Plane(modes, modes, SQUARE)
    symbol, saturation = operators(plane, problem_settings)

    def height(x: Values, y: Values) -> Values:
        return 10 * np.exp(-25 * (x**2 + y**2))

    initial = [lambda x, y: y * height(x, y), lambda x, y: x * height(x, y)]
    start = np.stack([plane.interpolate(function) for function in initial])
    return plane, spectral.solve(symbol, saturation, start, t, time_step, progress)


def operators(plane: Plane, problem_settings: ProblemSettings) -> tuple[Values, spectral.Nonlinear]:
    """The symbol of the linear part ε Δ + k, and the cubic terms of the real form, without aliasing."""
    kappa, mu = plane.wavenumbers
    rate, beta = problem_settings.rate, problem_settings.dispersion

    def cubic(u: Values, v: Values) -> tuple[Values, Values]:
        factor = -rate * (u**2 + v**2)
        return factor * (u - beta * v), factor * (v + beta * u)

    def saturation(fields: spectral.Coefficients) -> spectral.Coefficients:
        return plane.pointwise(cubic, *fields, degree=3)

    return rate - problem_settings.diffusion * (kappa**2 + mu**2), saturation


def radial(t: Values, x: Values, problem_settings: ProblemSettings, cells: int, progress: Progress) -> Values:
    """u and v at the times t and on the grid that x spans along both sides, from the radial form: (T, 2, X, X).

    On the whole plane the solution keeps the form A = (y + ix) g(t, r) of its initial condition, with

        ∂g/∂t = ε (∂²g/∂r² + (3/r) ∂g/∂r) + k g - k (1 + iβ) g r² |g|²,   g(0, r) = 10 exp(-25 r²),

    g complex and even in r. Central differences of order 12 at r = (j + 1/2) h, explicit Runge-Kutta steps of order 8,
    interpolation in r by a spline of degree 7. The periodic square differs from the plane by what comes over its edges:
    with the published coefficients 1e-8 at t = 0.2; at t = 1 as little within r = 3/4, and 2e-4 in all.
    """
    h = OUTER_RADIUS / cells
    r = (np.arange(cells) + 0.5) * h
    operator = problem_settings.diffusion * np.array(
        [central_stencil(2, REACH) / h**2, 3 * central_stencil(1, REACH) / h]
    )
    rate, dispersion = problem_settings.rate, 1 + 1j * problem_settings.dispersion

    def change(time: float, parts: Values) -> Values:
        g = parts.view(complex)
        wide = np.concatenate([g[REACH - 1 :: -1], g, np.zeros(REACH)])
        curvature, slope = (np.correlate(wide, weights, "valid") for weights in operator)
        found = curvature + slope / r + rate * g * (1 - dispersion * r**2 * np.abs(g) ** 2)
        return found.view(float)

    parts = (10 * np.exp(-25 * r**2) + 0j).view(float)
    found = [parts]
    for index, interval in enumerate(pairwise(t), start=1):  # interpolation in time is less accurate than the steps
        found.append(parts := integrate(change, interval, parts, "DOP853", rtol=1e-11, atol=1e-12)[:, -1].copy())
        progress(index / (len(t) - 1), f"radial form, {cells} cells")
    g = np.array(found).view(complex)
    spline = make_interp_spline(np.concatenate([-r[::-1], r]), np.concatenate([g[:, ::-1], g], axis=1), k=7, axis=1)
    amplitude: NDArray[np.complex128] = (x[None, :] + 1j * x[:, None]) * spline(np.hypot(x[:, None], x[None, :]))
    return np.stack([amplitude.real, amplitude.imag], axis=1)
