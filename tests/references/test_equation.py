"""A run takes the reference of its own equation: what belongs to it, and what may differ."""

import dataclasses

import pytest
from experiments import line_reference, specification

from gradalign.base.errors import ConfigurationError
from gradalign.pipeline.configuration import load
from gradalign.problems import allen_cahn, lid_driven_cavity
from gradalign.references import _equation as equation


def require_same(reference, run):
    equation.require_same(reference, run.problem, run.problem_settings, run.name)


def run_of(problem, **settings):
    return specification("adam", problem=problem, problem_settings=settings)


def reference_of(problem, settings):
    return dataclasses.replace(line_reference(), problem=problem, equation=equation.described(problem, settings))


def test_defaults_and_given_values_are_alike():
    require_same(line_reference(), run_of("burgers"))
    require_same(line_reference(), run_of("burgers", viscosity=0.01 / 3.141592653589793))
    require_same(line_reference(viscosity=1.0), run_of("burgers", viscosity=1))


def test_how_the_problem_is_posed_does_not_count_and_its_initial_condition_does():
    embedded = {"initial_condition": "kinked", "boundary": "embedded"}
    reference = reference_of("allen_cahn", allen_cahn.Settings(**embedded))
    require_same(reference, run_of("allen_cahn", **embedded | {"boundary": "penalised"}))
    with pytest.raises(ConfigurationError, match='initial_condition is "kinked" in the reference, "band_limited" in'):
        require_same(reference, run_of("allen_cahn", **embedded | {"initial_condition": "band_limited"}))


def test_a_curriculum_is_scored_at_its_last_reynolds_number():
    configuration = load(["workflow/config/smoke.yaml"])
    names = [name for name in configuration.run_names if configuration.run(name).training.curriculum is not None]
    assert names
    for name in names:
        given = configuration.run(name)
        last = given.training.curriculum.stages[-1].value
        lid = given.problem_settings.get("lid", "regularised")
        of = [lid_driven_cavity.Settings(reynolds=value, lid=lid) for value in (last, last / 2)]
        require_same(reference_of("lid_driven_cavity", of[0]), given)
        with pytest.raises(ConfigurationError, match="reynolds is"):
            require_same(reference_of("lid_driven_cavity", of[1]), given)


@pytest.mark.parametrize("scale", ["smoke", "laptop", "laptop-best", "laptop-methods", "laptop-stretch", "paper"])
def test_every_configured_run_takes_the_reference_of_its_configuration(scale):
    """As the pipeline makes it."""
    from importlib import import_module

    configuration = load([f"workflow/config/{scale}.yaml"])
    for name in configuration.run_names:
        given = configuration.run(name)
        model = import_module(f"gradalign.problems.{given.problem}").Settings
        require_same(
            reference_of(given.problem, model(**configuration.reference(given.problem).problem_settings)), given
        )


def test_another_problem_and_an_equation_that_is_no_text_of_settings_are_refused():
    with pytest.raises(ConfigurationError, match="holds the solution of 'burgers'; allowed: that of 'wave'"):
        require_same(line_reference(), run_of("wave"))
    for text in ("viscosity", "[]", "null"):
        with pytest.raises(ConfigurationError, match="allowed: settings as JSON"):
            require_same(dataclasses.replace(line_reference(), equation=text), run_of("burgers"))
    for text in ("{}", '{"viscosity": null}', '{"viscosity": NaN}'):
        with pytest.raises(ConfigurationError, match=r"viscosity is (not given|null|NaN) in the reference"):
            require_same(dataclasses.replace(line_reference(), equation=text), run_of("burgers"))


def test_a_reference_that_does_not_say_its_equation_is_the_word_of_the_caller_alone():
    own = dataclasses.replace(line_reference(), equation="")
    require_same(own, run_of("burgers", viscosity=0.05))
    with pytest.raises(ConfigurationError, match=r"own\.npz: does not say for which settings"):
        equation.require_known(own, "own.npz")
