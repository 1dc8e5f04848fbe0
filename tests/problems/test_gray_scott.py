"""Residuals of the Gray-Scott equations on exact solutions and by hand, with signs, conditions and points."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import gray_scott as oracle
from problem_checks import (
    check_that_given_values_of_u_and_v_are_used,
    check_that_u_and_v_are_scored,
    residuals_of_the_reference,
)
from pydantic import ValidationError

from gradalign.problems._start import FORMULATION
from gradalign.problems.gray_scott import Settings, initial_condition, problem
from gradalign.references.gray_scott import fourier
from gradalign.training.model import residuals_of

COUNTS = {"ic": 6, "pde": 32}


def points(dtype=jnp.float64, seed=0):
    return problem(Settings()).sample(jax.random.key(seed), COUNTS, jnp.dtype(dtype))


def manufactured(params, z):
    """The fields of the oracle, as a network would give them."""
    t, x, y = z[:, 0], np.pi * z[:, 1], np.pi * z[:, 2]
    u = 0.6 + 0.3 * jnp.exp(-2 * t) * jnp.cos(x) * jnp.sin(2 * y)
    v = 0.4 + 0.2 * jnp.cos(3 * t) * jnp.sin(x) * jnp.cos(3 * y)
    return jnp.stack([u, v], axis=1)


# Terms of up to 1e3 cancel; float32 keeps seven digits of them.
@pytest.mark.parametrize(("dtype", "tolerance"), [(jnp.float64, 1e-11), (jnp.float32, 5e-3)])
def test_residuals_are_those_derived_by_hand(dtype, tolerance):
    z = points(dtype)
    gray_scott = problem(Settings())
    found = jax.jit(lambda z: residuals_of(gray_scott, manufactured, None, z))(z)
    _, (ru, rv) = oracle.manufactured(*np.asarray(z["pde"], float).T)
    assert found["ru"].dtype == dtype
    np.testing.assert_allclose(found["ru"], ru, atol=tolerance)
    np.testing.assert_allclose(found["rv"], rv, atol=tolerance)


def test_every_coefficient_stands_where_it_belongs():
    """What a changed coefficient adds to the residuals names its term."""
    z = points()
    t, x, y = np.asarray(z["pde"]).T
    (u, v), (ru, rv) = oracle.manufactured(t, x, y)
    wave_u, wave_v = u - 0.6, v - 0.4
    zero = 0 * u
    expected = {
        "diffusion_u": (5 * np.pi**2 * wave_u, zero),
        "diffusion_v": (zero, 10 * np.pi**2 * wave_v),
        "feed": (-(1 - u), zero),
        "decay": (zero, v),
        "reaction": (u * v**2, -u * v**2),
    }
    for name, (in_u, in_v) in expected.items():
        chosen = Settings(**{name: getattr(Settings(), name) + 1})
        found = residuals_of(problem(chosen), manufactured, None, z)
        np.testing.assert_allclose(found["ru"] - ru, in_u, atol=1e-10)
        np.testing.assert_allclose(found["rv"] - rv, in_v, atol=1e-10)


def test_without_v_a_wave_of_u_decays():
    """v = 0, u = 1 + exp(-(F + 5π² D_u) t) cos(πx) cos(2πy) is exact; without the wave, the spurious solution."""

    def apply(params, z):
        t, x, y = z[:, 0], np.pi * z[:, 1], np.pi * z[:, 2]
        u = 1 + params * jnp.exp(-(40 + np.pi**2) * t) * jnp.cos(x) * jnp.cos(2 * y)
        return jnp.stack([u, 0 * u], axis=1)

    for height in (1.0, 0.0):
        found = residuals_of(problem(Settings()), apply, height, points())
        np.testing.assert_allclose(found["ru"], 0, atol=1e-10)
        np.testing.assert_allclose(found["rv"], 0, atol=0)


def test_the_initial_condition_is_that_of_the_oracle():
    x, y = np.random.default_rng(0).uniform(-1, 1, (2, 50))
    found = initial_condition(jnp.asarray(x), jnp.asarray(y))
    np.testing.assert_allclose(found, oracle.initial(x, y), atol=1e-15)


def test_initial_rows_use_the_values_that_are_given():
    check_that_given_values_of_u_and_v_are_used(problem(Settings()), points(), oracle.initial)


def test_contract():
    gray_scott = problem(Settings())
    assert (gray_scott.name, gray_scott.coordinates, gray_scott.fields) == ("gray_scott", ("t", "x", "y"), ("u", "v"))
    assert (gray_scott.losses, gray_scott.sets) == (("u_ic", "v_ic", "ru", "rv"), ("ic", "pde"))
    assert gray_scott.domain == ((0.0, 2.0), (-1.0, 1.0), (-1.0, 1.0))
    assert problem(Settings(), windows=5).domain[0] == (0.0, 2.0 / 5)
    assert (gray_scott.periodic, gray_scott.causal, gray_scott.given) == (("x", "y"), ("ru", "rv"), {"ic": ("u", "v")})
    assert gray_scott.has_windows
    assert list(residuals_of(gray_scott, manufactured, None, points())) == list(gray_scott.losses)


def test_what_is_scored():
    check_that_u_and_v_are_scored(problem(Settings()))


def test_the_reference_solution_leaves_a_small_residual():
    def series(times):
        return fourier(times, Settings(), 96, 2.5e-4, lambda share, text: None)

    found = residuals_of_the_reference(problem(Settings()), points(), series, middle=0.05, gap=5e-4)
    assert np.all(found < 5e-4)  # what is truncated in space: measured 1.3e-4, with 128 modes 2.4e-6


def test_settings():
    chosen = Settings()
    assert tuple(chosen.model_dump(exclude=set(FORMULATION)).values()) == (2.0, 0.2, 0.1, 40.0, 100.0, 1000.0)
    for wrong in ({"horizon": 0.0}, {"diffusion_u": -0.2}, {"feed": 0.0}, {"reaction": "fast"}, {"viscosity": 0.1}):
        with pytest.raises(ValidationError):
            Settings(**wrong)
