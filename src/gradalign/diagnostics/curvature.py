"""Curvature of losses and residuals as exact matrices: Hessian, Gauss-Newton, kernel, angles, Kronecker structure.

Parameters are trees; matrices order them as JAX flattens a tree (leaf by leaf, row by row). All functions except the
random matrices keep the dtype of their input and work under ``jit``. They are meant for checks in float64 with up to a
few thousand parameters; beyond that, use ``hessian_vector_product``. All quantities are dimensionless.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.flatten_util import ravel_pytree
from numpy.typing import NDArray

from gradalign.base.trees import Tree


class KroneckerApproximation(NamedTuple):
    """The best approximation F ~ B ⊗ C in Frobenius norm.

    left: B, (m, m), with tr B >= 0. right: C, (n, n). relative_error: ||F - B ⊗ C||_F / ||F||_F, in [0, 1].
    """

    left: Array
    right: Array
    relative_error: Array


def hessian_vector_product(function: Callable[[Tree], Array], params: Tree, vector: Tree) -> Tree:
    """H v with H = d^2 f / d theta^2 at ``params``, by forward-over-reverse differentiation; H is not formed.

    ``function`` maps the tree to a scalar; ``vector`` and the result are trees like ``params``. Raises
    ``ValueError`` if the structures differ, ``TypeError`` (JAX's) if ``function`` is not scalar.

    >>> def loss(tree):
    ...     return 0.5 * jnp.sum(jnp.asarray([1.0, 3.0]) * tree["w"] ** 2)
    >>> hessian_vector_product(loss, {"w": jnp.ones(2)}, {"w": jnp.asarray([1.0, 2.0])})["w"].tolist()
    [1.0, 6.0]
    """
    allowed, given = str(jax.tree.structure(params)), str(jax.tree.structure(vector))
    if given != allowed:
        raise ValueError(f"the vector must be a tree like the parameters, {allowed}; given: {given}")
    return jax.jvp(jax.grad(function), (params,), (vector,))[1]


def hessian_matrix(function: Callable[[Tree], Array], params: Tree) -> Array:
    """H_pq = d^2 f / d theta_p d theta_q, shape (P, P).

    Raises ``ValueError`` for a tree without numbers, ``TypeError`` for leaves that are not all of one real
    floating-point type.

    >>> hessian_matrix(lambda tree: tree["a"] * tree["b"], {"a": jnp.asarray(2.0), "b": jnp.asarray(5.0)}).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    flat, unravel = _flatten(params)
    return jax.hessian(lambda values: function(unravel(values)))(flat)


def residual_vector(residuals: Callable[[Tree], Tree], params: Tree) -> Array:
    """r, shape (N,): the residual arrays of ``residuals(params)`` stacked, those of a mapping by sorted key.

    >>> residual_vector(lambda x: {"pde": 2 * x, "bc": x[:1]}, jnp.asarray([1.0, 3.0])).tolist()
    [1.0, 2.0, 6.0]
    """
    return _stack(residuals(params))


def jacobian_matrix(residuals: Callable[[Tree], Tree], params: Tree) -> Array:
    """J_kp = d r_k / d theta_p, shape (N, P), of the stacked residuals of ``residual_vector``.

    One reverse pass per residual if N <= P, else one forward pass per parameter. Raises like ``hessian_matrix``.

    >>> jacobian_matrix(lambda x: {"pde": 2 * x, "bc": x[:1]}, jnp.asarray([1.0, 3.0])).tolist()
    [[1.0, 0.0], [2.0, 0.0], [0.0, 2.0]]
    """
    flat, unravel = _flatten(params)

    def stacked(values: Array) -> Array:
        return _stack(residuals(unravel(values)))

    rows = jax.eval_shape(stacked, flat).size
    return (jax.jacrev if rows <= flat.size else jax.jacfwd)(stacked)(flat)


def jacobian_blocks(residuals: Callable[[Tree], dict[str, Array]], params: Tree) -> dict[str, Array]:
    """J_i, shape (N_i, P), of each named residual vector: the row blocks of ``jacobian_matrix``.

    >>> blocks = jacobian_blocks(lambda x: {"pde": 2 * x, "bc": x[:1]}, jnp.asarray([1.0, 3.0]))
    >>> {name: block.tolist() for name, block in blocks.items()}
    {'bc': [[1.0, 0.0]], 'pde': [[2.0, 0.0], [0.0, 2.0]]}
    """
    jacobian = jacobian_matrix(residuals, params)
    shapes = jax.eval_shape(residuals, params)
    names = sorted(shapes)
    ends = [sum(shapes[name].size for name in names[: k + 1]) for k in range(len(names))]
    return dict(zip(names, jnp.split(jacobian, ends[:-1]), strict=True))


def gauss_newton_matrix(jacobian: Array) -> Array:
    """J^T J, shape (P, P): the Hessian of ||r||^2 / 2 without the second derivatives of r (T26d).

    >>> gauss_newton_matrix(jnp.asarray([[1.0, 2.0]])).tolist()
    [[1.0, 2.0], [2.0, 4.0]]
    """
    return _product(jacobian.T, jacobian)


def kernel_matrix(jacobian: Array) -> Array:
    """K = J J^T, shape (N, N), whose powers govern the per-loss directions of Gauss-Newton methods (T20).

    >>> kernel_matrix(jnp.asarray([[1.0, 2.0]])).tolist()
    [[5.0]]
    """
    return _product(jacobian, jacobian.T)


def symmetric_power(matrix: Array, power: float, relative_cutoff: float | None = None) -> Array:
    """S^q of a symmetric positive semi-definite S, shape (d, d); a pseudo-power, zero on the kernel of S.

    S = sum_k lambda_k z_k z_k^T gives S^q = sum over lambda_k > c max_k lambda_k of lambda_k^q z_k z_k^T for any
    real q; S^0 is the projector on the range, S^-1 the pseudo-inverse. c is ``relative_cutoff``, by default d times
    the rounding unit. NaN throughout if an eigenvalue is below -c max_k |lambda_k|. Only the symmetric part of
    ``matrix`` is used. Raises ``ValueError`` if the matrix is not square.

    >>> symmetric_power(jnp.diag(jnp.asarray([4.0, 0.0])), -0.5).tolist()
    [[0.5, 0.0], [0.0, 0.0]]
    """
    _require_square(matrix)
    values, vectors = jnp.linalg.eigh(matrix)
    if relative_cutoff is None:
        relative_cutoff = matrix.shape[0] * float(jnp.finfo(matrix.dtype).eps)
    cutoff = relative_cutoff * jnp.max(jnp.abs(values))
    positive = values > cutoff
    powers = jnp.where(positive, jnp.where(positive, values, 1) ** power, 0)
    powers = jnp.where(jnp.any(values < -cutoff), jnp.nan, powers)
    return _product(vectors * powers, vectors.T)


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


def condition_number(matrix: Array) -> Array:
    """kappa = sigma_max / sigma_min of a matrix (m, n), in [1, inf]; inf if sigma_min is zero, NaN for a zero matrix.

    >>> float(condition_number(jnp.diag(jnp.asarray([2.0, -8.0]))))
    4.0
    """
    singular = jnp.linalg.svd(matrix, compute_uv=False)
    return singular[0] / singular[-1]


def second_moment(gradients: Array) -> Array:
    """F = E[vec G vec G^T], shape (m n, m n), row-major vec, mean over the S samples of ``gradients`` (S, m, n).

    Raises ``ValueError`` for another number of dimensions.

    >>> second_moment(jnp.asarray([[[1.0, 2.0]]])).tolist()
    [[1.0, 2.0], [2.0, 4.0]]
    """
    _require_samples(gradients)
    rows = gradients.reshape(gradients.shape[0], -1)
    return _product(rows.T, rows) / gradients.shape[0]


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


def random_orthogonal(generator: np.random.Generator, size: int) -> NDArray[np.float64]:
    """An orthogonal matrix, shape (size, size), uniformly distributed (Haar): QR of a Gaussian matrix, signs fixed.

    >>> Q = random_orthogonal(np.random.default_rng(0), 3)
    >>> bool(np.allclose(Q @ Q.T, np.eye(3)))
    True
    """
    Q, R = np.linalg.qr(generator.standard_normal((size, size)))
    return np.asarray(Q * np.sign(np.diagonal(R)))


def random_positive_definite(generator: np.random.Generator, size: int, condition: float) -> NDArray[np.float64]:
    """A symmetric positive definite matrix, shape (size, size), of exactly the given condition number.

    Random eigenvectors; eigenvalues log-uniform in [1/condition, 1], both ends included (only 1 for size 1). Raises
    ``ValueError`` for a condition below 1.

    >>> round(float(np.linalg.cond(random_positive_definite(np.random.default_rng(0), 4, 50.0))), 6)
    50.0
    """
    if not condition >= 1:
        raise ValueError(f"condition is {condition}; allowed: numbers from 1")
    exponents = np.concatenate([[0.0, 1.0], generator.uniform(0, 1, max(size - 2, 0))])[:size]
    Q = random_orthogonal(generator, size)
    matrix = (Q * condition**-exponents) @ Q.T
    return np.asarray((matrix + matrix.T) / 2)


def _product(left: Array, right: Array) -> Array:
    return jnp.matmul(left, right, precision="highest")


def _flatten(params: Tree) -> tuple[Array, Callable[[Array], Tree]]:
    dtypes = {str(jnp.result_type(leaf)) for leaf in jax.tree.leaves(params)}
    if len(dtypes) > 1 or any(not jnp.issubdtype(dtype, jnp.floating) for dtype in dtypes):
        raise TypeError(f"the parameters hold {', '.join(sorted(dtypes))}; allowed: one real floating-point type")
    flat, unravel = ravel_pytree(params)
    if flat.size == 0:
        raise ValueError("the parameters hold no numbers; at least one is needed")
    return flat, unravel


def _stack(arrays: Tree) -> Array:
    leaves = jax.tree.leaves(arrays)
    if not leaves:
        raise ValueError("the residuals hold no arrays; at least one is needed")
    return jnp.concatenate([jnp.ravel(leaf) for leaf in leaves])


def _row_basis(matrix: Array) -> Array:
    """Orthonormal columns that span the rows; dependent rows give zero columns, which keeps the shape fixed."""
    _, singular, vt = jnp.linalg.svd(matrix, full_matrices=False)
    cutoff = max(matrix.shape) * float(jnp.finfo(matrix.dtype).eps) * singular[0]
    return jnp.where(singular > cutoff, vt.T, 0)


def _require_square(matrix: Array) -> None:
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"the matrix has shape {matrix.shape}; allowed: (d, d)")


def _require_samples(gradients: Array) -> None:
    if gradients.ndim != 3 or gradients.shape[0] < 1:
        raise ValueError(f"the gradients have shape {gradients.shape}; allowed: (samples, m, n) with samples >= 1")
