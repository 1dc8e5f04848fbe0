"""Kron: PSGD, with a Kronecker-factored preconditioner fitted to whiten the momentum (arXiv 1512.04202, 2402.04553).
Cost per step: one gradient, four products per matrix, and as much again with two triangular solves when the factors are
refitted. Memory: P + m^2 + n^2 per (m, n) matrix. Precision: float32 or float64. Use it when SOAP would work but its
eigenbases are too expensive."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array
from jax.scipy.linalg import solve_triangular

from gradalign.base import randomness
from gradalign.base.options import option
from gradalign.base.trees import Tree
from gradalign.optimizers._eigenbases import bias_correction
from gradalign.optimizers._method import Method, State, first_order
from gradalign.optimizers._schedules import ScheduleSettings, learning_rate

Factors = tuple[Array, ...]
"""One factor Q per axis of a parameter: upper triangular (d, d), or (d,), the diagonal of a diagonal factor."""


FIT_RATE = 0.1
"""Relative step size of a refit of the factors."""


@dataclass(frozen=True, kw_only=True)
class Settings(ScheduleSettings):
    """Settings of Kron."""

    b1: float = option(0.9, ge=0, lt=1, description="decay of the momentum, which the preconditioner whitens")
    first_calls: int = option(500, ge=0, description="calls at the beginning, each of which refits the factors")
    precondition_frequency: int = option(10, description="calls between two refits after these", gt=0)
    longest: float = option(1.1, description="bound on the root mean square of a parameter's direction", gt=0)
    eps: float = option(1e-8, description="noise added to the momentum in a refit, which bounds factors", gt=0)
    max_precondition_dimension: int = option(10_000, description="longest axis with a triangular factor", gt=0)
    precondition_1d: bool = option(False, description="give vectors a triangular factor too")


class ScaleByKronState(NamedTuple):
    """State of ``scale_by_kron``.

    key: (2,) uint32, which determines the noise of every refit.
    calls: () int32, calls so far.
    mean: like the parameters, the decaying mean of the gradients.
    factors: per parameter one factor per axis.
    """

    key: Array
    calls: Array
    mean: Tree
    factors: tuple[Factors, ...]


def noise(key: Array, calls: Array, leaf: int, shape: tuple[int, ...], dtype: jnp.dtype) -> Array:
    """Standard normal numbers, a function of key data (2,), the call, and the index of the parameter."""
    at_call = randomness.at_step(jax.random.wrap_key_data(key, impl="threefry2x32"), calls)
    return jax.random.normal(jax.random.fold_in(at_call, leaf), shape, dtype)


def applied(leaf: Array, factors: Factors, transposed: bool = False) -> Array:
    """Q_1 G Q_2^T for a matrix G, and the same along every axis of other tensors; ``transposed``: Q_1^T G Q_2.

    >>> applied(jnp.ones((2, 1)), (jnp.asarray([[1.0, 2.0], [0.0, 3.0]]), jnp.asarray([5.0]))).tolist()
    [[15.0], [15.0]]
    """
    for axis, factor in enumerate(factors):
        if factor.ndim == 1:
            leaf = leaf * _along(factor, axis, leaf.ndim)
        else:
            leaf = jnp.moveaxis(jnp.tensordot(leaf, factor, axes=((axis,), (0 if transposed else 1,))), -1, axis)
    return leaf


def solved(leaf: Array, factors: Factors) -> Array:
    """Q_1^(-T) V Q_2^(-1) for a matrix V, and the same along every axis of other tensors.

    >>> solved(jnp.ones((2, 1)), (jnp.asarray([[1.0, 2.0], [0.0, 4.0]]), jnp.asarray([0.5]))).tolist()
    [[2.0], [-0.5]]
    """
    for axis, factor in enumerate(factors):
        if factor.ndim == 1:
            leaf = leaf / _along(factor, axis, leaf.ndim)
        else:
            first = jnp.moveaxis(leaf, axis, 0)
            solution = solve_triangular(factor, first.reshape(first.shape[0], -1), trans="T")
            leaf = jnp.moveaxis(solution.reshape(first.shape), 0, axis)
    return leaf


def refitted(gradient: Array, v: Array, factors: Factors, rate: float) -> Factors:
    """One step of the factors towards whitening ``gradient``, for the preconditioner P = Q^T Q, Q = Q_1 x Q_2 x ...

    The criterion is the mean of g^T P g + v^T P^(-1) v over gradients g and standard normal v. Among such products, its
    minimum is at the inverse root of E[g g^T]. With A = Q g and B = Q^(-T) v, unfolded along the axis of a factor,

        Q <- Q - rate / |A A^T + B B^T| triu(A A^T - B B^T) Q

    and for a diagonal factor only the diagonal (arXiv 2402.04553, the group of triangular matrices). The spectral norm
    is bounded below by |M c| / |c|, where c is the longest column of M. The bound is off by at most sqrt(d), and mostly
    close.

    Same shapes and dtypes as ``factors``. The identity is stationary for a gradient as large as the noise:

    >>> refitted(jnp.asarray([2.0]), jnp.asarray([-2.0]), (jnp.ones(1),), 0.1)[0].tolist()
    [1.0]
    """
    a, b = applied(gradient, factors), solved(v, factors)

    def moved(axis: int, factor: Array) -> Array:
        others = [other for other in range(a.ndim) if other != axis]
        if factor.ndim == 1:
            large, small = (jnp.sum(part**2, axis=tuple(others)) for part in (a, b))
            return factor - rate / jnp.max(large + small) * (large - small) * factor
        large, small = (jnp.tensordot(part, part, axes=(others, others)) for part in (a, b))
        both = large + small
        column = jnp.take(both, jnp.argmax(jnp.sum(both**2, axis=0)), axis=1)
        norm = jnp.linalg.norm(both @ column) / jnp.linalg.norm(column)
        return factor - rate / norm * jnp.triu(large - small) @ factor

    return _balanced(tuple(moved(axis, factor) for axis, factor in enumerate(factors)))


def kron_map(state: ScaleByKronState, gradient: Tree, settings: Settings) -> Tree:
    """The preconditioner of a Kron state: c P G, for a matrix c Q_1^T Q_1 G Q_2^T Q_2, and so on for every axis.

    c is 1, or smaller where the root mean square of P M over a parameter would exceed ``longest``, with M the momentum.
    c depends on the state alone. Same structure, shapes and dtypes as ``gradient``.

    >>> settings = Settings(learning_rate=1.0)
    >>> state = scale_by_kron(settings).init(jnp.zeros((1, 1)))
    >>> kron_map(state._replace(factors=((jnp.asarray([2.0]), jnp.asarray([3.0])),)), jnp.ones((1, 1)), settings).item()
    36.0
    """
    momentum = _unbiased(state.mean, settings.b1, state.calls)

    def mapped(g: Array, m: Array, factors: Factors) -> Array:
        def whitened(tensor: Array) -> Array:
            return applied(applied(_tensor(tensor), factors), factors, transposed=True)

        size = jnp.sqrt(jnp.mean(whitened(m) ** 2))
        return (whitened(g) * jnp.where(size > settings.longest, settings.longest / size, 1)).reshape(g.shape)

    with jax.default_matmul_precision("highest"):
        leaves = [
            mapped(*both)
            for both in zip(jax.tree.leaves(gradient), jax.tree.leaves(momentum), state.factors, strict=True)
        ]
    return jax.tree.unflatten(jax.tree.structure(gradient), leaves)


def scale_by_kron(settings: Settings) -> optax.GradientTransformation:
    """PSGD with Kronecker factors that whiten the momentum (arXiv 1512.04202, 2402.04553), deterministic in the calls.

    M <- b1 M + (1 - b1) G. In each of the first ``first_calls`` calls, and then in every ``precondition_frequency``-th,
    the factors of each parameter are refitted once to M / (1 - b1^k) plus ``eps`` times noise (``refitted``). The first
    call makes them multiples of the identity for which P M has a root mean square of 1, so the scale of the loss
    matters only through ``eps``. The direction is ``kron_map`` of M / (1 - b1^k).

    Factors are triangular for the axes of matrices and tensors, of length 2 to ``max_precondition_dimension``, and for
    vectors with ``precondition_1d``; diagonal otherwise. Works in the dtype of the gradients.

    >>> transformation = scale_by_kron(Settings(learning_rate=1.0, first_calls=0, precondition_frequency=2))
    >>> state = transformation.init(jnp.zeros(()))
    >>> round(transformation.update(jnp.asarray(-8.0), state)[0].item(), 12)  # not refitted yet
    -1.0
    """

    def init(params: Tree) -> ScaleByKronState:
        def factor(leaf: Array, length: int) -> Array:
            triangular = leaf.ndim > 1 or settings.precondition_1d
            if triangular and 1 < length <= settings.max_precondition_dimension:
                return jnp.eye(length, dtype=leaf.dtype)
            return jnp.ones(length, leaf.dtype)

        return ScaleByKronState(
            key=jax.random.key_data(randomness.stream(0, "kron")),
            calls=jnp.zeros((), jnp.int32),
            mean=jax.tree.map(jnp.zeros_like, params),
            factors=tuple(
                tuple(factor(leaf, length) for length in leaf.shape or (1,)) for leaf in jax.tree.leaves(params)
            ),
        )

    def scaled(momentum: Array, factors: Factors) -> Factors:
        size = jnp.sqrt(jnp.mean(momentum**2))
        scale = jnp.where(size > 0, size, 1) ** (-0.5 / len(factors))
        return tuple(scale * factor for factor in factors)

    def update(gradient: Tree, state: ScaleByKronState, params: Tree = None) -> tuple[Tree, ScaleByKronState]:
        del params
        calls = optax.safe_increment(state.calls)
        mean = jax.tree.map(lambda m, g: settings.b1 * m + (1 - settings.b1) * g, state.mean, gradient)
        momentum = _unbiased(mean, settings.b1, calls)

        def refit() -> tuple[Factors, ...]:
            found = []
            for index, (m, factors) in enumerate(zip(jax.tree.leaves(momentum), state.factors, strict=True)):
                tensor = _tensor(m)
                v = noise(state.key, calls, index, tensor.shape, tensor.dtype)
                found.append(refitted(tensor + settings.eps * v, v, factors, FIT_RATE))
            return tuple(found)

        def first() -> tuple[Factors, ...]:
            return tuple(
                scaled(m, factors) for m, factors in zip(jax.tree.leaves(momentum), state.factors, strict=True)
            )

        due = (calls <= settings.first_calls) | (calls % settings.precondition_frequency == 0)
        with jax.default_matmul_precision("highest"):
            choice = jnp.where(calls == 1, 0, jnp.where(due, 1, 2))
            factors = jax.lax.switch(choice, [first, refit, lambda: state.factors])
        state = ScaleByKronState(key=state.key, calls=calls, mean=mean, factors=factors)
        return kron_map(state, momentum, settings), state

    return optax.GradientTransformation(init, update)


def method(settings: Settings, steps: int) -> Method:
    """Kron with the preconditioner ``kron_map``."""
    del steps

    def precondition(state: State, gradient: Tree) -> Tree:
        return kron_map(state[0], gradient, settings)

    transformation = optax.chain(scale_by_kron(settings), optax.scale_by_learning_rate(learning_rate(settings)))
    return first_order(transformation, precondition)._replace(period=settings.precondition_frequency)


def _tensor(leaf: Array) -> Array:
    """The parameter; a scalar becomes a vector of length 1."""
    return leaf if leaf.ndim else leaf.reshape(1)


def _unbiased(mean: Tree, decay: float, calls: Array) -> Tree:
    return jax.tree.map(lambda m: m / bias_correction(decay, calls, m.dtype), mean)


def _along(diagonal: Array, axis: int, dimensions: int) -> Array:
    return diagonal.reshape([-1 if other == axis else 1 for other in range(dimensions)])


def _balanced(factors: Factors) -> Factors:
    """The same product with factors of equal largest entries, so that none leaves the range of its dtype."""
    largest = jnp.stack([jnp.max(jnp.abs(factor)) for factor in factors])
    mean = jnp.exp(jnp.mean(jnp.log(largest)))
    return tuple(factor * (mean / large) for factor, large in zip(factors, largest, strict=True))
