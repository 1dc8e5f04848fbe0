"""Options are checked like a configuration file: types, limits, and how values fit together."""

import dataclasses
import math
from typing import Literal

import pytest
from pydantic import ValidationError

from gradalign.base.discovery import module_names
from gradalign.base.errors import ConfigurationError
from gradalign.base.options import Options, option
from gradalign.base.settings import model_of
from gradalign.optimizers._method import load_method


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inner(Options):
    rate: float = option(description="a rate", gt=0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Example(Options):
    count: int = option(3, description="a number of things", ge=1)
    share: float = option(0.5, description="a share", ge=0, lt=1)
    half: float = option(0.25, description="less than a half", lt=0.5)
    bound: float | None = option(None, description="a bound", gt=0)
    kind: Literal["a", "b"] = option("a", description="a kind")
    flag: bool = option(False, description="a flag")
    inner: Inner = option(Inner(rate=1.0), description="more")

    def misfit(self):
        return "share must be 0 for the kind b" if self.kind == "b" and self.share else None


WRONG = [
    {"count": 0},
    {"count": 1.0},
    {"count": True},
    {"share": 1.0},
    {"share": 1},  # a whole number against the limit of a real one
    {"half": 1},
    {"share": -0.1},
    {"share": math.nan},
    {"share": math.inf},
    {"share": "0.5"},
    {"share": None},
    {"bound": 0.0},
    {"kind": "c"},
    {"flag": 1},
    {"inner": {"rate": -1.0}},
    {"inner": 1.0},
    {"kind": "b"},
]
RIGHT = [{}, {"count": 1}, {"share": 0}, {"bound": 2}, {"kind": "b", "share": 0.0}, {"inner": {"rate": 3.0}}]


@pytest.mark.parametrize("given", WRONG, ids=str)
def test_what_is_not_allowed_is_refused_by_both(given):
    with pytest.raises(ConfigurationError, match=next(iter(given)) if "inner" not in given else "rate|inner"):
        Example(**given)
    with pytest.raises(ValidationError):
        model_of(Example)(**given)


@pytest.mark.parametrize("given", RIGHT, ids=str)
def test_what_is_allowed_is_the_same_in_both(given):
    assert Example(**given).values() == model_of(Example)(**given).model_dump()


def test_unknown_and_missing_options_are_errors():
    with pytest.raises(TypeError, match="shore"):
        Example(shore=0.1)
    with pytest.raises(TypeError, match="rate"):
        Inner()
    with pytest.raises(ValidationError, match="shore"):
        model_of(Example)(shore=0.1)


def test_the_message_says_what_is_allowed():
    with pytest.raises(ConfigurationError, match=r"share is 1\.0 \(a share\); allowed: a number >= 0 and < 1"):
        Example(share=1.0)
    with pytest.raises(ConfigurationError, match=r"bound is -1 \(a bound\); allowed: a number > 0, or None"):
        Example(bound=-1)
    with pytest.raises(ConfigurationError, match=r"kind is 'c' \(a kind\); allowed: 'a', 'b'"):
        Example(kind="c")


@pytest.mark.parametrize("name", module_names("optimizers"))
def test_every_method_has_the_same_defaults_in_a_file(name):
    settings = load_method(name).Settings
    required = {each.name: 0.1 for each in dataclasses.fields(settings) if each.default is dataclasses.MISSING}
    assert settings(**required).values() == model_of(settings)(**required).model_dump()
    assert all(each.metadata["description"] for each in dataclasses.fields(settings))
