"""Plots of training curves, for any problem, any runs and any number of loss terms."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter

from figures.drawing.names import BLACK, GREY, LOSS_TERMS, problem_name
from figures.drawing.rendering import no_runs, notice
from figures.drawing.summary import Run, Summary, null_fraction, read_curve, read_runs, read_table
from figures.drawing.text import number, seeds_in_words

WIDTH = 7.2
TALLEST = 9.4
"""Height in inches that leaves room for the caption on a page of the paper."""
TITLE: dict[str, Any] = {"x": 0.008, "ha": "left", "fontsize": 9, "fontweight": "bold"}
"""Of the title of a whole figure."""
WINDOWS = 12
"""A window mean averages over the logged values of all seeds in one of this many equal parts of training."""

Panel = tuple[str, str]
"""A quantity of ``curves.csv`` and the title of its panel."""

INTRA_STEP: list[Panel] = [
    ("score_raw", "Raw gradients"),
    ("score_common_state", "Common-state directions"),
    ("score_own_state", "Own-state directions"),
]
INTER_STEP: list[Panel] = [
    ("score_inter_gradient", "Gradients, as met"),
    ("score_inter_gradient_same_points", "Gradients, same points"),
    ("score_inter_update", "Updates"),
]


def error_figure(summary: Summary, problem: str, published: Mapping[str, float], conditions: str = "") -> Figure:
    """Relative L2 error of the main quantity against steps, seconds and, where the problem has it, time t.

    Median and range over the seeds. ``published`` holds published errors by method, second-hand, and ``conditions``
    what they are for; they and the stated error of the reference are dotted lines.
    """
    runs = read_runs(summary, problem)
    if not runs:
        return no_runs(problem)
    table = read_table(summary, "runs", ["problem", "seed", "score", "device", "reference_error"])
    table = table[table["problem"] == problem]
    in_time = read_table(summary, "errors_in_time", ["run", "seed", "quantity", "t", "relative_l2"])
    in_time = in_time[in_time["run"].isin([run.name for run in runs]) & in_time["quantity"].isin(table["score"])]
    figure = Figure(figsize=(WIDTH, 3.4))
    axes = figure.subplots(1, 3 if len(in_time) else 2, sharey=True)
    for axis, against in zip(axes[:2], ("step", "seconds"), strict=True):
        for run in runs:
            band(axis, run, read_curve(summary, run, "error"), against)
        axis.set(xscale="log", yscale="log")
        plain_numbers(axis)
    for axis in axes[2:]:
        for run in runs:
            band(axis, run, in_time[in_time["run"] == run.name].rename(columns={"relative_l2": "value"}), "t")
        axis.set(title="Along time", xlabel="time $t$ (dimensionless)")
    axes[0].set(
        xlabel="optimizer step",
        ylabel=f"relative $L^2$ error of {', '.join(sorted(set(table['score'])))}\n(dimensionless)",
        title="Per step",
    )
    axes[1].set(xlabel="training time (s), without compilation", title="Per second")
    lines = _published(runs, published, conditions)
    bottom = min(axes[0].get_ylim()[0], *(value for value, _, _ in lines), np.inf)
    for value in sorted(set(table["reference_error"].astype(float))):
        below = value < bottom / 10
        label = f"stated error of the reference {number(value)}" + (", below the axis" if below else "")
        lines.append((np.nan if below else value, BLACK, label))
    for axis in axes[:2]:
        for value, colour, _ in lines:
            if np.isfinite(value):
                axis.axhline(value, color=colour, linestyle=":", linewidth=1.4)
    drawn = [value for value, _, _ in lines if np.isfinite(value)]
    axes[0].set_ylim(bottom=min([bottom, *(value / 2 for value in drawn)]))
    handles, labels = axes[0].get_legend_handles_labels()
    handles += [Line2D([], [], color=colour, linestyle=":", linewidth=1.4) for _, colour, _ in lines]
    labels += [label for _, _, label in lines]
    figure.legend(handles, labels, loc="outside lower left", ncols=2, fontsize=7)
    seeds, devices = seeds_in_words(table["seed"]), ", ".join(sorted(set(table["device"].astype(str))))
    figure.suptitle(f"{problem_name(problem)}: median and range of {seeds}, {devices}", **TITLE)
    return figure


def _published(runs: Sequence[Run], published: Mapping[str, float], conditions: str) -> list[tuple[float, str, str]]:
    """Value, colour and label of the published errors of methods that have a run."""
    looks = {run.method: run for run in reversed(runs)}
    known = "published [second-hand]" + (f" for {conditions}:" if conditions else "")
    return [
        (value, looks[method].colour, f"{looks[method].label}, {known} {number(value)}")
        for method, value in published.items()
        if method in looks
    ]


def loss_figure(summary: Summary, problem: str) -> Figure:
    """The weighted total loss and every loss term without its weight: median and range over the seeds."""
    runs = read_runs(summary, problem)
    if not runs:
        return no_runs(problem)
    quantities = read_table(summary, "curves", ["run", "quantity"])
    quantities = quantities[quantities["run"].isin([run.name for run in runs])]  # variations may have other terms
    terms = [name for name in quantities["quantity"].drop_duplicates() if str(name).startswith("loss/")]
    panels = [("loss", "Total, with loss weights"), *((str(term), _words(str(term))) for term in terms)]
    columns = 2 if len(panels) <= 6 else 3
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(WIDTH, (2.2 if columns == 2 else 1.75) * rows + 0.5))
    axes = figure.subplots(rows, columns, squeeze=False)
    for index, (axis, (quantity, title)) in enumerate(zip(axes.ravel(), panels, strict=False)):
        for run in runs:
            band(axis, run, read_curve(summary, run, quantity), "step")
        axis.set(xscale="log", yscale="log")
        axis.set_title(title, fontsize=8.5 if columns == 2 else 7.5)
        if index % columns == 0:
            axis.set_ylabel("loss (dimensionless)")
        if index >= (rows - 1) * columns:
            axis.set_xlabel("optimizer step")
        plain_numbers(axis)
    for axis in axes.ravel()[len(panels) :]:
        axis.set_axis_off()
    _legend(figure, runs)
    figure.suptitle(f"{problem_name(problem)}: mean squares of the loss terms, without their weights", **TITLE)
    return figure


def score_figure(
    summary: Summary, problem: str, panels: Sequence[Panel], null: str, variations: bool = False
) -> Figure:
    """A grid of scores against steps: a row per run, a column per quantity; with ``variations`` also changed runs.

    Thin lines are single seeds, the bold one the mean over seeds in each of ``WINDOWS`` parts of training. ``null`` is
    ``intra`` for scores of the n loss terms, whose null value is 2/n - 1, or ``inter`` for cosines of two vectors. A
    run with one loss term, since its conditions are built in, has no score of the first kind and gets no row.
    """
    runs = read_runs(summary, problem, variations)
    if not runs:
        return no_runs(problem)
    if null == "intra":
        runs = [run for run in runs if run.loss_terms > 1]
        if not runs:
            return notice(f"{problem_name(problem)}: conditions are built in; one loss term has no score.")
    figure = Figure(figsize=(WIDTH, min(1.75 * len(runs) + 0.65, TALLEST)))
    axes = figure.subplots(len(runs), len(panels), sharey=True, sharex="row", squeeze=False)
    for index, (row, run) in enumerate(zip(axes, runs, strict=True)):
        neutral = null_fraction(run) if null == "intra" else Fraction(0)
        for axis, (quantity, title) in zip(row, panels, strict=True):
            curve = read_curve(summary, run, quantity).dropna(subset=["value"])
            draw_scores(axis, run, curve)
            axis.axhline(float(neutral), color=BLACK, linestyle="--", linewidth=1)
            axis.set(xlim=(0, run.steps), ylim=(-1.08, 1.08), yticks=[-1, -0.5, 0, 0.5, 1])
            if index == 0:
                axis.set_title(title)
            if index == len(runs) - 1:
                axis.set_xlabel("optimizer step")
        row_label(row[0], run, "score", len(runs))
    values = {run.loss_terms: null_fraction(run) for run in runs} if null == "intra" else {0: Fraction(0)}
    several = len(values) > 1
    listed = ", ".join(
        str(value).replace("-", "−") + (f" (n = {n})" if several else "") for n, value in sorted(values.items())
    )
    formula = f"2/n − 1 = {listed}" if null == "intra" else listed
    handles = [
        Line2D([], [], color=GREY, alpha=0.6, linewidth=0.6, label="one seed"),
        Line2D([], [], color=GREY, linewidth=2, label=f"mean over seeds in {WINDOWS} windows"),
        Line2D(
            [],
            [],
            color=BLACK,
            linestyle="--",
            linewidth=1,
            label=f"orthogonal vectors: {formula}",
        ),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    kind = "intra-step" if null == "intra" else "inter-step"
    figure.suptitle(f"{problem_name(problem)}: {kind} scores (dimensionless)", **TITLE)
    return figure


def row_label(axis: Axes, run: Run, quantity: str, rows: int) -> None:
    """What a row of panels shows, in the colour of its run, small enough for so many rows on a page."""
    words = run.label.replace(", ", "\n")
    if rows > 5:
        axis.set_ylabel(f"{words}\n{quantity}".replace("–", "–\n"), fontsize=6)
    else:
        axis.set_ylabel(f"{words}\n{quantity}", fontsize=7)
    axis.yaxis.label.set_color(run.colour)


def draw_scores(axis: Axes, run: Run, curve: pd.DataFrame) -> None:
    """A score against steps: thin lines are seeds, the bold one the mean over them in each of ``WINDOWS`` parts."""
    if curve.empty:
        axis.text(
            0.5, 0.7, "not recorded", transform=axis.transAxes, color=GREY, ha="center", va="center", fontsize=7.5
        )
        return
    for _, seed in curve.groupby("seed"):
        axis.plot(seed["step"], seed["value"], color=run.colour, alpha=0.35, linewidth=0.6)
    window = (curve["step"] * WINDOWS // (run.steps + 1)).astype(int)
    means = curve.groupby(window)[["step", "value"]].mean()
    axis.plot(means["step"], means["value"], color=run.colour, marker=run.marker, linewidth=2)


def band(axis: Axes, run: Run, curve: pd.DataFrame, against: str) -> None:
    """The median over the seeds as a line, their range as a band, without step 0 or time 0.

    Step 0 has no place on a logarithmic axis; at time 0 an exact initial condition leaves nothing but rounding. Equal
    windows of time show at the end of each: a method that begins all of them anew would hide the others behind its saw.
    """
    rows = "t" if against == "t" else "step"
    curve = curve[curve[rows] > 0].dropna(subset=["value"])
    if against != "t" and run.windows > 1 and run.window_steps:
        curve = curve[curve["step"] % run.window_steps == 0]
    if curve.empty:
        return
    by_row = curve.groupby(rows)
    values = by_row["value"]
    place = values.median().index if against == rows else by_row[against].median()
    axis.fill_between(place, values.min(), values.max(), color=run.colour, alpha=0.2, linewidth=0)
    axis.plot(
        place,
        values.median(),
        color=run.colour,
        linestyle=run.line,
        marker=run.marker,
        markevery=0.12,  # every so much of the axes' diagonal
        label=f"{run.label}, {run.steps} steps" + (f" in {run.windows} windows" if run.windows > 1 else ""),
    )


def plain_numbers(axis: Axes) -> None:
    """Costs as plain numbers, from 1e5 on as powers of ten; labels between powers only where few would be."""
    low, high = axis.get_xlim()
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _cost(value)))
    between = FuncFormatter(lambda value, _: _cost(value) if f"{value:.0e}"[0] in "25" else "")
    axis.xaxis.set_minor_formatter(between if high < 60 * low else NullFormatter())


def _cost(value: float) -> str:
    if value < 1e5:
        return number(value)
    mantissa, exponent = f"{value:.0e}".split("e")
    return ("" if mantissa == "1" else rf"{mantissa}$\times$") + f"$10^{{{int(exponent)}}}$"


def _legend(figure: Figure, runs: Sequence[Run]) -> None:
    handles, labels = figure.axes[0].get_legend_handles_labels()
    many = sum(map(len, labels)) > 80  # beyond, they do not fit into one row
    # Three of the longest labels do not fit the width; four entries are two rows of two
    columns = 2 if len(runs) == 4 or max(map(len, labels), default=0) > 36 else 3
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=columns if many else max(len(runs), 1),
        fontsize=7 if many else None,
    )


def _words(term: str) -> str:
    name = term.removeprefix("loss/")
    words = LOSS_TERMS.get(name, "")
    return f"{words[:1].upper()}{words[1:]} ({name})" if words else name
