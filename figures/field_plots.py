"""Plots of fields over time and one coordinate, for any problem and any runs."""

from pathlib import Path

import numpy as np
from common import BLACK, notice, number, read_fields, read_runs
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

DECADES = 5
"""The colours of the error span this many decades below the largest error."""


def field_figure(summary: Path, problem: str, field: str) -> Figure:
    """Reference and predictions on one colour scale, pointwise errors on another, and profiles at the last time."""
    runs = read_runs(summary, problem)
    if not runs:
        return notice(f"No run of {problem} at this scale.")
    fields = {run.name: read_fields(summary, run.name) for run in runs}
    first = fields[runs[0].name]
    t, x, reference = first["t"], first["x"], first[f"reference_{field}"]
    predicted = {run.name: fields[run.name][f"predicted_{field}"].astype(float) for run in runs}
    errors = {name: np.abs(values - reference) for name, values in predicted.items()}

    figure = Figure(figsize=(max(7.2, 1.9 * len(runs) + 1.5), 4.0))
    axes = figure.subplots(2, len(runs) + 1, squeeze=False)
    everything = np.stack([reference, *predicted.values()])
    colours = Normalize(float(everything.min()), float(everything.max()))
    largest = max(float(error.max()) for error in errors.values()) or 1.0
    error_colours = LogNorm(largest / 10**DECADES, largest)
    maps = [("Reference", reference)] + [(run.label, predicted[run.name]) for run in runs]
    for axis, (title, values) in zip(axes[0], maps, strict=True):
        shown = axis.pcolormesh(t, x, values.T, norm=colours, cmap="viridis", rasterized=True, shading="nearest")
        axis.set_title(title, fontsize=8)
    for axis, run in zip(axes[1, 1:], runs, strict=True):
        error = errors[run.name]
        size = float(np.linalg.norm(error) / np.linalg.norm(reference))
        floored = np.maximum(error, largest / 10**DECADES)
        shown_error = axis.pcolormesh(
            t, x, floored.T, norm=error_colours, cmap="magma", rasterized=True, shading="nearest"
        )
        axis.set_title(f"relative $L^2$ {number(size)}", fontweight="normal", fontsize=7.5)
    for axis in [*axes[0], *axes[1, 1:]]:
        axis.grid(False)
        axis.set_xlabel("time $t$")
    for axis in (axes[0, 0], axes[1, 1]):
        axis.set_ylabel("position $x$")
    for axis in [*axes[0, 1:], *axes[1, 2:]]:
        axis.set_yticklabels([])
    figure.colorbar(shown, ax=list(axes[0]), label=f"${field}$ (dimensionless)", pad=0.01)
    figure.colorbar(
        shown_error, ax=list(axes[1, 1:]), label=f"|error| of ${field}$ (dimensionless)", extend="min", pad=0.01
    )

    profile = axes[1, 0]
    profile.plot(x, reference[-1], color=BLACK, linewidth=2.5, alpha=0.35, label="reference")
    for run in runs:
        profile.plot(x, predicted[run.name][-1], color=run.colour, linestyle=run.line, linewidth=1, label=run.label)
    profile.set(xlabel="position $x$", ylabel=f"${field}$ at $t$ = {number(float(t[-1]))}")
    profile.set_title("Profiles at the last time", fontweight="normal", fontsize=7.5)
    return figure
