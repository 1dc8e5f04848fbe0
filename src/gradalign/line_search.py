"""A line search for the strong Wolfe conditions that runs on the device."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

ValueAndGradient = Callable[[Array], tuple[Array, Array]]


class Accepted(NamedTuple):
    """Where a line search stopped.

    length: () the step length t, 0 where none was found.
    value, gradient: () and (P,), of the function at x + t d.
    evaluations: () int32, evaluations of value and gradient.
    """

    length: Array
    value: Array
    gradient: Array
    evaluations: Array


class _Trial(NamedTuple):
    length: Array
    value: Array
    slope: Array


class _Search(NamedTuple):
    low: _Trial
    low_gradient: Array
    high: _Trial
    bracketed: Array
    length: Array
    evaluations: Array
    done: Array


def strong_wolfe(
    value_and_gradient: ValueAndGradient,
    start: Array,
    value: Array,
    gradient: Array,
    direction: Array,
    first_length: Array | float = 1.0,
    most_evaluations: int = 20,
    decrease: float = 1e-4,
    curvature: float = 0.9,
) -> Accepted:
    """A step length t with f(x + t d) <= f(x) + c1 t g^T d and |g(x + t d)^T d| <= c2 |g^T d|.

    x (P,) is the start, f and g (P,) value and gradient there, d (P,) a direction with g^T d < 0, c1 ``decrease``, c2
    ``curvature``; all in the dtype of x. Near a minimum, where rounding hides a decrease, |f(x + t d) - f(x)| <=
    sqrt(u) |f(x)| with (2 c1 - 1) g^T d >= g(x + t d)^T d replaces the first condition (u: the rounding unit; the
    approximate Wolfe condition of Hager and Zhang 2006, ACM Trans. Math. Softw. 32, equation 23). First lengths grow
    until an interval holds such a t, then it shrinks around minima of the cubic through values and slopes at its ends
    (Nocedal and Wright 2006, algorithms 3.5 and 3.6). A trial whose value is not finite counts as too long.

    After ``most_evaluations`` the best length with the first condition is taken; t is 0, with the value and gradient of
    the start, where there is none, or where d is no direction of descent. Raises nothing.

    >>> start, value, gradient, direction = map(jnp.asarray, ([4.0], 16.0, [8.0], [-8.0]))
    >>> found = strong_wolfe(jax.value_and_grad(lambda x: jnp.sum(x**2)), start, value, gradient, direction)
    >>> found.length.item(), found.value.item(), found.evaluations.item()  # 1 leads to x = -4, then the cubic is exact
    (0.5, 0.0, 2)
    """
    slope = gradient @ direction
    near = jnp.sqrt(jnp.finfo(start.dtype).eps) * jnp.abs(value)

    def going(search: _Search) -> Array:
        return ~search.done & (search.evaluations < most_evaluations)

    def advance(search: _Search) -> _Search:
        low, high = search.low, search.high
        trial_value, trial_gradient = value_and_gradient(start + search.length * direction)
        trial = _Trial(search.length, trial_value, trial_gradient @ direction)
        finite = jnp.isfinite(trial.value) & jnp.isfinite(trial.slope)
        flat = (trial.value <= value + near) & (trial.slope <= (2 * decrease - 1) * slope)
        lower = (trial.value <= value + decrease * trial.length * slope) & (trial.value < low.value)
        enough = finite & (lower | flat)
        found = enough & (jnp.abs(trial.slope) <= curvature * jnp.abs(slope))
        # The end with the lower value is `low`; a minimum lies from it towards `high`, where its slope points downhill
        turned = jnp.where(search.bracketed, trial.slope * (high.length - low.length) >= 0, trial.slope >= 0)
        bracketed = search.bracketed | ~enough | turned
        new_high = _where(enough, _where(turned, low, high), trial)
        new_low = _where(enough, trial, low)
        longer = _extrapolated(low, trial)
        return _Search(
            low=new_low,
            low_gradient=jnp.where(enough, trial_gradient, search.low_gradient),
            high=new_high,
            bracketed=bracketed,
            length=jnp.where(bracketed, _interpolated(new_low, new_high), longer),
            evaluations=search.evaluations + 1,
            done=found,
        )

    origin = _Trial(jnp.zeros_like(value), value, slope)
    search = jax.lax.while_loop(
        going,
        advance,
        _Search(
            low=origin,
            low_gradient=gradient,
            high=origin,
            bracketed=jnp.asarray(False),
            length=jnp.asarray(first_length, start.dtype),
            evaluations=jnp.zeros((), jnp.int32),
            done=~(slope < 0),
        ),
    )
    return Accepted(search.low.length, search.low.value, search.low_gradient, search.evaluations)


def _where(condition: Array, one: _Trial, other: _Trial) -> _Trial:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), one, other)


def _extrapolated(before: _Trial, last: _Trial) -> Array:
    """Where the slope, continued along its secant, vanishes; from 2 to 10 times the last length."""
    secant = last.length + (last.length - before.length) * last.slope / (before.slope - last.slope)
    usable = jnp.isfinite(secant) & (secant > last.length)
    return jnp.clip(jnp.where(usable, secant, 10 * last.length), 2 * last.length, 10 * last.length)


def _interpolated(low: _Trial, high: _Trial) -> Array:
    """The minimum of the cubic through both ends, a tenth of the interval away from either; else the middle."""
    width = high.length - low.length
    sum_of_slopes = low.slope + high.slope - 3 * (high.value - low.value) / width
    root = jnp.sqrt(sum_of_slopes**2 - low.slope * high.slope) * jnp.sign(width)
    share = 1 - (high.slope + root - sum_of_slopes) / (high.slope - low.slope + 2 * root)
    share = jnp.where(jnp.isfinite(share), jnp.clip(share, 0.1, 0.9), 0.5)
    return low.length + share * width
