"""The method contract: an optimizer is a handful of pure functions, and one loop runs them all."""

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

import gradalign.optimizers
from gradalign.errors import unknown_name
from gradalign.objective import Objective
from gradalign.problem import Points
from gradalign.trees import Tree

State = Any


class Method(NamedTuple):
    """One optimizer.

    init: ``init(params) -> state``.
    step: ``step(objective, params, state, points) -> (params, state, metrics)``; metrics are scalars by name.
    precondition: ``precondition(objective, params, state, points, gradient) -> direction``: the linear map P
        of the present state applied to any gradient, without momentum and learning rate. Common-state scores
        apply one P to all per-loss gradients.
    observe: ``observe(objective, params, state, points) -> state``: let the statistics see this objective's
        gradient without moving. Own-state scores feed one such state per loss term.
    """

    init: Callable[[Tree], State]
    step: Callable[[Objective, Tree, State, Points], tuple[Tree, State, dict[str, Array]]]
    precondition: Callable[[Objective, Tree, State, Points, Tree], Tree]
    observe: Callable[[Objective, Tree, State, Points], State]


def first_order(transformation: optax.GradientTransformation, precondition: Callable[[State, Tree], Tree]) -> Method:
    """A method from an optax transformation and the linear map of its state.

    ``precondition(state, gradient)`` must be linear in ``gradient``.
    """

    def update(objective: Objective, params: Tree, state: State, points: Points) -> tuple[Tree, State]:
        gradient = objective.gradient(params, points)
        with jax.numpy_dtype_promotion("standard"):  # optax itself mixes integer counts with floats
            return transformation.update(gradient, state, params)

    def step(objective: Objective, params: Tree, state: State, points: Points) -> tuple[Tree, State, dict[str, Array]]:
        updates, state = update(objective, params, state, points)
        return optax.apply_updates(params, updates), state, {}

    def observe(objective: Objective, params: Tree, state: State, points: Points) -> State:
        return update(objective, params, state, points)[1]

    return Method(
        init=transformation.init,
        step=step,
        precondition=lambda objective, params, state, points, gradient: precondition(state, gradient),
        observe=observe,
    )


def method_names() -> list[str]:
    """Names of all methods: the modules in ``gradalign.optimizers``."""
    return sorted(module.name for module in iter_modules(gradalign.optimizers.__path__))


def load_method(name: str) -> ModuleType:
    """The module of a method; it defines ``Settings`` and ``method(settings, steps) -> Method``.

    Raises ``ConfigurationError``, with the list of names, for an unknown one.
    """
    if name not in method_names():
        raise unknown_name("method", name, method_names())
    return import_module(f"gradalign.optimizers.{name}")


def all_finite(tree: Tree) -> Array:
    """Whether every number in the tree is finite, as a scalar on the device."""
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(tree)]))
