"""All checked claims at a glance: how far each measured number is from the expected one, in tolerances."""

from pathlib import Path

import numpy as np
import pandas as pd
from common import BLUE, GREY, VERMILLION, claim_order, notice, read_table
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import blended_transform_factory

FLOOR, CEILING = 1e-6, 1e3
TOPICS = [
    (1, 10, "The score"),
    (11, 17, "First-order methods"),
    (18, 25, "Newton and Gauss–Newton"),
    (26, 33, "SOAP"),
    (34, 38, "Initialisation"),
]
"""Sections of the list of claims, by their first and last number."""
COLUMNS = ["claim", "expected", "measured", "tolerance", "comparison", "verdict"]


def render(summary: Path) -> Figure:
    """One mark per record: the excess over the expected number divided by the tolerance; 1 is the limit.

    For ``equal`` the excess is |measured - expected|, for the inequalities what is on the wrong side, or zero.
    """
    table = read_table(summary, "claims", COLUMNS)
    if table.empty:
        return notice("No claim was checked at this scale.")
    table = table.assign(
        ratio=_ratio(table).clip(FLOOR, CEILING).fillna(CEILING),
        number=[claim_order(claim)[0] for claim in table["claim"]],
    )
    numbers = sorted(table["number"].unique())
    topic_of = {n: next((name for low, high, name in TOPICS if low <= n <= high), "Other") for n in numbers}
    topics = list(dict.fromkeys(topic_of.values()))
    place = {n: row + 0.9 * topics.index(topic_of[n]) for row, n in enumerate(numbers)}

    figure = Figure(figsize=(7.2, 0.19 * (len(numbers) + 0.9 * len(topics)) + 1.0))
    axis = figure.subplots()
    for verdict, colour, marker in (("confirmed", BLUE, "o"), ("violated", VERMILLION, "X")):
        rows = table[table["verdict"] == verdict]
        axis.scatter(
            rows["ratio"],
            rows["number"].map(place),
            s=16 if verdict == "confirmed" else 45,
            color=colour,
            marker=marker,
            alpha=0.55 if verdict == "confirmed" else 1,
            linewidth=0,
            zorder=3,
            clip_on=False,
        )
    axis.axvline(1, color=VERMILLION, linewidth=1.2)
    beside = blended_transform_factory(axis.transAxes, axis.transData)
    for n in numbers:
        of_claim = table[table["number"] == n]
        confirmed = int((of_claim["verdict"] == "confirmed").sum())
        axis.text(1.01, place[n], f"{confirmed} of {len(of_claim)}", transform=beside, va="center", fontsize=6.5)
    for topic in topics:
        first = min(n for n in numbers if topic_of[n] == topic)
        axis.text(0.006, place[first] - 0.9, topic, transform=beside, va="center", fontsize=7.5, fontweight="bold")
    axis.set(
        xscale="log",
        xlim=(FLOOR / 1.6, CEILING * 1.6),
        xlabel="excess over the expected number, in tolerances (dimensionless; 1 is the limit)",
        ylim=(max(place.values()) + 0.7, -1.5),
        yticks=[place[n] for n in numbers],
        yticklabels=[f"T{n}" for n in numbers],
    )
    ticks = [10.0**power for power in range(-6, 4, 1)]
    axis.set_xticks(ticks)
    axis.set_xticklabels(
        ["≤10$^{-6}$", *(f"$10^{{{power}}}$" if power else "1" for power in range(-5, 3)), "≥10$^{3}$"]
    )
    axis.minorticks_off()
    confirmed, violated = int((table["verdict"] == "confirmed").sum()), int((table["verdict"] == "violated").sum())
    axis.set_title(f"{confirmed} of {len(table)} records confirmed, {violated} violated")
    handles = [
        Line2D([], [], color=BLUE, marker="o", linestyle="", alpha=0.55, label="confirmed"),
        Line2D([], [], color=VERMILLION, marker="X", linestyle="", markersize=7, label="violated"),
        Line2D([], [], color=VERMILLION, linewidth=1.2, label="tolerance"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, labelcolor=GREY)
    return figure


def _ratio(table: pd.DataFrame) -> pd.Series:
    excess = table["measured"].astype(float) - table["expected"].astype(float)
    wrong = excess.abs().where(table["comparison"] == "equal", excess.clip(lower=0))
    wrong = wrong.where(table["comparison"] != "at least", (-excess).clip(lower=0))
    tolerance = table["tolerance"].astype(float)
    return (wrong / tolerance.where(tolerance > 0, np.finfo(float).tiny)).where(wrong != 0, 0.0)
