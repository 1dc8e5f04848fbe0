"""Gathering the outputs of all stages into the tidy tables that figures, tables, paper and verification read."""

import shutil
from functools import partial
from pathlib import Path

import pandas as pd

from gradalign import untrusted
from gradalign.comparison import derived_tables
from gradalign.errors import ConfigurationError
from gradalign.files import write_atomically, write_table
from gradalign.reference import Reference
from gradalign.run_records import require_sound

REFERENCE_COLUMNS = [
    "problem",
    "solver",
    "resolution",
    "step",
    "self_convergence_error",
    "independent_check",
    "independent_difference",
    "stated_error",
    "seconds",
]


TABLES = (
    "claims",
    "claim_curves",
    "references",
    "reference_evidence",
    "studies",
    "runs",
    "curves",
    "errors",
    "errors_in_time",
)
"""The summary tables that gather outputs, each a CSV file of that name; ``derived_tables`` has those made from them."""


def summarise(results: Path, claims: list[str], references: list[str], studies: list[str], runs: list[str]) -> None:
    """Write the tables of ``TABLES`` and of ``derived_tables`` (.csv) and ``fields/<run>.npz`` in ``summary/``.

    ``results`` is the directory of one scale; the lists name what belongs to the summary, so that a file left over
    from another configuration is not taken in. ``docs/reference/summary-tables.md`` describes the columns. Raises
    ``ConfigurationError`` where a named input is missing, where ``results`` is no directory, and where no input is
    named; ``RunRecordError`` where a file of a run is not the one that was written.
    """
    if not results.is_dir():
        raise ConfigurationError(
            f"{results}: no such directory; allowed: that of one scale, for instance results/smoke"
        )
    if not (claims or references or studies or runs):
        raise ConfigurationError(
            f"{results}: nothing of it is named, and the tables would be empty; allowed: one or more of --claim TOPIC, "
            "--reference PROBLEM, --study STUDY, --run RUN"
        )
    summary = results / "summary"
    for run in runs:
        require_sound(_present(results / "runs" / run / "runs.csv").parent)
    tables = {
        "claims": [_table(results / "claims" / f"{topic}.csv") for topic in claims],
        "claim_curves": [_table(results / "claims" / "curves" / f"{topic}.csv") for topic in claims],
        "references": [
            _reference_row(results / "references" / f"{problem}.npz", problem, results.name) for problem in references
        ],
        "reference_evidence": [
            _reference_evidence(results / "references" / f"{problem}.npz", problem) for problem in references
        ],
        "studies": [_table(results / "studies" / f"{study}.csv") for study in studies],
        "runs": [
            _table(results / "runs" / run / "runs.csv").merge(
                _table(results / "evaluation" / f"{run}.csv"), on=["run", "seed"], validate="one_to_one"
            )
            for run in runs
        ],
        "curves": [_table(results / "runs" / run / "curves.csv") for run in runs],
        "errors": [_table(results / "evaluation" / "errors" / f"{run}.csv") for run in runs],
        "errors_in_time": [_table(results / "evaluation" / "errors_in_time" / f"{run}.csv") for run in runs],
    }
    for run in runs:
        fields = _present(results / "evaluation" / f"{run}.npz")
        write_atomically(summary / "fields" / f"{run}.npz", partial(shutil.copy, fields))
    gathered = {name: _together(tables[name]) for name in TABLES}
    for name, table in (gathered | derived_tables(gathered["runs"], gathered["curves"])).items():
        write_table(summary / f"{name}.csv", table)


def _together(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """All rows of some tables; the columns alone where none has a row."""
    parts = [part for part in tables if len(part)]
    empty = tables[0] if tables else pd.DataFrame()
    return pd.concat(parts, ignore_index=True) if parts else empty


def _present(path: Path) -> Path:
    if not path.is_file():
        raise ConfigurationError(
            f"{path} is missing; run the stage that writes it, or take its name out of the settings"
        )
    return path


def _table(path: Path) -> pd.DataFrame:
    return untrusted.table(_present(path))


def _reference_row(path: Path, problem: str, scale: str) -> pd.DataFrame:
    reference = Reference.load(_present(path), problem)
    row = {name: getattr(reference, name) for name in REFERENCE_COLUMNS}
    return pd.DataFrame([{**row, "bytes": path.stat().st_size, "scale": scale, "commit": reference.commit}])


def _reference_evidence(path: Path, problem: str) -> pd.DataFrame:
    reference = Reference.load(_present(path), problem)
    rows = [{"problem": reference.problem, "check": name, "value": v} for name, v in reference.evidence.items()]
    return pd.DataFrame(rows, columns=["problem", "check", "value"])
