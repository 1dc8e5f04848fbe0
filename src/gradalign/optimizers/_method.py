"""The method contract: an optimizer is a few pure functions, and one loop runs them all."""

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from gradalign.base.discovery import module_names
from gradalign.base.errors import unknown_name
from gradalign.base.trees import Tree
from gradalign.base.types import Points
from gradalign.optimizers._objective import Objective

State = Any


class Method(NamedTuple):
    """One optimizer.

    init: ``init(params) -> state``.
    step: ``step(objective, params, state, points, gradient=None) -> (params, state, metrics)``. Metrics are scalars by
        name, among them ``gradient_evaluations``. ``gradient`` is that of the objective at these parameters and points,
        if the caller has it already.
    precondition: ``precondition(objective, params, state, points, gradient) -> direction``: the preconditioner P of the
        present state applied to any gradient, linear, without momentum and learning rate. Common-state scores apply one
        P to all per-loss gradients.
    observe: ``observe(params, state, gradient) -> state``: update the statistics with a gradient, without a step.
        Own-state scores feed one such state per loss term.
    enter: ``enter(params, state, steps) -> state``: the state at the start of a stage (a time window or a curriculum
        stage) of ``steps`` () int32 steps, from the last state of the previous stage, or from ``init(params)`` if there
        is none or the network is new. None: every stage starts with ``init(params)``.
    evaluations: gradient evaluations of a step outside its trials (of a line search or of dampings), and of each trial.
    period: steps after which work scheduled by a counter in the state repeats, such as a refresh of the basis.

    ``gradient_evaluations``, () int32, is the cost of a step in passes through the network on all its points, in units
    of a value with its gradient. Each of these counts as one: a value with its gradient, whether the method or the
    caller computes it; the Jacobian, one forward pass and one backward pass per row; a value alone; a second derivative
    of the rows along a direction; each product with the transposed Jacobian beyond the gradient. Rejected trials count.
    Linear algebra does not (``gradalign.training.operations`` counts it), nor does anything outside the method: weights
    of loss terms and rows, own states, diagnostics.
    """

    init: Callable[[Tree], State]
    step: Callable[..., tuple[Tree, State, dict[str, Array]]]
    precondition: Callable[[Objective, Tree, State, Points, Tree], Tree]
    observe: Callable[[Tree, State, Tree], State]
    enter: Callable[[Tree, State, Array], State] | None = None
    evaluations: tuple[int, int] = (1, 1)
    period: int = 1


def first_order(transformation: optax.GradientTransformation, precondition: Callable[[State, Tree], Tree]) -> Method:
    """A method from an optax transformation and the preconditioner of its state.

    ``precondition(state, gradient)`` must be linear in ``gradient``.
    """

    def update(params: Tree, state: State, gradient: Tree) -> tuple[Tree, State]:
        with jax.numpy_dtype_promotion("standard"):  # optax mixes integer counts with floats
            return transformation.update(gradient, state, params)

    def step(
        objective: Objective, params: Tree, state: State, points: Points, gradient: Tree = None
    ) -> tuple[Tree, State, dict[str, Array]]:
        gradient = objective.gradient(params, points) if gradient is None else gradient
        updates, state = update(params, state, gradient)
        return optax.apply_updates(params, updates), state, {"gradient_evaluations": jnp.ones((), jnp.int32)}

    return Method(
        init=transformation.init,
        step=step,
        precondition=lambda objective, params, state, points, gradient: precondition(state, gradient),
        observe=lambda params, state, gradient: update(params, state, gradient)[1],
    )


def load_method(name: str) -> ModuleType:
    """The module of a method, which defines ``Settings`` and ``method(settings, steps) -> Method``.

    Raises ``ConfigurationError`` for an unknown name, with the list of known ones.
    """
    names = module_names("optimizers")
    if name not in names:
        raise unknown_name("method", name, names)
    return import_module(f"gradalign.optimizers.{name}")


def all_finite(tree: Tree) -> Array:
    """Whether every number in the tree is finite, as a scalar on the device."""
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(tree)]))
