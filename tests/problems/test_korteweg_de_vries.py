"""Residuals of the Korteweg-de Vries equation on solitons, with signs, conditions, windows and points."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import korteweg_de_vries as oracle
from problem_checks import check_that_given_values_are_used
from pydantic import ValidationError
from tolerances import IDENTITY, ROUNDING

from gradalign.problems._start import FORMULATION
from gradalign.problems.korteweg_de_vries import Settings, initial_condition, problem
from gradalign.training.model import residuals_of

DISPERSION, HEIGHT, LEVEL = 0.02, 1.5, -0.4
COUNTS = {"ic": 6, "pde": 32}


def points(dtype=jnp.float64, seed=0, windows=1):
    return problem(Settings(), windows).sample(jax.random.key(seed), COUNTS, jnp.dtype(dtype))


def soliton(params, z):
    """The soliton of the oracle, as a network would give it."""
    k = (HEIGHT / (12 * DISPERSION)) ** 0.5
    angle = k * (z[:, 1:2] - (LEVEL + HEIGHT / 3) * z[:, :1])
    return params * (LEVEL + HEIGHT / jnp.cosh(angle) ** 2)


# Third derivatives reach 90; float32 keeps seven digits of the terms that cancel.
@pytest.mark.parametrize(("dtype", "tolerance"), [(jnp.float64, IDENTITY), (jnp.float32, 1e-4)])
def test_the_soliton_solves_the_equation(dtype, tolerance):
    equation = problem(Settings(dispersion=DISPERSION))
    found = jax.jit(lambda z: residuals_of(equation, soliton, jnp.ones((), dtype), z))(points(dtype))
    assert found["pde"].dtype == found["ic"].dtype == dtype
    np.testing.assert_allclose(found["pde"], 0, atol=tolerance)


@pytest.mark.slow
def test_signs_of_every_term():
    """What is left of the residual on an exact solution names the term that was changed."""
    one, z = jnp.ones(()), points()
    t, x = np.asarray(z["pde"]).T
    u, slope, third = oracle.soliton(t, x, DISPERSION, HEIGHT, LEVEL)

    def left(apply, dispersion=DISPERSION):
        return residuals_of(problem(Settings(dispersion=dispersion)), apply, one, z)["pde"]

    np.testing.assert_allclose(left(soliton, 2 * DISPERSION), DISPERSION * third, atol=IDENTITY)
    doubled = left(lambda params, y: soliton(2 * params, y))
    np.testing.assert_allclose(doubled, 2 * u * slope, atol=IDENTITY)  # linear terms double, u ∂u/∂x quadruples
    frozen = left(lambda params, y: soliton(params, y.at[:, 0].set(0)))
    slope = oracle.soliton(0, x, DISPERSION, HEIGHT, LEVEL)[1]
    np.testing.assert_allclose(frozen, (LEVEL + HEIGHT / 3) * slope, atol=IDENTITY)  # ∂u/∂t is missing


def test_conditions():
    equation, z = problem(Settings()), points()
    exact = residuals_of(equation, lambda params, y: initial_condition(y[:, 1:2]), None, z)
    np.testing.assert_allclose(exact["ic"], 0, atol=ROUNDING)
    zero = residuals_of(equation, lambda params, y: 0 * y[:, 1:2], None, z)
    np.testing.assert_allclose(zero["ic"], -np.cos(np.pi * np.asarray(z["ic"][:, 1])), atol=ROUNDING)


def test_the_initial_residual_uses_the_given_values():
    check_that_given_values_are_used(problem(Settings()), points())


def test_the_initial_values_stand_behind_the_initial_points():
    np.testing.assert_allclose(points()["ic"][:, 2], initial_condition(points()["ic"][:, 1]), atol=1e-15)


def test_contract():
    equation = problem(Settings())
    assert (equation.name, equation.coordinates, equation.fields) == ("korteweg_de_vries", ("t", "x"), ("u",))
    assert (equation.losses, equation.sets, equation.causal) == (("ic", "pde"), ("ic", "pde"), ("pde",))
    assert (equation.domain, equation.periodic, equation.formulation) == (
        ((0.0, 1.0), (-1.0, 1.0)),
        ("x",),
        FORMULATION,
    )
    assert equation.given == {"ic": ("u",)}
    assert equation.has_windows


def test_settings():
    assert Settings().dispersion == 0.022**2
    for wrong in ({"dispersion": 0.0}, {"dispersion": -1.0}, {"dispersion": "small"}, {"delta": 0.022}):
        with pytest.raises(ValidationError):
            Settings(**wrong)
