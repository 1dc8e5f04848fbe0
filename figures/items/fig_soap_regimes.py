"""What SOAP makes of the curvature depends on the gradient statistics (T31, T32)."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import blended_transform_factory

from figures.drawing.names import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION
from figures.drawing.rendering import notice
from figures.drawing.summary import Summary, read_claim_curves
from figures.drawing.text import number

ROWS = [
    ("T31", "none", "gradient descent: H", BLACK),
    ("T31", "Newton", "Newton", BLACK),
    ("T31", "i", "(i) isotropic errors, no noise", VERMILLION),
    ("T31", "ii", "(ii) noise proportional to H", BLUE),
    ("T31", "iii", "(iii) structured errors", GREEN),
    ("T31", "iv", "(iv) signal and noise", ORANGE),
    ("T31", "v", "(v) history of gradient flow", PURPLE),
    ("T31", "vi", "(vi) one gradient direction", SKY),
    ("T32", "none", "linear layer: H = I ⊗ Σ", BLACK),
    ("T32", "Sigma^2", "statistics I ⊗ Σ²", VERMILLION),
    ("T32", "Sigma", "statistics I ⊗ Σ", BLUE),
]


def render(summary: Summary) -> Figure:
    """Eigenvalues of the preconditioned Hessian by regime, and how fast few snapshots approach Newton's direction."""
    points = read_claim_curves(summary, "T31", "T32")
    if points.empty:
        return notice("The claims T31 and T32 were not checked at this scale.")
    figure = Figure(figsize=(7.2, 3.3))
    left, right = figure.subplots(1, 2, width_ratios=(1.5, 1))
    _spectra(left, points[points["quantity"] == "eigenvalue of P H"])
    _snapshots(right, points[points["quantity"] == "1 - cosine to Newton"])
    return figure


def _spectra(axis: Axes, points: pd.DataFrame) -> None:
    beside = blended_transform_factory(axis.transAxes, axis.transData)
    places = []
    for row, (claim, series, _, colour) in enumerate(ROWS):
        place = row + 0.5 * (row > 1) + 0.5 * (claim == "T32")
        values = points.loc[(points["claim"] == claim) & (points["series"] == series), "y"]
        axis.plot(values, np.full(len(values), place), color=colour, marker="|", linestyle="", markersize=9)
        axis.plot([values.min(), values.max()], [place, place], color=colour, linewidth=0.8)
        kappa = f"{number(values.max() / values.min())}" + (f" ({len(values)} of 20)" if len(values) < 20 else "")
        axis.text(1.02, place, kappa, transform=beside, va="center", fontsize=7)
        places.append(place)
    axis.text(1.02, -0.75, "κ", transform=beside, va="center", fontsize=7.5, fontweight="bold")
    axis.set(
        xscale="log",
        xlim=(2e-4, 1.4),
        ylim=(places[-1] + 0.6, -0.7),
        yticks=places,
        yticklabels=[label for _, _, label, _ in ROWS],
        xlabel="eigenvalues of PH, relative to the largest (dimensionless)",
        title="Newton in regime (i) only",
    )
    axis.grid(visible=False, axis="y")


def _snapshots(axis: Axes, points: pd.DataFrame) -> None:
    looks = {
        "gradient descent": (BLACK, "", "--", "gradient descent"),
        "SOAP": (VERMILLION, "s", "-", "SOAP, regime (i)"),
    }
    for series, (colour, marker, line, label) in looks.items():
        rows = points[points["series"] == series]
        by_count = rows.groupby("x")["y"]
        axis.fill_between(by_count.min().index, by_count.min(), by_count.max(), color=colour, alpha=0.13, linewidth=0)
        axis.plot(by_count.mean(), color=colour, marker=marker, linestyle=line, label=label)
    axis.set(
        xscale="log",
        yscale="log",
        xlabel="gradients in the average",
        ylabel="1 − cosine to Newton (dimensionless)",
        title="It takes many gradients",
    )
    axis.legend(loc="lower left")
