"""The origin of a number that is not finite."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gradalign.base import trees
from gradalign.training.loop import Experiment, LoopState


def origin(experiment: Experiment, key: jax.Array, loop: LoopState) -> str:
    """The first tensor that was not finite, for a loop that ended with ``failed_step`` set.

    The failing step is repeated from the parameters before it. These are checked first, then the loss weights, the
    residual of each loss term, the gradient of each, the state of the method and the update. The state is the one after
    the step; if it alone is not finite, it is the origin. ``key`` is the run's stream "points".
    """
    before = loop._replace(step=jnp.maximum(loop.step - 1, 0), params=loop.previous)
    points, objective = experiment.points(key, before), experiment.objective(loop.loss_weights, loop.start)
    losses = objective.losses(before.params, points)
    if found := not_finite(before.params):
        return f"parameter {found[0]} before the step"
    if found := not_finite(loop.loss_weights):
        return f"weight of the loss term {found[0]}"
    if found := not_finite(losses):
        return f"residual of the loss term {', '.join(found)}"
    for name, gradient in objective.loss_gradients(before.params, points).items():
        if found := not_finite(gradient):
            return f"gradient of the loss term {name} by {found[0]}"
    for what, tree in (("state of the method", loop.state), ("own state", loop.own_states), ("parameter", loop.params)):
        if found := not_finite(tree):
            return f"{what}, {found[0]}" + (f" and {len(found) - 1} more" if len(found) > 1 else "")
    return "nothing that is left to see"


def not_finite(tree: Any) -> list[str]:
    """Paths of the arrays of a tree that hold a number that is not finite.

    >>> not_finite({"a": jnp.zeros(2), "b": [jnp.asarray([1.0, jnp.inf])]})
    ['b/0']
    """
    named = trees.named_leaves(jax.device_get(tree))
    return [name for name, leaf in named.items() if not np.all(np.isfinite(np.asarray(leaf)))]
