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


def named_leaves(tree: Tree) -> dict[str, Any]:
    """The leaves by their path, in the order of the tree.

    >>> list(named_leaves({"hidden": [{"bias": jnp.zeros(2)}], "output": jnp.zeros(1)}))
    ['hidden/0/bias', 'output']
    """
    paths, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/") or "value": leaf for path, leaf in paths}


def size(tree: Tree) -> int:
    """Number of scalars in a tree.

    >>> size({"a": jnp.zeros((2, 3)), "b": jnp.zeros(())})
    7
    """
    return sum(leaf.size for leaf in jax.tree.leaves(tree))
