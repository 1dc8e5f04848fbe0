"""The last screen of the pipeline: what held, what did not, and where everything is, from a folder of results alone."""

import math

import pandas as pd
import pytest

from gradalign.pipeline.verification import Outcome
from snakemake_logger_plugin_gradalign.last_screen import last_screen


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = (tmp_path / "results/smoke").relative_to(tmp_path)
    for name in ("figures/a.pdf", "figures/a.png", "figures/b.pdf", "tables/a.csv", "paper/paper.pdf", "report.html"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    return folder


def write_verdicts(results, *outcomes):
    pd.DataFrame(outcomes).to_csv(results / "verification.csv", index=False)


def outcome(name, kind, verdict, measured=0.25, tolerance=math.nan):
    return Outcome(name, kind, "in words", measured, "within" if tolerance > 0 else "at most", 0.5, tolerance, verdict)


def test_all_held(results):
    write_verdicts(results, outcome("a", "required", "held"), outcome("b", "prediction", "held"))
    assert last_screen(results, 100).splitlines() == [
        "1 of 1 required expectations held.",
        "1 of 1 predictions written down before the runs held.",
        "",
        "results/smoke/paper/paper.pdf   open first: the paper with these numbers",
        "results/smoke/report.html       every figure and table, and how each was made",
        "results/smoke/figures           2 figures (PDF, PNG)",
        "results/smoke/tables            1 table (CSV, Markdown, LaTeX)",
        "results/smoke/verification.csv  every expectation with what was measured",
    ]


def test_what_did_not_hold_is_named_with_its_numbers(results):
    write_verdicts(
        results,
        outcome("kept", "required", "held"),
        outcome("broken", "required", "failed", measured=0.75, tolerance=0.125),
        outcome("unmeasured", "required", "no data", measured=math.nan),
        outcome("hoped", "prediction", "did not hold", measured=math.inf),
    )
    assert last_screen(results, 100).split("\n\n")[0].splitlines() == [
        "1 of 3 required expectations held; did not:",
        "  broken: 0.75, expected within 0.5 +- 0.125",
        "  unmeasured: no data",
        "0 of 1 predictions written down before the runs held; did not:",
        "  hoped: inf, expected at most 0.5",
    ]


@pytest.mark.parametrize("columns", [20, 40, 57, 80, 200])
def test_no_line_is_too_long_but_for_a_path_or_a_name(results, columns):
    write_verdicts(
        results,
        *(outcome(f"a_name_{'of_some_length_' * i}", "required", "failed") for i in range(4)),
        outcome("hoped", "prediction", "did not hold"),
    )
    lines = last_screen(results, columns).splitlines()
    assert all(len(line) <= columns or len(line.split()) == 1 for line in lines)
    assert "open first:" in " ".join(lines)


def test_what_is_not_there_is_not_named(results, tmp_path):
    assert "required" not in last_screen(results, 80)
    assert "verification.csv" not in last_screen(results, 80)
    assert last_screen(tmp_path / "nowhere", 80) == ""
    (results / "paper/paper.pdf").unlink()
    assert "open first" not in last_screen(results, 80)


@pytest.mark.parametrize(
    "poison", [b"", b"\xff\xfe\x00", b"a,b\n1,2\n", b"expectation,kind,verdict\na,required,failed\n"]
)
def test_a_damaged_table_of_verdicts_is_said_to_be_one(results, poison):
    (results / "verification.csv").write_bytes(poison)
    first = last_screen(results, 80).splitlines()[0]
    assert first.startswith("results/smoke/verification.csv ")
    assert "cannot be read" in first or "holds no expectation" in first
    assert "open first" in last_screen(results, 80)
