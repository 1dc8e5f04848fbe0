"""Reference solutions, with the evidence for their errors."""

import pandas as pd

from figures.drawing.names import problem_name, problem_order
from figures.drawing.summary import Summary, read_table
from figures.drawing.text import number

COLUMNS = ["problem", "solver", "resolution", "self_convergence_error", "independent_check", "independent_difference"]
COLUMNS += ["stated_error", "seconds", "bytes", "scale"]
HEADER = ["problem", "solver", "resolution", "against finer resolution", "independent check"]
HEADER += ["against independent check", "further evidence", "stated error", "seconds", "file", "scale"]


def render(summary: Summary) -> pd.DataFrame:
    """A row per reference; all errors are relative, those of solutions in the L2 norm; dimensionless."""
    table = read_table(summary, "references", COLUMNS)
    evidence = read_table(summary, "reference_evidence", ["problem", "check", "value"])
    rows = sorted(table.to_dict("records"), key=lambda row: problem_order(str(row["problem"])))
    return pd.DataFrame(
        [
            {
                "problem": problem_name(str(row["problem"])),
                "solver": row["solver"],
                "resolution": row["resolution"],
                "against finer resolution": number(float(row["self_convergence_error"])),
                "independent check": row["independent_check"],
                "against independent check": number(float(row["independent_difference"])),
                "further evidence": _listed(evidence[evidence["problem"] == row["problem"]]),
                "stated error": number(float(row["stated_error"])),
                "seconds": number(float(row["seconds"])),
                "file": file_size(int(row["bytes"])),
                "scale": row["scale"],
            }
            for row in rows
        ],
        columns=HEADER,
    )


def _listed(evidence: pd.DataFrame) -> str:
    checks = [f"{row['check']} {number(float(row['value']), 2)}" for row in evidence.to_dict("records")]
    return "; ".join(checks) or "–"


def file_size(size: int) -> str:
    """Bytes in the unit that leaves a short number.

    >>> file_size(826_000), file_size(13_400_000), file_size(500)
    ('826 kB', '13.4 MB', '0.5 kB')
    """
    return f"{number(size / 1e6)} MB" if size >= 1e6 else f"{number(size / 1e3)} kB"
