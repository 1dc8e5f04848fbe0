"""What ``gradalign show`` prints: all settings of a run with the place that each comes from, or the list of runs."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from gradalign.pipeline.configuration import Configuration
from gradalign.pipeline.configuration_checks import validated
from gradalign.pipeline.configuration_layers import Layers
from gradalign.pipeline.configuration_messages import Key, dotted
from gradalign.pipeline.configuration_models import settings_model
from gradalign.pipeline.listings import aligned

PARTS = {"problem_settings": "settings"}
"""Parts of a specification that have another name in a configuration."""


def run_list(configuration: Configuration) -> Iterator[str]:
    """Every run with its network, precision, steps and seeds; a variation with the run that it is of."""
    rows = []
    for name in configuration.run_names:
        given, of = configuration.run(name), configuration.resolved(name).of
        loop, seeds = given.training, len(given.seeds)
        text = f"{given.network.described}, {loop.precision}, {loop.steps} steps, {seeds} seed{'s' * (seeds > 1)}"
        rows.append((name, text if of is None else f"of {of.name}: {given.changed}"))
    return aligned(rows, max(len(name) for name, _ in rows) + 2, hanging=2)


def run_settings(configuration: Configuration, name: str) -> Iterator[str]:
    """All settings of a run as lines of YAML, each with a comment: the file, and under which key it stands there.

    Settings that no file gives have the comment ``default``. Raises ``ConfigurationError`` for an unknown run.
    """
    run, given = configuration.resolved(name), configuration.run(name)
    values: dict[str, Any] = given.model_dump(mode="json")
    for part, package, module in (
        ("problem_settings", "problems", run.problem),
        ("method_settings", "optimizers", run.method),
    ):
        values[part] = validated(settings_model(package, module), values[part]).model_dump(mode="json")
    values |= {"cores": configuration.cores_of(name)}
    lines = [*_lines(configuration, run.layers, run.key, values, ())]
    width = max(len(line) for line, source in lines if source) + 2
    return (f"{line:{width}}# {source}" if source else line for line, source in lines)


def _lines(
    configuration: Configuration, layers: Layers, entry: Key, values: Mapping[str, Any], above: Key
) -> Iterator[tuple[str, str]]:
    """Lines and where their values come from; nothing where a line has no value."""
    for name, value in values.items():
        key = (*above, name) if above else (PARTS.get(name, name),)
        line = f"{'  ' * len(above)}{name}:"
        if isinstance(value, dict) and value:
            yield line, ""
            yield from _lines(configuration, layers, entry, value, key)
        elif value is not None and value != "":
            yield f"{line} {_in_yaml(value)}", _source(configuration, layers, entry, key)


def _source(configuration: Configuration, layers: Layers, entry: Key, key: Key) -> str:
    """The file that a value of a run comes from, and what its key stands under."""
    if key in (("name",), ("changed",), ("problem",), ("method",)):
        return f"{configuration.origin(entry)}: {dotted(entry)}"
    if key not in layers.places and key not in (("scale",), ("device",)):
        return "default"
    place, under = layers.places.get(key, key), layers.places.get(key, key)
    while key and under and key[-1] == under[-1]:
        key, under = key[:-1], under[:-1]
    return configuration.origin(place) + (f": {dotted(under)}" if under else "")


def _in_yaml(value: Any) -> str:
    """A value that is no mapping, on one line.

    >>> _in_yaml(1e-8), _in_yaml([0, 1]), _in_yaml("no")
    ('1.0e-08', '[0, 1]', "'no'")
    """
    return yaml.safe_dump([value], default_flow_style=True, width=float("inf"))[1:-2]
