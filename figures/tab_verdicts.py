"""What holds of the informal claims of the paper, with the records that were checked for each."""

from pathlib import Path

import pandas as pd
import yaml
from common import FIGURES, read_table

from gradalign.records import claim_number


def render(summary: Path) -> pd.DataFrame:
    """A row per informal claim of ``verdicts.yaml``, with how many records of its claims were confirmed."""
    table = read_table(summary, "claims", ["claim", "verdict"])
    found: dict[str, list[str]] = {}
    for claim, verdict in zip(table["claim"], table["verdict"], strict=True):
        found.setdefault(claim_number(claim), []).append(verdict)
    return pd.DataFrame(
        [
            {
                "informal claim": row["claim"],
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


def _confirmed(claims: list[str], found: dict[str, list[str]]) -> str:
    """How many records of some claims were confirmed, from the verdicts found for each number.

    >>> _confirmed(["T1", "T2"], {"T1": ["confirmed", "violated"]}), _confirmed(["T2"], {})
    ('1 of 2; T2 not checked', 'not checked at this scale')
    """
    missing = [claim for claim in claims if claim not in found]
    if missing == claims:
        return "not checked at this scale"
    verdicts = [verdict for claim in claims for verdict in found.get(claim, [])]
    text = f"{verdicts.count('confirmed')} of {len(verdicts)}"
    return f"{text}; {', '.join(missing)} not checked" if missing else text
