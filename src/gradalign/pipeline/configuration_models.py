"""What a configuration file may hold: keys, types and ranges."""

import itertools
from collections.abc import Iterator
from importlib import import_module
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, PositiveInt

from gradalign.base.options import Options
from gradalign.base.settings import Device, Name, RunName, Scale, Seed, StrictModel, model_of


def settings_model(package: str, name: str) -> type[BaseModel]:
    """The settings of a module of ``gradalign.<package>``."""
    found: Any = import_module(f"gradalign.{package}.{name}").Settings
    return model_of(found) if issubclass(found, Options) else found


def _name_or_mapping(value: Any) -> Any:
    if not isinstance(value, str | dict):
        raise ValueError("the name of a preset, or a mapping")
    return value


Choice = Annotated[Any, BeforeValidator(_name_or_mapping)]
Points = dict[Name, PositiveInt]


class Own(StrictModel):
    """What some runs have of their own, over what their problem and method give them."""

    network: Choice = Field(
        default=None, description="preset of networks, or changes of the network, also `of` another preset"
    )
    training: Choice = Field(
        default=None, description="preset of training, or changes of the training, also `of` another preset"
    )
    points: Points | None = Field(default=None, description="collocation points by point set, in place of all others")
    settings: dict[str, Any] | None = Field(
        default=None, description="settings of the problem; only those that leave its solution as it is"
    )
    method_settings: dict[str, Any] | None = Field(default=None, description="settings of the method")
    seeds: list[Seed] | None = Field(
        default=None, min_length=1, description="seeds, in place of those of the configuration"
    )
    cores: PositiveInt | None = Field(default=None, description="cores, in place of those of the configuration")


class Recipe(Own):
    """What the runs with one method have of their own."""

    of: Name | None = Field(
        default=None,
        description="another method: what its runs have of their own on the same problem comes first, but for settings "
        "that this method does not have",
    )


class RunEntry(Own):
    """One entry of the list of runs: a run, the runs of several problems and methods, or a variation of another run."""

    problem: Name | None = Field(default=None, description="a key of problems")
    method: Name | None = Field(default=None, description="a key of methods")
    problems: list[Name] | None = Field(
        default=None, min_length=1, description="keys of problems, each with the methods"
    )
    methods: list[Name] | None = Field(
        default=None, min_length=1, description="keys of methods, each with the problems"
    )
    of: RunName | None = Field(default=None, description="for a variation: name of the run of which it is one")
    name: RunName | None = Field(default=None, description="name of the run; problem-method where left out")
    changed: str | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        description="for a variation of another run: what it changes, in words that follow the name of the method in "
        "labels; figures of errors, losses and fields leave such runs out",
    )

    @property
    def pairs(self) -> Iterator[tuple[str, str]]:
        """Problem and method of every run of the entry, in their order; none for a variation."""
        problems = [self.problem] if self.problem else self.problems or []
        methods = [self.method] if self.method else self.methods or []
        return itertools.product(problems, methods)


class ProblemEntry(StrictModel):
    """Everything about one problem: its equation, its reference, and what its runs have in common."""

    settings: dict[str, Any] = Field(default={}, description="Settings of gradalign.problems.<problem>")
    formulation: dict[str, Any] = Field(
        default={},
        description="settings of the problem for its runs alone; only those that leave its solution as it is",
    )
    points: Points = Field(description="collocation points per step by point set")
    reference: dict[str, Any] = Field(default={}, description="Settings of gradalign.references.<problem>")
    network: Choice = Field(default=None, description="network of its runs: a preset, or changes `of` one")
    training: Choice = Field(default=None, description="training of its runs: a preset, or changes `of` one")
    runs: dict[Name, Recipe] = Field(default={}, description="what its runs have of their own, by method")


class Given(StrictModel):
    """A whole configuration as files give it: lists say what to run, mappings hold settings."""

    scale: Scale = Field(description="the folder of the results; the name of the first file where left out")
    device: Device = Field(description="what trains; a gpu run refuses to start on a cpu")
    seeds: list[Seed] = Field(min_length=1, description="seeds of every run, trained one after the other")
    cores: PositiveInt | None = Field(default=None, description="cores of every run, all that there are where left out")
    claims: list[Name] = Field(min_length=1, description="topics in gradalign.claims to check")
    references: list[Name] = Field(min_length=1, description="problems whose reference solution is computed")
    studies: list[Name] = Field(description="studies in gradalign.references.studies to make")
    runs: list[RunEntry] = Field(min_length=1, description="training runs")
    networks: dict[Name, dict[str, Any]] = Field(description="presets of networks, which may build `of` one another")
    problems: dict[Name, ProblemEntry] = Field(description="all about a problem by module in gradalign.problems")
    methods: dict[Name, dict[str, Any]] = Field(description="method settings by module in gradalign.optimizers")
    recipes: dict[Name, Recipe] = Field(
        default={}, description="what runs have of their own on every problem, by method"
    )
    training: dict[Name, dict[str, Any]] = Field(description="presets of training, which may build `of` one another")
    study_settings: dict[Name, dict[str, Any]] = Field(
        description="settings of the studies by module in gradalign.references.studies"
    )
