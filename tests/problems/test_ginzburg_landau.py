"""Residuals of the complex Ginzburg-Landau equation on exact solutions, with signs, conditions and points."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import ginzburg_landau as oracle
from problem_checks import (
    check_that_given_values_of_u_and_v_are_used,
    check_that_u_and_v_are_scored,
    residuals_of_the_reference,
)
from pydantic import ValidationError
from tolerances import IDENTITY

from gradalign.problems._start import FORMULATION
from gradalign.problems.ginzburg_landau import Settings, initial_condition, problem
from gradalign.references.ginzburg_landau import fourier
from gradalign.training.model import residuals_of

COUNTS = {"ic": 6, "pde": 32}
WAVE = Settings(diffusion=0.05, rate=8.0, dispersion=0.7)
Q = (np.pi, -2 * np.pi)


def points(dtype=jnp.float64, seed=0):
    return problem(Settings()).sample(jax.random.key(seed), COUNTS, jnp.dtype(dtype))


def plane_wave(params, z):
    """An exact solution of ``WAVE``: A = a exp(i (q·x - ωt)), as a network would give it."""
    amplitude, frequency = oracle.plane_wave(WAVE.diffusion, WAVE.rate, WAVE.dispersion, Q)
    phase = Q[0] * z[:, 1] + Q[1] * z[:, 2] - float(frequency) * z[:, 0]
    return float(amplitude) * jnp.stack([jnp.cos(phase), jnp.sin(phase)], axis=1)


def left(apply, z, **changed):
    found = residuals_of(problem(WAVE.model_copy(update=changed)), apply, None, z)
    return np.asarray(found["ru"]) + 1j * np.asarray(found["rv"])


# Derivatives of the wave reach ε q² = 50; float32 keeps seven digits of the terms that cancel.
@pytest.mark.slow
@pytest.mark.parametrize(("dtype", "tolerance"), [(jnp.float64, IDENTITY), (jnp.float32, 2e-5)])
def test_plane_waves_solve_the_equation(dtype, tolerance):
    found = jax.jit(lambda z: residuals_of(problem(WAVE), plane_wave, None, z))(points(dtype))
    for name in ("ru", "rv"):
        assert found[name].dtype == dtype
        np.testing.assert_allclose(found[name], 0, atol=tolerance)


@pytest.mark.slow
def test_signs_of_every_term():
    """What is left of the residual on an exact solution names the term that was changed."""
    z = points()
    u, v = np.asarray(plane_wave(None, z["pde"])).T
    A = u + 1j * v
    m, (a, frequency) = np.abs(A) ** 2, oracle.plane_wave(WAVE.diffusion, WAVE.rate, WAVE.dispersion, Q)
    np.testing.assert_allclose(m, a**2, atol=IDENTITY)
    squares = Q[0] ** 2 + Q[1] ** 2
    np.testing.assert_allclose(left(plane_wave, z, diffusion=0.06), 0.01 * squares * A, atol=IDENTITY)
    np.testing.assert_allclose(left(plane_wave, z, rate=9.0), -A + (1 + 0.7j) * m * A, atol=IDENTITY)
    np.testing.assert_allclose(left(plane_wave, z, dispersion=-0.7), -8 * 1.4j * m * A, atol=IDENTITY)
    doubled = left(lambda params, p: 2 * plane_wave(params, p), z)
    np.testing.assert_allclose(
        doubled, 8 * 6 * (1 + 0.7j) * m * A, atol=1e-11
    )  # linear terms double, the cubic does not
    frozen = left(lambda params, p: plane_wave(params, p.at[:, 0].set(0)), z)
    u, v = np.asarray(plane_wave(None, z["pde"].at[:, 0].set(0))).T
    np.testing.assert_allclose(frozen, 1j * frequency * (u + 1j * v), atol=IDENTITY)  # ∂A/∂t is missing
    mirrored = left(lambda params, p: plane_wave(params, p) * jnp.asarray([1.0, -1.0]), z)
    np.testing.assert_allclose(mirrored, 2j * frequency * np.conj(A), atol=IDENTITY)  # the other sense of rotation


def test_without_waves_the_modulus_is_logistic():
    """A = exp(kt - iβ/2 log M) / sqrt(M) c, M = 1 + c² (exp(2kt) - 1): the exact step of the oracle's splitting."""
    z = points()

    def apply(params, z):
        growth = 1 + 0.09 * jnp.expm1(2 * 10.0 * z[:, 0])
        modulus, phase = 0.3 * jnp.exp(10.0 * z[:, 0]) / jnp.sqrt(growth), -1.5 / 2 * jnp.log(growth)
        return jnp.stack([modulus * jnp.cos(phase), modulus * jnp.sin(phase)], axis=1)

    found = residuals_of(problem(Settings()), apply, None, z)
    np.testing.assert_allclose(found["ru"], 0, atol=1e-10)  # exp(20) is divided by itself
    np.testing.assert_allclose(found["rv"], 0, atol=1e-10)


def test_zero_solves_the_equation():
    found = residuals_of(problem(Settings()), lambda params, z: 0 * z[:, :2], None, points())
    assert not np.any(found["ru"])
    assert not np.any(found["rv"])


def test_the_initial_condition_is_that_of_the_oracle():
    x, y = np.random.default_rng(0).uniform(-1, 1, (2, 50))
    found = initial_condition(jnp.asarray(x), jnp.asarray(y))
    np.testing.assert_allclose(found, oracle.initial(x, y).view(float).reshape(-1, 2).T, atol=1e-15)


def test_initial_rows_use_the_values_that_are_given():
    def initial(x, y):
        return oracle.initial(x, y).view(float).reshape(-1, 2).T

    check_that_given_values_of_u_and_v_are_used(problem(Settings()), points(), initial)


def test_contract():
    ginzburg_landau = problem(Settings())
    assert (ginzburg_landau.name, ginzburg_landau.coordinates, ginzburg_landau.fields) == (
        "ginzburg_landau",
        ("t", "x", "y"),
        ("u", "v"),
    )
    assert (ginzburg_landau.losses, ginzburg_landau.sets) == (("u_ic", "v_ic", "ru", "rv"), ("ic", "pde"))
    assert ginzburg_landau.domain == ((0.0, 1.0), (-1.0, 1.0), (-1.0, 1.0))
    assert problem(Settings(), windows=5).domain[0] == (0.0, 1.0 / 5)
    assert (ginzburg_landau.periodic, ginzburg_landau.causal, ginzburg_landau.given) == (
        ("x", "y"),
        ("ru", "rv"),
        {"ic": ("u", "v")},
    )
    assert ginzburg_landau.has_windows
    assert list(residuals_of(ginzburg_landau, plane_wave, None, points())) == list(ginzburg_landau.losses)


def test_what_is_scored():
    check_that_u_and_v_are_scored(problem(Settings()))


@pytest.mark.slow
def test_the_reference_solution_leaves_a_small_residual():
    def series(times):
        return fourier(times, Settings(), 96, 5e-4, lambda share, text: None)

    found = residuals_of_the_reference(problem(Settings()), points(), series, middle=0.1, gap=1e-3)
    assert np.all(found < 5e-4)  # what is truncated in space: measured 2.4e-4, with 128 modes 3.2e-5


def test_settings():
    chosen = Settings()
    assert tuple(chosen.model_dump(exclude=set(FORMULATION)).values()) == (1.0, 0.004, 10.0, 1.5)
    for wrong in ({"horizon": 0.0}, {"diffusion": -0.004}, {"rate": 0.0}, {"dispersion": "weak"}, {"viscosity": 0.1}):
        with pytest.raises(ValidationError):
            Settings(**wrong)
