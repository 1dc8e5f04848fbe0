"""SOAP and its 2024 port side by side: errors and scores of every problem that was run with both."""

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullFormatter

from figures.drawing.names import BLACK, GREY, METHODS, problem_name
from figures.drawing.rendering import notice
from figures.drawing.soap_2024 import ERROR, SCORES, Comparison, comparisons, verdict
from figures.drawing.summary import Summary, null_fraction
from figures.drawing.training_plots import WIDTH

LOOKS = {
    "correct": ("SOAP", METHODS["soap"][1], METHODS["soap"][2], METHODS["soap"][1], -0.16),
    "port": ("SOAP, 2024 port", METHODS["soap"][1], "D", "white", 0.16),
    "adam": ("Adam", METHODS["adam"][1], METHODS["adam"][2], METHODS["adam"][1], 0.0),
}
"""Label, colour, marker, its filling, and place within the row."""
TITLES = {
    ERROR: "Relative $L^2$ error",
    "common-state score": "Common-state\nscore",
    "own-state score": "Own-state\nscore",
    "cosine of updates": "Cosine of\nupdates",
}
"""Titles of panels."""


def render(summary: Summary) -> Figure:
    """Left: relative L2 errors. Right: four scores. Small marks are seeds, large ones medians; above, the verdict."""
    found = comparisons(summary)
    if not found:
        return notice(verdict(found))
    figure = Figure(figsize=(WIDTH, 0.62 * len(found) + 2.1))
    axes = figure.subplots(1, 1 + len(SCORES), sharey=True, width_ratios=[1.7, *[1.0] * len(SCORES)])
    for axis, quantity in zip(axes, [ERROR, *SCORES.values()], strict=True):
        _panel(axis, found, quantity)
        axis.set(title=TITLES.get(quantity, quantity.capitalize()), xlabel="dimensionless")
    axes[0].set_xscale("log")
    low, high = axes[0].get_xlim()
    axes[0].set_xlim(10 ** np.floor(np.log10(low)), 10 ** np.ceil(np.log10(high)))
    axes[0].xaxis.set_minor_formatter(NullFormatter())
    for axis in axes[1:4]:
        axis.set(xlim=(-1.05, 1.05), xticks=[-1, 0, 1])
        for row, one in enumerate(found):
            neutral = float(null_fraction(one.correct))
            axis.plot([neutral] * 2, [row - 0.4, row + 0.4], color=BLACK, linewidth=1.2)
    axes[4].xaxis.set_major_locator(MaxNLocator(2))  # updates agree so well that only a part of the scale is needed
    axes[0].set_yticks(range(len(found)), [problem_name(one.problem).replace(" equation", "") for one in found])
    axes[0].set_ylim(len(found) - 0.5, -0.5)
    handles = [
        Line2D([], [], color=colour, marker=marker, markerfacecolor=filling, linestyle="", label=label)
        for label, colour, marker, filling, _ in LOOKS.values()
    ]
    handles.append(Line2D([], [], color=BLACK, linewidth=1.2, label="orthogonal: 2/n − 1"))
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    figure.suptitle("\n".join(textwrap.wrap(verdict(found), 128)), x=0.008, ha="left", fontsize=7.5)
    return figure


def _panel(axis: Axes, found: Sequence[Comparison], quantity: str) -> None:
    for row, one in enumerate(found):
        for key, (_, colour, marker, filling, shift) in LOOKS.items():
            values = one.values[quantity][key]
            if values.empty:
                continue
            look: dict[str, Any] = {"color": colour, "marker": marker, "markerfacecolor": filling, "linestyle": ""}
            axis.plot(values, [row + shift] * len(values), **look, markersize=3, alpha=0.5)
            axis.plot(values.median(), row + shift, **look, markersize=6)
        if row:
            axis.axhline(row - 0.5, color=GREY, linewidth=0.5, alpha=0.5)
    axis.grid(visible=False, axis="y")
