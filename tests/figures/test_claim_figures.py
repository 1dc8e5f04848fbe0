"""Figures of claims from the points that their topics give, and their notice where there are none.

Which figures these are is read from the scripts of the manifest, which topics they need from the sources of the topics.
"""

import importlib
import re
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
from figure_items import ITEMS, drawn, script_of
from made_up_runs import made_up_experiments

from figures.drawing import rendering
from figures.drawing.summary import read_claim_curves
from gradalign.base.discovery import module_names
from gradalign.base.files import write_table
from gradalign.claims._checks import checked, checks_of
from gradalign.claims._records import claim_number

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = {name: (ROOT / item["script"]).read_text(encoding="utf-8") for name, item in ITEMS.items()}
CLAIM = re.compile(r"[\"'](T[0-9]+[^\"' ]*)[\"']")


def claims_in(source):
    """Numbers of the claims that are named in strings."""
    return {claim_number(name) for name in CLAIM.findall(source)}


NEEDED = {name: claims_in(source) for name, source in SCRIPTS.items() if "read_claim_curves(" in source}
TOPICS = {
    topic: claims_in((ROOT / "src" / "gradalign" / "claims" / f"{topic}.py").read_text(encoding="utf-8"))
    for topic in module_names("claims")
}


TESTS = {topic: ROOT / "tests" / "claims" / f"test_{topic}.py" for topic in TOPICS}


def topics_of(figure):
    return [topic for topic in TOPICS if TOPICS[topic] & NEEDED[figure]]


def is_light(figure):
    """Whether the tests of its topics make all of their records: those of expensive topics do not."""
    return all(
        TESTS[topic].is_file() and "TopicContract" in TESTS[topic].read_text(encoding="utf-8")
        for topic in topics_of(figure)
    )


@pytest.fixture(scope="module", autouse=True)
def figures_alone():
    """The fonts of a PDF cost more than all else; all items have one in tests/paper/test_paper.py."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rendering, "UNDATED", {".png": rendering.UNDATED[".png"]})
        yield


@pytest.fixture(scope="module", autouse=True)
def runs_of_minutes():
    """Those of T33 are made up."""
    with pytest.MonkeyPatch.context() as patch:
        for name, made in made_up_experiments().items():
            patch.setattr(f"gradalign.claims.small_networks.{name}", made)
        yield


@cache
def points_of(topic):
    curves = importlib.import_module(f"gradalign.claims.{topic}").curves()
    return pd.DataFrame([row for curve in curves for row in curve.rows()])


@cache
def records_of(topic):
    module = importlib.import_module(f"gradalign.claims.{topic}")
    records = checked(checks_of(module)) if checks_of(module) else module.check()
    return pd.DataFrame([record.row() for record in records])


def test_every_topic_has_tests_of_its_own():
    assert [str(path) for path in TESTS.values() if not path.is_file()] == []


def test_there_are_such_figures():
    assert {"fig_score_geometry", "fig_null_distribution", "fig_kronecker", "fig_soap_regimes"} <= set(NEEDED)
    assert all(topics_of(figure) for figure in NEEDED)


@pytest.mark.parametrize("name", sorted(NEEDED))
def test_a_figure_declares_the_topics_whose_claims_it_names(name):
    assert ITEMS[name]["reads"] == [f"claims/{topic}" for topic in topics_of(name)]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(filter(is_light, NEEDED)))
def test_figure_of_its_topics(name, tmp_path):
    write_table(tmp_path / "claim_curves.csv", pd.concat([points_of(topic) for topic in topics_of(name)]))
    if '"claims"' in SCRIPTS[name]:  # some compare their points with records
        write_table(tmp_path / "claims.csv", pd.concat([records_of(topic) for topic in topics_of(name)]))
    asked, read = set(), read_claim_curves

    def recorded(summary, *claims):
        asked.update(claims)
        return read(summary, *claims)

    module = script_of(name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "read_claim_curves", recorded)
        result = module.render(tmp_path)
    assert set(read(tmp_path, *asked)["claim"]) == asked  # no claim is asked for that has no points
    if name.startswith("fig_"):
        assert result.axes  # a notice has none
    folders = [tmp_path / "one", tmp_path / "two"]
    for paths in zip(*(rendering.render_item(ITEMS[name], tmp_path, folder) for folder in folders), strict=True):
        assert paths[0].read_bytes() == paths[1].read_bytes(), paths[0].name


@pytest.mark.parametrize("name", sorted(NEEDED))
def test_notice_without_points(name, tmp_path):
    (tmp_path / "claim_curves.csv").write_text("\n")
    result = drawn(name, tmp_path)
    if name.startswith("fig_"):
        assert result.texts
        assert not result.axes
    assert all(path.is_file() for path in rendering.render_item(ITEMS[name], tmp_path, tmp_path / "output"))
