"""What to run: pydantic models of the configuration files, with every key described and unknown keys forbidden.

``load`` merges files as Snakemake does (mappings merge, lists are replaced) and checks everything that can be checked
before any compute is spent: keys, types, ranges, names, and how the settings of one part fit those of another.
"""

import difflib
import json
import re
import types
import typing
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError

from gradalign.errors import ConfigurationError, unknown_name

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
RunName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Scale = Literal["smoke", "laptop", "paper"]
Device = Literal["cpu", "gpu"]
Key = tuple[str | int, ...]
"""Where a value stands: the keys and list positions that lead to it."""


class StrictModel(BaseModel):
    """Base of all settings: unknown keys are errors, values are never coerced between types, nothing changes later."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class WeightingSettings(StrictModel):
    """Loss weights by gradient norm (arXiv 2308.08468, section 3.1): w_k = mean ||g|| / (||g_k|| + 1e-5 mean ||g||)."""

    scheme: Literal["constant", "gradient_norm"] = Field(description="how loss weights are chosen")
    initial: dict[Name, PositiveFloat] = Field(default={}, description="first weight by loss term; 1 where not named")
    every: PositiveInt = Field(default=1000, description="steps between two updates of the weights")
    momentum: float = Field(default=0.9, ge=0, lt=1, description="share of the old weight kept at an update")


class CausalSettings(StrictModel):
    """Causal row weights w_i = exp(-tolerance * sum_{j<i} L_j) over equal chunks in time (arXiv 2203.07404)."""

    tolerance: PositiveFloat = Field(description="the factor in the exponent")
    chunks: int = Field(ge=2, description="number of chunks in time; must divide the number of points")


class TrainingSettings(StrictModel):
    """The loop of one run."""

    steps: PositiveInt = Field(description="optimizer steps")
    precision: Literal["float32", "float64"] = Field(description="dtype of parameters, points and statistics")
    log_every: int = Field(ge=2, description="steps between two rows of diagnostics; divides the steps")
    checkpoint_every: PositiveInt = Field(description="steps between two checkpoints; a multiple of log_every")
    own_state: bool = Field(description="feed one optimizer state per loss term, for the own-state score")
    points_every: PositiveInt = Field(default=1, description="steps between two draws of collocation points")
    weighting: WeightingSettings = Field(description="weights of the loss terms")
    causal: CausalSettings | None = Field(default=None, description="causal row weights; none where left out")


class NetworkSettings(StrictModel):
    """Architecture of the network."""

    architecture: Literal["mlp", "modified_mlp", "pirate_net"] = Field(description="kind of network")
    width: PositiveInt = Field(description="units of a hidden layer")
    depth: PositiveInt = Field(description="hidden layers; for pirate_net residual blocks of three layers each")
    activation: Literal["tanh", "swish", "gelu", "sin"] = Field(description="activation function")
    fourier_features: int = Field(
        default=0, ge=0, multiple_of=2, description="random Fourier features (an even number); 0 for none"
    )
    fourier_scale: PositiveFloat = Field(default=1.0, description="standard deviation of their frequencies")
    harmonics: PositiveInt = Field(default=1, description="harmonics of the exact embedding of periodic coordinates")
    weight_factorisation: bool = Field(default=False, description="random weight factorisation, W = diag(exp s) V")
    factorisation_mean: float = Field(default=1.0, description="mean of s")
    factorisation_deviation: float = Field(default=0.1, ge=0, description="standard deviation of s")


class RunSpecification(StrictModel):
    """All that one training run depends on, resolved from a configuration."""

    name: str
    scale: Scale
    device: Device
    problem: Name
    problem_settings: dict[str, Any]
    points: dict[Name, PositiveInt]
    network: NetworkSettings
    method: Name
    method_settings: dict[str, Any]
    training: TrainingSettings
    seeds: list[Seed]


class ReferenceSpecification(StrictModel):
    """All that one reference solution depends on, resolved from a configuration."""

    scale: Scale
    problem: Name
    problem_settings: dict[str, Any]
    reference_settings: dict[str, Any]


class RunEntry(StrictModel):
    """One entry of the list of runs: which problem, with which method, network and training."""

    problem: Name = Field(description="a key of problems")
    method: Name = Field(description="a key of methods")
    network: Name = Field(description="a key of networks")
    training: Name = Field(description="a key of training")
    name: RunName | None = Field(default=None, description="name of the run; problem-method where left out")

    @property
    def run_name(self) -> str:
        return self.name or f"{self.problem}-{self.method}"


class ProblemEntry(StrictModel):
    """Everything about one problem that is not the network or the method."""

    settings: dict[str, Any] = Field(default={}, description="Settings of gradalign.problems.<problem>")
    points: dict[Name, PositiveInt] = Field(description="collocation points per step by loss term")
    reference: dict[str, Any] = Field(default={}, description="Settings of gradalign.references.<problem>")


class Configuration(StrictModel):
    """A whole configuration: lists say what to run, mappings hold settings."""

    scale: Scale = Field(description="size of everything, and the folder of the results")
    device: Device = Field(description="what trains; a gpu run refuses to start on a cpu")
    seeds: list[Seed] = Field(min_length=1, description="seeds of every run, trained one after the other")
    claims: list[Name] = Field(min_length=1, description="topics in gradalign.claims to check")
    references: list[Name] = Field(min_length=1, description="problems whose reference solution is computed")
    runs: list[RunEntry] = Field(min_length=1, description="training runs")
    networks: dict[Name, NetworkSettings] = Field(description="network settings by name")
    problems: dict[Name, ProblemEntry] = Field(description="problem settings by module in gradalign.problems")
    methods: dict[Name, dict[str, Any]] = Field(description="method settings by module in gradalign.optimizers")
    training: dict[Name, TrainingSettings] = Field(description="training settings by name")

    @property
    def run_names(self) -> list[str]:
        """Names of all runs, in the order of the list."""
        return [entry.run_name for entry in self.runs]

    def run(self, name: str) -> RunSpecification:
        """All that the run ``name`` depends on. Raises ``ConfigurationError`` for an unknown name."""
        entries = {entry.run_name: entry for entry in self.runs}
        if name not in entries:
            raise unknown_name("run", name, entries)
        entry = entries[name]
        return RunSpecification(
            name=name,
            scale=self.scale,
            device=self.device,
            problem=entry.problem,
            problem_settings=self.problems[entry.problem].settings,
            points=self.problems[entry.problem].points,
            network=self.networks[entry.network],
            method=entry.method,
            method_settings=self.methods[entry.method],
            training=self.training[entry.training],
            seeds=self.seeds,
        )

    def reference(self, problem: str) -> ReferenceSpecification:
        """All that the reference of ``problem`` depends on. Raises ``ConfigurationError`` for an unknown problem."""
        if problem not in self.problems:
            raise unknown_name("problem", problem, self.problems)
        return ReferenceSpecification(
            scale=self.scale,
            problem=problem,
            problem_settings=self.problems[problem].settings,
            reference_settings=self.problems[problem].reference,
        )


def load(paths: Sequence[Path | str], overrides: Mapping[str, Any] | None = None) -> Configuration:
    """The checked configuration of the merged ``paths``: later files win, mappings merge, lists are replaced.

    ``overrides`` are values of a command line, merged last. Raises ``ConfigurationError``, naming file, key, value and
    what is allowed, for everything that is wrong at the first stage that finds something: reading the files; keys,
    types and ranges; how names and numbers fit together.
    """
    layers = [(str(path), read(Path(path))) for path in paths]
    if overrides:
        layers.append(("the command line", dict(overrides)))
    merged: dict[str, Any] = {}
    origins: dict[Key, str] = {(): " and ".join(source for source, _ in layers)}
    for source, mapping in layers:
        _merge(merged, mapping, source, origins, ())
    return _check(merged, origins)


def from_mapping(mapping: Mapping[str, Any], source: str = "the configuration") -> Configuration:
    """The checked configuration of a mapping; ``source`` names it in errors. Raises as ``load`` does."""
    return _check(dict(mapping), {(): source})


def read(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file, as written.

    Numbers are those of YAML 1.2 (``1e-3`` is a number). Raises ``ConfigurationError`` for a missing file, for wrong
    syntax, for a key that appears twice and for a file that is not a mapping.
    """
    try:
        with path.open(encoding="utf-8") as file:
            content = _Loader(file).get_single_data()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read ({error}); allowed: a YAML file; check the path") from error
    except yaml.YAMLError as error:
        raise ConfigurationError(
            f"{path}: not readable as YAML, {error}\n  allowed: a mapping without repeated keys; correct the line"
        ) from error
    if not isinstance(content, dict):
        raise ConfigurationError(
            f"{path}: holds {_shown(content)}; allowed: a mapping; write lines such as 'scale: smoke'"
        )
    return content


def module_names(package: str) -> list[str]:
    """Names of the modules of ``gradalign.<package>``, found without importing them.

    >>> "adam" in module_names("optimizers")
    True
    """
    return sorted(module.name for module in iter_modules([str(Path(__file__).parent / package)]))


def schema() -> dict[str, Any]:
    """JSON schema of a configuration file, with the settings of every problem, reference and method filled in."""
    result = Configuration.model_json_schema()
    result["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    definitions = result["$defs"]

    def settings(package: str, name: str) -> dict[str, Any]:
        part = _settings_model(package, name).model_json_schema()
        definitions.update(part.pop("$defs", {}))
        return part

    entry = definitions.pop("ProblemEntry")
    result["properties"]["problems"] |= {
        "properties": {
            name: entry
            | {
                "properties": entry["properties"]
                | {"settings": settings("problems", name)}
                | ({"reference": settings("references", name)} if name in module_names("references") else {})
            }
            for name in module_names("problems")
        },
        "additionalProperties": False,
    }
    result["properties"]["methods"] |= {
        "properties": {name: settings("optimizers", name) for name in module_names("optimizers")},
        "additionalProperties": False,
    }
    for mapping in ("problems", "methods"):
        result["properties"][mapping].pop("patternProperties", None)
    return result


class _Loader(yaml.SafeLoader):
    """The safe YAML loader, with YAML 1.2 numbers and without repeated keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key, _ in node.value:
            name = self.construct_object(key, deep=True)
            if name in seen:
                raise yaml.MarkedYAMLError(problem=f"key {name!r} appears twice", problem_mark=key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+$"),
    list("-+.0123456789"),
)


def _merge(
    target: dict[str, Any], mapping: Mapping[str, Any], source: str, origins: dict[Key, str], prefix: Key
) -> None:
    for key, value in mapping.items():
        place = (*prefix, key)
        origins[place] = source
        if isinstance(value, Mapping):
            if not isinstance(target.get(key), dict):
                target[key] = {}
            _merge(target[key], value, source, origins, place)
        else:
            target[key] = value


def _check(mapping: dict[str, Any], origins: Mapping[Key, str]) -> Configuration:
    """The configuration, or one error that lists all problems of the first stage that finds any."""
    problems = [*_settings_problems(mapping)]
    try:
        configuration = _validate(Configuration, mapping)
    except ValidationError as error:
        problems = [*_translated(error, Configuration, ()), *problems]
    if not problems:
        problems = [*_misfits(configuration)]
    if problems:
        raise ConfigurationError("\n".join(f"{_origin(key, origins)}: {message}" for key, message in problems))
    return configuration


def _validate(model: type[BaseModel], mapping: Mapping[str, Any]) -> Any:
    """Validation as of JSON, in which a list may fill a tuple."""
    return model.model_validate_json(json.dumps(mapping, default=str))


def _settings_model(package: str, name: str) -> type[BaseModel]:
    return import_module(f"gradalign.{package}.{name}").Settings


def _settings_problems(mapping: Mapping[str, Any]) -> Iterator[tuple[Key, str]]:
    """What is wrong with the settings of problems, references and methods, each checked by its own module."""
    parts: list[tuple[str, Key, Any]] = []
    for method, settings in _mapping(mapping.get("methods")).items():
        parts.append(("optimizers", ("methods", method), settings))
    for problem, entry in _mapping(mapping.get("problems")).items():
        parts.append(("problems", ("problems", problem, "settings"), _mapping(entry).get("settings", {})))
        if "reference" in _mapping(entry):
            parts.append(("references", ("problems", problem, "reference"), _mapping(entry)["reference"]))
    for package, key, settings in parts:
        name = str(key[1])
        allowed = module_names(package)
        if name not in allowed:
            kind = {"optimizers": "method", "problems": "problem", "references": "reference"}[package]
            yield key[:2], _message(key[:2], f"an unknown {kind}", _one_of(allowed), _advice(name, allowed))
        elif isinstance(settings, Mapping):
            model = _settings_model(package, name)
            try:
                _validate(model, settings)
            except ValidationError as error:
                yield from _translated(error, model, key)


def _misfits(configuration: Configuration) -> Iterator[tuple[Key, str]]:
    """What does not fit together in a configuration whose values are right one by one."""
    if configuration.scale == "paper" and configuration.device != "gpu":
        advice = "run it on a machine with a GPU, or choose the scale 'laptop' or 'smoke'"
        message = _message(("device",), _shown(configuration.device), "'gpu' at scale 'paper'", advice)
        yield ("device",), message
    for index, topic in enumerate(configuration.claims):
        yield from _unknown(("claims", index), topic, module_names("claims"), "a topic in gradalign.claims")
    for index, problem in enumerate(configuration.references):
        place = ("references", index)
        yield from _unknown(place, problem, module_names("references"), "a problem in gradalign.references")
        yield from _unknown(place, problem, configuration.problems, "a key of problems")
    lists: dict[str, Sequence[Hashable]] = {
        "seeds": configuration.seeds,
        "claims": configuration.claims,
        "references": configuration.references,
        "runs": configuration.run_names,
    }
    for key, values in lists.items():
        yield from _repeated(key, values)
    for name, training in configuration.training.items():
        yield from _training_misfits(("training", name), training)
    for problem in configuration.problems:
        yield from _points_misfits(configuration, problem)
    for index, entry in enumerate(configuration.runs):
        yield from _run_misfits(configuration, ("runs", index), entry)


def _unknown(key: Key, name: str, allowed: Iterable[str], kind: str) -> Iterator[tuple[Key, str]]:
    allowed = sorted(allowed)
    if name not in allowed:
        yield key, _message(key, _shown(name), f"{kind}: {_one_of(allowed)}", _advice(name, allowed))


def _repeated(key: str, values: Sequence[Hashable]) -> Iterator[tuple[Key, str]]:
    for value, count in Counter(values).items():
        if count > 1:
            advice = "give each run its own 'name'" if key == "runs" else "remove the repetition"
            place = (key, len(values) - 1 - values[::-1].index(value))
            yield place, _message(place, f"{_shown(value)}, given {count} times", "different values", advice)


def _training_misfits(key: Key, training: TrainingSettings) -> Iterator[tuple[Key, str]]:
    if training.steps % training.log_every:
        place = (*key, "log_every")
        allowed = f"a divisor of steps = {training.steps}"
        yield place, _message(place, _shown(training.log_every), allowed, "change one of the two")
    if training.checkpoint_every % training.log_every:
        place = (*key, "checkpoint_every")
        allowed = f"a multiple of log_every = {training.log_every}"
        yield place, _message(place, _shown(training.checkpoint_every), allowed, "change one of the two")


def _points_misfits(configuration: Configuration, problem: str) -> Iterator[tuple[Key, str]]:
    losses = _problem(configuration, problem).losses
    points = configuration.problems[problem].points
    if set(points) != set(losses):
        place = ("problems", problem, "points")
        allowed = f"exactly the loss terms of {problem}: {', '.join(losses)}"
        yield place, _message(place, _shown(points), allowed, "name each loss term once, with its number of points")


def _run_misfits(configuration: Configuration, key: Key, entry: RunEntry) -> Iterator[tuple[Key, str]]:
    sections = {"problem": "problems", "method": "methods", "network": "networks", "training": "training"}
    unknown = [
        found
        for field, section in sections.items()
        for found in _unknown(
            (*key, field), getattr(entry, field), getattr(configuration, section), f"a key of {section}"
        )
    ]
    yield from unknown
    if unknown:
        return
    listed = "a problem of the list references, against which runs are scored"
    yield from _unknown((*key, "problem"), entry.problem, configuration.references, listed)
    problem = _problem(configuration, entry.problem)
    training = configuration.training[entry.training]
    points = configuration.problems[entry.problem].points
    for name in training.weighting.initial:
        if name not in problem.losses:
            term: Key = ("training", entry.training, "weighting", "initial", name)
            given = f"not a loss term of {entry.problem}, which the run {entry.run_name} trains"
            yield term, _message(term, given, _one_of(problem.losses), _advice(name, problem.losses))
    if training.causal is None:
        return
    causal: Key = ("training", entry.training, "causal")
    place = (*causal, "chunks")
    if not problem.causal:
        allowed = f"nothing for {entry.problem}, which has no causal loss term"
        yield causal, _message(causal, "given", allowed, f"use another training in the run {entry.run_name}")
    for name in problem.causal:
        if points.get(name, 0) % training.causal.chunks:
            allowed = f"a divisor of problems.{entry.problem}.points.{name} = {points[name]}"
            yield place, _message(place, _shown(training.causal.chunks), allowed, "change one of the two")


def _problem(configuration: Configuration, name: str) -> Any:
    module = import_module(f"gradalign.problems.{name}")
    return module.problem(_validate(module.Settings, configuration.problems[name].settings))


# ---- messages ----


def _message(key: Key, given: str, allowed: str, advice: str) -> str:
    return f"{_dotted(key)} is {given}; allowed: {allowed}; {advice}"


def _dotted(key: Key) -> str:
    """``("runs", 0, "problem")`` as ``runs[0].problem``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key)
    return text.removeprefix(".") or "the whole file"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}..."


def _one_of(names: Iterable[str]) -> str:
    return ", ".join(names) or "nothing yet"


def _advice(name: str, allowed: Iterable[str]) -> str:
    close = difflib.get_close_matches(str(name), list(allowed), n=1)
    return f"did you mean {close[0]!r}?" if close else "choose one of these"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _origin(key: Key, origins: Mapping[Key, str]) -> str:
    """The file that gave the value at ``key``, or its nearest part that any file gave."""
    return next(origins[key[:length]] for length in range(len(key), -1, -1) if key[:length] in origins)


def _translated(error: ValidationError, model: type[BaseModel], prefix: Key) -> Iterator[tuple[Key, str]]:
    """Key and message of every problem that pydantic found, with what is allowed in plain words."""
    for detail in error.errors(include_url=False):
        key = (*prefix, *(part for part in detail["loc"] if part != "[key]"))
        kind, context, given = detail["type"], detail.get("ctx", {}), detail["input"]
        siblings = sorted(getattr(_model_at(model, detail["loc"][:-1]), "model_fields", {}))
        if kind == "extra_forbidden":
            name = str(key[-1])
            yield (
                key,
                _message(key, f"an unknown key (value {_shown(given)})", _one_of(siblings), _advice(name, siblings)),
            )
        elif kind == "missing":
            description = _model_at(model, detail["loc"][:-1]).model_fields[detail["loc"][-1]].description
            yield key, _message(key, "missing", description or "any value", "add it")
        else:
            yield key, _message(key, _shown(given), _allowed(kind, context, detail["msg"]), "correct the value")


def _allowed(kind: str, context: Mapping[str, Any], message: str) -> str:
    """What pydantic would accept, in plain words."""
    match kind:
        case "literal_error":
            return str(context["expected"])
        case "greater_than":
            return f"a number > {context['gt']}"
        case "greater_than_equal":
            return f"a number >= {context['ge']}"
        case "less_than":
            return f"a number < {context['lt']}"
        case "less_than_equal":
            return f"a number <= {context['le']}"
        case "multiple_of":
            return f"a multiple of {context['multiple_of']}"
        case "int_type" | "int_from_float":
            return "an integer"
        case "float_type":
            return "a number"
        case "finite_number":
            return "a finite number"
        case "bool_type":
            return "true or false"
        case "string_type":
            return "text"
        case "list_type":
            return "a list"
        case "dict_type" | "model_type":
            return "a mapping"
        case "too_short":
            return f"at least {context['min_length']} entries"
        case "string_pattern_mismatch":
            return f"a name that matches {context['pattern']}"
        case _:
            return message.removeprefix("Value error, ")


def _model_at(model: Any, place: Sequence[str | int]) -> Any:
    """The model that stands at ``place`` inside ``model``, through mappings, lists and optional values."""
    if isinstance(model, types.UnionType) or typing.get_origin(model) is typing.Union:
        model = next(part for part in typing.get_args(model) if part is not type(None))
    if typing.get_origin(model) is Annotated:
        model = typing.get_args(model)[0]
    if not place:
        return model
    if isinstance(model, type) and issubclass(model, BaseModel):
        return _model_at(model.model_fields[str(place[0])].annotation, place[1:])
    return _model_at(typing.get_args(model)[-1], place[1:])
