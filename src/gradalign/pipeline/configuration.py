"""What to run: the configuration files, merged and checked.

``load`` merges files as Snakemake does (mappings merge, lists are replaced) and checks everything that can be checked
before any compute is spent: keys, types, ranges, names, and how the settings of one part fit those of another.
"""

import json
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, PositiveInt, ValidationError

from gradalign.base.discovery import module_names
from gradalign.base.errors import ConfigurationError, unknown_name
from gradalign.base.options import Options
from gradalign.base.settings import Device, Name, RunName, Scale, Seed, StrictModel, model_of
from gradalign.base.yaml_files import read
from gradalign.networks.settings import NetworkSettings
from gradalign.pipeline.configuration_messages import Key, advice, dotted, message, one_of, shown, translated
from gradalign.problems._contract import Problem
from gradalign.references._specification import ReferenceSpecification, StudySpecification
from gradalign.training.settings import RunSpecification, TrainingSettings

_KINDS = {"optimizers": "method", "problems": "problem", "references": "reference", "references.studies": "study"}


class RunEntry(StrictModel):
    """One entry of the list of runs: which problem, with which method, network and training."""

    problem: Name = Field(description="a key of problems")
    method: Name = Field(description="a key of methods")
    network: Name = Field(description="a key of networks")
    training: Name = Field(description="a key of training")
    name: RunName | None = Field(default=None, description="name of the run; problem-method where left out")
    seeds: list[Seed] | None = Field(
        default=None, min_length=1, description="seeds of this run, in place of those of the configuration"
    )
    cores: PositiveInt | None = Field(
        default=None, description="cores of this run, in place of those of the configuration"
    )
    points: dict[Name, PositiveInt] | None = Field(
        default=None, description="collocation points of this run, in place of those of the problem"
    )
    settings: dict[str, Any] = Field(
        default={}, description="settings of the problem in this run, key by key over those of problems.<problem>"
    )
    method_settings: dict[str, Any] = Field(
        default={}, description="settings of the method in this run, key by key over those of methods.<method>"
    )
    training_settings: dict[str, Any] = Field(
        default={}, description="settings of the loop in this run, key by key over those of training.<training>"
    )
    changed: str | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        description="for a variation of another run: what it changes, in words that follow the name of the method in "
        "labels; figures of errors, losses and fields leave such runs out",
    )

    @property
    def run_name(self) -> str:
        return self.name or f"{self.problem}-{self.method}"


class ProblemEntry(StrictModel):
    """Everything about one problem that is not the network or the method."""

    settings: dict[str, Any] = Field(default={}, description="Settings of gradalign.problems.<problem>")
    points: dict[Name, PositiveInt] = Field(description="collocation points per step by point set")
    reference: dict[str, Any] = Field(default={}, description="Settings of gradalign.references.<problem>")


class Configuration(StrictModel):
    """A whole configuration: lists say what to run, mappings hold settings."""

    scale: Scale = Field(description="size of everything, and the folder of the results")
    device: Device = Field(description="what trains; a gpu run refuses to start on a cpu")
    seeds: list[Seed] = Field(min_length=1, description="seeds of every run, trained one after the other")
    cores: PositiveInt | None = Field(default=None, description="cores of every run, all that there are where left out")
    claims: list[Name] = Field(min_length=1, description="topics in gradalign.claims to check")
    references: list[Name] = Field(min_length=1, description="problems whose reference solution is computed")
    studies: list[Name] = Field(description="studies in gradalign.references.studies to make")
    runs: list[RunEntry] = Field(min_length=1, description="training runs")
    networks: dict[Name, NetworkSettings] = Field(description="network settings by name")
    problems: dict[Name, ProblemEntry] = Field(description="problem settings by module in gradalign.problems")
    methods: dict[Name, dict[str, Any]] = Field(description="method settings by module in gradalign.optimizers")
    training: dict[Name, TrainingSettings] = Field(description="training settings by name")
    study_settings: dict[Name, dict[str, Any]] = Field(
        description="settings of the studies by module in gradalign.references.studies"
    )

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
            changed=entry.changed or "",
            scale=self.scale,
            device=self.device,
            problem=entry.problem,
            problem_settings=self.problems[entry.problem].settings | entry.settings,
            points=entry.points or self.problems[entry.problem].points,
            network=self.networks[entry.network],
            method=entry.method,
            method_settings=self.methods[entry.method] | entry.method_settings,
            training=self.training_of(entry),
            seeds=entry.seeds or self.seeds,
        )

    def cores_of(self, name: str) -> int | None:
        """How many cores the run ``name`` takes; None: all that there are."""
        return next(entry.cores for entry in self.runs if entry.run_name == name) or self.cores

    def training_of(self, entry: RunEntry) -> TrainingSettings:
        """The training settings of a run: those of its training, with its own over them."""
        if not entry.training_settings:
            return self.training[entry.training]
        merged = self.training[entry.training].model_dump(exclude_none=True) | entry.training_settings
        training: TrainingSettings = _validate(TrainingSettings, merged)
        return training

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

    def study(self, name: str) -> StudySpecification:
        """All that the study ``name`` depends on. Raises ``ConfigurationError`` for an unknown name."""
        if name not in self.studies:
            raise unknown_name("study", name, self.studies)
        return StudySpecification(scale=self.scale, study=name, settings=self.study_settings.get(name, {}))


def load(paths: Sequence[Path | str], overrides: Mapping[str, Any] | None = None) -> Configuration:
    """The checked configuration of the merged ``paths``: later files win, mappings merge, lists are replaced.

    ``overrides`` are values of a command line, merged last. Raises ``ConfigurationError``, naming file, key, value and
    what is allowed, for everything that is wrong at the first stage that finds something: reading the files; keys,
    types and ranges; how names and numbers fit together.

    A file may name another of its folder, ``base: FILE``, over which it is merged.
    """
    layers = [layer for path in paths for layer in _with_base(Path(path))]
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
    entry.pop("required")
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
    for mapping, package in (("methods", "optimizers"), ("study_settings", "references.studies")):
        result["properties"][mapping] |= {
            "properties": {name: settings(package, name) for name in module_names(package)},
            "additionalProperties": False,
        }
    for mapping in ("problems", "methods", "study_settings"):
        result["properties"][mapping].pop("patternProperties", None)
    # Of the file alone, not of the configuration that comes of it; what a file with a base leaves out is in the base
    result["properties"]["base"] = {"type": "string", "description": "file of the same folder to build on"}
    result["if"] = {"not": {"required": ["base"]}}
    result["then"] = {"required": result.pop("required")}
    return result


def _with_base(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """A file, after the one that it names as its base: where each came from, and its mapping."""
    mapping = read(path)
    if "base" not in mapping:
        return [(str(path), mapping)]
    name = mapping.pop("base")
    beside = sorted(other.name for other in path.parent.glob("*.yaml") if other != path)
    if name not in beside:
        advised = advice(str(name), beside)
        raise ConfigurationError(
            f"{path}: {message(('base',), shown(name), f'a file beside it: {one_of(beside)}', advised)}"
        )
    base = path.parent / name
    below = read(base)
    if "base" in below:
        what_to_do = "name as base a file that has none"
        raise ConfigurationError(
            f"{path}: {message(('base',), shown(name), 'a file without a base of its own', what_to_do)}"
        )
    return [(str(base), below), (str(path), mapping)]


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
        problems = [*translated(error, Configuration, ()), *problems]
    if not problems:
        problems = [*_misfits(configuration)]
    if problems:
        raise ConfigurationError("\n".join(f"{_origin(key, origins)}: {message}" for key, message in problems))
    return configuration


def _validate(model: type[BaseModel], mapping: Mapping[str, Any]) -> Any:
    """Validation as of JSON, in which a list may fill a tuple."""
    return model.model_validate_json(json.dumps(mapping, default=str))


def _settings_model(package: str, name: str) -> type[BaseModel]:
    found: Any = import_module(f"gradalign.{package}.{name}").Settings
    return model_of(found) if issubclass(found, Options) else found


def _known_model(package: str, name: str) -> type[BaseModel] | None:
    return _settings_model(package, name) if name in module_names(package) else None


def _settings_problems(mapping: Mapping[str, Any]) -> Iterator[tuple[Key, str]]:
    """What is wrong with the settings of problems, references and methods, each checked by its own module."""
    parts: list[tuple[str, Key, Any]] = []
    for method, settings in _mapping(mapping.get("methods")).items():
        parts.append(("optimizers", ("methods", method), settings))
    for study, settings in _mapping(mapping.get("study_settings")).items():
        parts.append(("references.studies", ("study_settings", study), settings))
    for problem, entry in _mapping(mapping.get("problems")).items():
        parts.append(("problems", ("problems", problem, "settings"), _mapping(entry).get("settings", {})))
        if "reference" in _mapping(entry):
            parts.append(("references", ("problems", problem, "reference"), _mapping(entry)["reference"]))
    for package, key, settings in parts:
        name = str(key[1])
        allowed = module_names(package)
        if name not in allowed:
            kind = _KINDS[package]
            yield key[:2], message(key[:2], f"an unknown {kind}", one_of(allowed), advice(name, allowed))
        elif isinstance(settings, Mapping):
            model = _settings_model(package, name)
            try:
                _validate(model, settings)
            except ValidationError as error:
                yield from translated(error, model, key)
    runs = mapping.get("runs")
    for index, run in enumerate(runs if isinstance(runs, list) else []):
        yield from _override_problems(mapping, ("runs", index), _mapping(run))


def _override_problems(mapping: Mapping[str, Any], key: Key, run: Mapping[str, Any]) -> Iterator[tuple[Key, str]]:
    """What is wrong with the settings that one run has of its own, over those of its problem and method."""
    problem, method = str(run.get("problem")), str(run.get("method"))
    base = _mapping(_mapping(mapping.get("problems")).get(problem)).get("settings")
    training = _mapping(_mapping(mapping.get("training")).get(str(run.get("training"))))
    bases: dict[str, tuple[type[BaseModel] | None, Mapping[str, Any]]] = {
        "settings": (_known_model("problems", problem), _mapping(base)),
        "method_settings": (
            _known_model("optimizers", method),
            _mapping(_mapping(mapping.get("methods")).get(method)),
        ),
        "training_settings": (TrainingSettings if training else None, training),
    }
    for field, (model, shared) in bases.items():
        own = _mapping(run.get(field))
        if not own or model is None:
            continue
        try:
            _validate(model, {**shared, **own})
        except ValidationError as error:
            place = (*key, field)
            of_shared = {(*place, name) for name in shared if name not in own}  # named where they stand
            yield from ((at, text) for at, text in translated(error, model, place) if at not in of_shared)


def _misfits(configuration: Configuration) -> Iterator[tuple[Key, str]]:
    """What does not fit together in a configuration whose values are right one by one."""
    if configuration.scale == "paper" and configuration.device != "gpu":
        ways_on = "run it on a machine with a GPU, or choose the scale 'laptop' or 'smoke'"
        yield ("device",), message(("device",), shown(configuration.device), "'gpu' at scale 'paper'", ways_on)
    for index, topic in enumerate(configuration.claims):
        yield from _unknown(("claims", index), topic, module_names("claims"), "a topic in gradalign.claims")
    for index, problem in enumerate(configuration.references):
        place = ("references", index)
        yield from _unknown(place, problem, module_names("references"), "a problem in gradalign.references")
        yield from _unknown(place, problem, configuration.problems, "a key of problems")
    for index, study in enumerate(configuration.studies):
        yield from _unknown(
            ("studies", index), study, module_names("references.studies"), "a module in gradalign.references.studies"
        )
    lists: dict[str, Sequence[Hashable]] = {
        "seeds": configuration.seeds,
        "studies": configuration.studies,
        "claims": configuration.claims,
        "references": configuration.references,
        "runs": configuration.run_names,
    }
    for key, values in lists.items():
        yield from _repeated(key, values)
    for name, training in configuration.training.items():
        yield from _training_misfits(("training", name), training)
    for problem, settings in configuration.problems.items():
        posed = _problem(problem, settings.settings)
        yield from _points_misfits(("problems", problem, "points"), posed, settings.points)
    for index, entry in enumerate(configuration.runs):
        yield from _run_misfits(configuration, ("runs", index), entry)


def _unknown(key: Key, name: str, allowed: Iterable[str], kind: str) -> Iterator[tuple[Key, str]]:
    allowed = sorted(allowed)
    if name not in allowed:
        yield key, message(key, shown(name), f"{kind}: {one_of(allowed)}", advice(name, allowed))


def _repeated(key: str, values: Sequence[Hashable]) -> Iterator[tuple[Key, str]]:
    for value, count in Counter(values).items():
        if count > 1:
            what_to_do = "give each run its own 'name'" if key == "runs" else "remove the repetition"
            place = (key, len(values) - 1 - values[::-1].index(value))
            yield place, message(place, f"{shown(value)}, given {count} times", "different values", what_to_do)


def _training_misfits(key: Key, training: TrainingSettings) -> Iterator[tuple[Key, str]]:
    if training.checkpoint_every % training.log_every:
        place = (*key, "checkpoint_every")
        allowed = f"a multiple of log_every = {training.log_every}"
        yield place, message(place, shown(training.checkpoint_every), allowed, "change one of the two")

    yield from _stage_misfits(key, training)


def _stage_misfits(key: Key, training: TrainingSettings) -> Iterator[tuple[Key, str]]:
    """Windows and curricula must share the steps out, so that the log has a row at the end of every stage."""
    if training.windows is not None and training.curriculum is not None:
        place = (*key, "curriculum")
        yield place, message(place, "given beside windows", "one of the two", "leave one out")
    elif training.curriculum is not None and sum(training.stage_steps) != training.steps:
        place, total = (*key, "curriculum", "stages"), sum(training.stage_steps)
        yield place, message(place, f"{total} steps in all", f"a sum of steps = {training.steps}", "change one of them")
    elif training.windows is not None and training.windows.steps_ratio < 1:
        alone = training.windows.first_steps or 0
        if training.steps % training.log_every or alone % training.log_every or min(training.stage_steps) <= 0:
            place, given = (*key, "windows", "steps_ratio"), training.windows.steps_ratio
            allowed = (
                f"steps and first_steps in multiples of log_every = {training.log_every}, and as many left at least to "
                f"every window of {training.windows.count}; here the fewest are {min(training.stage_steps)}"
            )
            yield place, message(place, shown(given), allowed, "raise it, change first_steps or lower log_every")
            return
    elif training.windows is not None and (first := training.windows.first_steps) is not None:
        place, others = (*key, "windows", "first_steps"), (training.windows.count - 1) * training.log_every
        if first >= training.steps or first % training.log_every or (training.steps - first) % others:
            allowed = (
                f"a multiple of log_every = {training.log_every} below steps = {training.steps}, so that a multiple "
            )
            allowed += f"of {others} is left to the {training.windows.count - 1} other windows"
            yield place, message(place, shown(first), allowed, "change one of the two")
            return
    elif training.windows is not None and training.steps % training.windows.count:
        place = (*key, "windows", "count")
        allowed = f"a divisor of steps = {training.steps}, unless first_steps says what the first window takes"
        yield place, message(place, shown(training.windows.count), allowed, "change one of the two")
    for index, steps in enumerate(training.stage_steps):
        if steps % training.log_every:
            place = (*key, "log_every")
            one = len(training.stage_steps) == 1
            allowed = f"a divisor of steps = {steps}" if one else f"a divisor of the {steps} steps of stage {index + 1}"
            yield place, message(place, shown(training.log_every), allowed, "change one of the two")
            return


def _points_misfits(key: Key, problem: Problem, points: Mapping[str, int]) -> Iterator[tuple[Key, str]]:
    if set(points) != set(problem.sets):
        allowed = f"exactly the point sets of {problem.name}: {', '.join(problem.sets)}"
        yield key, message(key, shown(points), allowed, "name each point set once, with its number of points")


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
    shared = configuration.problems[entry.problem]
    problem = _problem(entry.problem, shared.settings | entry.settings)
    yield from _override_misfits(key, entry, _problem(entry.problem, shared.settings), shared.settings)
    training = configuration.training_of(entry)
    if entry.training_settings:
        yield from _training_misfits((*key, "training_settings"), training)
    points, points_key = shared.points, f"problems.{entry.problem}.points"
    if entry.points is not None or entry.settings:
        points, points_key = entry.points or shared.points, f"{dotted(key)}.points"
        yield from _points_misfits((*key, "points"), problem, points)
    for name in training.weighting.initial:
        if name not in problem.losses:
            term: Key = (*_training_key(key, entry, "weighting"), "initial", name)
            given = f"not a loss term of {entry.problem}, which the run {entry.run_name} trains"
            yield term, message(term, given, one_of(problem.losses), advice(name, problem.losses))
    network = configuration.networks[entry.network]
    if network.architecture == "spectral" and len(problem.periodic) != 1:
        spectral: Key = ("networks", entry.network, "architecture")
        allowed = f"another one for {problem.name}, which has {len(problem.periodic)} periodic coordinates, not one"
        yield spectral, message(spectral, "'spectral'", allowed, f"use another network in the run {entry.run_name}")
    if network.symmetric and not problem.has_symmetry:
        symmetric: Key = ("networks", entry.network, "symmetric")
        allowed = f"false for {problem.name}, which has no known symmetry"
        yield symmetric, message(symmetric, "true", allowed, f"use another network in the run {entry.run_name}")
    yield from _marching_misfits(key, entry, problem, training, shared.settings | entry.settings)
    if training.causal is None:
        return
    causal = _training_key(key, entry, "causal")
    place = (*causal, "chunks")
    if not problem.causal:
        allowed = f"nothing for {entry.problem}, which has no causal loss term"
        yield causal, message(causal, "given", allowed, f"use another training in the run {entry.run_name}")
    for name in dict.fromkeys(problem.point_sets[loss] for loss in problem.causal):
        if points.get(name, 0) % training.causal.chunks:
            allowed = f"a divisor of {points_key}.{name} = {points[name]}"
            yield place, message(place, shown(training.causal.chunks), allowed, "change one of the two")


def _training_key(key: Key, entry: RunEntry, name: str) -> Key:
    """Where a training setting of a run stands: in its own settings, or in those of its training."""
    own = name in entry.training_settings
    return (*key, "training_settings", name) if own else ("training", entry.training, name)


def _marching_misfits(
    key: Key, entry: RunEntry, problem: Problem, training: TrainingSettings, settings: Mapping[str, Any]
) -> Iterator[tuple[Key, str]]:
    """Whether the problem of a run can be cut into the windows, or led through the curriculum, of its training."""
    if training.windows is not None and not problem.has_windows:
        place = _training_key(key, entry, "windows")
        allowed = f"nothing for {problem.name}, which cannot be cut into windows of time"
        yield place, message(place, "given", allowed, f"use another training in the run {entry.run_name}")
    if training.curriculum is None:
        return
    curriculum = _training_key(key, entry, "curriculum")
    parameter, place = training.curriculum.parameter, (*curriculum, "parameter")
    free = sorted({name for names in problem.given.values() for name in names} - set(problem.fields))
    if parameter not in free:
        allowed = f"a parameter of {problem.name} that may change along a run: {one_of(free) if free else 'none'}"
        yield place, message(place, shown(parameter), allowed, f"use another training in the run {entry.run_name}")
        return
    own = getattr(_validate(_settings_model("problems", entry.problem), settings), parameter)
    last, place = training.curriculum.stages[-1].value, (*curriculum, "stages")
    if last != own:
        allowed = f"a last value of {own}, as in problems.{entry.problem}, whose reference scores the run"
        yield place, message(place, f"{last} at the end", allowed, "change one of the two")


def _override_misfits(
    key: Key, entry: RunEntry, problem: Problem, shared: Mapping[str, Any]
) -> Iterator[tuple[Key, str]]:
    """A run's own settings must leave the solution as it is: one reference serves all runs of a problem."""
    model = _settings_model("problems", entry.problem)
    common = _validate(model, shared)
    own = _validate(model, {**shared, **entry.settings})
    for name in entry.settings:
        expected = getattr(common, name)
        if name not in problem.formulation and getattr(own, name) != expected:
            place = (*key, "settings", name)
            free = f"; a run may change {one_of(problem.formulation)}" if problem.formulation else ""
            allowed = f"{shown(expected)}, as in problems.{entry.problem}, which has one reference for all runs{free}"
            yield place, message(place, shown(getattr(own, name)), allowed, "change it for the whole problem")


def _problem(name: str, settings: Mapping[str, Any]) -> Problem:
    """The problem of a name with settings that are known to be right."""
    module = import_module(f"gradalign.problems.{name}")
    problem: Problem = module.problem(_validate(module.Settings, settings))
    return problem


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _origin(key: Key, origins: Mapping[Key, str]) -> str:
    """The file that gave the value at ``key``, or its nearest part that any file gave."""
    return next(origins[key[:length]] for length in range(len(key), -1, -1) if key[:length] in origins)
