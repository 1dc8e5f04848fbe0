"""Plots of fields over two coordinates, at a few times, for any problem and any runs."""

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from figures.drawing.field_plots import Values, beyond, draw_map, error_colours, field_colours
from figures.drawing.names import problem_name
from figures.drawing.rendering import no_runs
from figures.drawing.summary import Run, Summary, mapped_runs, read_fields
from figures.drawing.text import number
from figures.drawing.training_plots import TITLE
from gradalign.references._contract import relative_l2

DECADES = 4
"""The colours of the error span this many decades below the largest error of a row."""
NARROW = 11
"""Characters of a title above the narrowest panels."""
NAMES = {"u": "velocity $u$", "v": "velocity $v$", "w": "vorticity $w$", "T": "temperature $T$"}
"""Words for the fields of flows."""


def snapshot_figure(summary: Summary, problem: str, fields: Sequence[str], times: int) -> Figure:
    """Reference, predictions and pointwise errors side by side; rows are the fields, each at ``times`` times.

    The last time is always among them, the others divide what is before it equally. Colours belong to a row: the range
    is that of the reference, errors are logarithmic.
    """
    runs, left_out = mapped_runs(summary, problem)
    if not runs:
        return no_runs(problem)
    arrays = {run.name: read_fields(summary, run.name) for run in runs}
    first = arrays[runs[0].name]
    t, x, y = first["t"], first["x"], first["y"]
    chosen = np.linspace(0, t.size - 1, times + 1).round().astype(int)[1:]
    rows = [(field, int(index)) for field in fields for index in chosen]
    labels = [wrapped(run.label) for run in runs]
    figure, axes = panels(len(rows), runs, (y[-1] - y[0]) / (x[-1] - x[0]))
    for place, (row, (field, index)) in enumerate(zip(axes, rows, strict=True)):
        reference = first[f"reference_{field}"][index]
        predicted = [arrays[run.name][f"predicted_{field}"][index].astype(float) for run in runs]
        draw_row(figure, row, (x, y), reference, predicted, labels if place == 0 else [""] * len(runs))
        row[0].set_ylabel(f"${field}$ at $t$ = {number(float(t[index]))}\n$y$")
    for axis in axes[-1]:
        axis.set_xlabel("$x$")
    flow = "reference_w" in first
    words = " and ".join(NAMES[field] if flow else f"${field}$" for field in fields)
    figure.suptitle(f"{problem_name(problem)}: {words} (dimensionless), first seed{left_out}", **TITLE)
    return figure


def wrapped(label: str) -> str:
    """A label in lines that fit above a panel of a tall plane; a dash may end a line.

    >>> wrapped("SOAP, then Gauss–Newton")
    'SOAP, then\\nGauss–\\nNewton'
    """
    return "\n".join(line.replace("– ", "–") for line in textwrap.wrap(label.replace("–", "– "), NARROW))


def panels(rows: int, runs: Sequence[Run], shape: float) -> tuple[Figure, NDArray[np.object_]]:
    """A figure whose panels have the height over width ``shape``, with its axes: a row of 1 + 2 runs each."""
    columns = 1 + 2 * len(runs)
    width = max(7.2, 0.9 * columns + 1.4)
    panel = (width - 2.1) / columns
    figure = Figure(figsize=(width, rows * (shape * panel + 0.19) + 0.75))
    return figure, figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)


def draw_row(
    figure: Figure,
    row: Sequence[Axes],
    grid: tuple[Values, Values],
    reference: Values,
    predicted: list[Values],
    labels: Sequence[str],
) -> None:
    """One row of maps with its two colour bars; above each error, its relative L2 norm.

    ``labels`` are what the predictions are called above the row, empty where the row above says it.
    """
    count = len(predicted)
    norm, colours = field_colours(reference)
    for axis, values in zip(row, [reference, *predicted], strict=False):
        draw_map(axis, *grid, values, norm, colours)
    for axis, label in zip(row, ["Reference" if labels[0] else "", *labels], strict=False):
        axis.set_title(label, fontsize=7.5)
    figure.colorbar(
        ScalarMappable(norm, colours), ax=list(row[: count + 1]), extend=beyond(norm, predicted), pad=0.01, aspect=14
    )
    errors = [np.abs(values - reference) for values in predicted]
    log = error_colours(errors, DECADES)
    for axis, error, values, label in zip(row[count + 1 :], errors, predicted, labels, strict=True):
        draw_map(axis, *grid, np.maximum(error, log.vmin or 0), log, "magma")
        head = f"{label}, error\n" if label else ""
        size = number(relative_l2(values, reference), 2)
        axis.set_title(f"{head}rel. $L^2$ {size}", fontweight="normal", fontsize=7)
    figure.colorbar(
        ScalarMappable(log, "magma"), ax=list(row[count + 1 :]), label="|error|", extend="min", pad=0.01, aspect=14
    )
    for axis in row:
        axis.set(aspect="equal")
        axis.tick_params(labelsize=6)
        for side, points in zip((axis.xaxis, axis.yaxis), grid, strict=True):
            longer = np.ptp(points) > 1.5 * min(map(np.ptp, grid))
            side.set_major_locator(MaxNLocator(4 if longer else 2, steps=[1, 2, 5, 10]))
