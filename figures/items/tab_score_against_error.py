"""Does a high score go with a low error? Rank correlations by problem and kind of score, and their means."""

from collections.abc import Hashable
from typing import Any

import pandas as pd

from figures.drawing.names import problem_name
from figures.drawing.score_against_error import SCORES, read_correlations, read_points
from figures.drawing.summary import Summary
from figures.drawing.text import number

HEADER = ["problem", "setting", *SCORES.values()]


def render(summary: Summary) -> pd.DataFrame:
    """A row per problem, with the number of runs in brackets, and one for the mean with its 95 % interval."""
    table, points = read_correlations(summary), read_points(summary)
    settings = points.drop_duplicates("problem").set_index("problem")["changed"]
    rows = []
    for problem, own in table.groupby("problem", sort=False):
        by_score = {row["score"]: row for row in own.to_dict("records")}
        if problem == "all":
            cells = [_mean(by_score[score]) for score in SCORES]
            rows.append(["mean over problems", "–", *cells])
        else:
            cells = [_single(by_score[score]) if score in by_score else "–" for score in SCORES]
            rows.append([problem_name(str(problem)), settings[problem] or "plain", *cells])
    return pd.DataFrame(rows, columns=HEADER)


def _single(row: dict[Hashable, Any]) -> str:
    return f"{number(row['correlation'], 2)} [{row['runs']}]"


def _mean(row: dict[Hashable, Any]) -> str:
    if not row["problems"]:
        return "–"
    between = "" if pd.isna(row["low"]) else f" ({number(row['low'], 2)} to {number(row['high'], 2)})"
    return f"{number(row['correlation'], 2)}{between} [{row['runs']}, {row['problems']} problems]"
