"""The settings of one training run, and all that it depends on."""

from typing import Any, Literal

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt

from gradalign.balancing.settings import CausalSettings, WeightingSettings
from gradalign.base.settings import Device, Name, RunName, Scale, Seed, StrictModel
from gradalign.networks.settings import NetworkSettings


class WindowSettings(StrictModel):
    """Time marching: equal windows in time, each trained from the end of the one before (arXiv 2308.08468)."""

    count: int = Field(ge=2, description="number of equal windows")
    network: Literal["warm", "fresh"] = Field(
        description="what the next window starts from: the parameters of the window before, or new ones"
    )
    first_steps: PositiveInt | None = Field(
        default=None,
        description="steps of the first window, which alone starts from a new network if the others are warm; "
        "the others share out the rest; left out: no more than its share",
    )
    steps_ratio: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="steps of a window over those of the one before, after first_steps if that is given; rounded to "
        "log_every. Below 1: an early error grows in all windows that follow",
    )


class CurriculumStage(StrictModel):
    """One stage of a curriculum."""

    value: PositiveFloat = Field(description="value of the parameter in this stage")
    steps: PositiveInt = Field(description="optimizer steps of this stage; a multiple of log_every")


class CurriculumSettings(StrictModel):
    """A parameter of the equation that grows in stages while the network is kept (arXiv 2308.08468, section 3.7)."""

    parameter: Name = Field(description="setting of the problem that changes, for instance reynolds")
    stages: list[CurriculumStage] = Field(min_length=2, description="in order; the last value is that of the problem")


class TrainingSettings(StrictModel):
    """The training loop of one run, with one stage, one for each time window, or those of a curriculum.

    Every stage restarts the learning-rate schedule, the loss weights and the state of the optimizer; only
    ``soap_gauss_newton`` keeps its curvature.
    """

    steps: PositiveInt = Field(description="optimizer steps of the run, all stages together")
    precision: Literal["float32", "tf32x3", "bf16x6", "float64"] = Field(
        description="dtype of all numbers; tf32x3 and bf16x6: float32, the network's products on a GPU's tensor cores"
    )
    log_every: int = Field(ge=2, description="steps between two rows of diagnostics; divides the steps")
    checkpoint_every: PositiveInt = Field(description="steps between two checkpoints; a multiple of log_every")
    own_state: bool = Field(description="feed one optimizer state per loss term, for the own-state score")
    sampling: Literal["random", "lattice"] = Field(
        default="random",
        description="how the points of the residual are drawn: independently in space, or as a shifted lattice",
    )
    points_every: PositiveInt = Field(default=1, description="steps between two draws of collocation points")
    weighting: WeightingSettings = Field(description="weights of the loss terms")
    causal: CausalSettings | None = Field(default=None, description="causal row weights; none where left out")
    windows: WindowSettings | None = Field(default=None, description="time marching; one window where left out")
    curriculum: CurriculumSettings | None = Field(
        default=None, description="stages of a parameter; none where left out"
    )

    @property
    def stage_steps(self) -> list[int]:
        """Optimizer steps by stage; they sum to ``steps``.

        >>> loop = dict(steps=6, precision="float32", log_every=2, checkpoint_every=2, own_state=False)
        >>> weighting = WeightingSettings(scheme="constant")
        >>> windows = WindowSettings(count=3, network="warm")
        >>> TrainingSettings(**loop, weighting=weighting, windows=windows).stage_steps
        [2, 2, 2]
        >>> halved = {"windows": WindowSettings(count=2, network="warm", steps_ratio=0.5)}
        >>> TrainingSettings(**loop, weighting=weighting, **halved).stage_steps
        [4, 2]
        """
        if self.curriculum is not None:
            return [stage.steps for stage in self.curriculum.stages]
        if self.windows is None:
            return [self.steps]
        count, first, ratio = self.windows.count, self.windows.first_steps, self.windows.steps_ratio
        alone = [] if first is None else [first]
        left, others = self.steps - sum(alone), count - len(alone)
        if ratio == 1:
            return alone + [left // others] * others
        shares = np.cumsum(ratio ** np.arange(others))
        rows = np.rint(left * shares / shares[-1] / self.log_every).astype(int)  # at the ends, so the sum is kept
        return alone + (np.diff(rows, prepend=0) * self.log_every).tolist()


class RunSpecification(StrictModel):
    """All that one training run depends on, resolved from a configuration."""

    name: RunName
    changed: str = ""
    scale: Scale
    device: Device
    problem: Name
    problem_settings: dict[str, Any]
    points: dict[Name, PositiveInt]
    network: NetworkSettings
    method: Name
    method_settings: dict[str, Any]
    training: TrainingSettings
    seeds: list[Seed]

    @property
    def recipe(self) -> str:
        """Everything of a run except its method, in words: precision, network, points, weights, windows.

        Methods of one problem run with different recipes, so a comparison of runs is not one of methods alone.
        """
        given = self.training
        held = "redrawn every step" if given.points_every == 1 else f"held {given.points_every} steps"
        lattice = ", as a lattice" if given.sampling == "lattice" else ""
        causal = "no causal weights" if given.causal is None else f"causal weights {given.causal.tolerance:g}"
        weights = {"constant": "constant loss weights", "gradient_norm": "loss weights by gradient norm"}
        windows = "1 window" if given.windows is None else f"{given.windows.count} windows"
        stages = "" if given.curriculum is None else f", {len(given.curriculum.stages)} stages"
        return (
            f"{given.precision}, {self.network.described} {self.network.activation}, "
            f"{sum(self.points.values())} points {held}{lattice}, {causal}, {weights[given.weighting.scheme]}, "
            f"{windows}{stages}"
        )
