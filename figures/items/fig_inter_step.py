"""The inter-step score by step size, error, condition number and time, on problems where all is known."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.drawing.names import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILLION
from figures.drawing.rendering import notice
from figures.drawing.summary import Summary, read_claim_curves

LATE = {
    "gradient descent": (BLUE, "o", "-"),
    "damped Newton": (VERMILLION, "s", "--"),
    "sign descent": (GREEN, "^", "-."),
    "Adam": (ORANGE, "D", ":"),
}
LARGE, SMALL = 7.0, 3.0
"""Markers of lines that lie on others, open, and of those others, filled."""
ORDERS = {
    ("1 - A of updates", "cubic"): (VERMILLION, "s", LARGE, "updates"),
    ("1 - A of gradients", "cubic"): (BLUE, "o", SMALL, "gradients"),
    ("1 - A of updates", "T = 0"): (PURPLE, "^", LARGE, "updates, T = 0"),
    ("1 - A of gradients", "T = 0"): (GREEN, "v", SMALL, "gradients, T = 0"),
}
ROUNDING = 1e-33
"""1 - A below this is rounding, and shown here."""


def render(summary: Summary) -> Figure:
    """Late scores (T14, T16, T18), orders near a minimiser (T19), floors (T16), and scores over time (T14, T18)."""
    points = read_claim_curves(summary, "T14", "T16", "T18", "T19")
    if not set(points["claim"]) >= {"T14", "T16", "T18", "T19"}:
        return notice("The claims T14, T16, T18 and T19 are not all in this configuration.")
    figure = Figure(figsize=(7.2, 5.8))
    (late, time), (order, floor) = figure.subplots(2, 2)
    _late(late, points)
    _time(time, points)
    _order(order, points)
    _floor(floor, points)
    return figure


def _lines(points: pd.DataFrame, quantity: str) -> dict[str, pd.DataFrame]:
    rows = points[points["quantity"] == quantity]
    return {str(name): line for name, line in rows.groupby("series", sort=False)}


def _late(axis: Axes, points: pd.DataFrame) -> None:
    for name, line in _lines(points, "late score").items():
        colour, marker, dash = LATE[name]
        turned = line["x"] > 1
        for part, label in ((line[~turned], name), (line[turned], None)):
            # Newton lies on gradient descent: filled markers inside open ones show both
            style = (
                {"markersize": 7.5, "markerfacecolor": "none"} if name == "gradient descent" else {"markersize": 3.5}
            )
            axis.plot(
                part["x"], part["y"], color=colour, marker=marker, linestyle=dash, linewidth=1.2, label=label, **style
            )
    axis.axvline(1, color=GREY, linewidth=0.8)
    axis.set(
        xlabel="step size η in units of 2/(λmax + λmin) of PH",
        ylabel="late inter-step score of updates",
        title="Late: gradient descent scores as Newton does",
        ylim=(-1.12, 1.12),
        yticks=[-1, -0.5, 0, 0.5, 1],
    )
    axis.legend(loc="upper right", bbox_to_anchor=(1.0, 0.93))


def _time(axis: Axes, points: pd.DataFrame) -> None:
    lines = _lines(points, "distance from the limit")
    looks = {
        "below the threshold": (BLUE, "o", "gradient descent, η = 0.6: 1 − A"),
        "above the threshold": (PURPLE, "v", "gradient descent, η = 1.05: 1 + A"),
    }
    for name, (colour, marker, label) in looks.items():
        line, leading = (found[found["y"] > ROUNDING] for found in (lines[name], lines[f"{name}, leading order"]))
        axis.plot(line["x"], line["y"], color=colour, marker=marker, linestyle="none", markersize=3.5, label=label)
        axis.plot(leading["x"], leading["y"], color=BLACK, linewidth=0.8)
    newton = lines["damped Newton"]
    axis.plot(
        newton["x"],
        newton["y"].clip(lower=ROUNDING),
        color=VERMILLION,
        marker="s",
        linestyle="none",
        markersize=3.5,
        label="damped Newton, η = 0.6: 1 − A = 0 to rounding",
    )
    axis.plot([], [], color=BLACK, linewidth=0.8, label="leading order y (1 − ν)²/2")
    axis.set(
        yscale="log",
        xlim=(-0.7, 30.5),
        ylim=(ROUNDING / 30, 1e17),
        yticks=[1e-32, 1e-24, 1e-16, 1e-8, 1],
        xlabel="step t (η in the units of the left panel)",
        ylabel="distance of the score from ±1",
        title="Gradient descent reaches ±1 geometrically",
    )
    axis.legend(loc="upper right", fontsize=7)


def _order(axis: Axes, points: pd.DataFrame) -> None:
    lengths = np.array([7e-4, 1.4e-2])
    for power, dash in ((2, "-"), (4, "--")):
        axis.plot(lengths, lengths**power, color=BLACK, linestyle=dash, linewidth=0.9, label=f"slope {power}")
    for (quantity, series), (colour, marker, size, label) in ORDERS.items():
        line = points[(points["quantity"] == quantity) & (points["series"] == series)]
        face = "none" if size == LARGE else colour
        axis.plot(
            line["x"],
            line["y"],
            color=colour,
            marker=marker,
            linestyle="none",
            markersize=size,
            markerfacecolor=face,
            label=label,
        )
    axis.set(
        xscale="log",
        yscale="log",
        ylim=(1e-13, 1),
        xlabel="distance from the minimiser ‖e‖",
        ylabel="(1 − A) / constant of T19",
        title="Damped Newton near a minimiser: order 2",
    )
    handles, labels = axis.get_legend_handles_labels()
    axis.legend([*handles[2:], *handles[:2]], [*labels[2:], *labels[:2]], loc="upper left", ncols=2)


def _floor(axis: Axes, points: pd.DataFrame) -> None:
    lines = _lines(points, "floor / eta^2")
    kappa = np.geomspace(8, 400, 50)
    looks = {
        "45 degrees": (VERMILLION, "s", "-", (kappa + 1) / 12, "axes at 45°", "(κ + 1)/12"),
        "0 degrees": (BLUE, "o", "--", (1 + 1 / kappa) / 6, "axes at 0°", "(1 + 1/κ)/6"),
    }
    for name, (colour, marker, dash, law, label, formula) in looks.items():
        axis.plot(kappa, law, color=colour, linestyle=dash, label=formula)
        axis.plot(lines[name]["x"], lines[name]["y"], color=colour, marker=marker, linestyle="none", label=label)
    axis.set(
        xscale="log",
        yscale="log",
        xlabel="condition number κ",
        ylabel="mean final loss / η²",
        title="Sign descent stalls: rotated axes cost κ",
    )
    axis.legend(loc="upper left")
