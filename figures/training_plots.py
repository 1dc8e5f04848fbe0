"""Plots of training curves, for any problem, any runs and any number of loss terms."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
from common import (
    BLACK,
    GREY,
    LOSS_TERMS,
    Run,
    notice,
    null_fraction,
    number,
    read_curve,
    read_runs,
    read_table,
    seeds_in_words,
)
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter

WIDTH = 7.2
WINDOWS = 12
"""A window mean averages over the logged values of all seeds in one of this many equal parts of training."""

Panel = tuple[str, str]
"""A quantity of ``curves.csv`` and the title of its panel."""

INTRA_STEP: list[Panel] = [
    ("score_raw", "Raw gradients"),
    ("score_common_state", "Common-state directions"),
    ("score_own_state", "Own-state directions"),
]


def error_figure(summary: Path, problem: str, published: Mapping[str, float]) -> Figure:
    """Relative L2 error against steps and against seconds: median and range over the seeds, both axes logarithmic.

    ``published`` holds published errors by method, second-hand; they and the stated error of the reference are lines.
    """
    runs = read_runs(summary, problem)
    if not runs:
        return notice(f"No run of {problem} at this scale.")
    curves = {run.name: read_curve(summary, run, "error") for run in runs}
    figure = Figure(figsize=(WIDTH, 3.5))
    axes = figure.subplots(1, 2, sharey=True)
    for axis, against in zip(axes, ("step", "seconds"), strict=True):
        for run in runs:
            _band(axis, run, curves[run.name], against)
        axis.set(xscale="log", yscale="log")
        _plain_numbers(axis)
    seeds = pd.concat([curve["seed"] for curve in curves.values()])
    axes[0].set(
        xlabel="optimizer step",
        ylabel="relative $L^2$ error (dimensionless)",
        title=f"Per step: median and range of {seeds_in_words(seeds)}",
    )
    axes[1].set(xlabel="training time (s), without compilation", title=f"Per second: {_devices(summary, problem)}")
    looks = {run.method: run for run in reversed(runs)}
    lines = [
        (value, looks[method].colour, f"{looks[method].label}, published [second-hand] {number(value)}")
        for method, value in published.items()
        if method in looks
    ]
    references = read_table(summary, "references", ["problem", "stated_error"])
    stated = references.loc[references["problem"] == problem, "stated_error"].astype(float)
    bottom = min(axes[0].get_ylim()[0], *(value for value, _, _ in lines), np.inf)
    below = ""
    for value in stated:
        label = f"stated error of the reference {number(value)}"
        if value > bottom / 10:
            lines.append((value, BLACK, label))
        else:
            below = f"{label}: below this axis"
    for axis in axes:
        for value, colour, _ in lines:
            axis.axhline(value, color=colour, linestyle=":", linewidth=1.2)
    lowest = min([bottom, *(value for value, _, _ in lines)])
    axes[0].set_ylim(bottom=lowest / 2.5)
    for value, colour, label in lines:
        axes[0].text(
            0.02, value * 1.06, label, transform=axes[0].get_yaxis_transform(), color=colour, fontsize=6.5, va="bottom"
        )
    if below:
        axes[0].text(0.02, 0.015, f"↓ {below}", transform=axes[0].transAxes, color=BLACK, fontsize=6.5, va="bottom")
    _legend(figure, runs)
    return figure


def loss_figure(summary: Path, problem: str) -> Figure:
    """The weighted total loss and every loss term without its weight: median and range over the seeds."""
    runs = read_runs(summary, problem)
    if not runs:
        return notice(f"No run of {problem} at this scale.")
    quantities = read_table(summary, "curves", ["problem", "quantity"])
    quantities = quantities[quantities["problem"] == problem]
    terms = [name for name in quantities["quantity"].drop_duplicates() if str(name).startswith("loss/")]
    panels = [("loss", "Total, with loss weights")]
    panels += [(term, f"{_words(term)}, mean square") for term in terms]
    rows = -(-len(panels) // 2)
    figure = Figure(figsize=(WIDTH, 2.2 * rows + 0.2))
    axes = figure.subplots(rows, 2, squeeze=False).ravel()
    for axis, (quantity, title) in zip(axes, panels, strict=False):
        for run in runs:
            _band(axis, run, read_curve(summary, run, quantity), "step")
        axis.set(xscale="log", yscale="log", title=title, xlabel="optimizer step", ylabel="loss (dimensionless)")
        _plain_numbers(axis)
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    _legend(figure, runs)
    return figure


def score_figure(summary: Path, problem: str, panels: Sequence[Panel], null: str, variations: bool = False) -> Figure:
    """A grid of scores against steps: a row per run, a column per quantity; with ``variations`` also changed runs.

    Thin lines are single seeds, the bold one the mean over seeds in each of ``WINDOWS`` parts of training. ``null`` is
    ``intra`` for scores of the n loss terms, whose null value is 2/n - 1, or ``inter`` for cosines of two vectors.
    """
    runs = read_runs(summary, problem, variations)
    if not runs:
        return notice(f"No run of {problem} at this scale.")
    figure = Figure(figsize=(WIDTH, 1.75 * len(runs) + 0.45))
    axes = figure.subplots(len(runs), len(panels), sharey=True, sharex="row", squeeze=False)
    for index, (row, run) in enumerate(zip(axes, runs, strict=True)):
        neutral = null_fraction(run) if null == "intra" else Fraction(0)
        for axis, (quantity, title) in zip(row, panels, strict=True):
            curve = read_curve(summary, run, quantity).dropna(subset=["value"])
            _scores(axis, run, curve)
            axis.axhline(float(neutral), color=BLACK, linestyle="--", linewidth=1)
            axis.set(xlim=(0, run.steps), ylim=(-1.08, 1.08), yticks=[-1, -0.5, 0, 0.5, 1])
            if index == 0:
                axis.set_title(title)
            if index == len(runs) - 1:
                axis.set_xlabel("optimizer step")
        row[0].set_ylabel(f"{run.label.replace(', ', chr(10))}\nscore")
        row[0].yaxis.label.set_color(run.colour)
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
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    return figure


def _scores(axis: Axes, run: Run, curve: pd.DataFrame) -> None:
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


def _band(axis: Axes, run: Run, curve: pd.DataFrame, against: str) -> None:
    """The median over the seeds as a line, their range as a band; step 0 has no place on a logarithmic axis."""
    curve = curve[curve["step"] > 0]
    if curve.empty:
        return
    by_step = curve.groupby("step")
    values, place = by_step["value"], by_step[against].median()
    axis.fill_between(place, values.min(), values.max(), color=run.colour, alpha=0.2, linewidth=0)
    axis.plot(
        place,
        values.median(),
        color=run.colour,
        linestyle=run.line,
        marker=run.marker,
        markevery=0.12,  # every so much of the axes' diagonal
        label=f"{run.label}, {run.steps} steps",
    )


def _plain_numbers(axis: Axes) -> None:
    """Steps and seconds as plain numbers; between powers of ten only where there would be hardly any label."""
    low, high = axis.get_xlim()
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    between = FuncFormatter(lambda value, _: number(value) if f"{value:.0e}"[0] in "25" else "")
    axis.xaxis.set_minor_formatter(between if high < 20 * low else NullFormatter())


def _legend(figure: Figure, runs: Sequence[Run]) -> None:
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=max(len(runs), 1))


def _devices(summary: Path, problem: str) -> str:
    table = read_table(summary, "runs", ["problem", "device"])
    return ", ".join(sorted(set(table.loc[table["problem"] == problem, "device"].astype(str))))


def _words(term: str) -> str:
    name = term.removeprefix("loss/")
    words = LOSS_TERMS.get(name)
    return f"{words.capitalize()} ({name})" if words else name
