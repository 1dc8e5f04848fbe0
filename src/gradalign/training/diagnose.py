"""The diagnostics of a state of training: losses, weights, scores, gains, and the metrics of the method."""

from functools import partial
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
from jax import Array

from gradalign.base import trees
from gradalign.base.trees import Tree
from gradalign.base.types import Points
from gradalign.diagnostics import logged
from gradalign.diagnostics.alignment import inter_step_score
from gradalign.optimizers._objective import Objective

if TYPE_CHECKING:
    from gradalign.training.loop import Experiment, LoopState


def row(experiment: "Experiment", key: Array, loop: "LoopState") -> dict[str, Array]:
    """The diagnostics of the present state, as scalars by name: losses, weights, scores, gains, metrics.

    The inter-step scores are cosines between this step and the next: of the gradients as the optimizer sees them
    (``score_inter_gradient``), of the gradients of one function, on the points of this step
    (``score_inter_gradient_same_points``), and of the updates (``score_inter_update``). They look two steps ahead
    without changing the state.
    """
    points, objective = experiment.points(key, loop), experiment.objective(loop.loss_weights, loop.start)
    losses, constraint = objective.losses(loop.params, points), experiment.model.constraint
    gradients = objective.loss_gradients(loop.params, points)
    ahead = jax.lax.scan(lambda state, _: _look(experiment, key, state), loop, length=2)[1]
    now, later = (jax.tree.map(lambda values, i=i: values[i], ahead) for i in (0, 1))
    return {
        "loss": objective.loss(loop.params, points),
        "gradient_evaluations": loop.gradient_evaluations,
        **{f"loss/{name}": value for name, value in losses.items()},
        **{f"weight/{name}": value for name, value in loop.loss_weights.items()},
        **({} if constraint is None else {"start_tail": constraint.tail(loop.start)}),
        **_intra_step(experiment, objective, loop, points, gradients),
        **logged.gains(gradients, objective.weighted_losses(loop.params, points), now["update"]),
        "score_inter_gradient": inter_step_score(now["gradient"], later["gradient"]),
        "score_inter_gradient_same_points": inter_step_score(now["gradient"], now["gradient_after"]),
        "score_inter_update": inter_step_score(now["update"], later["update"]),
        **now["metrics"],
    }


def _intra_step(
    experiment: "Experiment", objective: Objective, loop: "LoopState", points: Points, gradients: dict[str, Tree]
) -> dict[str, Array]:
    """The scores of ``diagnostics.logged.intra_step``; for a single loss term only the norm of its gradient."""
    if len(gradients) == 1:
        return logged.gradient_norms(gradients)
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *gradients.values())
    precondition = partial(experiment.method.precondition, objective, loop.params, loop.state, points)
    common = jax.vmap(precondition)(stacked)  # P is formed once for all loss terms
    own = {
        name: experiment.method.precondition(objective.only(name), loop.params, state, points, gradients[name])
        for name, state in loop.own_states.items()
    }
    return logged.intra_step(
        gradients,
        {name: jax.tree.map(lambda v, i=i: v[i], common) for i, name in enumerate(gradients)},
        own or None,
    )


def _look(experiment: "Experiment", key: Array, loop: "LoopState") -> tuple["LoopState", dict[str, Tree]]:
    """One step, with the gradients of the same function before and after it."""
    points, objective = experiment.points(key, loop), experiment.objective(loop.loss_weights, loop.start)
    after, metrics = experiment.step(key, loop)
    return after, {
        "gradient": objective.gradient(loop.params, points),
        "gradient_after": objective.gradient(after.params, points),
        "update": trees.subtract(after.params, loop.params),
        "metrics": metrics,
    }
