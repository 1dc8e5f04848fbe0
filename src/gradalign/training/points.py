"""The collocation points of a training step."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh

from gradalign.base import randomness
from gradalign.base.trees import Tree
from gradalign.base.types import Points
from gradalign.networks import stretching
from gradalign.problems._contract import Problem
from gradalign.problems._sampling import lattice
from gradalign.training import devices
from gradalign.training.model import Model
from gradalign.training.settings import RunSpecification


@dataclass(frozen=True)
class PointSource:
    """Draws the points of a run.

    They are random or a lattice, moved towards the faces where coordinates are stretched, sharded over the devices, and
    completed with the values given at them.
    """

    specification: RunSpecification
    model: Model
    dtype: jnp.dtype
    mesh: Mesh | None = None

    def draw(self, key: Array, step: Array, stage: Array, finished: Tree) -> Points:
        """The points of a step of a stage; ``finished`` are the solutions of the previous windows. Traceable.

        ``key`` is the run's stream "points". ``points_every`` steps share a draw.
        """
        problem, given = self.model.problem, self.specification
        key = randomness.at_step(key, step // given.training.points_every)
        points = problem.sample(key, given.points, self.dtype)
        if given.training.sampling == "lattice":
            inside = lattice(key, problem.domain, given.points["pde"], self.dtype)
            points["pde"] = points["pde"].at[:, : inside.shape[1]].set(inside)
        for index, side, factor in stretched(problem):
            points = {
                name: at.at[:, index].set(stretching.moved(at[:, index], side, factor)) for name, at in points.items()
            }
        points = devices.shared_out(points, self.mesh)
        known = {name: self._known(points[name], names, stage, finished) for name, names in problem.given.items()}
        return points | known

    def _known(self, points: Array, names: tuple[str, ...], stage: Array, finished: Tree) -> Array:
        """The points of one set with the values of this stage: from the previous window, or from the curriculum."""
        problem, count = self.model.problem, len(self.model.problem.coordinates)
        curriculum = self.specification.training.curriculum
        if curriculum is not None and curriculum.parameter in names:
            values = jnp.asarray([stage.value for stage in curriculum.stages], self.dtype)
            return points.at[:, count + names.index(curriculum.parameter)].set(values[stage])
        if self.specification.training.windows is None or not set(names) & set(problem.fields):
            return points
        before = jax.tree.map(lambda leaf: leaf[jnp.maximum(stage - 1, 0)], finished)
        at_end = points[:, :count].at[:, 0].set(problem.domain[0][1])
        fields = self.model.values(before, at_end)[:, np.asarray([problem.fields.index(name) for name in names])]
        return jnp.where(stage == 0, points, points.at[:, count:].set(fields))


def stretched(problem: Problem) -> list[tuple[int, tuple[float, float], float]]:
    """Index, interval and factor of the coordinates that the problem stretches."""
    sides = enumerate(zip(problem.coordinates, problem.domain, strict=True))
    return [(index, side, problem.stretching[name]) for index, (name, side) in sides if name in problem.stretching]
