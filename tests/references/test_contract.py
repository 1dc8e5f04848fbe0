"""What every reference must keep to: a solution that is not finite never gives a stated error, nor a file."""

import copy
from importlib import import_module

import numpy as np
import pytest

from gradalign.base.discovery import module_names
from gradalign.base.errors import ConfigurationError

SOLVERS = {
    "allen_cahn": ["fourier", "finite_differences"],
    "burgers": ["cole_hopf.burgers", "fourier"],
    "ginzburg_landau": ["fourier", "radial"],
    "gray_scott": ["fourier", "finite_differences"],
    "kolmogorov_flow": ["vorticity", "projected_velocity"],
    "korteweg_de_vries": ["fourier", "finite_differences"],
    "kuramoto_sivashinsky": ["fourier", "finite_differences"],
    "lid_driven_cavity": ["cavity.solve", "cavity_collocation.solve"],
    "rayleigh_taylor": ["Convection.solve", "CollocatedConvection.solve"],
    "wave": ["standing_waves", "travelling_waves", "finite_differences"],
}
"""All that gives a recipe a solution: names in its module."""

SOLUTIONS = {
    "allen_cahn": 4,
    "burgers": 3,
    "ginzburg_landau": 4,
    "gray_scott": 4,
    "kolmogorov_flow": 5,
    "korteweg_de_vries": 4,
    "kuramoto_sivashinsky": 4,
    "lid_driven_cavity": 3,
    "rayleigh_taylor": 4,
    "wave": 3,
}
"""How many solutions the stated error is made from, as the docstring of each recipe lists them."""

COARSE = {
    "allen_cahn": (
        {"times": 3, "points": 129, "modes": 512, "refined_modes": 640, "time_step": 0.01},
        {"initial_condition": "band_limited", "diffusion": 1e-3},
    ),
    "burgers": (
        {"times": 3, "points": 9, "nodes": 801, "refined_nodes": 1001, "modes": 512, "time_step": 5e-3},
        {"viscosity": 0.05},
    ),
    "ginzburg_landau": (
        {"times": 3, "points": 9, "modes": 64, "coarse_modes": 48, "time_step": 0.01, "cells": 200},
        {"horizon": 0.02},
    ),
    "gray_scott": (
        {"times": 3, "points": 9, "modes": 64, "coarse_modes": 48, "time_step": 5e-4, "cells": 48},
        {"horizon": 0.02},
    ),
    "kolmogorov_flow": (
        {"times": 3, "points": 8, "modes": 24, "coarse_modes": 16, "time_step": 5e-3, "check_modes": 16},
        {"viscosity": 0.02, "peak": 2.0, "cutoff": 2, "horizon": 0.05},
    ),
    "korteweg_de_vries": (
        {"times": 3, "points": 65, "modes": 128, "coarse_modes": 96, "time_step": 2e-3},
        {"dispersion": 0.01},
    ),
    "kuramoto_sivashinsky": (
        {"times": 3, "points": 33, "modes": 128, "coarse_modes": 96, "time_step": 1e-3, "cells": 64},
        {"horizon": 0.04},
    ),
    "lid_driven_cavity": ({"points": 17, "degree": 24, "coarser_degree": 20, "elements": 16}, {"reynolds": 10.0}),
    "rayleigh_taylor": (
        {
            "times": 3,
            "points": 8,
            "heights": 9,
            "modes": 16,
            "degree": 24,
            "coarse_modes": 12,
            "coarse_degree": 20,
            "time_step": 0.05,
            "check_points": 16,
            "check_degree": 24,
            "check_times": 2,
        },
        {"rayleigh": 1e3, "thickness": 0.2, "amplitude": 0.2, "horizon": 0.5},
    ),
    "wave": ({"times": 3, "points": 65, "tolerance": 1e-9}, {}),
}


def compute(name):
    recipe, posed = (import_module(f"gradalign.{package}.{name}") for package in ("references", "problems"))
    settings, equation = COARSE[name]
    return recipe.compute(recipe.Settings(**settings), None, posed.Settings(**equation))


def with_solutions(monkeypatch, name, given):
    """Let every solver of a recipe be ``given(its own solver) -> solver``."""
    recipe = import_module(f"gradalign.references.{name}")
    for path in SOLVERS[name]:
        *owners, last = path.split(".")
        owner = recipe
        for each in owners:
            owner = getattr(owner, each)
        monkeypatch.setattr(owner, last, given(getattr(owner, last)))


@pytest.fixture(scope="module", params=sorted(SOLVERS))
def solved(request):
    """A recipe, its solutions in the order in which it asks for them, and the reference that it makes of them."""
    name, solutions = request.param, []

    def recorded(solver):
        def call(*given, **named):
            solutions.append(copy.deepcopy(found := solver(*given, **named)))
            return found

        return call

    with pytest.MonkeyPatch.context() as changed:
        with_solutions(changed, name, recorded)
        reference = compute(name)
    return name, solutions, reference


def replayed(monkeypatch, name, solutions):
    """Let the solvers of a recipe return copies of ``solutions``, one after the other, without any compute."""
    following = iter(solutions)
    with_solutions(monkeypatch, name, lambda solver: lambda *given, **named: copy.deepcopy(next(following)))


def arrays(solution):
    """All arrays that a solver returned."""
    if isinstance(solution, np.ndarray):
        yield solution
    elif isinstance(solution, list | tuple | dict):
        for part in solution.values() if isinstance(solution, dict) else solution:
            yield from arrays(part)
    elif isinstance(getattr(solution, "coefficients", None), np.ndarray):  # the flow in a cavity
        yield solution.coefficients


def poison(array, name, value):
    """Put ``value`` in place of the entry of the largest size, after the initial condition."""
    later = array[1:]
    if name == "rayleigh_taylor" and later.ndim == 2:
        later = later[:, :-2]  # behind the flow stand the budgets, of which one solution's count
    later[np.unravel_index(np.argmax(np.abs(later)), later.shape)] = value


def test_every_reference_has_an_entry():
    assert sorted(SOLVERS) == sorted(SOLUTIONS) == sorted(COARSE) == module_names("references")


def test_the_stated_error_is_made_from_all_solutions(solved):
    name, solutions, reference = solved
    flat = [one for each in solutions for one in (each if isinstance(each, list) else [each])]
    assert len(flat) == SOLUTIONS[name]
    measured = [reference.self_convergence_error, reference.independent_difference, *reference.evidence.values()]
    assert reference.stated_error == sorted(measured)[-1] > 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_one_number_that_is_not_finite_gives_no_reference(solved, value, tmp_path, monkeypatch):
    name, solutions, sound = solved
    replayed(monkeypatch, name, solutions)
    assert compute(name).stated_error == sound.stated_error  # what the poison is measured against
    tried = 0
    for position, solution in enumerate(solutions):
        for index in range(len(list(arrays(solution)))):
            poisoned = copy.deepcopy(solutions)
            poison(list(arrays(poisoned[position]))[index], name, value)
            replayed(monkeypatch, name, poisoned)
            with pytest.raises(
                ConfigurationError, match=r"(self_convergence_error|independent_difference|evidence '.*') is (nan|inf)"
            ):
                compute(name).save(tmp_path / "reference.npz")
            tried += 1
    assert tried >= SOLUTIONS[name]
    assert not list(tmp_path.iterdir())
