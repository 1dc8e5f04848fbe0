"""What figure and table of scores beside errors share: the points, the correlations, and words for them."""

import pandas as pd

from figures.drawing.names import problem_order
from figures.drawing.summary import Summary, read_table
from figures.drawing.text import number
from gradalign.pipeline.comparison import CORRELATIONS, scores_and_errors

SCORES = {
    "score_raw": "Raw gradients",
    "score_common_state": "Common-state directions",
    "score_own_state": "Own-state directions",
    "score_inter_update": "Consecutive updates",
}
"""Quantities of ``gradalign.pipeline.comparison.SCORES`` in words, as the figures of scores call them."""


def read_points(summary: Summary) -> pd.DataFrame:
    """The mean scores and final errors of ``gradalign.pipeline.comparison.scores_and_errors``; empty without runs."""
    columns = ["run", "problem", "method", "seed", "changed", "loss_terms", "relative_l2"]
    runs, curves = (
        read_table(summary, "runs", columns),
        read_table(summary, "curves", ["run", "seed", "quantity", "value"]),
    )
    if runs.empty or curves.empty:
        return pd.DataFrame(columns=["problem", "changed", "method", "run", "seed", "score", "value", "error"])
    return scores_and_errors(runs, curves)


def read_correlations(summary: Summary) -> pd.DataFrame:
    """The summary table of correlations, problem by problem, the means over problems last."""
    table = read_table(summary, "score_correlations", CORRELATIONS)
    order = [(name == "all", problem_order(str(name))) for name in table["problem"]]
    return table.iloc[sorted(range(len(table)), key=order.__getitem__)]


def verdict(table: pd.DataFrame) -> str:
    """Whether a high score predicts a low error, in one or two sentences, from the table of ``read_correlations``.

    A correlation of -1 would be that it does on every problem. Empty where no score has an interval.

    >>> row = {"score": "score_raw", "problem": "all", "correlation": -0.17, "low": -0.4, "high": 0.1, "problems": 10}
    >>> verdict(pd.DataFrame([row]))  # doctest: +NORMALIZE_WHITESPACE
    'Whether a high score predicts a low error, 10 problems cannot tell: what they exclude, at 95 %, is a mean
    correlation below -0.4 or above 0.1 (raw gradients).'
    """
    rows = [row for row in table[table["problem"] == "all"].to_dict("records") if pd.notna(row["low"])]
    open_ones = [row for row in rows if row["low"] <= 0 <= row["high"]]
    sentences = []
    if open_ones:
        parts = [
            f"below {number(row['low'], 2)} or above {number(row['high'], 2)} ({SCORES[row['score']].lower()})"
            for row in open_ones
        ]
        sentences.append(
            f"Whether a high score predicts a low error, {open_ones[0]['problems']} problems cannot tell: what they "
            f"exclude, at 95 %, is a mean correlation {', '.join(parts)}."
        )
    for row in rows:
        if row not in open_ones:
            sign = "a low" if row["high"] < 0 else "a high"
            between = f"{number(row['low'], 2)} to {number(row['high'], 2)}"
            sentences.append(f"For {SCORES[row['score']].lower()} a high score goes with {sign} error ({between}).")
    return " ".join(sentences)
