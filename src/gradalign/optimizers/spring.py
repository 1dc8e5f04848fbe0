"""SPRING: Gauss-Newton with momentum in the directions that the batch leaves free (arXiv 2505.12149, 2401.10190). Cost
per step: the Jacobian, N P min(N, P) for the Gram matrix and one Cholesky factorisation. Memory: N P + min(N, P)^2 + P.
Precision: float64; in float32 the damping must exceed about 1e-7 ||J||^2. Use it when N is at most a few hundred and
the points are redrawn at every step."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array
from jax.flatten_util import ravel_pytree

from gradalign.base.options import option
from gradalign.base.trees import Tree
from gradalign.base.types import Points
from gradalign.optimizers._damped_least_squares import damped, damped_system
from gradalign.optimizers._method import Method
from gradalign.optimizers._objective import Objective
from gradalign.optimizers._schedules import ScheduleSettings, learning_rate


@dataclass(frozen=True, kw_only=True)
class Settings(ScheduleSettings):
    """Settings of d_k = beta d_(k-1) - J^T (J J^T + mu I)^-1 (r + beta J d_(k-1))."""

    learning_rate: float = option(0.3, description="largest step size; 1: a Gauss-Newton step", gt=0)
    momentum: float = option(0.9, ge=0, lt=1, description="beta, share of the last step that is kept")
    damping: float = option(1e-6, description="mu, in the units of J^T J", gt=0)
    longest_step: float | None = option(0.1, description="bound on the norm of a step; null: none", gt=0)


class SpringState(NamedTuple):
    """done: () int32, steps done; direction: (P,) the last d, without learning rate and bound."""

    done: Array
    direction: Array


def spring_direction(jacobian: Array, damping: Array, residuals: Array, previous: Array) -> Array:
    """The d (P,) that minimises ||J d + r||^2 + mu ||d - p||^2, where p (P,) is beta times the last one.

    J (N, P) and r (N,) are Jacobian and residuals of the batch. d = p - J^T (J J^T + mu I)^-1 (r + J p), by the smaller
    of J J^T and J^T J (arXiv 2401.10190; for PINNs arXiv 2505.12149). The part of p that the batch does not see is
    kept; the rest is replaced by the Gauss-Newton step of the batch. For p = 0, d is that step. In the dtype of J.

    >>> J, r, p = jnp.asarray([[2.0, 0.0]]), jnp.asarray([4.0]), jnp.asarray([5.0, 3.0])
    >>> spring_direction(J, jnp.asarray(1e-9), r, p).round(6).tolist()
    [-2.0, 3.0]
    """
    with jax.default_matmul_precision("highest"):
        return previous + damped(damped_system(jacobian), damping).step(residuals + jacobian @ previous)


def method(settings: Settings, steps: int) -> Method:
    """SPRING without a line search: theta <- theta + eta_k d_k, eta_k from the schedule, d_k from ``spring_direction``.

    A step longer than ``longest_step`` is shortened to that norm; the stored direction is not. Without this bound the
    first steps, each of which fits one small batch, can saturate a network for good. The preconditioner is
    (J^T J + mu I)^-1 with the Jacobian of the objective passed to it. Observed gradients do not change the state.
    """
    del steps
    schedule = learning_rate(settings)

    def init(params: Tree) -> SpringState:
        return SpringState(jnp.zeros((), jnp.int32), jnp.zeros_like(ravel_pytree(params)[0]))

    def step(
        objective: Objective, params: Tree, state: SpringState, points: Points, gradient: Tree = None
    ) -> tuple[Tree, SpringState, dict[str, Array]]:
        del gradient  # it follows from the Jacobian
        residuals, jacobian = objective.linearisation(params, points)
        flat, unravel = ravel_pytree(params)
        damping = jnp.asarray(settings.damping, flat.dtype)
        direction = spring_direction(jacobian, damping, residuals, settings.momentum * state.direction)
        with jax.numpy_dtype_promotion("standard"):  # optax mixes integer counts with floats
            rate = jnp.asarray(schedule(state.done.astype(flat.dtype)), flat.dtype)
        norm = jnp.linalg.norm(direction)
        if settings.longest_step is not None:
            rate = jnp.where(rate * norm > settings.longest_step, settings.longest_step / norm, rate)
        state = SpringState(optax.safe_increment(state.done), direction)
        metrics = {"step_length": rate, "direction_norm": norm, "gradient_evaluations": jnp.ones((), jnp.int32)}
        return unravel(flat + rate * direction), state, metrics

    def precondition(objective: Objective, params: Tree, state: SpringState, points: Points, gradient: Tree) -> Tree:
        _, jacobian = objective.linearisation(params, points)
        flat, unravel = ravel_pytree(gradient)
        return unravel(damped(damped_system(jacobian), jnp.asarray(settings.damping, flat.dtype)).solve(flat))

    return Method(init, step, precondition, observe=lambda params, state, gradient: state)
