"""Burgers' equation: the inter-step scores along training."""

from pathlib import Path

from matplotlib.figure import Figure
from training_plots import score_figure

PANELS = [
    ("score_inter_gradient", "Gradients, as met"),
    ("score_inter_gradient_same_points", "Gradients, same points"),
    ("score_inter_update", "Updates"),
]


def render(summary: Path) -> Figure:
    """A row per run, a column per version of the score."""
    return score_figure(summary, "burgers", PANELS, null="inter")
