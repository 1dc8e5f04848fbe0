"""One problem: the three intra-step scores along training."""

from matplotlib.figure import Figure

from figures.drawing.summary import Summary
from figures.drawing.training_plots import INTRA_STEP, score_figure


def render(summary: Summary, problem: str, variations: bool = False) -> Figure:
    """A row per run, a column per version of the score, with the null line 2/n - 1 of the run."""
    return score_figure(summary, problem, INTRA_STEP, null="intra", variations=variations)
