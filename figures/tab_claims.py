"""All checked claims, by number."""

from pathlib import Path

import pandas as pd
from common import claim_order, number, read_table

SIGNS = {"equal": "=", "at most": "≤", "at least": "≥"}
COLUMNS = ["claim", "statement", "status", "quantity", "expected", "measured", "tolerance", "comparison", "verdict"]


def render(summary: Path) -> pd.DataFrame:
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
                "expected": f"{SIGNS[str(row['comparison'])]} {number(float(row['expected']))}",
                "tolerance": number(float(row["tolerance"])),
                "measured": number(float(row["measured"])),
                "verdict": row["verdict"],
            }
            for row in rows.to_dict("records")
        ],
        columns=["claim", "statement", "status", "quantity", "expected", "tolerance", "measured", "verdict"],
    )
