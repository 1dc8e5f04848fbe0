"""The lid-driven cavity by a Legendre-Galerkin stream function and Newton's method, checked by spline collocation."""

import math
import time

import numpy as np
from pydantic import Field, model_validator

from gradalign.base.settings import StrictModel
from gradalign.problems.lid_driven_cavity import DOMAIN
from gradalign.problems.lid_driven_cavity import Settings as ProblemSettings
from gradalign.references._contract import Progress, Reference, part_of, relative_l2
from gradalign.references.solvers import cavity, cavity_collocation


class Settings(StrictModel):
    """Grid of the reference solution, and resolutions of the two methods."""

    points: int = Field(default=256, ge=5, description="points of the grid in x and in y, the walls included")
    degree: int = Field(default=64, ge=8, description="polynomials of the reference in each direction")
    coarser_degree: int = Field(default=48, ge=6, description="polynomials of the coarser one; fewer than degree")
    elements: int = Field(default=32, ge=6, description="elements of the independent check in each direction")

    @model_validator(mode="after")
    def _refines(self) -> "Settings":
        if self.coarser_degree >= self.degree:
            raise ValueError(f"coarser_degree must be below degree = {self.degree}")
        return self


def compute(settings: Settings, progress: Progress | None, problem_settings: ProblemSettings) -> Reference:
    """u and v on a grid of ``points`` by ``points`` over [0, 1]², the walls included; float64, dimensionless.

    The reference is the Galerkin solution of ``degree``, evaluated on the grid by its exact series; the ends of the lid
    have the velocity of the lid. Its error is the largest, in u and v together, of the relative L2 differences to one
    of ``coarser_degree`` and to collocation with splines in the strong form of the equation, which starts from the
    reference, but shares no step of it; and of the evidence, the relative differences between the two methods in the
    smallest u on x = 1/2 and in the smallest v on y = 1/2.

    >>> small = Settings(points=17, degree=24, coarser_degree=20, elements=16)
    >>> found = compute(small, None, ProblemSettings(reynolds=10.0))
    >>> found.fields["u"].shape, round(float(found.fields["u"][8, -1]), 9), found.stated_error < 5e-3
    ((17, 17), 1.0, True)
    """
    report: Progress = progress or (lambda share, text: None)
    started = time.perf_counter()
    x, y = (np.linspace(low, high, settings.points) for low, high in DOMAIN)
    number, lid = problem_settings.reynolds, problem_settings.lid

    [coarser] = cavity.solve([number], lid, settings.coarser_degree, part_of(report, 0.0, 0.3))
    [flow] = cavity.solve([number], lid, settings.degree, part_of(report, 0.3, 0.9))
    check = cavity_collocation.solve(number, lid, settings.elements, flow.stream_function)
    report(1.0, f"collocation, {settings.elements} elements")
    u, v = flow.velocity(x, y)
    self_convergence, difference = (
        relative_l2(np.stack([u, v]), np.stack(other.velocity(x, y))) for other in (coarser, check)
    )
    return Reference(
        problem="lid_driven_cavity",
        coordinates={"x": x, "y": y},
        fields={"u": u, "v": v},
        solver=f"Legendre-Galerkin stream function, Newton's method, {lid} lid, Re {number:g}",
        resolution=f"degree {settings.degree}; coarser: {settings.coarser_degree}",
        step=math.nan,
        self_convergence_error=self_convergence,
        independent_check=f"spline collocation, {settings.elements} elements",
        independent_difference=difference,
        seconds=time.perf_counter() - started,
        evidence=_extrema(flow, check),
    )


def _extrema(flow: cavity.Flow, check: cavity_collocation.SplineFlow) -> dict[str, float]:
    """Relative differences of the check at the places where the reference has its extrema on the centre lines."""
    middle = np.array([0.5])
    u, _, v = flow.extrema()
    found_u = check.velocity(middle, np.array([u.place]))[0].item()
    found_v = check.velocity(np.array([v.place]), middle)[1].item()
    return {
        "smallest u on x = 1/2": abs(found_u / u.value - 1),
        "smallest v on y = 1/2": abs(found_v / v.value - 1),
    }
