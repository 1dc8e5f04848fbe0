"""Burgers' equation by the Cole-Hopf closed form, checked by refinement and by a Fourier ETDRK4 solver."""

import math
import time

import numpy as np
from pydantic import Field, PositiveFloat, model_validator

from gradalign.base.settings import StrictModel
from gradalign.problems.burgers import DOMAIN
from gradalign.problems.burgers import Settings as ProblemSettings
from gradalign.references._contract import Progress, Reference, Values, part_of, relative_l2
from gradalign.references.solvers import cole_hopf, spectral


class Settings(StrictModel):
    """Grid of the reference solution, and resolutions of the two methods."""

    times: int = Field(default=201, ge=2, description="times of the grid, first and last of the horizon included")
    points: int = Field(default=512, ge=2, description="points of the grid in x, both ends included")
    nodes: int = Field(default=1501, ge=101, description="quadrature nodes of the Cole-Hopf reference")
    refined_nodes: int = Field(default=3001, ge=101, description="nodes of the refined one; more than nodes")
    modes: int = Field(default=2048, ge=64, multiple_of=2, description="Fourier modes of the independent check")
    time_step: PositiveFloat = Field(default=2.5e-4, description="longest time step of the independent check")

    @model_validator(mode="after")
    def _refines(self) -> "Settings":
        if self.refined_nodes <= self.nodes:
            raise ValueError(f"refined_nodes must exceed nodes = {self.nodes}")
        return self


def compute(
    settings: Settings,
    progress: Progress | None = None,
    problem_settings: ProblemSettings = ProblemSettings(),  # noqa: B008 - frozen
) -> Reference:
    """u on a grid of ``times`` by ``points`` over t in [0, 1], x in [-1, 1], both ends included; float64.

    The reference is the Cole-Hopf quadrature with ``nodes`` nodes. Its error is the larger of the relative L2
    differences to ``refined_nodes`` nodes and to a Fourier ETDRK4 solution evaluated on the grid by its exact series,
    which shares no step of the derivation. Dimensionless.

    >>> found = compute(Settings(times=3, points=9, nodes=801, refined_nodes=1001, modes=512, time_step=0.005),
    ...     problem_settings=ProblemSettings(viscosity=0.05))
    >>> found.fields["u"].shape, found.self_convergence_error < 1e-14, found.stated_error < 1e-6
    ((3, 9), True, True)
    """
    report: Progress = progress or (lambda share, text: None)
    started = time.perf_counter()
    (first, last), (left, right) = DOMAIN
    t, x = np.linspace(first, last, settings.times), np.linspace(left, right, settings.points)
    viscosity = problem_settings.viscosity

    u = cole_hopf.burgers(t, x, viscosity, settings.nodes, part_of(report, 0.0, 0.2))
    refined = cole_hopf.burgers(t, x, viscosity, settings.refined_nodes, part_of(report, 0.2, 0.6))
    independent = fourier(t, x, viscosity, settings.modes, settings.time_step, part_of(report, 0.6, 1.0))
    return Reference(
        problem="burgers",
        coordinates={"t": t, "x": x},
        fields={"u": u},
        solver="Cole-Hopf quadrature",
        resolution=f"{settings.nodes} nodes, refined to {settings.refined_nodes}",
        step=math.nan,
        self_convergence_error=relative_l2(u, refined),
        independent_check=f"Fourier ETDRK4, {settings.modes} modes, time step {settings.time_step:g}",
        independent_difference=relative_l2(u, independent),
        seconds=time.perf_counter() - started,
    )


def fourier(t: Values, x: Values, viscosity: float, modes: int, time_step: float, progress: Progress) -> Values:
    """u at the times t and points x by Fourier ETDRK4, from the form ∂u/∂t = ν ∂²u/∂x² - ½ ∂(u²)/∂x: (T, X).

    The solution with Dirichlet conditions is odd, hence also the periodic one.
    """
    space = spectral.Fourier(modes, *DOMAIN[1])

    def convection(v: spectral.Coefficients) -> spectral.Coefficients:
        return -0.5 * space.derivative(space.pointwise(np.square, v))

    diffusion = -viscosity * space.wavenumbers**2
    initial = space.interpolate(lambda y: -np.sin(np.pi * y))
    return space.evaluate(spectral.solve(diffusion, convection, initial, t, time_step, progress), x)
