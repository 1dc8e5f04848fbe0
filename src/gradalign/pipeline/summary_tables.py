"""Names of the summary tables, their files, and the folders of a scale from which they are gathered."""

from pathlib import Path
from typing import Literal

Kind = Literal["claims", "references", "studies", "runs"]

PARTS: dict[Kind, str] = {"claims": "claims", "references": "references", "studies": "studies", "runs": "evaluation"}
"""The folder of a scale that holds the parts of each kind of table.

A part is a folder with the rows of one topic, study or run, in files with the names and columns of the whole tables: a
figure of one run reads its part like the whole. The part of a reference is its file.
"""

TABLES: dict[Kind, tuple[str, ...]] = {
    "claims": ("claims", "claim_curves"),
    "references": ("references", "reference_evidence"),
    "studies": ("studies",),
    "runs": ("runs", "curves", "errors", "errors_in_time"),
}
"""The tables of each kind that are gathered from parts, each a CSV file of that name."""

DERIVED = ("mean_ranks", "score_correlations")
"""The tables that ``gradalign.pipeline.comparison.derived_tables`` computes from those of all runs."""


def path_of(folder: Path, table: str) -> Path:
    """The file of a summary table in a folder: ``<table>.csv``, or ``<table>.csv.gz`` if only that exists.

    Large tables ship compressed (``published/``).

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / "curves.csv.gz").touch()
    >>> path_of(folder, "curves").name, path_of(folder, "runs").name
    ('curves.csv.gz', 'runs.csv')
    """
    plain, packed = folder / f"{table}.csv", folder / f"{table}.csv.gz"
    return packed if packed.is_file() and not plain.is_file() else plain
