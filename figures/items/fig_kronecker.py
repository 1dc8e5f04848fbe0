"""Shampoo, SOAP and the best Kronecker product as approximations of the second moment of gradients (T28, T29)."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.drawing.names import BLACK, BLUE, GREY, ORANGE, VERMILLION
from figures.drawing.rendering import notice
from figures.drawing.summary import Summary, read_claim_curves

LOOKS = {
    "Shampoo squared": ("Shampoo², best multiple", ORANGE, "^", ":"),
    "best Kronecker product": ("best Kronecker product", BLACK, "o", "--"),
    "SOAP": ("SOAP", VERMILLION, "s", "-"),
}


def render(summary: Summary) -> Figure:
    """Errors against the number of samples, SOAP against the best Kronecker product, and angles against their bound."""
    points = read_claim_curves(summary, "T28", "T29")
    if points.empty:
        return notice("The claims T28 and T29 were not checked at this scale.")
    figure = Figure(figsize=(7.2, 2.9))
    left, middle, right = figure.subplots(1, 3)
    errors = points[points["quantity"] == "relative error of F"]
    _errors(left, errors)
    _ratios(middle, errors)
    _angles(right, points[points["quantity"] == "squared tangent to the best factor"])
    return figure


def _errors(axis: Axes, errors: pd.DataFrame) -> None:
    for place, (series, (label, colour, marker, line)) in enumerate(LOOKS.items()):
        by_count = errors[errors["series"] == series].groupby("x")["y"]
        middle = by_count.median()
        ranges = np.stack([middle - by_count.min(), by_count.max() - middle])
        beside = middle.index.to_numpy() * 1.11 ** (place - 1)  # so that the bars do not hide each other
        axis.errorbar(
            beside,
            middle,
            ranges,
            color=colour,
            marker=marker,
            linestyle=line,
            linewidth=1,
            elinewidth=0.8,
            label=label,
        )
    axis.set(
        xscale="log",
        xlabel="gradients in the average",
        ylabel="relative Frobenius error of F (dimensionless)",
        title="Errors of F",
        ylim=(0, 1.25),
    )
    axis.legend(loc="upper right")


def _ratios(axis: Axes, errors: pd.DataFrame) -> None:
    wide = errors.pivot(index=["x", "seed"], columns="series", values="y")
    shampoo, soap = (wide[name] / wide["best Kronecker product"] for name in ("Shampoo squared", "SOAP"))
    worse = soap > 1
    for rows, colour, marker in ((~worse, BLUE, "o"), (worse, VERMILLION, "X")):
        axis.plot(shampoo[rows], soap[rows], color=colour, marker=marker, linestyle="", markersize=3.5, alpha=0.7)
    low, high = float(soap.min()) - 0.02, float(shampoo.max()) + 0.01
    axis.fill_between([low, high], [low, high], high + 1, color=GREY, alpha=0.15, linewidth=0)
    axis.plot([low, high], [low, high], color=BLACK, linewidth=1)
    axis.axhline(1, color=GREY, linewidth=0.9)
    axis.text(0.03, 0.93, "excluded by T29b", transform=axis.transAxes, fontsize=7)
    axis.text(
        0.97,
        0.03,
        f"{worse.sum()} of {len(wide)} above 1",
        transform=axis.transAxes,
        color=VERMILLION,
        fontsize=7,
        ha="right",
    )
    axis.set(
        xlim=(0.995, high),
        ylim=(low, high),
        xlabel="error of Shampoo² / best product",
        ylabel="error of SOAP / best product",
        title="SOAP ≤ Shampoo², always",
    )


def _angles(axis: Axes, angles: pd.DataFrame) -> None:
    for factor, colour, marker in (("L", BLUE, "o"), ("R", ORANGE, "^")):
        rows = angles[angles["series"] == factor]
        axis.plot(
            rows["x"], rows["y"], color=colour, marker=marker, linestyle="", markersize=3, alpha=0.6, label=factor
        )
    ends = np.array([angles["x"].min() / 2, 2 * angles["x"].max()])
    axis.plot(ends, ends, color=BLACK, linewidth=1)
    axis.fill_between(ends, ends, 20 * ends[1], color=GREY, alpha=0.15, linewidth=0)
    axis.set(
        xscale="log",
        yscale="log",
        xlim=ends,
        ylim=(angles["y"].min() / 2, 20 * ends[1]),
        xlabel="bound of T28c (dimensionless)",
        ylabel="tan² of the angle to the best factor",
        title="L, R near the best factors",
    )
    axis.legend(loc="lower right", handletextpad=0.1)
    axis.text(0.05, 0.9, "excluded by T28c", transform=axis.transAxes, fontsize=7)
