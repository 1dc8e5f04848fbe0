"""1 - A of consecutive gradients against the step size: measured, with the projected term, and with the printed one."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.drawing.names import BLACK, BLUE, GREY, VERMILLION
from figures.drawing.rendering import notice
from figures.drawing.summary import Summary, read_claim_curves, read_table

PANELS = {"0": "s = 0, gradient descent", "0.5": "s = 1/2", "1": "s = 1, Newton: A = 1 exactly"}
LINES = {
    "unprojected": (VERMILLION, "--", "η²/2 ‖w‖²/‖g‖², as printed"),
    "projected": (BLUE, "-", "with w projected off g"),
}
PRINTED = {"measured": (BLACK, "+"), "projected": (BLUE, "x"), "unprojected": (VERMILLION, "x")}
CROSS: dict[str, Any] = {"markersize": 9, "markeredgewidth": 1.5, "linestyle": "none"}
STEP = 1e-2
"""The step size of the printed numbers."""
LOWEST = 1e-10
ROUNDING = 1e-31
"""1 - A is not known better than this."""


def render(summary: Summary) -> Figure:
    """A panel per exponent s of the preconditioner P^-s, with the printed numbers as crosses (T14e)."""
    points = read_claim_curves(summary, "T14")
    if points.empty:
        return notice("The claim T14 is not in this configuration.")
    records = read_table(summary, "claims", ["claim", "quantity", "expected"])
    figure = Figure(figsize=(7.2, 3.1))
    axes = figure.subplots(1, len(PANELS), sharey=True)
    for axis, (exponent, title) in zip(axes, PANELS.items(), strict=True):
        _panel(axis, points[points["quantity"] == f"1 - A, s = {exponent}"], records, exponent)
        axis.set_title(title)
    axes[0].set_ylabel("$1 - A(g_t, g_{t+1})$ (dimensionless)")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))
    return figure


def _panel(axis: Axes, points: pd.DataFrame, records: pd.DataFrame, exponent: str) -> None:
    for name, (colour, dash, label) in LINES.items():
        line = points[points["series"] == name]
        shown = line[line["y"] > LOWEST]
        axis.plot(shown["x"], shown["y"], color=colour, linestyle=dash, label=label)
    measured = points[points["series"] == "measured"]
    shown = measured[measured["y"] > LOWEST]
    axis.plot(shown["x"], shown["y"], color=BLACK, marker="o", markersize=3, linestyle="none", label="measured")
    for name, (colour, marker) in PRINTED.items():
        quantity = f"{name} 1 - A, second gradient, s = {exponent}"
        printed = records.loc[(records["claim"] == "T14e") & (records["quantity"] == quantity), "expected"]
        axis.plot([STEP] * len(printed), printed, color=colour, marker=marker, **CROSS)
    axis.plot([], [], color=GREY, marker="x", label="known at second hand", **CROSS)
    if measured["y"].max() < ROUNDING:
        text = f"measured: below {ROUNDING:.0e}\nat every step;\nwith projection: 0"
        axis.text(0.98, 0.04, text, transform=axis.transAxes, ha="right", fontsize=7.5)
    axis.set(xscale="log", yscale="log", ylim=(LOWEST, 1e2), xlabel="step size η")
