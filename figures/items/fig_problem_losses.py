"""One problem: the loss and its terms along training."""

from matplotlib.figure import Figure

from figures.drawing.summary import Summary
from figures.drawing.training_plots import loss_figure


def render(summary: Summary, problem: str) -> Figure:
    """A panel for the total and one for every loss term."""
    return loss_figure(summary, problem)
