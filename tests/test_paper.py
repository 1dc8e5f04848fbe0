"""The paper: typeset from made-up results, the same bytes twice, every figure and table in it, no number by hand."""

import dataclasses
import importlib.util
import json
import re
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from synthetic_results import SHAPES, write_summary

from gradalign.errors import ConfigurationError

ROOT = Path(__file__).resolve().parents[1]
MAIN = (ROOT / "paper" / "main.typ").read_text(encoding="utf-8")
EXPECTATIONS = ROOT / "workflow" / "config" / "expectations.yaml"
ITEMS = {item["name"]: item for item in yaml.safe_load((ROOT / "figures/manifest.yaml").read_text(encoding="utf-8"))}


@pytest.fixture(scope="module")
def paper():
    specification = importlib.util.spec_from_file_location("paper_build", ROOT / "paper" / "build.py")
    module = importlib.util.module_from_spec(specification)
    before = list(sys.path)
    specification.loader.exec_module(module)
    yield module
    sys.path[:] = before


def write_results(folder, shape, render):
    """Results of the scale `smoke`: a summary, specifications, and every item rendered."""
    shape = dataclasses.replace(shape, rows=3)
    write_summary(folder / "summary", shape)
    specifications = folder / "specifications" / "runs"
    specifications.mkdir(parents=True)
    for method in shape.methods:
        settings = {
            "points": {"pde": 128},
            "network": {"width": 16},
            "method_settings": {"learning_rate": 1e-3} if method != "levenberg_marquardt" else {},
            "training": {"steps": 200, "own_state": True, "causal": None, "weighting": {"scheme": "constant"}},
        }
        (specifications / f"burgers-{method}.json").write_text(json.dumps(settings), encoding="utf-8")
    for name, item in ITEMS.items():
        render(name, folder / "summary", folder / f"{item['kind']}s")
    return folder


@pytest.fixture(scope="module", params=["three methods, three terms", "one unknown method, one seed"])
def results(request, paper, tmp_path_factory):
    from common import render_item

    return write_results(tmp_path_factory.mktemp("results") / "smoke", SHAPES[request.param], render_item)


def test_the_same_results_give_the_same_bytes(results, paper, tmp_path):
    for name in ("one.pdf", "two.pdf"):
        paper.build(results, tmp_path / name, EXPECTATIONS)
    content = (tmp_path / "one.pdf").read_bytes()
    assert content == (tmp_path / "two.pdf").read_bytes()
    assert content.startswith(b"%PDF-")
    assert len(content) > 50_000
    assert str(results.parent).encode() not in content  # no path of this machine


def test_a_violated_claim_and_a_missing_reference_are_said(results, paper, tmp_path):
    claims = pd.read_csv(results / "summary" / "claims.csv")
    changed = claims.assign(verdict=["violated" if claim == "T2a" else "confirmed" for claim in claims["claim"]])
    changed.to_csv(results / "summary" / "claims.csv", index=False)
    values = paper.values(results, EXPECTATIONS)
    claims.to_csv(results / "summary" / "claims.csv", index=False)
    assert values["claims"]["violated"] == ["T2a"]
    assert values["claims"]["by_number"]["T2"] is False
    assert values["claims"]["by_number"]["T1"] is True


def test_every_item_of_the_manifest_is_in_the_text():
    assert sorted(re.findall(r'#item\("(\w+)"', MAIN)) == sorted(ITEMS)


def test_every_source_is_cited():
    sources = re.findall(r"@\w+\{(\w+),", (ROOT / "paper" / "references.bib").read_text(encoding="utf-8"))
    for source in sources:
        assert f"@{source}" in MAIN or f"<{source}>" in MAIN, source


def test_no_measured_number_is_typed_by_hand():
    prose = re.sub(r"//.*|\$[^$]*\$|#\w[^\n]*|\"[^\"]*\"", "", MAIN[MAIN.index("= What is checked") :])
    assert not re.findall(r"\b\d+\.\d+(?!fr)\b|\d+e-\d+|10\^", prose)  # 1.2fr is a width


def test_every_checked_claim_has_a_proof():
    numbers = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 14, 18, 28, 29, 30, 31, 32]
    assert re.findall(r'#claim\("T(\d+),', MAIN) == [str(number) for number in numbers]
    assert MAIN.count("#proof[") == len(numbers)


def test_values_are_those_of_the_tables(results, paper):
    values = paper.values(results, EXPECTATIONS)
    runs = pd.read_csv(results / "summary" / "runs.csv")
    curves = pd.read_csv(results / "summary" / "curves.csv")
    for run in values["runs"]["burgers"]:
        own = runs[runs["method"] == run["method"]]
        assert run["error"]["median"] == own["relative_l2"].median()
        late = curves[(curves["method"] == run["method"]) & (curves["step"] >= run["steps"] / 2)]
        expected = late.loc[late["quantity"] == "score_raw", "value"].mean()
        assert run["scores"]["raw"] == pytest.approx(expected, rel=1e-12)
    assert {row["verdict"] for row in values["verification"]} <= {"held", "did not hold", "failed", "no data"}
    assert ["training: weighting scheme", *["constant"] * len(values["settings"]["runs"])] in values["settings"]["rows"]


def test_missing_inputs_are_named(results, paper, tmp_path, capsys, monkeypatch):
    moved = tmp_path / "fig_claims.pdf"
    (results / "figures" / "fig_claims.pdf").rename(moved)
    with pytest.raises(ConfigurationError, match=r"fig_claims\.pdf is missing; .*gradalign render fig_claims"):
        paper.build(results, tmp_path / "paper.pdf", EXPECTATIONS)
    monkeypatch.setattr(sys, "argv", ["build.py", "--results", str(results), "--output", str(tmp_path / "paper.pdf")])
    assert paper.main() == 1
    assert "ConfigurationError" in capsys.readouterr().err
    assert not (tmp_path / "paper.pdf").exists()
    moved.rename(results / "figures" / "fig_claims.pdf")
