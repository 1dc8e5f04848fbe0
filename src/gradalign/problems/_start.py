"""Settings of a problem whose initial condition is a loss term or a hard constraint."""

from collections.abc import Callable, Sequence
from typing import Literal

from jax import Array
from pydantic import Field, PositiveInt

from gradalign.base.settings import StrictModel
from gradalign.base.types import Box
from gradalign.problems._contract import Growth, HardStart

FORMULATION = ("start", "start_harmonics")
"""The settings below, for the ``formulation`` of a problem."""


class StartSettings(StrictModel):
    """How the initial condition is imposed."""

    start: Literal["penalised", "exact"] = Field(
        default="penalised", description="a loss term for the initial condition, or a hard constraint on the fields"
    )
    start_harmonics: PositiveInt = Field(
        default=128, description="waves along each axis that interpolate the start of a window, if it is a constraint"
    )

    def hard_start(
        self, box: Box, initial: Callable[..., Sequence[Array]], growth: tuple[Growth, ...]
    ) -> HardStart | None:
        """The hard constraint with these settings; None where the initial condition is a loss term."""
        return HardStart(box, self.start_harmonics, initial, growth) if self.start == "exact" else None
