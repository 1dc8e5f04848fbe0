"""One problem: relative L2 error against steps, seconds and time."""

from matplotlib.figure import Figure

from figures.drawing.published_errors import CONDITIONS, RELATIVE_L2
from figures.drawing.summary import Summary
from figures.drawing.training_plots import error_figure


def render(summary: Summary, problem: str) -> Figure:
    """Median and range over the seeds, beside published errors and the error of the reference."""
    return error_figure(summary, problem, RELATIVE_L2.get(problem, {}), CONDITIONS.get(problem, ""))
