"""Kolmogorov flow by Fourier ETDRK4 for the vorticity, checked by refinement, budgets and projected velocities."""

import math
import time
from collections.abc import Mapping

import numpy as np
from pydantic import Field, PositiveFloat, model_validator
from scipy.interpolate import make_interp_spline

from gradalign.base.errors import ConfigurationError
from gradalign.base.settings import StrictModel
from gradalign.problems.kolmogorov_flow import BOX, FORCE_WAVES, initial_modes
from gradalign.problems.kolmogorov_flow import Settings as ProblemSettings
from gradalign.references._contract import Progress, Reference, Values, part_of, relative_l2
from gradalign.references.solvers.method_of_lines import integrate
from gradalign.references.solvers.plane import Plane
from gradalign.references.solvers.spectral import Coefficients, solve

SPLINE_DEGREE = 7
"""Degree of the spline through the rates of a budget, whose integral is then of order 8 in the samples."""

RELATIVE, ABSOLUTE = 1e-10, 1e-13
"""Tolerances of the Runge-Kutta check per step; velocities are of order 1. Both are means over all coefficients, most
of which are tiny, so that the few large ones may be off by a hundred times as much."""


STABLE = 4.0
"""Steps of the Runge-Kutta check times the fastest decay rate; DOP853 is stable up to about 6."""


class Settings(StrictModel):
    """Grid of the reference solution, and resolutions of the two methods."""

    times: int = Field(default=11, ge=2, description="times of the grid, first and last of the horizon included")
    points: int = Field(default=128, ge=4, description="points of the grid in x and in y, at i/points")
    modes: int = Field(default=768, ge=8, multiple_of=2, description="Fourier modes per axis of the reference")
    coarse_modes: int = Field(default=512, ge=8, multiple_of=2, description="modes for comparison, 4/5 or fewer")
    time_step: PositiveFloat = Field(default=2e-4, description="longest time step")
    check_modes: int = Field(default=192, ge=8, multiple_of=2, description="modes per axis of the second method")
    samples: int = Field(default=4, ge=1, description="samples of the budgets per interval of the grid in time")

    @model_validator(mode="after")
    def _compares(self) -> "Settings":
        if 5 * self.coarse_modes > 4 * self.modes:
            raise ValueError(f"coarse_modes must be at most 4/5 of modes = {self.modes}")
        if self.check_modes > self.modes:
            raise ValueError(f"check_modes must not exceed modes = {self.modes}")
        if (self.times - 1) * self.samples < SPLINE_DEGREE:
            raise ValueError(f"(times - 1) samples must be {SPLINE_DEGREE} or more")
        return self


def compute(settings: Settings, progress: Progress | None, problem_settings: ProblemSettings) -> Reference:
    """u, v and w = ∂v/∂x - ∂u/∂y on a grid of ``times`` by ``points`` by ``points``, x and y at i/points; float64.

    The reference is the solution of the vorticity equation with ``modes`` modes per axis, evaluated on the grid by its
    exact series. Its error is the largest, over u, v and w, of the relative L2 differences

    - in space, to one with ``coarse_modes``;
    - in time, between that one and one with a time step that is longer by ``modes`` / ``coarse_modes``, which is as far
      from instability as the reference is. From a ratio of 5/4 on, two steps of fourth order differ by more than the
      error of the shorter one;
    - to the second method: velocity and pressure projection in place of vorticity, a filtered grid in place of a
      padded one, Runge-Kutta steps in place of exponential ones. It is compared at ``check_modes``, where both solve
      the same truncated equations, so that the difference does not contain the truncation;

    and of the errors of the budgets of energy and enstrophy. The mean velocity and the divergence are zero by
    construction. Raises ``ConfigurationError`` where the modes do not hold the initial condition, or where the interval
    between two times has too few steps for that comparison. Dimensionless.

    >>> small = Settings(times=3, points=8, modes=24, coarse_modes=16, time_step=5e-3, check_modes=16)
    >>> found = compute(small, None, ProblemSettings(viscosity=0.02, peak=2.0, cutoff=2, horizon=0.05))
    >>> found.fields["w"].shape, found.stated_error < 1e-3
    ((3, 8, 8), True)
    """
    report: Progress = progress or (lambda share, text: None)
    started = time.perf_counter()
    t = np.linspace(0, problem_settings.horizon, settings.times)
    sampled = np.linspace(0, problem_settings.horizon, (settings.times - 1) * settings.samples + 1)
    x = np.arange(settings.points) / settings.points
    longer_step = _longer_step(settings, t[1])

    def series(at: Values, modes: int, time_step: float, start: float, end: float) -> Coefficients:
        return vorticity(at, problem_settings, modes, time_step, part_of(report, start, end))

    def on_grid(coefficients: Coefficients, modes: int) -> dict[str, Values]:
        return fields(coefficients, modes, x)

    finest = series(sampled, settings.modes, settings.time_step, 0.0, 0.55)
    evidence = budgets(sampled, finest, settings.modes, problem_settings)
    found = on_grid(finest[:: settings.samples], settings.modes)
    coarse = on_grid(series(t, settings.coarse_modes, settings.time_step, 0.55, 0.75), settings.coarse_modes)
    longer = on_grid(series(t, settings.coarse_modes, longer_step, 0.75, 0.85), settings.coarse_modes)
    small = on_grid(series(t, settings.check_modes, settings.time_step, 0.85, 0.9), settings.check_modes)
    second = projected_velocity(t, problem_settings, settings.check_modes, x, part_of(report, 0.9, 1.0))
    return Reference(
        problem="kolmogorov_flow",
        coordinates={"t": t, "x": x, "y": x},
        fields=found,
        solver="vorticity, Fourier ETDRK4",
        resolution=f"{settings.modes} x {settings.modes} modes, coarser {settings.coarse_modes}; "
        "time step longer by as much",
        step=settings.time_step,
        self_convergence_error=[*differences(coarse, found), *differences(longer, coarse)],
        independent_check=f"projected velocity, {settings.check_modes} x {settings.check_modes} modes, "
        "Runge-Kutta 8(5,3), against the first method with as many",
        independent_difference=differences(second, small),
        seconds=time.perf_counter() - started,
        evidence=evidence,
    )


def _longer_step(settings: Settings, interval: float) -> float:
    """The time step for comparison: fewer steps in each interval, by modes / coarse_modes or slightly more."""
    steps = math.ceil(interval / settings.time_step * (1 - 1e-9))
    fewer = steps * settings.coarse_modes // settings.modes
    if fewer == 0:
        raise ConfigurationError(
            f"time_step = {settings.time_step:g} at intervals of {interval:g}; allowed: {interval / 2:g} or less, "
            "so that a longer step can be compared"
        )
    return interval / fewer


def vorticity(
    t: Values,
    problem_settings: ProblemSettings,
    modes: int,
    time_step: float,
    progress: Progress = lambda share, text: None,
) -> Coefficients:
    """Coefficients of w at the times t by Fourier ETDRK4, from the initial condition: (T, M, M/2 + 1).

        ∂w/∂t = ν ∆w + (∂²/∂y² - ∂²/∂x²)(uv) + ∂²(u² - v²)/∂x∂y - 4πF cos(4πy)

    The velocities follow from -∆ψ = w. Written with second derivatives of products, four transforms a stage suffice,
    and none of the products is aliased.
    """
    plane = Plane(modes, modes, BOX)
    kx, ky = plane.wavenumbers
    cross, mixed = kx**2 - ky**2, -kx * ky
    force = np.zeros((modes, modes // 2 + 1), complex)
    force[0, FORCE_WAVES] = -2 * np.pi * FORCE_WAVES * problem_settings.forcing / 2  # cos = (exp + conjugate) / 2

    def convection(w: Coefficients) -> Coefficients:
        u, v = velocity(w, plane)
        uv, excess = plane.pointwise(lambda u, v: (u * v, u * u - v * v), u, v)
        return force + cross * uv + mixed * excess

    start = initial_vorticity(problem_settings, modes)
    return solve(-problem_settings.viscosity * (kx**2 + ky**2), convection, start, t, time_step, progress)


def initial_vorticity(problem_settings: ProblemSettings, modes: int) -> Coefficients:
    """Coefficients of w(0) = -∆ψ = Σ (2π|k|)² a_k cos(2π k·x + φ_k), exact: (M, M/2 + 1).

    Raises ``ConfigurationError`` where the modes do not hold all k, or not the force.
    """
    needed = 2 * max(problem_settings.cutoff, FORCE_WAVES) + 2
    if modes < needed:
        raise ConfigurationError(
            f"{modes} modes per axis with cutoff = {problem_settings.cutoff}; allowed: {needed} or more, "
            "so that they hold the initial condition and the force"
        )
    k = initial_modes(problem_settings.peak, problem_settings.cutoff)
    upper = k.ky >= 0  # the conjugate of the others is the one stored
    halves = (2 * np.pi) ** 2 * (k.kx**2 + k.ky**2) * k.amplitudes * np.exp(1j * k.phases) / 2
    coefficients = np.zeros((modes, modes // 2 + 1), complex)
    coefficients[k.kx[upper], k.ky[upper]] = halves[upper]
    coefficients[-k.kx[~upper], -k.ky[~upper]] = np.conj(halves[~upper])
    on_axis = k.ky == 0
    coefficients[-k.kx[on_axis], 0] = np.conj(halves[on_axis])
    return coefficients


def velocity(w: Coefficients, plane: Plane) -> tuple[Coefficients, Coefficients]:
    """Coefficients of u = ∂ψ/∂y and v = -∂ψ/∂x, where -∆ψ = w; of zero mean and zero divergence."""
    kx, ky = plane.wavenumbers
    squares = kx**2 + ky**2
    squares[0, 0] = np.inf  # the mean of ψ is free
    stream = w / squares
    return 1j * ky * stream, -1j * kx * stream


def fields(w: Coefficients, modes: int, x: Values) -> dict[str, Values]:
    """u, v and w on the grid x by x from coefficients of w (T, M, M/2 + 1): (T, X, X) each."""
    plane = Plane(modes, modes, BOX)
    return {name: plane.evaluate(values, x, x) for name, values in zip("uvw", (*velocity(w, plane), w), strict=True)}


def differences(values: Mapping[str, Values], reference: Mapping[str, Values]) -> list[float]:
    """The relative L2 differences of u, v and w."""
    return [relative_l2(values[name], reference[name]) for name in reference]


def budgets(t: Values, w: Coefficients, modes: int, problem_settings: ProblemSettings) -> dict[str, float]:
    """By how much the budgets of energy and enstrophy fail along a solution, largest over t, relative.

        d/dt <u² + v²>/2 = F <u sin(4πy)> - ν <w²>,   d/dt <w²>/2 = -4πF <w cos(4πy)> - ν <|∇w|²>

    Means over the square by Parseval's identity, integrals over time by splines of degree 7 through all t.
    """
    plane = Plane(modes, modes, BOX)
    kx, ky = plane.wavenumbers
    force, nu = problem_settings.forcing, problem_settings.viscosity

    def contents_and_rates(w: Coefficients) -> list[Values]:
        u, v = velocity(w, plane)
        energy, enstrophy = plane.mean_square(np.stack([u, v])).sum() / 2, plane.mean_square(w) / 2
        power = -force * u[0, FORCE_WAVES].imag - 2 * nu * enstrophy
        curl_power = -2 * np.pi * FORCE_WAVES * force * w[0, FORCE_WAVES].real
        return [energy, power, enstrophy, curl_power - nu * plane.mean_square(np.sqrt(kx**2 + ky**2) * w)]

    energy, power, enstrophy, curl_power = np.array([contents_and_rates(one) for one in w]).T  # one time after another

    def failure(content: Values, rate: Values) -> float:
        # Not finite in, not finite out: the reference refuses it and names the budget
        gained = make_interp_spline(t, rate, SPLINE_DEGREE, check_finite=False).antiderivative()(t)
        return float(np.max(np.abs(content - content[0] - gained)) / np.max(content))

    return {"energy budget": failure(energy, power), "enstrophy budget": failure(enstrophy, curl_power)}


def projected_velocity(
    t: Values, problem_settings: ProblemSettings, modes: int, x: Values, progress: Progress
) -> dict[str, Values]:
    """u, v and w at the times t on the grid x by x by a second method that shares no step with the first.

        ∂(u, v)/∂t = P[(v w, -u w) + (F sin(4πy), 0)] + ν ∆(u, v)

    P removes the gradient part, and with it the pressure. The initial velocity is the sum over its modes on the grid.
    Products are formed on a grid of 3/2 times as many points and cut back to ``modes`` modes per axis, so that the
    truncated equations are those of the first method; steps are those of DOP853, with error control.
    """
    count = 3 * modes // 4 * 2  # even; the shortest wave of a product that is mistaken for another is cut off
    points = np.arange(count) / count
    kx = 2 * np.pi * np.fft.fftfreq(count, 1 / count)[:, None]
    ky = 2 * np.pi * np.arange(count // 2 + 1)[None, :]
    squares = kx**2 + ky**2
    kept = (np.maximum(np.abs(kx), ky) < np.pi * modes * (1 - 1e-9)) & (squares > 0)
    inverse = np.where(squares > 0, 1 / np.maximum(squares, 1), 0)
    force = np.fft.rfft(problem_settings.forcing * np.sin(2 * np.pi * FORCE_WAVES * points))
    shape = (2, *squares.shape)

    def curl(flow: Coefficients) -> Coefficients:
        return 1j * (kx * flow[1] - ky * flow[0])

    def rate(time: float, state: Values) -> Values:
        flow: Coefficients = state.view(complex).reshape(shape)
        u, v, w = np.fft.irfft2(np.stack([*flow, curl(flow)]), (count, count))
        change = np.fft.rfft2(np.stack([v * w, -u * w]))
        change[0, 0] += count * force
        gradient = inverse * (kx * change[0] + ky * change[1])
        change -= np.stack([kx * gradient, ky * gradient])
        change = np.where(kept, change, 0) - problem_settings.viscosity * squares * flow
        return change.reshape(-1).view(float)

    longest = STABLE / (problem_settings.viscosity * np.max(squares[kept]))
    scale = count**2  # of transforms that are not normalised
    flow = np.empty((len(t), *shape), complex)
    flow[0] = kept * np.fft.rfft2(_initial_velocity(points, problem_settings))
    for index in range(1, len(t)):  # to each time by a step of its own: interpolation amplifies what decays fast
        state = flow[index - 1].reshape(-1).view(float)
        span = t[index - 1], t[index]
        found = integrate(rate, span, state, "DOP853", rtol=RELATIVE, atol=ABSOLUTE * scale, max_step=longest)
        flow[index] = np.ascontiguousarray(found[:, -1]).view(complex).reshape(shape)
        progress(index / (len(t) - 1), f"projected velocity, {modes} x {modes} modes")
    plane = Plane(count, count, BOX)
    flow = np.moveaxis(flow / scale, 1, 0)
    return {name: plane.evaluate(one, x, x) for name, one in zip("uvw", (*flow, curl(flow)), strict=True)}


def _initial_velocity(points: Values, problem_settings: ProblemSettings) -> Values:
    """u and v at t = 0 on the grid points by points, as the sum over all modes: (2, X, X)."""
    k = initial_modes(problem_settings.peak, problem_settings.cutoff)
    total = np.zeros((2, len(points), len(points)))
    for kx, ky, amplitude, phase in zip(k.kx, k.ky, k.amplitudes, k.phases, strict=True):
        wave = 2 * np.pi * amplitude * np.sin(2 * np.pi * (kx * points[:, None] + ky * points) + phase)
        total[0] -= ky * wave
        total[1] += kx * wave
    return total
