"""The ranking of the methods over problems, at equal training time and at equally many gradient evaluations."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from common import method_look, number, read_table

from gradalign.comparison import RANKS

HEADER = ["at equal", "method", "mean rank", "95 % interval", "methods compared", "problems"]
BUDGETS = {"seconds": "training time", "gradient_evaluations": "gradient evaluations"}


def render(summary: Path) -> pd.DataFrame:
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
                    "95 % interval": interval(row),
                    "methods compared": str(row["methods"]),
                    "problems": str(row["problems"]),
                }
            )
    return pd.DataFrame(rows, columns=HEADER)


def interval(row: Mapping[Any, Any]) -> str:
    """The ends of an interval; a dash where there is none.

    >>> interval({"low": 1.0, "high": 2.25}), interval({"low": float("nan"), "high": float("nan")})
    ('1 to 2.25', '–')
    """
    return "–" if pd.isna(row["low"]) else f"{number(row['low'])} to {number(row['high'])}"
