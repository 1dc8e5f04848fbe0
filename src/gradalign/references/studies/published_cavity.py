"""The error of published reference data of the lid-driven cavity, estimated with a solver of similar accuracy.

The published files hold the ``sharp`` lid, which moves along its whole length, at a low resolution. The network that
was evaluated against them was trained with the ``regularised`` lid, which rests at its corners; these are different
problems. The files may not be copied. A second-order scheme on a few grids takes their place, which may be copied:
``gradalign.references.solvers.cavity_finite_differences`` with the sharp lid, compared with the converged flow of
either lid. It shows the errors that a grid of the resolution of the files has, not the errors of the files themselves.
All quantities are dimensionless.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated

import numpy as np
from pydantic import Field, PositiveFloat, field_validator, model_validator

from gradalign.base.settings import StrictModel
from gradalign.references._contract import Progress, Values, part_of
from gradalign.references.solvers import cavity, cavity_finite_differences
from gradalign.references.solvers.cavity_lids import Lid
from gradalign.references.studies._contract import Series

STUDY = "published_cavity"

LIDS: tuple[Lid, ...] = ("sharp", "regularised")


class Settings(StrictModel):
    """Reynolds numbers on the way to the one that is studied, grids of the scheme, and the converged solver."""

    reynolds: list[PositiveFloat] = Field(
        default=[100.0, 400.0, 1000.0, 1600.0, 3200.0, 5000.0],
        min_length=1,
        description="Reynolds numbers, increasing: the way of the scheme to the last one, which is compared",
    )
    cells: list[Annotated[int, Field(ge=4)]] = Field(
        default=[64, 128, 256], min_length=1, description="cells a side of the scheme, increasing"
    )
    degree: int = Field(default=64, ge=8, description="degree of the converged solver")
    coarser_degree: int = Field(
        default=32, ge=8, description="a lower degree, which tells the error of the converged one"
    )

    @field_validator("reynolds", "cells")
    @classmethod
    def _increase(cls, values: list[float]) -> list[float]:
        if any(later <= earlier for earlier, later in pairwise(values)):
            raise ValueError("must increase")
        return values

    @model_validator(mode="after")
    def _refines(self) -> "Settings":
        if self.coarser_degree >= self.degree:
            raise ValueError(f"coarser_degree must be below degree = {self.degree}")
        return self


def compute(settings: Settings, progress: Progress | None = None) -> list[Series]:
    """Errors of the second-order scheme with the sharp lid by its cells, against the converged flow of either lid.

    ``relative L2 of the speed by cells``, series ``sharp`` and ``regularised``: ||s_h - s||/||s||, s = sqrt(u² + v²),
    over the nodes of the grid without the two corners of the lid, where the sharp lid has no velocity. s_h is always
    that of the sharp lid, and s that of the lid that names the series.

    On the nodes of the finest grid: ``relative L2 of the speed``, series ``regularised against sharp``, is the same for
    the two converged flows. Near the corners they differ so much that it depends on where the nodes lie.
    ``change with a lower degree``, by lid, is the same for the two degrees. ``Reynolds number`` and ``degree`` have the
    series ``converged``. Raises ``FloatingPointError`` or ``ArithmeticError`` if the scheme or the converged solver
    fails.

    >>> small = Settings(reynolds=[100.0], cells=[16, 32], degree=20, coarser_degree=16)
    >>> found = {(one.quantity, one.series): list(one.y) for one in compute(small)}
    >>> errors = found["relative L2 of the speed by cells", "sharp"]
    >>> 0.2 > errors[0] > 1.5 * errors[1]
    True
    """
    report: Progress = progress or (lambda share, text: None)
    grids = {cells: np.linspace(0, 1, cells + 1) for cells in settings.cells}
    finest = grids[settings.cells[-1]]
    scheme = _scheme(settings, part_of(report, 0.0, 0.4))
    found = [
        Series.number(STUDY, "Reynolds number", "converged", settings.reynolds[-1]),
        Series.number(STUDY, "degree", "converged", settings.degree),
    ]
    speeds = {}
    for index, lid in enumerate(LIDS):
        start, end = 0.4 + 0.3 * index, 0.7 + 0.3 * index
        middle = start + (end - start) / 4
        coarser, flow = (
            cavity.solve(settings.reynolds[-1:], lid, degree, part_of(report, *part))[-1]
            for degree, part in ((settings.coarser_degree, (start, middle)), (settings.degree, (middle, end)))
        )
        errors = [speed_error(speed, _speed(flow, grids[cells])) for cells, speed in scheme.items()]
        found.append(Series(STUDY, "relative L2 of the speed by cells", lid, settings.cells, errors))
        speeds[lid] = _speed(flow, finest)
        change = speed_error(_speed(coarser, finest), speeds[lid])
        found.append(Series.number(STUDY, "change with a lower degree", lid, change))
    between = speed_error(speeds["regularised"], speeds["sharp"])
    return [*found, Series.number(STUDY, "relative L2 of the speed", "regularised against sharp", between)]


def speed_error(speed: Values, exact: Values) -> float:
    """||speed - exact||/||exact|| over all nodes (N, N) except the two where the lid meets the walls.

    >>> speed_error(np.array([[3.0, 9.0], [5.0, 9.0]]), np.array([[3.0, 0.0], [4.0, 1.0]]))
    0.2
    """
    inside = np.ones(exact.shape, bool)
    inside[[0, -1], -1] = False
    return float(np.linalg.norm((speed - exact)[inside]) / np.linalg.norm(exact[inside]))


def _scheme(settings: Settings, progress: Progress) -> Mapping[int, Values]:
    """Speeds of the second-order scheme with the sharp lid at the last Reynolds number, by cells."""
    costs = np.cumsum([0, *(cells**3 for cells in settings.cells)]) / sum(cells**3 for cells in settings.cells)
    speeds = {}
    for cells, start, end in zip(settings.cells, costs[:-1], costs[1:], strict=True):
        part = part_of(progress, start, end)
        flow = cavity_finite_differences.solve(settings.reynolds, "sharp", cells, part)[-1]
        speeds[cells] = np.hypot(flow.u, flow.v)
    return speeds


def _speed(flow: cavity.Flow, nodes: Values) -> Values:
    u, v = flow.velocity(nodes, nodes)
    return np.hypot(u, v)
