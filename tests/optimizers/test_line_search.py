"""The line search on functions of one variable: both strong Wolfe conditions, and the behaviour without such a step."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradalign.optimizers._line_search import fingerprint, strong_wolfe

DECREASE, CURVATURE = 1e-4, 0.1


def search(function, start=0.0, sign=1.0, **settings):
    x = jnp.asarray([start])
    both = jax.value_and_grad(lambda x: jnp.sum(function(x)))
    value, gradient = both(x)
    direction = -sign * jnp.sign(gradient)
    found = strong_wolfe(both, x, value, gradient, direction, decrease=DECREASE, curvature=CURVATURE, **settings)
    return found, float(value), float(gradient @ direction), both(x + found.length * direction)


@jax.jit
def wiggles(coefficients, first_length):
    """The search along a quartic with two superposed waves, bounded from below."""
    a, b, c, d = coefficients

    def function(t):
        return jnp.sum((t - a) ** 4 / 10 + b * jnp.sin(3 * t) + c * jnp.cos(7 * t) + d * t)

    both = jax.value_and_grad(function)
    zero = jnp.zeros(1)
    value, gradient = both(zero)
    found = strong_wolfe(both, zero, value, gradient, -jnp.sign(gradient), first_length, 60, DECREASE, CURVATURE)
    return found, value, gradient, both(-found.length * jnp.sign(gradient))


@given(st.tuples(*[st.floats(-3, 3)] * 4), st.floats(-3, 2))
def test_accepted_steps_satisfy_both_conditions(coefficients, exponent):
    found, value, gradient, end = wiggles(jnp.asarray(coefficients), jnp.asarray(10.0**exponent))
    slope, end_slope = -abs(float(gradient[0])), -float(end[1] @ jnp.sign(gradient))
    if slope > -1e-6:
        return  # hardly a descent direction
    assert found.length > 0
    assert found.evaluations <= 60
    # The search compiles to another order of operations, with terms of up to 100
    assert float(found.value) == pytest.approx(float(end[0]), abs=1e-12)
    assert float(end[0]) <= float(value) + DECREASE * float(found.length) * slope + 2e-8 * abs(float(value))
    assert abs(end_slope) <= -CURVATURE * slope
    np.testing.assert_allclose(found.gradient, end[1], rtol=0, atol=1e-12)


def test_quadratic_is_solved_by_the_second_trial_and_a_good_first_one_is_taken():
    found, *_ = search(lambda x: (x - 3.0) ** 2, first_length=4.0)
    assert found.length == pytest.approx(3.0, abs=1e-14)
    assert found.evaluations == 2
    found, *_ = search(lambda x: (x - 3.0) ** 2, first_length=3.0)
    assert found.evaluations == 1


def test_first_length_may_be_far_too_short_or_too_long():
    for first in (1e-6, 1e6):
        found, *_ = search(lambda x: (x - 3.0) ** 2, first_length=first)
        assert found.length == pytest.approx(3.0, abs=0.3)


def test_values_that_are_not_finite_count_as_too_long():
    found, *_ = search(lambda x: jnp.where(x > 0.01, jnp.nan, -x))
    assert 0 < found.length <= 0.01
    assert jnp.isfinite(found.value)


@pytest.mark.parametrize("function", [lambda x: x**2, lambda x: jnp.where(x == 2.0, x, jnp.nan)])
def test_no_step_where_there_is_none(function):
    found, value, *_ = search(function, start=2.0, sign=-1.0)  # uphill, or nothing finite anywhere
    assert found.length == 0
    assert found.value == value


def test_unbounded_descent_stops_after_the_given_evaluations_with_the_best_length():
    found, value, *_ = search(lambda x: -x, most_evaluations=5)
    assert found.evaluations == 5
    assert found.value < value - 1000


def test_slopes_alone_decide_where_rounding_hides_the_decrease():
    for first in (0.1, 2.9, 4.0, 100.0):
        found, value, slope, end = search(lambda x: 1 + 1e-18 * (x - 3.0) ** 2, first_length=first)
        assert value == found.value == 1
        assert found.length > 0
        assert abs(float(end[1][0])) <= -CURVATURE * slope


@pytest.mark.slow
@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=5), st.data())
def test_fingerprint_sees_every_bit(values, data):
    array = jnp.asarray(values)
    place = data.draw(st.integers(0, len(values) - 1))
    changed = array.at[place].set(jnp.nextafter(array[place], jnp.inf))
    assert np.array_equal(fingerprint({"a": array}), fingerprint({"a": jnp.array(array, copy=True)}))
    assert not np.array_equal(fingerprint({"a": array}), fingerprint({"a": changed}))
