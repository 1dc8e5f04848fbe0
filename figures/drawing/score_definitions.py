"""What figure and table of the definitions of the score share: the runs, and the words for their points."""

from collections.abc import Sequence

from figures.drawing.names import problem_order
from figures.drawing.summary import Run, Summary, read_runs, read_table

INTRA_STEP = {"score_raw": "raw", "score_common_state": "common-state", "score_own_state": "own-state"}
"""Quantities of ``curves.csv`` and their names."""


def all_runs(summary: Summary) -> Sequence[Run]:
    """Every run, variations too, problem by problem."""
    problems = sorted(set(read_table(summary, "runs", ["problem"])["problem"].astype(str)), key=problem_order)
    return [run for problem in problems for run in read_runs(summary, problem, variations=True)]


def points_in_words(run: Run) -> str:
    """When a run draws its collocation points."""
    if run.points_every >= run.steps:
        return "fixed"
    return "new at every step" if run.points_every == 1 else f"new every {run.points_every} steps"
