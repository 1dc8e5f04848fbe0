"""Angles between the row spaces of two losses, and what they say of gradients, weights and directions.

All functions keep the dtype of their input and work under ``jit``. All quantities are dimensionless.
"""

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from jax import Array

from gradalign.diagnostics.matrices import _product, kernel_matrix


def principal_angles(first: Array, second: Array) -> Array:
    """Principal angles between the row spaces of two matrices (m_1, d) and (m_2, d), ascending, in [0, pi/2] radians.

    Shape (min(m_1, m_2, d),). With orthonormal bases Q_1, Q_2 of the row spaces and Q_1^T Q_2 = Y C Z^T, the k-th pair
    of principal vectors is u = Q_1 y_k, w = Q_2 z_k. Its angle is 2 atan2(||u - w||, ||u + w||), which is accurate for
    small angles, unlike the arc cosine of C_k. Linearly dependent rows (singular values up to max(m, d) rounding units
    of the largest) add angles pi/2 at the end. The cosine of the first angle is the c of T13. Raises ``ValueError`` if
    the shapes do not fit.

    >>> angles = principal_angles(jnp.asarray([[1.0, 0.0, 0.0]]), jnp.asarray([[0.0, 1.0, 0.0], [1.0, 0.0, 1.0]]))
    >>> round(float(angles[0]), 6)  # pi / 4
    0.785398
    """
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise ValueError(f"the matrices have shapes {first.shape} and {second.shape}; allowed: (m_1, d) and (m_2, d)")
    one, two = _row_basis(first), _row_basis(second)
    y, cosines, zt = jnp.linalg.svd(_product(one.T, two), full_matrices=False)
    u, w = _product(one, y), _product(two, zt.T)
    angles = 2 * jnp.arctan2(jnp.linalg.norm(u - w, axis=0), jnp.linalg.norm(u + w, axis=0))
    # u and w of a vanishing cosine may be the zero columns of both bases
    vanishing = cosines <= first.shape[1] * float(jnp.finfo(cosines.dtype).eps)
    return jnp.sort(jnp.where(vanishing, jnp.pi / 2, angles))


def irreducible_conflict(first: Array, second: Array) -> Array:
    """c = ||K_11^(-1/2) K_12 K_22^(-1/2)||_2, the cosine of the smallest angle between two row spaces, in [0, 1] (T13).

    ``first`` (m_1, d) and ``second`` (m_2, d) are the Jacobians of two losses' residuals, K_ij = J_i J_j^T. At every
    point |cos(g_1, g_2)| <= c. c = 1 where the row spaces share a direction. Raises like ``principal_angles``.

    >>> round(float(irreducible_conflict(jnp.asarray([[1.0, 0.0]]), jnp.asarray([[3.0, 4.0]]))), 12)
    0.6
    """
    return jnp.cos(principal_angles(first, second)[0])


def conflict_factor(conflict: Array | float) -> Array:
    """q = (1 + c) / (1 - c) for c in [0, 1]: the conditioning that no loss weighting removes, in [1, inf] (T13a).

    kappa(D K D^T) >= q for every invertible block-diagonal D, hence for all loss weights and all preconditioners of the
    residuals of each loss. For two losses, D_i = K_ii^(-1/2) attains the bound.

    >>> float(conflict_factor(0.6)), float(conflict_factor(1.0))
    (4.0, inf)
    """
    conflict = jnp.asarray(conflict)
    return (1 + conflict) / (1 - conflict)


def gauss_newton_gram(
    jacobians: Mapping[str, Array], residuals: Mapping[str, Array], power: Array | float, damping: Array | float = 0.0
) -> Array:
    """Gram matrix of the per-loss directions v_i = (J^T J + mu I)^(-p) J_i^T r_i, shape (n, n), by the kernel (T20).

    <v_i, v_j> = r_i^T [K (K + mu I)^(-2p)]_ij r_j with K = J J^T, where J stacks the blocks J_i (N_i, P). The ``power``
    p = 0 gives raw gradients, 1/2 whitened ones, 1 Gauss-Newton directions; mu is the ``damping``. No P x P matrix is
    formed. With mu = 0 powers are pseudo-powers, with a cutoff of N rounding units of the largest eigenvalue; an
    ordinary PINN is numerically rank-deficient and needs mu > 0. Losses are ordered by name;
    ``alignment.score_from_gram`` gives their score. Raises ``ValueError`` if names or numbers of rows differ.

    >>> jacobians = {"bc": jnp.asarray([[1.0, 0.0]]), "pde": jnp.asarray([[1.0, 1.0]])}
    >>> residuals = {"bc": jnp.asarray([2.0]), "pde": jnp.asarray([3.0])}
    >>> bool(jnp.allclose(gauss_newton_gram(jacobians, residuals, 0.5), jnp.diag(jnp.asarray([4.0, 9.0]))))  # T20a
    True
    """
    shapes = {name: jnp.shape(block)[:1] for name, block in jacobians.items()}
    given = {name: jnp.shape(values) for name, values in residuals.items()}
    if shapes != given:
        raise ValueError(
            f"the Jacobians have rows {shapes}, the residuals {given}; allowed: the same names and numbers"
        )
    names = sorted(jacobians)
    kernel = kernel_matrix(jnp.concatenate([jacobians[name] for name in names]))
    values, vectors = jnp.linalg.eigh(kernel)
    cutoff = kernel.shape[0] * float(jnp.finfo(kernel.dtype).eps) * values[-1]
    seen = values > cutoff
    kept = jnp.where(seen, values, 1)
    root = jnp.where(seen, jnp.sqrt(kept) * (kept + damping) ** -power, 0)
    # Column i: the coordinates of v_i in the right singular vectors of J
    blocks = jnp.split(vectors, np.cumsum([jacobians[name].shape[0] for name in names])[:-1])
    sides = jnp.stack([block.T @ residuals[name] for name, block in zip(names, blocks, strict=True)], axis=1)
    coordinates = root[:, None] * sides
    return _product(coordinates.T, coordinates)


def _row_basis(matrix: Array) -> Array:
    """Orthonormal columns that span the rows; dependent rows give zero columns, which keeps the shape fixed."""
    _, singular, vt = jnp.linalg.svd(matrix, full_matrices=False)
    cutoff = max(matrix.shape) * float(jnp.finfo(matrix.dtype).eps) * singular[0]
    return jnp.where(singular > cutoff, vt.T, 0)
