"""One problem in one dimension and time: reference, predictions and pointwise errors."""

from common import Summary
from field_plots import field_figure
from matplotlib.figure import Figure


def render(summary: Summary, problem: str, field: str = "u") -> Figure:
    """Maps over time and position of the first seed of every run."""
    return field_figure(summary, problem, field)
