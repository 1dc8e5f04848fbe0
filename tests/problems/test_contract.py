"""A problem that would give wrong residuals without a sign of it is refused."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import pytest

from gradalign.base.errors import ConfigurationError
from gradalign.problems import allen_cahn, burgers
from gradalign.problems._contract import At, HardStart, PointSet, Term, at_rest
from gradalign.problems._sets import initial_values
from gradalign.training.model import residuals_of

BURGERS = burgers.problem(burgers.Settings())
START, ENDS, INSIDE = BURGERS.points


def with_points(*points):
    return replace(BURGERS, points=points)


def test_names_are_given_once():
    with pytest.raises(ValueError, match=r"point sets are named \['pde', 'pde'\]; allowed: each name once"):
        with_points(INSIDE, replace(INSIDE, terms=(Term("other"),)))
    with pytest.raises(ValueError, match=r"loss terms are named \['pde', 'pde'\]"):
        with_points(INSIDE, replace(INSIDE, name="more"))


def test_a_term_drives_a_field_of_the_problem():
    with pytest.raises(ValueError, match="loss term 'pde' drives 'v'; allowed: a field, u"):
        with_points(replace(INSIDE, terms=(Term("pde", drives="v"),)))


def test_a_hard_start_has_no_ansatz_beside_it():
    start = HardStart(((-1.0, 1.0),), 3, lambda x: [0 * x], (at_rest,))
    with pytest.raises(ValueError, match="an ansatz and a hard start"):
        replace(BURGERS, hard_start=start, ansatz=lambda z, outputs: outputs)


@pytest.mark.parametrize("given", [{}, {"pde": 0.0, "more": 0.0}, {"ic": 0.0}])
def test_residuals_are_those_of_the_terms(given):
    broken = with_points(PointSet("pde", INSIDE.sample, lambda fields, at: given, (Term("pde"),)))
    points = broken.sample(jax.random.key(0), {"pde": 4}, jnp.dtype("float64"))
    with pytest.raises(ValueError, match=r"point set 'pde' gave residuals .*; allowed: those of \['pde'\]"):
        residuals_of(broken, lambda params, z: z[:, 1:], None, points)


def test_every_field_has_an_initial_value():
    start = initial_values(BURGERS.domain, ("u", "v"), lambda x: [x])
    with pytest.raises(ValueError, match="1 initial values for the fields"):
        start.sample(jax.random.key(0), 4, jnp.dtype("float64"))


def test_a_column_that_is_not_there_is_told_those_that_are():
    at = At(jnp.zeros((1, 3)), ("t", "x"), ("u",))
    with pytest.raises(AttributeError, match=r"no column 'y'; allowed: t, x, u"):
        _ = at.y


def test_a_hard_start_and_a_penalised_boundary_are_refused():
    settings = allen_cahn.Settings(
        initial_condition="band_limited", boundary="penalised", start="exact", start_harmonics=255
    )
    with pytest.raises(ConfigurationError, match=r"start 'exact' with boundary 'penalised'; allowed: 'embedded'"):
        allen_cahn.problem(settings)
