"""Gathers the output of all stages into the tidy tables that figures, tables, paper and verification read."""

import shutil
from functools import partial
from pathlib import Path

import pandas as pd

from gradalign.base import untrusted
from gradalign.base.errors import ConfigurationError
from gradalign.base.files import write_atomically, write_table
from gradalign.pipeline.comparison import derived_tables
from gradalign.pipeline.summary_tables import PARTS, TABLES, Kind
from gradalign.references._contract import Reference

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


def summarise(results: Path, kind: Kind, names: list[str], empty: bool = False) -> list[Path]:
    """Write the tables of one kind into ``results/summary`` and return their paths.

    ``results`` is the directory of one scale. ``names`` are the topics, problems, studies or runs of the summary; parts
    left over from another configuration are ignored. ``empty`` allows ``names`` to be empty, and the tables then have
    no rows. Runs add the tables that follow from them (``derived_tables``) and fields, ``fields/<run>.npz``.
    ``docs/reference/summary-tables.md`` describes the columns. Raises ``ConfigurationError`` if a named part is
    missing, if ``results`` is no directory, or if ``names`` is empty without ``empty``.
    """
    if not results.is_dir():
        raise ConfigurationError(
            f"{results}: no such directory; allowed: that of one scale, for instance results/smoke"
        )
    if not (names or empty):
        raise ConfigurationError(
            f"{results}: no name is given, and the tables of {kind} would have no row; allowed: one name or more, or "
            "--empty where this is meant"
        )
    tables = TABLES[kind]
    parts = [results / PARTS[kind] / name for name in names]
    if kind == "references":
        solved = [(_present(part.with_suffix(".npz")), name) for part, name in zip(parts, names, strict=True)]
        rows = [_reference_rows(path, name, results.name) for path, name in solved]
        gathered = {table: _together([row[table] for row in rows]) for table in tables}
    else:
        gathered = {
            table: _together([untrusted.table(_present(part / f"{table}.csv")) for part in parts]) for table in tables
        }
    if kind == "runs":
        gathered |= derived_tables(gathered["runs"], gathered["curves"])
    written = [results / "summary" / f"{table}.csv" for table in gathered]
    for path, table in zip(written, gathered.values(), strict=True):
        write_table(path, table)
    for part in parts if kind == "runs" else []:
        fields = Path("fields") / f"{part.name}.npz"
        write_atomically(results / "summary" / fields, partial(shutil.copy, _present(part / fields)))
    return written


def _together(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """All rows of some tables; only the columns if none has a row."""
    parts = [part for part in tables if len(part)]
    empty = tables[0] if tables else pd.DataFrame()
    return pd.concat(parts, ignore_index=True) if parts else empty


def _present(path: Path) -> Path:
    if not path.is_file():
        raise ConfigurationError(
            f"{path} is missing; run the stage that writes it, or take its name out of the settings"
        )
    return path


def _reference_rows(path: Path, problem: str, scale: str) -> dict[str, pd.DataFrame]:
    """The row of one reference in ``references``, and one in ``reference_evidence`` for each further check."""
    reference = Reference.load(path, problem)
    row = {name: getattr(reference, name) for name in REFERENCE_COLUMNS}
    row |= {"bytes": path.stat().st_size, "scale": scale, "commit": reference.commit}
    evidence = [{"problem": reference.problem, "check": name, "value": v} for name, v in reference.evidence.items()]
    return {
        "references": pd.DataFrame([row]),
        "reference_evidence": pd.DataFrame(evidence, columns=["problem", "check", "value"]),
    }
