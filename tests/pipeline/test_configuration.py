"""Configurations: what is right loads and merges; what is wrong is named with file, key, value and what is allowed."""

import copy
import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jsonschema
import pytest
import yaml

from gradalign.base.discovery import module_names
from gradalign.base.errors import ConfigurationError
from gradalign.base.yaml_files import read
from gradalign.pipeline.configuration import Configuration, from_mapping, load, scales, schema
from gradalign.references._specification import ReferenceSpecification
from gradalign.training.settings import RunSpecification

ROOT = Path(__file__).parents[2]
CONFIGURATIONS = ROOT / "workflow" / "config"
SCALES = ("smoke", "laptop", "laptop-best", "laptop-methods", "laptop-stretch", "paper")

# A key of laptop.yaml or its base, the wrong value it gets, what the message says is wrong (where empty: `key is
# value`), and what it says is allowed.
WRONG_VALUES: list[tuple[str, Any, str, str]] = [
    ("scale", "Huge", "", "a name that matches ^[a-z]"),
    ("device", "tpu", "", "'cpu' or 'gpu'"),
    ("seeds", [0, 1, 0], "seeds[2] is 0, given 2 times", "different values"),
    ("seeds", [], "", "at least 1 entries"),
    ("seeds", [-1], "seeds[0] is -1", "a number >= 0"),
    ("seeds", [2**32], "seeds[0] is 4294967296", "a number < 4294967296"),
    ("seeds", 3, "", "a list"),
    ("seeds", [True], "seeds[0] is True", "an integer"),
    ("claims", ["alchemy"], "claims[0] is 'alchemy'", "score"),
    ("claims", [], "", "at least 1 entries"),
    ("claims", ["score", "score"], "claims[1] is 'score', given 2 times", "different values"),
    ("references", ["burger"], "references[0] is 'burger'", "burgers"),
    ("runs", [], "", "at least 1 entries"),
    ("networks.mlp.width", -4, "", "a number > 0"),
    ("networks.mlp.width", 64.5, "", "an integer"),
    ("networks.mlp.width", "64", "", "an integer"),
    ("networks.mlp.depth", 0, "", "a number > 0"),
    ("networks.mlp.activation", "relu", "", "'tanh', 'swish', 'gelu' or 'sin'"),
    ("networks.mlp.architecture", "transformer", "", "'mlp', 'modified_mlp', 'pirate_net' or 'spectral'"),
    ("networks.mlp.fourier_features", 7, "", "a multiple of 2"),
    ("networks.mlp.fourier_scale", float("inf"), "", "a finite number"),
    ("networks.mlp.weight_factorisation", "yes", "", "true or false"),
    ("problems.wave.network.symmetric", True, "problems.wave.network.symmetric is true", "false for wave"),
    (
        "networks.mlp.colour",
        "red",
        "networks.mlp.colour is an unknown key (value 'red')",
        "activation, architecture",
    ),
    ("problems.burgers.points.pde", 0, "", "a number > 0"),
    (
        "problems.burgers.points.wall",
        16,
        "problems.burgers.points is {",
        "exactly the point sets of burgers: ic, bc, pde",
    ),
    ("problems.burgers.settings", {"viscosity": -1.0}, "problems.burgers.settings.viscosity is -1.0", "a number > 0"),
    (
        "problems.burgers.settings",
        {"viscous": 1.0},
        "problems.burgers.settings.viscous is an unknown key (value 1.0)",
        "viscosity",
    ),
    ("problems.burgers.reference.modes", 2047, "", "a multiple of 2"),
    (
        "problems.burgers.reference.refined_nodes",
        1000,
        "problems.burgers.reference is {",
        "refined_nodes must exceed nodes",
    ),
    ("problems.heat", {"points": {"ic": 4}}, "problems.heat is an unknown problem", "burgers"),
    ("methods.adam.learning_rate", 0.0, "", "a number > 0"),
    ("methods.adam.b1", 1.0, "", "a number < 1"),
    ("methods.soap.variant", "soap-jax-2023", "", "'soap', 'soap-original' or 'soap-jax-2024'"),
    (
        "methods.soap.variant",
        "soap-jax-2024",  # with the precondition_1d: false of the scale
        "methods.soap is {",
        "precondition_1d must be true with variant = soap-jax-2024",
    ),
    ("methods.sopa", {}, "methods.sopa is an unknown method", "soap"),
    ("methods.adam", [1], "", "a mapping"),
    ("problems.burgers.training.steps", 0, "", "a number > 0"),
    ("problems.burgers.training.log_every", 700, "", "a divisor of steps = 6000"),
    ("problems.burgers.training.log_every", 1, "", "a number >= 2"),
    ("problems.burgers.training.checkpoint_every", 200, "", "a multiple of log_every = 150"),
    (
        "problems.burgers.training.windows",
        {"count": 1, "network": "warm"},
        "problems.burgers.training.windows.count is 1",
        ">= 2",
    ),
    (
        "problems.burgers.training.windows",
        {"count": 7, "network": "warm"},
        "problems.burgers.training.windows.count is 7",
        "6000",
    ),
    (
        "problems.burgers.training.windows",
        {"count": 3, "network": "warm", "first_steps": 1100},
        "problems.burgers.training.windows.first_steps is 1100",
        "a multiple of log_every = 150 below steps = 6000, so that a multiple of 300 is left to the 2 other windows",
    ),
    (
        "problems.burgers.training.windows",
        {"count": 3, "network": "warm", "first_steps": 6000},
        "problems.burgers.training.windows.first_steps is 6000",
        "below steps = 6000",
    ),
    (
        "problems.burgers.training.windows",
        {"count": 3, "network": "warm", "first_steps": 2150},
        "problems.burgers.training.windows.first_steps is 2150",
        "a multiple of log_every = 150",
    ),
    (
        "problems.burgers.training.windows",
        {"count": 9, "network": "warm", "steps_ratio": 0.5},
        "problems.burgers.training.windows.steps_ratio is 0.5",
        "multiples of log_every = 150, and as many left at least to every window of 9; here the fewest are 0",
    ),
    (
        "problems.burgers.training.windows",
        {"count": 3, "network": "warm", "first_steps": 2150, "steps_ratio": 0.5},
        "problems.burgers.training.windows.steps_ratio is 0.5",
        "steps and first_steps in multiples of log_every = 150",
    ),
    (
        "problems.burgers.training.windows",
        {"count": 3, "network": "warm", "first_steps": 6000, "steps_ratio": 0.9},
        "problems.burgers.training.windows.steps_ratio is 0.9",
        "here the fewest are 0",
    ),
    (
        "problems.burgers.training.windows",
        {"count": 2},
        "problems.burgers.training.windows.network is missing",
        "new ones",
    ),
    (
        "problems.wave.training.windows",
        {"count": 2, "network": "warm"},
        "problems.wave.training.windows is given",
        "nothing for wave",
    ),
    ("problems.kuramoto_sivashinsky.training.log_every", 300, "", "a divisor of the 800 steps of stage 1"),
    (
        "problems.lid_driven_cavity.training.curriculum.parameter",
        "lid",
        "",
        "a parameter of lid_driven_cavity that may change along a run: reynolds",
    ),
    (
        "problems.lid_driven_cavity.training.curriculum.stages",
        [{"value": 100.0, "steps": 2000}, {"value": 1000.0, "steps": 4000}],
        "problems.lid_driven_cavity.training.curriculum.stages is 1000.0 at the end",
        "a last value of 400.0",
    ),
    (
        "problems.lid_driven_cavity.training.curriculum.stages",
        [{"value": 100.0, "steps": 2000}, {"value": 400.0, "steps": 2000}],
        "problems.lid_driven_cavity.training.curriculum.stages is 4000 steps in all",
        "a sum of steps = 7000",
    ),
    ("studies", ["published_wave"], "studies[0] is 'published_wave'", "published_burgers"),
    ("study_settings.published_burgers.nodes", 3, "", "a number >= 101"),
    ("problems.burgers.training.precision", "bfloat16", "", "'float32', 'tf32x3', 'bf16x6' or 'float64'"),
    ("problems.burgers.training.own_state", 1, "", "true or false"),
    ("problems.burgers.training.weighting.scheme", "equal", "", "'constant' or 'gradient_norm'"),
    ("problems.burgers.training.weighting.momentum", 1.0, "", "a number < 1"),
    (
        "problems.burgers.training.weighting.initial",
        {"wall": 1.0},
        "problems.burgers.training.weighting.initial.wall is not a loss term of burgers",
        "ic, bc, pde",
    ),
    ("problems.burgers.training.causal.chunks", 30, "", "a divisor of problems.burgers.points.pde = 1024"),
    ("problems.burgers.training.causal.tolerance", 0.0, "", "a number > 0"),
    ("training.first_order", None, "", "a mapping"),
    ("optimisers", {}, "optimisers is an unknown key (value {})", "claims, cores, device"),
]
RUN = {"problem": "burgers", "method": "adam", "network": "mlp", "training": "short"}
# One wrong entry of the list of runs, the key that is wrong, what is allowed.
WRONG_RUNS: list[tuple[dict[str, Any], str, str]] = [
    (RUN | {"problem": "burger"}, "runs[0].problem", "a key of problems: allen_cahn, burgers"),
    (RUN | {"method": "adma"}, "runs[0].method", "did you mean 'adam'?"),
    (RUN | {"network": "large"}, "runs[0].network", "a key of networks: dense, mlp, pirate_net, thin"),
    (RUN | {"training": "long"}, "runs[0].training", "a key of training: first_order, fixed, second_order, short"),
    (RUN | {"name": "Adam 1"}, "runs[0].name", "a name that matches"),
    (RUN | {"seed": 1}, "runs[0].seed", "changed, cores, method, method_settings, methods, name"),
    (RUN | {"points": {"ic": 8, "pde": 8}}, "runs[0].points", "exactly the point sets of burgers: ic, bc, pde"),
    ({"problem": "burgers"}, "runs[0].method", "a key of methods"),
    (RUN | {"settings": [1]}, "runs[0].settings", "a mapping"),
    (RUN | {"cores": 0}, "runs[0].cores", "a number > 0"),
    (RUN | {"changed": ""}, "runs[0].changed", "at least 1 character"),
]
ALLEN_CAHN = {"problem": "allen_cahn", "method": "soap"}
# Wrong settings that a run has of its own: the run, the key that is wrong, its value, what is allowed.
WRONG_OWN_SETTINGS: list[tuple[dict[str, Any], str, str, str]] = [
    (RUN | {"method_settings": {"b1": 1.0}}, "method_settings.b1", "1.0", "a number < 1"),
    (RUN | {"method_settings": {"b3": 0.5}}, "method_settings.b3", "an unknown key (value 0.5)", "b1, b2"),
    (RUN | {"settings": {"viscosity": -1.0}}, "settings.viscosity", "-1.0", "a number > 0"),
    (RUN | {"network": {"width": 64.5}}, "network.width", "64.5", "an integer"),
    (RUN | {"training": {"steps": 0}}, "training.steps", "0", "a number > 0"),
    (RUN | {"training": {"step": 9}}, "training.step", "an unknown key (value 9)", "did you mean"),
    (RUN | {"training": {"of": "short", "steps": 250}}, "training.log_every", "100", "a divisor of steps = 250"),
    (RUN | {"training": {"of": "shrot"}}, "training.of", "'shrot'", "did you mean 'short'?"),
    (RUN | {"training": 5}, "training", "5", "the name of a preset, or a mapping"),
    (
        {"problem": "wave", "method": "adam", "training": {"windows": {"count": 2, "network": "warm"}}},
        "training.windows",
        "given",
        "nothing for wave",
    ),
    (
        RUN | {"settings": {"viscosity": 0.1}},
        "settings.viscosity",
        "0.1",
        "0.00318309886183790",
    ),
    (
        ALLEN_CAHN | {"settings": {"boundary": "open"}},
        "settings.boundary",
        "'open'",
        "'embedded' or 'penalised'",
    ),
    (
        ALLEN_CAHN | {"settings": {"initial_condition": "kinked"}},
        "settings.initial_condition",
        "'kinked'",
        "'band_limited', as in problems.allen_cahn, which has one reference for all runs; a run may change boundary",
    ),
    (
        ALLEN_CAHN | {"settings": {"boundary": "penalised"}},
        "points",
        "{'ic': 128, 'pde': 1024}",
        "exactly the point sets of allen_cahn: ic, bc, pde",
    ),
]


@pytest.fixture
def no_compute():
    """Fails a test that put an array on a device."""
    before = jax.live_arrays()  # kept, so that arrays of other tests are not freed in between
    yield
    assert len(jax.live_arrays()) == len(before)


def smoke() -> dict[str, Any]:
    return read(CONFIGURATIONS / "smoke.yaml") | {"scale": "smoke"}


def laptop(tmp_path: Path, overlay: dict[str, Any]) -> Configuration:
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(overlay, sort_keys=False))
    return load([CONFIGURATIONS / "laptop.yaml", file])


def nested(path: str, value: Any) -> dict[str, Any]:
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


def rejected(tmp_path: Path, overlay: dict[str, Any]) -> str:
    with pytest.raises(ConfigurationError) as raised:
        laptop(tmp_path, overlay)
    return str(raised.value)


@pytest.mark.parametrize("scale", SCALES)
def test_the_configurations_of_the_scales_are_right(scale):
    configuration = load([CONFIGURATIONS / f"{scale}.yaml"])
    assert configuration.scale == scale
    for name in configuration.run_names:
        specification = configuration.run(name)
        assert RunSpecification.model_validate_json(specification.model_dump_json()) == specification
    for problem in configuration.references:
        reference = configuration.reference(problem)
        assert ReferenceSpecification.model_validate_json(reference.model_dump_json()) == reference


def test_a_file_is_merged_over_its_base_and_names_the_scale(tmp_path):
    for name in ("presets.yaml", "laptop.yaml"):
        (tmp_path / name).write_text((CONFIGURATIONS / name).read_text())
    mine = tmp_path / "mine.yaml"
    mine.write_text("base: laptop.yaml\nseeds: [7]\nnetworks: {mlp: {depth: 5}}\n")
    merged, below = load([mine]), load([tmp_path / "laptop.yaml"])
    assert (merged.scale, below.scale) == ("mine", "laptop")
    assert merged.seeds == [7]
    for name in ("burgers-adam", "wave-adam"):
        assert merged.run(name).network == below.run(name).network.model_copy(update={"depth": 5})
    assert merged.run("wave-gauss_newton").network == below.run("wave-gauss_newton").network  # has its own depth
    mine.write_text("base: laptop.yaml\nnetworks: {mlp: {depth: -5}}\n")
    with pytest.raises(ConfigurationError, match=r"mine.yaml: networks.mlp.depth is -5"):
        load([mine])
    (tmp_path / "No Scale.yaml").write_text("base: laptop.yaml\n")
    with pytest.raises(ConfigurationError, match=r"No Scale.yaml: .* 'No Scale' cannot be one; allowed: .* rename the"):
        load([tmp_path / "No Scale.yaml"])
    (tmp_path / "No Scale.yaml").write_text("base: laptop.yaml\nscale: mine\n")
    assert load([tmp_path / "No Scale.yaml"]).scale == "mine"


@pytest.mark.parametrize(
    ("base", "said"),
    [
        (
            "laptpo.yaml",
            "mine.yaml: base is 'laptpo.yaml'; allowed: a file beside it, which does not build on this one",
        ),
        ("laptpo.yaml", "did you mean 'laptop.yaml'"),
        ("../laptop.yaml", "this one: laptop.yaml"),
        ("[1]", "this one: laptop.yaml"),
        ("mine.yaml", "this one: laptop.yaml"),
        ("laptop.yaml", "laptop.yaml: base is 'mine.yaml'; allowed: a file beside it"),  # a circle
    ],
)
def test_a_wrong_base_is_named(tmp_path, base, said):
    (tmp_path / "laptop.yaml").write_text("base: mine.yaml\n")
    (tmp_path / "mine.yaml").write_text(f"base: {base}\n")
    with pytest.raises(ConfigurationError, match=r"\.yaml: base is") as raised:
        load([tmp_path / "mine.yaml"])
    assert said in str(raised.value)


def test_every_loss_term_can_be_given_a_weight(tmp_path):
    terms = ["u_ic", "v_ic", "T_ic", "u_bc", "v_bc", "T_bc", "ru", "rv", "rc", "re"]
    weights = nested("problems.rayleigh_taylor.training.weighting.initial", dict.fromkeys(terms, 2.0))
    assert list(laptop(tmp_path, weights).run("rayleigh_taylor-adam").training.weighting.initial) == terms


def test_comments_carry_facts_and_their_tags_are_explained():
    (explained,) = re.findall(r"^# Comments .*?(?=^\n)", (CONFIGURATIONS / "presets.yaml").read_text(), re.M | re.S)
    tags = set(re.findall(r"\[(\w+)\]: ", explained))
    assert tags == {"code", "digest", "measured", "inferred"}
    lines = [line for path in CONFIGURATIONS.glob("*.yaml") for line in path.read_text().splitlines()]
    assert max(map(len, lines)) <= 120
    assert len(lines) < 1500
    for line in lines:
        comment = line.partition("# ")[2]
        assert not re.search(r"\bours: as\b|as above\b.*ours|the settings below|the label", comment), line
        assert set(re.findall(r"\[([a-z]+)\]", comment)) <= tags | {"choice"}, line


def test_the_scale_of_methods_has_every_method_on_every_problem_with_soft_conditions():
    configuration = load([CONFIGURATIONS / "laptop-methods.yaml"])
    runs = [configuration.run(name) for name in configuration.run_names]
    pairs = {(run.problem, run.method) for run in runs}
    assert pairs == set(itertools.product(module_names("problems"), module_names("optimizers")))
    assert len(runs) == len(pairs)
    for run in runs:
        assert run.problem_settings.get("start", "penalised") == "penalised", run.name
        assert run.seeds == [0, 1, 2]


def test_every_scale_checks_every_claim_and_has_every_problem():
    for scale in SCALES:
        configuration = load([CONFIGURATIONS / f"{scale}.yaml"])
        left_out = {"network_initialisation", "small_networks"} if scale == "smoke" else set()  # minutes
        assert set(configuration.claims) == set(module_names("claims")) - left_out
        assert sorted(configuration.references) == module_names("problems")


@pytest.mark.parametrize(
    ("path", "value", "said", "allowed"), WRONG_VALUES, ids=[f"{path}={value}" for path, value, *_ in WRONG_VALUES]
)
def test_a_wrong_value_is_named_before_any_compute(tmp_path, no_compute, path, value, said, allowed):
    line = next(line for line in rejected(tmp_path, nested(path, value)).splitlines() if allowed in line)
    file, _, problem = line.partition(": ")
    assert Path(file).name == "mine.yaml"
    assert problem.startswith(said or f"{path} is {value!r}; ")
    assert "; allowed: " in problem


def test_a_spectral_network_for_several_periodic_coordinates_is_refused(tmp_path, no_compute):
    spectral = {"architecture": "spectral", "width": 8, "depth": 1, "activation": "tanh"}
    run = {"problem": "gray_scott", "method": "adam", "network": "series"}
    message = rejected(tmp_path, {"networks": {"series": spectral}, "runs": [run]})
    said = "mine.yaml: networks.series.architecture is 'spectral'; allowed: another one for gray_scott, which has 2 "
    assert said + "periodic coordinates, not one; use another network in the run gray_scott-adam" in message


@pytest.mark.parametrize(("run", "key", "allowed"), WRONG_RUNS, ids=[key for _, key, _ in WRONG_RUNS])
def test_a_wrong_run_is_named(tmp_path, no_compute, run, key, allowed):
    message = rejected(tmp_path, {"runs": [run]})
    assert "mine.yaml" in message
    assert f"{key} is " in message
    assert allowed in message
    field = key.rpartition(".")[2]
    assert (repr(run[field]) if field in run else "missing") in message


@pytest.mark.parametrize(
    ("run", "key", "value", "allowed"), WRONG_OWN_SETTINGS, ids=[key for _, key, *_ in WRONG_OWN_SETTINGS]
)
def test_wrong_settings_of_one_run_are_named(tmp_path, no_compute, run, key, value, allowed):
    message = rejected(tmp_path, {"runs": [RUN | {"name": "first"}, run]})
    assert f"mine.yaml: runs[1].{key} is {value}; allowed: " in message
    assert allowed in message
    assert len(message.splitlines()) == 1


def test_a_run_has_its_own_settings_over_those_of_problem_and_method(tmp_path):
    points = {"ic": 8, "bc": 8, "pde": 32}
    own = {"settings": {"boundary": "penalised"}, "points": points, "method_settings": {"b1": 0.0}}
    own["training"] = {
        "steps": 600,
        "log_every": 150,
        "checkpoint_every": 600,
        "causal": {"tolerance": 2.0, "chunks": 16},
    }
    runs = [ALLEN_CAHN, ALLEN_CAHN | own | {"name": "varied"}]
    configuration = laptop(tmp_path, {"runs": runs})
    plain, varied = (configuration.run(name) for name in configuration.run_names)
    assert plain.problem_settings == {"initial_condition": "band_limited", "boundary": "embedded"}
    assert varied.problem_settings == {"initial_condition": "band_limited", "boundary": "penalised"}
    assert varied.method_settings == plain.method_settings | {"b1": 0.0}
    assert plain.method_settings["b1"] == 0.99
    assert (varied.training.steps, varied.training.causal.chunks) == (600, 16)
    assert (plain.training.steps, plain.training.causal.chunks) == (4500, 32)
    assert varied.training.weighting == plain.training.weighting
    assert (plain.changed, varied.changed) == ("", "")
    assert configuration.reference("allen_cahn").problem_settings == plain.problem_settings


def test_a_run_takes_its_own_number_of_cores_or_that_of_the_configuration():
    runs = [{"problem": "burgers", "method": "adam"}]
    runs.append(runs[0] | {"name": "wide", "cores": 4})
    for cores, expected in ((1, [1, 4]), (None, [None, 4])):
        configuration = from_mapping(smoke() | {"runs": runs, "cores": cores})
        assert [configuration.cores_of(name) for name in configuration.run_names] == expected


def test_a_wrong_setting_that_runs_share_is_named_once_where_it_stands(tmp_path):
    overlay = nested("methods.adam.b2", 2.0) | {"runs": [RUN | {"method_settings": {"b1": 0.5}}]}
    (line,) = rejected(tmp_path, overlay).splitlines()
    assert "methods.adam.b2 is 2.0" in line


def test_a_message_has_file_key_value_allowed_and_advice(tmp_path):
    message = rejected(tmp_path, nested("networks.mlp.width", -4))
    assert message == f"{tmp_path / 'mine.yaml'}: networks.mlp.width is -4; allowed: a number > 0; correct the value"
    message = rejected(tmp_path, nested("networks.mlp.widht", 4))
    assert "networks.mlp.widht is an unknown key (value 4)" in message
    assert "did you mean 'width'?" in message


def test_all_problems_of_a_file_are_listed_at_once(tmp_path):
    overlay = nested("networks.mlp.width", -4) | nested("methods.adam.b1", 2.0) | {"device": "tpu"}
    lines = rejected(tmp_path, overlay).splitlines()
    assert [line.split(": ")[1].split(" is ")[0] for line in lines] == [
        "device",
        "networks.mlp.width",
        "methods.adam.b1",
    ]
    del overlay["device"]
    lines = rejected(tmp_path, overlay | {"runs": [RUN | {"training": {"steps": 0}}]}).splitlines()
    keys = [line.split(": ")[1].split(" is ")[0] for line in lines]
    assert keys == ["networks.mlp.width", "methods.adam.b1", "runs[0].training.steps"]


def test_the_error_names_the_file_that_gave_the_value(tmp_path):
    (tmp_path / "first.yaml").write_text("networks: {mlp: {width: -1}}")
    (tmp_path / "second.yaml").write_text("networks: {mlp: {depth: -2}}")
    with pytest.raises(ConfigurationError) as raised:
        load([CONFIGURATIONS / "laptop.yaml", tmp_path / "first.yaml", tmp_path / "second.yaml"])
    first, second = str(raised.value).splitlines()
    assert "first.yaml: networks.mlp.width is -1" in first
    assert "second.yaml: networks.mlp.depth is -2" in second
    with pytest.raises(ConfigurationError, match="the command line: device is 'tpu'"):
        load([CONFIGURATIONS / "laptop.yaml"], {"device": "tpu"})


@pytest.mark.parametrize("key", [key for key, field in Configuration.model_fields.items() if field.is_required()])
def test_a_missing_key_is_named(key):
    mapping = smoke()
    del mapping[key]
    with pytest.raises(ConfigurationError, match=rf"\AHere: {key} is missing; allowed: .*; add it"):
        from_mapping(mapping, source="Here")


def test_two_runs_of_one_name_need_names():
    run = {"problem": "burgers", "method": "adam"}
    with pytest.raises(ConfigurationError, match=r"runs\[1\] is 'burgers-adam', given 2 times.*its own 'name'"):
        from_mapping(smoke() | {"runs": [run, run]})
    matrix = {"problems": ["wave", "burgers"], "methods": ["adam", "soap"]}
    with pytest.raises(ConfigurationError, match=r"runs\[1\] is 'burgers-adam', given 2 times.*its own 'name'"):
        from_mapping(smoke() | {"runs": [matrix, run]})
    variation = {"name": "burgers-adam", "of": "burgers-soap", "changed": "b1 = 0", "method_settings": {"b1": 0.0}}
    with pytest.raises(ConfigurationError, match=r"runs\[1\] is 'burgers-adam', given 2 times.*its own 'name'"):
        from_mapping(smoke() | {"runs": [matrix, variation]})
    assert from_mapping(smoke() | {"runs": [run, run | {"name": "again"}]}).run_names == ["burgers-adam", "again"]


def test_a_run_needs_the_reference_of_its_problem():
    mapping = smoke()
    mapping["problems"]["burgers"].pop("reference")
    assert from_mapping(mapping).reference("burgers").reference_settings == {}
    with pytest.raises(ConfigurationError, match=r"references is .*; allowed: at least 1"):
        from_mapping(mapping | {"references": []})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("scale: smoke\nscale: laptop\n", r"key 'scale' appears twice.*line 2"),
        ("networks:\n  burgers: {width: 3, width: 4}\n", r"key 'width' appears twice.*line 2"),
        ("scale: [smoke\n", r"line 2"),
        ("- scale\n", r"holds \['scale'\]; allowed: a mapping"),
        ("", r"holds None; allowed: a mapping"),
        ("a: !!python/object/apply:os.getcwd []\n", r"could not determine a constructor"),
    ],
)
def test_a_file_that_is_no_mapping_is_rejected(tmp_path, text, message):
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=rf"(?s)mine\.yaml.*{message}"):
        read(file)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"nowhere\.yaml: cannot be read; .*nothing of this name: correct"):
        load([tmp_path / "nowhere.yaml"])


def test_merging_joins_mappings_and_replaces_lists(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("seeds: [7]\nnetworks: {mlp: {width: 1e1}}\n")
    with pytest.raises(ConfigurationError, match=r"width is 10\.0; allowed: an integer"):
        load([CONFIGURATIONS / "laptop.yaml", file])
    file.write_text("seeds: [7]\nnetworks: {mlp: {width: 10}}\nmethods: {adam: {learning_rate: 1e-2}}\n")
    merged, given = (
        load([CONFIGURATIONS / "laptop.yaml", file], {"scale": "smoke"}),
        load([CONFIGURATIONS / "laptop.yaml"]),
    )
    assert (merged.seeds, merged.scale) == ([7], "smoke")
    assert merged.run("burgers-adam").network == given.run("burgers-adam").network.model_copy(update={"width": 10})
    assert merged.run("burgers-adam").method_settings["learning_rate"] == 0.01


def test_points_are_given_as_a_whole_and_what_is_of_a_preset_starts_from_it(tmp_path):
    points, training = {"ic": 8, "bc": 8, "pde": 64}, {"of": "short", "own_state": False}
    configuration = laptop(tmp_path, {"problems": {"burgers": {"points": points, "training": training}}})
    run, short = configuration.run("burgers-adam"), configuration.run("burgers-adam-long-memory")
    assert run.points == points
    assert run.training == short.training.model_copy(update={"own_state": False})  # and no steps of the scale
    some = rejected(tmp_path, nested("problems.burgers.points.pde", 64))
    assert "problems.burgers.points is {'pde': 64}; allowed: exactly the point sets of burgers: ic, bc, pde" in some
    renamed = laptop(tmp_path, {"problems": {"burgers": {"network": {"harmonics": 3}}}})  # of the preset named there
    assert renamed.run("burgers-adam").network == run.network.model_copy(update={"harmonics": 3})


def test_a_specification_changes_only_with_its_own_slice():
    mapping = smoke()
    changed = copy.deepcopy(mapping)
    changed["methods"]["soap"]["b1"] = 0.5
    before, after = from_mapping(mapping), from_mapping(changed)
    assert before.run("burgers-soap") != after.run("burgers-soap")
    assert before.run("burgers-adam") == after.run("burgers-adam")
    assert before.reference("burgers") == after.reference("burgers")


@pytest.mark.parametrize(
    "look_up", [lambda c: c.run("burgers-sgd"), lambda c: c.reference("heat")], ids=["run", "reference"]
)
def test_an_unknown_name_lists_the_known_ones(look_up: Callable[[Configuration], object]):
    with pytest.raises(ConfigurationError, match=r"allowed: .*burgers"):
        look_up(from_mapping(smoke()))


def test_the_schema_file_is_current():
    stored = json.loads((ROOT / "workflow/schemas/configuration.schema.json").read_text())
    assert stored == json.loads(json.dumps(schema())), "run `make schema`"


@pytest.fixture(scope="module")
def by_schema():
    """The check that an editor makes."""
    jsonschema.Draft202012Validator.check_schema(schema())
    return jsonschema.Draft202012Validator(schema()).validate


@pytest.mark.parametrize("name", [*SCALES, "presets"])
def test_the_schema_accepts_what_is_right_and_rejects_unknown_keys(name, by_schema):
    mapping = read(CONFIGURATIONS / f"{name}.yaml")
    by_schema(mapping)
    if "runs" in mapping and "base" not in mapping:
        with pytest.raises(jsonschema.ValidationError, match="'seeds' is a required property"):
            by_schema({key: value for key, value in mapping.items() if key != "seeds"})
    for place in ("methods.soap.b3", "recipes.soap.method_settings.b3", "problems.wave.runs.soap.method_settings.b3"):
        with pytest.raises(jsonschema.ValidationError, match="b3"):
            by_schema(mapping | nested(place, 0.5))
    for place in ("networks.mlp.widht", "problems.wave.training.stepz", "problems.wave.formulation.strat"):
        with pytest.raises(jsonschema.ValidationError):
            by_schema(mapping | nested(place, 3))
    by_schema(mapping | nested("recipes.soap.training.steps", "default"))


def test_every_key_of_the_schema_has_a_description_and_forbids_unknown_keys():
    def look(place: str, part: Any) -> None:
        if isinstance(part, list):
            for index, entry in enumerate(part):
                look(f"{place}[{index}]", entry)
        if not isinstance(part, dict):
            return
        properties = part.get("properties", {})
        if properties:
            assert part.get("additionalProperties") is False, f"{place} allows unknown keys"
        for name, entry in properties.items():
            # Those hold models, described by their docstrings
            if place not in ("/problems", "/methods", "/study_settings"):
                assert "description" in entry, f"{place}/{name} has no description"
            look(f"{place}/{name}", entry)
        for name, entry in part.get("$defs", {}).items():
            look(name, entry)

    look("", schema())


# ---- Runs of several problems and methods, presets, recipes and variations, on the scale smoke


def small(**changes: Any) -> dict[str, Any]:
    """The scale smoke with two problems and three methods; ``changes`` replace whole keys."""
    given = smoke()
    kept = {key: {name: given[key][name] for name in names} for key, names in KEPT.items()}
    return given | kept | {"references": KEPT["problems"], "runs": [MATRIX]} | changes


KEPT = {"problems": ["burgers", "wave"], "methods": ["adam", "soap", "gauss_newton"]}
MATRIX = {"problems": ["wave", "burgers"], "methods": ["adam", "soap"], "seeds": [3]}


def refused(mapping: dict[str, Any], *said: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        from_mapping(mapping, source="Here")
    lines = str(raised.value).splitlines()
    assert len(lines) == len(said), lines
    for line, text in zip(lines, said, strict=True):
        assert line.startswith(f"Here: {text}"), line
        assert "; allowed: " in line


def test_an_entry_of_several_problems_and_methods_stands_for_the_runs_of_all_pairs():
    own = {"method_settings": {"b1": 0.5}, "points": {"ic": 8, "bc": 8, "pde": 16}}
    given = small(
        runs=[MATRIX, {"problem": "burgers", "method": "gauss_newton", "network": "small", "training": "plain"}]
    )
    given["problems"]["burgers"]["runs"] = {"adam": own}
    configuration = from_mapping(given)
    names = ["wave-adam", "wave-soap", "burgers-adam", "burgers-soap", "burgers-gauss_newton"]
    assert configuration.run_names == names
    assert [configuration.run(name).seeds for name in names] == [[3]] * 4 + [[0, 1]]
    adam, soap = configuration.run("burgers-adam"), configuration.run("burgers-soap")
    assert adam.method_settings == given["methods"]["adam"] | {"b1": 0.5}
    assert configuration.run("wave-adam").method_settings == given["methods"]["adam"]
    assert (adam.points, soap.points) == (own["points"], given["problems"]["burgers"]["points"])
    assert adam.training == soap.training


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (
            {"problems": ["wave", "wvae"], "methods": ["adam"]},
            "runs[0].problems[1] is 'wvae'; allowed: a key of problems",
        ),
        (
            {"problems": ["wave"], "methods": ["adma"]},
            "runs[0].methods[0] is 'adma'; allowed: a key of methods: adam, ",
        ),
        ({"problems": [], "methods": ["adam"]}, "runs[0].problems is []; allowed: at least 1 entries"),
        ({"methods": ["adam"]}, "runs[0].problem is missing; allowed: a key of problems"),
        (MATRIX | {"problem": "wave"}, "runs[0].problems is given beside problem; allowed: one of the two"),
        (MATRIX | {"name": "mine"}, "runs[0].name is given; allowed: nothing for several runs"),
        (MATRIX | {"changed": "seed"}, "runs[0].changed is given; allowed: nothing for several runs"),
    ],
)
def test_a_wrong_entry_of_several_is_named(entry, said):
    refused(small(runs=[entry]), said)


def test_settings_of_a_pair_that_no_run_has_are_refused(tmp_path):
    given = small()
    given["problems"]["wave"]["runs"] = {"gauss_newton": {"cores": 2}}
    said = "problems.wave.runs.gauss_newton is given, but no run has this problem and this method; allowed: methods of "
    refused(given, f"{said}the runs of wave: adam, soap; choose one of these")
    given["problems"]["wave"]["runs"] = {"sopa": {"cores": 2}}
    refused(
        given, "problems.wave.runs.sopa is an unknown method; allowed: adam, gauss_newton, soap; did you mean 'soap'?"
    )
    given["problems"]["wave"]["runs"] = {"gauss_newton": {"cores": 2}, "soap": {"of": "gauss_newton"}}
    assert from_mapping(given).cores_of("wave-soap") == 2  # by another method
    pair = {"problems": {"wave": {"runs": {"kron": {"cores": 2}}}}, "methods": {"kron": {"learning_rate": 1e-3}}}
    assert f"mine.yaml: {said.replace('gauss_newton', 'kron')}" in rejected(tmp_path, pair)
    one = laptop(
        tmp_path, {"runs": [{"problem": "burgers", "method": "adam"}]}
    )  # the pairs of the scale are left alone
    assert one.run_names == ["burgers-adam"]


def test_recipes_hold_for_all_problems_and_build_on_those_of_other_methods():
    recipes = {
        "adam": {"training": {"steps": 120}},
        "soap": {"of": "adam", "method_settings": {"b1": 0.9}},
    }
    given = small(recipes=recipes)
    given["problems"]["wave"]["runs"] = {"adam": {"method_settings": {"learning_rate": 0.5}}}
    configuration = from_mapping(given)
    for name, rate in (("wave-soap", 0.5), ("burgers-soap", 1e-3)):
        run = configuration.run(name)
        assert run.training.steps == 120
        assert run.method_settings == given["methods"]["soap"] | {"b1": 0.9, "learning_rate": rate}
    given["problems"]["wave"]["runs"] = {
        "gauss_newton": {"method_settings": {"acceleration": False}},
        "soap": {"of": "gauss_newton"},
    }
    changed = from_mapping(given).run("wave-soap")  # of another method here, without settings that SOAP does not have
    assert changed.training.steps == 60
    assert changed.method_settings == given["methods"]["soap"] | {"b1": 0.9}


@pytest.mark.parametrize(
    ("recipes", "said"),
    [
        (
            {"soap": {"of": "adma"}},
            "recipes.soap.of is 'adma'; allowed: a key of methods: adam, gauss_newton; did you mean",
        ),
        (
            {"soap": {"of": "soap"}},
            "recipes.soap.of is 'soap'; allowed: a key of methods that does not build on this one",
        ),
        ({"sopa": {"cores": 1}}, "recipes.sopa is an unknown method; allowed: adam, gauss_newton, soap; did you mean"),
        ({"soap": {"colour": 1}}, "recipes.soap.colour is an unknown key (value 1); allowed: cores, method_settings, "),
    ],
)
def test_a_wrong_recipe_is_named(recipes, said):
    refused(small(recipes=recipes), said)


def test_recipes_that_build_on_each_other_in_a_circle_are_refused():
    said = "does not build on this one, as in"
    refused(
        small(recipes={"adam": {"of": "soap"}, "soap": {"of": "adam"}}),
        f"recipes.adam.of is 'soap'; allowed: a key of methods that {said} adam of soap of adam; break the circle",
        f"recipes.soap.of is 'adam'; allowed: a key of methods that {said} soap of adam of soap; break the circle",
    )


def test_presets_build_on_each_other_with_what_differs():
    presets = {
        "deep": {"of": "wide", "depth": 5, "harmonics": "default"},
        "wide": {"of": "small", "width": 9},
        "small": smoke()["networks"]["small"],
    }
    loops = smoke()["training"] | {"causal": {"of": "plain", "causal": {"chunks": 8}}}
    given = small(networks=presets, training=loops)
    given["problems"] |= {name: entry | {"network": "deep"} for name, entry in given["problems"].items()}
    given["problems"]["wave"]["training"] = {"of": "causal", "causal": {"tolerance": 2.0}, "steps": 30}
    run = from_mapping(given).run("wave-soap")
    assert run.network.model_dump(exclude_defaults=True) == {
        "architecture": "mlp",
        "width": 9,
        "depth": 5,
        "activation": "tanh",
    }
    assert (run.training.steps, run.training.log_every) == (30, 10)
    assert run.training.causal.model_dump() == {"tolerance": 2.0, "chunks": 8}
    assert run.training.weighting.every == 30


@pytest.mark.parametrize("section", ["networks", "training"])
def test_presets_that_build_on_each_other_in_a_circle_are_refused(section):
    presets = smoke()[section] | {"a": {"of": "b"}, "b": {"of": "c"}, "c": {"of": "a"}, "d": {"of": "d"}}
    allowed = f"allowed: a key of {section} that does not build on this one, as in"
    refused(
        small(**{section: presets}),
        f"{section}.a.of is 'b'; {allowed} a of b of c of a; break the circle",
        f"{section}.b.of is 'c'; {allowed} b of c of a of b; break the circle",
        f"{section}.c.of is 'a'; {allowed} c of a of b of c; break the circle",
        f"{section}.d.of is 'd'; {allowed} d of d; break the circle",
    )


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (
            "networks.a",
            {"of": "smal"},
            "networks.a.of is 'smal'; allowed: a key of networks: burgers, burgers_second_order",
        ),
        ("networks.a", {"of": "small", "width": 0}, "networks.a.width is 0; allowed: a number > 0"),
        (
            "training.a",
            {"of": "plain", "causal": {"chunk": 4}},
            "training.a.causal.chunk is an unknown key (value 4); ",
        ),
        ("problems.wave.network", "smal", "problems.wave.network is 'smal'; allowed: a key of networks: "),
        ("problems.wave.network", {"of": "smal"}, "problems.wave.network.of is 'smal'; allowed: a key of networks: "),
        ("problems.wave.training", {"steps": 60}, "problems.wave.training.precision is missing; allowed: dtype of all"),
        (
            "problems.wave.training",
            {"of": "plain", "steps": 65},
            "problems.wave.training.log_every is 10; allowed: a div",
        ),
        ("problems.wave.formulation", {"strat": "exact"}, "problems.wave.formulation.strat is an unknown key"),
        ("recipes", {"soap": {"training": "plian"}}, "recipes.soap.training is 'plian'; allowed: a key of training: "),
    ],
)
def test_a_wrong_preset_or_choice_is_named_once_where_it_stands(place, value, said):
    mapping = small()
    *above, last = place.split(".")
    inside = mapping
    for key in above:
        inside = inside[key]
    inside[last] = value
    with pytest.raises(ConfigurationError) as raised:
        from_mapping(mapping, source="Here")
    assert f"Here: {said}" in str(raised.value)
    assert str(raised.value).count(said.split(" is ")[0] + " is ") == 1


def test_a_run_without_a_network_is_named():
    given = small()
    del given["problems"]["wave"]["network"]
    refused(given, "runs[0].network is missing; allowed: a key of networks; add it")


VARIATION = {"name": "slow", "of": "wave-soap", "changed": "half the rate", "method_settings": {"learning_rate": 5e-4}}


def test_a_variation_says_only_what_it_changes():
    further = {"name": "slow-and-short", "of": "slow", "changed": "both", "training": {"steps": 30}, "seeds": [9]}
    configuration = from_mapping(small(runs=[further, MATRIX, VARIATION]))
    assert configuration.run_names[0] == "slow-and-short"
    plain, slow, short = (configuration.run(name) for name in ("wave-soap", "slow", "slow-and-short"))
    changes = {"name": "slow", "changed": "half the rate"}
    assert slow == plain.model_copy(
        update=changes | {"method_settings": plain.method_settings | {"learning_rate": 5e-4}}
    )
    assert short.method_settings == slow.method_settings
    assert short.training == plain.training.model_copy(update={"steps": 30})
    assert (short.seeds, slow.seeds) == ([9], [3])


def test_a_variation_takes_a_setting_back_to_its_default():
    given = small()
    given["problems"]["burgers"]["runs"] = {"adam": {"method_settings": {"warmup_steps": 7}}}
    back = {
        "name": "back",
        "of": "burgers-adam",
        "changed": "no warm-up",
        "method_settings": {"warmup_steps": "default"},
    }
    configuration = from_mapping(given | {"runs": [MATRIX, back]})
    assert configuration.run("burgers-adam").method_settings["warmup_steps"] == 7
    assert "warmup_steps" not in configuration.run("back").method_settings


def test_a_plain_run_has_no_words_for_what_it_changes():
    run = {"problem": "wave", "method": "soap", "name": "plain", "changed": "nothing"}
    refused(
        small(runs=[run]), "runs[0].changed is given; allowed: nothing: figures would leave the run out; say of which"
    )


@pytest.mark.parametrize(
    ("place", "key"),
    [
        ("problems.wave.training", "stepz"),  # both runs of the problem have a preset of their own
        ("problems.burgers.runs.adam.method_settings", "warmup_stepz"),
        ("recipes.adam.method_settings", "warmup_stepz"),
        ("recipes.adam.training", "stepz"),
    ],
)
def test_a_misspelt_key_is_refused_where_no_run_takes_it(tmp_path, no_compute, place, key):
    overlay = nested(f"{place}.{key}", 5) | {"runs": [{"problem": "wave", "method": "soap"}]}
    assert f"mine.yaml: {place}.{key} is an unknown key (value 5); allowed: " in rejected(tmp_path, overlay)


def test_a_formulation_can_be_taken_back_to_its_default(tmp_path):
    configuration = laptop(tmp_path, nested("problems.allen_cahn.formulation.start", "default"))
    assert "start" not in configuration.run("allen_cahn-adam").problem_settings


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"of": "wave-sopa"},
            "runs[1].of is 'wave-sopa'; allowed: another run: burgers-adam, burgers-soap, wave-adam, wa",
        ),
        (
            {"of": "slow"},
            "runs[1].of is 'slow'; allowed: another run that does not build on this one, as in slow of slow; ",
        ),
        (
            {"method_settings": {}},
            "runs[1] is a copy of 'wave-soap', which changes nothing; allowed: settings that differ",
        ),
        (
            {"method_settings": {"b1": 0.99}},
            "runs[1] is a copy of 'wave-soap', which changes nothing; allowed: settings",
        ),
        ({"name": None}, "runs[1].name is missing; allowed: what the variation is called; add it"),
        ({"changed": None}, "runs[1].changed is missing; allowed: what the variation changes, in words; add it"),
        (
            {"method": "adam"},
            "runs[1].method is given; allowed: nothing beside 'of': a variation has the problem and the",
        ),
    ],
)
def test_a_wrong_variation_is_named(changes, said):
    refused(small(runs=[MATRIX, VARIATION | changes]), said)


def test_an_unknown_run_is_named_in_the_first_of_two_variations_of_one_name():
    wrong = VARIATION | {"of": "wave-sopa"}
    refused(small(runs=[MATRIX, wrong, VARIATION]), "runs[1].of is 'wave-sopa'; allowed: another run: burgers-adam")


def test_variations_of_each_other_in_a_circle_are_refused():
    other = {"name": "slower", "of": "slow", "changed": "a quarter", "method_settings": {"learning_rate": 2e-4}}
    allowed = "allowed: another run that does not build on this one, as in"
    refused(
        small(runs=[MATRIX, VARIATION | {"of": "slower"}, other]),
        f"runs[1].of is 'slower'; {allowed} slow of slower of slow; break the circle",
        f"runs[2].of is 'slow'; {allowed} slower of slow of slower; break the circle",
    )


def test_what_leaves_the_solution_as_it_is_can_be_given_for_all_runs_of_a_problem():
    given = small()
    given["problems"]["burgers"] |= {"formulation": {"start": "exact"}, "points": {"pde": 64}}
    configuration = from_mapping(given | {"training": smoke()["training"] | {"first_order": SOFT}})
    assert configuration.run("burgers-soap").problem_settings == {"start": "exact"}
    assert configuration.reference("burgers").problem_settings == {}
    given["problems"]["burgers"]["formulation"] = {"viscosity": 0.5}
    refused(
        given | {"training": smoke()["training"] | {"first_order": SOFT}},
        "problems.burgers.points is {'pde': 64}; allowed: exactly the point sets of burgers: ic, bc, pde",
        "problems.burgers.formulation.viscosity is 0.5; allowed: 0.003183",
    )


SOFT = smoke()["training"]["first_order"] | {"causal": None}


def test_the_scales_of_a_folder_are_its_files_with_runs_or_a_base(tmp_path):
    assert scales(CONFIGURATIONS) == sorted(SCALES)
    (tmp_path / "mine.yaml").write_text("# runs: none\nbase: laptop.yaml\n")
    (tmp_path / "presets.yaml").write_text("networks: {}\n")
    assert scales(tmp_path) == ["mine"]
