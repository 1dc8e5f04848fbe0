"""Allen-Cahn equation: the three intra-step scores along training, with two and with three loss terms."""

from pathlib import Path

from matplotlib.figure import Figure
from training_plots import INTRA_STEP, score_figure


def render(summary: Path) -> Figure:
    """A row per run, a column per version of the score, with the null line 2/n - 1 of the run."""
    return score_figure(summary, "allen_cahn", INTRA_STEP, null="intra", variations=True)
