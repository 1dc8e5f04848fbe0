"""The problem contract: a PDE is a function from parameters and points to named residual vectors."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array

from gradalign.trees import Tree

Apply = Callable[[Tree, Array], Array]
"""``apply(params, coordinates)``: coordinates (N, D) to fields (N, F)."""

Points = dict[str, Array]
"""Collocation points by loss term, each (N_k, D)."""


@dataclass(frozen=True)
class Problem:
    """One PDE with its domain and conditions, as everything else in gradalign sees it.

    Attributes
    ----------
    name: module name in ``gradalign.problems``.
    coordinates: names of the D coordinates, for instance ``("t", "x")``; time, if any, comes first.
    fields: names of the F outputs of the network.
    losses: names of the n loss terms, in the order in which tables and figures show them.
    domain: ``((low, high), ...)`` per coordinate. Dimensionless.
    periodic: coordinates in which every field is periodic over the domain (networks embed them exactly).
    sample: ``sample(key, counts, dtype) -> points``, ``counts`` being the number of points by loss term;
        traceable, so that points are redrawn on the device. For every loss in ``causal`` the points come
        sorted by time.
    residuals: ``residuals(apply, params, points) -> {loss: (N_k,)}``; a loss term of the objective is the
        mean square of its vector. Traceable and differentiable.
    causal: loss terms whose rows may carry causal weights.
    formulation: settings that change how the problem is posed to a network but not its solution, so that runs which
        differ in them share one reference.
    """

    name: str
    coordinates: tuple[str, ...]
    fields: tuple[str, ...]
    losses: tuple[str, ...]
    domain: tuple[tuple[float, float], ...]
    sample: Callable[[Array, Mapping[str, int], jnp.dtype], Points]
    residuals: Callable[[Apply, Tree, Points], dict[str, Array]]
    periodic: tuple[str, ...] = ()
    causal: tuple[str, ...] = ()
    formulation: tuple[str, ...] = ()
