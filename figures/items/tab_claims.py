"""All checked claims, by number."""

import re

import pandas as pd

from figures.drawing.summary import Summary, read_table
from figures.drawing.text import claim_order, number

SIGNS = {"equal": "=", "at most": "≤", "at least": "≥"}
COLUMNS = ["claim", "statement", "status", "quantity", "expected", "measured", "tolerance", "comparison", "verdict"]


def _declared(value: float) -> str:
    """A number that was declared, not measured: 1e-12, not 1.00e-12."""
    return re.sub(r"[.]0+(?=e)", "", number(float(value)))


def render(summary: Summary) -> pd.DataFrame:
    """A row per record: what was stated, what was expected and measured, and the verdict."""
    table = read_table(summary, "claims", COLUMNS)
    rows = table.iloc[sorted(range(len(table)), key=lambda i: claim_order(str(table["claim"].iloc[i])))]
    return pd.DataFrame(
        [
            {
                "claim": row["claim"],
                "statement": row["statement"],
                "status": row["status"],
                "quantity": row["quantity"],
                "expected": f"{SIGNS[str(row['comparison'])]} {_declared(row['expected'])}",
                "tolerance": _declared(row["tolerance"]),
                "measured": number(float(row["measured"])),
                "verdict": row["verdict"],
            }
            for row in rows.to_dict("records")
        ],
        columns=["claim", "statement", "status", "quantity", "expected", "tolerance", "measured", "verdict"],
    )
