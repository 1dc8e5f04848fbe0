"""The paper: typeset from made-up results, the same bytes twice, every figure and table in it, no number by hand."""

import dataclasses
import importlib.util
import json
import re
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest
from figure_items import ITEMS
from synthetic_results import SHAPES, write_summary

from figures.drawing import rendering
from gradalign.base.errors import ConfigurationError
from gradalign.claims._records import claim_number

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
MAIN = (ROOT / "paper" / "main.typ").read_text(encoding="utf-8")
PROOFS = {path.stem: path.read_text(encoding="utf-8") for path in sorted((ROOT / "paper" / "proofs").glob("*.typ"))}
EXPECTATIONS = ROOT / "workflow" / "config" / "expectations.yaml"


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
            "method_settings": {"learning_rate": 1e-3} if method != "gauss_newton" else {},
            "training": {"steps": 200, "own_state": True, "causal": None, "weighting": {"scheme": "constant"}},
        }
        (specifications / f"burgers-{method}.json").write_text(json.dumps(settings), encoding="utf-8")
    for name, item in ITEMS.items():
        render(name, folder / "summary", folder / f"{item['kind']}s")
    return folder


@pytest.fixture(scope="module")
def render(paper, tmp_path_factory):
    """Renders an item; claims and problems without runs, which are the same in every shape, once for all shapes."""
    store = tmp_path_factory.mktemp("common")

    def render(name, summary, output):
        item = ITEMS[name]
        if item["category"] != "Claims" and item.get("arguments", {}).get("problem", "burgers") == "burgers":
            rendering.render_item(item, summary, output)
            return
        if not list(store.glob(f"{name}.*")):
            rendering.render_item(item, summary, store)
        output.mkdir(exist_ok=True)
        for path in store.glob(f"{name}.*"):
            shutil.copy(path, output)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rendering, "UNDATED", {".pdf": rendering.UNDATED[".pdf"]})  # the paper takes no PNG
        yield render


@pytest.fixture(scope="module", params=["three methods, three terms", "one unknown method, one seed"])
def results(request, render, tmp_path_factory):
    return write_results(tmp_path_factory.mktemp("results") / "smoke", SHAPES[request.param], render)


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


def test_the_paper_from_shipped_tables_is_the_same(results, paper, tmp_path):
    published = tmp_path / "published" / results.name
    for part in ("summary", "specifications"):
        shutil.copytree(results / part, published / part)
    paper.build(results, tmp_path / "one.pdf", EXPECTATIONS)
    paper.build_from_published(published, tmp_path / "two.pdf", EXPECTATIONS)
    assert (tmp_path / "one.pdf").read_bytes() == (tmp_path / "two.pdf").read_bytes()
    with pytest.raises(ConfigurationError, match="nowhere: no summary tables there"):
        paper.build_from_published(tmp_path / "nowhere", tmp_path / "paper.pdf", EXPECTATIONS)


def test_every_item_of_the_manifest_is_in_the_text():
    assert sorted(re.findall(r'#item\("(\w+)"', MAIN)) == sorted(ITEMS)


def test_every_source_is_cited():
    sources = re.findall(r"@\w+\{(\w+),", (ROOT / "paper" / "references.bib").read_text(encoding="utf-8"))
    text = MAIN + "".join(PROOFS.values())
    for source in sources:
        assert f"@{source}" in text or f"<{source}>" in text, source


def test_no_measured_number_is_typed_by_hand():
    prose = re.sub(r"//.*|\$[^$]*\$|#\w[^\n]*|\"[^\"]*\"", "", MAIN[MAIN.index("= What is checked") :])
    assert not re.findall(r"\b\d+\.\d+(?!fr)\b|\d+e-\d+|10\^", prose)  # 1.2fr is a width


def test_every_claim_is_in_the_appendix_and_all_but_empirical_ones_have_a_proof():
    included = re.findall(r'#include "proofs/(\w+)\.typ"', MAIN)
    assert sorted(included) == sorted(PROOFS)
    blocks = re.split(r"^#claim\(", "".join(PROOFS[name] for name in included), flags=re.MULTILINE)[1:]
    numbers = [claim_number(block.strip('"')) for block in blocks]
    assert set(numbers) == {*(f"T{number}" for number in range(1, 39)), "T26b", "T27b"}
    assert {number for number in numbers if numbers.count(number) > 1} <= {"T33"}  # measurements and two lemmas
    unproven = {number for number, block in zip(numbers, blocks, strict=True) if "#proof[" not in block}
    assert unproven <= {"T33", "T37"}


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
    for problem in values["settings"]["problems"]:
        assert ["training: weighting scheme", *["constant"] * len(problem["runs"])] in problem["rows"]
    [burgers] = values["problems"]
    assert burgers["equation"] == "∂u/∂t + u ∂u/∂x = ν ∂²u/∂x²"
    assert burgers["hard"].startswith("The front is steepest")


def test_variations_are_listed_by_what_differs_from_the_run_they_vary(paper, tmp_path):
    folder = tmp_path / "specifications" / "runs"
    folder.mkdir(parents=True)

    def write(name, changed="", **parts):
        given = {"problem": "burgers", "method": "soap", "changed": changed, "points": {"pde": 8}}
        text = json.dumps(given | {"method_settings": {"b1": 0.99}, "training": {"steps": 4}} | parts)
        (folder / f"{name}.json").write_text(text, encoding="utf-8")

    write("plain")
    write("varied", "b1 = 0", method_settings={"b1": 0.0}, problem_settings={"viscosity": 0.1})
    write("alone", "fixed points", method="adam")  # there is no run that it varies
    found = paper._settings(tmp_path, ["plain", "varied", "alone"])
    [burgers] = found["problems"]
    assert burgers["runs"] == ["plain", "alone"]
    assert ["method settings: b1", "0.99", "0.99"] in burgers["rows"]
    changes = "problem settings: viscosity 0.1; method settings: b1 0.0"
    assert found["changes"] == [["varied", "plain", "b1 = 0", changes]]


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
