"""Arithmetic on parameter trees (pytrees of arrays)."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

Tree = Any


def add(left: Tree, right: Tree) -> Tree:
    """Leaf-wise ``left + right``."""
    return jax.tree.map(jnp.add, left, right)


def subtract(left: Tree, right: Tree) -> Tree:
    """Leaf-wise ``left - right``."""
    return jax.tree.map(jnp.subtract, left, right)


def scale(factor: Array, tree: Tree) -> Tree:
    """Leaf-wise ``factor * leaf``, each leaf keeping its dtype."""
    return jax.tree.map(lambda leaf: jnp.asarray(factor, leaf.dtype) * leaf, tree)


def total(trees: list[Tree]) -> Tree:
    """Leaf-wise sum of a non-empty list of trees."""
    return jax.tree.map(lambda *leaves: sum(leaves[1:], start=leaves[0]), *trees)


def size(tree: Tree) -> int:
    """Number of scalars in a tree.

    >>> size({"a": jnp.zeros((2, 3)), "b": jnp.zeros(())})
    7
    """
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def cast(tree: Tree, dtype: Any) -> Tree:
    """The tree with every floating-point leaf converted to ``dtype``; other leaves as they are."""

    def convert(leaf: Array) -> Array:
        return leaf.astype(dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

    return jax.tree.map(convert, tree)
