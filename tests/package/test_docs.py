"""README and docs: blocks run and print what they say, commands and links exist, tables are generated."""

import contextlib
import io
import re
import runpy
from pathlib import Path

import pandas as pd
import pytest
import typer.main
import yaml
from synthetic_results import SHAPES, curves, write_summary

from figures import pages
from gradalign.base.errors import ConfigurationError
from gradalign.claims._records import Curve
from gradalign.pipeline.cli import application
from gradalign.pipeline.configuration import load
from gradalign.pipeline.summary import REFERENCE_COLUMNS
from gradalign.training.loop import build

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
}
PYTHON = re.compile(r"```python\n(.*?)```(?:\n\nprints\n\n```text\n(.*?)```)?", re.DOTALL)
BLOCKS = [(name, *found) for name, text in PAGES.items() for found in PYTHON.findall(text)]


def commands(program):
    """Commands of a program in indented blocks, as lists of words, with lines that go on joined."""
    for name, text in PAGES.items():
        for line in re.findall(rf"^    ({program} .*)$", text.replace("\\\n", ""), re.MULTILINE):
            yield name, line.split("#")[0].split()


def test_the_front_page_is_read_in_two_minutes():
    assert len(PAGES["README.md"].splitlines()) <= 150
    assert len(PAGES["README.md"].encode()) <= 12_000


@pytest.mark.slow
@pytest.mark.parametrize(("name", "block", "printed"), BLOCKS, ids=[f"{b[0]}-{i}" for i, b in enumerate(BLOCKS)])
def test_blocks_run_and_print_what_they_say(name, block, printed, tmp_path):
    (tmp_path / "block.py").write_text(block, encoding="utf-8")
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        runpy.run_path(str(tmp_path / "block.py"))
    assert output.getvalue() == (printed or output.getvalue())
    assert printed or "print(" not in block or name != "README.md"


def test_the_front_page_gives_verdicts_and_errors_as_they_are():
    table = PAGES["README.md"].split("## Five verdicts")[1].split("[All verdicts")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.strip().splitlines()[2:]]
    known = yaml.safe_load((ROOT / "figures" / "verdicts.yaml").read_text(encoding="utf-8"))
    assert len(rows) == 5
    assert all(row in [[entry["claim"], entry["stated in"], entry["verdict"]] for entry in known] for row in rows)
    errors = pd.read_csv(ROOT / "published/smallest-errors/headline.csv", dtype=str).set_index(["problem", "method"])
    for method in ("Gauss-Newton", "SOAP"):
        found = errors.loc[("Burgers' equation", method)]
        for value in (found["median"], found["smallest"], found["largest"]):
            assert (
                value
                in PAGES["README.md"].split("**Curvature information lowers the error.**")[1].split("## Install")[0]
            )


def test_the_diagnosis_is_short():
    (block,) = [block for _, block, _ in BLOCKS if "irreducible_conflict" in block]
    assert len(block[block.index("\nsets = ") :].strip().splitlines()) < 20  # it is what follows the losses


def test_settings_are_accepted(tmp_path):
    blocks = re.findall(r"```yaml\n(.*?)```", "\n".join(PAGES.values()), re.DOTALL)
    found = {}
    for number, block in enumerate(blocks):
        (tmp_path / f"{number}.yaml").write_text(block, encoding="utf-8")
        configuration = load([ROOT / "workflow/config/smoke.yaml", tmp_path / f"{number}.yaml"])
        found |= {name: configuration.run(name) for name in configuration.run_names}
    assert found["burgers-soap-slow"].method_settings["learning_rate"] == 1e-3
    experiment = build(found["korteweg_de_vries-gauss_newton"])
    assert experiment.windows == 20
    assert experiment.problem.hard_start is not None


def test_commands_and_their_options_exist():
    known = typer.main.get_command(application).commands
    shown = set()
    for page, (_, name, *words) in commands("gradalign"):
        options = {option for parameter in known[name].params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options, (page, name)
        shown.add(name)
    assert shown == known.keys()


def test_targets_of_make_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for page, (_, target, *_) in commands("make"):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), (page, target)


def test_links_lead_somewhere():
    for name, text in PAGES.items():
        for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
            if "://" not in link:
                assert (ROOT / name).parent.joinpath(link).exists(), (name, link)


def test_every_page_is_reached_from_the_first():
    reached, waiting = set(), ["README.md"]
    while waiting:
        name = waiting.pop()
        if name in PAGES and name not in reached:
            reached.add(name)
            links = [link for link in re.findall(r"\]\(([^)#]+\.md)[^)]*\)", PAGES[name]) if "://" not in link]
            waiting += [(ROOT / name).parent.joinpath(link).resolve().relative_to(ROOT).as_posix() for link in links]
    assert reached == PAGES.keys()


def test_every_column_and_quantity_is_described():
    page = PAGES["docs/reference/summary-tables.md"]
    columns = {
        *REFERENCE_COLUMNS,
        *Curve("T1", "", "", [0.0], [0.0]).rows()[0],
        *curves(SHAPES["two methods, two terms"]).columns,
    }
    quantities = {re.sub("/.*", "", quantity) for quantity in curves(SHAPES["two methods, two terms"])["quantity"]}
    for name in columns | quantities:
        assert f"`{name}" in page, name


def test_citation_file_names_the_authors_and_the_licence():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["authors"] == [{"name": "gradalign developers"}]
    assert citation["license"] == "Apache-2.0"


def without_tables(text):
    for name in pages.TABLES:
        begin, end = pages.markers(name)
        if begin in text:
            before, rest = text.split(begin)
            text = before + rest.split(end)[1]
    return text


SHOWN = {
    "docs/understand/verdicts.md": r"^\| Two loss terms score the cosine .* \| 1 proven, 1 counterexample, ",
    "docs/results/laptop.md": r"relative L2 error 4\.1e-4 \(3\.4e-4 to 4\.7e-4\), 3 seeds",
    "docs/results/equal-cost.md": r"^\| Burgers' equation +\| [0-9.]+ +\| (Adam|SOAP)",
}


@pytest.mark.parametrize("name", SHOWN)
def test_tables_are_replaced_and_only_they(name, tmp_path):
    write_summary(tmp_path / "smoke" / "summary", SHAPES["three methods, three terms"])
    page, texts = tmp_path / "page.md", []
    page.write_text(PAGES[name], encoding="utf-8")
    for _ in range(2):
        assert pages.main(tmp_path / "smoke", [page]) == 0
        texts.append(page.read_text(encoding="utf-8"))
    assert texts[0] == texts[1]
    assert without_tables(texts[0]) == without_tables(PAGES[name])
    assert re.search(SHOWN[name], texts[0], re.MULTILINE)


@pytest.mark.parametrize("name", SHOWN | {"docs/results/accurate.md": ""})
def test_shipped_tables_are_those_that_are_shown(name, tmp_path):
    (tmp_path / "page.md").write_text(PAGES[name], encoding="utf-8")
    assert pages.main(ROOT / "published" / pages.PAGES[name], [tmp_path / "page.md"]) == 0
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == PAGES[name]


def test_every_page_with_a_table_is_made_from_shipped_tables():
    markers = [pages.markers(name)[0] for name in pages.TABLES]
    assert {name for name, text in PAGES.items() if any(marker in text for marker in markers)} == set(pages.PAGES)


NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?e-?\d+(?!\w)|(?<![\w./])\d+\.\d+(?![\w.])")
NO_RESULTS = {
    "3.11": "a version of Python",
    "2.0": "of the licence",
    "1e-6": "a limit that a start should stay below",
    "1e4": "a Rayleigh number; parameters of a network",
    "1e-2": "a viscosity",
}


def test_no_number_is_typed_by_hand():
    tables = [*ROOT.glob("published/**/*.csv"), *ROOT.glob("benchmarks/results/*.csv")]
    known = {number for path in tables for number in NUMBER.findall(path.read_text(encoding="utf-8"))} | set(NO_RESULTS)
    for name, text in PAGES.items():
        prose = re.sub(
            r"<!-- (\w+): begin -->.*?<!-- \1: end -->|```.*?```|^    .*?$|`[^`]*`|\]\([^)]*\)",
            "",
            text,
            flags=re.S | re.M,
        )
        prose = re.sub(r"arXiv:? ?\d+\.\d+", "", prose)
        assert [number for number in NUMBER.findall(prose) if number not in known] == [], name


def test_the_factors_in_the_text_are_those_of_the_table():
    table = pd.read_csv(ROOT / "published/smallest-errors/headline.csv")
    least = table.assign(family=["ours" if "Gauss-Newton" in method else method[:4] for method in table["method"]])
    least = least.groupby(["problem", "family"], sort=False)["median"].min().unstack()
    factors = least["SOAP"] / least["ours"]
    assert (factors > 1).all()  # on each problem a Gauss-Newton method is best
    assert (least["Adam"] > least["ours"]).all()
    line = table["problem"].unique()[:5]
    assert line[-1] == "Kuramoto-Sivashinsky, t ≤ 1"
    assert f"{factors[line].min():.0e} {factors[line].max():.0e}" == "6e+02 3e+04"
    assert "is 600 to 30,000 times as accurate as SOAP" in PAGES["docs/results/accurate.md"]


def test_the_figure_of_the_front_page_shows_the_shipped_errors():
    axis = pages.headline_figure(ROOT / "published" / "smallest-errors").axes[0]
    table = pd.read_csv(ROOT / "published/smallest-errors/headline.csv")
    marks = [line.get_xdata()[0] for line in axis.lines if line.get_linestyle() == "None"]
    shown = table[~table["method"].str.contains("width 96")]
    assert sorted(marks) == sorted([*shown["median"], *table["published_soap"].dropna()])
    assert (ROOT / "published/smallest-errors/fig_headline.png").stat().st_size > 10_000


def test_tables_have_as_many_cells_in_every_row():
    text = "\n".join(PAGES.values())
    for name in pages.TABLES:
        begin, end = pages.markers(name)
        rows = [row.replace(r"\|", "") for row in text.split(begin)[1].split(end)[0].splitlines() if row[:1] == "|"]
        assert len({row.count("|") for row in rows}) == 1, name


def test_a_page_that_cannot_be_written_is_left_alone(tmp_path, capsys):
    page = tmp_path / "page.md"
    broken = PAGES["docs/results/laptop.md"].replace(pages.markers("results")[1], "")
    write_summary(tmp_path / "smoke" / "summary", SHAPES["two methods, two terms"])
    with pytest.raises(ConfigurationError, match="needs the markers <!-- results: begin -->"):
        pages.replace_block(broken, "results", "block", page)
    for text, results in ((broken, "smoke"), ("no table", "smoke"), (PAGES["docs/results/accurate.md"], "nowhere")):
        page.write_text(text, encoding="utf-8")
        assert pages.main(tmp_path / results, [page]) == 1
        assert "ConfigurationError" in capsys.readouterr().err
        assert page.read_text(encoding="utf-8") == text
