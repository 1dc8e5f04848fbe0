"""The score of independent random directions, against which every measured score has to be read (T4)."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from figures.drawing.names import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILLION
from figures.drawing.rendering import notice
from figures.drawing.summary import Summary, read_claim_curves
from gradalign.diagnostics.alignment import null_deviation, null_value

PAIRS = [((2, 3), BLUE), ((2, 10), GREEN), ((2, 50), VERMILLION)]
SEVERAL = [((3, 20), ORANGE), ((5, 20), PURPLE), ((8, 30), BLUE)]
COUNTS = [(2, BLUE, "o"), (3, ORANGE, "^"), (5, PURPLE, "s")]


def render(summary: Summary) -> Figure:
    """Histograms of two and of several directions with their laws, and the variance against the effective dimension."""
    points = read_claim_curves(summary, "T4")
    if points.empty:
        return notice("The claim T4 was not checked at this scale.")
    figure = Figure(figsize=(7.2, 2.9))
    left, middle, right = figure.subplots(1, 3)
    densities = points[points["quantity"] == "density of the score"]
    for axis, cases in ((left, PAIRS), (middle, SEVERAL)):
        _densities(axis, densities, cases)
    left.set(ylabel="density (dimensionless)", title="Two: Beta law, neutral 0", ylim=(0, 3.9))
    middle.set(title="Several: neutral at 2/n − 1", xlim=(-1.02, 0.45), ylim=(0, 9))
    _variances(right, points[points["quantity"] == "variance of the score"])
    return figure


def _densities(axis: Axes, points: pd.DataFrame, cases: list[tuple[tuple[int, int], str]]) -> None:
    grid = np.linspace(-1, 1, 401)
    for (n, d), colour in cases:
        rows = points[points["series"] == f"n = {n}, d = {d}"]
        axis.fill_between(rows["x"], rows["y"], step="mid", color=colour, alpha=0.3, linewidth=0)
        if n == 2:
            law = stats.beta.pdf((1 + grid) / 2, (d - 1) / 2, (d - 1) / 2) / 2
        else:
            law = stats.norm.pdf(grid, null_value(n), null_deviation(n, d))
        axis.plot(grid, law, color=colour, linewidth=1.2, label=f"d = {d}" if n == 2 else f"n = {n}, d = {d}")
    for n in {n for (n, _), _ in cases}:
        axis.axvline(null_value(n), color=BLACK, linestyle="--", linewidth=0.9)
    axis.set_xlabel("score A (dimensionless)")
    axis.legend(loc="upper right")


def _variances(axis: Axes, points: pd.DataFrame) -> None:
    dimensions = np.array([1.0, 80.0])
    for n, colour, marker in COUNTS:
        axis.plot(dimensions, 8 * (n - 1) / n**3 / dimensions, color=colour, linewidth=1)
        for kind, face in (("isotropic", colour), ("anisotropic", "white")):
            rows = points[points["series"] == f"n = {n}, {kind}"]
            axis.plot(rows["x"], rows["y"], color=colour, marker=marker, markerfacecolor=face, linestyle="")
        axis.plot([], [], color=colour, marker=marker, label=f"n = {n}")
    axis.plot([], [], color=GREY, marker="o", markerfacecolor="white", linestyle="", label="anisotropic")
    axis.set(
        xscale="log",
        yscale="log",
        xlabel=r"effective dimension 1/tr Σ²",
        ylabel="variance of A (dimensionless)",
        title="Variance falls as 1/d$_{eff}$",
    )
    axis.legend(loc="lower left")
