"""Fourier series in the periodic coordinate, with coefficients from a network of the other coordinates."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from gradalign.base.errors import ConfigurationError
from gradalign.base.trees import Tree
from gradalign.derivatives.fourier_series import fourier_waves
from gradalign.networks.layers import Network
from gradalign.networks.perceptrons import perceptron
from gradalign.networks.settings import NetworkSettings
from gradalign.problems._contract import Problem


def spectral(settings: NetworkSettings, problem: Problem, dtype: jnp.dtype) -> Network:
    """The architecture ``spectral`` of ``architectures.build``.

    Raises ``ConfigurationError`` unless exactly one coordinate is periodic.
    """
    if len(problem.periodic) != 1:
        found = f"{len(problem.periodic)} periodic coordinates"
        raise ConfigurationError(f"architecture: spectral, but {problem.name} has {found}; allowed: one")
    axis, count = problem.coordinates.index(problem.periodic[0]), settings.harmonics
    (origin, high), reflection = problem.domain[axis], problem.reflection
    period = high - origin
    waves = [slice(0, 2 * count + 1)] * len(problem.fields)  # 1, cosines and sines, by field
    if settings.symmetric:
        assert reflection is not None
        origin = reflection.centre
        waves = [slice(0, count + 1) if p > 0 else slice(count + 1, 2 * count + 1) for p in reflection.parities]
    sizes = [part.stop - part.start for part in waves]
    ends = np.cumsum(sizes).tolist()
    others = replace(
        problem,
        coordinates=problem.coordinates[:axis] + problem.coordinates[axis + 1 :],
        domain=problem.domain[:axis] + problem.domain[axis + 1 :],
        fields=tuple(f"coefficient {k}" for k in range(ends[-1])),
        periodic=(),
        hard_start=None,
        reflection=None,
    )
    plain = settings.model_copy(update={"architecture": "mlp", "symmetric": False})
    coefficients = perceptron(plain, others, dtype)

    def init(key: Array) -> Tree:
        network_key, bias_key = jax.random.split(key)
        params = coefficients.init(network_key)
        first, output = params["hidden"][0], params["output"]
        first["bias"] = jax.random.uniform(bias_key, first["bias"].shape, dtype, -1, 1)
        output["kernel"] = jnp.zeros_like(output["kernel"])
        return params

    def apply(params: Tree, coordinates: Array) -> Array:
        c = coefficients.apply(params, jnp.concatenate([coordinates[:, :axis], coordinates[:, axis + 1 :]], axis=1))
        series = fourier_waves(coordinates[:, axis : axis + 1] - origin, period, count)
        parts = zip(ends, sizes, waves, strict=True)
        return jnp.stack(
            [jnp.sum(c[:, end - size : end] * series[:, part], axis=1) for end, size, part in parts], axis=1
        )

    return Network(init, apply)
