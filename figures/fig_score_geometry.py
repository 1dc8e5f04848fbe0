"""What a value of the score means for n gradients: closed forms only, no measurement."""

from pathlib import Path

import numpy as np
from common import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION
from matplotlib.figure import Figure

from gradalign.alignment import common_descent_threshold, conflict_free_threshold, null_value

COUNTS = range(2, 11)


def render(summary: Path) -> Figure:
    """Thresholds by n (T1, T2, T8), and the score of n unit vectors with equal pairwise cosines (T1b)."""
    del summary  # needs no data
    figure = Figure(figsize=(7.2, 3.0))
    left, right = figure.subplots(1, 2, sharey=True)
    lines = [
        (conflict_free_threshold, VERMILLION, "s", "above: no pair conflicts (T2b)"),
        (common_descent_threshold, GREEN, "^", "above: normalised sum lowers every loss (T8b)"),
        (null_value, BLACK, "o", "orthogonal gradients: 2/n − 1 (T1)"),
    ]
    for threshold, colour, marker, label in lines:
        left.plot(COUNTS, [threshold(n) for n in COUNTS], color=colour, marker=marker, label=label)
    left.axhline(0, color=GREY, linewidth=0.8)
    left.set(
        xlabel="number of gradients n",
        ylabel="score A (dimensionless)",
        title="Zero is neutral only for n = 2",
        xticks=list(COUNTS),
        ylim=(-1.08, 1.75),
        yticks=[-1, -0.5, 0, 0.5, 1],
    )
    left.legend(loc="upper left", fontsize=7)
    for n, colour in ((2, BLUE), (3, ORANGE), (5, PURPLE), (10, SKY)):
        cosines = np.linspace(-1 / (n - 1), 1, 101)
        right.plot(cosines, null_value(n) + 2 * (n - 1) / n * cosines, color=colour, label=f"n = {n}")
    right.fill_between([0, 1], -1, 0, color=GREY, alpha=0.15, linewidth=0)
    right.text(0.97, -0.93, "A < 0, yet\nno pair conflicts\n(T2c)", ha="right", fontsize=7)
    right.axhline(0, color=GREY, linewidth=0.8)
    right.axvline(0, color=GREY, linewidth=0.8)
    right.set(
        xlabel="pairwise cosine c of all pairs (dimensionless)",
        title="n vectors with equal cosines c",
        xlim=(-1.02, 1.02),
    )
    right.legend(loc="upper left")
    return figure
