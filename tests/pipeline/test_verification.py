"""Expectations against hand-made summary tables, with known answers."""

import io
import math
from pathlib import Path

import pandas as pd
import pytest
import yaml
from rich.console import Console

from gradalign.base.errors import ConfigurationError
from gradalign.pipeline.verification import Expectation, Selector, Target, compare, load_expectations, select, verify

EXPECTATIONS = Path(__file__).parents[2] / "workflow" / "config" / "expectations.yaml"
RUNS = pd.DataFrame({"run": ["a", "a", "a", "b"], "relative_l2": [0.1, 0.4, 0.2, math.nan]})
CURVES = pd.DataFrame(
    {"run": "a", "quantity": ["s", "s", "s", "e"], "step": [0, 10, 20, 20], "value": [9.0, -0.3, -0.4, 5.0]}
)
CLAIMS = pd.DataFrame({"claim": ["T1", "T2"], "verdict": ["confirmed", "violated"]})
TABLES = {"runs": RUNS, "curves": CURVES, "claims": CLAIMS, "references": pd.DataFrame({"problem": ["p"]})}


@pytest.fixture
def summary(tmp_path: Path) -> Path:
    for name, table in TABLES.items():
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    return tmp_path


def expectation(**changes: object) -> dict[str, object]:
    measured = {"table": "runs", "column": "relative_l2", "where": {"run": "a"}, "aggregate": "median"}
    base = {"name": "x", "description": "d", "kind": "required", "scales": ["smoke"], "measured": measured}
    return base | {"comparison": "at most", "expected": 0.3} | changes


@pytest.mark.parametrize(
    ("aggregate", "value"),
    [("minimum", 0.1), ("median", 0.2), ("mean", 0.7 / 3), ("maximum", 0.4), ("spread", 0.3), ("count", 3.0)],
)
def test_aggregates(aggregate, value):
    selector = Selector(table="runs", column="relative_l2", where={"run": "a"}, aggregate=aggregate)
    assert select(selector, TABLES) == pytest.approx(value, rel=1e-15)  # one rounding of the mean


def test_share_counts_equal_values():
    assert select(Selector(table="claims", column="verdict", aggregate="share", equals="confirmed"), TABLES) == 0.5


def test_a_list_chooses_rows_with_any_of_its_values():
    tables = {"claims": pd.DataFrame({"status": ["proven", "observation", "consistency"], "verdict": ["a", "b", "c"]})}
    chosen = Selector(table="claims", column="verdict", where={"status": ["proven", "consistency"]}, aggregate="count")
    assert select(chosen, tables) == 2


@pytest.mark.parametrize(
    ("status", "failed"),
    [
        ("proven", ["claims_confirmed"]),
        ("false in general", ["claims_confirmed"]),
        ("consistency", ["claims_consistent"]),
        ("observation", []),
    ],
)
def test_a_violated_record_fails_unless_it_is_an_observation(status, failed, tmp_path):
    statuses = ["proven", "false in general", "by construction", "consistency", "observation"]
    table = pd.DataFrame({"claim": "T1", "status": [*statuses, status], "verdict": ["confirmed"] * 5 + ["violated"]})
    table.to_csv(tmp_path / "claims.csv", index=False)
    named = ("claims_confirmed", "claims_consistent", "claims_observed")
    expectations = [e for e in load_expectations(EXPECTATIONS) if e.name in named]
    outcomes = compare(expectations, "laptop", tmp_path)
    assert [outcome.expectation for outcome in outcomes if outcome.verdict == "failed"] == failed
    assert [o.expectation for o in outcomes if o.verdict == "did not hold"] == ([] if failed else ["claims_observed"])


def test_distinct_counts_values_after_extraction():
    tables = {"claims": pd.DataFrame({"claim": ["T1a", "T1b", "T10", "T2"]})}
    labels = Selector(table="claims", column="claim", aggregate="distinct")
    assert select(labels, tables) == 4
    assert select(labels.model_copy(update={"extract": "T[0-9]+"}), tables) == 3


def test_steps_bound_a_window():
    where = {"run": "a", "quantity": "s"}
    window = Selector(table="curves", column="value", where=where, first_step=10, last_step=20, aggregate="mean")
    assert select(window, TABLES) == pytest.approx(-0.35, rel=1e-15)
    first = Selector(table="curves", column="value", where=where, last_step=0, aggregate="mean")
    assert select(first, TABLES) == 9.0


@pytest.mark.parametrize("where", [{"run": "b"}, {"run": "nobody"}], ids=["missing value", "no row"])
def test_a_number_that_cannot_be_measured_fails(summary, where):
    measured = {"table": "runs", "column": "relative_l2", "where": where, "aggregate": "median"}
    for kind in ("required", "prediction"):
        [outcome] = compare([Expectation(**expectation(kind=kind, measured=measured))], "smoke", summary)
        assert math.isnan(outcome.measured)
        assert outcome.verdict == "no data"


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"expected": 0.2}, "held"),
        ({"expected": 0.19}, "failed"),
        ({"expected": 0.19, "kind": "prediction"}, "did not hold"),
        ({"comparison": "at least", "expected": 0.2}, "held"),
        ({"comparison": "at least", "expected": 0.21}, "failed"),
        ({"comparison": "within", "expected": 0.25, "tolerance": 0.06}, "held"),
        ({"comparison": "within", "expected": 0.25, "tolerance": 0.04}, "failed"),
    ],
)
def test_comparisons_with_a_number(summary, changes, verdict):
    assert compare([Expectation(**expectation(**changes))], "smoke", summary)[0].verdict == verdict


@pytest.mark.parametrize(("times", "verdict"), [(0.5, "held"), (0.49, "failed")])
def test_comparison_with_another_number_times_a_factor(summary, times, verdict):
    target = {"table": "runs", "column": "relative_l2", "where": {"run": "a"}, "aggregate": "maximum", "times": times}
    [outcome] = compare([Expectation(**expectation(expected=target))], "smoke", summary)
    assert outcome.expected == pytest.approx(0.4 * times, rel=1e-15)
    assert outcome.verdict == verdict


@pytest.mark.parametrize(
    ("where", "checked"),
    [
        ({"scales": ["paper"]}, False),
        ({"scales": ["smoke"]}, True),
        ({"scales": None}, True),
        ({"scales": None, "not_at": ["smoke"]}, False),
        ({"scales": None, "not_at": ["paper"]}, True),
    ],
)
def test_only_the_expectations_of_the_scale_are_checked(summary, where, checked):
    assert len(compare([Expectation(**expectation(**where))], "smoke", summary)) == checked


def written(folder: Path, *entries: dict[str, object], **more: object) -> list[Expectation]:
    file = folder / "expectations.yaml"
    file.write_text(yaml.safe_dump({"expectations": [*entries], **more}))
    return load_expectations(file)


ERROR = {"table": "runs", "column": "relative_l2", "aggregate": "median"}


def test_a_number_is_of_a_selector_with_what_is_said_beside_it(tmp_path):
    measured = {"of": "error", "where": {"run": "a"}, "aggregate": "maximum"}
    expected = {"of": "error", "where": {"scale": "smoke"}, "times": 2.0}
    selectors = {"error": ERROR | {"where": {"scale": "laptop", "problem": "wave"}}}
    (found,) = written(tmp_path, expectation(measured=measured, expected=expected), selectors=selectors)
    where = {"scale": "laptop", "problem": "wave", "run": "a"}
    assert found.measured == Selector(**ERROR | {"where": where, "aggregate": "maximum"})
    assert found.expected == Target(**ERROR, where={"scale": "smoke", "problem": "wave"}, times=2.0)


def test_an_entry_with_rows_stands_for_several_expectations(tmp_path):
    entry = expectation(name="{problem}_good", description="on {name of problem} at most {expected}{further}")
    entry["measured"] = ERROR | {"where": {"run": "{problem}-soap"}, "first_step": "{first}"}
    rows = [
        {"problem": "wave", "expected": 8e-7, "first": 3, "further": "!"},
        {
            "problem": "burgers",
            "expected": 0.25,
            "first": 4,
            "further": "",
            "kind": "prediction",
            "description": "good",
        },
    ]
    names = {"wave": "the wave equation"}
    wave, burgers = written(
        tmp_path, {key: entry[key] for key in entry if key != "expected"} | {"for": rows}, names=names
    )
    assert (wave.name, wave.description) == ("wave_good", "on the wave equation at most 8.0e-7!")
    assert (wave.kind, wave.expected, wave.measured.where) == ("required", 8e-7, {"run": "wave-soap"})
    assert (wave.measured.first_step, burgers.measured.first_step) == (3, 4)
    assert (burgers.kind, burgers.description) == ("prediction", "good")
    short = written(tmp_path, expectation(name="{problem}_good", description="d") | {"for": {"problem": ["b", "a"]}})
    assert [found.name for found in short] == ["b_good", "a_good"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"measured": {"of": "eror"}}, "unknown selector 'eror'; allowed: error"),
        ({"description": "{problem}"}, r"unknown word '{problem}'; allowed: \Z"),
        (
            {"for": [{"problem": "wave"}]},
            "the row {'problem': 'wave'} gives 'problem'; allowed: name, description, kind, ",
        ),
        ({"description": "{name of p}", "for": {"p": ["wave"]}}, "unknown name 'wave'; allowed: heat"),
        ({"for": "wave"}, "for is 'wave'; allowed: a list of rows"),
        ({"for": {"problem": "wave"}}, "for is {'problem': 'wave'}; allowed: a list of rows"),
        ({"scales": ["smoek"]}, "x: unknown scale 'smoek'; allowed: laptop, smoke"),
        ({"not_at": ["smoek"]}, "x: unknown scale 'smoek'; allowed: laptop, smoke"),
    ],
)
def test_wrong_short_forms_are_rejected(tmp_path, changes, message):
    for name in ("smoke", "laptop"):
        (tmp_path / f"{name}.yaml").touch()
    with pytest.raises(ConfigurationError, match=message) as raised:
        written(tmp_path, expectation(**changes), selectors={"error": ERROR}, names={"heat": "heat"})
    assert "expectations.yaml: " in str(raised.value)


@pytest.mark.parametrize(("expected", "holds"), [(0.2, True), (0.1, False)])
def test_the_stage_writes_its_table_and_says_what_failed(summary, expected, holds):
    file = summary / "expectations.yaml"
    entries = [expectation(expected=expected), expectation(name="guess", kind="prediction", expected=0.0)]
    file.write_text(yaml.safe_dump({"expectations": entries}))
    text = io.StringIO()
    output = summary / "out" / "verification.csv"
    assert verify(file, "smoke", summary, output, Console(file=text, width=160)) is holds
    rows = pd.read_csv(output)
    assert list(rows["verdict"]) == ["held" if holds else "failed", "did not hold"]
    assert list(rows.columns)[:3] == ["expectation", "kind", "description"]
    assert ("1 of 2 expectations failed: x" in text.getvalue()) is not holds
    assert "did not hold" in text.getvalue()


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([expectation(), expectation()], "name 'x' appears twice"),
        ([expectation(comparison="within")], "tolerance of 'x' is None"),
        ([expectation(tolerance=0.1)], "tolerance of 'x' is 0.1"),
        ([expectation(kind="hope")], "'required' or 'prediction'"),
        ([expectation(margin=2)], "margin"),
        ([], "at least 1"),
    ],
)
def test_wrong_expectations_are_rejected(tmp_path, entries, message):
    file = tmp_path / "expectations.yaml"
    file.write_text(yaml.safe_dump({"expectations": entries}))
    with pytest.raises(ConfigurationError, match=message):
        load_expectations(file)


def test_an_unknown_column_or_a_missing_table_is_named(summary):
    wrong = expectation(measured={"table": "runs", "column": "l2", "aggregate": "median"})
    with pytest.raises(ConfigurationError, match="column 'l2' is not in the table runs; allowed: run, relative_l2"):
        compare([Expectation(**wrong)], "smoke", summary)
    (summary / "runs.csv").unlink()
    with pytest.raises(ConfigurationError, match=r"runs\.csv is missing; run the stage `summary`"):
        compare([Expectation(**expectation())], "smoke", summary)


def test_the_declared_expectations_are_right_and_every_scale_has_some():
    declared = load_expectations(EXPECTATIONS)
    for scale in ("smoke", "laptop", "laptop-best", "laptop-methods", "laptop-stretch", "paper"):
        assert any(entry.kind == "required" and entry.holds_at(scale) for entry in declared)
    assert not any(symbol in f"{entry.name}{entry.description}" for entry in declared for symbol in "{}")
    assert any(entry.kind == "prediction" for entry in declared)
