"""SOAP-Gauss-Newton: SOAP (arXiv 2409.11321) with Gauss-Newton curvature, estimated from random signs and used without
a root. Cost per step: one forward pass, 1 + ``sketches`` backward passes, the products of SOAP. Memory: that of SOAP.
Precision: float32 or float64. Use it when SOAP would work and the loss is a sum of squares with a small minimum."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array
from jax.flatten_util import ravel_pytree

from gradalign.base import randomness
from gradalign.base.options import option
from gradalign.base.trees import Tree
from gradalign.base.types import Points
from gradalign.optimizers._eigenbases import (
    bias_correction,
    eigenvectors,
    from_basis,
    identity_bases,
    refreshed,
    to_basis,
)
from gradalign.optimizers._kronecker import Sides, updated_factors
from gradalign.optimizers._method import Method
from gradalign.optimizers._objective import Objective
from gradalign.optimizers._schedules import ScheduleSettings, learning_rate


@dataclass(frozen=True, kw_only=True)
class Settings(ScheduleSettings):
    """Settings of SOAP with Gauss-Newton statistics; the schedule starts again in every time window."""

    learning_rate: float = option(
        0.1, description="largest step size; 1 is Newton's step, with which most PINNs diverge from the start", gt=0
    )
    last_share: float | None = option(
        None,
        gt=0,
        le=1,
        description="share of learning_rate left at the end of every window, in place of decay_rate; null: none",
    )
    b1: float = option(0.9, ge=0, lt=1, description="decay of the mean of gradients")
    b2: float = option(0.99, ge=0, lt=1, description="decay of the curvatures and of the factors")
    eps: float = option(1e-8, description="added to the curvatures, without a root", gt=0)
    trust: float = option(0.1, description="bound on every coordinate of a direction, in the eigenbasis", gt=0)
    sketches: int = option(1, description="vectors of random signs at every step", gt=0)
    precondition_frequency: int = option(10, description="calls between two refreshes of the basis", gt=0)
    max_precondition_dimension: int = option(10_000, description="longest axis that gets a factor", gt=0)
    precondition_1d: bool = option(False, description="give vectors a factor too")


class SoapGaussNewtonState(NamedTuple):
    """State of the method. Names mean what they do in ``ScaleBySoapState``, but nothing has a root.

    key: (2,) uint32, which determines the signs of every call.
    calls: () int32, calls so far; the first one only initialises the factors and the bases.
    done, steps: () int32, calls so far in the present stage (a time window or a curriculum stage), and its length.
    averaged: () int32, gradients in ``mean``, which restarts in every stage; all else is kept.
    mean: like the parameters, of the gradients.
    curvature: like the parameters, in the coordinates of ``bases``: of the squared sketches.
    factors, bases: per parameter one (d, d) matrix per preconditioned axis.
    """

    key: Array
    calls: Array
    done: Array
    steps: Array
    averaged: Array
    mean: Tree
    curvature: Tree
    factors: tuple[Sides, ...]
    bases: tuple[Sides, ...]


def signs(key: Array, calls: Array, count: int, rows: int, dtype: jnp.dtype) -> Array:
    """Independent signs +1 and -1 with equal probability, (count, rows): a function of key data (2,) and the call.

    >>> found = signs(jnp.zeros(2, jnp.uint32), jnp.asarray(1), 2, 3, jnp.dtype("float64"))
    >>> found.shape, bool(jnp.all(found**2 == 1))
    ((2, 3), True)
    """
    at_call = randomness.at_step(jax.random.wrap_key_data(key, impl="threefry2x32"), calls)
    return jax.random.rademacher(at_call, (count, rows), dtype)


def gradient_and_sketches(objective: Objective, params: Tree, points: Points, signs: Array) -> tuple[Tree, Tree]:
    """The gradient 2 J^T r and the sketches s_k = sqrt(2) J^T e_k for rows e_k of ``signs``, (K, N).

    r (N,) are the weighted rows of the objective in its order of terms. Their Jacobian J (N, P) is never formed: all
    products share one forward pass. For independent signs the expectation of s_k s_k^T is 2 J^T J, the Gauss-Newton
    matrix of L = ||r||^2, which is the Hessian where the residuals vanish. The gradient is shaped like the parameters;
    sketches have a leading axis K. In the dtype of the rows. Raises nothing.

    >>> line = Objective({"fit": jnp.ones(())}, lambda slope, points: {"fit": slope * points["fit"] - 1.0})
    >>> points = {"fit": jnp.asarray([3.0])}
    >>> gradient, sketches = gradient_and_sketches(line, jnp.asarray(2.0), points, jnp.ones((1, 1)))
    >>> gradient.item(), (sketches**2).round(12).tolist()  # 2 * 3 * 5, 2 * 3^2
    (30.0, [18.0])
    """

    def rows(params: Tree) -> Array:
        return jnp.concatenate([row.ravel() for row in objective.rows(params, points).values()])

    residuals, pullback = jax.vjp(rows, params)
    cotangents = jnp.concatenate([2 * residuals[None], jnp.sqrt(jnp.asarray(2, signs.dtype)) * signs])
    (products,) = jax.vmap(pullback)(cotangents)
    return jax.tree.map(lambda leaf: leaf[0], products), jax.tree.map(lambda leaf: leaf[1:], products)


def method(settings: Settings, steps: int) -> Method:
    """Newton steps in SOAP's eigenbasis, with curvatures and factors from sketches of the Gauss-Newton matrix.

    For a matrix parameter with gradient G and sketches S_j (m, n), j = 1 ... K, at call k, in the basis of call k - 1:

        M <- b1 M + (1 - b1) G
        C <- b2 C + (1 - b2) mean_j (Q_L^T S_j Q_R)^2           entry by entry: the diagonal of 2 J^T J in the basis
        direction = Q_L clip[ (Q_L^T M Q_R) / (1 - b1^t) / (C / (1 - b2^t) + eps) ] Q_R^T
        L <- b2 L + (1 - b2) mean_j S_j S_j^T,   R <- b2 R + (1 - b2) mean_j S_j^T S_j

    clip acts entry by entry, to [-``trust``, ``trust``], because a curvature from few sketches can take any value. A
    step therefore moves every coordinate in the eigenbasis by at most learning_rate * ``trust`` (a bound of the form of
    Sophia, arXiv 2305.14342). The step is -learning_rate * direction. First call, refreshes and tensors of other orders
    are as in ``soap.scale_by_soap``. If a layer's block of 2 J^T J is a Kronecker product, its eigenvectors are those
    of the factors, and the direction is Newton's up to the noise of C, which is about sqrt((1 - b2) / K).

    The next time window keeps factors, bases and curvatures, because it starts with the network of the last one.

    The preconditioner gives the direction of a gradient without momentum and clip. Own states stay at 1 / eps times the
    identity, because a gradient holds no sketch.
    """
    schedule = learning_rate(settings)

    def init(params: Tree) -> SoapGaussNewtonState:
        factors, bases = identity_bases(params, settings.max_precondition_dimension, settings.precondition_1d)
        return SoapGaussNewtonState(
            key=jax.random.key_data(randomness.stream(0, "sketches")),
            calls=jnp.zeros((), jnp.int32),
            done=jnp.zeros((), jnp.int32),
            steps=jnp.asarray(steps, jnp.int32),
            averaged=jnp.zeros((), jnp.int32),
            mean=jax.tree.map(jnp.zeros_like, params),
            curvature=jax.tree.map(jnp.zeros_like, params),
            factors=factors,
            bases=bases,
        )

    def enter(params: Tree, state: SoapGaussNewtonState, steps: Array) -> SoapGaussNewtonState:
        # separate arrays, because the loop donates all of them
        done, averaged, mean = jax.tree.map(jnp.zeros_like, (state.done, state.averaged, params))
        return state._replace(done=done, steps=steps, averaged=averaged, mean=mean)

    def rate(state: SoapGaussNewtonState, dtype: jnp.dtype) -> Array:
        """The learning rate of the present call."""
        done = state.done.astype(dtype)
        with jax.numpy_dtype_promotion("standard"):  # optax mixes integer counts with floats
            scheduled = jnp.asarray(schedule(done), dtype)
        if settings.last_share is None:
            return scheduled
        rise, last = settings.warmup_steps, jnp.asarray(settings.last_share, dtype)
        passed = jnp.clip((done - rise) / jnp.maximum(state.steps - 1 - rise, 1).astype(dtype), 0, 1)
        return jnp.where(done < rise, scheduled, settings.learning_rate * last**passed)

    def scaled(state: SoapGaussNewtonState, gradient: Tree) -> Tree:
        """The gradient in the basis, divided by the curvatures."""

        def over_curvature(g: Array, c: Array) -> Array:
            return g / (c / bias_correction(settings.b2, state.calls - 1, c.dtype) + settings.eps)

        return jax.tree.map(over_curvature, to_basis(gradient, state.bases), state.curvature)

    def averaged_factors(sketches: Tree, factors: tuple[Sides, ...]) -> tuple[Sides, ...]:
        every = jax.vmap(lambda sketch: updated_factors(sketch, factors, settings.b2, 1 - settings.b2))(sketches)
        return jax.tree.map(lambda factor: jnp.mean(factor, axis=0), every)

    def initialise(
        gradient: Tree, sketches: Tree, state: SoapGaussNewtonState
    ) -> tuple[Tree, Array, SoapGaussNewtonState]:
        factors = averaged_factors(sketches, state.factors)
        nothing = jax.tree.map(jnp.zeros_like, gradient)
        dtype = ravel_pytree(gradient)[0].dtype
        return nothing, jnp.zeros((), dtype), state._replace(factors=factors, bases=eigenvectors(factors))

    def advance(
        gradient: Tree, sketches: Tree, state: SoapGaussNewtonState
    ) -> tuple[Tree, Array, SoapGaussNewtonState]:
        b1, b2 = settings.b1, settings.b2
        mean = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, state.mean, gradient)
        averaged = optax.safe_increment(state.averaged)
        rotated = jax.vmap(lambda sketch: to_basis(sketch, state.bases))(sketches)
        curvature = jax.tree.map(lambda c, s: b2 * c + (1 - b2) * jnp.mean(s**2, axis=0), state.curvature, rotated)
        raw = scaled(state._replace(curvature=curvature), mean)
        raw = jax.tree.map(lambda d: d / bias_correction(b1, averaged, d.dtype), raw)
        direction = from_basis(jax.tree.map(lambda d: jnp.clip(d, -settings.trust, settings.trust), raw), state.bases)
        flat = ravel_pytree(raw)[0]
        clipped = jnp.mean((jnp.abs(flat) > settings.trust).astype(flat.dtype))
        factors = averaged_factors(sketches, state.factors)
        bases, curvature = jax.lax.cond(
            state.calls % settings.precondition_frequency == 0,
            lambda: refreshed(factors, state.bases, curvature),
            lambda: (state.bases, curvature),
        )
        state = state._replace(averaged=averaged, mean=mean, curvature=curvature, factors=factors, bases=bases)
        return direction, clipped, state

    def step(
        objective: Objective, params: Tree, state: SoapGaussNewtonState, points: Points, gradient: Tree = None
    ) -> tuple[Tree, SoapGaussNewtonState, dict[str, Array]]:
        del gradient  # with the sketches it costs only one more backward pass
        calls = optax.safe_increment(state.calls)
        rows = jax.eval_shape(objective.rows, params, points)
        count = sum(row.size for row in rows.values())
        dtype = ravel_pytree(params)[0].dtype
        drawn = signs(state.key, calls, settings.sketches, count, dtype)
        gradient, sketches = gradient_and_sketches(objective, params, points, drawn)
        with jax.default_matmul_precision("highest"):
            state = state._replace(calls=calls)
            direction, clipped, state = jax.lax.cond(calls == 1, initialise, advance, gradient, sketches, state)
        size = rate(state, dtype)
        params = jax.tree.map(lambda p, d: p - size * d, params, direction)
        state = state._replace(done=optax.safe_increment(state.done))
        return params, state, {"clipped": clipped, "gradient_evaluations": jnp.int32(1 + settings.sketches)}

    def precondition(
        objective: Objective, params: Tree, state: SoapGaussNewtonState, points: Points, gradient: Tree
    ) -> Tree:
        with jax.default_matmul_precision("highest"):
            return from_basis(scaled(state, gradient), state.bases)

    return Method(
        init,
        step,
        precondition,
        observe=lambda params, state, gradient: state,
        enter=enter,
        period=settings.precondition_frequency,
    )
