"""Damped least squares, the linear algebra of Gauss-Newton methods: d = -(J^T J + mu I)^{-1} J^T r.

Only the smaller of J^T J (P x P) and J J^T (N x N) is formed. All quantities are dimensionless.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

BLOCKS = 4
"""Row bands of the Gram matrix. b bands cost (b + 1) / (2 b) of a full product, but each product is thinner."""

ATTEMPTS = 12
"""Most factorisations that are tried, each with ten times the damping of the one before."""


class DampedSystem(NamedTuple):
    """A Jacobian J (N, P) and the smaller of its two Gram matrices.

    jacobian: J. gram: J^T J where P <= N, else J J^T; only the lower triangle is used.
    """

    jacobian: Array
    gram: Array


class DampedSolution(NamedTuple):
    """The solution for one damping; NaN if no factorisation succeeded.

    solve: ``solve(b)`` is (J^T J + mu I)^{-1} b for b (P,).
    step: ``step(r)`` is -(J^T J + mu I)^{-1} J^T r for r (N,).
    damping: the mu in use, ().
    """

    solve: Callable[[Array], Array]
    step: Callable[[Array], Array]
    damping: Array


def damped_system(jacobian: Array) -> DampedSystem:
    """The system of a Jacobian (N, P). Its Gram matrix costs 5/4 N P min(N, P) operations, 5/8 of a full product.

    >>> damped_system(jnp.asarray([[3.0, 4.0]])).gram.tolist()  # J J^T, because there are fewer rows than columns
    [[25.0]]
    """
    rows, columns = jacobian.shape
    return DampedSystem(jacobian, _lower_gram(jacobian if rows < columns else jacobian.T))


def damped(system: DampedSystem, damping: Array) -> DampedSolution:
    """The solution for mu > 0: one Cholesky factorisation, min(N, P)^3 / 3 operations.

    If rounding leaves the damped matrix indefinite, mu grows tenfold, and at least to the rounding unit times the trace
    of the Gram matrix, until the factorisation succeeds. The result holds the mu in use. For N < P, ``solve`` computes
    (b - J^T (J J^T + mu I)^{-1} J b) / mu, which loses digits once mu falls below the rounding unit times ||J||^2;
    ``step`` needs no such difference.

    >>> found = damped(damped_system(jnp.asarray([[2.0, 0.0]])), jnp.asarray(4.0))
    >>> found.step(jnp.asarray([4.0])).round(12).tolist(), found.solve(jnp.asarray([8.0, 4.0])).round(12).tolist()
    ([-1.0, -0.0], [1.0, 1.0])
    """
    jacobian, gram = system
    size = gram.shape[0]
    floor = jnp.finfo(gram.dtype).eps * jnp.trace(gram)

    def factorise(mu: Array) -> Array:
        return jax.lax.linalg.cholesky(gram + mu * jnp.eye(size, dtype=gram.dtype), symmetrize_input=False)

    def failed(state: tuple[Array, Array, Array]) -> Array:
        attempt, _, factor = state
        return (attempt < ATTEMPTS) & ~jnp.isfinite(factor[-1, -1])  # a failed factorisation leaves NaN in the last row

    def again(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        attempt, mu, _ = state
        mu = jnp.maximum(10 * mu, floor)
        return attempt + 1, mu, factorise(mu)

    _, mu, factor = jax.lax.while_loop(failed, again, (jnp.ones((), jnp.int32), damping, factorise(damping)))

    def inverse(b: Array) -> Array:
        return jax.scipy.linalg.cho_solve((factor, True), b)

    # r J instead of J^T r: on a CPU XLA would materialise J^T, at several times the cost of the product
    if size == jacobian.shape[1]:
        return DampedSolution(inverse, lambda r: -inverse(r @ jacobian), mu)
    return DampedSolution(lambda b: (b - inverse(jacobian @ b) @ jacobian) / mu, lambda r: -(inverse(r) @ jacobian), mu)


def norm_factor(jacobian: Array, share: float) -> Array:
    """C, lower triangular (P, P), with C C^T = J^T J + share tr(J^T J)/P I, for J (N, P).

    ||C^T d||^2 = ||J d||^2 + share tr(J^T J)/P ||d||^2, so ||C^T d|| is a norm of d for any nonzero J. Costs P^3/3
    operations in addition to J^T J.

    >>> norm_factor(jnp.asarray([[3.0, 0.0], [0.0, 4.0]]), 1e-20).round(12).tolist()
    [[3.0, 0.0], [0.0, 4.0]]
    """
    gram = _lower_gram(jacobian.T)
    size = gram.shape[0]
    shift = share * jnp.trace(gram) / size
    return jax.lax.linalg.cholesky(gram + shift * jnp.eye(size, dtype=gram.dtype), symmetrize_input=False)


def _lower_gram(rows: Array) -> Array:
    """The lower triangle of R R^T for R (n, m), in ``BLOCKS`` bands of rows with zeros to the right of each band."""
    n = rows.shape[0]
    ends = [round(n * (index + 1) / BLOCKS) for index in range(BLOCKS)] if n >= 64 * BLOCKS else [n]
    bands = [
        jnp.pad(rows[start:end] @ rows[:end].T, ((0, 0), (0, n - end)))
        for start, end in zip([0, *ends[:-1]], ends, strict=True)
    ]
    return jnp.concatenate(bands)
