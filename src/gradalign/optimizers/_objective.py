"""The objective that a method minimises: weighted least squares of one problem and one network."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array
from jax.flatten_util import ravel_pytree

from gradalign.base.errors import ConfigurationError
from gradalign.base.trees import Tree
from gradalign.base.types import Points

Residuals = Callable[[Tree, Points], dict[str, Array]]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Objective:
    """L(θ) = Σ_k λ_k L_k(θ),  L_k = (1/N_k) Σ_i c_ki r_ki(θ)².

    r_k (N_k,) are the residuals of loss term k, λ_k is its weight, and c_ki are the causal row weights: constant under
    differentiation, and 1 without causal weighting. L is the sum of squares of the weighted rows
    sqrt(λ_k c_ki / N_k) r_ki, the form that Gauss-Newton methods use. Dimensionless; the dtype is that of the
    parameters.

    ``loss_weights`` is data, so a change of weights does not recompile; the functions are static. ``point_sets`` pairs
    a loss term with its point set if the names differ. For the loss terms that drive a field (``Problem.driven``),
    ``fields`` gives that field u_k in the shape of the residuals.

    >>> line = Objective({"fit": jnp.asarray(4.0)}, lambda slope, points: {"fit": slope * points["fit"] - 1.0})
    >>> round(float(line.loss(jnp.asarray(2.0), {"fit": jnp.asarray([1.0, 0.0])})), 6)  # 4 ((2-1)² + (0-1)²) / 2
    4.0
    """

    loss_weights: dict[str, Array]
    residuals: Residuals = field(metadata={"static": True})
    row_weights: Callable[[dict[str, Array]], dict[str, Array]] | None = field(default=None, metadata={"static": True})
    point_sets: tuple[tuple[str, str], ...] = field(default=(), metadata={"static": True})
    fields: Residuals | None = field(default=None, metadata={"static": True})

    def rows(self, params: Tree, points: Points) -> dict[str, Array]:
        """Weighted residual rows by loss term; L is the sum of their squares."""
        residuals = {name: r for name, r in self.residuals(params, points).items() if name in self.loss_weights}
        return {name: factor * residuals[name] for name, factor in self._factors(residuals).items()}

    def linearisation(self, params: Tree, points: Points) -> tuple[Array, Array]:
        """All weighted rows r (N,) in the order of the loss terms, and their Jacobian J (N, P).

        P counts the parameters in the order of ``jax.flatten_util.ravel_pytree``. Each row of J is the gradient of one
        point's residual, so residual i of a loss term must depend on point i alone, as collocation residuals do. The
        factors of the rows are constants. The gradient of L is 2 J^T r.
        """
        flat, unravel = ravel_pytree(params)
        sets = dict(self.point_sets)

        def residual(theta: Array, point: Array, name: str) -> Array:
            single = {other: values[:1] for other, values in points.items()} | {sets.get(name, name): point[None]}
            return self.residuals(unravel(theta), single)[name][0]

        residuals, rows = {}, {}
        for name in self.loss_weights:
            pointwise = jax.vmap(jax.value_and_grad(partial(residual, name=name)), in_axes=(None, 0))
            residuals[name], rows[name] = pointwise(flat, points[sets.get(name, name)])
        factors = self._factors(residuals)
        return (
            jnp.concatenate([factors[name] * residuals[name] for name in rows]),
            jnp.concatenate(
                [jnp.broadcast_to(factors[name], row.shape[:1])[:, None] * row for name, row in rows.items()]
            ),
        )

    def _factors(self, residuals: dict[str, Array]) -> dict[str, Array]:
        causal = {} if self.row_weights is None else jax.lax.stop_gradient(self.row_weights(residuals))
        return {
            name: jnp.sqrt(self.loss_weights[name].astype(r.dtype) * causal.get(name, 1) / r.size)
            for name, r in residuals.items()
        }

    def losses(self, params: Tree, points: Points) -> dict[str, Array]:
        """Unweighted mean squares of the residuals by loss term."""
        return {name: jnp.mean(r**2) for name, r in self.residuals(params, points).items()}

    def weighted_losses(self, params: Tree, points: Points) -> dict[str, Array]:
        """λ_k L_k by loss term; they sum to L."""
        return {name: jnp.sum(r**2) for name, r in self.rows(params, points).items()}

    def loss(self, params: Tree, points: Points) -> Array:
        """L, a scalar."""
        return jnp.sum(jnp.stack(list(self.weighted_losses(params, points).values())))

    def gradient(self, params: Tree, points: Points) -> Tree:
        """∇L."""
        return jax.grad(self.loss)(params, points)

    def loss_gradients(self, params: Tree, points: Points) -> dict[str, Tree]:
        """∇(λ_k L_k) by loss term; they sum to ∇L."""

        def weighted(params: Tree, names: list[str]) -> Array:
            rows = self.rows(params, points)
            return jnp.stack([jnp.sum(rows[name] ** 2) for name in names])

        sets = dict(self.point_sets)
        groups: dict[str, list[str]] = {}
        for name in self.loss_weights:
            groups.setdefault(sets.get(name, name), []).append(name)
        # Terms at the same points share a forward pass and a compiled program
        found: dict[str, Tree] = {}
        for names in groups.values():
            stacked = jax.jacrev(weighted)(params, names)
            found |= {name: jax.tree.map(lambda leaf, i=i: leaf[i], stacked) for i, name in enumerate(names)}
        return {name: found[name] for name in self.loss_weights}

    def held(self, params: Tree, points: Points) -> "Objective":
        """The same objective with the causal row weights frozen at their values at ``params``.

        Value and gradient then belong to one function, as a line search requires. Otherwise the weights follow the
        parameters in the value, but are constants in the gradient.

        >>> cube = Objective({"fit": jnp.ones(())}, lambda x, _: {"fit": x}, lambda rows: {"fit": jnp.abs(rows["fit"])})
        >>> [float(one.loss(jnp.asarray([2.0]), {}).round(6)) for one in (cube, cube.held(jnp.asarray([3.0]), {}))]
        [8.0, 12.0]
        """
        if self.row_weights is None:
            return self
        residuals = {name: r for name, r in self.residuals(params, points).items() if name in self.loss_weights}
        weights = self.row_weights(residuals)
        return replace(self, row_weights=lambda _: weights)

    def of_fields(self, params: Tree, points: Points) -> "Objective":
        """The objective whose residuals are the fields u_k, each with weight 1: L is the sum of their mean squares.

        Raises ``ConfigurationError`` if no fields are known.
        """
        fields = self._known_fields()
        weights = {name: jnp.ones((), values.dtype) for name, values in fields(params, points).items()}
        return Objective(weights, fields, point_sets=self.point_sets)

    def in_pseudo_time(self, params: Tree, rate: Array) -> "Objective":
        """The objective of one implicit step of du/dτ = -r from ``params``: r_k + (u_k(θ) - u_k(params)) / Δτ for r_k.

        ``rate`` is 1/Δτ, (). Loss terms that drive no field are unchanged, and so are all residuals at ``params``.
        Raises ``ConfigurationError`` if no fields are known.

        >>> decay = Objective({"f": jnp.ones(())}, lambda u, _: {"f": 3.0 * u}, fields=lambda u, _: {"f": u})
        >>> step = decay.in_pseudo_time(jnp.asarray([1.0]), jnp.asarray(2.0))  # 3 u + 2 (u - 1)
        >>> round(float(step.loss(jnp.asarray([0.4]), {})), 12)
        0.0
        """
        fields = self._known_fields()

        def residuals(theta: Tree, points: Points) -> dict[str, Array]:
            found, now, before = self.residuals(theta, points), fields(theta, points), fields(params, points)
            return found | {name: found[name] + rate * (now[name] - before[name]) for name in now}

        return replace(self, residuals=residuals)

    def _known_fields(self) -> Residuals:
        if self.fields is None:
            raise ConfigurationError(
                "pseudo-time steps and a norm of fields need to know the field that each equation drives, which this "
                "problem does not say; allowed: problems whose module sets 'driven', as lid_driven_cavity does; leave "
                "these settings of the method out"
            )
        return self.fields

    def only(self, name: str) -> "Objective":
        """The same objective with one loss term, for the own-state scores."""
        return replace(self, loss_weights={name: self.loss_weights[name]})
