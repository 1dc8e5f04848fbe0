"""Two folders of results, table by table: does a reproduction match the published one, did a change move a number?

A folder of results holds the summary tables (``gradalign.pipeline.summary``), directly or in ``summary/``. For every
column of every table, ``RULES`` says whether it names a row, is left out (seconds, bytes, commits, machines), or how it
is compared. There are two ways:

exact: every number is the same. For two folders from one machine, where the pipeline gives the same bits.
spread: settings are the same, and measured numbers agree within their own uncertainty. For two machines, which round
    differently: trained networks then differ as much as with another seed.

In the spread way, each kind of column (``Kind``) has its rule :math:`d(a, b) \\leq \\Delta` for numbers a of folder A
and b of folder B. The size of a difference is :math:`d / \\Delta`; above 1 it counts.

trained: with the medians :math:`m_A, m_B` over the seeds of a row and the ranges (largest minus smallest)
    :math:`r_A, r_B`, :math:`|m_A - m_B| \\leq f s`, :math:`s = \\max(r_A + r_B, \\bar r)`, :math:`f` = ``WIDENING``.
    :math:`\\bar r` is the median of :math:`r_A + r_B` over all rows of the same quantity with two or more seeds: the
    range of a few seeds is sometimes small by chance, and a single seed has none. If all numbers of a row are positive,
    the rule applies to their logarithms, so that factors count.
claimed: for a claim that compares for equality, the measured and the expected value each agree within the sum of the
    record's tolerances in A and B; a bound is judged by its verdict, a separate column.
estimate: errors of a reference solution agree within ``ESTIMATE_FACTOR``, or both are at most ``ROUND_OFF``.
computed: deterministic numbers, such as points of claim curves, agree within ``ROUNDING`` times the largest magnitude
    of their quantity in either folder, plus ``ROUND_OFF``.
setting: texts are equal; numbers agree within ``ROUNDING`` of the larger.
follows: derived from other numbers of the tables by discontinuous steps, such as a place or a rank: not judged.

NaN equals NaN, and infinity equals infinity of the same sign; compared with anything else they differ, in either way
and seed by seed. All rules are symmetric in A and B. Numbers are dimensionless.
"""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from gradalign.base import untrusted
from gradalign.base.errors import ConfigurationError, ForeignFileError
from gradalign.pipeline.listings import terminal_width
from gradalign.pipeline.summary_tables import path_of

Way = Literal["exact", "spread"]
Kind = Literal["left out", "setting", "trained", "claimed", "estimate", "computed", "follows"]

WIDENING = 2.0
"""How far apart two medians may lie, in multiples of the spread of the seeds.

For three seeds each from one normal distribution, the spread is at least 3.3 standard deviations in half of the rows,
and the difference of the medians has a standard deviation 0.95 times as large: a row exceeds the bound by chance once
in a million. A scale has 10,000 rows and more.
"""

ROUNDING = 1e-6
"""Relative difference of deterministic numbers between two machines: ten times the rounding of float32."""

ROUND_OFF = 1e-12
"""Difference below which float64 numbers of order 1 differ only by rounding."""

ESTIMATE_FACTOR = 10.0
"""Factor allowed between two estimates of an error, which give only its order of magnitude."""


@dataclass(frozen=True)
class Rule:
    """How the rows of a table are identified, and the kinds of its columns.

    keys: the columns that name a row, the most general first; rows with the same names are identified by their order.
    columns: the kind of every other column. quantity: the keys that identify the quantity of a number; the numbers of
    one quantity share their typical spread and their largest magnitude. seconds_in: rows whose text in this column ends
    in seconds are left out, because they follow from clock times. jumps_in: rows whose text in this column ends in one
    of ``JUMPS`` are of the kind follows.
    """

    keys: tuple[str, ...]
    columns: dict[str, Kind]
    quantity: tuple[str, ...] = ()
    seconds_in: str = ""
    jumps_in: str = ""


def _kinds(**names: str) -> dict[str, Kind]:
    """Map each column to its kind, given the columns of each kind; an underscore in a kind stands for a space."""
    return {column: kind.replace("_", " ") for kind, columns in names.items() for column in columns.split()}  # type: ignore[misc]


RULES = {
    "claims": Rule(
        ("claim", "statement", "quantity"),
        _kinds(
            setting="verdict status comparison count tolerance",
            claimed="expected measured",
            left_out="reason source seconds",
        ),
    ),
    "claim_curves": Rule(
        ("claim", "quantity", "series", "seed"), _kinds(computed="x y"), quantity=("claim", "quantity")
    ),
    "references": Rule(
        ("problem",),
        _kinds(
            setting="scale solver resolution step independent_check",
            estimate="self_convergence_error independent_difference stated_error",
            left_out="seconds bytes commit",
        ),
    ),
    "reference_evidence": Rule(("problem", "check"), _kinds(estimate="value")),
    "studies": Rule(
        ("study", "quantity", "series"), _kinds(computed="x y"), quantity=("study", "quantity"), jumps_in="quantity"
    ),
    "runs": Rule(
        ("run", "seed"),
        _kinds(
            setting="problem method variant changed b1 points_every scale precision network recipe parameters steps "
            "points loss_terms conditions windows stages last_stage_steps horizon reynolds viscosity rayleigh score",
            trained="final_loss relative_l2 relative_l2_final_time largest_error",
            estimate="reference_error",
            follows="largest_error_at",
            left_out="device commit compile_seconds train_seconds milliseconds_per_step",
        ),
    ),
    "curves": Rule(
        ("run", "seed", "quantity", "step"),
        _kinds(setting="problem method", trained="value", left_out="seconds"),
        quantity=("quantity",),
    ),
    "errors": Rule(
        ("run", "seed", "quantity"),
        _kinds(
            setting="problem method",
            trained="relative_l2 relative_l2_final_time largest_error",
            follows="largest_error_at",
        ),
    ),
    "errors_in_time": Rule(("run", "seed", "quantity", "t"), _kinds(setting="problem method", trained="relative_l2")),
    "mean_ranks": Rule(
        ("budget", "method"),
        _kinds(follows="mean_rank low high better_than friedman_p methods problems"),
        seconds_in="budget",
    ),
    "score_correlations": Rule(("score", "problem"), _kinds(follows="correlation low high runs problems")),
}
"""The kinds of the columns of every summary table. A column without a rule is compared as a setting."""

JUMPS = (", place", ", time")
"""Endings of quantities that say where something is largest: rounding decides between two such places."""

ORDER = "point"
"""The last name of a row: its position among the rows with the same keys."""

TABLE_WIDTH = 100
"""Terminal width below which differences are listed one below another: a table would break their words."""

JUDGEMENT = ["names", "a", "b", "size", "what"]
"""Columns of the judgement on a column: the name of the row, both texts, and size and what of `Difference`."""

ALL = "all"
"""Replaces the seed in the name of a row whose seeds are judged together."""

_NUMBERED = {"seed", "step", "t"}
"""Numeric keys: a row's text includes their names, and 12 digits distinguish them, since a time may be rounded."""


@dataclass(frozen=True)
class Difference:
    """One difference: where it is, the texts of both folders, and its size.

    size: in the exact way the relative difference |a - b| / max(|a|, |b|); in the spread way the difference divided by
    the allowed one; infinite for a text, for NaN, and for anything missing. what: why it counts, in words.
    """

    table: str
    row: str
    column: str
    a: str
    b: str
    size: float
    what: str


@dataclass(frozen=True)
class TableComparison:
    """The comparison of one table.

    rows: number of rows that both have. judged: number of judged cells or, where seeds are judged together, rows.
    left_out: columns and rows that were not judged. largest: the largest size that was judged, 0 if nothing was.
    """

    table: str
    rows: int = 0
    judged: int = 0
    left_out: tuple[str, ...] = ()
    largest: float = 0.0
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """Two folders, the way in which they were compared, its reason, and every table that one of them has."""

    a: Path
    b: Path
    way: Way
    reason: str
    tolerance: float
    tables: tuple[TableComparison, ...] = field(default=())

    @property
    def differences(self) -> list[Difference]:
        """All differences, the largest first; equal ones in the order of the tables."""
        return sorted((one for table in self.tables for one in table.differences), key=lambda one: -one.size)

    def table(self) -> pd.DataFrame:
        """All differences as a table with one row each; columns as in ``Difference``."""
        columns = list(Difference.__dataclass_fields__)
        return pd.DataFrame([asdict(one) for one in self.differences], columns=columns)


def compare(a: Path, b: Path, way: Way | None = None, tolerance: float | None = None) -> Comparison:
    """Compare the summary tables of two folders of results.

    If ``way`` is None, it is exact where the tables ``runs`` name the same devices, and spread otherwise. ``tolerance``
    is the relative difference up to which two numbers always count as the same, by default 0 in the exact way and
    ``ROUNDING`` in the spread way. Raises ``ConfigurationError`` if a folder holds no summary table, if a table cannot
    be read, if no table has a row, and for a tolerance that is negative or not finite.

    >>> import tempfile
    >>> a, b = (Path(tempfile.mkdtemp()) for _ in "ab")
    >>> for folder, error in ((a, "1.0e-5"), (b, "1.1e-5")):
    ...     _ = (folder / "reference_evidence.csv").write_text(f"problem,check,value\\nwave,energy drift,{error}\\n")
    >>> [(one.row, one.a, one.b, round(one.size, 3)) for one in compare(a, b).differences]
    [('wave, energy drift', '1.0e-5', '1.1e-5', 0.091)]
    >>> compare(a, b, "spread").differences
    []
    """
    if tolerance is not None and not 0 <= tolerance < np.inf:
        raise ConfigurationError(f"--tolerance is {tolerance}; allowed: 0 or a positive number")
    folders = tables_of(a), tables_of(b)
    read = [{name: _read(path_of(folder, name)) for name in RULES} for folder in folders]
    if all(table is None or table.empty for tables in read for table in tables.values()):
        raise ConfigurationError(f"{folders[0]} and {folders[1]}: no table has a row; there is nothing to compare")
    reason = "as asked"
    if way is None:
        way, reason = _way(*(_values(tables, "runs", "device") for tables in read))
    if tolerance is None:
        tolerance = 0.0 if way == "exact" else ROUNDING
    scales = [_values(tables, "runs", "scale") | _values(tables, "references", "scale") for tables in read]
    if all(scales) and not scales[0] & scales[1]:
        named = [", ".join(sorted(names)) for names in scales]
        other = Difference("runs", "all", "scale", named[0], named[1], np.inf, "another scale: nothing is compared")
        return Comparison(*folders, way, reason, tolerance, (TableComparison("runs", differences=(other,)),))
    found = [
        _compare_tables(name, read[0][name], read[1][name], way, tolerance)
        for name in RULES
        if read[0][name] is not None or read[1][name] is not None
    ]
    return Comparison(*folders, way, reason, tolerance, tuple(found))


def tables_of(folder: Path) -> Path:
    """The folder that holds the summary tables: ``folder`` itself, or ``summary/`` in it.

    Raises ``ConfigurationError`` if neither holds one; its message names the folders of results inside ``folder``.
    """
    if not folder.is_dir():
        raise ConfigurationError(
            f"{folder}: {'a file, not a folder' if folder.exists() else 'no such folder'}; allowed: a folder with "
            "summary tables, for instance results/laptop"
        )
    for place in (folder, folder / "summary"):
        if _has_tables(place):
            return place
    below = sorted(str(one) for one in folder.iterdir() if _has_tables(one) or _has_tables(one / "summary"))
    raise ConfigurationError(
        f"{folder}: no folder of results, for neither it nor summary/ in it holds a summary table (runs.csv, "
        f"claims.csv, ...); allowed: {', '.join(below) or 'one that the pipeline wrote, for instance results/laptop'}"
    )


def _has_tables(folder: Path) -> bool:
    return any(path_of(folder, name).is_file() for name in RULES)


def _read(path: Path) -> pd.DataFrame | None:
    """A table with its cells as text, which keeps every digit; None if there is no file."""
    if not path.is_file():
        return None
    try:
        return untrusted.table(path, dtype=str, keep_default_na=False, na_filter=False, index_col=False)
    except pd.errors.EmptyDataError:  # `summarise` writes this if there is nothing to gather
        return pd.DataFrame()
    except ForeignFileError:
        raise
    except (ValueError, pd.errors.ParserError) as error:
        raise ConfigurationError(f"{path} cannot be read as a table: {' '.join(str(error).split())}") from None


def _values(tables: dict[str, pd.DataFrame | None], name: str, column: str) -> set[str]:
    """The texts in a column of a table; empty if there is no such column."""
    table = tables[name]
    return set() if table is None or column not in table else set(table[column])


def _way(a: set[str], b: set[str]) -> tuple[Way, str]:
    """Exact for the same devices, otherwise spread; and the reason."""
    named = [", ".join(sorted(devices)) or "no machine that runs.csv names" for devices in (a, b)]
    if a == b:
        return "exact", f"both are from {named[0]}"
    return "spread", f"A is from {named[0]}, B from {named[1]}"


def _compare_tables(
    name: str, a: pd.DataFrame | None, b: pd.DataFrame | None, way: Way, tolerance: float
) -> TableComparison:
    rule = RULES[name]
    if a is None or b is None:
        present = b if a is None else a
        assert present is not None
        return TableComparison(
            name, differences=(_missing(name, "whole table", "", f"{len(present)} rows", a is None),)
        )
    lacking: list[Difference] = []
    if not a.columns.empty and not b.columns.empty:  # a table without rows may have no columns either
        lacking = [_missing(name, "all", column, "a column", False) for column in a.columns if column not in b] + [
            _missing(name, "all", column, "a column", True) for column in b.columns if column not in a
        ]
    if any(key not in table for table in (a, b) if len(table) for key in rule.keys):
        return TableComparison(name, differences=tuple(lacking) or (_unnamed(name, rule),))
    left_out = [column for column in a.columns if column in b and column not in rule.keys]
    left_out = [column for column in left_out if not _counts(rule, column, way)]
    jumps_in = rule.jumps_in if way == "spread" else ""
    for column, ends, text in ((rule.seconds_in, "seconds", "seconds"), (jumps_in, JUMPS, "place or time")):
        if column:
            left_out.append(f"{name} with {column} {text}")
            a, b = (table[~table[column].str.endswith(ends)] if len(table) else table for table in (a, b))
    a, b = _named(a, rule), _named(b, rule)
    missing = [*_missing_rows(name, rule, a, b, False), *_missing_rows(name, rule, b, a, True)]
    both = a.index.intersection(b.index, sort=False)
    a, b = a.loc[both], b.loc[both]
    judged, largest, found = 0, 0.0, list[Difference]()
    for column in a.columns:
        if column in b and _counts(rule, column, way):
            kind = rule.columns.get(column, "setting")
            judgement = _judge(rule, kind, column, a, b, way, tolerance)
            judged += len(judgement)
            sizes = judgement["size"].to_numpy(np.float64)
            largest = max(largest, float(sizes.max(initial=0.0)))
            counts = judgement[sizes > (tolerance if way == "exact" else 1.0)]
            found += [
                Difference(name, _row(rule.keys, names), column, str(one), str(other), float(size), str(what))
                for names, one, other, size, what in zip(*(counts[part] for part in JUDGEMENT), strict=True)
            ]
    differences = tuple(lacking + missing + found)
    return TableComparison(name, len(both), judged, tuple(left_out), largest, differences)


def _counts(rule: Rule, column: str, way: Way) -> bool:
    kind = rule.columns.get(column, "setting")
    return column not in rule.keys and kind != "left out" and (kind != "follows" or way == "exact")


def _unnamed(name: str, rule: Rule) -> Difference:
    text = f"no column {' or '.join(rule.keys)}"
    return Difference(name, "all", "", text, text, np.inf, "rows without names")


def _named(table: pd.DataFrame, rule: Rule) -> pd.DataFrame:
    """The table indexed by its names: the keys, and the position among the rows with the same keys."""
    if table.empty:
        levels: list[list[str]] = [[] for _ in (*rule.keys, ORDER)]
        return pd.DataFrame(index=pd.MultiIndex.from_arrays(levels, names=[*rule.keys, ORDER]))
    keys = {key: _digits(table[key]) if key in _NUMBERED else table[key] for key in rule.keys}
    named = pd.DataFrame(keys)
    named[ORDER] = named.groupby(list(rule.keys)).cumcount()
    return table.set_axis(pd.MultiIndex.from_frame(named), axis=0)


def _digits(texts: pd.Series) -> list[str]:
    values, numeric = _numbers(texts)
    return [f"{v:.12g}" if known else text for v, known, text in zip(values, numeric, texts, strict=True)]


def _row(keys: Sequence[str], names: Sequence[object]) -> str:
    """The name of a row in words, with its position unless that is the first."""
    texts = [
        "all seeds" if name == ALL else f"{key} {name}" if key in _NUMBERED else str(name)
        for key, name in zip(keys, names, strict=False)
    ]
    place = names[len(keys)] if len(names) > len(keys) else 0
    return ", ".join(texts + [f"{ORDER} {int(str(place)) + 1}"] * (place != 0))


def _missing(table: str, row: str, column: str, there: str, in_a: bool) -> Difference:
    texts = ("", there) if in_a else (there, "")
    return Difference(table, row, column, *texts, np.inf, f"missing in {'A' if in_a else 'B'}")


def _missing_rows(name: str, rule: Rule, there: pd.DataFrame, here: pd.DataFrame, in_a: bool) -> Iterator[Difference]:
    """What ``here`` lacks of ``there``, by the most general missing name: a run rather than all its steps."""
    lacked = there.index[~there.index.isin(here.index)]
    for depth in range(1, len(rule.keys) + 2):
        if lacked.empty:
            return
        further = [*rule.keys, ORDER][depth:]
        beginnings = lacked.droplevel(further)  # type: ignore[arg-type]
        known = beginnings.isin(here.index.droplevel(further).unique())  # type: ignore[arg-type]
        counts = beginnings[~known].value_counts(sort=False)
        for names, count in counts.items():
            parts = names if isinstance(names, tuple) else (names,)
            yield _missing(name, _row(rule.keys, parts), "", f"{count} row{'s' if count > 1 else ''}", in_a)
        lacked = lacked[known]


def _numbers(texts: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of some texts (NaN for an empty one), and which of the texts are numbers."""

    def number(text: str) -> float | None:
        try:
            return float(text) if text else np.nan
        except ValueError:
            return None

    found = [number(text) for text in texts]
    numeric = np.array([value is not None for value in found], bool)
    return np.array([np.nan if value is None else value for value in found], np.float64), numeric


def _judge(
    rule: Rule, kind: Kind, column: str, a: pd.DataFrame, b: pd.DataFrame, way: Way, tolerance: float
) -> pd.DataFrame:
    """Size of the difference of every row, or of all seeds of a row together; columns names, a, b, size, what.

    Texts and non-finite numbers are compared here; the rule of the kind sees only finite numbers.
    """
    (x, x_numeric), (y, y_numeric) = _numbers(a[column]), _numbers(b[column])
    same = (a[column].to_numpy() == b[column].to_numpy()) | (
        x_numeric & y_numeric & ((x == y) | (np.isnan(x) & np.isnan(y)))
    )
    finite = np.isfinite(x) & np.isfinite(y)
    cells = pd.DataFrame(
        {
            "names": list(a.index),
            "a": a[column].to_numpy(),
            "b": b[column].to_numpy(),
            "size": np.where(same, 0.0, np.inf),
        }
    ).assign(what=np.where(x_numeric & y_numeric, "not a number, or infinite", "another text"))
    if kind == "trained" and way == "spread":
        seeds = _seeds(rule, column, a.index[finite], x[finite], y[finite], tolerance)
        return pd.concat([cells[~finite], seeds], ignore_index=True)
    x, y = x[finite], y[finite]
    larger = np.maximum(np.abs(x), np.abs(y))
    gap, allowed, what = np.abs(x - y), tolerance * larger, "beyond rounding"
    if way == "exact":
        allowed, what = larger, "another number"
    elif kind == "claimed":
        allowed, what = np.maximum(allowed, _own(a, b, column)[finite]), "beyond the tolerances of the record"
    elif kind == "estimate":
        allowed, what = _estimate_allowance(x, y, allowed), f"more than a factor of {ESTIMATE_FACTOR:g}"
    elif kind == "computed":
        quantities = [a.index.get_level_values(key)[finite] for key in rule.quantity]
        largest = pd.Series(larger).groupby(quantities).transform("max").to_numpy()
        allowed = tolerance * largest + ROUND_OFF
    cells.loc[finite, "size"] = _share(gap, allowed)
    cells.loc[finite, "what"] = what
    return cells


def _share(gap: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """gap / allowed: 0 where there is no gap, infinite where there is one and none is allowed."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(gap == 0, 0.0, gap / allowed)


def _own(a: pd.DataFrame, b: pd.DataFrame, column: str) -> np.ndarray:
    """What the records of a claim allow: the sum of their tolerances, and any measured value under a bound."""
    if any(name not in table for table in (a, b) for name in ("comparison", "tolerance")):
        return np.zeros(len(a))
    tolerances = [np.nan_to_num(_numbers(table["tolerance"])[0]) for table in (a, b)]
    bound = (a["comparison"] != "equal").to_numpy() & (b["comparison"] != "equal").to_numpy()
    return np.where(bound & (column == "measured"), np.inf, tolerances[0] + tolerances[1])


def _estimate_allowance(x: np.ndarray, y: np.ndarray, rounding: np.ndarray) -> np.ndarray:
    """The largest allowed |x - y| of two errors: for x < y, (1 - 1 / ESTIMATE_FACTOR) y, so y <= ESTIMATE_FACTOR x."""
    larger = np.maximum(np.abs(x), np.abs(y))
    allowed = np.maximum((1 - 1 / ESTIMATE_FACTOR) * larger, rounding)
    return np.where(larger <= ROUND_OFF, np.inf, allowed)


def _seeds(rule: Rule, column: str, index: pd.Index, x: np.ndarray, y: np.ndarray, tolerance: float) -> pd.DataFrame:
    """For every row, the difference of the medians over the seeds over what their spread allows; columns as `_judge`.

    >>> index = pd.MultiIndex.from_product([["r"], ["0", "1", "2"], [0]], names=["run", "seed", ORDER])
    >>> x, y = np.array([1.0, 2.0, 3.0]), np.array([-6.0, -5.0, -4.0])  # medians 7 apart, ranges 2 + 2, twice: 8
    >>> _seeds(RULES["runs"], "relative_l2", index, x, y, 0.0)["size"].tolist()
    [0.875]
    """
    if not len(x):
        return pd.DataFrame(columns=JUDGEMENT)
    others = [key for key in (*rule.keys, ORDER) if key != "seed"]
    labels = [index.get_level_values(key) for key in others]
    values = pd.DataFrame({"a": x, "b": y})
    positive = pd.Series((x > 0) & (y > 0)).groupby(labels).transform("all").to_numpy()
    scaled = {side: np.where(positive, np.log(np.where(positive, v, 1.0)), v) for side, v in (("a", x), ("b", y))}
    groups = pd.DataFrame(scaled).groupby(labels, sort=False)
    medians, ranges, count = groups.median(), groups.max() - groups.min(), groups.size()
    logarithmic = pd.Series(positive).groupby(labels, sort=False).first()
    spread = ranges["a"] + ranges["b"]
    of_one_quantity = [*(spread.index.get_level_values(key) for key in rule.quantity), logarithmic.to_numpy()]
    typical = spread.where(count > 1).groupby(of_one_quantity).transform("median").fillna(0.0)
    rounding = tolerance * medians.abs().max(axis=1).where(~logarithmic, 1.0)
    allowed = np.maximum(WIDENING * np.maximum(spread, typical), rounding)
    plain = values.groupby(labels, sort=False)
    middle, low, high = plain.median(), plain.min(), plain.max()
    shown = {
        side: [
            f"{m:.4g} ({least:.3g} to {most:.3g})" if n > 1 else f"{m:.6g}"
            for m, least, most, n in zip(middle[side], low[side], high[side], count, strict=True)
        ]
        for side in ("a", "b")
    }
    unknown = (count == 1) & (typical == 0)
    places = [others.index(key) if key != "seed" else None for key in (*rule.keys, ORDER)]
    rows = spread.index if isinstance(spread.index, pd.MultiIndex) else pd.MultiIndex.from_arrays([spread.index])
    return pd.DataFrame(
        {
            "names": [tuple(ALL if place is None else row[place] for place in places) for row in rows],
            **shown,
            "size": _share(np.abs(np.asarray(medians["a"] - medians["b"])), np.asarray(allowed)),
            "what": np.where(unknown, "one seed: its spread is not known", "beyond the spread of the seeds"),
        }
    )


def report(found: Comparison, rows: int = 20) -> Iterator[str]:
    """Lines for a terminal: the way of comparison, a line per table, the largest differences, and the answer."""
    way = "bitwise" if found.tolerance == 0 else f"relative tolerance {found.tolerance:g}"
    if found.way == "spread":
        way = "against the spread of the seeds and the tolerances of the records"
    yield f"A: {found.a}"
    yield f"B: {found.b}"
    yield from textwrap.wrap(f"Compared {way}: {found.reason}.", terminal_width(), break_on_hyphens=False)
    yield ""
    for table in found.tables:
        yield _line(table, found.way)
    left_out = dict.fromkeys(name for table in found.tables if table.judged for name in table.left_out)
    if left_out:
        yield ""
        yield from textwrap.wrap(f"Not compared: {', '.join(left_out)}.", terminal_width())
    worst = found.differences
    if not worst:
        yield ""
        yield "A and B agree."
        return
    yield ""
    yield from _worst(worst[:rows], found.way)
    if len(worst) > rows:
        yield f"and {len(worst) - rows} more; --output FILE.csv writes all of them"
    tables = sum(bool(table.differences) for table in found.tables)
    yield ""
    yield f"A and B differ in {tables} of {len(found.tables)} tables."
    if found.way == "exact" and found.reason != "as asked":
        yield "Two machines may have one name: --spread judges by the spread of the seeds."


def _line(table: TableComparison, way: Way) -> str:
    count = len(table.differences)
    verdict = f"{count:,} difference{'s' if count > 1 else ''}" if count else "agrees"
    if not count and table.rows and not table.judged:  # all of it follows from other tables
        verdict = "same rows"
    line = f"{table.table:18}  {verdict:18}  {table.rows:8,} rows"
    if way == "spread" and table.judged and np.isfinite(table.largest):
        line += f", at most {table.largest:.2g} of what is allowed"
    return line


def _worst(differences: Sequence[Difference], way: Way) -> Iterator[str]:
    """The differences as a table that fits the terminal, or one below another in a narrow one."""
    from rich.console import Console
    from rich.table import Table

    unit = "relative" if way == "exact" else "of allowed"
    if (width := terminal_width()) < TABLE_WIDTH:
        for one in differences:
            size = f" ({one.size:.2g} {unit})" if np.isfinite(one.size) else ""
            names = ", ".join(name for name in (one.table, one.row, one.column) if name)
            yield from textwrap.wrap(f"{names}: {one.what}{size}", width, subsequent_indent="  ")
            texts = f"  A {_short(one.a) or 'nothing'}   B {_short(one.b) or 'nothing'}"
            yield from textwrap.wrap(texts, width, subsequent_indent="    ")
        return
    table = Table(box=None, pad_edge=False, header_style="")
    for name in ("table", "row", "column", "A", "B", unit, "what"):
        table.add_column(name, overflow="fold", min_width=14 if name == "row" else None)
    for one in differences:
        size = f"{one.size:.2g}" if np.isfinite(one.size) else ""
        cells = map(_short, (one.table, one.row, one.column, one.a, one.b, size, one.what))
        table.add_row(*(cell.replace(", ", ",\n").replace(" (", "\n(") for cell in cells))  # breaks fewer words
    console = Console(highlight=False, markup=False)
    with console.capture() as capture:
        console.print(table)
    yield capture.get().rstrip("\n")


def _short(text: str, most: int = 60) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."
