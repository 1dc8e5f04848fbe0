"""The scores of every run over late training, by definition, beside what decides them."""

import pandas as pd

from figures.drawing.names import problem_name
from figures.drawing.score_definitions import INTRA_STEP, all_runs, points_in_words
from figures.drawing.summary import Run, Summary, late_means, null_fraction
from figures.drawing.text import number

HEADER = ["problem", "run", "n", "2/n − 1", "points", "b1", *INTRA_STEP.values(), "updates"]


def render(summary: Summary) -> pd.DataFrame:
    """A row per run: means over the second half of training, averaged over the seeds, with their range."""
    rows = []
    for run in all_runs(summary):
        scores = [_mean(summary, run, quantity) for quantity in (*INTRA_STEP, "score_inter_update")]
        setting = [str(run.loss_terms), str(null_fraction(run)), points_in_words(run), number(run.b1)]
        rows.append([problem_name(run.problem), run.label, *setting, *scores])
    return pd.DataFrame(rows, columns=HEADER)


def _mean(summary: Summary, run: Run, quantity: str) -> str:
    means = late_means(summary, run, quantity)
    if means.empty:
        return "–"
    digits = 3 if quantity == "score_inter_update" else 2  # those are near one
    middle, low, high = (number(float(value), digits) for value in (means.mean(), means.min(), means.max()))
    return middle if len(means) < 2 else f"{middle} ({low} to {high})"
