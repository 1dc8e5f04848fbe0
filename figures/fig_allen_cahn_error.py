"""Allen-Cahn equation: relative L2 error against steps and against seconds."""

from pathlib import Path

from matplotlib.figure import Figure
from published import RELATIVE_L2
from training_plots import error_figure


def render(summary: Path) -> Figure:
    """Median and range over the seeds, beside published errors and the error of the reference."""
    return error_figure(summary, "allen_cahn", RELATIVE_L2["allen_cahn"])
