"""Claims T12 and T13: what the angle between two losses costs, whatever their weights, and how a score proves it."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.drawing.names import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION
from figures.drawing.rendering import notice
from figures.drawing.summary import Summary, read_claim_curves

RATIOS = {1: (GREEN, "^"), 10: (SKY, "s"), 100: (BLUE, "D")}
PRECONDITIONERS = {
    "random blocks": (SKY, "s", "random blocks $D_i$"),
    "best of 41 loss weights": (ORANGE, "^", "best loss weights"),
    "block whitening": (BLACK, ".", r"whitening $D_i = K_{ii}^{-1/2}$"),
}


def render(summary: Summary) -> Figure:
    """kappa against the angle (T12), kappa against q (T13a), and certificates along gradient descent (T13c)."""
    curves = read_claim_curves(summary, "T12", "T13")
    if curves.empty:
        return notice("Claims T12 and T13 were not checked at this scale.")
    figure = Figure(figsize=(7.2, 3.5))
    left, middle, right = figure.subplots(1, 3)
    _angles(left, curves[curves["quantity"] == "kappa by angle"])
    _preconditioners(middle, curves[curves["quantity"] == "kappa by irreducible factor"])
    _certificates(right, curves)
    for axis in (left, middle, right):
        axis.set_yscale("log")
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), fontsize=6.5, handlelength=1.8)
    return figure


def _angles(axis: Axes, points: pd.DataFrame) -> None:
    angles = np.linspace(0.07, np.pi - 0.07, 301)
    for ratio, (colour, marker) in RATIOS.items():
        # kappa + 1/kappa = 2 b, with the larger root
        b = (1 + ratio) ** 2 / (2 * ratio * np.sin(angles) ** 2) - 1
        axis.plot(np.degrees(angles), b + np.sqrt(b**2 - 1), color=colour, linewidth=1)
        series = points[points["series"] == f"ratio {ratio}"]
        axis.plot(np.degrees(series["x"]), series["y"], color=colour, marker=marker, linestyle="", markersize=3)
        axis.plot([], [], color=colour, marker=marker, markersize=3, label=f"curvature ratio {ratio}")
    c = np.abs(np.cos(angles))
    bound = (1 + c) / (1 - c)
    axis.fill_between(np.degrees(angles), 0.3, bound, color=GREY, alpha=0.2, linewidth=0)
    best = points[points["series"] == "best of 81 loss weights"]
    axis.plot(
        np.degrees(best["x"]),
        best["y"],
        color=VERMILLION,
        marker="o",
        markerfacecolor="none",
        markersize=6,
        linestyle="",
        label="best of 81 loss weights,\nfrom equal curvatures",
    )
    axis.text(90, 0.42, "out of reach of all weights", ha="center", fontsize=6.5)
    axis.set(
        title="No loss weights beat the angle",
        xlabel="angle φ between the losses (degrees)",
        ylabel="condition number κ (dimensionless)",
        xlim=(0, 180),
        xticks=[0, 45, 90, 135, 180],
        ylim=(0.3, None),
    )


def _preconditioners(axis: Axes, points: pd.DataFrame) -> None:
    for name, (colour, marker, label) in PRECONDITIONERS.items():
        series = points[points["series"] == name]
        axis.plot(series["x"], series["y"], color=colour, marker=marker, markersize=2.5, linestyle="", label=label)
    low, high = points["x"].min() / 1.2, points["x"].max() * 1.2
    edge = np.array([low, high])
    axis.plot(edge, edge, color=VERMILLION, linewidth=1, zorder=1, label="κ = q")
    axis.fill_between(edge, 0.3, edge, color=GREY, alpha=0.2, linewidth=0)
    axis.text(0.95, 0.06, "below q:\nimpossible", transform=axis.transAxes, ha="right", fontsize=6.5)
    axis.set(
        title="300 problems, all above q",
        xlabel="irreducible factor q = (1 + c)/(1 − c)",
        ylabel="κ of D K Dᵀ (dimensionless)",
        xscale="log",
        xlim=(low, high),
        ylim=(1, None),
    )


def _certificates(axis: Axes, curves: pd.DataFrame) -> None:
    runs = curves[curves["quantity"] == "certificate by step"]
    for (_, run), (colour, line) in zip(
        runs.groupby("series"), ((BLUE, "-"), (GREEN, "--"), (PURPLE, "-.")), strict=False
    ):
        axis.plot(run["x"] + 1, run["y"], color=colour, linestyle=line, linewidth=1.2)
    axis.plot([], [], color=BLUE, label="certificate (1 + |A|)/(1 − |A|),\nthree starts")
    levels = curves[curves["quantity"] == "level"].set_index("series")["y"]
    for name, colour, label in (
        ("q", VERMILLION, "irreducible factor q"),
        ("best loss weights", ORANGE, "κ, best loss weights"),
        ("kappa", BLACK, "κ, unweighted"),
    ):
        line = {"q": "-", "best loss weights": "--", "kappa": ":"}[name]
        axis.axhline(levels[name], color=colour, linestyle=line, linewidth=1.2, label=label)
    axis.fill_between([1, runs["x"].max() + 1], levels["q"], 2 * levels["kappa"], color=GREY, alpha=0.2, linewidth=0)
    axis.text(1.3, 1.2 * levels["q"], "no score certifies more than q", fontsize=6.5)
    axis.set(
        title="Scores certify it on the way",
        xlabel="step of gradient descent, plus 1",
        ylabel="condition number (dimensionless)",
        xscale="log",
        xlim=(1, runs["x"].max() + 1),
        ylim=(0.8, 2 * levels["kappa"]),
    )
