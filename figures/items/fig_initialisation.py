"""The score of the boundary and the equation loss of networks that are new (T34-T38)."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.drawing.names import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILLION
from figures.drawing.rendering import notice
from figures.drawing.summary import Summary, read_claim_curves

DIRECTIONS = {
    "GD": (BLUE, "-", "o", "gradient"),
    "sign": (VERMILLION, "--", "s", "signs"),
    "UV^T": (GREEN, ":", "^", r"$UV^\top$ by layer"),
}
"""Colour, line, marker and words for the direction maps of T38."""


def render(summary: Summary) -> Figure:
    """Histograms of the score by data, network and direction map, its spread against the width, and two points."""
    points = read_claim_curves(summary, "T35", "T36", "T37", "T38")
    if points.empty:
        return notice("No points of the claims T35-T38 in this configuration.")
    figure = Figure(figsize=(7.2, 7.6))
    axes = figure.subplots(3, 2)
    by_claim = {claim: points[points["claim"] == claim] for claim in ("T35", "T36", "T37", "T38")}
    _deep_networks(axes[0, 0], by_claim["T37"])
    _two_points(axes[0, 1], by_claim["T36"])
    _zero_biases(axes[1, 0], by_claim["T38"])
    _random_biases(axes[1, 1], by_claim["T38"])
    _zero_data(axes[2, 0], by_claim["T35"])
    _spread(axes[2, 1], points)
    for axis in (axes[0, 0], axes[1, 0], axes[1, 1], axes[2, 0]):
        axis.axvline(0, color=BLACK, linestyle="--", linewidth=0.8, zorder=1)  # 2/n - 1 for n = 2
        axis.set(ylabel="share of draws", xlabel="score A (dimensionless)")
        axis.legend(loc="upper center", fontsize=7, frameon=True, facecolor="white", edgecolor="white", framealpha=1)
    return figure


def _deep_networks(axis: Axes, points: pd.DataFrame) -> None:
    """The widest network, by data."""
    widest = "share of draws, w = 256"
    for value, colour, hatch in (("1", BLUE, "/"), ("0", GREY, ""), ("-1", VERMILLION, "\\")):
        rows = points[(points["quantity"] == widest) & (points["series"] == f"data {value}")]
        label = f"data g = {value.replace('-', '−')}"
        axis.bar(rows["x"], rows["y"], 0.05, color=colour, alpha=0.75, hatch=hatch, edgecolor="white", label=label)
    axis.set(xlim=(-1.08, 1.08), ylim=(0, 1), title="T37: the data decide the sign (1-256-256-1)")


def _two_points(axis: Axes, points: pd.DataFrame) -> None:
    z = np.linspace(0, 3.1, 200)
    axis.axhline(0, color=BLACK, linestyle="--", linewidth=0.8, label="orthogonal: 2/n − 1 = 0")
    axis.plot(z, (1 - z**2) * np.exp(-(z**2) / 2) / np.sqrt(3), color=GREY, label=r"limit, $M\to\infty$")
    mean = points[points["quantity"] == "mean score of two points"]
    axis.plot(mean["x"], mean["y"], color=BLUE, marker="o", linestyle="none", label="mean of 100 draws, M = 12800")
    axis.set(
        xlabel="distance of the points, t / ℓ",
        ylabel="score A (dimensionless)",
        title="T36: near points align, far ones conflict",
    )
    axis.legend(loc="upper right")


def _zero_biases(axis: Axes, points: pd.DataFrame) -> None:
    shares, limits = (points[points["quantity"] == name] for name in ("share of draws", "limit law, zero biases"))
    for name, (colour, line, marker, label) in DIRECTIONS.items():
        rows, limit = shares[shares["series"] == f"zero biases, {name}"], limits[limits["series"] == name]
        axis.step(rows["x"], rows["y"], where="mid", color=colour, linestyle=line, label=label)
        axis.plot(limit["x"], limit["y"], color=colour, marker=marker, linestyle="none", label=f"limit, {label}")
    axis.set(xlim=(-1.08, 1.08), ylim=(0, 1.05), title="T38, zero biases: two values, a fair coin")


def _random_biases(axis: Axes, points: pd.DataFrame) -> None:
    shares = points[points["quantity"] == "share of draws"]
    law = shares[shares["series"] == "limit law, GD"]
    axis.fill_between(law["x"], law["y"], step="mid", color=GREY, alpha=0.45, linewidth=0, label="limit law, gradient")
    for name, (colour, line, _, label) in DIRECTIONS.items():
        rows = shares[shares["series"] == f"random biases, {name}"]
        axis.step(rows["x"], rows["y"], where="mid", color=colour, linestyle=line, label=label)
    axis.set(xlim=(-1.08, 1.08), ylim=(0, 0.6), title="T38, random biases: the values spread")


def _zero_data(axis: Axes, points: pd.DataFrame) -> None:
    shares = points[points["quantity"] == "share of draws"]
    law = shares[shares["series"] == "limit law of zero data"]
    label = "limit law, two boundary points"
    axis.fill_between(law["x"], law["y"], step="mid", color=GREY, alpha=0.45, linewidth=0, label=label)
    looks = {
        "zero data": (ORANGE, "-", "two boundary points"),
        "one boundary point": (PURPLE, "--", "one boundary point"),
    }
    for name, (colour, line, label) in looks.items():
        rows = shares[shares["series"] == name]
        axis.step(rows["x"], rows["y"], where="mid", color=colour, linestyle=line, label=label)
    axis.set(xlim=(-0.52, 0.52), ylim=(0, 0.45), title="T35, data g = 0: a fair coin at any width")


def _spread(axis: Axes, points: pd.DataFrame) -> None:
    looks = {
        ("T35", "zero data"): ("cosine, g = 0: A (T35)", ORANGE, "s", "--"),
        ("T36", "data 1 and 1/2"): ("cosine, g = 1, 1/2: A (T36)", PURPLE, "D", ":"),
        ("T38", "random biases"): ("tanh, random biases: |A| (T38)", VERMILLION, "^", "-."),
        ("T38", "zero biases"): ("tanh, zero biases: |A| (T38)", BLUE, "o", "-"),
    }
    spread = points[points["quantity"].str.startswith("standard deviation")]
    for (claim, series), (label, colour, marker, line) in looks.items():
        rows = spread[(spread["claim"] == claim) & (spread["series"] == series)]
        axis.plot(rows["x"], rows["y"], color=colour, marker=marker, linestyle=line, label=label)
    axis.set(
        xscale="log",
        yscale="log",
        ylim=(2e-3, 0.5),
        xlabel="number of neurons M",
        ylabel="standard deviation over draws",
        title="Spread of A or |A|: what stays at any width",
    )
    axis.legend(loc="lower left")
