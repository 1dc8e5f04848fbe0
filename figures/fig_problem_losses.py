"""One problem: the loss and its terms along training."""

from pathlib import Path

from matplotlib.figure import Figure
from training_plots import loss_figure


def render(summary: Path, problem: str) -> Figure:
    """A panel for the total and one for every loss term."""
    return loss_figure(summary, problem)
