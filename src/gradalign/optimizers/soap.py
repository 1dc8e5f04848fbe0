"""SOAP: Adam in the eigenbasis of Shampoo's factors (arXiv 2409.11321). Cost per step: one gradient, two or four
products per matrix, a QR every ``precondition_frequency`` steps. Memory: 2 P + 2 (m^2 + n^2) per (m, n) matrix.
Precision: float32 or float64. Use it when Adam is slow and points are redrawn at every step."""

from dataclasses import dataclass, fields
from typing import Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import optax
from jax import Array

from gradalign.base.errors import ConfigurationError
from gradalign.base.options import option
from gradalign.base.trees import Tree
from gradalign.optimizers._eigenbases import (
    bias_correction,
    eigenvectors,
    from_basis,
    identity_bases,
    refreshed,
    to_basis,
)
from gradalign.optimizers._kronecker import Sides, updated_factors
from gradalign.optimizers._method import Method, State, first_order
from gradalign.optimizers._schedules import ScheduleSettings, learning_rate

Variant = Literal["soap", "soap-original", "soap-jax-2024"]


class _Conventions(NamedTuple):
    """The differences between the variants, which ``scale_by_soap`` explains.

    eps_first: eps is added to the root of V before the bias correction, not after it.
    uncounted: calls that the bias corrections do not count.
    offset: the basis is refreshed at calls k for which k - offset is a multiple of ``precondition_frequency``.
    forgets: a call without a refresh discards its update of V.
    vectors: every vector gets a factor, regardless of ``precondition_1d``.
    """

    eps_first: bool
    uncounted: int
    offset: int
    forgets: bool
    vectors: bool


_CONVENTIONS: dict[Variant, _Conventions] = {
    "soap": _Conventions(eps_first=False, uncounted=1, offset=0, forgets=False, vectors=False),
    "soap-original": _Conventions(eps_first=True, uncounted=1, offset=1, forgets=False, vectors=False),
    "soap-jax-2024": _Conventions(eps_first=True, uncounted=0, offset=0, forgets=True, vectors=True),
}


class ScaleBySoapState(NamedTuple):
    """State of ``scale_by_soap``.

    calls: () int32, calls so far; the first one only initialises the factors and the basis.
    first_moment: like the parameters, in their own coordinates, hence valid in every basis.
    second_moment: like the parameters, in the coordinates of ``bases``.
    factors: per parameter one (d, d) second-moment matrix per preconditioned axis of length d.
    bases: per parameter one (d, d) orthogonal matrix per preconditioned axis, columns by decreasing eigenvalue.
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

    The default values are those of the SOAP paper (arXiv 2409.11321, section 5). ``scale_by_soap`` documents the
    formulas, the variants, the other arguments and the errors. ``soap-original`` decays the parameters after the step
    and never at the first call, as the authors' program does.

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
    direction = scale_by_soap(
        b1, b2, eps, precondition_frequency, max_precondition_dimension, precondition_1d, one_sided, variant
    )
    scale = optax.scale_by_learning_rate(learning_rate)
    if variant == "soap-original":
        return optax.chain(direction, scale, _decay_after_the_step(weight_decay, learning_rate))
    return optax.chain(direction, optax.add_decayed_weights(weight_decay), scale)


def _decay_after_the_step(weight_decay: float, learning_rate: optax.ScalarOrSchedule) -> optax.GradientTransformation:
    """theta <- (1 - learning_rate weight_decay) (theta + update), from the second call on."""

    def init(params: Tree) -> optax.ScaleByScheduleState:
        del params
        return optax.ScaleByScheduleState(jnp.zeros((), jnp.int32))

    def update(
        updates: Tree, state: optax.ScaleByScheduleState, params: Tree = None
    ) -> tuple[Tree, optax.ScaleByScheduleState]:
        rate = learning_rate(state.count) if callable(learning_rate) else learning_rate
        share = jnp.where(state.count == 0, 0.0, weight_decay * rate)
        decayed = jax.tree.map(lambda u, p: u - share.astype(p.dtype) * (p + u), updates, params)
        return decayed, optax.ScaleByScheduleState(optax.safe_increment(state.count))

    return optax.GradientTransformation(init, update) if weight_decay else optax.identity()


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

    Every ``precondition_frequency`` calls the basis is refreshed: the columns of Q_L are sorted by decreasing
    diag(Q_L^T L Q_L), and the rows of V with them; then Q_L <- qr(L Q_L), one step of orthogonal iteration; the same
    for R. The first call fills L, R and takes their eigenvectors; its direction is zero, and t = k - 1 counts the
    updates of the moments.

    Tensors of any order get one factor per axis. Axes of length 1 or longer than ``max_precondition_dimension`` keep
    the identity, and so do vectors unless ``precondition_1d``. With ``one_sided`` only the shortest axis of each
    parameter is preconditioned. A parameter without a preconditioned axis gets Adam.

    ``variant="soap-original"`` has the conventions of the authors' program (PyTorch, github.com/nikhilvyas/SOAP), to
    1e-14 in float64. Each is listed with its size: the relative difference that it alone makes to all parameters of
    small tanh networks, after 50 steps of 3e-3 that moved them by 0.05 to 0.09.

    - eps is added before the bias correction, (sqrt(V) + eps) / sqrt(1 - b2^t): 5e-10 to 3e-9. If factors are singular
      at a refresh, rounding errors choose part of the basis, and every such change becomes 1e-3.
    - A refresh comes after every ``precondition_frequency``-th update of the moments, one call later than in ``soap``:
      0 at frequency 1, else 0.004 to 0.012.
    - The first call does not decay the parameters: learning_rate * weight_decay, 3e-5 at a decay of 0.01. Later calls
      decay them after the step, not before: 3e-6.
    - Eigenvectors in the null space of the first factors are arbitrary. They differ between LAPACK libraries, and no
      setting can reproduce them: 0.001 to 0.008 if the longer axis exceeds the shorter by two or more, else 0.

    ``variant="soap-jax-2024"`` is the JAX port of September 2024 (github.com/haydn-jones/SOAP_JAX), which the public
    code of arXiv 2502.00604 installs. It differs from ``soap`` by 0.016 to 0.045 on the same networks at frequency 2,
    and its vectors by 0.023 to 0.072. The size of each part there:

    - A call without a refresh uses the new V and then discards it, so V sees one gradient in
      ``precondition_frequency``: 0.013 to 0.025.
    - Every vector gets a factor, regardless of ``precondition_1d``: 0.012 to 0.053, for vectors 0.028 to 0.086.
    - The bias corrections count the first call (t = k): 0.003 to 0.007.
    - eps is added before the bias correction: 1e-10, or 3e-4 if factors are singular at a refresh.

    Remaining differences from the port:

    - Nothing beyond rounding (2e-16) if factors have full rank at a refresh. The factor of a vector of length d has
      rank k after k calls. Below d - 1 rounding errors choose part of the basis, which differs by 5e-4 to 8e-3.
    - A vector longer than ``max_precondition_dimension`` keeps the identity here, and has a factor there.
    - ``one_sided`` is ours. Neither the port nor the original has it.

    Works in the dtype of the gradients. Raises ``ConfigurationError`` for values out of range.

    >>> transformation = scale_by_soap()
    >>> state = transformation.init(jnp.zeros((2, 2)))
    >>> first, state = transformation.update(jnp.eye(2), state)
    >>> float(jnp.max(jnp.abs(first)))
    0.0
    """
    _check(b1, b2, eps, precondition_frequency, max_precondition_dimension, variant)
    convention = _CONVENTIONS[variant]

    def init(params: Tree) -> ScaleBySoapState:
        vectors = precondition_1d or convention.vectors
        factors, bases = identity_bases(params, max_precondition_dimension, vectors, one_sided)
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
        updates = state.calls - convention.uncounted
        whitened = whitening(state._replace(second_moment=second_moment), first_moment, b2, eps, variant)
        direction = jax.tree.map(lambda w: w / bias_correction(b1, updates, w.dtype), whitened)
        factors = updated_factors(gradient, state.factors, b2, 1 - b2)
        kept = state.second_moment if convention.forgets else second_moment
        bases, second_moment = jax.lax.cond(
            (state.calls - convention.offset) % precondition_frequency == 0,
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


def whitening(state: ScaleBySoapState, gradient: Tree, b2: float, eps: float, variant: Variant = "soap") -> Tree:
    """The preconditioner of SOAP: Q_L [ (Q_L^T G Q_R) / (sqrt(V / (1 - b2^t)) + eps) ] Q_R^T for any gradient G.

    t is the number of calls minus one. In ``soap-original`` and ``soap-jax-2024`` the denominator is
    (sqrt(V) + eps) / sqrt(1 - b2^t), in the latter with t the number of calls. Same structure, shapes and dtypes as
    ``gradient``. Before the second call V is zero, and the preconditioner is a multiple of the identity, 1 / eps in
    ``soap``.

    >>> state = scale_by_soap().init(jnp.zeros((2, 2)))
    >>> state = state._replace(calls=jnp.asarray(2), second_moment=0.05 * jnp.asarray([[4.0, 4.0], [4.0, 4.0]]))
    >>> bool(jnp.allclose(whitening(state, jnp.eye(2), 0.95, 0.0), 0.5 * jnp.eye(2)))
    True
    """
    convention = _CONVENTIONS[variant]
    updates = state.calls - convention.uncounted

    def scaled(g: Array, v: Array) -> Array:
        correction = bias_correction(b2, updates, v.dtype)
        if convention.eps_first:
            return g * jnp.sqrt(correction) / (jnp.sqrt(v) + eps)
        return g / (jnp.sqrt(v / correction) + eps)

    scaled_gradient = jax.tree.map(scaled, to_basis(gradient, state.bases), state.second_moment)
    return from_basis(scaled_gradient, state.bases)


@dataclass(frozen=True, kw_only=True)
class Settings(ScheduleSettings):
    """Settings of SOAP."""

    b1: float = option(0.95, ge=0, lt=1, description="decay of the first moment")
    b2: float = option(0.95, ge=0, lt=1, description="decay of the second moment and of the factors")
    eps: float = option(1e-8, description="added to the root of the second moment", gt=0)
    precondition_frequency: int = option(10, description="calls between two refreshes of the basis", gt=0)
    max_precondition_dimension: int = option(10_000, description="longest axis that gets a factor", gt=0)
    precondition_1d: bool = option(False, description="give vectors a factor too")
    one_sided: bool = option(False, description="precondition the shortest axis of a parameter only")
    variant: Variant = option(
        "soap",
        description="soap; with the conventions of the authors' program; or the JAX port of September 2024 with its "
        "defect, which gives every vector a factor and so needs precondition_1d: true",
    )

    def misfit(self) -> str | None:
        if _CONVENTIONS[self.variant].vectors and not self.precondition_1d:
            return f"precondition_1d must be true with variant = {self.variant}, which gives vectors a factor"
        return None


def method(settings: Settings, steps: int) -> Method:
    """SOAP with the preconditioner ``whitening``."""
    del steps
    arguments = settings.values(without=[each.name for each in fields(ScheduleSettings)])

    def precondition(state: State, gradient: Tree) -> Tree:
        with jax.default_matmul_precision("highest"):
            return whitening(state[0], gradient, settings.b2, settings.eps, settings.variant)

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
