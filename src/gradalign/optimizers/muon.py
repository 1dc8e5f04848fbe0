"""Muon: orthogonalised momentum for matrices, Adam for the rest (Jordan 2024, arXiv 2502.16982). Cost per step: one
gradient and, per (m, n) matrix, 5 iterations of (2 n + m) m^2 products, m <= n. Memory: P for matrices, 2 P for the
rest. Precision: float32 or float64. Use it when layers are wide, and SOAP's factors are too large or its QR too slow.
"""

from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
import optax
from jax import Array

from gradalign.base.options import option
from gradalign.base.trees import Tree
from gradalign.optimizers._method import Method, State, first_order
from gradalign.optimizers._schedules import ScheduleSettings, learning_rate

Coefficients = tuple[float, float, float]
COEFFICIENTS: dict[str, Coefficients] = {"fast": (3.4445, -4.7750, 2.0315), "convergent": (15 / 8, -10 / 8, 3 / 8)}
"""a, b, c of x -> a x + b x^3 + c x^5. Jordan's only bring singular values near 1; the others converge to 1, and each
iteration turns three correct digits into nine.
"""


ADAM_B1, ADAM_B2 = 0.9, 0.999
"""Decays of Adam's moments, for parameters that are not matrices."""


@dataclass(frozen=True, kw_only=True)
class Settings(ScheduleSettings):
    """Settings of Muon; its learning rate is that of the matrices."""

    b1: float = option(0.95, ge=0, lt=1, description="decay of the momentum of matrices")
    nesterov: bool = option(True, description="look ahead with the momentum")
    newton_schulz_steps: int = option(
        5, description="iterations towards the polar factor, 5 as in the source; more reach weaker directions", gt=0
    )
    newton_schulz: Literal["fast", "convergent"] = option(
        "fast", description="singular values near 1, or in some 20 iterations 1: the polar factor itself"
    )
    eps: float = option(1e-8, description="added to the norm of a matrix and to the root of Adam", gt=0)
    adam_learning_rate_ratio: float = option(
        1.0, description="learning rate of what is no matrix, in units of that of the matrices", gt=0
    )


def orthogonalising_factor(momentum: Array, coefficients: Coefficients, steps: int, eps: float) -> Array:
    """The square matrix Q by which Newton-Schulz iteration multiplies M (m, n) on its shorter side.

    With m <= n and singular values s_i of M = U S V^T, Q (m, m) = U diag(p(s_i / |M|) / s_i) U^T. |M| is the Frobenius
    norm plus ``eps``, and p is x -> a x + b x^3 + c x^5 applied ``steps`` times. Muon turns M into Q
    M = U p(S / |M|) V^T. If p maps (0, 1] to 1, Q is (M M^T)^(-1/2) and Q M is the polar factor U V^T. For m > n, Q
    (n, n) acts from the right. Q is finite for every M: directions without momentum get a^steps / |M|.

    Dtype of ``momentum``. Source: K. Jordan, Muon (2024), as in ``optax.contrib.muon``.

    >>> orthogonalising_factor(jnp.asarray([[0.0, 4.0]]), (1.875, -1.25, 0.375), 1, 0.0).tolist()  # p(1) / 4
    [[0.25]]
    """
    wide = momentum if momentum.shape[0] <= momentum.shape[1] else momentum.T
    identity = jnp.eye(wide.shape[0], dtype=wide.dtype)
    norm = jnp.linalg.norm(wide) + eps
    linear, cubic, quintic = coefficients
    factor, iterate = identity / norm, wide / norm
    for _ in range(steps):
        square = iterate @ iterate.T
        gain = linear * identity + cubic * square + quintic * square @ square
        factor, iterate = gain @ factor, gain @ iterate
    return factor


def method(settings: Settings, steps: int) -> Method:
    """Muon from optax, with the preconditioner that its present momentum defines.

    A matrix W (m, n) moves by -eta sqrt(max(1, n / m)) O, where O is the momentum after Newton-Schulz iteration. This
    is not linear in the gradient, because the momentum contains the gradient. The preconditioner is the map by which
    the iteration multiplies the momentum M / (1 - b1^t): G -> sqrt(max(1, n / m)) Q G for m <= n, and G Q with the same
    factor for m > n (``orthogonalising_factor``). It maps the momentum to O without look-ahead. Other parameters get
    Adam, with the preconditioner diag(1 / (sqrt(v / (1 - b2^t)) + eps)) times ``adam_learning_rate_ratio``.

    Ten iterations instead of five did not clearly lower the error of the wave equation: median 0.102
    (range 0.095 to 0.125) and 0.107 (0.078 to 0.205), three seeds, 1750 steps of the scale laptop-methods with a
    quarter of its points.
    """
    del steps
    schedule = learning_rate(settings)
    ratio = settings.adam_learning_rate_ratio
    coefficients = COEFFICIENTS[settings.newton_schulz]

    def precondition(state: State, gradient: Tree) -> Tree:
        muon, adam = (state.inner_states[name].inner_state[0] for name in ("muon", "adam"))
        momenta, second_moments = iter(jax.tree.leaves(muon.mu)), iter(jax.tree.leaves(adam.nu))

        def correction(decay: float, count: Array, dtype: jnp.dtype) -> Array:
            return 1 - jnp.asarray(decay, dtype) ** jnp.maximum(count, 1).astype(dtype)

        def mapped(g: Array) -> Array:
            if g.ndim != 2:
                moment = next(second_moments)
                moment = moment / correction(ADAM_B2, adam.count, g.dtype)
                return ratio * g / (jnp.sqrt(moment) + settings.eps)
            momentum = next(momenta) / correction(settings.b1, muon.count, g.dtype)
            factor = orthogonalising_factor(momentum, coefficients, settings.newton_schulz_steps, settings.eps)
            rows, columns = g.shape
            return max(1, columns / rows) ** 0.5 * (factor @ g if rows <= columns else g @ factor)

        leaves, structure = jax.tree.flatten(gradient)
        with jax.default_matmul_precision("highest"):
            return jax.tree.unflatten(structure, [mapped(leaf) for leaf in leaves])

    transformation = optax.contrib.muon(
        schedule,
        ns_coeffs=coefficients,
        ns_steps=settings.newton_schulz_steps,
        beta=settings.b1,
        eps=settings.eps,
        nesterov=settings.nesterov,
        adam_b1=ADAM_B1,
        adam_b2=ADAM_B2,
        adam_learning_rate=lambda count: ratio * schedule(count),
    )
    return first_order(transformation, precondition)
