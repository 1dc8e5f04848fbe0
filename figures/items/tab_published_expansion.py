"""The published expansion of the inter-step score, number by number."""

import re

import pandas as pd

from figures.drawing.summary import Summary, read_table
from figures.drawing.text import number

KINDS = {
    "measured": "1 − A measured (second hand)",
    "projected": "with projection (second hand)",
    "unprojected": "as printed, without projection (second hand)",
}
STEPS = {"0": "0 (gradient descent)", "0.5": "1/2", "1": "1 (Newton)"}
ROUNDING = 1e-31
"""1 - A is not known better than this."""
QUANTITY = re.compile(r"(measured|projected|unprojected) 1 - A, (first|second) gradient, s = (\S+)")


def render(summary: Summary) -> pd.DataFrame:
    """A row per gradient and exponent s: what is found here and, in brackets, known at second hand (T14e)."""
    records = read_table(summary, "claims", ["claim", "quantity", "expected", "measured"])
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for row in records.loc[records["claim"] == "T14e"].to_dict("records"):
        if found := QUANTITY.fullmatch(str(row["quantity"])):
            kind, gradient, exponent = found.groups()
            measured = float(row["measured"])
            shown = f"below {ROUNDING:.0e}" if 0 < abs(measured) < ROUNDING else number(measured)
            text = f"{shown} ({number(float(row['expected']))})"
            cells.setdefault((gradient, exponent), {})[kind] = text
    return pd.DataFrame(
        [
            {"gradient": gradient, "s": STEPS[exponent], **{label: kinds[kind] for kind, label in KINDS.items()}}
            for (gradient, exponent), kinds in sorted(cells.items())
        ],
        columns=["gradient", "s", *KINDS.values()],
    )
