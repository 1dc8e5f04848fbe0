"""Settings of a network."""

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt

from gradalign.base.settings import StrictModel


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
