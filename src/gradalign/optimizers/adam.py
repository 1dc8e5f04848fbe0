"""Adam: diagonal second moment (arXiv 1412.6980). Cost per step: one gradient. Memory: 2 P. Precision: float32 or
float64. Use it when steps must be cheap, and as the baseline of every comparison."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import optax

from gradalign.base.options import option
from gradalign.base.trees import Tree
from gradalign.optimizers._method import Method, State, first_order
from gradalign.optimizers._schedules import ScheduleSettings, learning_rate


@dataclass(frozen=True, kw_only=True)
class Settings(ScheduleSettings):
    """Settings of Adam."""

    b1: float = option(0.9, ge=0, lt=1, description="decay of the first moment")
    b2: float = option(0.999, ge=0, lt=1, description="decay of the second moment")
    eps: float = option(1e-8, description="added to the root of the second moment", gt=0)


def method(settings: Settings, steps: int) -> Method:
    """Adam from optax, with the preconditioner P = diag(1 / (sqrt(v / (1 - b2^t)) + eps))."""
    del steps

    def precondition(state: State, gradient: Tree) -> Tree:
        count, _, second_moment = state[0]

        def scaled(g: jax.Array, v: jax.Array) -> jax.Array:
            correction = 1 - settings.b2 ** jnp.maximum(count, 1).astype(v.dtype)
            return g / (jnp.sqrt(v / correction) + settings.eps)

        return jax.tree.map(scaled, gradient, second_moment)

    transformation = optax.adam(learning_rate(settings), b1=settings.b1, b2=settings.b2, eps=settings.eps)
    return first_order(transformation, precondition)
