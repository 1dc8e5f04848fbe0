"""One problem in one dimension and time: reference, predictions and pointwise errors."""

from matplotlib.figure import Figure

from figures.drawing.field_plots import field_figure
from figures.drawing.summary import Summary


def render(summary: Summary, problem: str, field: str = "u") -> Figure:
    """Maps over time and position of the first seed of every run."""
    return field_figure(summary, problem, field)
