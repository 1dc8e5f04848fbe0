"""Arithmetic on parameter trees (pytrees of arrays)."""

from typing import Any

import jax
import jax.numpy as jnp

Tree = Any


def subtract(left: Tree, right: Tree) -> Tree:
    """Leaf-wise ``left - right``."""
    return jax.tree.map(jnp.subtract, left, right)


def total(trees: list[Tree]) -> Tree:
    """Leaf-wise sum of a non-empty list of trees."""
    return jax.tree.map(lambda *leaves: sum(leaves[1:], start=leaves[0]), *trees)


def size(tree: Tree) -> int:
    """Number of scalars in a tree.

    >>> size({"a": jnp.zeros((2, 3)), "b": jnp.zeros(())})
    7
    """
    return sum(leaf.size for leaf in jax.tree.leaves(tree))
