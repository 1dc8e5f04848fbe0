"""What a wrong configuration value is told: what was given, what is allowed, what to do."""

import difflib
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ValidationError

Key = tuple[str | int, ...]
"""Where a value stands: the keys and list positions that lead to it."""

Wrong = tuple[Key, str]
"""Where something is wrong, and what is said about it."""


def message(key: Key, given: str, allowed: str, advice: str) -> str:
    return f"{dotted(key)} is {given}; allowed: {allowed}; {advice}"


def dotted(key: Key) -> str:
    """``("runs", 0, "problem")`` as ``runs[0].problem``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part:.100}" for part in key)
    return text.removeprefix(".") or "the whole file"


def shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}..."


def one_of(names: Iterable[str]) -> str:
    return ", ".join(names) or "nothing yet"


def advice(name: str, allowed: Iterable[str]) -> str:
    close = difflib.get_close_matches(str(name)[:100], list(allowed), n=1)
    return f"did you mean {close[0]!r}?" if close else "choose one of these"


def translated(
    error: ValidationError, model: type[BaseModel], place: Callable[[Key], Key] = lambda key: key, partial: bool = False
) -> Iterator[Wrong]:
    """What pydantic found, with what is allowed in plain words.

    ``place`` says where in the configuration a value of the model stands. Of a part of a model, ``partial``, nothing is
    said of values that are missing or do not fit together.
    """
    for detail in error.errors(include_url=False):
        if partial and (detail["type"] == "missing" or not detail["loc"]):
            continue
        key = place(tuple(part for part in detail["loc"] if part != "[key]"))
        kind, context, given = detail["type"], detail.get("ctx", {}), detail["input"]
        siblings = sorted(getattr(_model_at(model, detail["loc"][:-1]), "model_fields", {}))
        if kind == "extra_forbidden":
            name = str(key[-1])
            yield (
                key,
                message(key, f"an unknown key (value {shown(given)})", one_of(siblings), advice(name, siblings)),
            )
        elif kind == "missing":
            description = _model_at(model, detail["loc"][:-1]).model_fields[detail["loc"][-1]].description
            yield key, message(key, "missing", description or "any value", "add it")
        else:
            yield key, message(key, shown(given), _allowed(kind, context, detail["msg"]), "correct the value")


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
