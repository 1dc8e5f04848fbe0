"""The command line: it answers questions, refuses wrong input before any compute, and its stages fit together."""

import dataclasses
import importlib.metadata
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from experiments import line_reference, specification
from typer.testing import CliRunner

from gradalign.base.discovery import module_names
from gradalign.base.settings import StrictModel
from gradalign.pipeline.cli import application
from gradalign.pipeline.configuration import load
from gradalign.pipeline.reference_listing import horizon, listing
from gradalign.pipeline.result_comparison import RULES
from gradalign.pipeline.summary_tables import TABLES

COMMANDS = ["reference", "claim", "study", "train", "evaluate", "show"]
COMMANDS += ["summarise", "render", "verify", "compare", "cite"]


def call(*arguments):
    return CliRunner().invoke(application, [str(argument) for argument in arguments])


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command):
    found = call(command, "--help")
    assert found.exit_code == 0
    assert "Usage" in found.output


def test_the_version_is_said():
    assert call("--version").output == f"gradalign {importlib.metadata.version('gradalign')}\n"


def blocks(output):
    """The blocks of ``reference --list``: {problem: {label: text}}, with wrapped lines joined."""
    found = {}
    for block in output.strip().split("\n\n"):
        name, *lines = block.splitlines()
        found[name], label = {}, ""
        for line in lines:
            label = line[2:18].strip() or label
            found[name][label] = f"{found[name].get(label, '')} {line[18:].strip()}".strip()
    return found


def test_the_list_of_references_describes_every_problem(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = blocks(call("reference", "--list").output)
    assert list(found) == module_names("references")
    labels = ["equation", "domain", "conditions", "horizon", "parameters", "solver", "resolution", "stated error"]
    for name, block in found.items():
        assert list(block) == labels, name
        assert all(block.values()), name
        statement = importlib.import_module(f"gradalign.problems.{name}").STATEMENT
        for label in ("equation", "domain", "conditions"):
            assert block[label] == " ".join(getattr(statement, label).split()), name
        assert block["stated error"] == "not computed yet"
    burgers = found["burgers"]
    assert burgers["horizon"] == "1"
    assert burgers["parameters"] == "viscosity = 0.003183098862: ν; the front is about 4ν wide"
    assert burgers["solver"].startswith("Burgers' equation by the Cole-Hopf closed form, checked by refinement")
    assert burgers["resolution"].startswith("times = 201, points = 512, nodes = 1501, ")
    assert "initial_condition = required (kinked or band_limited): " in found["allen_cahn"]["parameters"]


def test_the_list_of_references_takes_settings_of_a_configuration_and_errors_of_results(tmp_path):
    root = Path(__file__).resolve().parents[2]
    configuration = load([root / "workflow/config/smoke.yaml"])
    results = tmp_path / "results"
    references = results / "smoke" / "references"
    dataclasses.replace(line_reference(), independent_difference=2.5e-7).save(references / "burgers.npz")
    (references / "allen_cahn.npz").write_bytes((references / "burgers.npz").read_bytes()[:-300])
    (results / "paper" / "references").mkdir(parents=True)
    found = blocks("\n\n".join(listing(configuration, results)))
    grid = configuration.problems["burgers"].reference
    assert found["burgers"]["resolution"].startswith(f"times = {grid['times']}, points = {grid['points']}, ")
    assert "initial_condition = band_limited: " in found["allen_cahn"]["parameters"]
    assert found["burgers"]["stated error"] == "paper not computed yet, smoke 2.5e-07"
    assert found["allen_cahn"]["stated error"] == "paper not computed yet, smoke damaged, to be computed again"


def test_the_list_of_references_takes_a_configuration_file_and_refuses_a_missing_one(tmp_path):
    found = call("reference", "--list", "--config", tmp_path / "missing.yaml")
    assert found.exit_code == 1
    assert "missing.yaml" in found.output


def test_the_list_of_references_fits_the_terminal(monkeypatch, tmp_path):
    monkeypatch.setenv("COLUMNS", "72")
    lines = "\n".join(listing(None, tmp_path)).splitlines()
    assert max(map(len, lines)) <= 72


def test_the_horizon_is_that_of_the_settings_and_steady_problems_have_none():
    class Settings(StrictModel):
        horizon: float = 2.0

    def posed(coordinates):
        problem = SimpleNamespace(Settings=Settings)
        problem.problem = lambda given: SimpleNamespace(
            coordinates=coordinates, domain=((0.0, given.horizon), (0.0, 1.0))
        )
        return problem

    assert horizon(posed(("t", "x")), {}) == "2"
    assert horizon(posed(("t", "x")), {"horizon": 0.25}) == "0.25"
    assert horizon(posed(("x", "y")), {}) == "none, steady"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["reference", "heat", "--output", "x.npz"], "unknown problem 'heat'; allowed: allen_cahn, burgers, "),
        (["reference", "--config", "a.yaml"], "gradalign reference PROBLEM"),
        (["claim", "--output", "x.csv"], "allowed: gradalign claim T13, or a name of --list"),
        (["claim", "T99"], "unknown claim 'T99'; allowed: T1, T10, "),
        (["study", "published_cavity"], "gradalign study NAME --output FILE"),
        (["train", "burgers-adam", "--specification", "run.json", "--output", "o"], "--reference with --specification"),
        (["reference", "burgers", "--config", "missing.yaml", "--output", "x.npz"], "missing.yaml"),
        (["claim", "astrology", "--output", "x.csv"], "unknown topic of claims 'astrology'; allowed:"),
        (["train", "burgers-adam"], "gradalign train RUN --reference FILE --output DIR"),
        (["summarise", "claims", "score", "--results", "nowhere"], "nowhere: no such directory; allowed: that of one"),
        (["summarise", "claims", "--results", "nowhere"], "nowhere: no such directory; allowed: that of one scale"),
        (
            ["summarise", "claims", "--results", "."],
            "no name is given, and the tables of claims would have no row; allowed: one name or more, or --empty",
        ),
        (["summarise", "claims", "score", "--results", "."], "claims/score/claims.csv is missing"),
        (["summarise", "runs", "burgers-adam", "--results", "."], "evaluation/burgers-adam/runs.csv is missing"),
        (["summarise", "references", "burgers", "--results", "."], "references/burgers.npz is missing"),
        (["render", "fig_claims", "--output", "figures-out"], "--summary is missing; allowed: a directory of summary"),
        (["render", "fig_x", "--summary", "s", "--output", "o", "--figures", "nowhere"], "no manifest.py there"),
    ],
)
def test_wrong_input_is_refused_with_what_is_allowed(arguments, named, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = call(*arguments)
    assert found.exit_code == 1
    assert named in " ".join(found.output.split())
    assert "Traceback" not in found.output
    assert not list(tmp_path.iterdir())


def test_settings_that_are_not_given_are_those_that_ship_with_the_package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))  # no reference of an earlier run
    found = call("reference", "wave", "--output", "wave.npz", "--dry-run")
    assert found.exit_code == 0, found.output
    assert found.stderr.count("settings: the scale smoke, small and quick (") == 1
    assert "smoke.yaml); --config FILE gives others" in found.stderr
    settings = load([Path(__file__).parents[2] / "workflow/config/smoke.yaml"]).reference("wave").reference_settings
    assert settings["times"] == 50
    assert "would solve wave with times=50 points=32 " in found.output
    study = call("study", "published_cavity", "--output", "x.csv", "--dry-run")
    assert "would make the study published_cavity with reynolds=[100.0] cells=[16, 32, 64]" in study.output


def test_a_run_without_a_reference_makes_its_own_and_is_scored_against_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    solved, used = [], []

    def compute(settings, progress, problem_settings):
        solved.append(settings)
        return line_reference()

    monkeypatch.setattr(importlib.import_module("gradalign.references.burgers"), "compute", compute)
    monkeypatch.setattr("gradalign.training.runner.train", lambda settings, solution, *_: used.append(solution))
    monkeypatch.setattr("gradalign.training.records.require_sound", lambda directory: None)
    monkeypatch.setattr(
        "gradalign.training.evaluation.evaluate", lambda settings, directory, solution: used.append(solution) or 1 / 0
    )
    dry = call("train", "burgers-soap", "--output", "run", "--dry-run")
    assert dry.exit_code == 0, dry.output
    assert dry.stderr.count("settings: the scale smoke") == 1
    assert "would solve burgers with times=51 points=128" in dry.output
    assert "would train burgers-soap for 200 steps" in dry.output
    assert not solved
    assert not Path("run").exists()
    for _ in range(2):  # the second time it is there
        trained = call("train", "burgers-soap", "--output", "run")
        assert trained.exit_code == 0, trained.output
        assert [given.times for given in solved] == [51]
    call("evaluate", "run", "--run", "burgers-soap", "--output", "scores")
    assert len(used) == 3
    for solution in used:
        np.testing.assert_array_equal(solution.fields["u"], line_reference().fields["u"])


def test_a_run_on_a_gpu_is_asked_for_a_reference(tmp_path):
    (tmp_path / "gpu.yaml").write_text("device: gpu")
    smoke = Path(__file__).parents[2] / "workflow/config/smoke.yaml"
    given = ("burgers-soap", "--config", smoke, "--config", tmp_path / "gpu.yaml", "--output", tmp_path / "run")
    found = call("train", *given)
    assert found.exit_code == 1
    assert "--reference is missing, which a run on a gpu needs" in found.output
    assert not (tmp_path / "run").exists()


def test_a_missing_package_of_the_pipeline_is_named(tmp_path, monkeypatch):
    figures = tmp_path / "figures"
    figures.mkdir()
    (figures / "__init__.py").touch()
    (figures / "manifest.py").write_text("import package_of_figures")
    for name in [name for name in sys.modules if name.partition(".")[0] == "figures"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [*sys.path])
    found = call("render", "fig_x", "--summary", "s", "--output", tmp_path / "o", "--figures", figures)
    assert found.exit_code == 1
    assert "the package package_of_figures is not installed" in found.output
    assert "pip install '.[pipeline]'" in found.output


def test_a_specification_of_another_run_is_refused(tmp_path):
    path = tmp_path / "run.json"
    path.write_text(specification("adam").model_dump_json())
    line_reference().save(tmp_path / "reference.npz")
    found = call(
        "train",
        "burgers-soap",
        "--specification",
        path,
        "--reference",
        tmp_path / "reference.npz",
        "--output",
        tmp_path,
    )
    assert found.exit_code == 1
    assert "specification of run 'burgers-adam', not of 'burgers-soap'" in " ".join(found.output.split())


def test_a_dry_run_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    path = tmp_path / "run.json"
    path.write_text(specification("adam").model_dump_json())
    line_reference().save(tmp_path / "reference.npz")
    output = tmp_path / "out"
    given = ("--specification", path, "--reference", tmp_path / "reference.npz")
    found = call("train", "burgers-adam", *given, "--output", output, "--dry-run")
    assert found.exit_code == 0, found.output
    assert "would train burgers-adam for 12 steps with seeds [0, 7]" in found.output
    assert os.environ["OPENBLAS_NUM_THREADS"] == "1"
    assert not output.exists()


@pytest.mark.slow
def test_stages_from_training_to_summary_fit_together(tmp_path):
    given = specification("adam", steps=4)
    results = tmp_path / "smoke"
    path, reference = tmp_path / "run.json", results / "references" / "burgers.npz"
    path.write_text(given.model_dump_json())
    line_reference().save(reference)
    run = results / "runs" / given.name
    trained = call("train", given.name, "--specification", path, "--reference", reference, "--output", run)
    assert trained.exit_code == 0, trained.output
    assert "train burgers-adam: 100% seed 7, loss" in trained.output
    part = results / "evaluation" / given.name
    inputs = ("--specification", path, "--reference", reference)
    scored = call("evaluate", run, *inputs, "--output", part)
    assert scored.exit_code == 0, scored.output
    for kind, *names in (("claims",), ("references", "burgers"), ("studies",), ("runs", given.name)):
        gathered = call("summarise", kind, *names, "--results", results, *([] if names else ["--empty"]))
        assert gathered.exit_code == 0, gathered.output
    summary = results / "summary"
    runs, references = pd.read_csv(summary / "runs.csv"), pd.read_csv(summary / "references.csv")
    assert runs["seed"].tolist() == [0, 7]
    assert {"relative_l2", "final_loss", "device", "commit", "parameters", "loss_terms"} <= set(runs.columns)
    assert runs["loss_terms"].unique().tolist() == [3]
    assert references.loc[0, "problem"] == "burgers"
    assert pd.read_csv(summary / "errors.csv")["quantity"].tolist() == ["u", "u"]
    assert pd.read_csv(summary / "errors_in_time.csv")["t"].tolist() == [0, 0.5, 1] * 2
    for name in TABLES["runs"]:  # the part of the only run is the whole
        assert (part / f"{name}.csv").read_bytes() == (summary / f"{name}.csv").read_bytes()
    assert (runs["reference_error"] == references.loc[0, "stated_error"]).all()
    assert references.loc[0, "bytes"] == reference.stat().st_size
    for name, rule in RULES.items():  # and of the other tables, by tests of their own
        header = (summary / f"{name}.csv").read_text().partition("\n")[0]
        others = {"horizon", "reynolds", "rayleigh"} if name == "runs" else set()  # label other problems' runs
        assert not header or set(header.split(",")) == {*rule.keys, *rule.columns} - others, name
    with np.load(summary / "fields" / f"{given.name}.npz") as stored:
        assert set(stored) == {"t", "x", "reference_u", "predicted_u"}


@pytest.fixture
def files(tmp_path):
    """A specification of Burgers' equation with ν = 0.0032, and a reference for 0.05."""
    given = specification("adam", steps=4, problem_settings={"viscosity": 0.0032})
    (tmp_path / "run.json").write_text(given.model_dump_json())
    line_reference(viscosity=0.05).save(tmp_path / "wrong.npz")
    line_reference(viscosity=0.0032).save(tmp_path / "right.npz")
    dataclasses.replace(line_reference(), equation="").save(tmp_path / "unknown.npz")
    return tmp_path


def train_command(files, reference, output="run", *options):
    given = ("--specification", files / "run.json", "--reference", files / reference)
    return call("train", "burgers-adam", *given, "--output", files / output, *options)


def evaluate_command(files, reference, *options):
    given = ("--run", "burgers-adam", "--specification", files / "run.json", "--reference", files / reference)
    return call("evaluate", files / "run", *given, "--output", files / "scores", *options)


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
@pytest.mark.parametrize(
    ("reference", "said"),
    [
        (
            "wrong.npz",
            "wrong.npz: was made for another equation of 'burgers' than the run 'burgers-adam': viscosity "
            "is 0.05 in the reference, 0.0032 in the run",
        ),
        ("unknown.npz", "unknown.npz: does not say for which settings of 'burgers' it was made"),
    ],
)
def test_a_reference_of_another_equation_is_refused(files, reference, said, options):
    (files / "run").mkdir()
    for found in (train_command(files, reference, "run", *options), evaluate_command(files, reference, *options)):
        assert found.exit_code == 1, found.output
        assert said in " ".join(found.output.split())
    assert not list((files / "run").iterdir())
    assert not (files / "scores").exists()


@pytest.mark.slow
def test_a_finished_run_of_another_network_is_neither_trained_over_nor_scored(files):
    assert train_command(files, "right.npz").exit_code == 0
    parameters = (files / "run/parameters/seed-0.safetensors").read_bytes()
    given = json.loads((files / "run.json").read_text())
    given["network"]["activation"] = "sin"  # parameters of the same shapes
    (files / "run.json").write_text(json.dumps(given))
    refused = [train_command(files, "right.npz", "run", *options) for options in ((), ("--dry-run",))]
    for found in (*refused, evaluate_command(files, "right.npz")):
        assert found.exit_code == 1, found.output
        assert 'network.activation is "tanh" there, "sin" here' in " ".join(found.output.split())
    assert (files / "run/parameters/seed-0.safetensors").read_bytes() == parameters
    assert not (files / "scores").exists()


def test_settings_of_the_specification_are_checked(tmp_path):
    path = tmp_path / "run.json"
    content = json.loads(specification("adam").model_dump_json())
    content["network"]["width"] = -4
    path.write_text(json.dumps(content))
    found = call("train", "burgers-adam", "--specification", path, "--reference", "r.npz", "--output", tmp_path / "o")
    assert found.exit_code == 1
    assert "width" in found.output
