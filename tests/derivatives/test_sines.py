"""Sine and cosine against those of NumPy in more digits, and their derivatives against each other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradalign.derivatives.partial import partial_derivatives
from gradalign.derivatives.sines import sine_and_cosine

SPACING = {"float32": 2.0**-23, "float64": 2.0**-52}


@pytest.mark.parametrize("dtype", SPACING)
@pytest.mark.parametrize("largest", [1.6, 10.0, 1e3, 1e5])
def test_both_are_within_twice_the_spacing_at_one(dtype, largest):
    drawn = np.random.default_rng(0).uniform(-largest, largest, 100_000)
    beside = np.pi / 2 * np.arange(-1000, 1001)  # zeros, where rounding may decide about the nearest k
    x = np.concatenate([drawn, beside[abs(beside) <= largest]]).astype(dtype)
    exact = x.astype(np.longdouble)
    found = jax.jit(sine_and_cosine)(x)
    for value, expected in zip(found, (np.sin(exact), np.cos(exact)), strict=True):
        assert value.dtype == dtype
        assert np.max(np.abs(np.asarray(value, np.longdouble) - expected)) <= 2 * SPACING[dtype]


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_no_number_leads_out_of_the_range(x):
    for value in sine_and_cosine(jnp.float32(x)):
        assert abs(float(value)) <= 1 + SPACING["float32"]


@pytest.mark.parametrize("x", [np.inf, -np.inf, np.nan])
def test_what_is_not_finite_stays_so(x):
    assert np.isnan(sine_and_cosine(jnp.asarray(x))).all()


def test_another_dtype_is_that_of_jax():
    for value, expected in zip(sine_and_cosine(jnp.float16(1)), (np.sin(1), np.cos(1)), strict=True):
        assert value.dtype == jnp.float16
        np.testing.assert_allclose(value, expected, rtol=2.0**-10)


def test_derivatives_of_any_order():
    sine, cosine = (lambda x, at=at: sine_and_cosine(x)[at] for at in (0, 1))
    x = 0.7
    expected = [np.cos(x), -np.sin(x), -np.cos(x), np.sin(x)]
    for order, value in enumerate(expected):
        sine, cosine = jax.grad(sine), jax.grad(cosine)
        np.testing.assert_allclose(sine(x), value, rtol=1e-15)
        np.testing.assert_allclose(cosine(x), [-np.sin(x), -np.cos(x), np.sin(x), np.cos(x)][order], rtol=1e-15)


def test_a_network_of_sines_calls_no_sine_of_the_compiler():
    """The sine of XLA costs twenty times as much on a CPU."""

    def derivatives(weights, points):
        found = partial_derivatives(lambda z: jnp.sin(jnp.cos(z @ weights)), points, ("", "t", "xx"))
        return jnp.stack([found["t"], found["xx"]])

    weights, points = jnp.ones((2, 3)), jnp.linspace(0, 1, 10).reshape(5, 2)
    text = jax.jit(derivatives).lower(weights, points).compile().as_text()
    assert [text.count(f" {name}(") for name in ("cosine", "sine")] == [0, 0]
    assert jax.make_jaxpr(lambda z: jnp.sin(jnp.cos(z)))(points).pretty_print().count("sin ") == 1  # it is asked for
