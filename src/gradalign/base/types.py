"""Types that several packages share."""

from collections.abc import Callable, Mapping

from jax import Array

from gradalign.base.trees import Tree

Apply = Callable[[Tree, Array], Array]
"""``apply(params, coordinates)`` maps coordinates (N, D) to the outputs of a network (N, F)."""

Points = dict[str, Array]
"""Collocation points by point set, each (N_s, D + G_s): the D coordinates, then the G_s given values."""

Box = tuple[tuple[float, float], ...]
"""``(low, high)`` per coordinate."""

Operators = Mapping[str, Mapping[str, float | Array]]
"""Linear differential operators by name: scalar coefficients by derivative."""
