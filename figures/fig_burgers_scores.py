"""Burgers' equation: the three intra-step scores along training."""

from pathlib import Path

from matplotlib.figure import Figure
from training_plots import score_figure

PANELS = [
    ("score_raw", "Raw gradients"),
    ("score_common_state", "Common-state directions"),
    ("score_own_state", "Own-state directions"),
]


def render(summary: Path) -> Figure:
    """A row per run, a column per version of the score, with the null line 2/n - 1."""
    return score_figure(summary, "burgers", PANELS, null="intra")
