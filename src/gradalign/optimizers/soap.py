"""SOAP: Adam in the eigenbasis of Shampoo's factors (arXiv 2409.11321). Cost per step: one gradient, two or four
products per matrix, a QR every ``precondition_frequency`` steps. Memory: 2 P + 2 (m^2 + n^2) per (m, n) matrix.
Precision: float32 or float64. Use it when Adam is slow and points are drawn anew at every step."""

from typing import Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import optax
from jax import Array
from pydantic import Field, PositiveFloat, PositiveInt

from gradalign.eigenbases import (
    bias_correction,
    eigenvectors,
    from_basis,
    identity_bases,
    refreshed,
    to_basis,
)
from gradalign.errors import ConfigurationError
from gradalign.kronecker import Sides, updated_factors
from gradalign.method import Method, State, first_order
from gradalign.schedules import ScheduleSettings, learning_rate
from gradalign.trees import Tree

Variant = Literal["soap", "soap-jax-2024"]


class ScaleBySoapState(NamedTuple):
    """State of ``scale_by_soap``.

    calls: () int32, calls so far; the first one only initialises the factors and the basis.
    first_moment: like the parameters, in their own coordinates, hence valid in every basis.
    second_moment: like the parameters, in the coordinates of ``bases``.
    factors: per parameter one (d, d) second-moment matrix per preconditioned axis of length d.
    bases: per parameter one (d, d) orthogonal matrix per preconditioned axis, columns by falling eigenvalue.
    """

    calls: Array
    first_moment: Tree
    second_moment: Tree
    factors: tuple[Sides, ...]
    bases: tuple[Sides, ...]


def soap(
    learning_rate: optax.ScalarOrSchedule = 3e-3,
    b1: float = 0.95,
    b2: float = 0.95,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    precondition_frequency: int = 10,
    max_precondition_dimension: int = 10_000,
    precondition_1d: bool = False,
    one_sided: bool = False,
    variant: Variant = "soap",
) -> optax.GradientTransformation:
    """SOAP as an optax optimizer: ``scale_by_soap``, decoupled weight decay, learning rate.

    The default values are those of the SOAP paper (arXiv 2409.11321, section 5). See ``scale_by_soap`` for the
    formulas, the other arguments and the errors.

    >>> import jax, optax
    >>> transformation = soap(0.1)
    >>> params = {"w": jnp.zeros((3, 2))}
    >>> state = transformation.init(params)
    >>> for _ in range(200):
    ...     gradient = jax.grad(lambda p: jnp.sum((p["w"] - 1.0) ** 2))(params)
    ...     updates, state = transformation.update(gradient, state, params)
    ...     params = optax.apply_updates(params, updates)
    >>> bool(jnp.all(jnp.abs(params["w"] - 1.0) < 0.05))
    True
    """
    return optax.chain(
        scale_by_soap(
            b1, b2, eps, precondition_frequency, max_precondition_dimension, precondition_1d, one_sided, variant
        ),
        optax.add_decayed_weights(weight_decay),
        optax.scale_by_learning_rate(learning_rate),
    )


def scale_by_soap(
    b1: float = 0.95,
    b2: float = 0.95,
    eps: float = 1e-8,
    precondition_frequency: int = 10,
    max_precondition_dimension: int = 10_000,
    precondition_1d: bool = False,
    one_sided: bool = False,
    variant: Variant = "soap",
) -> optax.GradientTransformation:
    """Adam in the slowly moving eigenbasis of Shampoo's factors (arXiv 2409.11321, algorithm 3).

    For a matrix parameter with gradient G (m, n) at call k, in the basis Q_L (m, m), Q_R (n, n) of call k - 1:

        M <- b1 M + (1 - b1) G                       first moment, in the parameter's own coordinates
        V <- b2 V + (1 - b2) (Q_L^T G Q_R)^2         second moment, entry by entry, in the basis
        direction = Q_L [ (Q_L^T M Q_R) / (1 - b1^t) / (sqrt(V / (1 - b2^t)) + eps) ] Q_R^T
        L <- b2 L + (1 - b2) G G^T,   R <- b2 R + (1 - b2) G^T G

    and every ``precondition_frequency`` calls: columns of Q_L by falling diag(Q_L^T L Q_L), rows of V with them,
    Q_L <- qr(L Q_L), one step of orthogonal iteration; the same for R. The first call fills L, R and takes their
    eigenvectors; its direction is zero, and t = k - 1 counts the updates of the moments.

    Tensors of any order get one factor per axis. Axes of length 1 and those longer than
    ``max_precondition_dimension`` keep the identity; so do vectors unless ``precondition_1d``; with ``one_sided``
    only the shortest axis of each parameter is preconditioned. A parameter without a preconditioned axis gets Adam.

    ``variant="soap-jax-2024"`` reproduces the JAX port of September 2024 with which the results of arXiv 2502.00604
    were made: a call without a refresh uses the new V and then forgets it, so that V sees one gradient in
    ``precondition_frequency``; and the bias corrections count the first call (t = k).

    Works in the dtype of the gradients. Raises ``ConfigurationError`` for values out of range.

    >>> transformation = scale_by_soap()
    >>> state = transformation.init(jnp.zeros((2, 2)))
    >>> first, state = transformation.update(jnp.eye(2), state)
    >>> float(jnp.max(jnp.abs(first)))
    0.0
    """
    _check(b1, b2, eps, precondition_frequency, max_precondition_dimension, variant)

    def init(params: Tree) -> ScaleBySoapState:
        factors, bases = identity_bases(params, max_precondition_dimension, precondition_1d, one_sided)
        return ScaleBySoapState(
            calls=jnp.zeros((), jnp.int32),
            first_moment=jax.tree.map(jnp.zeros_like, params),
            second_moment=jax.tree.map(jnp.zeros_like, params),
            factors=factors,
            bases=bases,
        )

    def initialise(gradient: Tree, state: ScaleBySoapState) -> tuple[Tree, ScaleBySoapState]:
        factors = updated_factors(gradient, state.factors, b2, 1 - b2)
        bases = eigenvectors(factors)
        return jax.tree.map(jnp.zeros_like, gradient), state._replace(factors=factors, bases=bases)

    def advance(gradient: Tree, state: ScaleBySoapState) -> tuple[Tree, ScaleBySoapState]:
        first_moment = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, state.first_moment, gradient)
        second_moment = jax.tree.map(
            lambda v, g: b2 * v + (1 - b2) * g**2, state.second_moment, to_basis(gradient, state.bases)
        )
        updates = state.calls - (0 if variant == "soap-jax-2024" else 1)
        whitened = whitening(state._replace(second_moment=second_moment), first_moment, b2, eps, updates)
        direction = jax.tree.map(lambda w: w / bias_correction(b1, updates, w.dtype), whitened)
        factors = updated_factors(gradient, state.factors, b2, 1 - b2)
        kept = state.second_moment if variant == "soap-jax-2024" else second_moment
        bases, second_moment = jax.lax.cond(
            state.calls % precondition_frequency == 0,
            lambda: refreshed(factors, state.bases, second_moment),
            lambda: (state.bases, kept),
        )
        return direction, ScaleBySoapState(state.calls, first_moment, second_moment, factors, bases)

    def update(gradient: Tree, state: ScaleBySoapState, params: Tree = None) -> tuple[Tree, ScaleBySoapState]:
        del params
        state = state._replace(calls=optax.safe_increment(state.calls))
        with jax.default_matmul_precision("highest"):
            return jax.lax.cond(state.calls == 1, initialise, advance, gradient, state)

    return optax.GradientTransformation(init, update)


def whitening(state: ScaleBySoapState, gradient: Tree, b2: float, eps: float, updates: Array | None = None) -> Tree:
    """The linear map of a SOAP state: Q_L [ (Q_L^T G Q_R) / (sqrt(V / (1 - b2^t)) + eps) ] Q_R^T for any gradient G.

    ``updates`` is t, by default the number of calls less one. Same structure, shapes and dtypes as ``gradient``.
    Before the second call V is zero and the map is 1 / eps times the identity.

    >>> state = scale_by_soap().init(jnp.zeros((2, 2)))
    >>> state = state._replace(calls=jnp.asarray(2), second_moment=0.05 * jnp.asarray([[4.0, 4.0], [4.0, 4.0]]))
    >>> bool(jnp.allclose(whitening(state, jnp.eye(2), 0.95, 0.0), 0.5 * jnp.eye(2)))
    True
    """
    updates = state.calls - 1 if updates is None else updates

    def scaled(g: Array, v: Array) -> Array:
        return g / (jnp.sqrt(v / bias_correction(b2, updates, v.dtype)) + eps)

    scaled_gradient = jax.tree.map(scaled, to_basis(gradient, state.bases), state.second_moment)
    return from_basis(scaled_gradient, state.bases)


class Settings(ScheduleSettings):
    """Settings of SOAP."""

    b1: float = Field(default=0.95, ge=0, lt=1, description="decay of the first moment")
    b2: float = Field(default=0.95, ge=0, lt=1, description="decay of the second moment and of the factors")
    eps: PositiveFloat = Field(default=1e-8, description="added to the root of the second moment")
    precondition_frequency: PositiveInt = Field(default=10, description="calls between two refreshes of the basis")
    max_precondition_dimension: PositiveInt = Field(default=10_000, description="longest axis that gets a factor")
    precondition_1d: bool = Field(default=False, description="give vectors a factor too")
    one_sided: bool = Field(default=False, description="precondition the shortest axis of a parameter only")
    variant: Variant = Field(default="soap", description="soap, or the JAX port of September 2024 with its defect")


def method(settings: Settings, steps: int) -> Method:
    """SOAP with ``whitening`` as its linear map."""
    del steps
    arguments = settings.model_dump(exclude=set(ScheduleSettings.model_fields))

    def precondition(state: State, gradient: Tree) -> Tree:
        with jax.default_matmul_precision("highest"):
            return whitening(state[0], gradient, settings.b2, settings.eps)

    found = first_order(soap(learning_rate(settings), **arguments), precondition)
    return found._replace(period=settings.precondition_frequency)


def _check(b1: float, b2: float, eps: float, frequency: int, dimension: int, variant: str) -> None:
    wrong = [
        f"{name} is {value!r}; allowed: {allowed}"
        for name, value, allowed, fine in (
            ("b1", b1, "numbers from 0 to below 1", 0 <= b1 < 1),
            ("b2", b2, "numbers from 0 to below 1", 0 <= b2 < 1),
            ("eps", eps, "numbers from 0", eps >= 0),
            ("precondition_frequency", frequency, "integers from 1", frequency >= 1),
            ("max_precondition_dimension", dimension, "integers from 1", dimension >= 1),
            ("variant", variant, " or ".join(get_args(Variant)), variant in get_args(Variant)),
        )
        if not fine
    ]
    if wrong:
        raise ConfigurationError("soap: " + "; ".join(wrong))
