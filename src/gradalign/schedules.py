"""Learning-rate schedules of the first-order methods."""

import optax
from pydantic import Field, PositiveFloat, PositiveInt

from gradalign.settings import StrictModel


class ScheduleSettings(StrictModel):
    """eta(t) = learning_rate min(1, t / warmup_steps) decay_rate^(max(0, t - warmup_steps) / decay_steps)."""

    learning_rate: PositiveFloat = Field(description="largest step size, dimensionless")
    warmup_steps: int = Field(default=0, ge=0, description="steps of the linear rise from 0")
    decay_rate: PositiveFloat = Field(default=1.0, le=1, description="factor per decay_steps after the rise; 1: none")
    decay_steps: PositiveInt = Field(default=2000, description="steps in which the rate falls by decay_rate")


def learning_rate(settings: ScheduleSettings) -> optax.Schedule:
    """The schedule of ``ScheduleSettings`` as a function of the step count.

    >>> schedule = learning_rate(ScheduleSettings(learning_rate=0.5, warmup_steps=10, decay_rate=0.5, decay_steps=4))
    >>> [float(schedule(step)) for step in (0, 5, 10, 14)]
    [0.0, 0.25, 0.5, 0.25]
    """
    return optax.warmup_exponential_decay_schedule(
        init_value=0.0 if settings.warmup_steps else settings.learning_rate,
        peak_value=settings.learning_rate,
        warmup_steps=settings.warmup_steps,
        transition_steps=settings.decay_steps,
        decay_rate=settings.decay_rate,
    )
