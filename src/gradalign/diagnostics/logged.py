"""Logged diagnostics of the gradients of one step: their alignment, and the gain of every loss term."""

import jax
import jax.numpy as jnp
from jax import Array

from gradalign.base.trees import Tree
from gradalign.diagnostics import alignment


def intra_step(
    gradients: dict[str, Tree], common_directions: dict[str, Tree], own_directions: dict[str, Tree] | None
) -> dict[str, Array]:
    """Scores and companions, by name, of two or more per-loss gradients g_i and of their preconditioned directions.

    ``score_raw``, ``score_common_state``, ``score_own_state`` as in ``alignment.intra_step_scores``;
    ``minimum_cosine`` and ``conflict_fraction`` of the raw gradients; ``gradient_norm/<term>`` is ||g_i||_2, including
    the loss weight. Dimensionless, in the accumulation dtype of ``alignment``.

    >>> gradients = {"ic": jnp.asarray([3.0, 4.0]), "pde": jnp.asarray([-3.0, -4.0])}
    >>> row = intra_step(gradients, gradients, None)
    >>> [round(float(row[name]), 12) for name in ("score_raw", "conflict_fraction", "gradient_norm/ic")]
    [-1.0, 1.0, 5.0]
    """
    scores = alignment.intra_step_scores(gradients, common_directions, own_directions)
    companions = alignment.alignment(gradients)
    row = {f"score_{name}": value for name, value in scores._asdict().items()}
    row["minimum_cosine"] = companions.minimum_cosine
    row["conflict_fraction"] = alignment.conflict_fraction(companions.cosines)
    return row | gradient_norms(gradients)


def gradient_norms(gradients: dict[str, Tree]) -> dict[str, Array]:
    """``gradient_norm/<term>``: ||g_i||_2, including the loss weight, as in ``intra_step``.

    >>> {name: float(norm) for name, norm in gradient_norms({"pde": jnp.asarray([3.0, 4.0])}).items()}
    {'gradient_norm/pde': 5.0}
    """
    return {
        f"gradient_norm/{name}": jnp.sqrt(alignment.gram_matrix([gradient])[0, 0])
        for name, gradient in gradients.items()
    }


def gains(gradients: dict[str, Tree], losses: dict[str, Array], update: Tree) -> dict[str, Array]:
    """First-order relative decrease of each loss term by one update d: -<g_i, d> / L_i, dimensionless.

    ``gradients`` and ``losses`` carry the same loss weights. Positive where the update lowers loss term i; Newton's
    step on a quadratic with a shared minimiser has the gain 2 for every term (T21a). NaN where L_i is zero.

    >>> one = gains({"fit": jnp.asarray([2.0])}, {"fit": jnp.asarray(1.0)}, jnp.asarray([-1.0]))
    >>> float(one["gain/fit"])
    2.0
    """

    def gain(name: str) -> Array:
        products = jax.tree.map(lambda g, d: jnp.sum(g * d), gradients[name], update)
        decrease = -jnp.sum(jnp.stack(jax.tree.leaves(products)))
        return jnp.where(losses[name] > 0, decrease / losses[name], jnp.nan)

    return {f"gain/{name}": gain(name) for name in gradients}
