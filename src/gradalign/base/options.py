"""Options: frozen records of named values that check their types and ranges. Standard library only."""

import math
import operator
import types
from collections.abc import Collection, Mapping
from dataclasses import MISSING, Field, asdict, dataclass, field, fields
from typing import Any, Literal, Union, get_args, get_origin

from gradalign.base.errors import ConfigurationError

COMPARED = {"gt": operator.gt, "ge": operator.ge, "lt": operator.lt, "le": operator.le}
LIMITS = {"gt": "> {}", "ge": ">= {}", "lt": "< {}", "le": "<= {}"}
"""The limits of ``option`` in words."""


def option(default: Any = MISSING, *, description: str, **limits: float) -> Any:
    """A field of ``Options``. limits: bounds ``gt``, ``ge``, ``lt``, ``le`` of a number."""
    return field(default=default, metadata={"description": description, "limits": limits})


@dataclass(frozen=True, kw_only=True)
class Options:
    """Base of all options: a dataclass whose fields are made by ``option``.

    A field of type float also takes whole numbers, and a field of nested options a mapping. Raises
    ``ConfigurationError`` for a value of another type or outside its limits, and for what ``misfit`` finds.

    >>> @dataclass(frozen=True, kw_only=True)
    ... class Decay(Options):
    ...     b1: float = option(0.9, description="decay of the first moment", ge=0, lt=1)
    >>> Decay(b1=2.0)
    Traceback (most recent call last):
    gradalign.base.errors.ConfigurationError: b1 is 2.0 (decay of the first moment); allowed: a number >= 0 and < 1
    """

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(each.type, type) and issubclass(each.type, Options) and isinstance(value, Mapping):
                object.__setattr__(self, each.name, each.type(**value))  # frozen for everyone else
            elif not _fits(value, each.type) or not _within(value, each.metadata["limits"]):
                raise ConfigurationError(
                    f"{each.name} is {value!r} ({each.metadata['description']}); allowed: {_allowed(each)}"
                )
        if found := self.misfit():
            raise ConfigurationError(found)

    def misfit(self) -> str | None:
        """What is wrong with the values in combination; None where nothing is."""
        return None

    def values(self, without: Collection[str] = ()) -> dict[str, Any]:
        """The values by name, except those in ``without``."""
        return {name: value for name, value in asdict(self).items() if name not in without}


def _fits(value: Any, kind: Any) -> bool:
    if get_origin(kind) in (Union, types.UnionType):
        return any(_fits(value, part) for part in get_args(kind))
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, kind)


def _within(value: Any, limits: Mapping[str, float]) -> bool:
    return value is None or all(COMPARED[name](value, limit) for name, limit in limits.items())


def _allowed(given: "Field[Any]") -> str:
    kind, limits = given.type, given.metadata["limits"]
    if get_origin(kind) is Literal:
        return ", ".join(map(repr, get_args(kind)))
    parts = [part for part in get_args(kind) if part is not type(None)]
    names: dict[Any, str] = {int: "a whole number", float: "a number", bool: "True or False"}
    name = names.get(parts[0] if parts else kind, str(kind))
    bounds = " and ".join(LIMITS[limit].format(value) for limit, value in limits.items())
    return " ".join([name, bounds]).strip() + (", or None" if parts else "")
