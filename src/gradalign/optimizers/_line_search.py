"""A line search for the strong Wolfe conditions that runs on the device, and what the next step can reuse of it."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.flatten_util import ravel_pytree

from gradalign.base.trees import Tree
from gradalign.base.types import Points
from gradalign.optimizers._objective import Objective

ValueAndGradient = Callable[[Array], tuple[Array, Array]]


class Accepted(NamedTuple):
    """Where a line search stopped.

    length: () the step length t, 0 if none was found.
    value, gradient: () and (P,), at x + t d.
    evaluations: () int32, evaluations of value and gradient.
    """

    length: Array
    value: Array
    gradient: Array
    evaluations: Array


class End(NamedTuple):
    """Value and gradient at the end of the last line search.

    fingerprint: (2,) uint32 of the parameters, points and loss weights at which both were computed.
    value, gradient: () and (P,), the loss and its gradient.
    """

    fingerprint: Array
    value: Array
    gradient: Array

    @classmethod
    def unknown(cls, params: Array) -> "End":
        """The placeholder before the first line search, for parameters (P,)."""
        return cls(jnp.zeros(2, jnp.uint32), jnp.zeros((), params.dtype), jnp.zeros_like(params))


class Start(NamedTuple):
    """Where a line search starts.

    value_and_gradient: the loss and its gradient as a function of the parameters (P,).
    value, gradient: () and (P,), both at the start.
    evaluations: () int32, evaluations spent to obtain them: 0 or 1.
    """

    value_and_gradient: ValueAndGradient
    value: Array
    gradient: Array
    evaluations: Array


def start_of(objective: Objective, params: Tree, points: Points, last: End) -> Start:
    """Value and gradient at ``params``, reused from the last line search if they belong to the same function.

    They do if parameters, points and loss weights have the fingerprint of ``last``. Causal row weights are frozen at
    the start of the step, so that L and its gradient belong to one function. They change from step to step, so value
    and gradient are then always recomputed. Raises nothing.

    >>> line = Objective({"fit": jnp.ones(())}, lambda x, points: {"fit": x - points["fit"]})
    >>> params, points, known = jnp.ones(1), {"fit": jnp.zeros(1)}, End.unknown(jnp.ones(1))
    >>> first = start_of(line, params, points, known)
    >>> known = end_of(line, params, points, Accepted(jnp.ones(()), first.value, first.gradient, first.evaluations))
    >>> [start_of(line, params, at, known).evaluations.item() for at in (points, {"fit": jnp.ones(1)})]
    [0, 1]
    """
    flat, unravel = ravel_pytree(params)
    held = objective.held(params, points)
    value_and_gradient = jax.value_and_grad(lambda flat: held.loss(unravel(flat), points))
    known = jnp.all(fingerprint((flat, points, objective.loss_weights)) == last.fingerprint)
    if objective.row_weights is not None:
        known = jnp.asarray(False)
    value, gradient = jax.lax.cond(known, lambda: (last.value, last.gradient), lambda: value_and_gradient(flat))
    return Start(value_and_gradient, value, gradient, (~known).astype(jnp.int32))


def end_of(objective: Objective, params: Array, points: Points, accepted: Accepted) -> End:
    """What the next step can reuse of a line search that ended at the parameters (P,)."""
    return End(fingerprint((params, points, objective.loss_weights)), accepted.value, accepted.gradient)


def fingerprint(tree: Tree) -> Array:
    """Two hashes of a tree, (2,) uint32: sums modulo 2^32 of its 32-bit words, each mixed with its position.

    Equal trees have equal hashes; others collide only by chance. Costs one pass.

    >>> one, other = fingerprint(jnp.asarray([1.0, 2.0])), fingerprint(jnp.asarray([2.0, 1.0]))
    >>> one.shape, bool(jnp.all(one == other))
    ((2,), False)
    """
    words = jnp.concatenate([_words(leaf) for leaf in jax.tree.leaves(tree)])
    place = jnp.arange(words.size, dtype=jnp.uint32)
    return jnp.stack([jnp.sum(_mixed(words ^ _mixed(place + seed)), dtype=jnp.uint32) for seed in (1, 2**31)])


def _words(leaf: Array) -> Array:
    return jax.lax.bitcast_convert_type(leaf, jnp.uint32).ravel()


def _mixed(words: Array) -> Array:
    """Every bit spread over its word, by shifts and multiplications by odd numbers."""
    words = (words ^ (words >> 16)) * jnp.uint32(0x9E3779B1)
    words = (words ^ (words >> 15)) * jnp.uint32(0x85EBCA6B)
    return words ^ (words >> 16)


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

    x (P,) is the start, f and g (P,) are value and gradient there, d (P,) is a direction with g^T d < 0, c1 is
    ``decrease`` and c2 ``curvature``; all in the dtype of x. Near a minimum rounding hides a decrease. Where
    f(x + t d) <= f(x) + sqrt(u) |f(x)|, with the rounding unit u, (2 c1 - 1) g^T d >= g(x + t d)^T d can replace the
    first condition (the approximate Wolfe condition of Hager and Zhang 2006, ACM Trans. Math. Softw. 32, equation 23).

    Trial lengths grow until an interval contains such a t. The interval then shrinks around the minimum of the cubic
    through values and slopes at its ends (Nocedal and Wright 2006, algorithms 3.5 and 3.6). A trial whose value is not
    finite counts as too long. After ``most_evaluations`` the best length so far that satisfies the first condition is
    taken. If there is none, or d is not a descent direction, t is 0, with the value and gradient of the start. Raises
    nothing.

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
        # `low` is the end with the lower value; its slope falls towards `high`, so a minimum lies between them
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
    """The zero of the secant through the slopes, from 2 to 10 times the last length."""
    secant = last.length + (last.length - before.length) * last.slope / (before.slope - last.slope)
    usable = jnp.isfinite(secant) & (secant > last.length)
    return jnp.clip(jnp.where(usable, secant, 10 * last.length), 2 * last.length, 10 * last.length)


def _interpolated(low: _Trial, high: _Trial) -> Array:
    """The minimum of the cubic through both ends, at least a tenth of the interval from either; else the midpoint."""
    width = high.length - low.length
    sum_of_slopes = low.slope + high.slope - 3 * (high.value - low.value) / width
    root = jnp.sqrt(sum_of_slopes**2 - low.slope * high.slope) * jnp.sign(width)
    share = 1 - (high.slope + root - sum_of_slopes) / (high.slope - low.slope + 2 * root)
    share = jnp.where(jnp.isfinite(share), jnp.clip(share, 0.1, 0.9), 0.5)
    return low.length + share * width
