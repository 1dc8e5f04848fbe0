"""``gradalign show``: the settings of a run as YAML with the place of each, and the list of runs."""

import re
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from gradalign.pipeline.cli import application
from gradalign.pipeline.configuration import load
from gradalign.pipeline.show import run_list, run_settings

CONFIGURATIONS = Path(__file__).parents[2] / "workflow" / "config"
LAPTOP = CONFIGURATIONS / "laptop.yaml"
MINE = """
problems: {burgers: {runs: {soap: {method_settings: {b2: 0.95}}}}}
runs:
  - {problem: burgers, methods: [adam, soap], seeds: [5]}
  - {name: fixed, of: burgers-soap, changed: fixed points, training: {points_every: 6000}}
"""


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(MINE)
    return path


def call(*arguments):
    return CliRunner().invoke(application, ["show", *map(str, arguments)])


def sources(lines):
    """The comment of every line by the keys that lead to it."""
    found, above = {}, []
    for line in lines:
        indent, key, comment = re.fullmatch(r"( *)(\w+):.*?(?:# (.*))?", line).groups()
        above[len(indent) // 2 :] = [key]
        found[".".join(above)] = comment
    return found


@pytest.mark.parametrize("run", ["burgers-soap", "fixed"])
def test_it_is_yaml_of_all_settings_that_a_run_depends_on(mine, run):
    configuration = load([LAPTOP, mine])
    shown = yaml.safe_load("\n".join(run_settings(configuration, run)))
    given = configuration.run(run).model_dump(mode="json", exclude_none=True)
    assert {
        key: value for key, value in given.items() if key not in ("problem_settings", "method_settings")
    }.items() <= (shown | {"changed": shown.get("changed", "")}).items()
    for part in ("problem_settings", "method_settings"):
        assert given[part].items() <= shown[part].items()
    assert shown["method_settings"]["one_sided"] is False  # a default of the module
    assert shown["problem_settings"]["start"] == "penalised"
    assert shown["cores"] == 1


def test_every_value_names_the_file_and_what_its_key_stands_under(mine):
    found = sources(run_settings(load([LAPTOP, mine], {"device": "gpu"}), "fixed"))
    presets = LAPTOP.with_name("presets.yaml")
    assert found == found | {
        "name": f"{mine}: runs[1]",
        "changed": f"{mine}: runs[1]",
        "scale": str(LAPTOP),
        "device": "the command line",
        "points.ic": f"{LAPTOP}: problems.burgers",
        "network.width": f"{presets}: networks.mlp",
        "network.harmonics": "default",
        "method_settings.learning_rate": f"{LAPTOP}: methods.soap",
        "method_settings.b1": f"{presets}: methods.soap",
        "method_settings.b2": f"{mine}: problems.burgers.runs.soap",
        "training.steps": f"{LAPTOP}: problems.burgers",
        "training.points_every": f"{mine}: runs[1]",
        "training.causal.chunks": f"{presets}: training.first_order",
        "training.sampling": "default",
        "seeds": f"{mine}: runs[0]",
        "cores": str(LAPTOP),
    }
    assert {key for key, comment in found.items() if comment is None} == {
        *("problem_settings", "points", "network", "method_settings"),
        *("training", "training.weighting", "training.causal"),
    }


def test_comments_stand_in_one_column(mine):
    columns = {line.index(" # ") for line in run_settings(load([LAPTOP, mine]), "fixed") if "#" in line}
    assert len(columns) == 1


def test_the_list_has_every_run_in_order_and_says_what_variations_change(mine, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    assert list(run_list(load([LAPTOP, mine]))) == [
        "burgers-adam  mlp 4x64, float32, 6000 steps, 1 seed",
        "burgers-soap  mlp 4x64, float32, 6000 steps, 1 seed",
        "fixed         of burgers-soap: fixed points",
    ]


def test_the_command_shows_a_run_or_all(mine):
    shown = call("fixed", "--config", LAPTOP, "--config", mine)
    assert shown.exit_code == 0, shown.output
    assert yaml.safe_load(shown.stdout)["training"]["points_every"] == 6000
    listed = call()
    assert "settings: the scale smoke, small and quick" in listed.stderr
    names = [line.split()[0] for line in listed.stdout.splitlines() if not line.startswith(" ")]
    assert names == load([CONFIGURATIONS / "smoke.yaml"]).run_names


def test_an_unknown_run_and_a_wrong_file_are_named(mine):
    unknown = call("fixt", "--config", LAPTOP, "--config", mine)
    assert unknown.exit_code == 1
    assert "unknown run 'fixt'; allowed: burgers-adam, burgers-soap, fixed" in unknown.output
    mine.write_text("device: tpu")
    wrong = call("--config", LAPTOP, "--config", mine)
    assert wrong.exit_code == 1
    assert "mine.yaml: device is 'tpu'; allowed: 'cpu' or 'gpu'" in wrong.output
