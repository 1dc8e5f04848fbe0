"""The ranking of the methods over problems, at equal training time, gradient evaluations and operations."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from figures.drawing.names import method_look
from figures.drawing.summary import Summary, read_table
from figures.drawing.text import number
from gradalign.pipeline.comparison import RANKS

HEADER = ["at equal", "method", "mean rank", "95 % interval, all together", "before"]
HEADER += ["methods compared", "problems", "p, no order"]
BUDGETS = {"seconds": "training time", "gradient_evaluations": "gradient evaluations", "operations": "operations"}

SMALL = 0.001
"""Of 10000 draws: what is smaller is not resolved."""


def render(summary: Summary) -> pd.DataFrame:
    """A row per budget and method, the best mean rank first."""
    table = read_table(summary, "mean_ranks", RANKS)
    rows = []
    for budget, words in BUDGETS.items():
        for row in table[table["budget"] == budget].sort_values("mean_rank", kind="stable").to_dict("records"):
            rows.append(
                {
                    "at equal": words,
                    "method": method_look(str(row["method"]))[0],
                    "mean rank": number(row["mean_rank"]),
                    "95 % interval, all together": interval(row),
                    "before": before(row),
                    "methods compared": str(row["methods"]),
                    "problems": str(row["problems"]),
                    "p, no order": number(row["friedman_p"], 2) if row["friedman_p"] > SMALL else f"below {SMALL}",
                }
            )
    return pd.DataFrame(rows, columns=HEADER)


def interval(row: Mapping[Any, Any]) -> str:
    """The ends of an interval; a dash where there is none.

    >>> interval({"low": 1.0, "high": 2.25}), interval({"low": float("nan"), "high": float("nan")})
    ('1 to 2.25', '–')
    """
    return "–" if pd.isna(row["low"]) else f"{number(row['low'])} to {number(row['high'])}"


def before(row: Mapping[Any, Any]) -> str:
    """The methods that this one is better than, as far as the problems tell; a dash where that is none.

    >>> before({"better_than": "adam; soap"}), before({"better_than": float("nan")}), before({"better_than": ""})
    ('Adam, SOAP', '–', '–')
    """
    names = row["better_than"]
    if not isinstance(names, str) or not names:  # an empty cell is read as NaN
        return "–"
    return ", ".join(method_look(name)[0] for name in names.split("; "))
