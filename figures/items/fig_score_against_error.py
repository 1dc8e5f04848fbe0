"""Does a high score go with a low error, across methods and problems?"""

from collections.abc import Hashable
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from figures.drawing.names import BLACK, GREY, method_look, method_order, problem_order, short_problem_name
from figures.drawing.rendering import notice
from figures.drawing.score_against_error import SCORES, read_correlations, read_points
from figures.drawing.summary import Summary
from figures.drawing.text import number
from figures.drawing.training_plots import WIDTH

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p", "*", "h")
"""By problem, in the order of ``common.PROBLEMS``; colours are those of the methods."""

LEGEND_COLUMNS = 4


def render(summary: Summary) -> Figure:
    """A panel for each kind of score that was recorded: errors over the median of their problem against mean scores.

    Small points are seeds, large ones the medians of a run; above them the correlations.
    """
    points, table = read_points(summary), read_correlations(summary)
    if points.empty:
        return notice("No run with two loss terms at this scale.")
    runs = points.groupby(["score", "problem", "method", "run"])[["value", "error"]].median().reset_index()
    middle = runs.drop_duplicates("run").groupby("problem")["error"].median()
    overall = {row["score"]: row for row in table[table["problem"] == "all"].to_dict("records")}
    panels = {score: title for score, title in SCORES.items() if (points["score"] == score).any()}
    rows = -(-len(panels) // 2)
    figure = Figure(figsize=(WIDTH, 2.6 * rows + 1.2))
    axes = figure.subplots(rows, 2, sharex=True, sharey=True, squeeze=False)
    left = axes.ravel()[len(panels) :]
    for axis, (score, title) in zip(axes.ravel(), panels.items(), strict=False):
        for shown, size, alpha in ((points, 2.5, 0.35), (runs, 5.0, 0.95)):
            _draw(axis, shown[shown["score"] == score], middle, size, alpha)
        axis.axhline(1, color=GREY, linewidth=0.8)
        axis.set(yscale="log", xlim=(-1.05, 1.05))
        axis.set_title(title, pad=14)
        axis.text(0, 1.025, _words(overall[score]), transform=axis.transAxes, fontsize=6.8)
    for axis in left:
        axis.set_axis_off()
    for axis in axes.ravel()[max(0, len(panels) - 2) : len(panels)]:
        axis.set_xlabel("mean score over the whole training")
        axis.tick_params(labelbottom=True)
    for axis in axes[:, 0]:
        axis.set_ylabel("final error / median of its problem")
    methods = sorted(set(points["method"]), key=lambda method: method_order(method, method))
    handles = [
        Line2D([], [], color=colour, marker="o", linestyle="", label=label)
        for label, colour, _ in map(method_look, methods)
    ]
    problems = sorted(set(points["problem"]), key=problem_order)
    columns = 2 if len(left) else LEGEND_COLUMNS
    entries = max(-(-(len(methods) + len(problems)) // columns), len(problems) if len(left) else 0)
    blank = Line2D([], [], linestyle="", label=" ")
    handles += [blank] * (-len(methods) % entries)  # so that no column has both
    handles += [
        Line2D(
            [], [], color=BLACK, marker=_marker(p), markerfacecolor="white", linestyle="", label=short_problem_name(p)
        )
        for p in problems
    ]
    if len(left):  # the place without a panel is the legend's
        left[0].legend(handles=handles, loc="upper left", ncols=columns, fontsize=7).set_in_layout(False)
    else:
        figure.legend(handles=handles, loc="outside lower center", ncols=columns, fontsize=7)
    return figure


def _draw(axis: Axes, shown: pd.DataFrame, middle: pd.Series, size: float, alpha: float) -> None:
    for (problem, method), own in shown.groupby(["problem", "method"], sort=False):
        axis.plot(
            own["value"],
            own["error"] / middle[str(problem)],
            color=method_look(str(method))[1],
            marker=_marker(str(problem)),
            markersize=size,
            markeredgewidth=0,
            alpha=alpha,
            linestyle="",
        )


def _marker(problem: str) -> str:
    """The marker of a problem; those that are not listed share the last one."""
    return MARKERS[min(problem_order(problem)[0], len(MARKERS) - 1)]


def _words(row: dict[Hashable, Any]) -> str:
    """The mean correlation in words."""
    if not row["problems"]:
        return "no problem with three runs"
    between = "" if pd.isna(row["low"]) else f" ({number(row['low'], 2)} to {number(row['high'], 2)})"
    problems = "1 problem" if row["problems"] == 1 else f"{row['problems']} problems"
    text = f"Spearman {number(row['correlation'], 2)}{between}, {row['runs']} runs, {problems}"
    return text.replace("-", "−")
