"""One problem: the inter-step scores along training."""

from pathlib import Path

from matplotlib.figure import Figure
from training_plots import INTER_STEP, score_figure


def render(summary: Path, problem: str) -> Figure:
    """A row per run, a column per version of the score."""
    return score_figure(summary, problem, INTER_STEP, null="inter")
