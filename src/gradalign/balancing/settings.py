"""Settings of the loss weights and of the causal row weights."""

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt

from gradalign.base.settings import LossTerm, StrictModel


class WeightingSettings(StrictModel):
    """Loss weights by gradient norm (arXiv 2308.08468, section 3.1): w_k = mean ||g|| / (||g_k|| + 1e-5 mean ||g||)."""

    scheme: Literal["constant", "gradient_norm"] = Field(description="how loss weights are chosen")
    initial: dict[LossTerm, PositiveFloat] = Field(
        default={}, description="first weight by loss term; 1 where not named"
    )
    every: PositiveInt = Field(default=1000, description="steps between two updates of the weights")
    momentum: float = Field(default=0.9, ge=0, lt=1, description="share of the old weight kept at an update")


class CausalSettings(StrictModel):
    """Causal row weights w_i = exp(-tolerance * sum_{j<i} L_j) over equal chunks in time (arXiv 2203.07404)."""

    tolerance: PositiveFloat = Field(description="the factor in the exponent")
    chunks: int = Field(ge=2, description="number of chunks in time; must divide the number of points")
