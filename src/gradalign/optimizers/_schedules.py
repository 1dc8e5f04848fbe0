"""Learning-rate schedules of the first-order methods."""

from dataclasses import dataclass

import jax.numpy as jnp
import optax
from jax import Array
from jax.typing import ArrayLike

from gradalign.base.options import Options, option


@dataclass(frozen=True, kw_only=True)
class ScheduleSettings(Options):
    """eta(t) = learning_rate min(1, t / warmup_steps) decay_rate^(max(0, t - warmup_steps) / decay_steps)."""

    learning_rate: float = option(description="largest step size, dimensionless", gt=0)
    warmup_steps: int = option(0, ge=0, description="steps of the linear rise from 0")
    decay_rate: float = option(1.0, le=1, description="factor per decay_steps after the rise; 1: none", gt=0)
    decay_steps: int = option(2000, description="steps in which the rate falls by decay_rate", gt=0)


def learning_rate(settings: ScheduleSettings) -> optax.Schedule:
    """The schedule of ``ScheduleSettings`` as a function of the step count t, ().

    An integer count gives a rate () in JAX's default float dtype (float64 if enabled), which an update uses as it is or
    rounds once to its own dtype. A float count gives the rate in its dtype. Raises nothing.

    optax's ``warmup_exponential_decay_schedule`` is the same function, but divides integers in float32 and subtracts
    nearly equal numbers at the start of the warm-up.

    >>> schedule = learning_rate(ScheduleSettings(learning_rate=0.5, warmup_steps=10, decay_rate=0.5, decay_steps=4))
    >>> [float(schedule(step)) for step in (0, 5, 10, 14)]
    [0.0, 0.25, 0.5, 0.25]
    """

    def rate(step: ArrayLike) -> Array:
        count = jnp.asarray(step)
        if not jnp.issubdtype(count.dtype, jnp.floating):
            count = count.astype(jnp.result_type(float))
        rise = jnp.minimum(1.0, count / settings.warmup_steps) if settings.warmup_steps else jnp.ones_like(count)
        falls = jnp.maximum(0.0, count - settings.warmup_steps) / settings.decay_steps
        return settings.learning_rate * rise * settings.decay_rate**falls

    return rate
