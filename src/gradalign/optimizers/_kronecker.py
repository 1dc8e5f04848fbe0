"""One square matrix per axis of a parameter: the gradient statistics of SOAP and Shampoo."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

from gradalign.base.trees import Tree

Sides = tuple[Array | None, ...]
"""One square matrix per axis of a parameter; None for an axis that is not preconditioned."""


def sides(
    leaf: Array,
    make: Callable[[int, jnp.dtype], Array],
    max_dimension: int,
    vectors: bool = False,
    one_sided: bool = False,
) -> Sides:
    """``make(d, dtype)`` for every preconditioned axis of length d, None for the others.

    Not preconditioned are axes of length 1 or longer than ``max_dimension``, the axis of a vector unless ``vectors``,
    and with ``one_sided`` all but the shortest axis.

    >>> sides(jnp.ones((3, 1, 2)), lambda d, dtype: d, 10)
    (3, None, 2)
    """
    allowed = [1 < length <= max_dimension for length in leaf.shape]
    if leaf.ndim == 1 and not vectors:
        allowed = [False]
    if one_sided and leaf.ndim:
        shortest = min(range(leaf.ndim), key=lambda axis: leaf.shape[axis])
        allowed = [here and axis == shortest for axis, here in enumerate(allowed)]
    return tuple(make(d, leaf.dtype) if here else None for d, here in zip(leaf.shape, allowed, strict=True))


def updated_factors(gradient: Tree, factors: tuple[Sides, ...], keep: float, add: float) -> tuple[Sides, ...]:
    """keep L + add G_a G_a^T for every factor L (d, d), where G_a is the gradient unfolded along its axis of length d.

    ``factors`` has one entry per leaf of ``gradient``, in the same order. The result has the shapes and dtypes of
    ``factors``.

    >>> before = ((jnp.eye(2), None),)
    >>> updated_factors(jnp.asarray([[3.0], [0.0]]), before, 0.5, 1.0)[0][0].tolist()  # 0.5 + 9, 0.5
    [[9.5, 0.0], [0.0, 0.5]]
    """

    def side(g: Array, factor: Array | None, axis: int) -> Array | None:
        if factor is None:
            return None
        others = [other for other in range(g.ndim) if other != axis]
        return keep * factor + add * jnp.tensordot(g, g, axes=(others, others))

    leaves = jax.tree.leaves(gradient)
    return tuple(
        tuple(side(g, factor, axis) for axis, factor in enumerate(leaf_factors))
        for g, leaf_factors in zip(leaves, factors, strict=True)
    )


def multiplied(tree: Tree, matrices: tuple[Sides, ...], contracted: int) -> Tree:
    """Each axis multiplied by the transpose of its matrix (``contracted`` 0) or by the matrix itself (1).

    ``matrices`` has one entry per leaf of ``tree``, in the same order. The result has the structure and shapes of
    ``tree``.

    >>> multiplied(jnp.asarray([[1.0], [2.0]]), ((jnp.asarray([[0.0, 3.0], [1.0, 0.0]]), None),), 1).tolist()
    [[6.0], [1.0]]
    """
    leaves, structure = jax.tree.flatten(tree)
    for index, leaf_matrices in enumerate(matrices):
        for axis, matrix in enumerate(leaf_matrices):
            if matrix is not None:
                product = jnp.tensordot(leaves[index], matrix, axes=((axis,), (contracted,)))
                leaves[index] = jnp.moveaxis(product, -1, axis)
    return jax.tree.unflatten(structure, leaves)
