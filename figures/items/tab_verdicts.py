"""What holds of the informal claims of the paper, with the records that were checked for each."""

import pandas as pd
import yaml

from figures import FIGURES
from figures.drawing.summary import Summary, read_table
from gradalign.claims._records import claim_number, tally

Found = dict[str, list[tuple[str, str]]]
"""Status and verdict of the records by the number of their claim."""


def render(summary: Summary) -> pd.DataFrame:
    """A row per informal claim of ``verdicts.yaml``, with how many records of its claims were confirmed."""
    table = read_table(summary, "claims", ["claim", "status", "verdict"])
    found: Found = {}
    for claim, status, verdict in zip(table["claim"], table["status"], table["verdict"], strict=True):
        found.setdefault(claim_number(claim), []).append((status, verdict))
    return pd.DataFrame(
        [
            {
                "informal claim": row["claim"],
                "stated in": row["stated in"],
                "verdict": row["verdict"],
                "holds if": row["condition"],
                "counterexample": row["counterexample"],
                "claims": ", ".join(row["claims"]),
                "confirmed": _confirmed(row["claims"], found),
                "figure": row["figure"],
            }
            for row in yaml.safe_load((FIGURES / "verdicts.yaml").read_text(encoding="utf-8"))
        ]
    )


def _confirmed(claims: list[str], found: Found) -> str:
    """How many records of some claims were confirmed, by status, and how many were violated.

    >>> _confirmed(["T1", "T2"], {"T1": [("proven", "confirmed"), ("observation", "violated")]})
    '1 proven; violated: 1 observation; T2 not checked'
    >>> _confirmed(["T2"], {})
    'not checked at this scale'
    """
    missing = [claim for claim in claims if claim not in found]
    if missing == claims:
        return "not checked at this scale"
    records = [record for claim in claims for record in found.get(claim, [])]
    parts = [tally(status for status, verdict in records if verdict == "confirmed")]
    if violated := [status for status, verdict in records if verdict != "confirmed"]:
        parts.append(f"violated: {tally(violated)}")
    if missing:
        parts.append(f"{', '.join(missing)} not checked")
    return "; ".join(parts)
