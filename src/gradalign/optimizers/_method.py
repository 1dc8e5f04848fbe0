"""The method contract: an optimizer is a handful of pure functions, and one loop runs them all."""

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
    step: ``step(objective, params, state, points, gradient=None) -> (params, state, metrics)``; metrics are scalars by
        name, among them ``gradient_evaluations``. ``gradient`` is that of the objective at these parameters and points,
        where the caller has it already.
    precondition: ``precondition(objective, params, state, points, gradient) -> direction``: the linear map P
        of the present state applied to any gradient, without momentum and learning rate. Common-state scores
        apply one P to all per-loss gradients.
    observe: ``observe(params, state, gradient) -> state``: let the statistics see a gradient without moving. Own-state
        scores feed one such state per loss term.
    enter: ``enter(params, state, steps) -> state``: the state at the start of a stage (a time window, or a stage of a
        curriculum) of ``steps`` () int32 steps, from the last one of the stage before, or from ``init(params)`` where
        there is none or the network is new. None: every stage starts with ``init(params)``.

    evaluations: gradient evaluations of a step beside its trials (of a line search, of dampings), and of each trial.
    period: steps after which what a counter of the state decides is done again, such as a new eigenbasis.

    ``gradient_evaluations``, () int32, is what a step cost in passes through the network on all points of the step, in
    units of a value with its gradient. One each: a value with its gradient, whether the method or the caller computes
    it; the Jacobian, which is one pass forward and one backward for each row; a value alone; a second derivative of the
    rows along a direction; each product with the transposed Jacobian beside the gradient. Linear algebra is not
    counted (``gradalign.training.operations`` does), nor is what is no part of the method: weights of loss terms and of
    rows, own states, diagnostics. Trials that a step throws away count.
    """

    init: Callable[[Tree], State]
    step: Callable[..., tuple[Tree, State, dict[str, Array]]]
    precondition: Callable[[Objective, Tree, State, Points, Tree], Tree]
    observe: Callable[[Tree, State, Tree], State]
    enter: Callable[[Tree, State, Array], State] | None = None
    evaluations: tuple[int, int] = (1, 1)
    period: int = 1


def first_order(transformation: optax.GradientTransformation, precondition: Callable[[State, Tree], Tree]) -> Method:
    """A method from an optax transformation and the linear map of its state.

    ``precondition(state, gradient)`` must be linear in ``gradient``.
    """

    def update(params: Tree, state: State, gradient: Tree) -> tuple[Tree, State]:
        with jax.numpy_dtype_promotion("standard"):  # optax itself mixes integer counts with floats
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
    """The module of a method; it defines ``Settings`` and ``method(settings, steps) -> Method``.

    Raises ``ConfigurationError``, with the list of names, for an unknown one.
    """
    names = module_names("optimizers")
    if name not in names:
        raise unknown_name("method", name, names)
    return import_module(f"gradalign.optimizers.{name}")


def all_finite(tree: Tree) -> Array:
    """Whether every number in the tree is finite, as a scalar on the device."""
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(tree)]))
