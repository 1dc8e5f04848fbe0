"""Lid-driven cavity: speed with streamlines, of the reference and of the predictions, and pointwise errors."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.drawing.names import problem_name
from figures.drawing.rendering import no_runs
from figures.drawing.snapshot_plots import Values, draw_row, panels, wrapped
from figures.drawing.summary import Summary, mapped_runs, read_fields, read_table
from figures.drawing.training_plots import TITLE

PROBLEM = "lid_driven_cavity"


def render(summary: Summary) -> Figure:
    """Reference, predictions and errors of the first seed of every run in one row."""
    runs, left_out = mapped_runs(summary, PROBLEM)
    if not runs:
        return no_runs(PROBLEM)
    arrays = {run.name: read_fields(summary, run.name) for run in runs}
    first = arrays[runs[0].name]
    grid = (first["x"], first["y"])
    velocities = [(first["reference_u"], first["reference_v"])]
    velocities += [(arrays[run.name]["predicted_u"], arrays[run.name]["predicted_v"]) for run in runs]
    figure, axes = panels(1, runs, 1.0)
    reference, *predicted = [np.hypot(u, v).astype(float) for u, v in velocities]
    draw_row(figure, axes[0], grid, reference, predicted, [wrapped(run.label) for run in runs])
    for axis, (u, v) in zip(axes[0], velocities, strict=False):
        _streamlines(axis, grid, u, v)
    axes[0, 0].set_ylabel("$y$")
    for axis in axes[0]:
        axis.set_xlabel("$x$")
    title = f"{problem_name(PROBLEM)}{reynolds_in_words(summary)}: speed (dimensionless), first seed{left_out}"
    figure.suptitle(title, **TITLE)
    return figure


def reynolds(summary: Summary) -> list[float]:
    """The Reynolds numbers of the runs, which the last stage of a curriculum has."""
    table = read_table(summary, "runs", ["problem", "reynolds"])
    return sorted(set(table.loc[table["problem"] == PROBLEM, "reynolds"].dropna().astype(float)))


def reynolds_in_words(summary: Summary) -> str:
    """For titles; empty where no run names one."""
    found = reynolds(summary)
    return f", Re {', '.join(f'{value:g}' for value in found)}" if found else ""


def _streamlines(axis: Axes, grid: tuple[Values, Values], u: Values, v: Values) -> None:
    """Streamlines on an even grid of moderate size, which is what drawing them needs."""
    x, y = grid
    stride = max(1, x.size // 64)
    cut = (slice(None, None, stride), slice(None, None, stride))
    x, y = (np.linspace(points[0], points[::stride][-1], len(points[::stride])) for points in (x, y))
    limits = axis.get_xlim(), axis.get_ylim()
    axis.streamplot(x, y, u[cut].T, v[cut].T, color="white", linewidth=0.5, arrowsize=0.5, density=0.7)
    axis.set(xlim=limits[0], ylim=limits[1])
