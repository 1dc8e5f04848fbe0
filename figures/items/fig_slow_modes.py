"""Claims T15 and T17: in its slow mode gradient descent makes two losses conflict, and Newton directions align."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from figures.drawing.names import BLACK, BLUE, GREEN, GREY, ORANGE, VERMILLION
from figures.drawing.rendering import notice
from figures.drawing.summary import Summary, read_claim_curves

KINDS = {"raw": (VERMILLION, "o", "raw gradients"), "Newton": (BLUE, "s", "Newton-preconditioned gradients")}


def render(summary: Summary) -> Figure:
    """Scores along gradient descent (T15, T17b), under damped Newton (T17b), losses, and kappa against N (T17a)."""
    curves = read_claim_curves(summary, "T15", "T17")
    if curves.empty:
        return notice("Claims T15 and T17 were not checked at this scale.")
    figure = Figure(figsize=(7.2, 4.9))
    axes = figure.subplot_mosaic("AABBCC;DDDEEE")
    least_squares, pinn = (curves[curves["claim"] == claim] for claim in ("T15", "T17"))
    _scores(axes["A"], least_squares, "start near the top mode", 1)
    _limits(axes["A"], least_squares, "score of the bottom mode", "--")
    _limits(axes["A"], least_squares, "score of the top mode", ":")
    axes["A"].set(title="Gradient descent: signs reverse", ylabel="score A of two losses (dimensionless)")
    _scores(axes["B"], pinn, "gradient descent", 1)
    _limits(axes["B"], pinn, "score of the two slowest modes", "--")
    axes["B"].set(title="The same on a linear PINN")
    _scores(axes["C"], pinn, "damped Newton", 0)
    axes["C"].set(title="Newton: no score changes", xlabel="step of damped Newton", xlim=(0, 25))
    for name in "ABC":
        axes[name].axhline(0, color=BLACK, linewidth=0.8)
        axes[name].set(ylim=(-1.05, 1.05), yticks=[-1, -0.5, 0, 0.5, 1])
    _losses(axes["D"], pinn[pinn["quantity"] == "relative loss by step"])
    _conditions(axes["E"], pinn[pinn["quantity"] == "kappa by N, sines"])
    handles = [Line2D([], [], color=colour, marker=marker, label=label) for colour, marker, label in KINDS.values()]
    handles += [
        Line2D([], [], color=GREY, linestyle="--", label="predicted: slowest modes"),
        Line2D([], [], color=GREY, linestyle=":", label="predicted: top mode"),
        Line2D([], [], color=BLACK, linewidth=0.8, label="orthogonal: 2/n − 1 = 0"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    return figure


def _scores(axis: Axes, curves: pd.DataFrame, run: str, shift: int) -> None:
    points = curves[curves["quantity"] == f"score, {run}"]
    for kind, (colour, marker, _) in KINDS.items():
        series = points[points["series"] == kind]
        axis.plot(series["x"] + shift, series["y"], color=colour, marker=marker, markevery=0.15)
    if shift:
        axis.set(xscale="log", xlabel="step of gradient descent, plus 1", xlim=(1, points["x"].max() + 1))


def _limits(axis: Axes, curves: pd.DataFrame, quantity: str, line: str) -> None:
    points = curves[curves["quantity"] == quantity].set_index("series")["y"]
    for kind, (colour, _, _) in KINDS.items():
        axis.axhline(points[kind], color=colour, linestyle=line, linewidth=1, alpha=0.7)


def _losses(axis: Axes, points: pd.DataFrame) -> None:
    for name, colour, line, marker in (
        ("gradient descent", ORANGE, "-", "D"),
        ("damped Newton", GREEN, "--", "^"),
    ):
        series = points[points["series"] == name]
        axis.plot(series["x"] + 1, series["y"], color=colour, linestyle=line, marker=marker, markevery=0.1, label=name)
    axis.text(40, 1e-7, "divided by four per step,\nat a constant score below zero", color=GREEN, fontsize=7)
    axis.set(
        title="Conflict by the score, convergence in fact",
        xlabel="step, plus 1",
        ylabel="loss / loss at the start",
        xscale="log",
        yscale="log",
        xlim=(1, points["x"].max() + 1),
    )
    axis.legend(loc="lower right")


def _conditions(axis: Axes, points: pd.DataFrame) -> None:
    sizes = np.geomspace(4, 16, 50)
    for name, colour, marker, factor, law in (
        ("boundary weight 1", VERMILLION, "o", np.pi**4 / (3 - np.sqrt(5)), "$π^4N^4/(3-\\sqrt{5})$"),
        ("best boundary weight", BLUE, "s", 1.0, "$N^4$"),
    ):
        series = points[points["series"] == name]
        axis.plot(sizes, factor * sizes**4, color=colour, linewidth=1)
        axis.plot(series["x"], series["y"], color=colour, marker=marker, linestyle="")
        axis.plot([], [], color=colour, marker=marker, label=f"{name}: {law}")
    axis.set(
        title="Slow without any conflict: A = 0 everywhere",
        xlabel="number N of sines in the basis 1, x, sin kπx",
        ylabel="κ(H) (dimensionless)",
        xscale="log",
        yscale="log",
        xticks=[4, 6, 8, 12, 16],
        xticklabels=["4", "6", "8", "12", "16"],
        ylim=(100, 1e9),
    )
    axis.minorticks_off()
    axis.legend(loc="upper left")
