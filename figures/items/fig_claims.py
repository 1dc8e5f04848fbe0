"""All checked claims at a glance: how far each measured number is from the expected one, in tolerances."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import blended_transform_factory

from figures.drawing.names import BLUE, GREY, VERMILLION
from figures.drawing.rendering import notice
from figures.drawing.summary import Summary, read_table
from figures.drawing.text import claim_order
from gradalign.claims._records import claim_number, tally

FLOOR, CEILING = 1e-6, 1e3
TOPICS = [
    (10, "The score"),
    (17, "First-order methods"),
    (25, "Newton and Gauss–Newton"),
    (33, "SOAP"),
    (38, "Initialisation"),
]
"""Sections of the list of claims, by their last number."""
GAP = 0.9  # of a row, above the name of a section
CHECKED = ("proven", "proven under conditions", "false in general")
"""Statuses of proofs and counterexamples; the others are observations and checks that their inputs decide."""
COLUMNS = ["claim", "status", "expected", "measured", "tolerance", "comparison", "verdict"]


def render(summary: Summary) -> Figure:
    """One mark per record: the excess over the expected number divided by the tolerance; 1 is the limit.

    For ``equal`` the excess is |measured - expected|, for the inequalities what is on the wrong side, or zero.
    """
    table = read_table(summary, "claims", COLUMNS)
    if table.empty:
        return notice("No claim was checked at this scale.")
    table = table.assign(
        ratio=_ratio(table).clip(FLOOR, CEILING).fillna(CEILING),
        number=table["claim"].map(claim_number),
    )
    left, right = _columns(sorted(table["number"].unique(), key=claim_order))
    figure = Figure(figsize=(7.2, 0.19 * max(_rows(left), _rows(right)) + 1.1))
    axes = figure.subplots(1, 2 if right else 1, squeeze=False)[0]
    for axis, sections in zip(axes, (left, right), strict=False):
        _draw(axis, table, sections)
        axis.set_ylim(max(_rows(left), _rows(right)) - 0.3, -0.6)
    confirmed = table["verdict"] == "confirmed"
    figure.suptitle(
        f"{confirmed.sum()} of {len(table)} records confirmed:\n{tally(table.loc[confirmed, 'status'])}", fontsize=8
    )
    handles = [
        Line2D([], [], color=BLUE, marker="o", linestyle="", alpha=0.55, label="proof or counterexample"),
        Line2D(
            [], [], color=BLUE, marker="D", linestyle="", markerfacecolor="none", label="observation or consistency"
        ),
        Line2D([], [], color=VERMILLION, marker="X", linestyle="", markersize=7, label="violated"),
        Line2D([], [], color=VERMILLION, linewidth=1.2, label="tolerance"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, labelcolor=GREY)
    return figure


def _columns(numbers: list[str]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Claims by section, cut between two sections so that the longer column is as short as it can be."""
    sections: dict[str, list[str]] = {}
    for number in numbers:
        name = next((name for last, name in TOPICS if claim_order(number)[0] <= last), "Other")
        sections.setdefault(name, []).append(number)
    items = list(sections.items())
    cuts = [(dict(items[:k]), dict(items[k:])) for k in range(1, len(items) + 1)]
    return min(cuts, key=lambda cut: max(_rows(cut[0]), _rows(cut[1])))


def _rows(sections: dict[str, list[str]]) -> float:
    return sum(len(numbers) + GAP for numbers in sections.values())


def _draw(axis: Axes, table: pd.DataFrame, sections: dict[str, list[str]]) -> None:
    beside = blended_transform_factory(axis.transAxes, axis.transData)
    place: dict[str, float] = {}
    for index, (name, numbers) in enumerate(sections.items()):
        start = len(place) + GAP * (index + 1)
        axis.text(0.006, start - GAP, name, transform=beside, va="center", fontsize=7.5, fontweight="bold")
        place |= {number: start + row for row, number in enumerate(numbers)}
    own = table[table["number"].isin(place)]
    confirmed, checked = own["verdict"] == "confirmed", own["status"].isin(CHECKED)
    styles: list[tuple[pd.Series, dict[str, Any]]] = [
        (confirmed & checked, {"s": 14, "color": BLUE, "marker": "o", "alpha": 0.55, "linewidth": 0}),
        (confirmed & ~checked, {"s": 14, "facecolor": "none", "edgecolor": BLUE, "marker": "D", "linewidth": 0.7}),
        (~confirmed, {"s": 45, "color": VERMILLION, "marker": "X", "linewidth": 0}),
    ]
    for chosen, style in styles:
        rows = own[chosen]
        axis.scatter(rows["ratio"], rows["number"].map(place), zorder=3, clip_on=False, **style)
    axis.axvline(1, color=VERMILLION, linewidth=1.2)
    for number, row in place.items():
        verdicts = own.loc[own["number"] == number, "verdict"]
        text = f"{(verdicts == 'confirmed').sum()} of {len(verdicts)}"
        axis.text(1.02, row, text, transform=beside, va="center", fontsize=6.5)
    axis.set(xscale="log", xlim=(FLOOR / 1.6, CEILING * 1.6), yticks=list(place.values()), yticklabels=list(place))
    axis.set_xlabel("excess, in tolerances (dimensionless; 1 is the limit)")
    axis.set_xticks([10.0**power for power in range(-6, 4, 1)])
    axis.set_xticklabels(["≤10$^{-6}$", "", "10$^{-4}$", "", "10$^{-2}$", "", "1", "", "", "≥10$^{3}$"])
    axis.minorticks_off()


def _ratio(table: pd.DataFrame) -> pd.Series:
    excess = table["measured"].astype(float) - table["expected"].astype(float)
    wrong = excess.abs().where(table["comparison"] == "equal", excess.clip(lower=0))
    wrong = wrong.where(table["comparison"] != "at least", (-excess).clip(lower=0))
    tolerance = table["tolerance"].astype(float)
    return (wrong / tolerance.where(tolerance > 0, np.finfo(float).tiny)).where(wrong != 0, 0.0)
