"""Every method on every problem: relative L2 error against its cost: seconds, gradient evaluations, or operations."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from figures.drawing.equal_cost import LABELS, read_progress
from figures.drawing.names import BLACK, GREY, method_look, method_order, short_problem_name
from figures.drawing.published_errors import CONDITIONS, RELATIVE_L2
from figures.drawing.rendering import notice
from figures.drawing.summary import Summary
from figures.drawing.training_plots import TITLE, WIDTH, plain_numbers
from gradalign.pipeline.comparison import at_equal_budget

COLUMNS = 3

DECADES = 2
"""Powers of ten of the cost that are shown before the equal cost; what a method has after less tells nothing."""


def render(summary: Summary, budget: str) -> Figure:
    """A panel a problem: median and range over the seeds, with the published error of SOAP and the equal cost."""
    steps = read_progress(summary)
    steps = steps[steps[budget] > 0].dropna(subset=["error"]) if len(steps) else steps  # no place for 0 on the axis
    if steps.empty:
        return notice("No run at this scale.")
    problems = list(steps["problem"].drop_duplicates())
    columns = min(COLUMNS, len(problems))
    rows = -(-len(problems) // columns)
    figure = Figure(figsize=(WIDTH, 1.85 * rows + (0.3 if len(problems) < rows * columns else 1.0)))
    axes = figure.subplots(rows, columns, squeeze=False)
    limits = at_equal_budget(steps, budget).groupby("problem")["limit"].first()
    for index, (axis, problem) in enumerate(zip(axes.ravel(), problems, strict=False)):
        own = steps[steps["problem"] == problem]
        for method, curves in own.groupby("method", sort=False):
            _method(axis, str(method), curves, budget)
        if "soap" in RELATIVE_L2.get(problem, {}):
            axis.axhline(RELATIVE_L2[problem]["soap"], color=BLACK, linestyle=":", linewidth=1.2)
        axis.axvline(limits[problem], color=GREY, linestyle="--", linewidth=0.8)
        axis.set(xscale="log", yscale="log", xlim=(max(own[budget].min(), limits[problem] / 10**DECADES) / 1.1, None))
        count = own.groupby("method")["seed"].nunique()
        seeds = str(count.min()) if count.min() == count.max() else f"{count.min()} to {count.max()}"
        axis.set_title(f"{short_problem_name(problem)}, {seeds} seed{'' if seeds == '1' else 's'}", fontsize=7.5)
        if index % columns == 0:
            axis.set_ylabel("relative $L^2$ error")
        if index >= len(problems) - columns:
            axis.set_xlabel("time (s)" if budget == "seconds" else LABELS[budget])
        plain_numbers(axis)
    left = axes.ravel()[len(problems) :]
    for axis in left:
        axis.set_axis_off()
    methods = sorted(set(steps["method"].astype(str)), key=lambda method: method_order(method, method))
    handles = [
        Line2D([], [], color=colour, marker=marker, label=label) for label, colour, marker in map(method_look, methods)
    ]
    if not steps["whole"].all():
        handles.append(Line2D([], [], color=GREY, linestyle=(0, (1, 1)), linewidth=0.8, label="windows reached so far"))
    conditions = ", see caption" if set(problems) & set(CONDITIONS) else ""
    handles.append(
        Line2D([], [], color=BLACK, linestyle=":", linewidth=1.2, label=f"SOAP, published\n[second-hand]{conditions}")
    )
    handles.append(Line2D([], [], color=GREY, linestyle="--", linewidth=0.8, label="cost that all runs reached"))
    if len(left):  # the places without a panel are the legend's
        left[0].legend(handles=handles, loc="upper left", ncols=len(left), fontsize=7).set_in_layout(False)
    else:
        figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=7)
    figure.suptitle(f"Error (dimensionless) against {LABELS[budget]}", **TITLE)
    return figure


def _method(axis: Axes, method: str, curves: pd.DataFrame, budget: str) -> None:
    """The median over the seeds of one method, with their range; fine while the last time window is not reached."""
    _, colour, marker = method_look(method)
    by_step = curves.groupby("step")
    place, error, whole = by_step[budget].median(), by_step["error"], by_step["whole"].all()
    if not whole.all():
        before = place.index <= whole.idxmax() if whole.any() else place.index >= 0
        axis.plot(place[before], error.median()[before], color=colour, linestyle=(0, (1, 1)), linewidth=0.8)
    axis.fill_between(place[whole], error.min()[whole], error.max()[whole], color=colour, alpha=0.18, linewidth=0)
    axis.plot(
        place[whole],
        error.median()[whole],
        color=colour,
        marker=marker,
        markersize=3.2,
        linewidth=1.1,
        markevery=0.2,  # every so much of the axes' diagonal
    )
