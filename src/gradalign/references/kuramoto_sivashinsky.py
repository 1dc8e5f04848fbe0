"""The Kuramoto-Sivashinsky equation by Fourier ETDRK4, checked by refinement and by implicit finite differences."""

import time

import numpy as np
from pydantic import Field, PositiveFloat, model_validator
from scipy.fft import dst

from gradalign.base.settings import StrictModel
from gradalign.problems.kuramoto_sivashinsky import PLACES
from gradalign.problems.kuramoto_sivashinsky import Settings as ProblemSettings
from gradalign.references._contract import Progress, Reference, Values, part_of, relative_l2
from gradalign.references._refinement import require_fewer_modes
from gradalign.references.solvers import spectral
from gradalign.references.solvers.finite_differences import central_stencil, odd_extension
from gradalign.references.solvers.method_of_lines import integrate

REACH = 8
"""Neighbours on each side in the finite differences: order 16 for ∂/∂x and ∂²/∂x², order 14 for ∂⁴/∂x⁴."""


class Settings(StrictModel):
    """Grid of the reference solution, and resolutions of the two methods."""

    times: int = Field(default=251, ge=2, description="times of the grid, first and last of the horizon included")
    points: int = Field(default=512, ge=2, description="points of the grid in x, both ends included")
    modes: int = Field(default=384, ge=64, multiple_of=2, description="Fourier modes of the reference")
    coarse_modes: int = Field(default=256, ge=64, multiple_of=2, description="modes of the coarser one; fewer")
    time_step: PositiveFloat = Field(default=2.5e-5, description="longest time step; twice of it for the coarser one")
    cells: int = Field(default=256, ge=4 * REACH, description="cells of the independent check on half of the domain")
    tolerance: float = Field(default=1e-12, ge=1e-13, le=1e-3, description="error per step of the independent check")

    _refines = model_validator(mode="after")(require_fewer_modes)


def compute(
    settings: Settings,
    progress: Progress | None = None,
    problem_settings: ProblemSettings = ProblemSettings(),  # noqa: B008 - frozen
) -> Reference:
    """u on a grid of ``times`` by ``points`` over t in [0, T], x in [0, 2π], both ends included; float64.

    The reference is a Fourier ETDRK4 solution, evaluated on the grid by its exact series. Errors grow with time, so
    that each is measured over the whole grid and at the last time, and the larger of the two counts. The stated error
    is the largest of the relative L2 differences to a solution with ``coarse_modes`` modes, to one with twice the time
    step, and to implicit finite differences on half of the domain, which share no step of it, and of the evidence:

    - ``mean drift``: the largest |∫u dx| over time, which is 0 for the exact solution, relative to (2π ∫u² dx)^(1/2).
    - ``symmetry defect``: ||u(t, π - x) + u(t, x)|| / ||u|| at the last time, 0 for the exact solution: grown rounding.
    - ``coarser at the last time``, ``check at the last time``: the differences above at the last time alone.

    Dimensionless.

    >>> small = Settings(times=3, points=33, modes=128, coarse_modes=96, time_step=1e-3, cells=64)
    >>> found = compute(small, problem_settings=ProblemSettings(horizon=0.04))
    >>> found.fields["u"].shape, found.self_convergence_error < 1e-6, found.stated_error < 1e-6
    ((3, 33), True, True)
    """
    report: Progress = progress or (lambda share, text: None)
    started = time.perf_counter()
    t = np.linspace(0.0, problem_settings.horizon, settings.times)
    x = np.linspace(*PLACES, settings.points)
    coarse, modes, step = settings.coarse_modes, settings.modes, settings.time_step

    space, v = fourier(t, problem_settings, modes, step, part_of(report, 0.0, 0.45))
    fewer, longer = (
        solution.evaluate(coefficients, x)
        for solution, coefficients in (
            fourier(t, problem_settings, coarse, step, part_of(report, 0.45, 0.7)),
            fourier(t, problem_settings, modes, 2 * step, part_of(report, 0.7, 0.9)),
        )
    )
    u = space.evaluate(v, x)
    independent = finite_differences(
        t, x, problem_settings, settings.cells, settings.tolerance, part_of(report, 0.9, 1.0)
    )
    coarser_last = [relative_l2(u[-1], other[-1]) for other in (fewer, longer)]
    check_last = relative_l2(u[-1], independent[-1])
    return Reference(
        problem="kuramoto_sivashinsky",
        coordinates={"t": t, "x": x},
        fields={"u": u},
        solver="Fourier ETDRK4",
        resolution=f"{modes} modes, against {coarse}; time step {step:g}, against twice of it",
        step=step,
        self_convergence_error=[relative_l2(u, fewer), relative_l2(u, longer), *coarser_last],
        independent_check=f"finite differences of order 14, {settings.cells} cells on half of the domain, LSODA",
        independent_difference=[relative_l2(u, independent), check_last],
        seconds=time.perf_counter() - started,
        evidence={
            "mean drift": np.abs(v[:, 0].real) / np.sqrt(spectral.mean_square(v)),
            "symmetry defect": symmetry_defect(v[-1]),
            "coarser at the last time": coarser_last,
            "check at the last time": check_last,
        },
    )


def fourier(
    t: Values, problem_settings: ProblemSettings, modes: int, time_step: float, progress: Progress
) -> tuple[spectral.Fourier, spectral.Coefficients]:
    """The Fourier space and the coefficients of u at the times t by Fourier ETDRK4: (T, modes/2 + 1).

    The linear part is βκ² - γκ⁴, the rest -α/2 ∂(u²)/∂x, without aliasing. The initial condition
    cos(x) + ½ sin(2x) has the exact coefficients û_1 = ½, û_2 = -i/4.
    """
    space = spectral.Fourier(modes, *PLACES)

    def convection(v: spectral.Coefficients) -> spectral.Coefficients:
        return -0.5 * problem_settings.convection * space.derivative(space.pointwise(np.square, v))

    squared = space.wavenumbers**2
    symbol = problem_settings.growth * squared - problem_settings.damping * squared**2
    initial = np.zeros(modes // 2 + 1, complex)
    initial[1], initial[2] = 0.5, -0.25j
    return space, spectral.solve(symbol, convection, initial, t, time_step, progress)


def symmetry_defect(coefficients: spectral.Coefficients) -> float:
    """||u(π - x) + u(x)|| / ||u|| from the coefficients û_k (K,): u(π - x) has the coefficients (-1)^k conj(û_k).

    >>> symmetry_defect(np.array([0, 0.5, -0.25j])), symmetry_defect(np.array([1.0, 0, 0]))  # cos(x) + ½ sin(2x), and 1
    (0.0, 2.0)
    """
    sign = (-1.0) ** np.arange(len(coefficients))
    return float(
        np.sqrt(spectral.mean_square(coefficients + sign * np.conj(coefficients)) / spectral.mean_square(coefficients))
    )


def finite_differences(
    t: Values, x: Values, problem_settings: ProblemSettings, cells: int, tolerance: float, progress: Progress
) -> Values:
    """u at the times t and points x by the method of lines: (T, X).

    u is odd about x = π/2 and about x = 3π/2 at all times. Hence the domain between these two is enough, with
    u = ∂²u/∂x² = 0 at its ends, where the stencils see the odd continuation; and the Jacobian is a band, which the
    implicit steps of LSODA use. Its sine series carries the solution to the points x.
    """
    left, width = PLACES[0] + np.pi / 2, np.pi
    nodes = left + width * np.arange(cells + 1) / cells
    spacing = width / cells
    slope = central_stencil(1, REACH) / spacing
    linear = problem_settings.growth * central_stencil(2, REACH) / spacing**2
    linear += problem_settings.damping * central_stencil(4, REACH) / spacing**4

    def rate(time: float, inner: Values) -> Values:
        wide = odd_extension(np.concatenate([[0.0], inner, [0.0]]), REACH)[1:-1]
        convection = problem_settings.convection * inner * np.correlate(wide, slope, "valid")
        return -convection - np.correlate(wide, linear, "valid")

    start = (np.cos(nodes) * (1 + np.sin(nodes)))[1:-1]
    found = integrate(rate, (t[0], t[-1]), start, "LSODA", t, rtol=tolerance, atol=tolerance, lband=REACH, uband=REACH)
    progress(1.0, f"finite differences, {cells} cells")
    sines = dst(found.T, type=1) / cells
    return sines @ np.sin(np.outer(np.arange(1, cells), x - left))
