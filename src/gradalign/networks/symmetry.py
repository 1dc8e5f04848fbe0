"""Networks that have a symmetry of the problem by construction."""

import jax.numpy as jnp
import numpy as np
from jax import Array

from gradalign.base.trees import Tree
from gradalign.base.types import Apply
from gradalign.problems._contract import Problem


def mirrored(apply: Apply, problem: Problem) -> Apply:
    """The projection of a network onto the reflection symmetry of the problem."""
    reflection = problem.reflection
    assert reflection is not None
    index = problem.coordinates.index(reflection.coordinate)

    def symmetric(params: Tree, coordinates: Array) -> Array:
        mirrored = coordinates.at[:, index].set(2 * reflection.centre - coordinates[:, index])
        there = apply(params, mirrored)
        return (apply(params, coordinates) + jnp.asarray(reflection.parities, there.dtype) * there) / 2

    return symmetric


def turned(apply: Apply, problem: Problem) -> Apply:
    """The projection of a network onto the quarter-turn symmetry of the problem."""
    turn = problem.quarter_turn
    assert turn is not None
    x, y = (problem.coordinates.index(name) for name in turn.coordinates)
    back = np.zeros((len(turn.sources), len(turn.sources)))
    back[list(turn.sources), range(len(turn.sources))] = turn.signs

    def symmetric(params: Tree, coordinates: Array) -> Array:
        place, total = coordinates, apply(params, coordinates)
        for turns in range(1, 4):
            place = place.at[:, x].set(-place[:, y]).at[:, y].set(place[:, x])
            found = apply(params, place)
            total = total + found @ jnp.asarray(np.linalg.matrix_power(back, turns).T, found.dtype)
        return total / 4

    return symmetric
