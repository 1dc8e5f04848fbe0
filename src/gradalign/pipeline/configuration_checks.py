"""What is wrong with a configuration: its values one by one, its names, and how the values of a run fit together."""

import json
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

from pydantic import BaseModel, ValidationError

from gradalign.base.discovery import module_names
from gradalign.networks.settings import NetworkSettings
from gradalign.pipeline.configuration_layers import PRESETS, Layers, parted, settled
from gradalign.pipeline.configuration_messages import Key, Wrong, advice, dotted, message, one_of, shown, translated
from gradalign.pipeline.configuration_models import Given, ProblemEntry, RunEntry, settings_model
from gradalign.pipeline.configuration_runs import Run, method_below, recipes
from gradalign.problems._contract import Problem
from gradalign.training.settings import TrainingSettings

_KINDS = {"optimizers": "method", "problems": "problem", "references": "reference", "references.studies": "study"}
MODELS: dict[str, type[BaseModel]] = {"network": NetworkSettings, "training": TrainingSettings}


def validated(model: type[BaseModel], mapping: Mapping[str, Any]) -> Any:
    """Validation as of JSON, in which a list may fill a tuple."""
    return model.model_validate_json(json.dumps(mapping, default=str))


# ---- Values one by one; the mapping may hold anything


def wrong_values(mapping: Mapping[str, Any]) -> Iterator[Wrong]:
    """What is wrong with presets, and with the settings of methods, studies, problems and references."""
    for part, section in PRESETS.items():
        for name, preset in _mapping(mapping.get(section)).items():
            yield from _errors(MODELS[part], settled(parted(preset)[1]), (section, name), partial=True)
    for package, key, settings in _settings(mapping):
        name, allowed = str(key[1]), module_names(package)
        if name not in allowed:
            kind = _KINDS[package]
            yield key[:2], message(key[:2], f"an unknown {kind}", one_of(allowed), advice(name, allowed))
        elif isinstance(settings, Mapping):
            partial = key[-1] == "formulation"
            values = settled(settings) if partial else settings
            yield from _errors(settings_model(package, name), values, key, partial=partial)


def all_known(given: Given) -> bool:
    """Whether there is a module for every problem and every method."""
    known = {package: {*module_names(package)} for package in ("problems", "optimizers")}
    return given.problems.keys() <= known["problems"] and given.methods.keys() <= known["optimizers"]


def _settings(mapping: Mapping[str, Any]) -> Iterator[tuple[str, Key, Any]]:
    """Package, place and values of all settings that a module of their name checks."""
    for method, settings in _mapping(mapping.get("methods")).items():
        yield "optimizers", ("methods", method), settings
    for study, settings in _mapping(mapping.get("study_settings")).items():
        yield "references.studies", ("study_settings", study), settings
    for problem, entry in _mapping(mapping.get("problems")).items():
        yield "problems", ("problems", problem, "settings"), _mapping(entry).get("settings", {})
        if "formulation" in _mapping(entry):
            yield "problems", ("problems", problem, "formulation"), _mapping(entry)["formulation"]
        if "reference" in _mapping(entry):
            yield "references", ("problems", problem, "reference"), _mapping(entry)["reference"]


def _errors(
    model: type[BaseModel], values: Mapping[str, Any], place: Key | Callable[[Key], Key], partial: bool = False
) -> Iterator[Wrong]:
    """What is wrong with the values of a model; of a part of them, each by itself."""
    try:
        validated(model, values)
    except ValidationError as error:
        yield from translated(error, model, place if callable(place) else lambda key: (*place, *key), partial)


# ---- Names; the configuration holds what it may hold


def wrong_names(given: Given) -> Iterator[Wrong]:
    """Names that nothing has, that stand where they may not, or that lead in a circle."""
    yield from _wrong_lists(given)
    for section in PRESETS.values():
        presets: dict[str, Any] = getattr(given, section)
        below = {name: parted(preset)[0] for name, preset in presets.items()}
        for name in presets:
            yield from _wrong_of((section, name, "of"), name, below.get, presets, f"a key of {section}")
    for key, own in _with_choices(given):
        for part, section in PRESETS.items():
            choice = getattr(own, part)
            place: Key = (*key, part) if isinstance(choice, str) else (*key, part, "of")
            if (chosen := parted(choice)[0]) is not None:
                yield from _unknown(place, chosen, getattr(given, section), f"a key of {section}")
    for problem in given.problems:
        for method in {**given.recipes, **given.problems[problem].runs}:
            yield from _wrong_recipe(given, problem, method)
    variations = {str(entry.name): entry.of for entry in given.runs if entry.of}
    runs = {*variations, *(entry.name or "-".join(pair) for entry in given.runs for pair in entry.pairs)}
    for index, entry in enumerate(given.runs):
        yield from _wrong_entry(given, ("runs", index), entry)
        if entry.of:
            name, of = str(entry.name), {**variations, str(entry.name): entry.of}.get
            yield from _wrong_of(("runs", index, "of"), name, of, runs, "another run")


def wrong_parts(given: Given) -> Iterator[Wrong]:
    """What is wrong with what problems, recipes and runs change, each by itself: also where no run takes it.

    A run without a key may take a value from its default or leave it out, and would never show that it is misspelt.
    """
    for key, own in _with_choices(given):
        for part, model in MODELS.items():
            yield from _errors(model, settled(parted(getattr(own, part))[1]), (*key, part), partial=True)
        problems, methods = _changed_by(given, key, own)
        for part, package, names in (("settings", "problems", problems), ("method_settings", "optimizers", methods)):
            for name in names if getattr(own, part, None) and not isinstance(own, ProblemEntry) else ():
                values = settled(getattr(own, part))
                yield from _errors(settings_model(package, name), values, (*key, part), partial=True)


def _changed_by(given: Given, key: Key, own: Any) -> tuple[set[str], set[str]]:
    """The problems and the methods whose settings an entry may change."""
    if not isinstance(own, RunEntry):
        return ({str(key[1])} if key[0] == "problems" else set()), {str(key[-1])}
    entries = {entry.name or "-".join(pair): (entry, [pair]) for entry in given.runs for pair in entry.pairs}
    entries |= {str(entry.name): (entry, []) for entry in given.runs if entry.of}
    pairs = [*own.pairs]
    while own.of and not pairs:
        own, pairs = entries[own.of]
    return {problem for problem, _ in pairs}, {method for _, method in pairs}


def _wrong_lists(given: Given) -> Iterator[Wrong]:
    for index, topic in enumerate(given.claims):
        yield from _unknown(("claims", index), topic, module_names("claims"), "a topic in gradalign.claims")
    for index, problem in enumerate(given.references):
        place = ("references", index)
        yield from _unknown(place, problem, module_names("references"), "a problem in gradalign.references")
        yield from _unknown(place, problem, given.problems, "a key of problems")
    for index, study in enumerate(given.studies):
        known = module_names("references.studies")
        yield from _unknown(("studies", index), study, known, "a module in gradalign.references.studies")
    for key in ("seeds", "studies", "claims", "references"):
        values: Sequence[Hashable] = getattr(given, key)
        yield from _repeated(((value, (key, index)) for index, value in enumerate(values)), "remove the repetition")


def _repeated(values: Iterable[tuple[Hashable, Key]], what_to_do: str) -> Iterator[Wrong]:
    """Values that are given several times, at their last place."""
    values = list(values)
    counts = Counter(value for value, _ in values)
    for value, place in dict(values).items():
        if counts[value] > 1:
            yield place, message(place, f"{shown(value)}, given {counts[value]} times", "different values", what_to_do)


def _with_choices(given: Given) -> Iterator[tuple[Key, Any]]:
    """Everything that may choose a network and a training, with its place."""
    for problem, entry in given.problems.items():
        yield ("problems", problem), entry
        yield from ((("problems", problem, "runs", method), recipe) for method, recipe in entry.runs.items())
    yield from ((("recipes", method), recipe) for method, recipe in given.recipes.items())
    yield from ((("runs", index), entry) for index, entry in enumerate(given.runs))


def _wrong_of(
    place: Key, name: str, of: Callable[[str], str | None], known: Iterable[str], kind: str
) -> Iterator[Wrong]:
    """What something is ``of`` must be known, and must not be of it in turn."""
    named, chain, known = of(name), [name], {*known} - {name}
    if named is None:
        return
    if named != name:
        yield from _unknown(place, named, known, kind)
    below: str | None = named
    while below in known and below not in chain:
        chain.append(below)
        below = of(below)
    if below == name:
        allowed = f"{kind} that does not build on this one, as in {' of '.join([*chain, name])}"
        yield place, message(place, shown(named), allowed, "break the circle")


def _wrong_recipe(given: Given, problem: str, method: str) -> Iterator[Wrong]:
    key = recipes(given, problem, method)[-1][0]
    if method not in given.methods:
        yield key, message(key, "an unknown method", one_of(sorted(given.methods)), advice(method, given.methods))

    def of(name: str) -> str | None:
        found = method_below(given, problem, name)
        return found[1] if found else None

    if found := method_below(given, problem, method):
        yield from _wrong_of(found[0], method, of, given.methods, "a key of methods")


def _wrong_entry(given: Given, key: Key, entry: RunEntry) -> Iterator[Wrong]:
    """An entry names a problem and a method, or several, or the run of which it is a variation."""
    place: Key
    for one, many in (("problem", "problems"), ("method", "methods")):
        single, several = getattr(entry, one), getattr(entry, many)
        named = [(*key, name) for name in (one, many) if getattr(entry, name) is not None]
        if entry.of:
            allowed = "nothing beside 'of': a variation has the problem and the method of its run"
            yield from ((place, message(place, "given", allowed, "leave it out")) for place in named)
        elif len(named) == 2:
            yield named[1], message(named[1], f"given beside {one}", "one of the two", "leave one out")
        elif not named:
            yield (*key, one), message((*key, one), "missing", f"a key of {many}", "add it")
        places = (
            {(*key, one): single} if single else {(*key, many, index): name for index, name in enumerate(several or [])}
        )
        for at, name in places.items():
            yield from _unknown(at, name, getattr(given, many), f"a key of {many}")
    for part, what in (("name", "what the variation is called"), ("changed", "what the variation changes, in words")):
        place = (*key, part)
        if entry.of and getattr(entry, part) is None:
            yield place, message(place, "missing", what, "add it")
        if part == "changed" and entry.changed and not entry.of and (entry.problem or entry.method):
            yield (
                place,
                message(place, "given", "nothing: figures would leave the run out", "say of which run with 'of'"),
            )
        if getattr(entry, part) is not None and (entry.problems or entry.methods):
            yield place, message(place, "given", "nothing for several runs, called problem-method", "leave it out")


def _unknown(key: Key, name: str, allowed: Iterable[str], kind: str) -> Iterator[Wrong]:
    allowed = sorted(allowed)
    if name not in allowed:
        yield key, message(key, shown(name), f"{kind}: {one_of(allowed)}", advice(name, allowed))


# ---- Runs, one by one; all names are right


def wrong_run_values(run: Run) -> Iterator[Wrong]:
    """Values of a run that are wrong one by one, or missing, where it has them from."""
    for part, section in PRESETS.items():
        if part not in run.layers.values:
            place: Key = (*run.key, part)
            yield place, message(place, "missing", f"a key of {section}", "add it")
        else:
            yield from _errors(MODELS[part], run.layers.values[part], lambda key: run.layers.place((part, *key)))  # noqa: B023
    for part, package, name in (("settings", "problems", run.problem), ("method_settings", "optimizers", run.method)):
        model = settings_model(package, name)
        yield from _errors(model, run.layers.values[part], lambda key: run.layers.place((part, *key)))  # noqa: B023


def misfits(given: Given, runs: Sequence[Run]) -> Iterator[Wrong]:
    """What does not fit together in a configuration whose values are right one by one."""
    yield from _repeated(((run.name, run.key) for run in runs), "give each run its own 'name'")
    for name, entry in given.problems.items():
        layers = Layers()
        for part in ("settings", "formulation"):
            layers.lay(("settings",), getattr(entry, part), ("problems", name, part))
        posed = _posed(name, layers.values["settings"])
        yield from _points_misfits(("problems", name, "points"), posed, entry.points)


def unused(given: Given, runs: Sequence[Run]) -> Iterator[tuple[str, str]]:
    """Pairs of problem and method with settings of their own that no run takes."""
    used = set()
    for problem, name in {(run.problem, run.method) for run in runs}:
        used.add((problem, name))
        while found := method_below(given, problem, name):
            name = found[1]
            used.add((problem, name))
    for problem, entry in given.problems.items():
        yield from ((problem, method) for method in entry.runs if (problem, method) not in used)


def _points_misfits(key: Key, problem: Problem, points: Mapping[str, int]) -> Iterator[Wrong]:
    if set(points) != set(problem.sets):
        allowed = f"exactly the point sets of {problem.name}: {', '.join(problem.sets)}"
        yield key, message(key, shown(points), allowed, "name each point set once, with its number of points")


def run_misfits(given: Given, run: Run) -> Iterator[Wrong]:
    """What does not fit together in one run whose values are right one by one."""
    layers, values = run.layers, run.layers.values
    if run.of and values == run.of.layers.values:
        copy = f"a copy of {run.of.name!r}, which changes nothing"
        allowed = "settings that differ from those of the run that it is of"
        yield run.key, message(run.key, copy, allowed, "change something, or remove it")
    if run.problem not in given.references:
        place: Key = (*run.key, "problem")
        listed = f"a problem of the list references, against which runs are scored: {one_of(sorted(given.references))}"
        yield place, message(place, shown(run.problem), listed, advice(run.problem, given.references))
    problem = _posed(run.problem, values["settings"])
    training = validated(TrainingSettings, values["training"])
    yield from _formulation_misfits(given, run, problem)
    posed_by = (("settings", name) for name in problem.formulation)
    yield from _points_misfits(layers.blamed(("points",), *posed_by), problem, values["points"])
    yield from _network_misfits(run, problem)
    yield from _training_misfits(layers, training)
    yield from _weighting_misfits(run, problem, training)
    yield from _marching_misfits(run, problem, training)
    yield from _causal_misfits(run, problem, training)


def _formulation_misfits(given: Given, run: Run, problem: Problem) -> Iterator[Wrong]:
    """A run's own settings must leave the solution as it is: one reference serves all runs of a problem."""
    model = settings_model("problems", run.problem)
    common = validated(model, given.problems[run.problem].settings)
    own = validated(model, run.layers.values["settings"])
    for name in model.model_fields:
        expected = getattr(common, name)
        if name not in problem.formulation and getattr(own, name) != expected:
            place = run.layers.place(("settings", name))
            free = f"; a run may change {one_of(problem.formulation)}" if problem.formulation else ""
            allowed = f"{shown(expected)}, as in problems.{run.problem}, which has one reference for all runs{free}"
            yield place, message(place, shown(getattr(own, name)), allowed, "change it for the whole problem")


def _network_misfits(run: Run, problem: Problem) -> Iterator[Wrong]:
    network: NetworkSettings = validated(NetworkSettings, run.layers.values["network"])
    another = f"use another network in the run {run.name}"
    if network.architecture == "spectral" and len(problem.periodic) != 1:
        place = run.layers.place(("network", "architecture"))
        allowed = f"another one for {problem.name}, which has {len(problem.periodic)} periodic coordinates, not one"
        yield place, message(place, "'spectral'", allowed, another)
    if network.symmetric and not problem.has_symmetry:
        place = run.layers.place(("network", "symmetric"))
        yield place, message(place, "true", f"false for {problem.name}, which has no known symmetry", another)


def _training_misfits(layers: Layers, training: TrainingSettings) -> Iterator[Wrong]:
    """Windows and curricula must share the steps out, so that the log has a row at the end of every stage."""

    def place(*names: str, of: Sequence[str] = ("steps", "log_every")) -> Key:
        return layers.blamed(("training", *names), *(("training", name) for name in of))

    if training.checkpoint_every % training.log_every:
        key = place("checkpoint_every", of=["log_every"])
        allowed = f"a multiple of log_every = {training.log_every}"
        yield key, message(key, shown(training.checkpoint_every), allowed, "change one of the two")
    windows, curriculum = training.windows, training.curriculum
    if windows is not None and curriculum is not None:
        key = place("curriculum", of=["windows"])
        yield key, message(key, "given beside windows", "one of the two", "leave one out")
    elif curriculum is not None and sum(training.stage_steps) != training.steps:
        key, total = place("curriculum", "stages", of=["steps"]), sum(training.stage_steps)
        yield key, message(key, f"{total} steps in all", f"a sum of steps = {training.steps}", "change one of them")
    elif windows is not None and windows.steps_ratio < 1:
        alone = windows.first_steps or 0
        if training.steps % training.log_every or alone % training.log_every or min(training.stage_steps) <= 0:
            key = place("windows", "steps_ratio")
            allowed = (
                f"steps and first_steps in multiples of log_every = {training.log_every}, and as many left at least to "
                f"every window of {windows.count}; here the fewest are {min(training.stage_steps)}"
            )
            what_to_do = "raise it, change first_steps or lower log_every"
            yield key, message(key, shown(windows.steps_ratio), allowed, what_to_do)
            return
    elif windows is not None and (first := windows.first_steps) is not None:
        key, others = place("windows", "first_steps"), (windows.count - 1) * training.log_every
        if first >= training.steps or first % training.log_every or (training.steps - first) % others:
            allowed = (
                f"a multiple of log_every = {training.log_every} below steps = {training.steps}, so that a multiple "
                f"of {others} is left to the {windows.count - 1} other windows"
            )
            yield key, message(key, shown(first), allowed, "change one of the two")
            return
    elif windows is not None and training.steps % windows.count:
        key = place("windows", "count", of=["steps"])
        allowed = f"a divisor of steps = {training.steps}, unless first_steps says what the first window takes"
        yield key, message(key, shown(windows.count), allowed, "change one of the two")
    for index, steps in enumerate(training.stage_steps):
        if steps % training.log_every:
            key, one = place("log_every", of=["steps", "windows", "curriculum"]), len(training.stage_steps) == 1
            allowed = f"a divisor of steps = {steps}" if one else f"a divisor of the {steps} steps of stage {index + 1}"
            yield key, message(key, shown(training.log_every), allowed, "change one of the two")
            return


def _weighting_misfits(run: Run, problem: Problem, training: TrainingSettings) -> Iterator[Wrong]:
    for name in training.weighting.initial:
        if name not in problem.losses:
            place = run.layers.place(("training", "weighting", "initial", name))
            given = f"not a loss term of {run.problem}, which the run {run.name} trains"
            yield place, message(place, given, one_of(problem.losses), advice(name, problem.losses))


def _marching_misfits(run: Run, problem: Problem, training: TrainingSettings) -> Iterator[Wrong]:
    """Whether the problem of a run can be cut into the windows, or led through the curriculum, of its training."""
    another = f"use another training in the run {run.name}"
    if training.windows is not None and not problem.has_windows:
        place = run.layers.place(("training", "windows"))
        allowed = f"nothing for {problem.name}, which cannot be cut into windows of time"
        yield place, message(place, "given", allowed, another)
    if training.curriculum is None:
        return
    parameter, place = training.curriculum.parameter, run.layers.place(("training", "curriculum", "parameter"))
    free = sorted({name for names in problem.given.values() for name in names} - set(problem.fields))
    if parameter not in free:
        allowed = f"a parameter of {problem.name} that may change along a run: {one_of(free) if free else 'none'}"
        yield place, message(place, shown(parameter), allowed, another)
        return
    own = getattr(validated(settings_model("problems", run.problem), run.layers.values["settings"]), parameter)
    last, place = training.curriculum.stages[-1].value, run.layers.place(("training", "curriculum", "stages"))
    if last != own:
        allowed = f"a last value of {own}, as in problems.{run.problem}, whose reference scores the run"
        yield place, message(place, f"{last} at the end", allowed, "change one of the two")


def _causal_misfits(run: Run, problem: Problem, training: TrainingSettings) -> Iterator[Wrong]:
    if training.causal is None:
        return
    if not problem.causal:
        place = run.layers.place(("training", "causal"))
        allowed = f"nothing for {run.problem}, which has no causal loss term"
        yield place, message(place, "given", allowed, f"use another training in the run {run.name}")
    points, place = run.layers.values["points"], run.layers.place(("training", "causal", "chunks"))
    for name in dict.fromkeys(problem.point_sets[loss] for loss in problem.causal):
        if points.get(name, 0) % training.causal.chunks:
            allowed = f"a divisor of {dotted(run.layers.place(('points', name)))} = {points[name]}"
            yield place, message(place, shown(training.causal.chunks), allowed, "change one of the two")


def _posed(name: str, settings: Mapping[str, Any]) -> Problem:
    """The problem of a name with settings that are known to be right."""
    module = import_module(f"gradalign.problems.{name}")
    problem: Problem = module.problem(validated(module.Settings, settings))
    return problem


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
