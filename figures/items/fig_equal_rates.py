"""Newton and Gauss-Newton lower all losses at one rate and without interference, unlike gradient descent (T21, T23)."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from figures.drawing.names import BLACK, BLUE, GREEN, GREY, VERMILLION
from figures.drawing.rendering import notice
from figures.drawing.summary import Summary, read_claim_curves

LOOKS = ((BLUE, "o"), (VERMILLION, "s"), (GREEN, "^"))
LENGTH = 0.05  # of the Newton and Gauss-Newton steps
SHORT = {"equation": "equation", "left end": "left", "right end": "right"}


def render(summary: Summary) -> Figure:
    """Losses against the step for quadratics and a network, and the interference of the losses of the network."""
    rows = read_claim_curves(summary, "T21", "T23")
    if rows.empty:
        return notice("The claims T21 and T23 were not checked at this scale.")
    figure = Figure(figsize=(7.2, 5.0))
    axes = figure.subplots(2, 2, height_ratios=[1.15, 1])
    _decays(axes[0, 0], rows[rows["claim"] == "T21"], "Newton", "Quadratics: one rate under Newton")
    _decays(axes[0, 1], rows[rows["claim"] == "T23"], "Gauss-Newton", "Network: one rate under Gauss–Newton")
    titles = {"raw": "Raw gradients: losses interfere", "Gauss-Newton": "Gauss–Newton: no interference"}
    for axis, (name, title) in zip(axes[1], titles.items(), strict=True):
        _heat_map(axis, rows[rows["quantity"] == f"interference, {name}"], title)
    axes[1, 0].set_ylabel("effect on this loss")
    figure.colorbar(axes[1, 1].collections[0], ax=axes[1], label="first-order decrease, normalised", ticks=[-1, 0, 1])
    handles = [
        Line2D([], [], color=GREY, marker="o", label="gradient descent"),
        Line2D(
            [], [], color=GREY, marker="o", linestyle="", markerfacecolor="w", label="(Gauss–)Newton, steps of 0.05"
        ),
        Line2D([], [], color=BLACK, linestyle="--", linewidth=0.9, label=r"$(1 - 0.05)^{2t}$"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    return figure


def _decays(axis: Axes, rows: pd.DataFrame, newton: str, title: str) -> None:
    """The losses relative to the start: lines with filled markers, gradient descent; open markers, (Gauss-)Newton."""
    for method, line, fill, every in (("gradient descent", "-", None, 20), (newton, "", "w", 15)):
        curves = rows[rows["quantity"] == f"loss, {method}"].groupby("series", sort=False)
        for k, ((series, curve), (colour, marker)) in enumerate(zip(curves, LOOKS, strict=False)):
            axis.plot(
                curve["x"],
                curve["y"],
                line,
                color=colour,
                marker=marker,
                markevery=(every * (k + 1) // 3, every),
                markerfacecolor=fill,
                label=series if line else None,
            )
    rate = 2 * np.log(1 - LENGTH)
    steps = np.array([0, rows["x"].max()])
    axis.plot(steps, np.exp(rate * steps), color=BLACK, linestyle="--", linewidth=0.9)
    axis.set(yscale="log", ylim=(3e-7, None), title=title, xlabel="step", ylabel="loss / loss at the start")
    axis.yaxis.set_minor_locator(NullLocator())
    axis.legend(loc="lower left")


def _heat_map(axis: Axes, rows: pd.DataFrame, title: str) -> None:
    names = list(rows["series"].drop_duplicates())
    matrix = np.array([rows.loc[rows["series"] == name, "y"] for name in names])
    axis.pcolormesh(matrix, cmap="RdBu", vmin=-1, vmax=1, edgecolors="w", linewidth=1)
    for (i, j), value in np.ndenumerate(matrix):
        text = f"{0.0 if abs(value) < 0.005 else value:.2f}".replace("-", "−")
        axis.text(j + 0.5, i + 0.5, text, ha="center", va="center", color="w" if abs(value) > 0.6 else BLACK)
    places = np.arange(len(names)) + 0.5
    axis.set_xticks(places, [SHORT.get(name, name) for name in names])
    axis.set_yticks(places, [SHORT.get(name, name) for name in names])
    axis.set(title=title, xlabel="step made for this loss")
    axis.invert_yaxis()
    axis.grid(visible=False)
