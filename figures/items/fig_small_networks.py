"""Poisson's equation fitted by a small network that is followed with exact matrices (T33)."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from figures.drawing.names import BLACK, GREEN, GREY, METHODS, ORANGE, PURPLE, SKY
from figures.drawing.rendering import notice
from figures.drawing.summary import Summary, read_claim_curves
from figures.drawing.text import seeds_in_words
from gradalign.diagnostics.alignment import null_value

LOOKS = {
    "Adam": (*METHODS["adam"][1:], "-"),
    "SOAP": (*METHODS["soap"][1:], "-"),
    "Levenberg-Marquardt": (*METHODS["gauss_newton"][1:], "-"),
    "SOAP without momentum": (PURPLE, "D", "--"),
}
"""Colour, marker and dashes by method."""

PANELS = {
    "loss": ("Second order fits best", "loss", "fixed points"),
    "gain": ("SOAP improves the spectrum", "gain in λ₁/λ₁₂ by P", "fixed points"),
    "newton": ("Gauss–Newton: not near 1", "score A, p = 1", "fixed points"),
    "common": ("SOAP: near-orthogonal", "score A of P gᵢ", "redrawn points"),
    "inter_update": ("Updates: momentum agrees", "cosine, two updates", "redrawn points"),
}
"""Title, label of y and point set by quantity."""

STRUCTURE = {
    "identity": ("off diagonal, parameters", BLACK, "o", ":"),
    "soap": ("off diagonal, SOAP's basis", METHODS["soap"][1], "s", "-"),
    "middle_soap": ("the same, middle kernel", ORANGE, "v", "--"),
    "kronecker": ("not Kronecker, middle kernel", SKY, "^", "-."),
}


def render(summary: Summary) -> Figure:
    """Loss, spectrum, scores and structure against the step: thin lines are seeds, thick ones their medians."""
    table = read_claim_curves(summary, "T33")
    if table.empty:
        return notice("The claim T33 is not part of this configuration.")
    figure = Figure(figsize=(7.2, 4.9))
    axes = figure.subplots(2, 3).ravel()
    for axis, (quantity, (title, label, points)) in zip(axes, PANELS.items(), strict=False):
        for series, rows in table[table["quantity"] == quantity].groupby("series", sort=False):
            _lines(axis, rows, str(series).split(", ")[0])
        axis.set(xscale="log", title=title, ylabel=label, xlabel=f"step, {points}")
        if quantity in ("loss", "gain"):
            axis.set_yscale("log")
            continue
        axis.axhline(null_value(2), color=BLACK, linestyle="--", linewidth=1)
        axis.set(ylim=(-1.05, 1.05), yticks=[-1, -0.5, 0, 0.5, 1])
    _momentum(axes[4])
    _structure(axes[5], table[table["quantity"] == "structure"])
    drawn = [axis.get_legend_handles_labels() for axis in axes[: len(PANELS)]]
    named = {label: handle for handles, labels in drawn for handle, label in zip(handles, labels, strict=True)}
    handles = [named[name] for name in LOOKS]
    seeds = seeds_in_words(table["seed"])
    handles.append(Line2D([], [], color=GREY, alpha=0.6, linewidth=0.6, label=f"one of {seeds}"))
    handles.append(Line2D([], [], color=BLACK, linestyle="--", linewidth=1, label="orthogonal: 2/n − 1 = 0"))
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    return figure


def _lines(axis: Axes, rows: pd.DataFrame, name: str) -> None:
    colour, marker, dashes = LOOKS[name]
    for _, seed in rows.groupby("seed"):
        axis.plot(seed["x"], seed["y"], color=colour, alpha=0.4, linewidth=0.6)
    middle = rows.groupby("x")["y"].median()
    axis.plot(
        middle.index, middle, color=colour, marker=marker, linestyle=dashes, markevery=4, markersize=3.5, label=name
    )


def _momentum(axis: Axes) -> None:
    """Momentum averages of unrelated gradients have the cosine b1."""
    axis.axhline(0.95, color=GREEN, linestyle=":", linewidth=1.2)
    words = "dotted: b₁ = 0.95, averages\nof unrelated gradients"
    axis.text(0.98, 0.12, words, fontsize=6.5, ha="right", transform=axis.get_yaxis_transform())


def _structure(axis: Axes, rows: pd.DataFrame) -> None:
    for name, (label, colour, marker, dashes) in STRUCTURE.items():
        by_step = rows[rows["series"] == name].groupby("x")["y"]
        middle = by_step.median()
        axis.fill_between(middle.index, by_step.min(), by_step.max(), color=colour, alpha=0.15, linewidth=0)
        axis.plot(middle.index, middle, color=colour, marker=marker, linestyle=dashes, label=label)
    axis.set(
        xscale="log",
        ylim=(-0.32, 1.05),
        yticks=[0, 0.5, 1],
        title="JᵀJ: not SOAP's model",
        ylabel="share of the norm",
        xlabel="step of SOAP, fixed points",
    )
    axis.legend(loc="lower right", fontsize=6)
