"""The Korteweg-de Vries equation by Fourier ETDRK4, checked by refinement, invariants and finite differences."""

import time

import numpy as np
from pydantic import Field, PositiveFloat, model_validator

from gradalign.base.settings import StrictModel
from gradalign.problems.korteweg_de_vries import DOMAIN
from gradalign.problems.korteweg_de_vries import Settings as ProblemSettings
from gradalign.references._contract import Progress, Reference, Values, part_of, relative_l2
from gradalign.references._refinement import require_fewer_modes
from gradalign.references.solvers import spectral
from gradalign.references.solvers.finite_differences import central_stencil
from gradalign.references.solvers.method_of_lines import integrate

REACH = 8
"""Neighbours on each side in the finite differences: order 16 for ∂/∂x, order 14 for ∂³/∂x³."""

STABLE = 4.0
"""Steps of the Runge-Kutta check times the fastest frequency; DOP853 is stable up to about 5.5 for imaginary rates."""


class Settings(StrictModel):
    """Grid of the reference solution, and resolutions of the two methods."""

    times: int = Field(default=201, ge=2, description="times of the grid, first and last of the horizon included")
    points: int = Field(default=512, ge=2 * REACH + 2, description="points of the grid in x, both ends included")
    modes: int = Field(default=512, ge=64, multiple_of=2, description="Fourier modes of the reference")
    coarse_modes: int = Field(default=384, ge=64, multiple_of=2, description="modes of the coarser one; fewer")
    time_step: PositiveFloat = Field(default=5e-5, description="longest time step; twice of it for the coarser one")
    subdivisions: int = Field(default=1, ge=1, description="cells of the independent check per interval of the grid")

    _refines = model_validator(mode="after")(require_fewer_modes)


def compute(
    settings: Settings,
    progress: Progress | None = None,
    problem_settings: ProblemSettings = ProblemSettings(),  # noqa: B008 - frozen
) -> Reference:
    """u on a grid of ``times`` by ``points`` over t in [0, 1], x in [-1, 1], both ends included; float64.

    The reference is a Fourier ETDRK4 solution, evaluated on the grid by its exact series. The stated error is the
    largest of the relative L2 differences to a solution with ``coarse_modes`` modes, to one with twice the time step,
    and to finite differences with Runge-Kutta steps, which share no step of it, and of the evidence: the drifts of
    the three ``invariants`` over time. Dimensionless.

    >>> small = Settings(times=3, points=65, modes=128, coarse_modes=96, time_step=2e-3)
    >>> found = compute(small, problem_settings=ProblemSettings(dispersion=0.01))
    >>> found.fields["u"].shape, found.self_convergence_error < 1e-5, found.stated_error < 1e-4
    ((3, 65), True, True)
    """
    report: Progress = progress or (lambda share, text: None)
    started = time.perf_counter()
    (first, last), (left, right) = DOMAIN
    t, x = np.linspace(first, last, settings.times), np.linspace(left, right, settings.points)
    coarse, modes, step = settings.coarse_modes, settings.modes, settings.time_step
    dispersion = problem_settings.dispersion

    space, v = fourier(t, dispersion, modes, step, part_of(report, 0.0, 0.2))
    fewer, longer = (
        solution.evaluate(coefficients, x)
        for solution, coefficients in (
            fourier(t, dispersion, coarse, step, part_of(report, 0.2, 0.35)),
            fourier(t, dispersion, modes, 2 * step, part_of(report, 0.35, 0.45)),
        )
    )
    u = space.evaluate(v, x)
    independent = finite_differences(t, settings.points, dispersion, settings.subdivisions, part_of(report, 0.45, 1.0))
    evidence = {f"{name} drift": np.abs(q - q[0]) for name, q in invariants(space, v, dispersion).items()}
    cells = settings.subdivisions * (settings.points - 1)
    return Reference(
        problem="korteweg_de_vries",
        coordinates={"t": t, "x": x},
        fields={"u": u},
        solver="Fourier ETDRK4, complex coefficients",
        resolution=f"{modes} modes, against {coarse}; time step {step:g}, against twice of it",
        step=step,
        self_convergence_error=[relative_l2(u, fewer), relative_l2(u, longer)],
        independent_check=f"finite differences of order 14, {cells} cells, Runge-Kutta 8(5,3)",
        independent_difference=relative_l2(u, independent),
        seconds=time.perf_counter() - started,
        evidence=evidence,
    )


def fourier(
    t: Values, dispersion: float, modes: int, time_step: float, progress: Progress
) -> tuple[spectral.Fourier, spectral.Coefficients]:
    """The Fourier space and the coefficients of u at the times t by Fourier ETDRK4: (T, modes/2 + 1).

    The linear part -δ² (iκ)³ = iδ²κ³ is imaginary, the rest is -½ ∂(u²)/∂x, without aliasing.
    """
    space = spectral.Fourier(modes, *DOMAIN[1])

    def convection(v: spectral.Coefficients) -> spectral.Coefficients:
        return -0.5 * space.derivative(space.pointwise(np.square, v))

    symbol = -dispersion * (1j * space.wavenumbers) ** 3
    initial = space.interpolate(lambda x: np.cos(np.pi * x))
    return space, spectral.solve(symbol, convection, initial, t, time_step, progress)


def invariants(space: spectral.Fourier, coefficients: spectral.Coefficients, dispersion: float) -> dict[str, Values]:
    """Three integrals that the equation conserves, from coefficients (T, K), each scaled to be of order one: (T,).

    ``mass`` ∫u dx, relative to (2 ∫u² dx)^(1/2) at the first time; ``momentum`` ∫u² dx, relative to its first value;
    ``energy`` ∫(u³ - 3δ² (∂u/∂x)²) dx, relative to the largest 3δ² ∫(∂u/∂x)² dx (N. J. Zabusky and M. D. Kruskal 1965
    name the first two; R. M. Miura, C. S. Gardner and M. D. Kruskal, J. Math. Phys. 9, 1968, the third).

    >>> space = spectral.Fourier(8, -1.0, 1.0)
    >>> wave = space.interpolate(lambda x: np.cos(np.pi * x))[None]
    >>> {name: round(float(value[0]), 6) for name, value in invariants(space, wave, 1.0).items()}
    {'mass': 0.0, 'momentum': 1.0, 'energy': -1.0}
    """
    square = spectral.mean_square(coefficients)
    slopes = 3 * dispersion * spectral.mean_square(space.derivative(coefficients))
    cubes = np.array([space.pointwise(lambda u: u**3, v, degree=3)[0].real for v in coefficients])
    return {
        "mass": coefficients[:, 0].real / np.sqrt(square[0]),
        "momentum": square / square[0],
        "energy": (cubes - slopes) / np.max(slopes),
    }


def finite_differences(t: Values, points: int, dispersion: float, subdivisions: int, progress: Progress) -> Values:
    """u at the times t and at ``points`` equidistant points, both ends included, by the method of lines: (T, points).

    Central differences on a periodic grid with ``subdivisions`` cells per interval of the points, which are part of
    that grid. The convective term is a third of u ∂u/∂x plus a third of ∂(u²)/∂x, which conserves Σ u² on the grid and
    keeps the method stable. Explicit Runge-Kutta steps of order 8, as long as the fastest wave of the grid allows.
    """
    left, right = DOMAIN[1]
    cells = subdivisions * (points - 1)
    spacing = (right - left) / cells
    slope = central_stencil(1, REACH) / spacing
    third = dispersion * central_stencil(3, REACH) / spacing**3
    angles = np.outer(np.linspace(0, np.pi, 1001), np.arange(-REACH, REACH + 1))
    fastest = np.max(np.abs(np.exp(1j * angles) @ third))

    def rate(time: float, u: Values) -> Values:
        wide = np.concatenate([u[-REACH:], u, u[:REACH]])
        flux = np.correlate(wide**2, slope, "valid") + u * np.correlate(wide, slope, "valid")
        return -flux / 3 - np.correlate(wide, third, "valid")

    start = np.cos(np.pi * (left + spacing * np.arange(cells)))
    found = integrate(rate, (t[0], t[-1]), start, "DOP853", t, rtol=1e-10, atol=1e-10, max_step=STABLE / fastest)
    progress(1.0, f"finite differences, {cells} cells")
    return np.concatenate([found, found[:1]]).T[:, ::subdivisions]
