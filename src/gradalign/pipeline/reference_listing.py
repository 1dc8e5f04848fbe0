"""Output of ``gradalign reference --list``: every problem with its statement, settings, solver and stated errors."""

import json
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from gradalign.base.discovery import module_names
from gradalign.base.errors import ConfigurationError
from gradalign.base.settings import StrictModel
from gradalign.pipeline.configuration import Configuration
from gradalign.pipeline.listings import aligned
from gradalign.problems._start import FORMULATION
from gradalign.references._contract import stated_error

LABEL = 16
"""Width of the labels in columns."""


def listing(configuration: Configuration | None, results: Path) -> Iterator[str]:
    """A block of text for each problem with a reference, in alphabetical order.

    Settings come from ``configuration``, or from the defaults of the modules; a setting without a default is listed as
    required. Stated errors (relative L2) come from the files ``<results>/<scale>/references/<problem>.npz`` of every
    scale with such a folder.
    """
    for name in module_names("references"):
        problem, recipe = (import_module(f"gradalign.{package}.{name}") for package in ("problems", "references"))
        entry = configuration.problems.get(name) if configuration else None
        given, grid = (entry.settings, entry.reference) if entry else ({}, {})
        parameters = [
            f"{key} = {value}: {problem.Settings.model_fields[key].description}"
            for key, value in _values(problem.Settings, given)
            if key not in FORMULATION  # no reference depends on it
        ]
        lines = {
            "equation": problem.STATEMENT.equation.splitlines(),
            "domain": problem.STATEMENT.domain.splitlines(),
            "conditions": problem.STATEMENT.conditions.splitlines(),
            "horizon": [horizon(problem, given)],
            "parameters": parameters or ["none"],
            "solver": [" ".join((recipe.__doc__ or "").split("\n\n")[0].split())],
            "resolution": [", ".join(f"{key} = {value}" for key, value in _values(recipe.Settings, grid))],
            "stated error": [", ".join(_stated_errors(results, name))],
        }
        yield f"{name}\n{_block(lines)}"


def horizon(problem: Any, given: Mapping[str, Any]) -> str:
    """The time horizon of a problem, as text; a required setting that is not given has its first allowed value."""
    fields = problem.Settings.model_fields
    required = {
        name: get_args(field.annotation)[0]
        for name, field in fields.items()
        if field.is_required() and get_args(field.annotation)
    }
    try:
        posed = problem.problem(problem.Settings.model_validate_json(json.dumps(required | dict(given))))
    except ValidationError:
        return "as the configuration sets it"
    if posed.coordinates[0] != "t":
        return "none, steady"
    start, end = posed.domain[0]
    return f"{end - start:g}"


def _block(lines: Mapping[str, list[str]]) -> str:
    """Labels and lines in two columns, wrapped to the terminal."""
    rows = [(label if not i else "", line.strip()) for label, part in lines.items() for i, line in enumerate(part)]
    return "\n".join(aligned(rows, LABEL, indent=2, hanging=2))


def _values(model: type[StrictModel], given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Names and values of all settings of a model: given, default, or required."""
    for name, field in model.model_fields.items():
        if name in given:
            yield name, _shown(given[name])
        elif field.is_required():
            allowed = " or ".join(map(str, get_args(field.annotation)))
            yield name, f"required ({allowed})" if allowed else "required"
        else:
            yield name, _shown(field.get_default(call_default_factory=True))


def _shown(value: Any) -> str:
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _stated_errors(results: Path, problem: str) -> Iterator[str]:
    """The stated error by scale, read without the fields; a file is checked for damage only where it is used."""
    folders = sorted(folder for folder in results.glob("*/references") if folder.is_dir())
    if not folders:
        yield "not computed yet"
    for folder in folders:
        scale, path = folder.parent.name, folder / f"{problem}.npz"
        if not path.is_file():
            yield f"{scale} not computed yet"
            continue
        try:
            yield f"{scale} {stated_error(path):.1e}"
        except ConfigurationError:
            yield f"{scale} damaged, to be computed again"
