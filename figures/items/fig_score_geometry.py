"""What a value of the score means for n gradients: thresholds, and random draws that keep to them (T1, T2, T8)."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.drawing.names import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION
from figures.drawing.rendering import notice
from figures.drawing.summary import Summary, read_claim_curves
from gradalign.diagnostics.alignment import common_descent_threshold, conflict_free_threshold, null_value

COUNTS = range(2, 11)
LOOKS = [(2, BLUE, "o"), (3, ORANGE, "^"), (5, PURPLE, "s"), (10, SKY, "D")]


def render(summary: Summary) -> Figure:
    """Thresholds by n; the score against the mean cosine; its threshold for conflicts and for descent at n = 3."""
    points = read_claim_curves(summary, "T1", "T2", "T8")
    if points.empty:
        return notice("The claims T1, T2 and T8 were not checked at this scale.")
    figure = Figure(figsize=(7.2, 5.2))
    ((upper_left, upper_right), (lower_left, lower_right)) = figure.subplots(2, 2)
    _thresholds(upper_left)
    _mean_cosines(upper_right, points[points["claim"] == "T1"])
    _conflicts(lower_left, points[points["claim"] == "T2"])
    _descent(lower_right, points[points["claim"] == "T8"])
    return figure


def _thresholds(axis: Axes) -> None:
    lines = [
        (conflict_free_threshold, VERMILLION, "s", "above: no pair conflicts (T2b)"),
        (common_descent_threshold, GREEN, "^", "above: normalised sum lowers every loss (T8b)"),
        (null_value, BLACK, "o", "orthogonal gradients: 2/n − 1 (T1)"),
    ]
    for threshold, colour, marker, label in lines:
        axis.plot(COUNTS, [threshold(n) for n in COUNTS], color=colour, marker=marker, label=label)
    axis.axhline(0, color=GREY, linewidth=0.8)
    axis.set(
        xlabel="number of gradients n",
        ylabel="score A (dimensionless)",
        title="Zero is neutral only for n = 2",
        xticks=list(COUNTS),
        ylim=(-1.08, 1.75),
        yticks=[-1, -0.5, 0, 0.5, 1],
    )
    axis.legend(loc="upper left", fontsize=7)


def _mean_cosines(axis: Axes, points: pd.DataFrame) -> None:
    for n, colour, marker in LOOKS:
        cosines = np.array([-1 / (n - 1), 1])
        axis.plot(cosines, null_value(n) + 2 * (n - 1) / n * cosines, color=colour, linewidth=0.8)
        rows = points[points["series"] == f"n = {n}"]
        axis.plot(rows["x"], rows["y"], color=colour, marker=marker, markersize=2.5, linestyle="", label=f"n = {n}")
    axis.fill_between([0, 1], -1, 0, color=GREY, alpha=0.15, linewidth=0)
    axis.text(0.97, -0.93, "A < 0, yet the mean\ncosine is positive", ha="right", fontsize=7)
    axis.axhline(0, color=GREY, linewidth=0.8)
    axis.axvline(0, color=GREY, linewidth=0.8)
    axis.set(
        xlabel="mean pairwise cosine (dimensionless)",
        ylabel="score A (dimensionless)",
        title="The score is affine in the mean cosine",
        xlim=(-1.02, 1.02),
    )
    axis.legend(loc="upper left", handletextpad=0.1)


def _conflicts(axis: Axes, points: pd.DataFrame) -> None:
    null, threshold = null_value(3), conflict_free_threshold(3)
    _cloud(axis, points, points["y"] < 0)
    axis.fill_between([-1, null], 0, 1, color=GREY, alpha=0.25, linewidth=0)
    axis.fill_between([threshold, 1], -1, 0, color=GREY, alpha=0.25, linewidth=0)
    axis.axvline(null, color=BLACK, linestyle="--", linewidth=0.9)
    axis.axvline(threshold, color=VERMILLION, linewidth=0.9)
    axis.text(-0.97, 0.45, "excluded:\nno conflict,\nA < 2/n − 1", fontsize=7)
    axis.text(0.97, -0.93, "excluded:\na conflict above τ₃", fontsize=7, ha="right")
    axis.set(
        xlim=(-1, 1),
        ylim=(-1, 1),
        xlabel="score A of three gradients (dimensionless)",
        ylabel="least pairwise cosine (dimensionless)",
        title="Undecided between 2/n − 1 and τ₃",
    )


def _descent(axis: Axes, points: pd.DataFrame) -> None:
    A = np.array([-1.0, 1.0])
    bound, mean = 9 / 4 * (A - 1 + 4 / 3), 3 * (1 + A) / 2
    _cloud(axis, points, points["y"] < 0)
    axis.fill_between(A, -2, bound, color=GREY, alpha=0.25, linewidth=0)
    axis.fill_between(A, mean, 3.2, color=GREY, alpha=0.25, linewidth=0)
    axis.plot(A, bound, color=GREEN, linewidth=1, label="bound (T8b)")
    axis.plot(A, mean, color=BLUE, linestyle="--", linewidth=1, label="mean over the losses (T8a)")
    axis.axvline(common_descent_threshold(3), color=BLACK, linestyle="--", linewidth=0.9)
    axis.axhline(0, color=GREY, linewidth=0.8)
    axis.text(-0.31, 2.0, "1 − 4/n", fontsize=7)
    axis.set(
        xlim=(-1, 1),
        ylim=(-1.6, 3.1),
        xlabel="score A of three gradients (dimensionless)",
        ylabel="least decrease min$_j$ ⟨s, u$_j$⟩ (dimensionless)",
        title="Above 1 − 4/n every loss decreases",
    )
    axis.legend(loc="lower right")


def _cloud(axis: Axes, points: pd.DataFrame, bad: pd.Series) -> None:
    """Points of two kinds: blue where the least number is positive, red crosses where it is not."""
    for rows, colour, marker in ((points[~bad], BLUE, "o"), (points[bad], VERMILLION, "x")):
        axis.plot(rows["x"], rows["y"], color=colour, marker=marker, markersize=2.2, alpha=0.6, linestyle="")
