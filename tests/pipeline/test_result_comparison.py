"""Two folders of results: what is equal agrees, a change of any cell that counts is found, chance is let through."""

import math
import re
import shutil
import statistics

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_results import Shape, write_summary
from typer.testing import CliRunner

from gradalign.base.errors import ConfigurationError
from gradalign.claims._records import Curve, vanishes
from gradalign.pipeline.cli import application
from gradalign.pipeline.comparison import derived_tables
from gradalign.pipeline.result_comparison import RULES, WIDENING, compare, report, tables_of
from gradalign.pipeline.summary_tables import DERIVED, TABLES
from gradalign.references.studies._contract import Series

SHAPE = Shape(("adam", "soap", "gauss_newton"), ("ic", "bc", "pde"), rows=3, problems=("burgers", "korteweg_de_vries"))
CLOCKS_AND_MACHINES = {"seconds", "bytes", "commit", "device", "compile_seconds", "train_seconds"}
CLOCKS_AND_MACHINES |= {"milliseconds_per_step"}
WORDS = {"reason", "source"}
"""Why a tolerance is as it is, and where a record comes from: no numbers."""


@pytest.fixture(scope="module")
def made_up(tmp_path_factory):
    """Summary tables that have rows, each of them."""
    folder = write_summary(tmp_path_factory.mktemp("results") / "smoke" / "summary", SHAPE)
    series = [Series("s", "error by time", "511 modes", [0.0, 1.0], [0.25, 0.5]), Series.number("s", "L2", "a", 1e-5)]
    curves = [Curve("T5", "score", "n = 3", [1.0, 2.0], [-0.5, math.nan], seed) for seed in (0, 1)]
    for name, lines in (("studies", series), ("claim_curves", curves)):
        pd.DataFrame([row for line in lines for row in line.rows()]).to_csv(folder / f"{name}.csv", index=False)
    return folder


@pytest.fixture
def pair(made_up, tmp_path):
    """Two folders with the same tables."""
    for name in "ab":
        shutil.copytree(made_up, tmp_path / name, ignore=shutil.ignore_patterns("fields"))
    return tmp_path / "a", tmp_path / "b"


def only(pair, *names):
    """The pair with these tables alone, which takes less time."""
    for folder in pair:
        for name in set(RULES) - set(names):
            (folder / f"{name}.csv").unlink()
    return pair


def changed(folder, name, change):
    """Change the texts of a table in place."""
    table = pd.read_csv(folder / f"{name}.csv", dtype=str, keep_default_na=False)
    found = change(table)
    (table if found is None else found).to_csv(folder / f"{name}.csv", index=False)


def put(row, column, text):
    def change(table):
        table.loc[row, column] = text

    return change


def found_in(comparison):
    return {(one.table, one.row, one.column, one.what) for one in comparison.differences}


# What the rules are about


def test_every_column_of_every_summary_table_has_a_rule(made_up):
    assert set(RULES) == {*(table for tables in TABLES.values() for table in tables), *DERIVED}
    assert tuple(derived_tables(pd.DataFrame(), pd.DataFrame())) == DERIVED
    written = {name: pd.read_csv(made_up / f"{name}.csv") for name in RULES}
    assert all(len(table) for table in written.values())
    columns = {name: set(table.columns) for name, table in written.items()}
    columns["claims"] |= set(vanishes("T1", "s", "q", [0.0], 1e-9).row())
    for name, rule in RULES.items():
        assert columns[name] == {*rule.keys, *rule.columns}, name
        assert set(rule.quantity) <= set(rule.keys), name


def test_only_clocks_and_machines_are_left_out():
    left_out = {column for rule in RULES.values() for column, kind in rule.columns.items() if kind == "left out"}
    assert left_out == CLOCKS_AND_MACHINES | WORDS


# The exact way


@pytest.mark.parametrize("way", ["exact", "spread", None])
def test_a_folder_agrees_with_itself(made_up, way):
    found = compare(made_up, made_up, way)
    assert found.differences == []
    assert [table.table for table in found.tables] == list(RULES)
    assert all(table.rows for table in found.tables)


def moved(text):
    """The next number, or another text."""
    try:
        return repr(float(np.nextafter(float(text), np.inf))) if text != "nan" else "1.0"
    except ValueError:
        return f"{text} x"


@pytest.mark.parametrize("name", list(RULES))
def test_a_change_of_any_cell_is_found_if_its_column_counts(name, pair):
    """One cell of every column, each in a row of its own choice; and one of every column that names rows."""
    a, b = only(pair, name)
    original = pd.read_csv(a / f"{name}.csv", dtype=str, keep_default_na=False)
    random = np.random.default_rng(len(name))
    rows = np.flatnonzero(original["budget"] != "seconds") if "budget" in original else np.arange(len(original))
    table, expected = original.copy(), set()
    for column in set(original.columns) - set(RULES[name].keys):
        row = random.choice(rows)
        table.loc[row, column] = moved(original.loc[row, column])
        if column not in CLOCKS_AND_MACHINES:
            expected.add((column, original.loc[row, column], table.loc[row, column]))
    table.to_csv(b / f"{name}.csv", index=False)
    there, back = compare(a, b, "exact").differences, compare(b, a, "exact").differences
    assert {(one.column, one.a, one.b) for one in there} == {(one.column, one.b, one.a) for one in back} == expected
    assert len(there) == len(back) == len(expected)
    assert [one.size for one in there] == [one.size for one in back]
    for column in RULES[name].keys:
        row = random.choice(rows)
        text = original.loc[row, column]
        other = str(float(text) + 0.5) if column in ("seed", "step", "t") else moved(text)
        original.assign(**{column: original[column].where(original.index != row, other)}).to_csv(
            b / f"{name}.csv", index=False
        )
        assert {"missing in A", "missing in B"} <= {one.what for one in compare(a, b, "exact").differences}, column


@given(x=st.floats(), y=st.floats(), tolerance=st.floats(0, 0.5))
@settings(max_examples=40, deadline=None)
def test_two_numbers_are_the_same_by_the_definition_of_the_tolerance(tmp_path_factory, x, y, tolerance):
    folders = [tmp_path_factory.mktemp("numbers") for _ in "ab"]
    for folder, value in zip(folders, (x, y), strict=True):
        pd.DataFrame([{"problem": "p", "check": "c", "value": repr(value)}]).to_csv(
            folder / "reference_evidence.csv", index=False
        )
    expected = repr(x) == repr(y) or x == y
    if not expected and math.isfinite(x) and math.isfinite(y):
        larger = max(abs(x), abs(y))
        expected = abs(x / larger - y / larger) <= tolerance * (1 + 1e-12) if larger > 1e-300 else None
    if expected is not None:
        same = [not compare(*order, "exact", tolerance).differences for order in (folders, folders[::-1])]
        assert same == [expected] * 2 or abs(abs(x - y) / max(abs(x), abs(y)) - tolerance) < 1e-12


def test_the_size_is_the_relative_difference_and_the_worst_comes_first(pair):
    a, b = pair
    for folder, texts in ((a, ["2.0", "2.0", "nan", "4"]), (b, ["1.0", "1.9", "1.0", "4.0"])):
        for row, text in enumerate(texts):
            changed(folder, "errors", put(row, "largest_error", text))
    found = compare(a, b, "exact").differences
    assert [(one.a, one.b) for one in found] == [("nan", "1.0"), ("2.0", "1.0"), ("2.0", "1.9")]
    assert [one.size for one in found] == [math.inf, 0.5, pytest.approx(0.05)]
    assert [one.what for one in found] == ["not a number, or infinite", *["another number"] * 2]
    assert len(compare(a, b, "exact", 0.05 + 1e-9).differences) == 2


@pytest.mark.parametrize("way", ["exact", "spread"])
@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("nan", "", True),
        ("NaN", "nan", True),
        ("inf", "inf", True),
        ("inf", "-inf", False),
        ("inf", "1e300", False),
        ("nan", "0.0", False),
        ("", "0.0", False),
        ("damaged", "damaged", True),
        ("damaged", "destroyed", False),
        ("damaged", "nan", False),
    ],
)
def test_poison_equals_only_itself(pair, way, one, other, same):
    only(pair, "runs", "claims", "references")
    for name, column in (("runs", "relative_l2"), ("claims", "measured"), ("references", "stated_error")):
        for folder, text in zip(pair, (one, other), strict=True):
            changed(folder, name, put(0, column, text))
    tables = {difference.table for difference in compare(*pair, way).differences}
    assert tables == (set() if same else {"runs", "claims", "references"})


def test_the_order_of_rows_is_none_of_their_numbers(pair):
    a, b = pair
    for name in set(RULES) - {"claim_curves", "studies"}:
        changed(b, name, lambda table: table[::-1])
    assert compare(a, b, "exact").differences == []
    changed(b, "studies", lambda table: table[::-1])  # whose points are told apart by their order
    assert found_in(compare(a, b, "exact")) == {
        ("studies", f"s, error by time, 511 modes{place}", column, "another number")
        for place in ("", ", point 2")
        for column in "xy"
    }


# The spread of the seeds


def runs(folder, **errors):
    """A table of runs with errors by run and seed."""
    rows = [
        {"run": run, "seed": seed, "scale": "laptop", "device": folder.name, "relative_l2": repr(float(value))}
        for run, values in errors.items()
        for seed, value in enumerate(values)
    ]
    folder.mkdir(exist_ok=True)
    pd.DataFrame(rows).to_csv(folder / "runs.csv", index=False)
    return folder


def allowed_by_definition(a, b, typical=0.0):
    """f max(r_A + r_B, typical), from the definition."""
    return 2.0 * max(max(a) - min(a) + max(b) - min(b), typical)


def size(tmp_path, a, b):
    """What is said to be the largest share of what is allowed, the same in both orders."""
    folders = runs(tmp_path / "a", **a), runs(tmp_path / "b", **b)
    there, back = (compare(*order, "spread").tables[0].largest for order in (folders, folders[::-1]))
    assert there == pytest.approx(back, rel=1e-12)
    return there


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_positive_numbers_are_judged_by_factors(tmp_path_factory, data):
    a, b = (data.draw(st.lists(st.floats(-20, 3), min_size=3, max_size=3, unique=True)) for _ in "ab")
    expected = abs(statistics.median(a) - statistics.median(b)) / allowed_by_definition(a, b)
    found = size(tmp_path_factory.mktemp("runs"), {"r": np.exp(a)}, {"r": np.exp(b)})
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_numbers_of_both_signs_are_judged_by_differences(tmp_path):
    a, b = [-1.0, 0.5, 1.0], [4.0, 6.0, 7.0]
    assert size(tmp_path, {"r": a}, {"r": b}) == pytest.approx(5.5 / allowed_by_definition(a, b))
    assert WIDENING == 2.0


def test_a_row_with_a_small_spread_has_the_typical_one(tmp_path):
    a = {"tight": [1.0, 1.0, 1.0], "usual": np.exp([0.0, 0.1, 0.3]), "wide": np.exp([0.0, 0.0, 5.0])}
    b = {**a, "tight": np.exp([0.9, 0.9, 0.9])}
    assert size(tmp_path, a, b) == pytest.approx(0.9 / (2.0 * 0.6))  # the median of 0, 0.6 and 10


def test_one_seed_is_judged_by_the_spread_of_the_others(tmp_path):
    a = {"usual": np.exp([0.0, 0.1, 0.3]), "single": [1.0]}
    assert size(tmp_path, a, {**a, "single": np.exp([0.9])}) == pytest.approx(0.9 / (2.0 * 0.6))
    folders = runs(tmp_path / "a", single=[1.0]), runs(tmp_path / "b", single=[1.01])
    (one,) = compare(*folders, "spread").differences
    assert (one.row, one.a, one.b, one.what) == (
        "single, all seeds",
        "1",
        "1.01",
        "one seed: its spread is not known",
    )
    assert compare(runs(tmp_path / "a", single=[1.0]), runs(tmp_path / "b", single=[1.0 + 4e-7])).differences == []


def test_quantities_have_typical_spreads_of_their_own(pair):
    """The scores of every run are far wider than its errors, which lets no error through."""
    a, b = pair
    rows = pd.read_csv(a / "curves.csv")

    def change(table):
        chosen = (rows["run"] == "burgers-soap") & (rows["quantity"] == "error") & (rows["step"] == 300)
        assert chosen.sum() == 3
        table.loc[chosen, "value"] = [repr(1e4 * value) for value in rows["value"][chosen]]

    changed(b, "curves", change)
    (one,) = compare(a, b, "spread").differences
    assert (one.table, one.row, one.column) == ("curves", "burgers-soap, all seeds, error, step 300", "value")
    assert one.size > 1
    assert re.fullmatch(r"\S+ \(\S+ to \S+\)", one.a)


def test_chance_is_let_through_and_a_change_is_not(tmp_path):
    """Three seeds each from one law: 2,000 rows agree; the same with one of them 100 times larger do not."""
    random = np.random.default_rng(0)
    spread = {f"r{k}": random.uniform(0.1, 0.5) for k in range(2000)}
    folders = [
        runs(tmp_path / name, **{run: np.exp(width * random.normal(size=3) - 8) for run, width in spread.items()})
        for name in "ab"
    ]
    found = compare(*folders, "spread")
    assert found.differences == []
    assert found.tables[0].largest > 0.4
    usual = min(spread, key=lambda run: abs(spread[run] - 0.3))
    rows = pd.read_csv(folders[1] / "runs.csv")
    rows.loc[rows["run"] == usual, "relative_l2"] *= 100
    rows.to_csv(folders[1] / "runs.csv", index=False)
    assert [one.row for one in compare(*folders, "spread").differences] == [f"{usual}, all seeds"]


def test_a_seed_that_is_not_a_number_is_found_among_others(tmp_path):
    folders = runs(tmp_path / "a", r=[1, 2, 3]), runs(tmp_path / "b", r=[1, 2, math.nan])
    (one,) = compare(*folders, "spread").differences
    assert (one.row, one.a, one.b) == ("r, seed 2", "3.0", "nan")


# Claims, references, points


@pytest.mark.parametrize(
    ("comparison", "column", "gap", "same"),
    [
        ("equal", "measured", 1.9e-5, True),  # each of the tolerances is 1e-5
        ("equal", "measured", 2.1e-5, False),
        ("at most", "measured", 0.5, True),
        ("at least", "measured", 0.5, True),
        ("at most", "expected", 1.9e-5, True),
        ("at least", "expected", 2.1e-5, False),
    ],
)
def test_records_are_judged_by_their_tolerances(pair, comparison, column, gap, same):
    a, b = only(pair, "claims")
    row = pd.read_csv(a / "claims.csv").query(f"comparison == {comparison!r}").index[0]
    for folder, value in ((a, 0.0), (b, gap)):
        changed(folder, "claims", put(row, column, repr(value)))
    for order in ((a, b), (b, a)):
        assert (compare(*order, "spread").differences == []) == same


def test_another_verdict_is_a_difference_on_every_machine(pair):
    changed(pair[1], "claims", put(3, "verdict", "violated"))
    (one,) = compare(*pair, "spread").differences
    assert (one.table, one.column, one.a, one.b) == ("claims", "verdict", "confirmed", "violated")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1e-7, 9.9e-7, True),
        (1e-7, 1.01e-6, False),
        (0.0, 9e-13, True),
        (1e-16, 9e-13, True),
        (0.0, 1.1e-12, False),
        (1e-14, 1.1e-12, False),
    ],
)
def test_errors_of_references_are_judged_by_their_order_of_magnitude(pair, one, other, same):
    a, b = only(pair, "references", "reference_evidence")
    for name, column in (("references", "stated_error"), ("reference_evidence", "value")):
        for folder, value in ((a, one), (b, other)):
            changed(folder, name, put(0, column, repr(value)))
    for order in ((a, b), (b, a)):
        assert (compare(*order, "spread").differences == []) == same


@pytest.mark.parametrize(("gap", "same"), [(0.9e-6, True), (1.1e-6, False)])
def test_points_are_judged_by_the_largest_of_their_quantity(pair, gap, same):
    a, b = only(pair, "studies")
    for folder, small in ((a, 1e-9), (b, 1e-9 + 50 * gap)):
        changed(folder, "studies", put(0, "y", repr(small)))
        changed(folder, "studies", put(1, "y", "-50.0"))
    for order in ((a, b), (b, a)):
        assert (compare(*order, "spread").differences == []) == same


def test_what_follows_by_jumps_is_judged_on_one_machine_only(pair):
    a, b = pair
    places = [Series.number("s", "largest error, place", "a", x) for x in (-1.0, 1.0)]
    for folder, place in zip(pair, places, strict=True):
        changed(folder, "errors", put(0, "largest_error_at", f"x={place.y[0]}"))
        changed(folder, "studies", lambda table, place=place: pd.concat([table, pd.DataFrame(place.rows())]))
    assert {one.table for one in compare(a, b, "exact").differences} == {"errors", "studies"}
    assert compare(a, b, "spread").differences == []


# What is missing


@pytest.mark.parametrize("way", ["exact", "spread"])
def test_what_is_missing_is_named_by_its_most_general_name(pair, way):
    a, b = pair
    (b / "studies.csv").unlink()
    changed(b, "runs", lambda table: table[table["run"] != "burgers-soap"].drop(columns="final_loss"))
    changed(b, "errors", lambda table: table[(table["run"] != "burgers-adam") | (table["seed"] != "1")])
    changed(b, "curves", lambda table: table[(table["seed"] != "2") | (table["step"] != "300")])
    changed(a, "claims", lambda table: table[~table["claim"].isin(["T5a", "T5b"])])
    changed(a, "references", lambda table: table.assign(colour="red"))
    there, back = compare(a, b, way), compare(b, a, way)
    expected = {
        ("studies", "whole table", "", "missing in B"),
        ("runs", "burgers-soap", "", "missing in B"),
        ("runs", "all", "final_loss", "missing in B"),
        ("errors", "burgers-adam, seed 1", "", "missing in B"),
        ("claims", "T5a", "", "missing in A"),
        ("claims", "T5b", "", "missing in A"),
        ("references", "all", "colour", "missing in B"),
    }
    assert expected <= found_in(there)
    steps = {one for one in found_in(there) if one[0] == "curves"}
    assert ("curves", "burgers-adam, seed 2, error, step 300", "", "missing in B") in steps
    assert {one.size for one in there.differences} == {math.inf}
    swap = {"missing in A": "missing in B", "missing in B": "missing in A"}
    assert found_in(back) == {(*rest, swap[what]) for *rest, what in found_in(there)}
    soap = next(one for one in there.differences if one.row == "burgers-soap")
    assert (soap.a, soap.b) == ("3 rows", "")


def test_a_row_that_is_there_twice_is_named(pair):
    changed(pair[1], "runs", lambda table: pd.concat([table, table[:1]]))
    assert found_in(compare(*pair)) == {("runs", "burgers-adam, seed 0, point 2", "", "missing in A")}


def test_a_table_without_the_columns_that_name_its_rows_is_said(pair):
    for folder in pair:
        changed(folder, "runs", lambda table: table.drop(columns="seed"))
    assert found_in(compare(*pair)) == {("runs", "all", "", "rows without names")}
    changed(pair[0], "errors", lambda table: table.drop(columns="run"))
    assert ("errors", "all", "run", "missing in A") in found_in(compare(*pair))


@pytest.mark.parametrize("way", ["exact", "spread"])
def test_an_empty_table_agrees_with_one_without_rows_and_with_no_other(pair, way):
    names = ("claims", "curves", "studies")
    a, b = only(pair, *names)
    for name in names:
        (b / f"{name}.csv").write_text("\n")
        assert {one.table: one.what for one in compare(a, b, way).differences} == {name: "missing in B"}
        assert {one.table: one.what for one in compare(b, a, way).differences} == {name: "missing in A"}
        changed(a, name, lambda table: table[:0])
        if name != names[-1]:
            assert compare(a, b, way).differences == []
    with pytest.raises(ConfigurationError, match="no table has a row; there is nothing to compare"):
        compare(a, b, way)


def test_another_scale_is_said_and_nothing_else(pair):
    for name in ("runs", "references"):
        changed(pair[1], name, lambda table: table.assign(scale="laptop"))
    (one,) = compare(*pair).differences
    assert (one.column, one.a, one.b, one.what) == ("scale", "smoke", "laptop", "another scale: nothing is compared")


# Which way, and which folders


def test_one_machine_is_compared_bit_by_bit_and_two_by_the_spread(pair):
    a, b = pair
    found = compare(a, b)
    assert (found.way, found.tolerance, found.reason) == ("exact", 0.0, "both are from cpu (2 cores)")
    changed(b, "runs", lambda table: table.assign(device="NVIDIA H200 x1"))
    found = compare(a, b)
    assert (found.way, found.tolerance) == ("spread", 1e-6)
    assert found.reason == "A is from cpu (2 cores), B from NVIDIA H200 x1"
    assert compare(a, b, "exact").differences == []


def test_tables_lie_in_the_folder_or_in_its_summary(made_up, tmp_path):
    assert tables_of(made_up.parent) == tables_of(made_up) == made_up
    with pytest.raises(
        ConfigurationError, match=rf"no folder of results, .*allowed: {re.escape(str(made_up.parent))}$"
    ):
        tables_of(made_up.parents[1])
    for folder, text in ((tmp_path / "none", "no such folder"), (made_up / "runs.csv", "a file, not a folder")):
        with pytest.raises(ConfigurationError, match=text):
            compare(made_up, folder)
    with pytest.raises(ConfigurationError, match="holds a summary table"):
        compare(tmp_path, made_up)


@pytest.mark.parametrize("content", [b"run,seed\n\xff\xfe\x00,1\n", b'run,seed\n"a,1\n', b"run,seed\na,1\nb,1,2,3\n"])
def test_a_damaged_table_is_named(pair, content):
    (pair[1] / "runs.csv").write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"b/runs\.csv cannot be read as a table: "):
        compare(*pair)


@pytest.mark.parametrize("tolerance", [-1e-9, math.nan, math.inf])
def test_a_tolerance_is_a_number_of_zero_or_more(pair, tolerance):
    with pytest.raises(ConfigurationError, match=r"--tolerance is .*; allowed: 0 or a positive number"):
        compare(*pair, "exact", tolerance)


# The command


def call(*arguments):
    return CliRunner().invoke(application, ["compare", *map(str, arguments)], env={"COLUMNS": "100"})


def test_the_command_says_a_line_per_table_that_agrees(pair, tmp_path):
    found = call(*pair, "--output", tmp_path / "all.csv")
    assert found.exit_code == 0, found.output
    for name in RULES:
        assert re.search(rf"^{name} +agrees +[0-9,]+ rows$", found.output, re.MULTILINE), name
    assert re.search(r"^mean_ranks +same rows +[0-9]+ rows$", call(*pair, "--spread").output, re.MULTILINE)
    assert "Compared bitwise: both are from cpu (2 cores)." in found.output
    assert "A and B agree." in found.output
    assert "Not compared: seconds," in found.output
    assert pd.read_csv(tmp_path / "all.csv").columns.tolist() == ["table", "row", "column", "a", "b", "size", "what"]


def test_the_command_shows_the_worst_and_counts_the_rest(pair, tmp_path):
    a, b = pair

    def change(table):
        chosen = table["quantity"] == "error"
        table.loc[chosen, "value"] = [repr(2 * float(value)) for value in table["value"][chosen]]

    changed(b, "curves", change)
    changed(b, "curves", put(0, "value", "nan"))
    for order in ((a, b), (b, a)):
        found = call(*order, "--rows", 3, "--output", tmp_path / "all.csv")
        assert found.exit_code == 1
        everything = pd.read_csv(tmp_path / "all.csv", keep_default_na=False, dtype={"size": float})
        assert f"and {len(everything) - 3} more; --output FILE.csv writes all of them" in found.output
        assert everything["size"].tolist() == sorted(everything["size"], reverse=True)
        assert f"curves              {len(everything)} differences" in found.output
        assert "not a number" in found.output
        assert found.output.count("burgers-") == 3
        assert "A and B differ in 1 of 11 tables." in found.output
        assert "--spread judges by the spread of the seeds" in found.output
        assert max(map(len, found.output.splitlines())) <= 100
    assert call(a, b, "--exact", "--tolerance", 0.6).exit_code == 1  # for NaN
    changed(b, "curves", lambda table: pd.read_csv(a / "curves.csv", dtype=str, keep_default_na=False))
    changed(b, "curves", change)
    assert call(a, b, "--exact", "--tolerance", 0.6).exit_code == 0
    assert call(a, b, "--exact", "--tolerance", 0.4).exit_code == 1


def test_the_command_refuses_in_one_sentence(pair, tmp_path):
    found = call(pair[0], tmp_path)
    assert found.exit_code == 1
    assert found.output.startswith(f"ConfigurationError: {tmp_path}: no folder of results")
    assert found.output.count("\n") == 1
    assert f"allowed: {pair[0]}, {pair[1]}" in found.output


def test_a_narrow_terminal_has_the_differences_below_each_other(pair, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    changed(pair[1], "references", put(0, "resolution", "many nodes"))
    text = "\n".join(report(compare(*pair)))
    expected = """
references, burgers, resolution: another
  text
  A 1501 nodes, refined to 3001   B many
    nodes
"""
    assert expected in text


def test_brackets_in_a_text_are_shown_as_they_are(pair, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    changed(pair[1], "runs", put(0, "recipe", "[bold]float32[/bold]"))
    assert "[bold]float32[/bold]" in "\n".join(report(compare(*pair)))
