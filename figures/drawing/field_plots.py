"""Plots of fields over time and one coordinate, for any problem and any runs, and the colours of all maps of fields."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from figures.drawing.names import BLACK, problem_name
from figures.drawing.rendering import no_runs
from figures.drawing.summary import Summary, mapped_runs, read_fields
from figures.drawing.text import number
from figures.drawing.training_plots import TITLE
from gradalign.references._contract import relative_l2

Values = NDArray[np.float64]

DECADES = 5
"""The colours of the error span this many decades below the largest error."""


def field_figure(summary: Summary, problem: str, field: str) -> Figure:
    """Reference and predictions on one colour scale, pointwise errors on another, and profiles at the last time."""
    runs, left_out = mapped_runs(summary, problem)
    if not runs:
        return no_runs(problem)
    fields = {run.name: read_fields(summary, run.name) for run in runs}
    first = fields[runs[0].name]
    t, x, reference = first["t"], first["x"], first[f"reference_{field}"]
    predicted = [fields[run.name][f"predicted_{field}"].astype(float) for run in runs]

    figure = Figure(figsize=(max(7.2, 1.9 * len(runs) + 1.5), 4.1))
    axes = figure.subplots(2, len(runs) + 1, squeeze=False)
    norm, colours = field_colours(reference)
    for axis, title, values in zip(
        axes[0], ["Reference", *(run.label for run in runs)], [reference, *predicted], strict=True
    ):
        draw_map(axis, t, x, values, norm, colours)
        axis.set_title(title, fontsize=8)
    errors = [np.abs(values - reference) for values in predicted]
    log = error_colours(errors)
    for axis, error, values in zip(axes[1, 1:], errors, predicted, strict=True):
        draw_map(axis, t, x, np.maximum(error, log.vmin or 0), log, "magma")
        axis.set_title(f"relative $L^2$ {number(relative_l2(values, reference))}", fontweight="normal", fontsize=7.5)
    for axis in [*axes[0], *axes[1, 1:]]:
        axis.set_xlabel("time $t$")
    for axis in (axes[0, 0], axes[1, 1]):
        axis.set_ylabel("position $x$")
    for axis in [*axes[0, 1:], *axes[1, 2:]]:
        axis.set_yticklabels([])
    label = f"${field}$ (dimensionless)"
    figure.colorbar(
        ScalarMappable(norm, colours), ax=list(axes[0]), label=label, extend=beyond(norm, predicted), pad=0.01
    )
    figure.colorbar(
        ScalarMappable(log, "magma"), ax=list(axes[1, 1:]), label=f"|error| of {label}", extend="min", pad=0.01
    )

    profile = axes[1, 0]
    profile.plot(x, reference[-1], color=BLACK, linewidth=2.5, alpha=0.35, label="reference")
    for run, values in zip(runs, predicted, strict=True):
        profile.plot(x, values[-1], color=run.colour, linestyle=run.line, linewidth=1, label=run.label)
    profile.set(xlabel="position $x$", ylabel=f"${field}$ at $t$ = {number(float(t[-1]))}")
    profile.set_title("Profiles at the last time", fontweight="normal", fontsize=7.5)
    figure.suptitle(f"{problem_name(problem)}: first seed of every run{left_out}", **TITLE)
    return figure


def draw_map(axis: Axes, x: Values, y: Values, values: Values, norm: Normalize, colours: str) -> None:
    """A map of ``values`` (x.size, y.size), as pixels also in a vector format."""
    axis.pcolormesh(x, y, values.T, norm=norm, cmap=colours, rasterized=True, shading="nearest")
    axis.grid(visible=False)


def field_colours(reference: Values) -> tuple[Normalize, str]:
    """The range of the reference with its colours: red and blue about 0 where both signs matter, else one scale.

    >>> field_colours(np.array([-1.0, 2.0]))[1], field_colours(np.array([0.0, 2.0]))[1]
    ('RdBu_r', 'viridis')
    """
    low, high = float(np.min(reference)), float(np.max(reference))
    largest = max(abs(low), abs(high)) or 1.0
    if min(-low, high) > 0.1 * largest:
        return Normalize(-largest, largest), "RdBu_r"
    return Normalize(low, high if high > low else low + 1), "viridis"


def error_colours(errors: list[Values], decades: int = DECADES) -> LogNorm:
    """The decades below the largest of all errors; a prediction that is not a number has no say."""
    largest = max((float(np.nanmax(error)) for error in errors if np.isfinite(error).any()), default=0.0) or 1.0
    return LogNorm(largest / 10**decades, largest)


def beyond(norm: Normalize, predicted: list[Values]) -> str:
    """On which side predictions leave the range of the colours by more than a hundredth of it, for ``extend``.

    >>> beyond(Normalize(0, 1), [np.array([0.5, 1.2])])
    'max'
    """
    low, high = float(norm.vmin or 0), float(norm.vmax or 0)
    slack = 0.01 * (high - low)
    below = any(bool((values < low - slack).any()) for values in predicted)
    above = any(bool((values > high + slack).any()) for values in predicted)
    return {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}[below, above]
