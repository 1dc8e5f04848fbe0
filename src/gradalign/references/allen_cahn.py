"""The Allen-Cahn equation by Fourier ETDRK4, checked by refinement and by finite differences with Runge-Kutta steps."""

import time

import numpy as np
from pydantic import Field, PositiveFloat, model_validator

from gradalign.base.settings import StrictModel
from gradalign.problems.allen_cahn import DOMAIN, SAMPLES, band_limited_coefficients
from gradalign.problems.allen_cahn import Settings as ProblemSettings
from gradalign.references._contract import Progress, Reference, Values, part_of, relative_l2
from gradalign.references.solvers import spectral
from gradalign.references.solvers.method_of_lines import integrate

SECOND_DERIVATIVE = np.array([-205 / 72, 8 / 5, -1 / 5, 8 / 315, -1 / 560])
"""Weights of u_0, u_1 + u_-1, ..., u_4 + u_-4 in h² ∂²u/∂x², of order 8 (Fornberg, Math. Comp. 51, 1988)."""

STABLE = 4.0
"""Steps of the Runge-Kutta check times the fastest decay rate; DOP853 is stable up to about 6."""


class Settings(StrictModel):
    """Grid of the reference solution, and resolutions of the two methods."""

    times: int = Field(default=201, ge=2, description="times of the grid, first and last of the horizon included")
    points: int = Field(default=512, ge=6, description="points of the grid in x, both ends included")
    modes: int = Field(default=1024, ge=SAMPLES + 1, multiple_of=2, description="Fourier modes of the reference")
    refined_modes: int = Field(default=2048, ge=SAMPLES + 1, multiple_of=2, description="modes of the refined one")
    time_step: PositiveFloat = Field(default=1e-3, description="longest time step; half of it for the refined one")
    subdivisions: int = Field(default=4, ge=1, description="cells of the independent check per interval of the grid")

    @model_validator(mode="after")
    def _refines(self) -> "Settings":
        if self.refined_modes <= self.modes:
            raise ValueError(f"refined_modes must exceed modes = {self.modes}")
        return self


def compute(settings: Settings, progress: Progress | None, problem_settings: ProblemSettings) -> Reference:
    """u on a grid of ``times`` by ``points`` over t in [0, 1], x in [-1, 1], both ends included; float64.

    The reference is a Fourier ETDRK4 solution with ``modes`` modes, evaluated on the grid by its exact series. Its
    error is the largest of the relative L2 differences to one with ``refined_modes`` modes, to one with half the time
    step, and to finite differences of order 8 with Runge-Kutta steps, which share no step of it. It does not depend on
    the setting ``boundary`` of the problem. Dimensionless.

    >>> small = Settings(times=3, points=129, modes=512, refined_modes=640, time_step=0.01)
    >>> found = compute(small, None, ProblemSettings(initial_condition="band_limited", diffusion=1e-3))
    >>> found.fields["u"].shape, found.self_convergence_error < 1e-6, found.stated_error < 1e-6
    ((3, 129), True, True)
    """
    report: Progress = progress or (lambda share, text: None)
    started = time.perf_counter()
    (first, last), (left, right) = DOMAIN
    t, x = np.linspace(first, last, settings.times), np.linspace(left, right, settings.points)

    def spectral_solution(modes: int, time_step: float, start: float, end: float) -> Values:
        return fourier(t, x, problem_settings, modes, time_step, part_of(report, start, end))

    u = spectral_solution(settings.modes, settings.time_step, 0.0, 0.15)
    finer = spectral_solution(settings.refined_modes, settings.time_step, 0.15, 0.45)
    shorter = spectral_solution(settings.modes, settings.time_step / 2, 0.45, 0.75)
    independent = finite_differences(
        t, settings.points, problem_settings, settings.subdivisions, part_of(report, 0.75, 1.0)
    )
    cells = settings.subdivisions * (settings.points - 1)
    return Reference(
        problem="allen_cahn",
        coordinates={"t": t, "x": x},
        fields={"u": u},
        solver=f"Fourier ETDRK4, {problem_settings.initial_condition.replace('_', '-')} initial condition",
        resolution=f"{settings.modes} modes, refined to {settings.refined_modes}; time step halved",
        step=settings.time_step,
        self_convergence_error=[relative_l2(u, finer), relative_l2(u, shorter)],
        independent_check=f"finite differences of order 8, {cells} cells, Runge-Kutta 8(5,3)",
        independent_difference=relative_l2(u, independent),
        seconds=time.perf_counter() - started,
    )


def fourier(
    t: Values, x: Values, problem_settings: ProblemSettings, modes: int, time_step: float, progress: Progress
) -> Values:
    """u at the times t and points x by Fourier ETDRK4: (T, X).

    The linear part is D ∂²/∂x² + ρ, the rest -ρ u³, without aliasing.
    """
    space = spectral.Fourier(modes, *DOMAIN[1])
    rate = problem_settings.reaction

    def saturation(v: spectral.Coefficients) -> spectral.Coefficients:
        return -rate * space.pointwise(lambda u: u**3, v, degree=3)

    symbol = rate - problem_settings.diffusion * space.wavenumbers**2
    initial = initial_coefficients(modes, problem_settings)
    return space.evaluate(spectral.solve(symbol, saturation, initial, t, time_step, progress), x)


def initial_coefficients(modes: int, problem_settings: ProblemSettings) -> spectral.Coefficients:
    """Coefficients û_k of exp(iπk(x + 1)), k = 0..modes/2, of the initial condition: exact, not sampled.

    For x² cos(πx), with A(m) = ∫_0^1 x² cos(mπx) dx = 2 cos(mπ)/(mπ)² and A(0) = 1/3: û_k = (-1)^k (A(k-1) + A(k+1))/2.
    """
    k = np.arange(modes // 2 + 1, dtype=np.float64)
    sign = (-1.0) ** k  # exp(iπk(x + 1)) + exp(-iπk(x + 1)) = 2 (-1)^k cos(πkx)
    if problem_settings.initial_condition == "band_limited":
        a = band_limited_coefficients()
        cosines = np.pad(a, (0, len(k) - len(a)))
        coefficients = cosines * sign * np.where(k == 0, 1, 0.5)
    else:
        coefficients = sign * (_moment(k - 1) + _moment(k + 1)) / 2
    coefficients[-1] = 0  # as everywhere in solvers.spectral
    return coefficients.astype(complex)


def finite_differences(
    t: Values, points: int, problem_settings: ProblemSettings, subdivisions: int, progress: Progress
) -> Values:
    """u at the times t and at ``points`` equidistant points, both ends included, by the method of lines: (T, points).

    Central differences of order 8 on a periodic grid with ``subdivisions`` cells per interval of the points, which are
    part of that grid; explicit Runge-Kutta steps of order 8, which the small D allows.
    """
    left, right = DOMAIN[1]
    cells = subdivisions * (points - 1)
    grid = left + (right - left) * np.arange(cells) / cells
    weights = problem_settings.diffusion * SECOND_DERIVATIVE / ((right - left) / cells) ** 2
    reach = len(SECOND_DERIVATIVE) - 1

    def rate(time: float, u: Values) -> Values:
        wide = np.pad(u, reach, mode="wrap")
        change = weights[0] * u + problem_settings.reaction * (u - u**3)
        for shift in range(1, reach + 1):
            change += weights[shift] * (wide[reach + shift :][:cells] + wide[reach - shift :][:cells])
        return change

    start = grid**2 * np.cos(np.pi * grid)
    if problem_settings.initial_condition == "band_limited":
        k = np.arange(len(band_limited_coefficients()))
        start = np.cos(np.pi * np.outer(grid, k)) @ band_limited_coefficients()
    fastest = -weights[0] + 2 * np.abs(weights[1:]).sum()  # decay rate of the grid's shortest wave
    found = integrate(rate, (t[0], t[-1]), start, "DOP853", t, rtol=1e-10, atol=1e-10, max_step=STABLE / fastest)
    progress(1.0, f"finite differences, {cells} cells")
    return np.concatenate([found, found[:1]]).T[:, ::subdivisions]


def _moment(m: Values) -> Values:
    """A(m) = ∫_0^1 x² cos(mπx) dx for whole numbers m."""
    squared = np.where(m == 0, 1, m * np.pi) ** 2
    return np.where(m == 0, 1 / 3, 2 * (-1.0) ** np.abs(m) / squared)
