"""A figure or table shows from the parts of the summary that it declares what it shows from the whole summary."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from figure_items import ITEMS, drawn
from synthetic_results import EVERY_PROBLEM, write_parts, write_summary

from gradalign.base.errors import ConfigurationError
from gradalign.pipeline.summary_tables import DERIVED, TABLES


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A scale whose runs are the parts of its summary."""
    folder = tmp_path_factory.mktemp("results")
    write_parts(write_summary(folder / "summary", EVERY_PROBLEM), folder / "evaluation")
    return folder


def declared(name, results, only):
    """The folders that an item reads; of the whole summary, only the tables of the kinds that it declares."""
    kinds = {read for read in ITEMS[name]["reads"] if "/" not in read}
    problems = {read.removeprefix("runs/") for read in ITEMS[name]["reads"] if read.startswith("runs/")}
    folders = [folder for folder in sorted((results / "evaluation").iterdir()) if folder.name.split("-")[0] in problems]
    if kinds:
        only.mkdir()
        tables = [table for kind in kinds for table in TABLES[kind] + (DERIVED if kind == "runs" else ())]
        folders += [Path(shutil.copy(results / "summary" / f"{table}.csv", only)).parent for table in tables][:1]
    return tuple(folders)


def shown(result):
    """What a table says; the titles, labels and lines of a figure."""
    if isinstance(result, pd.DataFrame):
        return result.to_csv()
    texts = [text.get_text() for text in result.findobj(lambda artist: hasattr(artist, "get_text"))]
    lines = [np.asarray(line.get_xydata()).tobytes() for axis in result.axes for line in axis.lines]
    return [*sorted(texts), *lines]


ONE_OF_EACH_SCRIPT = {
    item["script"]: name for name, item in ITEMS.items() if not item["reads"][0].startswith("claims/")
}


@pytest.mark.parametrize("name", ONE_OF_EACH_SCRIPT.values())
def test_an_item_shows_the_same_from_what_it_declares(name, results, tmp_path):
    assert shown(drawn(name, declared(name, results, tmp_path / "only"))) == shown(drawn(name, results / "summary"))


def test_a_table_that_an_item_does_not_declare_is_an_error(results):
    part = results / "evaluation" / "wave-adam"
    with pytest.raises(ConfigurationError, match=r"wave-adam/references\.csv is missing; run the stage"):
        drawn("tab_references", (part,))


def test_without_any_part_a_figure_says_that_there_is_nothing():
    assert drawn("fig_wave_error", ()).texts
    assert drawn("fig_kronecker", ()).texts
    assert drawn("tab_runs", ()).empty
