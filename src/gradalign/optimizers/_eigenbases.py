"""Second-moment factors, one per axis of each parameter, and their slowly updated eigenbases."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

from gradalign.base.trees import Tree
from gradalign.optimizers._kronecker import Sides, multiplied, sides


def identity_bases(
    params: Tree, longest: int, precondition_1d: bool = False, one_sided: bool = False
) -> tuple[tuple[Sides, ...], tuple[Sides, ...]]:
    """Zero factors and identity bases, (d, d) for each preconditioned axis of length d, in the dtype of the parameter.

    Not preconditioned are axes of length 1 or longer than ``longest``, the axis of a vector unless ``precondition_1d``,
    and with ``one_sided`` all but the shortest axis of each parameter.

    >>> factors, bases = identity_bases({"kernel": jnp.zeros((2, 9)), "bias": jnp.zeros(2)}, longest=8)
    >>> [[None if side is None else side.shape for side in sides] for sides in bases]  # bias, kernel
    [[None], [(2, 2), None]]
    """

    def each(make: Callable[[int, jnp.dtype], Array]) -> tuple[Sides, ...]:
        leaves = jax.tree.leaves(params)
        return tuple(sides(leaf, make, longest, precondition_1d, one_sided) for leaf in leaves)

    return each(lambda d, dtype: jnp.zeros((d, d), dtype)), each(lambda d, dtype: jnp.eye(d, dtype=dtype))


def bias_correction(decay: float, updates: Array, dtype: jnp.dtype) -> Array:
    """1 - decay^t for t = max(updates, 1), a scalar.

    >>> bias_correction(0.5, jnp.asarray(2), jnp.dtype("float64")).item()
    0.75
    """
    return 1 - jnp.asarray(decay, dtype) ** jnp.maximum(updates, 1).astype(dtype)


def eigenvectors(factors: tuple[Sides, ...]) -> tuple[Sides, ...]:
    """Eigenvectors of every factor as columns, by decreasing eigenvalue.

    >>> jnp.abs(eigenvectors(((jnp.diag(jnp.asarray([1.0, 2.0])),),))[0][0]).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    return jax.tree.map(lambda factor: jnp.flip(jnp.linalg.eigh(factor)[1], axis=1), factors)


def refreshed(
    factors: tuple[Sides, ...], bases: tuple[Sides, ...], second_moment: Tree
) -> tuple[tuple[Sides, ...], Tree]:
    """One orthogonal iteration Q <- qr(F Q) per basis, after sorting columns and second moments by diag(Q^T F Q).

    >>> factors = ((jnp.diag(jnp.asarray([1.0, 2.0])),),)
    >>> bases, second_moment = refreshed(factors, ((jnp.eye(2),),), jnp.asarray([3.0, 4.0]))
    >>> jnp.abs(bases[0][0]).tolist(), second_moment.tolist()
    ([[0.0, 1.0], [1.0, 0.0]], [4.0, 3.0])
    """
    leaves, structure = jax.tree.flatten(second_moment)
    fresh = []
    for index, (leaf_factors, leaf_bases) in enumerate(zip(factors, bases, strict=True)):
        turned: list[Array | None] = []
        for axis, (factor, basis) in enumerate(zip(leaf_factors, leaf_bases, strict=True)):
            if factor is None or basis is None:
                turned.append(None)
                continue
            image = factor @ basis
            order = jnp.argsort(jnp.sum(basis * image, axis=0), descending=True)
            leaves[index] = jnp.take(leaves[index], order, axis=axis)
            turned.append(jnp.linalg.qr(image[:, order])[0])
        fresh.append(tuple(turned))
    return tuple(fresh), jax.tree.unflatten(structure, leaves)


def to_basis(tree: Tree, bases: tuple[Sides, ...]) -> Tree:
    """Q_L^T G Q_R for every matrix G, and the same along every axis of other tensors.

    >>> to_basis(jnp.asarray([[1.0, 2.0]]), ((None, jnp.eye(2)[::-1]),)).tolist()
    [[2.0, 1.0]]
    """
    return multiplied(tree, bases, contracted=0)


def from_basis(tree: Tree, bases: tuple[Sides, ...]) -> Tree:
    """Q_L G Q_R^T for every matrix G: the inverse of ``to_basis``.

    >>> from_basis(jnp.asarray([[2.0, 1.0]]), ((None, jnp.eye(2)[::-1]),)).tolist()
    [[1.0, 2.0]]
    """
    return multiplied(tree, bases, contracted=1)
