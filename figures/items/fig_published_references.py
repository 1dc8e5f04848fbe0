"""The error of published reference data beside the published error of SOAP: Burgers, Allen-Cahn and the cavity."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.drawing.names import BLACK, BLUE, GREEN, GREY, SKY, VERMILLION
from figures.drawing.published_errors import CONDITIONS, RELATIVE_L2
from figures.drawing.rendering import notice
from figures.drawing.study_tables import ALLEN_CAHN, BURGERS, CAVITY, CAVITY_FILES, Studies, error_text
from figures.drawing.summary import Summary

LIDS = {"sharp": (VERMILLION, "o"), "regularised": (BLUE, "s")}
RANGE = (1e-11, 1e-3)
"""Of the errors against time; lower ones are of no interest beside those that were published."""


def render(summary: Summary) -> Figure:
    """A panel per problem: errors against time, or against the cells of the grid."""
    studies = Studies(summary)
    panels = {BURGERS: _burgers, ALLEN_CAHN: _allen_cahn, CAVITY: _cavity}
    made = [name for name in panels if name in studies.names()]
    if not made:
        return notice("The published reference data were not studied at this scale.")
    figure = Figure(figsize=(2.5 * len(made), 3.9))
    for axis, name in zip(figure.subplots(1, len(made), squeeze=False)[0], made, strict=True):
        panels[name](axis, studies)
        axis.set_yscale("log")
        axis.legend(loc="upper center", bbox_to_anchor=(0.45, -0.18), fontsize=6.5, handlelength=1.8)
    return figure


def _burgers(axis: Axes, studies: Studies) -> None:
    for series, colour, kind in (
        ("published", VERMILLION, "modes, as the published data"),
        ("dealiased", SKY, "modes, dealiased"),
        ("refined", GREY, "modes, not dealiased"),
    ):
        label = f"{studies.count(BURGERS, 'modes', series)} {kind}"
        _against_time(axis, studies, BURGERS, series, colour, label)
    _published(axis, "burgers")
    axis.set(title="Burgers, against\nthe closed form", ylabel="relative L2 error (dimensionless)")


def _allen_cahn(axis: Axes, studies: Studies) -> None:
    modes = studies.count(ALLEN_CAHN, "modes", "published")
    for name, colour in (("kinked", VERMILLION), ("band-limited", GREEN)):
        label = f"{modes} modes, as the published data, against\nthe {name} initial condition"
        _against_time(axis, studies, ALLEN_CAHN, f"published against {name}", colour, label)
    _published(axis, "allen_cahn")
    axis.set(title="Allen-Cahn, against\nthe converged solutions")


def _against_time(axis: Axes, studies: Studies, study: str, series: str, colour: str, label: str) -> None:
    """The error at each time, and dashed that of the whole grid, whose number stands in the legend."""
    t, error = studies.line(study, "relative L2 by time", series)
    whole = studies.value(study, "relative L2", series)
    shown = np.where(error > 0, error, np.nan)
    axis.plot(t, shown, color=colour, linewidth=1.2, label=f"{label}: {error_text(whole)}")
    axis.axhline(whole, color=colour, linestyle="--", linewidth=0.8)
    axis.set(xlabel="time t", xlim=(0, None), ylim=RANGE)


def _cavity(axis: Axes, studies: Studies) -> None:
    reynolds = studies.value(CAVITY, "Reynolds number", "converged")
    ticks: set[float] = set()
    for lid, (colour, marker) in LIDS.items():
        cells, errors = studies.line(CAVITY, "relative L2 of the speed by cells", lid)
        label = f"against the {lid} lid, {cells[-1]:g} cells: {error_text(errors[-1])}"
        axis.plot(cells, errors, color=colour, marker=marker, linewidth=1.2, label=label)
        ticks |= set(cells)
        if reynolds in CAVITY_FILES[lid]:
            of_files = CAVITY_FILES[lid][reynolds]
            axis.axhline(float(of_files), color=colour, linestyle="--", linewidth=0.8)
            label = f"published files, against it: {of_files}"
            axis.plot([], [], color=colour, linestyle="--", linewidth=0.8, label=label)
    condition = CONDITIONS["lid_driven_cavity"]
    _published(axis, "lid_driven_cavity", f" for {condition}", comparable=condition == f"Re {reynolds:g}")
    axis.set(
        title=f"Cavity, Re {reynolds:g}: scheme\nof order 2, sharp lid",
        xlabel="cells a side",
        ylabel="relative L2 error of the speed",
        xscale="log",
    )
    axis.set_xticks(sorted(ticks), [f"{tick:g}" for tick in sorted(ticks)])
    axis.set_xticks([], minor=True)


def _published(axis: Axes, problem: str, condition: str = "", comparable: bool = True) -> None:
    """The published error of SOAP, as a line where it is for the same case, in the legend alone where it is not."""
    error = RELATIVE_L2[problem]["soap"]
    label = f"SOAP, published{condition}: {error_text(error)}"
    if comparable:
        axis.axhline(error, color=BLACK, linestyle=":", label=label)
    else:
        axis.plot([], [], linestyle="none", label=label)
