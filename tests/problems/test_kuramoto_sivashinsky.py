"""Residuals of the Kuramoto-Sivashinsky equation on a moving front, with signs, conditions, windows and points."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import kuramoto_sivashinsky as oracle
from problem_checks import check_that_given_values_are_used
from pydantic import ValidationError
from tolerances import IDENTITY, ROUNDING

from gradalign.problems._start import FORMULATION
from gradalign.problems.kuramoto_sivashinsky import Settings, initial_condition, problem
from gradalign.training.model import residuals_of

COEFFICIENTS = {"convection": 1.3, "growth": 0.8, "damping": 0.6}
LEVEL = 0.7
COUNTS = {"ic": 6, "pde": 32}


def points(dtype=jnp.float64, seed=0, windows=1):
    return problem(Settings(), windows).sample(jax.random.key(seed), COUNTS, jnp.dtype(dtype))


def front(params, z):
    """The front of the oracle, as a network would give it."""
    convection, growth, damping = COEFFICIENTS.values()
    k = (11 / 19) ** 0.5 / 2
    y = jnp.tanh(k * (z[:, 1:2] * (growth / damping) ** 0.5 - LEVEL * z[:, :1] * growth**2 / damping))
    size = growth**1.5 / (convection * damping**0.5)
    return params * size * (LEVEL + 15 / 19 * (11 / 19) ** 0.5 * (11 * y**3 - 9 * y))


@pytest.mark.parametrize(("dtype", "tolerance"), [(jnp.float64, IDENTITY), (jnp.float32, 2e-5)])
def test_the_moving_front_solves_the_equation(dtype, tolerance):
    equation = problem(Settings(**COEFFICIENTS))
    found = jax.jit(lambda z: residuals_of(equation, front, jnp.ones((), dtype), z))(points(dtype))
    assert found["pde"].dtype == found["ic"].dtype == dtype
    np.testing.assert_allclose(found["pde"], 0, atol=tolerance)


def test_signs_of_every_term():
    """What is left of the residual on an exact solution names the term that was changed."""
    one, z = jnp.ones(()), points()
    t, x = np.asarray(z["pde"]).T
    u, first, second, _, fourth = oracle.front(t, x, **COEFFICIENTS, level=LEVEL)
    np.testing.assert_allclose(front(one, z["pde"])[:, 0], u, atol=ROUNDING)

    def left(apply, **changed):
        return residuals_of(problem(Settings(**(COEFFICIENTS | changed))), apply, one, z)["pde"]

    np.testing.assert_allclose(left(front, convection=2.6), 1.3 * u * first, atol=IDENTITY)
    np.testing.assert_allclose(left(front, growth=1.6), 0.8 * second, atol=IDENTITY)
    np.testing.assert_allclose(left(front, damping=1.2), 0.6 * fourth, atol=IDENTITY)
    doubled = left(lambda params, y: front(2 * params, y))
    np.testing.assert_allclose(doubled, 2 * 1.3 * u * first, atol=IDENTITY)  # linear terms double, u ∂u/∂x quadruples
    frozen = left(lambda params, y: front(params, y.at[:, 0].set(0)))
    first = oracle.front(0, x, **COEFFICIENTS, level=LEVEL)[1]
    speed = LEVEL * 0.8**1.5 / 0.6**0.5
    np.testing.assert_allclose(frozen, speed * first, atol=IDENTITY)  # ∂u/∂t is missing


def test_conditions():
    equation, z = problem(Settings()), points()
    exact = residuals_of(equation, lambda params, y: initial_condition(y[:, 1:2]), None, z)
    np.testing.assert_allclose(exact["ic"], 0, atol=ROUNDING)
    zero = residuals_of(equation, lambda params, y: 0 * y[:, 1:2], None, z)
    np.testing.assert_allclose(zero["ic"], -oracle.initial(np.asarray(z["ic"][:, 1])), atol=ROUNDING)


def test_the_initial_condition_is_odd_about_half_pi():
    x = jnp.linspace(-1, 7, 33)
    np.testing.assert_allclose(initial_condition(np.pi - x), -initial_condition(x), atol=ROUNDING)


def test_the_initial_residual_uses_the_given_values():
    check_that_given_values_are_used(problem(Settings()), points())


def test_the_initial_values_stand_behind_the_initial_points():
    np.testing.assert_allclose(points()["ic"][:, 2], initial_condition(points()["ic"][:, 1]), atol=1e-15)


def test_contract():
    equation = problem(Settings())
    assert (equation.name, equation.coordinates, equation.fields) == ("kuramoto_sivashinsky", ("t", "x"), ("u",))
    assert (equation.losses, equation.sets, equation.causal) == (("ic", "pde"), ("ic", "pde"), ("pde",))
    assert (equation.domain, equation.periodic, equation.formulation) == (
        ((0.0, 1.0), (0.0, 2 * np.pi)),
        ("x",),
        FORMULATION,
    )
    assert equation.given == {"ic": ("u",)}
    assert equation.has_windows


def test_settings():
    chosen = Settings()
    assert (chosen.convection, chosen.growth, chosen.damping, chosen.horizon) == (6.25, 0.390625, 0.00152587890625, 1.0)
    for wrong in ({"convection": 0.0}, {"growth": -1.0}, {"damping": "small"}, {"horizon": 0.0}, {"alpha": 1.0}):
        with pytest.raises(ValidationError):
            Settings(**wrong)
