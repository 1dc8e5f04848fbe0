"""Reference solutions, with the evidence for their errors."""

from pathlib import Path

import pandas as pd
from common import number, read_table

COLUMNS = ["problem", "solver", "resolution", "self_convergence_error", "independent_check", "independent_difference"]
COLUMNS += ["stated_error", "seconds", "scale"]
HEADER = ["problem", "solver", "resolution", "against finer resolution", "independent check"]
HEADER += ["against independent check", "stated error", "seconds", "scale"]


def render(summary: Path) -> pd.DataFrame:
    """A row per reference; all errors are relative L2 differences, dimensionless."""
    table = read_table(summary, "references", COLUMNS)
    return pd.DataFrame(
        [
            {
                "problem": row["problem"],
                "solver": row["solver"],
                "resolution": row["resolution"],
                "against finer resolution": number(float(row["self_convergence_error"])),
                "independent check": row["independent_check"],
                "against independent check": number(float(row["independent_difference"])),
                "stated error": number(float(row["stated_error"])),
                "seconds": number(float(row["seconds"])),
                "scale": row["scale"],
            }
            for row in table.sort_values("problem").to_dict("records")
        ],
        columns=HEADER,
    )
