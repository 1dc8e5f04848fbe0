"""One problem: the inter-step scores along training."""

from matplotlib.figure import Figure

from figures.drawing.summary import Summary
from figures.drawing.training_plots import INTER_STEP, score_figure


def render(summary: Summary, problem: str) -> Figure:
    """A row per run, a column per version of the score."""
    return score_figure(summary, problem, INTER_STEP, null="inter")
