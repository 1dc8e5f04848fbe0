"""What figure and table of scores beside errors share: the points, the correlations, and words for them."""

from pathlib import Path

import pandas as pd
from common import problem_order, read_table

from gradalign.comparison import CORRELATIONS, scores_and_errors

SCORES = {
    "score_raw": "Raw gradients",
    "score_common_state": "Common-state directions",
    "score_own_state": "Own-state directions",
    "score_inter_update": "Consecutive updates",
}
"""Quantities of ``gradalign.comparison.SCORES`` in words, as the figures of scores call them."""


def read_points(summary: Path) -> pd.DataFrame:
    """The mean scores and final errors of ``gradalign.comparison.scores_and_errors``; empty without runs."""
    columns = ["run", "problem", "method", "seed", "changed", "loss_terms", "relative_l2"]
    runs, curves = (
        read_table(summary, "runs", columns),
        read_table(summary, "curves", ["run", "seed", "quantity", "value"]),
    )
    if runs.empty or curves.empty:
        return pd.DataFrame(columns=["problem", "changed", "method", "run", "seed", "score", "value", "error"])
    return scores_and_errors(runs, curves)


def read_correlations(summary: Path) -> pd.DataFrame:
    """The summary table of correlations, problem by problem, the means over problems last."""
    table = read_table(summary, "score_correlations", CORRELATIONS)
    order = [(name == "all", problem_order(str(name))) for name in table["problem"]]
    return table.iloc[sorted(range(len(table)), key=order.__getitem__)]
