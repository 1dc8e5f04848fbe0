"""What to run: the configuration files, merged and checked.

``load`` merges files as Snakemake does (mappings merge, lists are replaced) and checks everything that can be checked
before any compute is spent: keys, types, ranges, names, and how the settings of one part fit those of another.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, PrivateAttr, ValidationError

from gradalign.base.discovery import module_names
from gradalign.base.errors import ConfigurationError, unknown_name
from gradalign.base.settings import SCALE
from gradalign.base.yaml_files import read
from gradalign.networks.settings import NetworkSettings
from gradalign.pipeline import configuration_checks as checks
from gradalign.pipeline.configuration_layers import DEFAULT, PRESETS, settled
from gradalign.pipeline.configuration_messages import Key, Wrong, advice, message, one_of, shown, translated
from gradalign.pipeline.configuration_models import Given, settings_model
from gradalign.pipeline.configuration_runs import Run, resolved
from gradalign.references._specification import ReferenceSpecification, StudySpecification
from gradalign.training.settings import RunSpecification, TrainingSettings


class Configuration(Given):
    """A whole configuration that was checked."""

    _runs: dict[str, Run] = PrivateAttr()
    _origins: "Origins" = PrivateAttr()

    @property
    def run_names(self) -> list[str]:
        """Names of all runs, in the order of the list."""
        return list(self._runs)

    def run(self, name: str) -> RunSpecification:
        """All that the run ``name`` depends on. Raises ``ConfigurationError`` for an unknown name."""
        run = self.resolved(name)
        values = run.layers.values
        return RunSpecification(
            name=name,
            changed=run.changed,
            scale=self.scale,
            device=self.device,
            problem=run.problem,
            problem_settings=values["settings"],
            points=values["points"],
            network=checks.validated(NetworkSettings, values["network"]),
            method=run.method,
            method_settings=values["method_settings"],
            training=checks.validated(TrainingSettings, values["training"]),
            seeds=values["seeds"],
        )

    def resolved(self, name: str) -> Run:
        """The run ``name`` with the place of every value. Raises ``ConfigurationError`` for an unknown name."""
        if name not in self._runs:
            raise unknown_name("run", name, self._runs)
        return self._runs[name]

    def origin(self, key: Key) -> str:
        """The file that gave the value at a key, or the nearest part of it that any file gave."""
        return self._origins.of(key)

    def cores_of(self, name: str) -> int | None:
        """How many cores the run ``name`` takes; None: all that there are."""
        cores: int | None = self.resolved(name).layers.values.get("cores")
        return cores

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


class Origins:
    """Which of several files gave which value."""

    def __init__(self, sources: Sequence[str]) -> None:
        self._sources = sources
        self._last: dict[Key, int] = {}

    def note(self, key: Key, source: int, anew: bool) -> None:
        """The value at ``key`` is from the file of this number; where it is ``anew``, so is all that is below it."""
        if anew:
            self._last = {other: last for other, last in self._last.items() if other[: len(key)] != key}
        self._last[key] = source

    def number(self, key: Key) -> int | None:
        """The number of the file that gave the value at ``key``, or its nearest part that any file gave."""
        return next((self._last[key[:length]] for length in range(len(key), 0, -1) if key[:length] in self._last), None)

    def of(self, key: Key) -> str:
        number = self.number(key)
        return " and ".join(dict.fromkeys(self._sources)) if number is None else self._sources[number]


def load(paths: Sequence[Path | str], overrides: Mapping[str, Any] | None = None) -> Configuration:
    """The checked configuration of the merged ``paths``: later files win, mappings merge, lists are replaced.

    ``overrides`` are values of a command line, merged last. Raises ``ConfigurationError``, naming file, key, value and
    what is allowed, for everything that is wrong at the first stage that finds something: reading the files; keys,
    types, ranges and names; how values fit together.

    A file may name another of its folder, ``base: FILE``, over which it is merged. The name of the first file is that
    of the scale, unless a file gives one.
    """
    layers = [layer for path in paths for layer in _with_bases(Path(path), ())]
    if overrides:
        layers.append(("the command line", dict(overrides)))
    name = Path(paths[0]).stem
    if not any("scale" in mapping for _, mapping in layers) and not re.fullmatch(SCALE, name):
        raise ConfigurationError(
            f"{paths[0]}: the name of the first file is that of the scale, and {name!r} cannot be one; allowed: a name "
            f"that matches {SCALE}; rename the file, or give 'scale' in it"
        )
    return _check([(str(paths[0]), {"scale": name}), *layers])


def from_mapping(mapping: Mapping[str, Any], source: str = "the configuration") -> Configuration:
    """The checked configuration of a mapping; ``source`` names it in errors. Raises as ``load`` does."""
    return _check([(source, mapping)])


def scales(folder: Path) -> list[str]:
    """Names of the scales in a folder: its configuration files that list runs, or build on another file."""
    files = {path.stem: path.read_text(encoding="utf-8") for path in folder.glob("*.yaml")}
    return sorted(name for name, text in files.items() if re.search(r"^(runs|base):", text, re.MULTILINE))


def schema() -> dict[str, Any]:
    """JSON schema of a configuration file, with the settings of every problem, reference and method filled in."""
    result = Given.model_json_schema()
    properties, definitions = result["properties"], result["$defs"]

    def part_of(name: str, model: type[BaseModel], **more: Any) -> dict[str, str]:
        """A definition of a part of a model: some values are given elsewhere, or are to have their defaults."""
        whole = model.model_json_schema()
        inner = whole.pop("$defs", {})
        for part in (whole, *inner.values()):
            part.pop("required", None)
            for key, value in part.get("properties", {}).items():
                described = {"description": value.pop("description")}
                part["properties"][key] = described | {"anyOf": [value, {"const": DEFAULT}]}
        whole["properties"] |= more
        definitions.update(inner | {name: whole})
        return {"$ref": f"#/$defs/{name}"}

    known = {package: module_names(package) for package in ("optimizers", "problems", "references.studies")}
    known["references"] = [name for name in known["problems"] if name in module_names("references")]
    settings = {
        package: {name: part_of(f"{package}.{name}", settings_model(package, name)) for name in names}
        for package, names in known.items()
    }
    for part, model in checks.MODELS.items():
        preset = part_of(f"preset.{part}", model, of={"description": "preset to build on", "type": "string"})
        properties[PRESETS[part]] |= {"additionalProperties": preset}
        properties[PRESETS[part]].pop("patternProperties")
        for name in ("Recipe", "RunEntry", "ProblemEntry"):
            definitions[name]["properties"][part] |= {"anyOf": [{"type": "string"}, preset]}

    def with_parts(whole: dict[str, Any], **parts: Any) -> dict[str, Any]:
        described = {
            key: {"description": whole["properties"][key]["description"]} | part for key, part in parts.items()
        }
        return whole | {"properties": whole["properties"] | described}

    recipe, entry = definitions.pop("Recipe"), definitions.pop("ProblemEntry")
    entry.pop("required")
    problems = {}
    for name, found in settings["problems"].items():
        reference = {"reference": settings["references"][name]} if name in settings["references"] else {}
        runs = {"$ref": "#/properties/recipes"}
        problems[name] = with_parts(entry, settings=found, formulation=found, runs=runs, **reference)
    filled = {
        "methods": settings["optimizers"],
        "recipes": {name: with_parts(recipe, method_settings=found) for name, found in settings["optimizers"].items()},
        "problems": problems,
        "study_settings": settings["references.studies"],
    }
    for key, named in filled.items():
        properties[key] |= {"properties": named, "additionalProperties": False}
        properties[key].pop("patternProperties", None)
    # Of the file alone, not of the configuration that comes of it; what a file with a base leaves out is in the base
    properties["base"] = {"type": "string", "description": "file of the same folder to build on"}
    result["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    result["if"] = {"required": ["runs"], "not": {"required": ["base"]}}
    result["then"] = {"required": [key for key in result.pop("required") if key != "scale"]}
    return result


def _with_bases(path: Path, above: tuple[Path, ...]) -> list[tuple[str, dict[str, Any]]]:
    """A file, after the ones that it builds on: where each came from, and its mapping."""
    mapping = read(path)
    if "base" not in mapping:
        return [(str(path), mapping)]
    name = mapping.pop("base")
    beside = sorted(other.name for other in path.parent.glob("*.yaml") if other not in (*above, path))
    if name not in beside:
        allowed = f"a file beside it, which does not build on this one: {one_of(beside)}"
        raise ConfigurationError(f"{path}: {message(('base',), shown(name), allowed, advice(str(name), beside))}")
    return [*_with_bases(path.parent / name, (*above, path)), (str(path), mapping)]


def _merge(target: dict[str, Any], mapping: Mapping[str, Any], place: Key, origins: Origins, source: int) -> None:
    """Put a mapping over another one.

    What is ``of`` something starts from there, not from what was given before, and points are given as a whole.
    """
    for key, value in mapping.items():
        below = target.get(key)
        if isinstance(below, str) and key in PRESETS:
            below = {"of": below}
        merges = isinstance(value, Mapping) and isinstance(below, dict) and "of" not in value and key != "points"
        origins.note((*place, key), source, isinstance(below, dict) and not merges)
        target[key] = (below if merges else {}) if isinstance(value, Mapping) else value
        if isinstance(value, Mapping):
            _merge(target[key], value, (*place, key), origins, source)


def _check(layers: Sequence[tuple[str, Mapping[str, Any]]]) -> Configuration:
    """The configuration, or one error that lists all that the first stage found that finds anything."""
    origins, mapping = Origins([source for source, _ in layers]), dict[str, Any]()
    for number, (_, layer) in enumerate(layers):
        _merge(mapping, layer, (), origins, number)
    _settle(mapping)
    values = [*checks.wrong_values(mapping)]
    try:
        configuration: Configuration = checks.validated(Configuration, mapping)
    except ValidationError as error:
        wrong = [*translated(error, Configuration), *values]
    else:
        names = [*checks.wrong_names(configuration)]
        runs = [] if names or not checks.all_known(configuration) else resolved(configuration)
        parts = checks.wrong_parts(configuration) if runs else []
        wrong = [*_said_once([values, names, parts, *map(checks.wrong_run_values, runs)])]
        if not wrong:
            fits = [checks.misfits(configuration, runs), _unused(configuration, runs, origins)]
            wrong = [*_said_once([*fits, *(checks.run_misfits(configuration, run) for run in runs)])]
    if wrong:
        raise ConfigurationError("\n".join(f"{origins.of(key)}: {text}" for key, text in wrong))
    configuration._runs, configuration._origins = {run.name: run for run in runs}, origins
    return configuration


def _said_once(groups: Iterable[Iterable[Wrong]]) -> Iterator[Wrong]:
    """What is wrong, without what an earlier group said of the same value: many runs have it from one place."""
    said: set[Key] = set()
    for group in groups:
        found = dict.fromkeys(one for one in group if one[0] not in said)
        said |= {key for key, _ in found}
        yield from found


def _settle(mapping: dict[str, Any]) -> None:
    """Take out the settings that are to have their defaults, where nothing is below them."""
    parts = [(mapping, "methods"), (mapping, "study_settings")]
    problems = mapping.get("problems")
    for entry in problems.values() if isinstance(problems, dict) else ():
        parts += [(entry, "settings"), (entry, "reference")] if isinstance(entry, dict) else []
    for whole, part in parts:
        if isinstance(whole.get(part), dict):
            whole[part] = settled(whole[part])


def _unused(configuration: Configuration, runs: Sequence[Run], origins: Origins) -> Iterator[Wrong]:
    """Settings of a pair of problem and method that no run takes, unless they were given before the list of runs."""
    listed = origins.number(("runs",))
    for problem, method in checks.unused(configuration, runs):
        key: Key = ("problems", problem, "runs", method)
        if (origins.number(key) or 0) >= (listed or 0):
            methods = list(dict.fromkeys(run.method for run in runs if run.problem == problem))
            given = "given, but no run has this problem and this method"
            allowed = f"methods of the runs of {problem}: {one_of(methods)}"
            yield key, message(key, given, allowed, advice(method, methods))
