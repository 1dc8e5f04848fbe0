"""The embedding of the coordinates, which every architecture takes as its input."""

import math
from collections.abc import Callable

import jax.numpy as jnp
from jax import Array

from gradalign.base.trees import Tree
from gradalign.networks.settings import NetworkSettings
from gradalign.networks.stretching import place
from gradalign.problems._contract import Problem


def inputs_of(settings: NetworkSettings, problem: Problem) -> int:
    """Size of the embedding before any random Fourier features."""
    return sum(2 * settings.harmonics if name in problem.periodic else 1 for name in problem.coordinates)


def embedding(settings: NetworkSettings, problem: Problem) -> Callable[[Tree, Array], Array]:
    """``embed(params, coordinates)``: (..., D) to (..., E); see ``architectures.build``.

    ``params["frequencies"]`` holds the random Fourier features, if there are any.
    """
    scaled = [name not in problem.periodic for name in problem.coordinates]

    def embed(params: Tree, coordinates: Array) -> Array:
        columns = []
        for index, (plain, side) in enumerate(zip(scaled, problem.domain, strict=True)):
            if plain:
                factor = problem.stretching.get(problem.coordinates[index], 0.0)
                columns.append(place(coordinates[..., index], side, factor))
            else:
                turn = (coordinates[..., index] - side[0]) / (side[1] - side[0])
                angles = [2 * math.pi * k * turn for k in range(1, settings.harmonics + 1)]
                columns += [jnp.cos(angle) for angle in angles] + [jnp.sin(angle) for angle in angles]
        z = jnp.stack(columns, axis=-1)
        if settings.fourier_features:
            phase = z @ params["frequencies"]
            z = jnp.concatenate([jnp.cos(phase), jnp.sin(phase)], axis=-1)
        return z

    return embed
