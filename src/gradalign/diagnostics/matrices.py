"""Hessian, Jacobian, Gauss-Newton matrix and kernel as exact matrices, and what is made of one matrix.

Parameters are trees; matrices order them as JAX flattens a tree (leaf by leaf, row by row). All functions except the
random matrices keep the dtype of their input and work under ``jit``. They are meant for checks in float64 with up to a
few thousand parameters; beyond that, use ``hessian_vector_product``. All quantities are dimensionless.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.flatten_util import ravel_pytree
from numpy.typing import NDArray

from gradalign.base.trees import Tree


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


def _require_square(matrix: Array) -> None:
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"the matrix has shape {matrix.shape}; allowed: (d, d)")


def _require_samples(gradients: Array) -> None:
    if gradients.ndim != 3 or gradients.shape[0] < 1:
        raise ValueError(f"the gradients have shape {gradients.shape}; allowed: (samples, m, n) with samples >= 1")
