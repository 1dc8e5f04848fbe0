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
from gradalign.pipeline.configuration import Configuration, from_mapping, load, schema
from gradalign.references._specification import ReferenceSpecification
from gradalign.training.settings import RunSpecification

ROOT = Path(__file__).parents[2]
CONFIGURATIONS = ROOT / "workflow" / "config"
SCALES = ("smoke", "laptop", "laptop-best", "laptop-methods", "laptop-stretch", "paper")
SOURCE = re.compile(r"# .*(ours: \S|\[(abstract|digest|code|measured|inferred)\]|arXiv:\d{4}\.\d{4})")

# A key of laptop.yaml, the wrong value it gets, what the message says is wrong (where empty: `key is value`), and what
# it says is allowed.
WRONG_VALUES: list[tuple[str, Any, str, str]] = [
    ("scale", "huge", "", "'smoke', 'laptop', 'laptop-best', 'laptop-methods', 'laptop-stretch' or 'paper'"),
    ("scale", "paper", "device is 'cpu'", "'gpu' at scale 'paper'"),
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
    ("networks.burgers.width", -4, "", "a number > 0"),
    ("networks.burgers.width", 64.5, "", "an integer"),
    ("networks.burgers.width", "64", "", "an integer"),
    ("networks.burgers.depth", 0, "", "a number > 0"),
    ("networks.burgers.activation", "relu", "", "'tanh', 'swish', 'gelu' or 'sin'"),
    ("networks.burgers.architecture", "transformer", "", "'mlp', 'modified_mlp', 'pirate_net' or 'spectral'"),
    ("networks.burgers.fourier_features", 7, "", "a multiple of 2"),
    ("networks.burgers.fourier_scale", float("inf"), "", "a finite number"),
    ("networks.burgers.weight_factorisation", "yes", "", "true or false"),
    ("networks.wave.symmetric", True, "networks.wave.symmetric is true", "false for wave"),
    (
        "networks.burgers.colour",
        "red",
        "networks.burgers.colour is an unknown key (value 'red')",
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
    ("training.first_order.steps", 0, "", "a number > 0"),
    ("training.first_order.log_every", 700, "", "a divisor of steps = 6000"),
    ("training.first_order.log_every", 1, "", "a number >= 2"),
    ("training.first_order.checkpoint_every", 200, "", "a multiple of log_every = 150"),
    (
        "training.first_order.windows",
        {"count": 1, "network": "warm"},
        "training.first_order.windows.count is 1",
        ">= 2",
    ),
    (
        "training.first_order.windows",
        {"count": 7, "network": "warm"},
        "training.first_order.windows.count is 7",
        "6000",
    ),
    (
        "training.first_order.windows",
        {"count": 3, "network": "warm", "first_steps": 1100},
        "training.first_order.windows.first_steps is 1100",
        "a multiple of log_every = 150 below steps = 6000, so that a multiple of 300 is left to the 2 other windows",
    ),
    (
        "training.first_order.windows",
        {"count": 3, "network": "warm", "first_steps": 6000},
        "training.first_order.windows.first_steps is 6000",
        "below steps = 6000",
    ),
    (
        "training.first_order.windows",
        {"count": 3, "network": "warm", "first_steps": 2150},
        "training.first_order.windows.first_steps is 2150",
        "a multiple of log_every = 150",
    ),
    (
        "training.first_order.windows",
        {"count": 9, "network": "warm", "steps_ratio": 0.5},
        "training.first_order.windows.steps_ratio is 0.5",
        "multiples of log_every = 150, and as many left at least to every window of 9; here the fewest are 0",
    ),
    (
        "training.first_order.windows",
        {"count": 3, "network": "warm", "first_steps": 2150, "steps_ratio": 0.5},
        "training.first_order.windows.steps_ratio is 0.5",
        "steps and first_steps in multiples of log_every = 150",
    ),
    (
        "training.first_order.windows",
        {"count": 3, "network": "warm", "first_steps": 6000, "steps_ratio": 0.9},
        "training.first_order.windows.steps_ratio is 0.9",
        "here the fewest are 0",
    ),
    ("training.first_order.windows", {"count": 2}, "training.first_order.windows.network is missing", "new ones"),
    ("training.wave.windows", {"count": 2, "network": "warm"}, "training.wave.windows is given", "nothing for wave"),
    ("training.kuramoto_sivashinsky.log_every", 300, "", "a divisor of the 800 steps of stage 1"),
    (
        "training.lid_driven_cavity.curriculum.parameter",
        "lid",
        "",
        "a parameter of lid_driven_cavity that may change along a run: reynolds",
    ),
    (
        "training.lid_driven_cavity.curriculum.stages",
        [{"value": 100.0, "steps": 2000}, {"value": 1000.0, "steps": 4000}],
        "training.lid_driven_cavity.curriculum.stages is 1000.0 at the end",
        "a last value of 400.0",
    ),
    (
        "training.lid_driven_cavity.curriculum.stages",
        [{"value": 100.0, "steps": 2000}, {"value": 400.0, "steps": 2000}],
        "training.lid_driven_cavity.curriculum.stages is 4000 steps in all",
        "a sum of steps = 7000",
    ),
    ("studies", ["published_wave"], "studies[0] is 'published_wave'", "published_burgers"),
    ("study_settings.published_burgers.nodes", 3, "", "a number >= 101"),
    ("training.first_order.precision", "bfloat16", "", "'float32', 'tf32x3', 'bf16x6' or 'float64'"),
    ("training.first_order.own_state", 1, "", "true or false"),
    ("training.first_order.weighting.scheme", "equal", "", "'constant' or 'gradient_norm'"),
    ("training.first_order.weighting.momentum", 1.0, "", "a number < 1"),
    (
        "training.first_order.weighting.initial",
        {"wall": 1.0},
        "training.first_order.weighting.initial.wall is not a loss term of burgers",
        "ic, bc, pde",
    ),
    ("training.first_order.causal.chunks", 30, "", "a divisor of problems.burgers.points.pde = 1024"),
    ("training.first_order.causal.tolerance", 0.0, "", "a number > 0"),
    ("training.first_order", None, "", "a mapping"),
    ("optimisers", {}, "optimisers is an unknown key (value {})", "claims, cores, device"),
]
RUN = {"problem": "burgers", "method": "adam", "network": "burgers", "training": "first_order"}
# One wrong entry of the list of runs, the key that is wrong, what is allowed.
WRONG_RUNS: list[tuple[dict[str, Any], str, str]] = [
    (RUN | {"problem": "burger"}, "runs[0].problem", "a key of problems: allen_cahn, burgers"),
    (RUN | {"method": "adma"}, "runs[0].method", "did you mean 'adam'?"),
    (RUN | {"network": "large"}, "runs[0].network", "a key of networks: allen_cahn, allen_cahn_gauss_newton, burgers"),
    (RUN | {"training": "long"}, "runs[0].training", "a key of training: allen_cahn, allen_cahn_gauss_newton"),
    (RUN | {"name": "Adam 1"}, "runs[0].name", "a name that matches"),
    (RUN | {"seed": 1}, "runs[0].seed", "changed, cores, method, method_settings, name"),
    (RUN | {"points": {"ic": 8, "pde": 8}}, "runs[0].points", "exactly the point sets of burgers: ic, bc, pde"),
    ({"problem": "burgers"}, "runs[0].method", "a key of methods"),
    (RUN | {"settings": [1]}, "runs[0].settings", "a mapping"),
    (RUN | {"cores": 0}, "runs[0].cores", "a number > 0"),
    (RUN | {"changed": ""}, "runs[0].changed", "at least 1 character"),
]
ALLEN_CAHN = {"problem": "allen_cahn", "method": "soap", "network": "allen_cahn", "training": "first_order"}
# Wrong settings that a run has of its own: the run, the key that is wrong, its value, what is allowed.
WRONG_OWN_SETTINGS: list[tuple[dict[str, Any], str, str, str]] = [
    (RUN | {"method_settings": {"b1": 1.0}}, "method_settings.b1", "1.0", "a number < 1"),
    (RUN | {"method_settings": {"b3": 0.5}}, "method_settings.b3", "an unknown key (value 0.5)", "b1, b2"),
    (RUN | {"settings": {"viscosity": -1.0}}, "settings.viscosity", "-1.0", "a number > 0"),
    (RUN | {"training_settings": {"steps": 0}}, "training_settings.steps", "0", "a number > 0"),
    (RUN | {"training_settings": {"step": 9}}, "training_settings.step", "an unknown key (value 9)", "did you mean"),
    (RUN | {"training_settings": {"steps": 200}}, "training_settings.log_every", "150", "a divisor of steps = 200"),
    (
        {"problem": "wave", "method": "adam", "network": "wave", "training": "wave"}
        | {"training_settings": {"windows": {"count": 2, "network": "warm"}}},
        "training_settings.windows",
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


def laptop() -> dict[str, Any]:
    return read(CONFIGURATIONS / "laptop.yaml")


def nested(path: str, value: Any) -> dict[str, Any]:
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


def rejected(tmp_path: Path, overlay: dict[str, Any]) -> str:
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(overlay))
    with pytest.raises(ConfigurationError) as raised:
        load([CONFIGURATIONS / "laptop.yaml", file])
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


def test_a_file_is_merged_over_its_base(tmp_path):
    (tmp_path / "laptop.yaml").write_text((CONFIGURATIONS / "laptop.yaml").read_text())
    mine = tmp_path / "mine.yaml"
    mine.write_text("base: laptop.yaml\nseeds: [7]\nnetworks: {burgers: {depth: 5}}\n")
    merged, below = load([mine]), load([tmp_path / "laptop.yaml"])
    assert merged.seeds == [7]
    assert merged.networks["burgers"] == below.networks["burgers"].model_copy(update={"depth": 5})
    assert merged.networks["wave"] == below.networks["wave"]
    mine.write_text("base: laptop.yaml\nnetworks: {burgers: {depth: -5}}\n")
    with pytest.raises(ConfigurationError, match=r"mine.yaml: networks.burgers.depth is -5"):
        load([mine])


@pytest.mark.parametrize(
    ("base", "said"),
    [
        ("laptpo.yaml", "did you mean 'laptop.yaml'"),
        ("../laptop.yaml", "a file beside it: laptop.yaml"),
        ("[1]", "a file beside it: laptop.yaml"),
        ("mine.yaml", "a file beside it: laptop.yaml"),
        ("laptop.yaml", "a file without a base of its own"),
    ],
)
def test_a_wrong_base_is_named(tmp_path, base, said):
    (tmp_path / "laptop.yaml").write_text("base: other.yaml\n")
    (tmp_path / "mine.yaml").write_text(f"base: {base}\n")
    with pytest.raises(ConfigurationError, match=r"mine.yaml: base is") as raised:
        load([tmp_path / "mine.yaml"])
    assert said in str(raised.value)


def test_every_loss_term_can_be_given_a_weight():
    mapping = laptop()
    terms = ["u_ic", "v_ic", "T_ic", "u_bc", "v_bc", "T_bc", "ru", "rv", "rc", "re"]
    mapping["training"]["rayleigh_taylor"]["weighting"]["initial"] = dict.fromkeys(terms, 2.0)
    assert list(from_mapping(mapping).training["rayleigh_taylor"].weighting.initial) == terms


@pytest.mark.parametrize("scale", SCALES)
def test_every_value_line_names_its_source(scale):
    for number, line in enumerate((CONFIGURATIONS / f"{scale}.yaml").read_text().splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#") or re.fullmatch(r"\s*[\w-]+:", line):
            continue
        assert SOURCE.search(line), f"{scale}.yaml, line {number} names no source: {line}"


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
        assert sorted(configuration.references) == module_names("references")


@pytest.mark.parametrize(
    ("path", "value", "said", "allowed"), WRONG_VALUES, ids=[f"{path}={value}" for path, value, *_ in WRONG_VALUES]
)
def test_a_wrong_value_is_named_before_any_compute(tmp_path, no_compute, path, value, said, allowed):
    line = next(line for line in rejected(tmp_path, nested(path, value)).splitlines() if allowed in line)
    file, _, problem = line.partition(": ")
    assert Path(file).name == ("laptop.yaml" if said.startswith("device") else "mine.yaml")
    assert problem.startswith(said or f"{path} is {value!r}; ")
    assert "; allowed: " in problem


def test_a_spectral_network_for_several_periodic_coordinates_is_refused(tmp_path, no_compute):
    spectral = {"architecture": "spectral", "width": 8, "depth": 1, "activation": "tanh"}
    run = {"problem": "gray_scott", "method": "adam", "network": "series", "training": "gray_scott"}
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


def test_a_run_has_its_own_settings_over_those_of_problem_and_method():
    mapping = laptop()
    points = {"ic": 8, "bc": 8, "pde": 32}
    own = {"settings": {"boundary": "penalised"}, "points": points, "method_settings": {"b1": 0.0}}
    own["training_settings"] = {"steps": 600, "causal": {"tolerance": 2.0, "chunks": 16}}
    mapping["runs"] = [ALLEN_CAHN, ALLEN_CAHN | own | {"name": "varied", "changed": "everything"}]
    configuration = from_mapping(mapping)
    plain, varied = (configuration.run(name) for name in configuration.run_names)
    assert plain.problem_settings == {"initial_condition": "band_limited", "boundary": "embedded"}
    assert varied.problem_settings == {"initial_condition": "band_limited", "boundary": "penalised"}
    assert varied.method_settings == plain.method_settings | {"b1": 0.0}
    assert plain.method_settings["b1"] == 0.99
    assert (varied.training.steps, varied.training.causal.chunks) == (600, 16)
    assert (plain.training.steps, plain.training.causal.chunks) == (6000, 32)
    assert varied.training.weighting == plain.training.weighting
    assert (plain.changed, varied.changed) == ("", "everything")
    assert configuration.reference("allen_cahn").problem_settings == plain.problem_settings


def test_a_run_takes_its_own_number_of_cores_or_that_of_the_configuration():
    mapping = laptop() | {"runs": [RUN, RUN | {"name": "wide", "cores": 4}]}
    for cores, expected in ((1, [1, 4]), (None, [None, 4])):
        configuration = from_mapping(mapping | {"cores": cores})
        assert [configuration.cores_of(name) for name in configuration.run_names] == expected


def test_a_wrong_setting_that_runs_share_is_named_once_where_it_stands(tmp_path):
    overlay = nested("methods.adam.b2", 2.0) | {"runs": [RUN | {"method_settings": {"b1": 0.5}}]}
    (line,) = rejected(tmp_path, overlay).splitlines()
    assert "methods.adam.b2 is 2.0" in line


def test_a_message_has_file_key_value_allowed_and_advice(tmp_path):
    message = rejected(tmp_path, nested("networks.burgers.width", -4))
    assert message == (
        f"{tmp_path / 'mine.yaml'}: networks.burgers.width is -4; allowed: a number > 0; correct the value"
    )
    message = rejected(tmp_path, nested("networks.burgers.widht", 4))
    assert "networks.burgers.widht is an unknown key (value 4)" in message
    assert "did you mean 'width'?" in message


def test_all_problems_of_a_file_are_listed_at_once(tmp_path):
    overlay = nested("networks.burgers.width", -4) | nested("methods.adam.b1", 2.0) | {"device": "tpu"}
    lines = rejected(tmp_path, overlay).splitlines()
    assert [line.split(": ")[1].split(" is ")[0] for line in lines] == [
        "device",
        "networks.burgers.width",
        "methods.adam.b1",
    ]


def test_the_error_names_the_file_that_gave_the_value(tmp_path):
    (tmp_path / "first.yaml").write_text("networks: {burgers: {width: -1}}")
    (tmp_path / "second.yaml").write_text("networks: {burgers: {depth: -2}}")
    with pytest.raises(ConfigurationError) as raised:
        load([CONFIGURATIONS / "laptop.yaml", tmp_path / "first.yaml", tmp_path / "second.yaml"])
    first, second = str(raised.value).splitlines()
    assert "first.yaml: networks.burgers.width is -1" in first
    assert "second.yaml: networks.burgers.depth is -2" in second
    with pytest.raises(ConfigurationError, match="the command line: device is 'tpu'"):
        load([CONFIGURATIONS / "laptop.yaml"], {"device": "tpu"})


@pytest.mark.parametrize("key", [key for key, field in Configuration.model_fields.items() if field.is_required()])
def test_a_missing_key_is_named(key):
    mapping = laptop()
    del mapping[key]
    with pytest.raises(ConfigurationError, match=rf"\AHere: {key} is missing; allowed: .*; add it"):
        from_mapping(mapping, source="Here")


def test_two_runs_of_one_name_need_names():
    mapping = laptop() | {"runs": [RUN, RUN]}
    with pytest.raises(ConfigurationError, match=r"runs\[1\] is 'burgers-adam', given 2 times.*its own 'name'"):
        from_mapping(mapping)
    assert from_mapping(mapping | {"runs": [RUN, RUN | {"name": "again"}]}).run_names == ["burgers-adam", "again"]


def test_a_run_needs_the_reference_of_its_problem(tmp_path):
    mapping = laptop()
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
    file.write_text("seeds: [7]\nnetworks: {burgers: {width: 1e1}}\n")
    with pytest.raises(ConfigurationError, match=r"width is 10\.0; allowed: an integer"):
        load([CONFIGURATIONS / "laptop.yaml", file])
    file.write_text("seeds: [7]\nnetworks: {burgers: {width: 10}}\nmethods: {adam: {learning_rate: 1e-2}}\n")
    merged = load([CONFIGURATIONS / "laptop.yaml", file], {"scale": "smoke"})
    assert (merged.seeds, merged.scale) == ([7], "smoke")
    assert merged.networks["burgers"].width == 10
    assert merged.networks["burgers"].depth == load([CONFIGURATIONS / "laptop.yaml"]).networks["burgers"].depth
    assert merged.run("burgers-adam").method_settings["learning_rate"] == 0.01


def test_a_specification_changes_only_with_its_own_slice():
    mapping = laptop()
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
        look_up(from_mapping(laptop()))


def test_the_schema_file_is_current():
    stored = json.loads((ROOT / "workflow/schemas/configuration.schema.json").read_text())
    assert stored == json.loads(json.dumps(schema())), "run `make schema`"


@pytest.mark.parametrize("scale", SCALES)
def test_the_schema_accepts_what_is_right_and_rejects_unknown_keys(scale):
    mapping = read(CONFIGURATIONS / f"{scale}.yaml")
    jsonschema.validate(mapping, schema())
    if "base" not in mapping:
        with pytest.raises(jsonschema.ValidationError, match="'seeds' is a required property"):
            jsonschema.validate({key: value for key, value in mapping.items() if key != "seeds"}, schema())
    mapping["methods"]["soap"] = mapping["methods"].get("soap", {}) | {"b3": 0.5}
    with pytest.raises(jsonschema.ValidationError, match="b3"):
        jsonschema.validate(mapping, schema())


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
            if place not in ("/problems", "/methods"):  # those hold models, described by their docstrings
                assert "description" in entry, f"{place}/{name} has no description"
            look(f"{place}/{name}", entry)
        for name, entry in part.get("$defs", {}).items():
            look(name, entry)

    look("", schema())
