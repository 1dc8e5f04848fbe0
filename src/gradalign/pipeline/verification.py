"""Comparing what was measured with what was declared before the runs.

An expectation says which number of the summary tables it is about, how it compares, and with what: a number, or another
number of the tables times a factor. ``required`` expectations must hold; a ``prediction`` is a hypothesis written down
before the runs, which is reported as held or not, without failing.

The file has short forms: a number may be ``of`` one of its ``selectors``, and an entry with ``for`` stands for several.
"""

import math
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import Field, ValidationError
from rich.console import Console
from rich.table import Table

from gradalign.base import untrusted
from gradalign.base.errors import ConfigurationError, unknown_name
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
    scales: list[Scale] | None = Field(
        default=None, min_length=1, description="scales at which it is checked; else all"
    )
    not_at: list[Scale] = Field(default=[], description="scales at which it is not checked")
    measured: Selector = Field(description="the number")
    comparison: Literal["at most", "at least", "within"] = Field(description="how it compares with the expected one")
    expected: float | Target = Field(description="a number, or another number of the tables times a factor")
    tolerance: float | None = Field(default=None, gt=0, description="largest |measured - expected|, for `within`")

    def holds_at(self, scale: str) -> bool:
        """Whether it is checked at a scale."""
        return scale not in self.not_at and (self.scales is None or scale in self.scales)


class Expectations(StrictModel):
    """All expectations of a file, written out."""

    expectations: list[Expectation] = Field(min_length=1, description="all expectations")


class ExpectationsFile(StrictModel):
    """The file of expectations."""

    names: dict[Name, str] = Field(default={}, description="what {name of word} stands for in texts, by word")
    selectors: dict[Name, dict[str, Any]] = Field(
        default={}, description="parts of a selector that others are `of`; what these say beside it comes over it"
    )
    expectations: list[dict[str, Any]] = Field(
        min_length=1,
        description="expectations; one with `for` stands for several, each with the fields and words of a row: a list "
        "of rows, or the values of one word",
    )


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

    Raises ``ConfigurationError`` for a missing file, an unknown key, a wrong value, a selector, word or scale that
    nothing has, a name that appears twice, and ``within`` without a tolerance.
    """
    try:
        file = ExpectationsFile.model_validate(read(path))
        written = [entry for template in file.expectations for entry in _written_out(template, file)]
        expectations = Expectations.model_validate({"expectations": written}).expectations
    except (ValidationError, ConfigurationError) as error:
        raise ConfigurationError(f"{path}: {error}") from error
    names = [expectation.name for expectation in expectations]
    beside = {other.stem for other in path.parent.glob("*.yaml")} - {path.stem}
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
        for scale in [*(expectation.scales or []), *expectation.not_at]:
            if beside and scale not in beside:
                raise ConfigurationError(f"{path}: {expectation.name}: {unknown_name('scale', scale, beside)}")
    return expectations


def _written_out(template: Mapping[str, Any], file: ExpectationsFile) -> Iterator[dict[str, Any]]:
    """The expectations for which an entry stands."""
    shared = {key: value for key, value in template.items() if key != "for"}
    for row in _rows(template.get("for", [{}])):
        fields = {key: value for key, value in row.items() if key in Expectation.model_fields}
        words = {found[2] for found in re.finditer(_WORD, f"{shared}{fields}")}
        if idle := [word for word in row if word not in {*fields, *words}]:
            allowed = ", ".join(
                [*Expectation.model_fields, *(f"{word} (a word of the entry)" for word in sorted(words))]
            )
            raise ConfigurationError(f"the row {row} gives {idle[0]!r}; allowed: {allowed}; correct or remove it")
        entry = _filled(shared | fields, row, file.names)
        for part in ("measured", "expected"):
            if isinstance(entry.get(part), Mapping) and "of" in entry[part]:
                entry[part] = _selected(entry[part], file.selectors)
        yield entry


def _rows(given: Any) -> list[Mapping[str, Any]]:
    """The rows under `for`: as they are, or one for each value of a word."""
    if isinstance(given, Mapping) and all(isinstance(values, list) for values in given.values()):
        return [{word: value} for word, values in given.items() for value in values]
    if isinstance(given, list) and all(isinstance(row, Mapping) for row in given):
        return given
    raise ConfigurationError(
        f"for is {given!r}; allowed: a list of rows {{word: value}}, or {{word: [values]}}; correct it"
    )


def _selected(given: Mapping[str, Any], selectors: Mapping[str, Any]) -> dict[str, Any]:
    """A selector that is ``of`` another one: what is given comes over it, also inside ``where``."""
    if given["of"] not in selectors:
        raise unknown_name("selector", str(given["of"]), selectors)
    below = selectors[given["of"]]
    selected = below | {key: value for key, value in given.items() if key != "of"}
    if isinstance(below.get("where"), Mapping) and isinstance(given.get("where"), Mapping):
        selected["where"] = below["where"] | given["where"]
    return selected


def _filled(value: Any, words: Mapping[str, Any], names: Mapping[str, str]) -> Any:
    """A value with words in place of {word} and {name of word}; a text that is one {word} becomes the word itself.

    >>> _filled({"run": "{p}-soap", "first_step": "{n}"}, {"p": "wave", "n": 3}, {})
    {'run': 'wave-soap', 'first_step': 3}
    >>> _filled("on {name of p} at most {most}", {"p": "wave", "most": 8e-7}, {"wave": "the wave equation"})
    'on the wave equation at most 8.0e-7'
    """
    if isinstance(value, Mapping):
        return {key: _filled(part, words, names) for key, part in value.items()}
    if isinstance(value, list):
        return [_filled(part, words, names) for part in value]
    if not isinstance(value, str):
        return value

    def word(found: re.Match[str]) -> Any:
        if found[2] not in words:
            raise unknown_name("word", found[0], [f"{{{name}}}" for name in words])
        if not found[1]:
            return words[found[2]]
        if str(words[found[2]]) not in names:
            raise unknown_name("name", str(words[found[2]]), names)
        return names[str(words[found[2]])]

    if whole := re.fullmatch(_WORD, value):
        return word(whole)
    return re.sub(_WORD, lambda found: _text(word(found)), value)


_WORD = r"\{(name of )?(\w+)\}"


def _text(value: Any) -> str:
    """A word in a text; a float as it is written in the file, such as 8.0e-7."""
    return re.sub(r"e([-+])0", r"e\1", f"{value:.1e}") if isinstance(value, float) else str(value)


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
    chosen = [expectation for expectation in expectations if expectation.holds_at(scale)]
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
