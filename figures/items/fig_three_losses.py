"""Six intra-step scores side by side, on the heat equation with three losses (T33)."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from figures.drawing.names import BLACK, METHODS
from figures.drawing.rendering import notice
from figures.drawing.summary import Summary, read_claim_curves
from gradalign.diagnostics.alignment import null_value

SIZES = ("697 parameters", "8577 parameters")
POINTS = ("fixed points", "redrawn points")
TICKS = {
    "raw gradients": "raw\n$g_i$",
    "common state": "common\n$P\\,g_i$",
    "own state": "own\n$P_i\\,g_i$",
    "own state, momentum": "own,\nmom.",
    "Gauss-Newton, power 1/2": "GN\n$p=1/2$",
    "Gauss-Newton, power 1": "GN\n$p=1$",
}
"""Tick labels by name of the score."""


def render(summary: Summary) -> Figure:
    """Window means of every seed by definition of the score: networks in rows, fixed and redrawn points in columns."""
    table = read_claim_curves(summary, "T33")
    if table.empty:
        return notice("The claim T33 is not part of this configuration.")
    figure = Figure(figsize=(7.2, 4.6))
    axes = figure.subplots(len(SIZES), len(POINTS), sharex=True, sharey=True)
    for row, size in zip(axes, SIZES, strict=True):
        for axis, points in zip(row, POINTS, strict=True):
            _panel(axis, table[table["quantity"] == f"{size}, {points}"])
            axis.set_title(f"{size}, {points}")
        row[0].set_ylabel("score A, mean over\nthe last quarter")
    handles = [
        Line2D([], [], color=colour, marker=marker, linestyle="", label=f"{label}, one seed")
        for label, colour, marker in (METHODS["adam"], METHODS["soap"])
    ]
    handles.append(Line2D([], [], color=BLACK, linewidth=1.5, label="mean over seeds"))
    handles.append(Line2D([], [], color=BLACK, linestyle="--", linewidth=1, label="2/n − 1 = −1/3"))
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure


def _panel(axis: Axes, rows: pd.DataFrame) -> None:
    axis.axhline(null_value(3), color=BLACK, linestyle="--", linewidth=1)
    for key, shift in (("adam", -0.17), ("soap", 0.17)):
        label, colour, marker = METHODS[key]
        for place, name in enumerate(TICKS):
            found = rows.loc[rows["series"] == f"{label}: {name}", "y"]
            axis.plot([place + shift] * len(found), found, color=colour, marker=marker, linestyle="", alpha=0.7)
            axis.plot([place + shift - 0.13, place + shift + 0.13], [found.mean()] * 2, color=BLACK, linewidth=1.5)
    axis.set(xlim=(-0.5, len(TICKS) - 0.5), ylim=(-1.05, 0.45), yticks=[-1, -0.5, 0])
    axis.set_xticks(range(len(TICKS)), list(TICKS.values()))
    axis.grid(visible=False, axis="x")
    for boundary in range(1, len(TICKS)):
        axis.axvline(boundary - 0.5, color="#e4e4e4", linewidth=0.6)
