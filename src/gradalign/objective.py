"""What a method minimises: the weighted least-squares objective of one problem and one network."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import jax
import jax.numpy as jnp
from jax import Array

from gradalign.problem import Points
from gradalign.trees import Tree

Residuals = Callable[[Tree, Points], dict[str, Array]]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Objective:
    """L(θ) = Σ_k λ_k L_k(θ),  L_k = (1/N_k) Σ_i c_ki r_ki(θ)².

    r_k (N_k,) are the residuals of loss term k, λ_k its weight, c_ki the causal row weights (1 without
    them; treated as constants by differentiation). The weighted rows sqrt(λ_k c_ki / N_k) r_ki have L as
    the sum of their squares, which is the form that Gauss-Newton methods use. Dimensionless; the dtype is
    that of the parameters.

    ``loss_weights`` is data, so that a change of weights does not recompile; the functions are static.

    >>> line = Objective({"fit": jnp.asarray(4.0)}, lambda slope, points: {"fit": slope * points["fit"] - 1.0})
    >>> round(float(line.loss(jnp.asarray(2.0), {"fit": jnp.asarray([1.0, 0.0])})), 6)  # 4 ((2-1)² + (0-1)²) / 2
    4.0
    """

    loss_weights: dict[str, Array]
    residuals: Residuals = field(metadata={"static": True})
    row_weights: Callable[[dict[str, Array]], dict[str, Array]] | None = field(default=None, metadata={"static": True})

    def rows(self, params: Tree, points: Points) -> dict[str, Array]:
        """Weighted residual rows by loss term: L is the sum of their squares."""
        residuals = {name: r for name, r in self.residuals(params, points).items() if name in self.loss_weights}
        causal = {} if self.row_weights is None else jax.lax.stop_gradient(self.row_weights(residuals))
        return {
            name: r * jnp.sqrt(self.loss_weights[name].astype(r.dtype) * causal.get(name, 1) / r.size)
            for name, r in residuals.items()
        }

    def losses(self, params: Tree, points: Points) -> dict[str, Array]:
        """Mean squares of the residuals by loss term, without any weights."""
        return {name: jnp.mean(r**2) for name, r in self.residuals(params, points).items()}

    def loss(self, params: Tree, points: Points) -> Array:
        """L, a scalar."""
        return jnp.sum(jnp.stack([jnp.sum(r**2) for r in self.rows(params, points).values()]))

    def loss_gradients(self, params: Tree, points: Points) -> dict[str, Tree]:
        """∇(λ_k L_k) by loss term; they sum to ∇L."""

        def gradient(name: str) -> Tree:
            return jax.grad(lambda p: jnp.sum(self.rows(p, points)[name] ** 2))(params)

        return {name: gradient(name) for name in self.loss_weights}

    def only(self, name: str) -> "Objective":
        """The same objective with one loss term, as the own-state scores need it."""
        return replace(self, loss_weights={name: self.loss_weights[name]})
