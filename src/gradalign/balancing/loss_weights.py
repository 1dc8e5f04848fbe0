"""Weights of loss terms and of rows: dimensionless, and constant under differentiation."""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
from jax import Array

from gradalign.base.errors import ConfigurationError
from gradalign.base.trees import Tree


def gradient_norm_weights(
    gradients: Mapping[str, Tree], previous: Mapping[str, Array], momentum: float
) -> dict[str, Array]:
    """Loss weights that give every loss term a gradient of about the same norm (arXiv 2308.08468, section 3.1).

    w_k = m / (||g_k|| + 1e-5 m), where g_k is the gradient tree of loss k *without* its weight and m the mean of
    ||g_k|| over the n loss terms. Returns momentum * previous_k + (1 - momentum) * w_k, scalars in the dtype of
    ``previous``. Range: momentum in [0, 1), weights in (0, 1e5]. A loss with zero gradient gets w_k = 1e5; if all are
    zero, the previous weights stay. NaN gradients give NaN weights. Raises ``KeyError`` for a loss without a previous
    weight.

    >>> one = jnp.ones(())
    >>> new = gradient_norm_weights({"a": jnp.asarray([3.0, 4.0]), "b": 15 * one}, {"a": one, "b": one}, 0.5)
    >>> {name: round(float(weight), 4) for name, weight in new.items()}  # 1/2 + (10/5)/2 and 1/2 + (10/15)/2
    {'a': 1.5, 'b': 0.8333}
    """
    norms = {name: jnp.sqrt(_square(gradient)).astype(previous[name].dtype) for name, gradient in gradients.items()}
    mean = jnp.mean(jnp.stack(list(norms.values())))

    def update(name: str) -> Array:
        weight = jnp.where(mean == 0, previous[name], mean / jnp.where(mean == 0, 1, norms[name] + 1e-5 * mean))
        return jax.lax.stop_gradient(momentum * previous[name] + (1 - momentum) * weight)

    return {name: update(name) for name in norms}


def causal_row_weights(
    residuals: Mapping[str, Array], tolerance: float, chunks: int, losses: Sequence[str]
) -> dict[str, Array]:
    """Row weights that hold back later times until earlier ones are solved (arXiv 2203.07404).

    The rows of every loss in ``losses``, sorted by time, are split into ``chunks`` equal chunks with mean squares
    L_1, L_2, ...; rows of chunk i get w_i = exp(-tolerance * sum_{j<i} L_j), in (0, 1], with w_1 = 1. With several
    losses each chunk gets the least of their weights, so that no equation of a system runs ahead of another. Constant
    under differentiation. Returns ``{loss: (N_loss,)}`` for ``losses`` present in ``residuals``, in their
    dtype. Raises ``ConfigurationError`` if ``chunks`` does not divide N_loss.

    >>> weights = causal_row_weights({"pde": jnp.asarray([1.0, 1.0, 3.0, 5.0])}, 0.5, 2, ["pde"])
    >>> [round(float(weight), 4) for weight in weights["pde"]]  # exp(-0.5 * 1) in the second chunk
    [1.0, 1.0, 0.6065, 0.6065]
    """
    present = [name for name in losses if name in residuals]
    for name in present:
        if residuals[name].size % chunks:
            raise ConfigurationError(
                f"causal chunks are {chunks}, but loss term {name!r} has {residuals[name].size} points; allowed: a "
                "divisor of the number of points; change one of the two"
            )
    if not present:
        return {}

    def chunk_weights(rows: Array) -> Array:
        means = jnp.mean(jnp.square(rows.reshape(chunks, -1)), axis=1)
        return jnp.exp(-tolerance * jnp.concatenate([jnp.zeros_like(means[:1]), jnp.cumsum(means)[:-1]]))

    least = jnp.min(jnp.stack([chunk_weights(residuals[name]) for name in present]), axis=0)
    least = jax.lax.stop_gradient(least)
    return {name: jnp.repeat(least, residuals[name].size // chunks) for name in present}


def _square(tree: Tree) -> Array:
    return jnp.sum(jnp.stack([jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(tree)]))
