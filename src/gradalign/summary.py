"""Gathering the outputs of all stages into the tidy tables that figures, tables, paper and verification read."""

import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from gradalign.errors import ConfigurationError
from gradalign.files import write_atomically, write_table

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


def summarise(results: Path, claims: list[str], references: list[str], runs: list[str]) -> None:
    """Write claims, claim_curves, references, runs and curves (.csv) and ``fields/<run>.npz`` in ``summary/``.

    ``results`` is the directory of one scale; the lists name what belongs to the summary, so that a file left over
    from another configuration is not taken in. README describes the columns. Raises ``ConfigurationError`` where a
    named input is missing.
    """
    summary = results / "summary"
    tables = {
        "claims": [_table(results / "claims" / f"{topic}.csv") for topic in claims],
        "claim_curves": [_table(results / "claims" / "curves" / f"{topic}.csv") for topic in claims],
        "references": [
            _reference_row(results / "references" / f"{problem}.npz", results.name) for problem in references
        ],
        "runs": [
            _table(results / "runs" / run / "runs.csv").merge(
                _table(results / "evaluation" / f"{run}.csv"), on=["run", "seed"], validate="one_to_one"
            )
            for run in runs
        ],
        "curves": [_table(results / "runs" / run / "curves.csv") for run in runs],
    }
    for run in runs:
        fields = _present(results / "evaluation" / f"{run}.npz")
        write_atomically(summary / "fields" / f"{run}.npz", partial(shutil.copy, fields))
    for name, parts in tables.items():
        write_table(summary / f"{name}.csv", pd.concat(parts, ignore_index=True) if parts else pd.DataFrame())


def _present(path: Path) -> Path:
    if not path.is_file():
        raise ConfigurationError(
            f"{path} is missing; run the stage that writes it, or take its name out of the settings"
        )
    return path


def _table(path: Path) -> pd.DataFrame:
    return pd.read_csv(_present(path))


def _reference_row(path: Path, scale: str) -> pd.DataFrame:
    with np.load(_present(path), allow_pickle=False) as stored:
        row = {name: stored[name].item() for name in REFERENCE_COLUMNS}
        commit = str(stored["commit"])
    return pd.DataFrame([{**row, "bytes": path.stat().st_size, "scale": scale, "commit": commit}])
