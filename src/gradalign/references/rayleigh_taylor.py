"""Rayleigh-Taylor flow by a Fourier-Legendre Galerkin method and ETDRK4, checked by collocation and by its budgets."""

import math
import time
from collections.abc import Callable

import numpy as np
from pydantic import Field, PositiveFloat, model_validator
from scipy.special import erf, erfc

from gradalign.base.settings import StrictModel
from gradalign.problems.rayleigh_taylor import HEIGHT, WIDTH
from gradalign.problems.rayleigh_taylor import Settings as ProblemSettings
from gradalign.references._contract import Progress, Reference, Values, part_of, relative_l2
from gradalign.references.solvers.boussinesq import Convection
from gradalign.references.solvers.boussinesq_collocation import CollocatedConvection

TOLERANCE = 1e-10
"""Of the Runge-Kutta steps of the independent check; the stability of its diffusion asks for shorter steps anyway."""


class Settings(StrictModel):
    """Grid of the reference solution, and resolutions of the two methods."""

    times: int = Field(default=17, ge=2, description="times of the grid, first and last of the horizon included")
    points: int = Field(default=64, ge=4, description="points of the grid in x, at i/points")
    heights: int = Field(default=129, ge=5, description="points of the grid in y, both walls included")
    modes: int = Field(default=128, ge=4, multiple_of=2, description="Fourier modes in x")
    degree: int = Field(default=160, ge=4, description="highest degree of the polynomials in y")
    coarse_modes: int = Field(default=96, ge=4, multiple_of=2, description="modes of the coarser solution")
    coarse_degree: int = Field(default=128, ge=4, description="degree of the coarser solution")
    time_step: PositiveFloat = Field(
        default=4e-3, description="longest time step; an even number fills an interval of the grid"
    )
    check_points: int = Field(default=64, ge=4, multiple_of=2, description="points in x of the independent check")
    check_degree: int = Field(default=80, ge=4, description="degree in y of the independent check")
    check_times: int = Field(default=3, ge=2, description="first times of the grid, which the check covers")

    @model_validator(mode="after")
    def _refines(self) -> "Settings":
        if self.coarse_modes >= self.modes or self.coarse_degree >= self.degree:
            raise ValueError(f"coarse_modes must be below modes = {self.modes}, coarse_degree below {self.degree}")
        if self.check_times > self.times:
            raise ValueError(f"check_times must not exceed times = {self.times}")
        return self


def compute(settings: Settings, progress: Progress | None, problem_settings: ProblemSettings) -> Reference:
    """u, v, w, T on a grid of ``times`` by ``points`` by ``heights``; float64, dimensionless.

    t and y include both ends, x = i/points does not include its upper one, where everything repeats. The reference is
    the Galerkin solution with ``modes`` modes, ``degree`` and ``time_step``, evaluated on the grid by its exact series.
    Its error is the largest, over the four fields, of the relative L2 differences to a coarser solution, to one with
    time steps twice as long, and to Fourier-Chebyshev collocation with Runge-Kutta steps over the first
    ``check_times`` times; and of the evidence: how far the kinetic energy and the heat depart from what the work of
    buoyancy, dissipation and the flux through the walls make of them, relative to their largest values, and how far
    the collocation solution, which does not know of it, departs from mirror symmetry.

    >>> small = Settings(times=3, points=8, heights=9, modes=16, degree=24, coarse_modes=12, coarse_degree=20,
    ...     time_step=0.05, check_points=16, check_degree=24, check_times=2)
    >>> mild = ProblemSettings(rayleigh=1e3, thickness=0.2, amplitude=0.2, horizon=0.5)
    >>> found = compute(small, None, mild)
    >>> found.fields["T"].shape, found.stated_error < 1e-3, sorted(found.evidence)
    ((3, 8, 9), True, ['heat budget', 'kinetic-energy budget', 'mirror symmetry'])
    """
    report: Progress = progress or (lambda share, text: None)
    started = time.perf_counter()
    t = np.linspace(0, problem_settings.horizon, settings.times)
    x = WIDTH * np.arange(settings.points) / settings.points
    y = np.linspace(0, HEIGHT, settings.heights)
    temperature = initial_temperature(problem_settings)
    coefficients = problem_settings.viscosity, problem_settings.diffusivity
    doubled = t[1] / math.ceil(t[1] / (2 * settings.time_step) * (1 - 1e-9))  # as in ``solve``: a whole quotient counts
    step = float(doubled / 2)

    def galerkin(
        modes: int, degree: int, step: float, start: float, end: float
    ) -> tuple[dict[str, Values], list[float]]:
        flow = Convection(modes, degree, *coefficients)
        states = flow.solve(flow.initial(temperature), t, step, part_of(report, start, end))
        budgets = flow.energy(states), flow.heat(states)
        return flow.fields(states, x, y), [float(np.ptp(a - b) / np.max(np.abs(a))) for a, b in budgets]

    fields, (energy, heat) = galerkin(settings.modes, settings.degree, step, 0.0, 0.4)
    longer, _ = galerkin(settings.modes, settings.degree, doubled, 0.4, 0.6)
    coarser, _ = galerkin(settings.coarse_modes, settings.coarse_degree, step, 0.6, 0.75)
    check = CollocatedConvection(settings.check_points, settings.check_degree, *coefficients)
    first = t[: settings.check_times]
    independent = check.solve(temperature, first, x, y, TOLERANCE, part_of(report, 0.75, 1.0))
    at_first = {name: values[: len(first)] for name, values in fields.items()}
    return Reference(
        problem="rayleigh_taylor",
        coordinates={"t": t, "x": x, "y": y},
        fields=fields,
        solver="Fourier-Legendre Galerkin method for the stream function, ETDRK4",
        resolution=f"{settings.modes} modes, degree {settings.degree}; coarser: {settings.coarse_modes} modes, degree "
        f"{settings.coarse_degree}; time step doubled",
        step=step,
        self_convergence_error=[*_differences(fields, longer), *_differences(fields, coarser)],
        independent_check=f"Fourier-Chebyshev collocation, {settings.check_points} points, degree "
        f"{settings.check_degree}, Runge-Kutta 8(5,3), t <= {first[-1]:g}",
        independent_difference=_differences(at_first, independent),
        seconds=time.perf_counter() - started,
        evidence={"kinetic-energy budget": energy, "heat budget": heat, "mirror symmetry": _asymmetry(independent)},
    )


def initial_temperature(problem_settings: ProblemSettings) -> Callable[[Values, Values], Values]:
    """T at t = 0 as a function of x and y, in float64 whatever the settings of JAX.

    >>> start = initial_temperature(ProblemSettings(thickness=0.05, amplitude=0.25))
    >>> round(float(start(np.array(0.0), np.array(0.75))), 3)
    0.5
    """
    width, amplitude = 2 * problem_settings.thickness, problem_settings.amplitude

    def temperature(x: Values, y: Values) -> Values:
        interface = 1 - amplitude * np.cos(2 * np.pi * x)
        return 0.5 * erfc((y - interface) / width) * erf(y / width) * erf((HEIGHT - y) / width)

    return temperature


def _differences(fields: dict[str, Values], others: dict[str, Values]) -> list[float]:
    """The relative L2 differences of all fields."""
    return [relative_l2(others[name], values) for name, values in fields.items()]


def _asymmetry(fields: dict[str, Values]) -> list[float]:
    """The relative L2 differences between the fields and their mirror images in x, where u and w change sign."""
    signs = {"u": -1, "v": 1, "w": -1, "T": 1}
    mirrored = {name: signs[name] * np.roll(values[:, ::-1], 1, axis=1) for name, values in fields.items()}
    return _differences(fields, mirrored)
