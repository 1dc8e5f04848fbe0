"""Allen-Cahn equation: reference, predictions and pointwise errors."""

from pathlib import Path

from field_plots import field_figure
from matplotlib.figure import Figure


def render(summary: Path) -> Figure:
    """Maps over time and position of the first seed of every run."""
    return field_figure(summary, "allen_cahn", "u")
