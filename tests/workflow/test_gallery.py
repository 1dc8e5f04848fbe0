"""The report in a real browser: every figure and table is in its gallery and under its results, and loads.

The report is one of made-up results, built by the rules of the workflow; what it shows is read from the running page.
"""

import csv
import io
import os
import struct
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from browser import PROGRAMS, Browser, installed
from figure_items import drawn
from synthetic_results import SHAPES, write_summary

from figures import manifest
from figures.drawing.rendering import render_item
from workflow.scripts.check_outputs import defect

ROOT = Path(__file__).resolve().parents[2]
ITEMS = list(manifest.items().values())
CATEGORIES = sorted({item["category"] for item in ITEMS})
SNAKEFILE = """
report: "workflow/report/workflow.rst"
include: "workflow/rules/common.smk"
def item_tables(wildcards):
    return f"{results}/summary/runs.csv"
include: "workflow/rules/figures.smk"
"""

WAIT = """
const until = async (condition, what) => {
  for (let i = 0; i < patience; i++) {
    if (condition()) return;
    await new Promise(wake => setTimeout(wake, 25));
  }
  throw new Error('waited in vain for ' + what);
};
const loaded = image => image.complete && image.naturalWidth > 0;
const size = image => [image.naturalWidth, image.naturalHeight];
"""
GALLERY = """
  const found = {};
  for (const part of document.querySelectorAll('#gallery details')) {
    const places = [...part.querySelectorAll('[data-result]')];
    if (places.some(place => place.src || place.rows?.length)) throw new Error(part.dataset.category + ' came early');
    part.querySelector('summary').click();
    for (const place of places) {
      const isImage = place.tagName === 'IMG';
      await until(() => isImage ? loaded(place) : place.rows.length > 0, place.dataset.result);
      const box = place.getBoundingClientRect();
      found[place.dataset.result] = {
        category: part.querySelector('summary').textContent,
        content: isImage ? size(place) : [...place.rows].map(row => [...row.cells].map(cell => cell.textContent)),
        shown: box.width > 100 && box.height > 10,
        caption: place.closest('figure').querySelector('figcaption').textContent,
      };
    }
  }
  return found;
"""
RESULTS = """
  const found = {};
  const click = text => {
    const entry = [...document.querySelectorAll('#app nav li a')].find(link => link.textContent === text);
    if (!entry) throw new Error('no entry ' + text);
    entry.click();
  };
  for (const category of Object.keys(categories)) {
    app.setView({navbarMode: 'menu'});
    await until(() => !document.querySelector('#app nav tbody'), 'the menu');
    click(category);
    await until(() => document.querySelector('#app nav tbody tr'), category);
    for (const row of [...document.querySelectorAll('#app nav tbody tr')]) {
      const path = row.cells[0].textContent, eye = row.querySelector('a');
      let content;
      if (path.endsWith('.png')) {
        eye.click();
        await until(() => app.state.resultPath === path, path);
        const image = document.querySelector('#app > div > div img, #app .p-3 > img');
        await until(() => image.src === results[path].data_uri && loaded(image), path);
        content = size(image);
      } else {
        content = await (await fetch(eye.href)).text();
      }
      found[path] = {category, content};
    }
  }
  return found;
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with all items of made-up results at the scale ``smoke``, and the report of them."""
    if installed() is None:
        pytest.skip(
            f"none of the programs {', '.join(PROGRAMS)} is installed (Debian and Ubuntu: apt install chromium)"
        )
    folder = tmp_path_factory.mktemp("gallery")
    for name in ("src", "figures", "paper", "workflow"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "Snakefile").write_text(SNAKEFILE)
    results = folder / "results" / "smoke"
    summary = write_summary(results / "summary", SHAPES["two methods, two terms"])
    claims = pd.read_csv(summary / "claims.csv")
    claims.loc[0, "statement"] = 'with "quotes", a comma,\nand a second line'
    claims.to_csv(summary / "claims.csv", index=False)
    _render(summary, results)
    _snakemake(folder, "figures", "tables", "--touch")
    _snakemake(folder, "figures", "tables", "--nolock", "--report", "report.html")
    return folder


def _render(summary, results):
    """All items, the figures small; their looks are the matter of other tests."""
    for item in ITEMS:
        if item["kind"] == "table":
            render_item(item, summary, results / "tables")
            continue
        figure = drawn(item["name"], summary)
        (results / "figures").mkdir(exist_ok=True)
        for suffix in (".png", ".pdf"):
            (results / "figures" / f"{item['name']}{suffix}").touch()
        figure.savefig(results / "figures" / f"{item['name']}.png", dpi=50)


def _snakemake(folder, *arguments):
    command = [sys.executable, "-m", "snakemake", *arguments, "--cores", "1", "--config", "scale=smoke"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.fixture(scope="module")
def page(folder, tmp_path_factory):
    with Browser(installed(), tmp_path_factory.mktemp("profile")) as page:
        page.open(folder / "report.html")
        yield page


def run(page, script, patience=400):
    """Run a script in the page, which waits up to ``patience`` times 25 ms for each thing."""
    return page.run(f"(async () => {{ const patience = {patience}; {WAIT} {script} }})()")


def path_of(item):
    suffix = {"figure": ".png", "table": ".csv"}[item["kind"]]
    return f"results/smoke/{item['kind']}s/{item['name']}{suffix}"


def picture_size(path):
    return list(struct.unpack(">II", path.read_bytes()[16:24]))


def words(text):
    return " ".join(text.split())


def test_the_report_is_one_file_that_loads_nothing_else(folder):
    assert defect(folder / "report.html") is None


def test_the_gallery_shows_every_figure_and_table_with_its_caption(folder, page):
    page.open(folder / "report.html")
    found = run(page, GALLERY)
    assert sorted(found) == sorted(map(path_of, ITEMS))
    for item in ITEMS:
        path = path_of(item)
        assert found[path]["shown"], path
        assert found[path]["category"] == item["category"]
        # All of it, with its bars, stars and underscores, and no complaint about them
        assert words(found[path]["caption"]) == f"{Path(path).name} {words(item['caption'])}"
        if item["kind"] == "figure":
            assert found[path]["content"] == picture_size(folder / path), path
        else:
            text = (folder / path).read_text(encoding="utf-8")
            assert found[path]["content"] == list(csv.reader(io.StringIO(text))), path


def test_every_figure_and_table_stands_under_the_results_and_opens(folder, page):
    page.open(folder / "report.html")
    assert page.run("Object.keys(categories).sort()") == CATEGORIES
    found = run(page, RESULTS)
    assert sorted(found) == sorted(map(path_of, ITEMS))
    for item in ITEMS:
        path = path_of(item)
        assert found[path]["category"] == item["category"]
        if item["kind"] == "figure":
            assert found[path]["content"] == picture_size(folder / path), path
        else:
            assert found[path]["content"] == (folder / path).read_text(encoding="utf-8"), path


def test_a_missing_picture_is_noticed(folder, page):
    page.open(folder / "report.html")
    broken = next(path_of(item) for item in ITEMS if item["kind"] == "figure")
    page.run(f"results['{broken}'].data_uri = 'data:image/png;base64,AAAA'; undefined")
    with pytest.raises(RuntimeError, match=f"waited in vain for {broken}"):
        run(page, GALLERY, patience=40)
