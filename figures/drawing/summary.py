"""The summary tables of a scale: its runs, their curves, errors and fields, and the points of claims."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from figures.drawing.names import DASHES, method_look, method_order
from gradalign.base import untrusted
from gradalign.base.errors import ConfigurationError
from gradalign.pipeline.summary_tables import path_of

Summary = Path | tuple[Path, ...]
"""A folder of summary tables, or several, whose rows are read one after the other: those of the parts of a figure."""


@dataclass(frozen=True)
class Run:
    """One run of the summary as figures show it. ``line`` tells two runs of one method apart.

    ``changed`` says what a run varies against the plain run of its method; ``b1`` is the decay of the first moment, 0
    for methods without momentum; ``points_every`` the steps between two draws of points; ``windows`` how many windows
    of time there are, and ``window_steps`` the steps of each, 0 where they do not have the same.
    """

    name: str
    problem: str
    method: str
    label: str
    colour: str
    marker: str
    line: str
    loss_terms: int
    steps: int
    changed: str
    b1: float
    points_every: int
    windows: int
    window_steps: int


def read_table(summary: Summary, name: str, columns: Iterable[str]) -> pd.DataFrame:
    """The summary table ``name``, with at least ``columns``; empty where the stages before had nothing to do.

    Raises ``ConfigurationError`` for a missing file or column, in any of several folders: an item reads parts of one
    kind, or the whole.
    """
    folders = (summary,) if isinstance(summary, Path) else summary
    tables = []
    for path in (path_of(folder, name) for folder in folders):
        if not path.is_file():
            raise ConfigurationError(f"{path} is missing; run the stage that writes it first (snakemake summary)")
        about = path.stat()
        table = _parsed(path, (about.st_ino, about.st_mtime_ns, about.st_size))
        if table is None:
            continue
        if missing := [column for column in columns if column not in table.columns]:
            raise ConfigurationError(
                f"{path} has no column {', '.join(map(repr, missing))}; found: {', '.join(table.columns)}. The usual "
                "cause is a table from an older version: remove it, and run snakemake again"
            )
        tables.append(table)
    filled = [table for table in tables if len(table)] or tables[:1]
    if not filled:
        return pd.DataFrame(columns=list(columns))
    if len(filled) == 1:
        return filled[0].copy(deep=False)  # pandas copies what is written to
    return pd.concat(filled, ignore_index=True)


@lru_cache(maxsize=32)
def _parsed(path: Path, state: tuple[int, ...]) -> pd.DataFrame | None:
    """The table in a file whose ``state`` tells it from other contents; None where it has no text.

    The curves of a hundred runs have 40 MB, and a figure or the paper asks for them once for every run and quantity.
    """
    try:
        return untrusted.table(path, keep_default_na=False, na_values=["", "nan", "NaN"])
    except pd.errors.EmptyDataError:  # where there was nothing to gather
        return None


def read_fields(summary: Summary, run: str) -> dict[str, NDArray[np.float64]]:
    """The arrays of ``fields/<run>.npz``: coordinates, ``reference_<field>``, ``predicted_<field>``.

    Raises ``ConfigurationError`` where the file is missing or holds no field.
    """
    folders = (summary,) if isinstance(summary, Path) else summary
    paths = [folder / "fields" / f"{run}.npz" for folder in folders]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        missing = " or ".join(map(str, paths[:2]))
        raise ConfigurationError(f"{missing} is missing; run the stage that writes it first (snakemake summary)")
    arrays = untrusted.arrays(path)
    if not any(name.startswith("predicted_") for name in arrays):
        raise ConfigurationError(
            f"{path} has no array predicted_<field>; found: {', '.join(arrays)}; run the stage `evaluate` again"
        )
    return arrays


def read_runs(summary: Summary, problem: str, variations: bool = False) -> list[Run]:
    """The runs of a problem, Adam first, then SOAP, then the others by name; with ``variations`` also changed runs.

    >>> method_look("soap")[0], method_look("my_method")[0]
    ('SOAP', 'My method')
    """
    columns = ["run", "problem", "method", "variant", "changed", "b1", "points_every", "loss_terms", "steps"]
    table = read_table(summary, "runs", [*columns, "windows", "last_stage_steps"])
    table = table[table["problem"] == problem].drop_duplicates("run")
    table["changed"] = [text if isinstance(text, str) else "" for text in table["changed"]]  # empty cells are NaN
    if not variations:
        table = table[table["changed"] == ""]
    found: list[Run] = []
    for row in sorted(table.to_dict("records"), key=lambda row: method_order(str(row["method"]), str(row["run"]))):
        method, changed = str(row["method"]), str(row["changed"])
        label, colour, marker = method_look(method)
        same = sum(run.method == method for run in found)
        variant = row["variant"]
        steps, windows, last = (int(row[name]) for name in ("steps", "windows", "last_stage_steps"))
        if changed:
            label += f", {changed}"
        elif isinstance(variant, str) and variant not in ("", method):
            label += f" ({variant})"
        elif any(run.method == method and not run.changed for run in found):
            label += f" ({row['run']})"
        found.append(
            Run(
                name=str(row["run"]),
                problem=problem,
                method=method,
                label=label,
                colour=colour,
                marker=marker,
                line=DASHES[same % len(DASHES)],
                loss_terms=int(row["loss_terms"]),
                steps=steps,
                changed=changed,
                b1=float(row["b1"]),
                points_every=int(row["points_every"]),
                windows=windows,
                window_steps=last if windows * last == steps else 0,
            )
        )
    return found


MOST_MAPS = 4
"""Runs of a problem whose fields a figure shows side by side, so that it stays as wide as a page."""


def mapped_runs(summary: Summary, problem: str) -> tuple[list[Run], str]:
    """The runs whose fields are shown, at most ``MOST_MAPS``, and what titles say of those that are left out.

    Where there are more, those with the smallest median error are taken, in their usual order.
    """
    runs = read_runs(summary, problem)
    if len(runs) <= MOST_MAPS:
        return runs, ""
    table = read_table(summary, "runs", ["run", "relative_l2"])
    errors = table[table["run"].isin([run.name for run in runs])].groupby("run")["relative_l2"].median()
    least = set(errors.sort_values(kind="stable").index[:MOST_MAPS])
    return [run for run in runs if run.name in least], f"; the {MOST_MAPS} of {len(runs)} runs with the least error"


def read_curve(summary: Summary, run: Run, quantity: str) -> pd.DataFrame:
    """Rows of one run and quantity, columns seed, step, seconds, value, ordered by seed and step."""
    columns = ["run", "seed", "step", "seconds", "quantity", "value"]
    table = read_table(summary, "curves", columns)
    rows = table[(table["run"] == run.name) & (table["quantity"] == quantity)]
    return rows[["seed", "step", "seconds", "value"]].sort_values(["seed", "step"]).reset_index(drop=True)


def null_fraction(run: Run) -> Fraction:
    """2/n - 1, the score of n orthogonal gradients."""
    return Fraction(2, run.loss_terms) - 1


def late_means(summary: Summary, run: Run, quantity: str) -> pd.Series:
    """By seed, the mean of a quantity over the second half of training; empty where nothing was logged."""
    curve = read_curve(summary, run, quantity)
    late = curve[curve["step"] >= run.steps / 2].dropna(subset=["value"])
    return late.groupby("seed")["value"].mean()


def read_claim_curves(summary: Summary, *claims: str) -> pd.DataFrame:
    """Points of the figures of some claims, columns claim, quantity, series, seed, x, y, in the order of the file.

    Empty where the configuration leaves their topics out; show a ``notice`` then.
    """
    columns = ["claim", "quantity", "series", "seed", "x", "y"]
    table = read_table(summary, "claim_curves", columns)
    return table.loc[table["claim"].isin(claims), columns].reset_index(drop=True)
