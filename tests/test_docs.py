"""README: its Python blocks run, its commands exist, its columns are those of the tables, its table is generated."""

import importlib
import re
import runpy
import sys
from pathlib import Path

import pytest
import yaml
from synthetic_results import SHAPES, curves, write_summary

from gradalign.cli import application
from gradalign.configuration import load
from gradalign.errors import ConfigurationError
from gradalign.records import Curve
from gradalign.summary import REFERENCE_COLUMNS
from gradalign.training import build

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.fixture(scope="module")
def readme_table():
    sys.path.insert(0, str(ROOT / "figures"))
    yield importlib.import_module("readme_table")
    sys.path.remove(str(ROOT / "figures"))


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_python_blocks_run(block, tmp_path):
    path = tmp_path / "block.py"
    path.write_text(block, encoding="utf-8")
    runpy.run_path(str(path))


def test_there_is_a_block_for_the_score_one_for_soap_and_a_diagnosis():
    assert len(BLOCKS) == 3
    assert "alignment_score" in BLOCKS[0]
    assert "soap(" in BLOCKS[1]
    assert "irreducible_conflict" in BLOCKS[2]
    assert len(BLOCKS[2][BLOCKS[2].index("\nsets = ") :].strip().splitlines()) < 20  # the diagnosis of what is above it


def test_the_configuration_of_accurate_solutions_is_one(tmp_path):
    (block,) = [text for text in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL) if "start: exact" in text]
    (tmp_path / "mine.yaml").write_text(block, encoding="utf-8")
    configuration = load([ROOT / "workflow/config/smoke.yaml", tmp_path / "mine.yaml"])
    experiment = build(configuration.run("korteweg_de_vries-gauss_newton"))
    assert experiment.windows == 20
    assert experiment.problem.exact_start is not None


def test_every_command_is_shown():
    names = {command.name or command.callback.__name__ for command in application.registered_commands}
    assert set(re.findall(r"^    gradalign (\w+)", README, re.MULTILINE)) == names


def test_every_column_and_quantity_is_described():
    columns = {
        *REFERENCE_COLUMNS,
        *Curve("T1", "", "", [0.0], [0.0]).rows()[0],
        *curves(SHAPES["two methods, two terms"]).columns,
    }
    quantities = {re.sub("/.*", "", quantity) for quantity in curves(SHAPES["two methods, two terms"])["quantity"]}
    for name in columns | quantities:
        assert f"`{name}" in README, name


def test_citation_file_names_the_authors_and_the_licence():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["authors"] == [{"name": "gradalign developers"}]
    assert citation["license"] == "Apache-2.0"


def without_tables(text, readme_table):
    for name in readme_table.TABLES:
        begin, end = readme_table.markers(name)
        before, rest = text.split(begin)
        text = before + rest.split(end)[1]
    return text


def test_tables_are_replaced_and_only_they(readme_table, tmp_path):
    results = tmp_path / "smoke"
    write_summary(results / "summary", SHAPES["three methods, three terms"])
    readme = tmp_path / "README.md"
    readme.write_text(README, encoding="utf-8")
    texts = []
    for _ in range(2):
        assert readme_table.main(results, readme) == 0
        texts.append(readme.read_text(encoding="utf-8"))
    assert texts[0] == texts[1]
    assert without_tables(texts[0], readme_table) == without_tables(README, readme_table)
    assert "| Burgers' equation, SOAP" in texts[0]
    assert "relative L2 error 4.1e-4 (3.4e-4 to 4.7e-4), 3 seeds" in texts[0]
    assert "54 of 54 records confirmed" in texts[0]
    assert re.search(r"^\| Burgers' equation +\| [0-9.]+ +\| (Adam|SOAP)", texts[0], re.MULTILINE)
    assert re.search(
        r"^\| Two loss terms score the cosine .* \| 1 proven, 1 counterexample, 1 observation ", texts[0], re.MULTILINE
    )


def test_only_the_named_tables_are_replaced(readme_table, tmp_path, capsys):
    results, readme = tmp_path / "smoke", tmp_path / "README.md"
    write_summary(results / "summary", SHAPES["three methods, three terms"])
    readme.write_text(README, encoding="utf-8")
    assert readme_table.main(results, readme, ["ranks"]) == 0
    begin, end = readme_table.markers("ranks")
    before, after = (text.split(begin)[0] + text.split(end)[1] for text in (README, readme.read_text(encoding="utf-8")))
    assert before == after
    assert readme.read_text(encoding="utf-8") != README
    assert readme_table.main(results, readme, ["rank"]) == 1
    assert "unknown table 'rank'; allowed: equal_time, ranks, results, scores, verdicts" in capsys.readouterr().err


def test_tables_have_as_many_cells_in_every_row(readme_table):
    for name in readme_table.TABLES:
        begin, end = readme_table.markers(name)
        rows = [row.replace(r"\|", "") for row in README.split(begin)[1].split(end)[0].splitlines() if row[:1] == "|"]
        assert len({row.count("|") for row in rows}) == 1, name


@pytest.mark.parametrize("name", ["verdicts", "results"])
def test_a_readme_without_markers_is_left_alone(name, readme_table, tmp_path, capsys):
    text = README.replace(readme_table.markers(name)[1], "")
    readme = tmp_path / "README.md"
    readme.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=f"needs the markers <!-- {name}: begin -->"):
        readme_table.replace_block(text, name, "block", readme)
    write_summary(tmp_path / "smoke" / "summary", SHAPES["two methods, two terms"])
    assert readme_table.main(tmp_path / "smoke", readme) == 1
    assert "ConfigurationError" in capsys.readouterr().err
    assert readme.read_text(encoding="utf-8") == text
