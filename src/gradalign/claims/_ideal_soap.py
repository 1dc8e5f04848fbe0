"""SOAP without momentum, averaging lag, stale bases or epsilon: what its preconditioner is for given statistics.

A layer's gradient is a matrix G (m, n); F = E[vec G vec G^T] (m n, m n) is the second moment of the gradients that
the optimizer sees, with row-major vec. All quantities are dimensionless.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from gradalign.diagnostics.kronecker import rearrange

CUTOFF = 1e-13  # of the largest entry of V, some rounding units


class IdealSoap(NamedTuple):
    """SOAP's preconditioner for a second moment F: eigenbases of L and R, and V = diag(Q^T F Q).

    left: Q_L, (m, m). right: Q_R, (n, n). squares: V, (m, n), the second moment of each entry of Q_L^T G Q_R.

    >>> soap = ideal_soap(jnp.diag(jnp.asarray([1.0, 4.0, 9.0, 64.0])), 2, 2)
    >>> [round(float(x), 6) for x in soap.direction(jnp.ones((2, 2))).ravel()]  # 1 / sqrt V
    [1.0, 0.5, 0.333333, 0.125]
    >>> [round(float(x), 6) for x in jnp.diagonal(soap.matrix())]
    [1.0, 0.5, 0.333333, 0.125]
    """

    left: Array
    right: Array
    squares: Array

    def basis(self) -> Array:
        """Q = Q_L kron Q_R, (m n, m n)."""
        return jnp.kron(self.left, self.right)

    def direction(self, gradient: Array) -> Array:
        """Q_L [(Q_L^T G Q_R) / sqrt V] Q_R^T, (m, n); nothing along entries with V = 0."""
        return self.left @ ((self.left.T @ gradient @ self.right) / self._roots()) @ self.right.T

    def matrix(self) -> Array:
        """P = Q diag(V)^(-1/2) Q^T, (m n, m n); zero along entries with V = 0."""
        Q = self.basis()
        return (Q / self._roots().ravel()) @ Q.T

    def _roots(self) -> Array:
        """sqrt V; infinite where V is zero up to the rounding of its largest entry."""
        seen = self.squares > CUTOFF * jnp.max(self.squares)
        return jnp.where(seen, jnp.sqrt(jnp.where(seen, self.squares, 1)), jnp.inf)


def factors_of(moment: Array, m: int, n: int) -> tuple[Array, Array]:
    """L (m, m) and R (n, n) from F (m n, m n): vec L = R(F) vec I_n and vec R = R(F)^T vec I_m (T28a).

    Raises ``ValueError`` (that of ``rearrange``) where the shapes do not fit.

    >>> left, right = factors_of(jnp.eye(6), 2, 3)
    >>> left.tolist(), right.tolist()
    ([[3.0, 0.0], [0.0, 3.0]], [[2.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 2.0]])
    """
    rearranged = rearrange(moment, m, n)
    left, right = rearranged @ jnp.eye(n).ravel(), rearranged.T @ jnp.eye(m).ravel()
    return left.reshape(m, m), right.reshape(n, n)


def ideal_soap(moment: Array, m: int, n: int) -> IdealSoap:
    """SOAP's eigenbases and diagonal for the second moment F (m n, m n), row-major vec. Raises as ``factors_of``.

    >>> ideal_soap(jnp.diag(jnp.asarray([1.0, 4.0, 9.0, 64.0])), 2, 2).squares.tolist()
    [[1.0, 4.0], [9.0, 64.0]]
    """
    left, right = (jnp.linalg.eigh(factor)[1] for factor in factors_of(moment, m, n))
    Q = jnp.kron(left, right)
    return IdealSoap(left, right, jnp.sum(Q * (moment @ Q), axis=0).reshape(m, n))
