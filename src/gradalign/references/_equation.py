"""Which equation a reference solves and a run trains: the settings of the problem that the solution depends on.

A reference is that of a run where these agree. Its resolutions, and the sources that computed it, do not belong to the
equation: they decide how well it is solved, which the stated error says, and the pipeline computes a reference anew
where one of them changed. In a curriculum the equation is that of the last stage.
"""

import json
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from gradalign.base.errors import ConfigurationError
from gradalign.base.settings import StrictModel, differing
from gradalign.references._contract import Reference


def settings_of(problem: str, settings: StrictModel) -> dict[str, Any]:
    """The settings of a problem that its solution depends on, those with defaults included, as JSON has them.

    Left out are those that change how it is posed to a network alone (``Problem.formulation``).

    >>> from gradalign.problems.burgers import Settings
    >>> settings_of("burgers", Settings(viscosity=0.05))
    {'viscosity': 0.05}
    """
    posed = import_module(f"gradalign.problems.{problem}").problem(settings)
    return settings.model_dump(mode="json", exclude=set(posed.formulation))


def described(problem: str, settings: StrictModel) -> str:
    """``settings_of`` as JSON, equal settings as equal text: what ``Reference.equation`` holds."""
    return json.dumps(settings_of(problem, settings), sort_keys=True)


def require_same(
    reference: Reference, problem: str, settings: Mapping[str, Any], run: str, source: str = "the reference"
) -> None:
    """Raise ``ConfigurationError``, naming what differs, where a run asks for another equation than its reference has.

    ``problem`` and ``settings`` are those of the run, whose name is ``run``.

    A reference that does not say its equation (one that the caller computed) is taken as the caller's word.
    """
    if reference.problem != problem:
        raise ConfigurationError(f"{source}: holds the solution of {reference.problem!r}; allowed: that of {problem!r}")
    if not reference.equation:
        return
    try:
        solved = json.loads(reference.equation)
    except (ValueError, RecursionError):
        solved = None
    if not isinstance(solved, Mapping):
        raise ConfigurationError(f"{source}: its equation is {reference.equation!r:.100}; allowed: settings as JSON")
    model = import_module(f"gradalign.problems.{problem}").Settings
    asked = settings_of(problem, model.model_validate_json(json.dumps(dict(settings))))
    if found := differing(solved, asked):
        raise ConfigurationError(
            f"{source}: was made for another equation of {reference.problem!r} than the run {run!r}: "
            + "; ".join(f"{name} is {there} in the reference, {here} in the run" for name, there, here in found)
            + f"; allowed: the same; write a reference with 'gradalign reference {reference.problem}' and the "
            "configuration of the run"
        )


def require_known(reference: Reference, source: str) -> None:
    """Raise ``ConfigurationError`` for a reference that does not say which equation it solves."""
    if not reference.equation:
        raise ConfigurationError(
            f"{source}: does not say for which settings of {reference.problem!r} it was made; allowed: a file that "
            f"'gradalign reference {reference.problem}' of this version wrote; write it anew"
        )
