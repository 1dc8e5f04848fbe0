"""One problem in two dimensions and time: reference, predictions and pointwise errors at a few times."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from figures.drawing.snapshot_plots import snapshot_figure
from figures.drawing.summary import Summary


def render(summary: Summary, problem: str, fields: Sequence[str], times: int = 2) -> Figure:
    """Maps over the plane of the first seed of every run, the last time in the lowest row of every field."""
    return snapshot_figure(summary, problem, fields, times)
