"""Shampoo: inverse roots of a second moment per axis (arXiv 1802.09568). Cost per step: one gradient, two products per
matrix, an eigendecomposition of each factor every ``precondition_frequency`` steps. Memory: 2 P + 2 (m^2 + n^2) per
(m, n) matrix. Precision: float64; float32 with ``eps`` of at least 1e-6. Use it when gradients are strongly correlated
within layers, and for comparison with SOAP, which adds Adam's second moment in the same eigenbasis."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from gradalign.base.options import option
from gradalign.base.trees import Tree
from gradalign.optimizers._kronecker import Sides, multiplied, sides, updated_factors
from gradalign.optimizers._method import Method, State, first_order
from gradalign.optimizers._schedules import ScheduleSettings, learning_rate


@dataclass(frozen=True, kw_only=True)
class Settings(ScheduleSettings):
    """Settings of Shampoo."""

    b1: float = option(0.9, ge=0, lt=1, description="decay of the first moment")
    b2: float = option(0.95, ge=0, le=1, description="decay of the factors; 1: their sum, as in the source")
    exponent: float | None = option(
        None, le=1, description="p of L^-p; by default 1 / (2 k) for k preconditioned axes, 1 / 4 for a matrix", gt=0
    )
    eps: float = option(1e-6, description="added to eigenvalues, in units of the largest of a factor", gt=0)
    precondition_frequency: int = option(10, description="calls between two refreshes of the roots", gt=0)
    max_precondition_dimension: int = option(10_000, description="longest axis that gets a factor", gt=0)
    precondition_1d: bool = option(False, description="give vectors a factor too")
    grafting: bool = option(True, description="give the step of each parameter the length of Adam's")


class ScaleByShampooState(NamedTuple):
    """State of ``scale_by_shampoo``.

    calls: () int32, calls so far.
    first_moment: like the parameters.
    second_moment: like the parameters, the elementwise mean of the squared gradients.
    factors: per parameter one (d, d) second-moment matrix per preconditioned axis of length d.
    roots: per parameter one (d, d) inverse root per preconditioned axis, the identity before the first call.
    """

    calls: Array
    first_moment: Tree
    second_moment: Tree
    factors: tuple[Sides, ...]
    roots: tuple[Sides, ...]


def inverse_root(factor: Array, exponent: float, eps: float) -> Array:
    """(L + eps lambda_max I)^(-p) for a symmetric positive semidefinite L (d, d), lambda_max its largest eigenvalue.

    The damping is relative, so the steps do not depend on the scale of the loss; arXiv 1802.09568 instead starts its
    sums with an absolute eps I. Negative eigenvalues, which are rounding errors, count as 0. The identity for L = 0.

    >>> inverse_root(jnp.asarray([[16.0, 0.0], [0.0, 256.0]]), 0.25, 0.0).round(12).tolist()
    [[0.5, 0.0], [0.0, 0.25]]
    """
    eigenvalues, vectors = jnp.linalg.eigh(factor)
    largest = eigenvalues[-1]
    damped = jnp.where(largest > 0, jnp.maximum(eigenvalues, 0) + eps * largest, 1)
    return (vectors * damped**-exponent) @ vectors.T


def shampoo_map(state: ScaleByShampooState, gradient: Tree, settings: Settings) -> Tree:
    """The preconditioner of a Shampoo state: c L^(-p) G R^(-p) for a matrix gradient G, and so on for every axis.

    With grafting c = |A| / |L^(-p) M R^(-p)|, where M is the first moment, A = M / (sqrt(v) + 1e-8) Adam's direction, v
    the second moment, and || the Frobenius norm over one parameter. c depends on the state alone; it is 1 without
    grafting and for M = 0. A parameter without a preconditioned axis is divided by sqrt(v) + 1e-8.

    Same structure, shapes and dtypes as ``gradient``.

    >>> settings = Settings(learning_rate=1.0, grafting=False)
    >>> state = scale_by_shampoo(settings).init(jnp.zeros((2, 2)))
    >>> state = state._replace(roots=((0.5 * jnp.eye(2), 3.0 * jnp.eye(2)),))
    >>> shampoo_map(state, jnp.eye(2), settings).tolist()
    [[1.5, 0.0], [0.0, 1.5]]
    """

    def adam(tree: Tree) -> list[Array]:
        second_moments = jax.tree.leaves(state.second_moment)
        return [
            g / (jnp.sqrt(_mean(v, settings.b2, state.calls)) + 1e-8)
            for g, v in zip(jax.tree.leaves(tree), second_moments, strict=True)
        ]

    def grafted(direction: Array, template: Array, own: Array) -> Array:
        length = jnp.linalg.norm(own.ravel())
        ratio = jnp.linalg.norm(template.ravel()) / jnp.where(length > 0, length, 1)
        return direction * jnp.where(length > 0, ratio, 1)

    with jax.default_matmul_precision("highest"):
        rooted = jax.tree.leaves(multiplied(gradient, state.roots, contracted=1))
        diagonal = adam(gradient)
        if settings.grafting:
            moment = jax.tree.map(lambda m: _mean(m, settings.b1, state.calls), state.first_moment)
            own = jax.tree.leaves(multiplied(moment, state.roots, contracted=1))
            rooted = [grafted(*both) for both in zip(rooted, adam(moment), own, strict=True)]
    has_root = [any(side is not None for side in leaf) for leaf in state.roots]
    leaves = [root if here else plain for here, root, plain in zip(has_root, rooted, diagonal, strict=True)]
    return jax.tree.unflatten(jax.tree.structure(gradient), leaves)


def scale_by_shampoo(settings: Settings) -> optax.GradientTransformation:
    """Shampoo (arXiv 1802.09568, algorithms 1 and 2) with momentum, decaying factors and grafting.

    For a matrix parameter with gradient G (m, n) at call k:

        L <- b2 L + (1 - b2) G G^T,   R <- b2 R + (1 - b2) G^T G          for b2 = 1: L + G G^T, R + G^T G
        M <- b1 M + (1 - b1) G,       V <- b2 V + (1 - b2) G^2, entry by entry
        direction = c L'^(-p) [ M / (1 - b1^k) ] R'^(-p)

    L' = L / (1 - b2^k), or L for b2 = 1, is damped as in ``inverse_root``. p is 1 / 4 unless ``exponent`` is given. c
    is 1; with grafting it gives the direction the length of Adam's (``shampoo_map``). The roots are those of the last
    call k for which k - 1 is a multiple of ``precondition_frequency``.

    Tensors of any order get one factor per axis, of the gradient unfolded along it, and p = 1 / (2 k) for k axes with a
    factor. Axes of length 1 or longer than ``max_precondition_dimension`` have none; neither have vectors unless
    ``precondition_1d`` (then p = 1 / 2, full-matrix AdaGrad). A parameter without factors gets Adam's direction, or
    AdaGrad's for b2 = 1.

    Works in the dtype of the gradients.

    >>> transformation = scale_by_shampoo(Settings(learning_rate=1.0, grafting=False, eps=1e-12))
    >>> state = transformation.init(jnp.zeros((2, 2)))
    >>> gradient = jnp.asarray([[2.0, 0.0], [0.0, 50.0]])
    >>> transformation.update(gradient, state)[0].round(6).tolist()  # the polar factor of the first gradient
    [[1.0, 0.0], [0.0, 1.0]]
    """
    b1, b2, add = settings.b1, settings.b2, 1.0 if settings.b2 == 1 else 1 - settings.b2

    def init(params: Tree) -> ScaleByShampooState:
        def per_axis(value: float) -> tuple[Sides, ...]:
            return tuple(
                sides(
                    leaf,
                    lambda d, dtype: value * jnp.eye(d, dtype=dtype),
                    settings.max_precondition_dimension,
                    settings.precondition_1d,
                )
                for leaf in jax.tree.leaves(params)
            )

        return ScaleByShampooState(
            calls=jnp.zeros((), jnp.int32),
            first_moment=jax.tree.map(jnp.zeros_like, params),
            second_moment=jax.tree.map(jnp.zeros_like, params),
            factors=per_axis(0.0),
            roots=per_axis(1.0),
        )

    def roots_of(factors: tuple[Sides, ...], calls: Array) -> tuple[Sides, ...]:
        def roots(leaf: Sides) -> Sides:
            axes = sum(factor is not None for factor in leaf)
            exponent = settings.exponent or 1 / (2 * max(axes, 1))
            return tuple(
                None if factor is None else inverse_root(_mean(factor, b2, calls), exponent, settings.eps)
                for factor in leaf
            )

        return tuple(roots(leaf) for leaf in factors)

    def update(gradient: Tree, state: ScaleByShampooState, params: Tree = None) -> tuple[Tree, ScaleByShampooState]:
        del params
        calls = optax.safe_increment(state.calls)
        with jax.default_matmul_precision("highest"):
            factors = updated_factors(gradient, state.factors, b2, add)
            roots = jax.lax.cond(
                (calls - 1) % settings.precondition_frequency == 0,
                lambda: roots_of(factors, calls),
                lambda: state.roots,
            )
        state = ScaleByShampooState(
            calls=calls,
            first_moment=jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, state.first_moment, gradient),
            second_moment=jax.tree.map(lambda v, g: b2 * v + add * g**2, state.second_moment, gradient),
            factors=factors,
            roots=roots,
        )
        moment = jax.tree.map(lambda m: _mean(m, b1, calls), state.first_moment)
        return shampoo_map(state, moment, settings), state

    return optax.GradientTransformation(init, update)


def method(settings: Settings, steps: int) -> Method:
    """Shampoo with the preconditioner ``shampoo_map``."""
    del steps

    def precondition(state: State, gradient: Tree) -> Tree:
        return shampoo_map(state[0], gradient, settings)

    transformation = optax.chain(scale_by_shampoo(settings), optax.scale_by_learning_rate(learning_rate(settings)))
    return first_order(transformation, precondition)._replace(period=settings.precondition_frequency)


def _mean(moment: Array, decay: float, calls: Array) -> Array:
    """A decaying mean without its bias towards 0; a sum (decay 1) is unchanged."""
    if decay == 1:
        return moment
    return moment / (1 - jnp.asarray(decay, moment.dtype) ** jnp.maximum(calls, 1).astype(moment.dtype))
