"""Base of all settings: pydantic models that describe every key and forbid unknown ones."""

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model, model_validator

from gradalign.base.errors import ConfigurationError
from gradalign.base.options import Options

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=100)]
LossTerm = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=100)]
RunName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$", max_length=100)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
SCALE = r"^[a-z][a-z0-9_-]*$"
Scale = Annotated[str, Field(pattern=SCALE, max_length=100)]
"""The name of a configuration file without ``.yaml``, and of the folder of its results."""
Device = Literal["cpu", "gpu"]


class StrictModel(BaseModel):
    """Base of all settings: unknown keys are errors, types are never coerced, and instances are frozen."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


@cache
def model_of(options: type[Options]) -> type[StrictModel]:
    """The pydantic model of ``options``, for configuration files: same fields, types, limits and defaults.

    >>> from gradalign.optimizers.adam import Settings
    >>> model_of(Settings)(learning_rate=0.1).b1
    0.9
    """

    def checked(model: StrictModel) -> StrictModel:
        try:
            options(**model.model_dump())
        except ConfigurationError as error:
            raise ValueError(str(error)) from None
        return model

    definitions: Any = {each.name: _field_of(each.type, each.default, each.metadata) for each in fields(options)}
    validators: Any = {"_checked": model_validator(mode="after")(checked)}
    found: type[StrictModel] = create_model(
        options.__name__,
        __base__=StrictModel,
        __module__=options.__module__,
        __doc__=options.__doc__,
        __validators__=validators,
        **definitions,
    )
    return found


def _field_of(kind: Any, default: Any, metadata: Mapping[str, Any]) -> tuple[Any, Any]:
    if isinstance(kind, type) and issubclass(kind, Options):
        model: Any = model_of(kind)  # type: ignore[arg-type]
        kind, default = model, model(**default.values())
    given = {} if default is MISSING else {"default": default}
    return kind, Field(**given, description=metadata["description"], **metadata["limits"])


def differing(one: Mapping[str, Any], other: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str, str]]:
    """Settings in which two mappings differ: name, dotted for nested mappings, and both values as JSON.

    >>> differing({"network": {"width": 4}, "b": 1}, {"network": {"width": 5}, "b": 1})
    [('network.width', '4', '5')]
    >>> differing({}, {"seeds": [0]})
    [('seeds', 'not given', '[0]')]
    """
    found = []
    for name in dict.fromkeys([*one, *other]):
        first, second = one.get(name), other.get(name)
        if isinstance(first, Mapping) and isinstance(second, Mapping):
            found += differing(first, second, f"{prefix}{name}.")
            continue
        there, here = (json.dumps(mapping[name]) if name in mapping else "not given" for mapping in (one, other))
        if there != here:
            found.append((f"{prefix}{name}", there, here))
    return found
