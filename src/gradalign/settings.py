"""Settings of one run or one reference: pydantic models with every key described and unknown keys forbidden."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=100)]
LossTerm = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=100)]
RunName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$", max_length=100)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Scale = Literal["smoke", "laptop", "laptop-best", "laptop-methods", "laptop-stretch", "paper"]
Device = Literal["cpu", "gpu"]


class StrictModel(BaseModel):
    """Base of all settings: unknown keys are errors, values are never coerced between types, nothing changes later."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def differing(one: Mapping[str, Any], other: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str, str]]:
    """Names and both values, as JSON, of all settings in which two mappings differ, those of inner mappings by path.

    >>> differing({"network": {"width": 4}, "b": 1}, {"network": {"width": 5}, "b": 1})
    [('network.width', '4', '5')]
    >>> differing({}, {"seeds": [0]})
    [('seeds', 'not given', '[0]')]
    """
    found = []
    for name in dict.fromkeys([*one, *other]):
        first, second = one.get(name), other.get(name)
        if isinstance(first, Mapping) and isinstance(second, Mapping):
            found += differing(first, second, f"{prefix}{name}.")
            continue
        there, here = (json.dumps(mapping[name]) if name in mapping else "not given" for mapping in (one, other))
        if there != here:
            found.append((f"{prefix}{name}", there, here))
    return found


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
    """A parameter of the equation that grows in stages, the network being kept (arXiv 2308.08468, section 3.7)."""

    parameter: Name = Field(description="setting of the problem that changes, for instance reynolds")
    stages: list[CurriculumStage] = Field(min_length=2, description="in order; the last value is that of the problem")


class TrainingSettings(StrictModel):
    """The loop of one run. It has one stage, or one for each time window, or those of a curriculum.

    Every stage starts the learning-rate schedule, the first weights and the state of the optimizer again; only
    ``soap_gauss_newton`` keeps what it knows of the curvature.
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
        rows = np.rint(left * shares / shares[-1] / self.log_every).astype(int)  # at the ends: the sum stays the steps
        return alone + (np.diff(rows, prepend=0) * self.log_every).tolist()


class NetworkSettings(StrictModel):
    """Architecture of the network."""

    architecture: Literal["mlp", "modified_mlp", "pirate_net", "spectral"] = Field(description="kind of network")
    width: PositiveInt = Field(description="units of a hidden layer")
    depth: PositiveInt = Field(description="hidden layers; for pirate_net residual blocks of three layers each")
    activation: Literal["tanh", "swish", "gelu", "sin"] = Field(description="activation function")
    fourier_features: int = Field(
        default=0, ge=0, multiple_of=2, description="random Fourier features (an even number); 0 for none"
    )
    fourier_scale: PositiveFloat = Field(default=1.0, description="standard deviation of their frequencies")
    harmonics: PositiveInt = Field(
        default=1, description="harmonics of periodic coordinates: of their embedding, or for spectral the waves"
    )
    symmetric: bool = Field(
        default=False,
        description="built-in symmetry of the problem, where it has one: a reflection, at twice the cost (none for "
        "spectral), or a quarter turn, at four times the cost",
    )
    weight_factorisation: bool = Field(default=False, description="random weight factorisation, W = diag(exp s) V")
    factorisation_mean: float = Field(default=1.0, description="mean of s")
    factorisation_deviation: float = Field(default=0.1, ge=0, description="standard deviation of s")

    @property
    def described(self) -> str:
        """The network in a few words, as tables name it.

        >>> NetworkSettings(architecture="mlp", width=24, depth=2, activation="tanh", harmonics=10).described
        'mlp 2x24, 10 harmonics'
        """
        parts = [f"{self.architecture} {self.depth}x{self.width}"]
        parts += [f"{self.harmonics} harmonics"] if self.harmonics > 1 else []
        parts += [f"{self.fourier_features} Fourier features"] if self.fourier_features else []
        parts += ["symmetric"] if self.symmetric else []
        return ", ".join(parts)


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
        """What a run has beside its method, in words: precision, network, points, weights, windows.

        Methods of one problem are compared with recipes of their own, which is no comparison of methods alone.
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


class StudySpecification(StrictModel):
    """All that one study depends on, resolved from a configuration."""

    scale: Scale
    study: Name
    settings: dict[str, Any]


class ReferenceSpecification(StrictModel):
    """All that one reference solution depends on, resolved from a configuration."""

    scale: Scale
    problem: Name
    problem_settings: dict[str, Any]
    reference_settings: dict[str, Any]
