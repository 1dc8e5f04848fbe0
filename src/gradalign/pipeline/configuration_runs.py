"""The runs of a configuration: what problem, method, recipe and entry give each of them, one over the other.

The names in the configuration are known to be right: see ``configuration_checks``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gradalign.pipeline.configuration_layers import PRESETS, Layers
from gradalign.pipeline.configuration_messages import Key
from gradalign.pipeline.configuration_models import Given, Own, Recipe, RunEntry, settings_model


@dataclass(frozen=True)
class Run:
    """One run with all that it is given.

    changed: for a variation, what it changes, in words. key: where its entry stands. layers: values of ``settings``,
    ``method_settings``, ``points``, ``network``, ``training``, ``seeds`` and ``cores``, with the place of each.
    of: the run of which it is a variation.
    """

    name: str
    problem: str
    method: str
    changed: str
    key: Key
    layers: Layers
    of: "Run | None" = None


def resolved(given: Given) -> list[Run]:
    """All runs, in the order of the entries; those of one entry problem by problem."""
    entries: list[tuple[Key, RunEntry]] = [(("runs", index), entry) for index, entry in enumerate(given.runs)]
    found = {key: [*_plain(given, key, entry)] for key, entry in entries}
    known = {run.name: run for runs in found.values() for run in runs}
    variations = {entry.name: (key, entry) for key, entry in entries if entry.of}

    def variation(key: Key, entry: RunEntry) -> Run:
        below = known.get(str(entry.of)) or variation(*variations[entry.of])
        layers = Layers(below.layers)
        _lay(given, layers, entry, key)
        return Run(str(entry.name), below.problem, below.method, str(entry.changed), key, layers, below)

    return [run for key, entry in entries for run in ([variation(key, entry)] if entry.of else found[key])]


def recipes(given: Given, problem: str, method: str) -> list[tuple[Key, Recipe]]:
    """What the runs with a method have of their own: on all problems, then on this one; each with its place."""
    found = {
        ("recipes", method): given.recipes.get(method),
        ("problems", problem, "runs", method): given.problems[problem].runs.get(method),
    }
    return [(place, recipe) for place, recipe in found.items() if recipe is not None]


def method_below(given: Given, problem: str, method: str) -> tuple[Key, str] | None:
    """The method of whose runs those with this one are, and where that is said."""
    named = [((*place, "of"), recipe.of) for place, recipe in recipes(given, problem, method) if recipe.of]
    return named[-1] if named else None


def _plain(given: Given, key: Key, entry: RunEntry) -> Iterator[Run]:
    for problem, method in entry.pairs:
        layers = _of_pair(given, problem, method)
        _lay(given, layers, entry, key)
        name = entry.name or f"{problem}-{method}"
        yield Run(name, problem, method, entry.changed or "", key, layers)


def _of_pair(given: Given, problem: str, method: str) -> Layers:
    """What a run has by its problem and its method."""
    entry, layers = given.problems[problem], Layers()
    place: Key = ("problems", problem)
    layers.lay(("seeds",), given.seeds, ("seeds",))
    if given.cores is not None:
        layers.lay(("cores",), given.cores, ("cores",))
    layers.lay(("settings",), entry.settings, (*place, "settings"))
    layers.lay(("settings",), entry.formulation, (*place, "formulation"))
    layers.lay(("method_settings",), given.methods[method], ("methods", method))
    layers.lay(("points",), entry.points, (*place, "points"))
    _choose(given, layers, entry, place)
    chain = [method]
    while named := method_below(given, problem, chain[-1]):
        chain.append(named[1])
    for name in reversed(chain):
        for where, recipe in recipes(given, problem, name):
            _lay(given, layers, recipe if name == method else _for(method, recipe), where)
    return layers


def _for(method: str, recipe: Recipe) -> Recipe:
    """The recipe of another method, without settings that this method does not have."""
    known = settings_model("optimizers", method).model_fields
    settings = {name: value for name, value in (recipe.method_settings or {}).items() if name in known}
    return recipe.model_copy(update={"method_settings": settings})


def _lay(given: Given, layers: Layers, own: Own, place: Key) -> None:
    _choose(given, layers, own, place)
    if own.points is not None:
        layers.remove(("points",))
    for part in ("settings", "method_settings", "points", "seeds", "cores"):
        if getattr(own, part) is not None:
            layers.lay((part,), getattr(own, part), (*place, part))


def _choose(given: Given, layers: Layers, own: Any, place: Key) -> None:
    presets = {section: getattr(given, section) for section in PRESETS.values()}
    for part in PRESETS:
        if getattr(own, part) is not None:
            layers.choose(part, getattr(own, part), (*place, part), presets)
