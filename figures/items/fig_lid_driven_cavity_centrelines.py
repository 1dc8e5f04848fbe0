"""Lid-driven cavity: velocities on the centre lines, with the tables of Ghia et al. and Erturk et al."""

from matplotlib.figure import Figure
from scipy.interpolate import CubicSpline

from figures.drawing.names import BLACK, problem_name
from figures.drawing.rendering import no_runs
from figures.drawing.summary import Summary, mapped_runs, read_fields
from figures.drawing.training_plots import TITLE, WIDTH
from figures.items.fig_lid_driven_cavity_fields import PROBLEM, reynolds, reynolds_in_words
from gradalign.references.solvers.cavity_tables import SOURCES, load

TABLES = {"ghia1982": ("Ghia et al. 1982", "o"), "erturk2005": ("Erturk et al. 2005", "s")}
"""Label and marker by name of the table."""


def render(summary: Summary) -> Figure:
    """Left: u(1/2, y). Right: v(x, 1/2). Reference and predictions of the first seed of every run, and tables."""
    runs, left_out = mapped_runs(summary, PROBLEM)
    if not runs:
        return no_runs(PROBLEM)
    figure = Figure(figsize=(WIDTH, 3.7))
    left, right = figure.subplots(1, 2)
    arrays = {run.name: read_fields(summary, run.name) for run in runs}
    first = arrays[runs[0].name]
    lines = [
        (first, "reference", {"color": BLACK, "linewidth": 3.5, "alpha": 0.3, "label": "Reference, regularised lid"})
    ]
    lines += [
        (
            arrays[run.name],
            "predicted",
            {"color": run.colour, "linestyle": run.line, "linewidth": 1.1, "label": run.label},
        )
        for run in runs
    ]
    for fields, kind, look in lines:
        x, y = fields["x"], fields["y"]
        left.plot(CubicSpline(x, fields[f"{kind}_u"], axis=0)(0.5), y, **look)
        right.plot(x, CubicSpline(y, fields[f"{kind}_v"], axis=1)(0.5), **look)
    for source in SOURCES:
        label, marker = TABLES[source]
        look = {"color": BLACK, "marker": marker, "markerfacecolor": "none", "markersize": 4, "linestyle": ""}
        for number in reynolds(summary):
            u, v = load(source, "u"), load(source, "v")
            if number in u.values:
                left.plot(u.values[int(number)], u.places, **look, label=f"{label}, sharp lid")
                right.plot(v.places, v.values[int(number)], **look)
    left.set(xlabel="$u$ (dimensionless)", ylabel="$y$", title="$u$ on the vertical line $x$ = 1/2")
    right.set(xlabel="$x$", ylabel="$v$ (dimensionless)", title="$v$ on the horizontal line $y$ = 1/2")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    tables = (
        "the tables are for the sharp lid, another flow" if len(left.lines) > len(lines) else "no table for this Re"
    )
    figure.suptitle(
        f"{problem_name(PROBLEM)}{reynolds_in_words(summary)}: first seed of every run{left_out}; {tables}", **TITLE
    )
    return figure
