"""The gradient alignment score (arXiv 2502.00604) and its companions. All quantities are dimensionless.

Throughout this module, ``vectors`` is a matrix (n, d) whose rows are the vectors, or a sequence or mapping of n
parameter trees of one structure (gradients as JAX returns them). As in JAX, mappings are ordered by key. Trees are
never concatenated: every score needs only the n x n Gram matrix, which is summed leaf by leaf. Sums run in float64
where JAX's 64-bit types are on, else in float32 by blocks. Each vector is scaled by its largest entry before it is
squared, so that neither large trees nor extreme magnitudes spoil a score. All functions work under ``jit``, ``vmap``
and ``grad``.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from gradalign.base.trees import Tree

Vectors = Array | Sequence[Tree] | Mapping[str, Tree]

_BLOCK = 1024  # float32 sums of this many terms keep the error below 1e-4 even if no rounding errors cancel


class Alignment(NamedTuple):
    """The score of n vectors, and what its interpretation needs.

    score: A, scalar; NaN if any vector is zero or not finite.
    mask: (n,) booleans, true where a vector is finite and not zero.
    cosines: (n, n) pairwise cosines; NaN in the rows and columns of masked vectors.
    mean_cosine: mean of the n (n - 1) / 2 cosines of distinct vectors, neutral value 0; NaN for n = 1.
    minimum_cosine: their minimum; negative if and only if some pair conflicts; NaN for n = 1.
    """

    score: Array
    mask: Array
    cosines: Array
    mean_cosine: Array
    minimum_cosine: Array


class IntraStepScores(NamedTuple):
    """The three intra-step scores, not to be confused (T25); NaN where not requested."""

    raw: Array
    common_state: Array
    own_state: Array


def null_value(n: int) -> float:
    """2/n - 1: the score of n orthogonal vectors, and the mean score of independent random directions (T1, T4).

    Range: n >= 1, values in (-1, 1]. Raises ``ValueError`` for n < 1.

    >>> null_value(2), round(null_value(3), 4)
    (0.0, -0.3333)
    """
    _require_count(n, 1)
    return 2 / n - 1


def null_deviation(n: int, effective_dimension: float) -> float:
    """Standard deviation sqrt(8 (n - 1) / (n^3 d_eff)) of the score of n independent random directions (T4).

    d_eff = 1 / tr(Sigma^2), where Sigma is the second moment of the unit vectors; d for isotropic ones.
    Raises ``ValueError`` for n < 1 or d_eff < 1.

    >>> null_deviation(2, 100.0)
    0.1
    """
    _require_count(n, 1)
    if not effective_dimension >= 1:
        raise ValueError(f"effective_dimension is {effective_dimension}; allowed: numbers from 1")
    return math.sqrt(8 * (n - 1) / (n**3 * effective_dimension))


def conflict_free_threshold(n: int) -> float:
    """tau_n = 2 ((n - 2 + sqrt 2) / n)^2 - 1, the least bound above which every pairwise cosine is positive (T2b).

    Raises ``ValueError`` for n < 2.

    >>> abs(conflict_free_threshold(2)) < 1e-15, round(conflict_free_threshold(3), 4)
    (True, 0.2952)
    """
    _require_count(n, 2)
    return 2 * ((n - 2 + math.sqrt(2)) / n) ** 2 - 1


def common_descent_threshold(n: int) -> float:
    """1 - 4/n: above it the normalised sum of the gradients decreases every loss to first order (T8b; sharp if n >= 3).

    Raises ``ValueError`` for n < 2.

    >>> [round(common_descent_threshold(n), 4) for n in (2, 3, 4, 5)]
    [-1.0, -0.3333, 0.0, 0.2]
    """
    _require_count(n, 2)
    return 1 - 4 / n


def mean_cosine_from_score(score: Array | float, n: int) -> Array:
    """The mean pairwise cosine n / (2 (n - 1)) (A - 2/n + 1), whose neutral value is 0 for every n (T1b).

    Raises ``ValueError`` for n < 2.

    >>> float(mean_cosine_from_score(null_value(3), 3)), float(mean_cosine_from_score(1.0, 3))
    (0.0, 1.0)
    """
    _require_count(n, 2)
    return jnp.asarray(n / (2 * (n - 1)) * (score - null_value(n)))


def gram_matrix(vectors: Vectors) -> Array:
    """G_ij = <v_i, v_j>, shape (n, n), in the accumulation dtype.

    Raises ``ValueError`` for no vectors or unequal structures, ``TypeError`` for numbers that are not real floats.

    >>> gram_matrix(jnp.asarray([[3.0, 4.0], [1.0, 0.0]])).tolist()
    [[25.0, 3.0], [3.0, 1.0]]
    """
    leaves = _leaves(vectors)
    scales = _scales(leaves)
    return _gram(leaves, scales) * scales[:, None] * scales[None, :]


def score_from_gram(gram: Array) -> Array:
    """A from a Gram matrix (n, n): 2 / n^2 sum_ij G_ij / sqrt(G_ii G_jj) - 1 (T1e). NaN if any G_ii is zero.

    >>> float(score_from_gram(jnp.eye(4)))
    -0.5
    """
    gram = jnp.asarray(gram)
    if gram.ndim != 2 or gram.shape[0] != gram.shape[1] or gram.shape[0] < 1:
        raise ValueError(f"the Gram matrix has shape {gram.shape}; allowed: (n, n) with n >= 1")
    return _score_from_cosines(_cosines(gram))


def pairwise_cosines(vectors: Vectors) -> Array:
    """c_ij = <v_i, v_j> / (||v_i|| ||v_j||), shape (n, n); NaN in the rows and columns of zero vectors.

    >>> pairwise_cosines(jnp.asarray([[1.0, 0.0], [0.0, 2.0]])).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    leaves = _leaves(vectors)
    return _cosines(_gram(leaves, _scales(leaves)))


def alignment_score(vectors: Vectors) -> Array:
    """A(v_1, ..., v_n) = 2 || (1/n) sum_i v_i / ||v_i|| ||^2 - 1, in [-1, 1] (arXiv 2502.00604; T1).

    For n = 2 the score is the cosine. Equal directions score 1, a zero normalised sum -1, and orthogonal vectors the
    neutral value ``null_value(n)`` = 2/n - 1, so for n >= 3 a negative score does not imply conflict (T2). A zero
    gradient has no direction, and no value is continuous there (T6): the score is NaN, and ``alignment(vectors).mask``
    tells which vector is at fault. Returns a scalar in the accumulation dtype. Raises ``ValueError`` for no vectors or
    unequal structures, ``TypeError`` for numbers that are not real floats.

    >>> gradients = [{"w": jnp.asarray([1.0, 0.0])}, {"w": jnp.asarray([1.0, 1.0])}]
    >>> round(float(alignment_score(gradients)), 6)  # cos 45°
    0.707107
    """
    return _score_from_cosines(pairwise_cosines(vectors))


def alignment(vectors: Vectors) -> Alignment:
    """The score together with mask, pairwise cosines, their mean and their minimum; see ``Alignment``.

    >>> result = alignment(jnp.asarray([[1.0, 0.0], [0.0, 0.0]]))
    >>> bool(jnp.isnan(result.score)), result.mask.tolist()
    (True, [True, False])
    """
    leaves = _leaves(vectors)
    scales = _scales(leaves)
    cosines = _cosines(_gram(leaves, scales))
    n = cosines.shape[0]
    pairs = cosines[jnp.triu_indices(n, 1)]
    undefined = jnp.asarray(jnp.nan, cosines.dtype)
    return Alignment(
        score=_score_from_cosines(cosines),
        mask=jnp.isfinite(scales) & (scales > 0),
        cosines=cosines,
        mean_cosine=jnp.mean(pairs) if n > 1 else undefined,
        minimum_cosine=jnp.min(pairs) if n > 1 else undefined,
    )


def misalignment(vectors: Vectors) -> Array:
    """1 - A = (2/n) sum_i ||u_i - u_mean||^2 with u_i = v_i / ||v_i||, without cancellation (T1c).

    Where all directions nearly agree, 1 - ``alignment_score`` has an absolute error of the rounding unit. Here that
    error is relative, down to the square of the unit. Scalar in [0, 2]; NaN if any vector is zero.

    >>> float(misalignment(jnp.asarray([[1.0, 0.0], [-1.0, 0.0]])))
    2.0
    """
    leaves = _leaves(vectors)
    scales = _scales(leaves)
    divisors = jnp.where(scales > 0, scales, 1)[:, None]
    squares = jnp.diagonal(_gram(leaves, scales))
    defined = jnp.isfinite(squares) & (squares > 0)
    lengths = jnp.where(defined, jnp.sqrt(jnp.where(defined, squares, 1)), jnp.nan)
    rows = [_widen(leaf) / divisors for leaf in leaves]
    # u_i - u_1 = (v_i - v_1) / ||v_i|| + v_1 (1 / ||v_i|| - 1 / ||v_1||). The last factor is computed from
    # ||v_1||^2 - ||v_i||^2 = <v_1 - v_i, v_1 + v_i>: rounding a unit vector or a length would cost its square
    gaps = jnp.sum(jnp.stack([jnp.diagonal(_products(row[:1] - row, row[:1] + row)) for row in rows]), axis=0)
    gaps = gaps / (lengths * lengths[0] * (lengths + lengths[0]))

    def deviations(row: Array) -> Array:
        # Two differences, because the mean of u itself carries the rounding unit of u
        relative = (row - row[:1]) / lengths[:, None] + row[:1] * gaps[:, None]
        centred = relative - jnp.mean(relative, axis=0)
        return jnp.sum(jnp.diagonal(_leaf_gram(centred)))

    return 2 / squares.size * jnp.sum(jnp.stack([deviations(row) for row in rows]))


def conflict_fraction(cosines: Array) -> Array:
    """Share of the n (n - 1) / 2 pairs with a negative cosine, in [0, 1]: the pairs that PCGrad would project (arXiv
    2001.06782). NaN for n = 1 and where a cosine is NaN.

    >>> float(conflict_fraction(jnp.asarray([[1.0, -0.5], [-0.5, 1.0]])))
    1.0
    """
    pairs = cosines[jnp.triu_indices(cosines.shape[0], 1)]
    return jnp.mean(jnp.where(jnp.isnan(pairs), jnp.nan, (pairs < 0).astype(pairs.dtype)))


def score_certificate(score: Array | float) -> Array:
    """(1 + |A|) / (1 - |A|): what one raw score of two loss terms proves about conditioning (T13c).

    If the Jacobians J_i have independent row spaces, |A(g_1, g_2)| <= c at every point, where c is the cosine of the
    smallest angle between the row spaces. Hence no loss weights, and no preconditioner that acts on the residuals of
    each loss separately, reduce the condition number of the kernel J J^T of the stacked residuals below this value.
    Scores near -1 and near +1 certify the same. For n > 2 losses, each pairwise cosine certifies a lower bound. Range
    [1, inf].

    >>> float(score_certificate(-0.5)), float(score_certificate(0.0))
    (3.0, 1.0)
    """
    magnitude = jnp.abs(jnp.asarray(score))
    return (1 + magnitude) / (1 - magnitude)


def interference_matrix(gradients: Vectors, directions: Vectors) -> Array:
    """I_ij = <g_i, v_j>, shape (n, n): the first-order decrease of loss i by a unit step against v_j (T23b).

    v_j = P g_j is the direction of loss j under a preconditioner P. Off the diagonal, a positive entry means that the
    step for loss j helps loss i, a negative one that it harms loss i, and 0 that they do not interfere. Exact
    Gauss-Newton directions of independent residuals give diag(||r_i||^2). Unlike the score of directions, the effect of
    a given step on a loss does not depend on the coordinates of the parameters (T24). In the accumulation dtype; rows
    and columns of mappings follow the sorted keys. Raises like ``gram_matrix``, and ``ValueError`` if gradients and
    directions differ in number or structure.

    >>> gradients = {"bc": jnp.asarray([2.0, 0.0]), "pde": jnp.asarray([1.0, 1.0])}
    >>> interference_matrix(gradients, gradients).tolist()
    [[4.0, 2.0], [2.0, 2.0]]
    """
    left, right = _leaves(gradients), _leaves(directions)
    shapes = [[leaf.shape for leaf in leaves] for leaves in (left, right)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"gradients and directions must be alike; given leaves of shapes {shapes[0]} and {shapes[1]}")
    n = left[0].shape[0]
    both = [jnp.concatenate(pair) for pair in zip(left, right, strict=True)]
    return gram_matrix([[leaf[i] for leaf in both] for i in range(2 * n)])[:n, n:]


def effective_dimension(vectors: Vectors) -> Array:
    """d_eff = 1 / tr(Sigma^2) of n >= 2 independent draws of one random direction, Sigma = E[u u^T] (T4).

    The estimate is n (n - 1) / sum_(i != j) c_ij^2, the inverse of the mean squared cosine of distinct draws, which is
    unbiased for 1 / d_eff. It lies between 1 (all on one line) and, for many draws, d (isotropic); inf where all draws
    are orthogonal, NaN where one is zero. ``null_deviation`` takes it instead of d. Raises like ``gram_matrix``, and
    ``ValueError`` for a single vector.

    >>> float(effective_dimension(jnp.asarray([[1.0, 0.0], [-2.0, 0.0], [3.0, 0.0]])))
    1.0
    """
    cosines = pairwise_cosines(vectors)
    n = cosines.shape[0]
    _require_count(n, 2)
    return 1 / jnp.mean(cosines[jnp.triu_indices(n, 1)] ** 2)


def inter_step_score(previous: Tree, current: Tree) -> Array:
    """cos(x_t, x_{t+1}) of two consecutive gradients or updates x; say which. NaN if one is zero (T14, T18).

    >>> float(inter_step_score(jnp.asarray([2.0, 0.0]), jnp.asarray([-1.0, 0.0])))
    -1.0
    """
    return alignment_score([previous, current])


def intra_step_scores(
    gradients: Vectors, common_directions: Vectors | None = None, own_directions: Vectors | None = None
) -> IntraStepScores:
    """The intra-step scores of per-loss gradients g_i at one step (definitions of T25).

    raw = A(g_1, ..., g_n). common_state = A(P g_1, ..., P g_n), where P is the preconditioner of the optimizer that
    sees the whole loss. own_state = A(P_1 g_1, ..., P_n g_n), where P_i is that of an optimizer that sees loss i alone.
    NaN where the directions are not given.

    >>> gradients = jnp.asarray([[1.0, 1.0], [1.0, -0.5]])
    >>> scores = intra_step_scores(gradients, gradients * jnp.asarray([1.0, 0.0]))
    >>> float(scores.common_state), bool(jnp.isnan(scores.own_state))
    (1.0, True)
    """
    raw = alignment_score(gradients)
    undefined = jnp.full_like(raw, jnp.nan)
    common, own = (
        undefined if given is None else alignment_score(given) for given in (common_directions, own_directions)
    )
    return IntraStepScores(raw, common, own)


def per_layer_scores(vectors: Sequence[Tree] | Mapping[str, Tree], depth: int | None = None) -> dict[str, Array]:
    """The score of each part of the trees: by leaf, or by the first ``depth`` keys of its path.

    Returns scores by path, with keys joined by "/"; NaN for a layer in which one vector vanishes. Raises ``ValueError``
    for a depth below 1.

    >>> one, two = ({"a": jnp.asarray([1.0]), "b": jnp.asarray([b])} for b in (1.0, -3.0))
    >>> {path: float(score) for path, score in per_layer_scores([one, two]).items()}
    {'a': 1.0, 'b': -1.0}
    """
    if depth is not None and depth < 1:
        raise ValueError(f"depth is {depth}; allowed: None for single leaves, or integers from 1")
    members = _members(vectors)
    paths = [
        "/".join(jax.tree_util.keystr((key,), simple=True) for key in path[:depth])
        for path, _ in jax.tree_util.tree_flatten_with_path(members[0])[0]
    ]
    leaves = [jax.tree.leaves(member) for member in members]
    return {
        path: alignment_score([[leaf for leaf, p in zip(one, paths, strict=True) if p == path] for one in leaves])
        for path in dict.fromkeys(paths)
    }


def _require_count(n: int, least: int) -> None:
    if n < least:
        raise ValueError(f"n is {n}; allowed: numbers of vectors from {least}")


def _members(vectors: Sequence[Tree] | Mapping[str, Tree]) -> list[Tree]:
    members = [vectors[key] for key in sorted(vectors)] if isinstance(vectors, Mapping) else list(vectors)
    if not members:
        raise ValueError("there are no vectors to score; at least one is needed")
    structures = {jax.tree.structure(member) for member in members}
    if len(structures) > 1:
        raise ValueError(f"the vectors must be trees of one structure; given: {structures}")
    return members


def _leaves(vectors: Vectors) -> list[Array]:
    """One (n, size) array per leaf; a matrix is a single leaf."""
    if isinstance(vectors, Array | np.ndarray):
        if vectors.ndim != 2 or vectors.shape[0] < 1:
            raise ValueError(f"the matrix of vectors has shape {vectors.shape}; allowed: (n, d) with n >= 1")
        leaves = [jnp.asarray(vectors)]
    else:
        members = _members(vectors)
        columns = list(zip(*(jax.tree.leaves(member) for member in members), strict=True))
        if not columns:
            raise ValueError("the vectors are trees without arrays; at least one array is needed")
        shapes = [{jnp.shape(leaf) for leaf in column} for column in columns]
        if any(len(shape) != 1 for shape in shapes):
            raise ValueError(f"the vectors must agree in the shape of each leaf; given: {shapes}")
        leaves = [jnp.stack([jnp.ravel(jnp.asarray(leaf)) for leaf in column]) for column in columns]
    if wrong := {str(leaf.dtype) for leaf in leaves if not jnp.issubdtype(leaf.dtype, jnp.floating)}:
        raise TypeError(f"the vectors hold {', '.join(sorted(wrong))}; allowed: real floating-point numbers")
    return leaves


def _widen(array: Array) -> Array:
    return array.astype(jax.dtypes.canonicalize_dtype(jnp.float64))


def _scales(leaves: list[Array]) -> Array:
    """Largest magnitude in each vector, (n,). Scores do not depend on lengths, so no derivative passes."""
    largest = [jnp.max(jnp.abs(_widen(leaf)), axis=1, initial=0) for leaf in leaves]
    return jax.lax.stop_gradient(jnp.max(jnp.stack(largest), axis=0))


def _products(left: Array, right: Array) -> Array:
    """The inner product of each row of ``left`` with each row of ``right``."""
    if left.dtype == jnp.float64:
        return jnp.matmul(left, right.T, precision="highest")
    blocks = -(-left.shape[1] // _BLOCK)
    left, right = (
        jnp.pad(rows, ((0, 0), (0, blocks * _BLOCK - rows.shape[1]))).reshape(rows.shape[0], blocks, _BLOCK)
        for rows in (left, right)
    )
    return jnp.sum(jnp.einsum("ibk,jbk->bij", left, right, precision="highest"), axis=0)


def _leaf_gram(rows: Array) -> Array:
    return _products(rows, rows)


def _gram(leaves: list[Array], scales: Array) -> Array:
    """Gram matrix of v_i / scale_i; a zero vector stays zero."""
    divisors = jnp.where(scales > 0, scales, 1)[:, None]
    return jnp.sum(jnp.stack([_leaf_gram(_widen(leaf) / divisors) for leaf in leaves]), axis=0)


def _cosines(gram: Array) -> Array:
    squares = jnp.diagonal(gram)
    defined = jnp.isfinite(squares) & (squares > 0)
    inverse = jnp.where(defined, jax.lax.rsqrt(jnp.where(defined, squares, 1)), jnp.nan)
    cosines = jnp.clip(gram * inverse[:, None] * inverse[None, :], -1, 1)
    # A vector's cosine with itself is 1 by definition; rounding must not lower the score of equal vectors below 1
    return jnp.where(jnp.eye(gram.shape[0], dtype=bool) & defined[:, None], 1, cosines)


def _score_from_cosines(cosines: Array) -> Array:
    return jnp.clip(2 * jnp.mean(cosines) - 1, -1, 1)
