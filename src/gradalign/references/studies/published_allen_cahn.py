"""The error of the published reference data of the Allen-Cahn equation, which depends on the initial condition.

The published data (201 times, 512 points in [-1, 1], both ends included) are those of a Fourier collocation with 511
modes and without dealiasing, started from x² cos(πx) at its 511 points. It knows nothing of this function between them,
so it solves the problem with the ``band-limited`` initial condition, the trigonometric interpolant. The ``kinked``
initial condition, x² cos(πx) itself, poses another problem: see ``gradalign.problems.allen_cahn``. All quantities are
dimensionless.
"""

import numpy as np
from pydantic import Field, PositiveFloat

from gradalign.base.settings import StrictModel
from gradalign.problems.allen_cahn import DOMAIN, SAMPLES
from gradalign.problems.allen_cahn import Settings as ProblemSettings
from gradalign.references import allen_cahn
from gradalign.references._contract import Progress, Values, part_of, relative_l2
from gradalign.references.solvers import spectral
from gradalign.references.solvers.collocation import Collocation
from gradalign.references.studies._contract import Series, errors

STUDY = "published_allen_cahn"

PROBLEMS = {
    "band-limited": ProblemSettings(initial_condition="band_limited"),
    "kinked": ProblemSettings(initial_condition="kinked"),
}


class Settings(StrictModel):
    """Grid on which the solutions are compared, and resolutions of the converged ones."""

    times: int = Field(default=201, ge=2, description="times of the grid, first and last of the horizon included")
    points: int = Field(default=512, ge=2, description="points of the grid in x, both ends included")
    time_step: PositiveFloat = Field(default=1e-3, description="longest time step of all runs")
    band_limited_modes: int = Field(
        default=2048, ge=2 * SAMPLES + 2, multiple_of=4, description="modes of the converged band-limited solution"
    )
    kinked_modes: int = Field(
        default=4096,
        ge=2 * SAMPLES + 2,
        multiple_of=4,
        description="modes of the converged kinked one: more are needed",
    )


def compute(settings: Settings, progress: Progress | None = None) -> list[Series]:
    """Three comparisons, each named after its two solutions, and the accuracy of the two converged solutions.

    ``published against band-limited`` and ``published against kinked``: a run with 511 modes without dealiasing against
    the converged solution of each initial condition. ``kinked against band-limited``: the two converged solutions. Each
    has the errors of ``_contract.errors`` and the ``share at the ends by time``: the part of the squared error of the
    whole grid that lies at the two ends in space, up to each time.

    ``band-limited`` and ``kinked``: ``modes``, and ``change with half the modes``. ``published``: ``modes``, and
    ``change with half the time step``. Changes are relative L2. Raises ``FloatingPointError`` if a step is too long.

    >>> small = Settings(times=51, points=74, time_step=0.01, band_limited_modes=1024, kinked_modes=1024)
    >>> found = {(one.quantity, one.series): one.y[0] for one in compute(small)}
    >>> found["relative L2", "published against band-limited"] < 1e-6 < found["relative L2", "published against kinked"]
    True
    """
    report: Progress = progress or (lambda share, text: None)
    (first, last), (left, right) = DOMAIN
    t, x = np.linspace(first, last, settings.times), np.linspace(left, right, settings.points)
    modes = {"band-limited": settings.band_limited_modes, "kinked": settings.kinked_modes}
    shares = {"band-limited": (0.1, 0.3), "kinked": (0.3, 1.0)}

    published = collocation(t, x, settings.time_step, part_of(report, 0.0, 0.03))
    half_step = collocation(t, x, settings.time_step / 2, part_of(report, 0.03, 0.1))
    found = [
        Series.number(STUDY, "modes", "published", SAMPLES),
        Series.number(STUDY, "change with half the time step", "published", relative_l2(published, half_step)),
    ]
    converged = {}
    for name, problem_settings in PROBLEMS.items():
        (start, end), count = shares[name], modes[name]
        middle = start + (end - start) / 3
        coarser, converged[name] = (
            allen_cahn.fourier(t, x, problem_settings, each, settings.time_step, part_of(report, *part))
            for each, part in ((count // 2, (start, middle)), (count, (middle, end)))
        )
        found.append(Series.number(STUDY, "modes", name, count))
        change = relative_l2(coarser, converged[name])
        found.append(Series.number(STUDY, "change with half the modes", name, change))
    for name, u, exact in (
        ("published against band-limited", published, converged["band-limited"]),
        ("published against kinked", published, converged["kinked"]),
        ("kinked against band-limited", converged["kinked"], converged["band-limited"]),
    ):
        found += errors(STUDY, name, u, exact, t, x)
        found.append(Series(STUDY, "share at the ends by time", name, t, share_at_the_ends(u - exact)))
    return found


def collocation(t: Values, x: Values, time_step: float, progress: Progress) -> Values:
    """u at the times t and points x by Fourier collocation with 511 modes, without dealiasing, and ETDRK4: (T, X)."""
    settings = PROBLEMS["band-limited"]
    space = Collocation(SAMPLES, *DOMAIN[1])

    def saturation(v: spectral.Coefficients) -> spectral.Coefficients:
        return -settings.reaction * space.pointwise(lambda u: u**3, v)

    symbol = settings.reaction - settings.diffusion * space.wavenumbers**2
    initial = space.interpolate(lambda y: y**2 * np.cos(np.pi * y))
    return space.evaluate(spectral.solve(symbol, saturation, initial, t, time_step, progress), x)


def share_at_the_ends(difference: Values) -> Values:
    """The sum of squares of the first and last column up to each row, divided by that of all entries: (T, X) -> (T,).

    >>> share_at_the_ends(np.array([[1.0, 1.0, 1.0], [0.0, 1.0, 1.0]])).tolist()
    [0.4, 0.6]
    """
    return np.cumsum(np.sum(difference[:, [0, -1]] ** 2, axis=1)) / np.sum(difference**2)
