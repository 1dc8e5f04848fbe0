"""What decides the score: definition, number of loss terms, points, momentum; means over late training of every run."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from figures.drawing.names import BLACK, GREY, ORANGE, PURPLE, method_look, problem_name
from figures.drawing.rendering import notice
from figures.drawing.score_definitions import INTRA_STEP, all_runs, points_in_words
from figures.drawing.summary import Run, Summary, late_means, null_fraction
from figures.drawing.text import number
from figures.drawing.training_plots import TALLEST

LOOKS = {
    "score_raw": (GREY, "o", -0.24),
    "score_common_state": (ORANGE, "s", 0.0),
    "score_own_state": (PURPLE, "^", 0.24),
}
"""Colour, marker and place within the row by definition; the colours are none of a method."""


def render(summary: Summary) -> Figure:
    """Left: three intra-step scores of every run. Right: the cosine of consecutive updates against momentum."""
    runs = all_runs(summary)
    if not runs:
        return notice("No run at this scale.")
    problems = len({run.problem for run in runs})
    figure = Figure(figsize=(7.2, min(max(3.4, 0.21 * (len(runs) + problems) + 1.3), TALLEST)))
    left, right = figure.subplots(1, 2, width_ratios=[1.15, 1])
    _intra_step(left, summary, runs, size=min(7.0, 61 * (figure.get_figheight() - 1.3) / (len(runs) + problems)))
    _updates(right, summary, runs)
    handles = [
        Line2D([], [], color=colour, marker=marker, linestyle="", label=INTRA_STEP[quantity])
        for quantity, (colour, marker, _) in LOOKS.items()
    ]
    handles.append(Line2D([], [], color=BLACK, linewidth=2, label="orthogonal: 2/n − 1"))
    figure.legend(handles=handles, loc="outside upper left", ncols=4)
    return figure


def _intra_step(axis: Axes, summary: Summary, runs: Sequence[Run], size: float) -> None:
    """``size`` is that of the labels in points, so that they are no higher than their rows."""
    rows, row = list[int](), -1
    for index, run in enumerate(runs):
        row += 1
        if index == 0 or runs[index - 1].problem != run.problem:  # a row of its own for the name of the problem
            axis.axhline(row - 0.5, color=GREY, linewidth=0.8)
            axis.text(-1.02, row, problem_name(run.problem), ha="left", va="center", fontsize=size, fontweight="bold")
            row += 1
        rows.append(row)
        neutral = float(null_fraction(run))
        axis.plot([neutral, neutral], [row - 0.46, row + 0.46], color=BLACK, linewidth=2)
        for quantity, (colour, marker, shift) in LOOKS.items():
            means = late_means(summary, run, quantity)
            place = np.full(len(means), row + shift)
            axis.plot(means, place, color=colour, marker=marker, linestyle="", markersize=3, alpha=0.4)
            if len(means):
                axis.plot(means.mean(), row + shift, color=colour, marker=marker, markersize=5.5)
    axis.set_yticks(rows, [f"{run.label}, n = {run.loss_terms}" for run in runs], fontsize=size)
    axis.set(
        xlim=(-1.05, 1.05),
        ylim=(row + 0.5, -0.5),
        xlabel="intra-step score A (dimensionless)",
        title="Score by definition and n",
    )
    axis.grid(axis="y", visible=False)


def _updates(axis: Axes, summary: Summary, runs: Sequence[Run]) -> None:
    """Both axes show one minus their quantity on a logarithmic scale, with the quantity itself at the ticks."""
    least = 0.004
    methods = list(dict.fromkeys(run.method for run in runs))
    for index, run in enumerate(runs):
        means = (1 - late_means(summary, run, "score_inter_update")).clip(lower=1e-4)  # a logarithm needs more than 0
        if means.empty:
            continue
        least = min(least, 0.7 * float(means.min()))
        place = (1 - run.b1) * 1.13 ** (index % 5 - 2)  # beside each other where they would hide each other
        fixed = points_in_words(run) == "fixed"
        axis.plot([place, place], [means.min(), means.max()], color=run.colour, linewidth=1.2)
        axis.plot(
            place,
            means.mean(),
            color=run.colour,
            marker=run.marker,
            markersize=6,
            markerfacecolor="white" if fixed else run.colour,
        )
    axis.plot([1.6, 0.004], [1.6, 0.004], color=BLACK, linestyle="--", linewidth=1)
    axis.set(xscale="log", yscale="log", xlim=(2.2, 0.004), ylim=(2.2, least))
    ticks = [1.5, 1.0, 0.5, 0.1, 0.05, 0.01, 0.005, 0.001]
    for side in (axis.xaxis, axis.yaxis):
        side.set_major_locator(FixedLocator([1.0, 0.1, 0.01] if side is axis.xaxis else ticks))
        side.set_minor_locator(NullLocator())
        side.set_major_formatter(FuncFormatter(lambda value, _: number(1 - value).replace("-", "−")))
    axis.set(
        xlabel="decay $b_1$ of the momentum",
        ylabel="cosine of consecutive updates",
        title="Updates and momentum",
    )
    handles = [
        Line2D([], [], color=colour, marker=marker, linestyle="", label=label)
        for label, colour, marker in map(method_look, methods)
    ]
    handles.append(Line2D([], [], color=BLACK, linestyle="--", linewidth=1, label="momentum alone"))
    handles.append(Line2D([], [], color=GREY, marker="o", markerfacecolor="white", linestyle="", label="fixed points"))
    axis.legend(handles=handles, loc="upper left", fontsize=7)
