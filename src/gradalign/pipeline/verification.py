"""Comparing what was measured with what was declared before the runs.

An expectation says which number of the summary tables it is about, how it compares, and with what: a number, or another
number of the tables times a factor. ``required`` expectations must hold; a ``prediction`` is a hypothesis written down
before the runs, which is reported as held or not, without failing.
"""

import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal

import pandas as pd
from pydantic import Field, ValidationError
from rich.console import Console
from rich.table import Table

from gradalign.base import untrusted
from gradalign.base.errors import ConfigurationError
from gradalign.base.files import write_atomically
from gradalign.base.settings import Name, Scale, StrictModel
from gradalign.base.yaml_files import read
from gradalign.pipeline.summary_tables import path_of

TableName = Literal["claims", "references", "studies", "runs", "curves", "errors", "mean_ranks", "score_correlations"]
Aggregate = Literal["minimum", "median", "mean", "maximum", "spread", "share", "count", "distinct"]
Verdict = Literal["held", "did not hold", "failed", "no data"]


class Selector(StrictModel):
    """One number from a summary table: filter the rows, take a column, aggregate it."""

    table: TableName = Field(description="summary table")
    column: str = Field(description="column of the table")
    where: dict[str, str | int | float | list[str]] = Field(
        default={}, description="values that columns must have in a row; of a list, one of them"
    )
    first_step: int | None = Field(default=None, ge=0, description="least step of a row; curves only")
    last_step: int | None = Field(default=None, ge=0, description="largest step of a row; curves only")
    extract: str | None = Field(default=None, description="regular expression; only its match is kept of a value")
    aggregate: Aggregate = Field(description="spread: maximum - minimum; share: part of the rows with `equals`")
    equals: str | int | float | None = Field(default=None, description="the value that `share` counts")


class Target(Selector):
    """What a measured number is compared with, where that is itself measured: ``times`` a selected number."""

    times: float = Field(default=1.0, description="factor")


class Expectation(StrictModel):
    """One declared expectation."""

    name: Name = Field(description="short name, unique in the file")
    description: str = Field(description="what is expected, in one sentence")
    kind: Literal["required", "prediction"] = Field(description="whether the stage fails where it does not hold")
    scales: list[Scale] = Field(min_length=1, description="scales at which it is checked")
    measured: Selector = Field(description="the number")
    comparison: Literal["at most", "at least", "within"] = Field(description="how it compares with the expected one")
    expected: float | Target = Field(description="a number, or another number of the tables times a factor")
    tolerance: float | None = Field(default=None, gt=0, description="largest |measured - expected|, for `within`")


class Expectations(StrictModel):
    """The file of expectations."""

    expectations: list[Expectation] = Field(min_length=1, description="all expectations")


@dataclass(frozen=True)
class Outcome:
    """A row of ``verification.csv``. ``tolerance`` is NaN except for ``within``."""

    expectation: str
    kind: str
    description: str
    measured: float
    comparison: str
    expected: float
    tolerance: float
    verdict: Verdict


def load_expectations(path: Path) -> list[Expectation]:
    """The expectations in a YAML file.

    Raises ``ConfigurationError`` for a missing file, an unknown key, a wrong value, a name that appears twice, and
    ``within`` without a tolerance.
    """
    try:
        expectations = Expectations.model_validate(read(path)).expectations
    except ValidationError as error:
        raise ConfigurationError(f"{path}: {error}") from error
    names = [expectation.name for expectation in expectations]
    for expectation in expectations:
        if names.count(expectation.name) > 1:
            raise ConfigurationError(
                f"{path}: name {expectation.name!r} appears twice; allowed: unique names; rename one"
            )
        if (expectation.comparison == "within") != (expectation.tolerance is not None):
            raise ConfigurationError(
                f"{path}: tolerance of {expectation.name!r} is {expectation.tolerance}; allowed: a number > 0 for the "
                "comparison 'within', nothing for the others; add or remove it"
            )
    return expectations


def verify(expectations: Path, scale: str, summary: Path, output: Path, console: Console | None = None) -> bool:
    """Compare, write ``output`` (CSV, a row per expectation), print the table; whether all required ones hold.

    Raises ``ConfigurationError`` as ``load_expectations`` and ``compare`` do.
    """
    console = console or Console(width=None if sys.stdout.isatty() else 140)
    outcomes = compare(load_expectations(expectations), scale, summary)
    rows = pd.DataFrame([asdict(outcome) for outcome in outcomes], columns=[part.name for part in fields(Outcome)])
    write_atomically(output, lambda temporary: rows.to_csv(temporary, index=False))
    console.print(as_table(outcomes, scale))
    failed = [outcome.expectation for outcome in outcomes if outcome.kind == "required" and outcome.verdict != "held"]
    if failed:
        console.print(
            f"{len(failed)} of {len(outcomes)} expectations failed: {', '.join(failed)}. The numbers are in {output}, "
            f"the expectations in {expectations}. Usual causes: changed settings, or a defect in the code. Look at the "
            f"tables in {summary} first."
        )
    return not failed


def compare(expectations: Sequence[Expectation], scale: str, summary: Path) -> list[Outcome]:
    """Every expectation of ``scale`` against the tables in the folder ``summary``.

    A number that cannot be measured, because no row fits or a value is missing or infinite, has the verdict
    ``no data``. Raises ``ConfigurationError`` for a missing table or an unknown column.
    """
    chosen = [expectation for expectation in expectations if scale in expectation.scales]
    selectors = [s for e in chosen for s in (e.measured, e.expected) if isinstance(s, Selector)]
    tables: dict[str, pd.DataFrame] = {s.table: _table(path_of(summary, s.table)) for s in selectors}
    return [_outcome(expectation, tables) for expectation in chosen]


def as_table(outcomes: Sequence[Outcome], scale: str) -> Table:
    """The outcomes as a table for a terminal."""
    table = Table("expectation", "kind", "measured", "", "expected", "verdict", title=f"Verification, scale {scale}")
    colours = {"held": "green", "did not hold": "yellow", "failed": "bold red", "no data": "bold red"}
    for outcome in outcomes:
        tolerance = "" if math.isnan(outcome.tolerance) else f" ± {outcome.tolerance:.4g}"
        table.add_row(
            f"{outcome.expectation}\n[dim]{outcome.description}[/dim]",
            outcome.kind,
            f"{outcome.measured:.4g}",
            outcome.comparison,
            f"{outcome.expected:.4g}{tolerance}",
            f"[{colours[outcome.verdict]}]{outcome.verdict}[/]",
        )
    return table


def _outcome(expectation: Expectation, tables: dict[str, pd.DataFrame]) -> Outcome:
    measured = select(expectation.measured, tables)
    expected = expectation.expected
    wanted = expected.times * select(expected, tables) if isinstance(expected, Target) else expected
    tolerance = math.nan if expectation.tolerance is None else expectation.tolerance
    holds = {
        "at most": measured <= wanted,
        "at least": measured >= wanted,
        "within": abs(measured - wanted) <= tolerance,
    }[expectation.comparison]
    verdict: Verdict
    if not (math.isfinite(measured) and math.isfinite(wanted)):
        verdict = "no data"
    elif holds:
        verdict = "held"
    else:
        verdict = "failed" if expectation.kind == "required" else "did not hold"
    return Outcome(
        expectation.name,
        expectation.kind,
        expectation.description,
        measured,
        expectation.comparison,
        wanted,
        tolerance,
        verdict,
    )


def select(selector: Selector, tables: dict[str, pd.DataFrame]) -> float:
    """The number that a selector names; NaN where no row fits or a value is missing.

    >>> runs = pd.DataFrame({"run": ["a", "a", "b"], "relative_l2": [0.1, 0.3, 0.5]})
    >>> selector = Selector(table="runs", column="relative_l2", where={"run": "a"}, aggregate="maximum")
    >>> select(selector, {"runs": runs})
    0.3
    """
    table = tables[selector.table]
    for column in [selector.column, *selector.where]:
        if column not in table.columns:
            raise ConfigurationError(
                f"column {column!r} is not in the table {selector.table}; allowed: {', '.join(table.columns)}; "
                "correct the expectation"
            )
    rows = table
    for column, value in selector.where.items():
        rows = rows[rows[column].isin(value) if isinstance(value, list) else rows[column] == value]
    if selector.first_step is not None:
        rows = rows[rows["step"] >= selector.first_step]
    if selector.last_step is not None:
        rows = rows[rows["step"] <= selector.last_step]
    values = rows[selector.column]
    if selector.extract is not None:
        values = values.astype(str).str.extract(f"({selector.extract})", expand=False)
    if selector.aggregate == "count":
        return float(len(values))
    if len(values) == 0 or values.isna().any():
        return math.nan
    if selector.aggregate == "distinct":
        return float(values.nunique())
    if selector.aggregate == "share":
        return float((values == selector.equals).mean())
    numbers = values.astype(float)
    return {
        "minimum": float(numbers.min()),
        "median": float(numbers.median()),
        "mean": float(numbers.mean()),
        "maximum": float(numbers.max()),
        "spread": float(numbers.max() - numbers.min()),
    }[selector.aggregate]


def _table(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise ConfigurationError(f"{path} is missing; run the stage `summary` first (snakemake summary)")
    return untrusted.table(path)
