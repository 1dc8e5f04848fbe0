"""The list of figures and tables: templates make the items of several problems, and mistakes are refused."""

import pytest
import yaml

from figures import FIGURES, manifest
from figures.drawing.names import PROBLEMS
from gradalign.base.errors import ConfigurationError

ITEM = {"name": "fig_a", "reads": ["runs"], "category": "Runs", "caption": "A."}
TEMPLATE = {
    "for": {"problem": ["wave", "burgers"]},
    "reads": ["runs/{problem}"],
    "category": "{Problem in words}",
    "words": {"more": [{"of": ["wave"], "text": "of u"}], "rest": [{"of": ["wave"], "text": ""}, {"text": ", late"}]},
    "items": [
        {
            "name": "fig_{problem}_x",
            "arguments": {"problem": "{problem}", "times": 3},
            "caption": "Errors {more} here{rest}.",
        },
        {"name": "tab_{problem}_y", "for": {"problem": ["burgers"]}, "script": "tab_y.py", "caption": "Y."},
    ],
}


def read(folder, *entries):
    path = folder / "manifest.yaml"
    path.write_text(yaml.safe_dump({"items": list(entries)}, sort_keys=False), encoding="utf-8")
    manifest.items.cache_clear()
    return manifest.items(path)


def template(**changes):
    return TEMPLATE | changes


def test_a_template_makes_all_items_of_one_problem_after_the_other(tmp_path):
    found = list(read(tmp_path, ITEM, TEMPLATE).values())
    assert found[0] == ITEM | {"kind": "figure", "script": "figures/items/fig_a.py"}
    assert found[1:] == [
        {
            "name": "fig_wave_x",
            "kind": "figure",
            "script": "figures/items/fig_wave_x.py",
            "arguments": {"problem": "wave", "times": 3},
            "reads": ["runs/wave"],
            "category": "Wave equation",
            "caption": "Errors of u here.",
        },
        {
            "name": "fig_burgers_x",
            "kind": "figure",
            "script": "figures/items/fig_burgers_x.py",
            "arguments": {"problem": "burgers", "times": 3},
            "reads": ["runs/burgers"],
            "category": "Burgers' equation",
            "caption": "Errors here, late.",
        },
        {
            "name": "tab_burgers_y",
            "kind": "table",
            "script": "figures/items/tab_y.py",
            "reads": ["runs/burgers"],
            "category": "Burgers' equation",
            "caption": "Y.",
        },
    ]


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (
            [ITEM | {"captoin": "A."}],
            "fig_a: unknown key 'captoin'; allowed: name, reads, category, caption, script, arg",
        ),
        ([{key: ITEM[key] for key in ITEM if key != "caption"}], "fig_a: the key 'caption' is missing"),
        ([ITEM, ITEM], "the name 'fig_a' stands there twice"),
        ([ITEM | {"name": "plot_a"}], "the name 'plot_a' has no kind; allowed: fig_... for a figure, tab_... for"),
        ([template(fro=1)], "the template of fig_{problem}_x, tab_{problem}_y: unknown key 'fro'; allowed: for, words"),
        ([{"for": {"problem": ["wave"]}}], "the template of : the key 'items' is missing"),
        ([template(items=[ITEM | {"color": 1}])], "fig_a: unknown key 'color'"),
        ([template(items=[ITEM])], "the name 'fig_a' stands there twice"),
        ([template(), ITEM | {"name": "fig_wave_x"}], "the name 'fig_wave_x' stands there twice"),
        ([template(**{"for": {"method": ["soap"]}})], "'for' has method; allowed: problem"),
        ([template(words={})], "unknown word of a template 'more'; allowed: Problem in words, problem"),
        (
            [template(words={"more": [{"off": [], "text": "x"}]})],
            "the word 'more': unknown key 'off'; allowed: of, text",
        ),
        (
            [template(words={"more": [{"of": ["soap"], "text": "x"}]})],
            "the word 'more': 'soap' is no problem of the temp",
        ),
        (
            [template(items=[ITEM | {"for": {"problem": ["heat"]}}])],
            "fig_a: 'heat' is no problem of the template; allo",
        ),
    ],
)
def test_a_mistake_is_named_with_what_is_allowed(tmp_path, entries, message):
    with pytest.raises(ConfigurationError, match=rf"manifest\.yaml: .*{message}"):
        read(tmp_path, *entries)


def test_a_key_that_stands_twice_in_an_item_is_refused(tmp_path):
    (tmp_path / "manifest.yaml").write_text("items:\n- name: fig_a\n  name: fig_b\n")
    with pytest.raises(ConfigurationError, match="key 'name' appears twice"):
        manifest.items(tmp_path / "manifest.yaml")


def test_a_figure_of_an_unknown_name_is_refused():
    with pytest.raises(ConfigurationError, match=r"unknown figure or table 'fig_x'; allowed: .*fig_claims"):
        manifest.item("fig_x")


def test_the_templates_cover_every_problem():
    written = yaml.safe_load((FIGURES / "manifest.yaml").read_text(encoding="utf-8"))["items"]
    assert next(entry["for"]["problem"] for entry in written if "for" in entry) == list(PROBLEMS)
