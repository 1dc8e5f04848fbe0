"""One problem: relative L2 error against steps, seconds and time."""

from common import Summary
from matplotlib.figure import Figure
from published_errors import CONDITIONS, RELATIVE_L2
from training_plots import error_figure


def render(summary: Summary, problem: str) -> Figure:
    """Median and range over the seeds, beside published errors and the error of the reference."""
    return error_figure(summary, problem, RELATIVE_L2.get(problem, {}), CONDITIONS.get(problem, ""))
