"""The error of the published reference data of Burgers' equation, reproduced by a run of the same resolution.

The published data (201 times, 512 points in [-1, 1], both ends included) are those of a Fourier collocation with 511
modes and without dealiasing: such a run deviates from the Cole-Hopf closed form just as the data do. The front is about
4ν = 0.013 wide, three points. There are two more runs: one with nearly the same number of modes and dealiasing, and one
with twice as many modes without it. The latter agrees with the closed form to nine digits, so neither it nor the closed
form is in doubt. All quantities are dimensionless.
"""

import numpy as np
from pydantic import Field, PositiveFloat, field_validator

from gradalign.base.settings import StrictModel
from gradalign.problems.burgers import DOMAIN
from gradalign.problems.burgers import Settings as ProblemSettings
from gradalign.references import burgers
from gradalign.references._contract import Progress, Values, part_of, relative_l2
from gradalign.references.solvers import cole_hopf, spectral
from gradalign.references.solvers.collocation import Collocation
from gradalign.references.studies._contract import Series, errors

STUDY = "published_burgers"


class Settings(StrictModel):
    """Grid on which the runs are compared, and their resolutions."""

    times: int = Field(default=201, ge=2, description="times of the grid, first and last of the horizon included")
    points: int = Field(default=512, ge=2, description="points of the grid in x, both ends included")
    modes: int = Field(default=511, ge=33, description="modes of the run that reproduces the data, an odd number")
    time_step: PositiveFloat = Field(default=5e-4, description="longest time step; half of it to see its error")
    nodes: int = Field(default=1501, ge=101, description="quadrature nodes of Cole-Hopf's closed form")

    @field_validator("modes")
    @classmethod
    def _odd(cls, modes: int) -> int:
        if modes % 2 == 0:
            raise ValueError("must be odd: among an even number of points one mode is not defined")
        return modes


def compute(settings: Settings, progress: Progress | None = None) -> list[Series]:
    """Errors of three runs against the Cole-Hopf closed form: ``published``, ``dealiased`` and ``refined``.

    ``published``: 511 modes without dealiasing. ``dealiased``: 512 modes, products free of aliasing. ``refined``: 1023
    modes without dealiasing. Each has ``modes`` and the errors of ``_contract.errors``.
    ``change with half the time step`` is the relative L2 difference between ``published`` and a run with half its step.
    Raises ``FloatingPointError`` if the step is too long.

    >>> small = Settings(times=3, points=65, modes=255, time_step=2e-3, nodes=801)
    >>> found = {one.series: one.y[0] for one in compute(small) if one.quantity == "relative L2"}
    >>> found["published"] > 20 * found["refined"]
    True
    """
    report: Progress = progress or (lambda share, text: None)
    (first, last), (left, right) = DOMAIN
    t, x = np.linspace(first, last, settings.times), np.linspace(left, right, settings.points)
    viscosity, modes, step = ProblemSettings().viscosity, settings.modes, settings.time_step

    exact = cole_hopf.burgers(t, x, viscosity, settings.nodes, part_of(report, 0.0, 0.7))
    published = collocation(t, x, viscosity, modes, step, part_of(report, 0.7, 0.75))
    half_step = collocation(t, x, viscosity, modes, step / 2, part_of(report, 0.75, 0.85))
    refined = collocation(t, x, viscosity, 2 * modes + 1, step, part_of(report, 0.85, 0.93))
    dealiased = burgers.fourier(t, x, viscosity, modes + 1, step, part_of(report, 0.93, 1.0))

    runs = {
        "published": (modes, published),
        "dealiased": (modes + 1, dealiased),
        "refined": (2 * modes + 1, refined),
    }
    found = [Series.number(STUDY, "modes", name, count) for name, (count, _) in runs.items()]
    found += [one for name, (_, u) in runs.items() for one in errors(STUDY, name, u, exact, t, x)]
    change = relative_l2(published, half_step)
    return [*found, Series.number(STUDY, "change with half the time step", "published", change)]


def collocation(t: Values, x: Values, viscosity: float, modes: int, time_step: float, progress: Progress) -> Values:
    """u at the times t and points x by Fourier collocation without dealiasing and ETDRK4: (T, X)."""
    space = Collocation(modes, *DOMAIN[1])

    def convection(v: spectral.Coefficients) -> spectral.Coefficients:
        return -0.5j * space.wavenumbers * space.pointwise(np.square, v)

    diffusion = -viscosity * space.wavenumbers**2
    initial = space.interpolate(lambda y: -np.sin(np.pi * y))
    return space.evaluate(spectral.solve(diffusion, convection, initial, t, time_step, progress), x)
