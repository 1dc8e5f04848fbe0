"""Kronecker structure of matrices of second moments: how well B ⊗ C or one direction stands for them.

All functions keep the dtype of their input and work under ``jit``. All quantities are dimensionless.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from gradalign.diagnostics.matrices import _product, _require_samples, _require_square


class KroneckerApproximation(NamedTuple):
    """The best approximation F ~ B ⊗ C in Frobenius norm.

    left: B, (m, m), with tr B >= 0. right: C, (n, n). relative_error: ||F - B ⊗ C||_F / ||F||_F, in [0, 1].
    """

    left: Array
    right: Array
    relative_error: Array


def shampoo_factors(gradients: Array) -> tuple[Array, Array]:
    """Shampoo's statistics L = E[G G^T], (m, m), and R = E[G^T G], (n, n), over samples (S, m, n) of a gradient.

    vec L = R(F) vec I and vec R = R(F)^T vec I: each is half a step of the power iteration for the best Kronecker
    approximation of F (T28a; arXiv 2406.17748). Raises ``ValueError`` for another number of dimensions.

    >>> left, right = shampoo_factors(jnp.asarray([[[3.0, 4.0]]]))
    >>> left.tolist(), right.tolist()
    ([[25.0]], [[9.0, 12.0], [12.0, 16.0]])
    """
    _require_samples(gradients)
    count = gradients.shape[0]
    return (
        jnp.einsum("sik,sjk->ij", gradients, gradients, precision="highest") / count,
        jnp.einsum("ski,skj->ij", gradients, gradients, precision="highest") / count,
    )


def rearrange(matrix: Array, m: int, n: int) -> Array:
    """The rearrangement R(F) of Van Loan and Pitsianis: R(F)_{(i i'), (j j')} = F_{(i j), (i' j')}, shape (m^2, n^2).

    Row-major vec. R(B ⊗ C) = vec B vec C^T, so Kronecker products become matrices of rank one, and
    ||R(F)||_F = ||F||_F. Raises ``ValueError`` unless F has shape (m n, m n).

    >>> rearrange(jnp.kron(jnp.asarray([[1.0, 2.0], [3.0, 4.0]]), jnp.asarray([[5.0]])), 2, 1).ravel().tolist()
    [5.0, 10.0, 15.0, 20.0]
    """
    if m < 1 or n < 1 or matrix.shape != (m * n, m * n):
        raise ValueError(f"the matrix has shape {matrix.shape}; allowed: (m n, m n) with m = {m} and n = {n}")
    return matrix.reshape(m, n, m, n).transpose(0, 2, 1, 3).reshape(m * m, n * n)


def off_diagonal_energy(moment: Array, basis: Array | None = None) -> Array:
    """||Q^T F Q - diag(Q^T F Q)||_F / ||F||_F, in [0, 1]: the part that no diagonal in the basis Q can represent (T29).

    ``moment`` is F, (d, d), symmetric; ``basis`` is Q, (d, d), orthogonal, by default the identity (Adam's basis);
    SOAP's is kron(Q_L, Q_R) for one layer. 0 exactly where Q diagonalises F; NaN for F = 0. Raises ``ValueError`` for
    other shapes.

    >>> round(float(off_diagonal_energy(jnp.ones((2, 2)))), 6), float(off_diagonal_energy(jnp.eye(2)))
    (0.707107, 0.0)
    """
    _require_square(moment)
    if basis is not None and basis.shape != moment.shape:
        raise ValueError(f"the basis has shape {basis.shape}; allowed: {moment.shape}, as the moment")
    rotated = moment if basis is None else _product(_product(basis.T, moment), basis)
    return jnp.linalg.norm(rotated - jnp.diag(jnp.diagonal(rotated))) / jnp.linalg.norm(moment)


def rank_one_fraction(gradients: Array) -> Array:
    """||E g||^2 / E ||g||^2 over the rows of ``gradients`` (S, P), in [0, 1]: the share of the mean in tr F (T26).

    1 means that all gradients in the window are equal, as with full batches: their second moment holds one direction
    and no curvature. 0 means that the mean vanishes. NaN where all are zero. Raises ``ValueError`` for another number
    of dimensions.

    >>> float(rank_one_fraction(jnp.asarray([[1.0, 0.0], [0.0, 1.0]])))
    0.5
    """
    if gradients.ndim != 2 or gradients.shape[0] < 1:
        raise ValueError(f"the gradients have shape {gradients.shape}; allowed: (S, P) with S >= 1")
    return jnp.sum(jnp.mean(gradients, axis=0) ** 2) / jnp.mean(jnp.sum(gradients**2, axis=1))


def best_kronecker(matrix: Array, m: int, n: int) -> KroneckerApproximation:
    """The B ⊗ C nearest to F in Frobenius norm, from the top singular triple sigma_1, u_1, w_1 of R(F).

    B = sqrt(sigma_1) mat u_1 (m, m), C = sqrt(sigma_1) mat w_1 (n, n), relative error
    sqrt(1 - sigma_1^2 / sum_k sigma_k^2), which is 0 exactly for Kronecker products (T27). B and C are symmetric
    positive semi-definite if F is and sigma_1 is simple. Raises like ``rearrange``.

    >>> found = best_kronecker(jnp.kron(jnp.diag(jnp.asarray([1.0, 2.0])), jnp.diag(jnp.asarray([3.0, 4.0]))), 2, 2)
    >>> [round(float(x), 4) for x in jnp.diagonal(jnp.kron(found.left, found.right))]
    [3.0, 4.0, 6.0, 8.0]
    """
    u, singular, wt = jnp.linalg.svd(rearrange(matrix, m, n), full_matrices=False)
    factor = jnp.sqrt(singular[0])
    left, right = factor * u[:, 0].reshape(m, m), factor * wt[0].reshape(n, n)
    # B ⊗ C = (-B) ⊗ (-C): take the sign that makes B positive semi-definite where possible
    sign = jnp.where(jnp.trace(left) < 0, -1, 1).astype(left.dtype)
    rest = jnp.sqrt(jnp.sum(singular[1:] ** 2) / jnp.sum(singular**2))
    return KroneckerApproximation(sign * left, sign * right, rest)
