"""SSBroyden: self-scaled Broyden, dense quasi-Newton with a line search (arXiv 2405.04230, 2501.16371). Cost per step:
about 2 values with gradients, one more on new points, and 3 passes over P^2 numbers. Memory: 2 P^2 in a step.
Precision: float64. Use it when P is at most a few thousand and points are kept for ten steps or more."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.flatten_util import ravel_pytree

from gradalign.base.options import Options, option
from gradalign.base.trees import Tree
from gradalign.base.types import Points
from gradalign.optimizers._line_search import End, end_of, start_of, strong_wolfe
from gradalign.optimizers._method import Method
from gradalign.optimizers._objective import Objective

Variant = Literal["ssbroyden", "ssbfgs", "bfgs"]


@dataclass(frozen=True, kw_only=True)
class Settings(Options):
    """Settings of the update of the inverse Hessian and of the line search."""

    variant: Variant = option("ssbroyden", description="self-scaled Broyden, self-scaled BFGS or BFGS")
    scale_first: bool = option(True, description="scale H by y^T s / (y^T y) before its first update")
    decrease: float = option(1e-4, lt=0.5, description="c1 of the strong Wolfe conditions", gt=0)
    curvature: float = option(0.9, lt=1, description="c2 of the strong Wolfe conditions", gt=0)
    most_evaluations: int = option(20, description="evaluations in one line search", gt=0)


class QuasiNewtonState(NamedTuple):
    """State of the method.

    inverse_hessian: (P, P) symmetric and positive definite, P parameters in the order of ``ravel_pytree``.
    fresh: () bool, whether ``inverse_hessian`` has seen no step yet, so that its scale means nothing.
    end: the loss and its gradient where the last step ended.
    resets: () int32, line searches that failed.
    """

    inverse_hessian: Array
    fresh: Array
    end: End
    resets: Array


def updated_inverse_hessian(
    inverse_hessian: Array,
    step: Array,
    change: Array,
    curvature_along_step: Array,
    variant: Variant = "ssbroyden",
    scale: Array | float = 1.0,
) -> Array:
    """H_+ = [H - H y y^T H / (y^T H y) + phi (y^T H y) v v^T] / tau + rho s s^T, a self-scaled Broyden update.

    H (P, P) is ``scale`` times the given matrix, s (P,) the step, y (P,) the change of the gradient, and
    ``curvature_along_step`` the number s^T H^-1 s, which is -t s^T g for a step s = -t H g. rho = 1 / (y^T s) and
    v = rho s - H y / (y^T H y). With

        h = rho y^T H y,  b = rho s^T H^-1 s,  a = h b - 1,  r = min(1, h (1 - sqrt(a / (1 + a)))),
        theta = max((r - 1) / a, min(1 / r, (1 - b) / b)),  sigma = 1 + a theta,  w = sigma^(1 / (1 - P)),
        phi = (1 - theta) / sigma,
        tau = min(min(1, 1 / b) w, sigma) where theta <= 0, else min(1, 1 / b) min(w, 1 / theta)

    for "ssbroyden" (arXiv 2405.04230, formulas 13 to 23), phi = 1 and tau = min(1, 1 / b) for "ssbfgs"
    (its formula 11), phi = tau = 1 for "bfgs". The tests hold the update to the following. H_+ y = s for any phi and
    tau, since v^T y = 0. a >= 0 by the Cauchy-Schwarz inequality. H_+ is positive definite if H is, y^T s > 0 and
    sigma > 0, which r > 0 ensures. As theta is the parameter of the update of H^-1 and phi that of H,
    det(H_+) = b det(H) / (sigma tau^(P - 1)). Since r = min(1, 1 / (b (1 + sqrt(a / (1 + a))))), theta is at most 1,
    and the 1 / theta in tau is never less than w.

    H is returned unchanged if y^T s does not exceed the rounding unit times ||y|| ||s||, or if a factor overflows. H_+
    is exactly symmetric if H is. Works in the dtype of H. Raises nothing.

    >>> s, y = jnp.asarray([1.0, 0.0]), jnp.asarray([4.0, 2.0])
    >>> (updated_inverse_hessian(jnp.eye(2), s, y, jnp.asarray(1.0)) @ y).round(12).tolist()
    [1.0, 0.0]
    """
    with jax.default_matmul_precision("highest"):
        along = change @ step
        image = scale * (inverse_hessian @ change)
        rho, squared = 1 / along, change @ image
        phi, tau = _factors(rho * squared, rho * curvature_along_step, len(step), variant)
        v = rho * step - image / squared
        # Outer products of one vector: rounding, fused or not, treats (i, j) and (j, i) alike
        outer = jnp.outer(image, image) / squared - (phi * squared) * jnp.outer(v, v)
        scaled = scale * inverse_hessian
        updated = (scaled - outer) / tau + rho * jnp.outer(step, step)
        noise = jnp.finfo(step.dtype).eps * jnp.linalg.norm(change) * jnp.linalg.norm(step)
        sound = jnp.isfinite(phi * squared) & jnp.isfinite(rho) & (tau > 0) & jnp.isfinite(1 / tau) & (squared > 0)
        return jnp.where((along > noise) & sound, updated, scaled)


def _factors(h: Array, b: Array, count: int, variant: Variant) -> tuple[Array, Array]:
    """phi and tau of ``updated_inverse_hessian``."""
    one = jnp.ones_like(h)
    if variant == "bfgs":
        return one, one
    scale = jnp.minimum(1, 1 / b)
    if variant == "ssbfgs":
        return one, scale
    a = jnp.maximum(h * b - 1, jnp.finfo(h.dtype).tiny)  # 0 if H y is parallel to s; theta then has no effect
    r = jnp.minimum(1, h * (1 - jnp.sqrt(a / (1 + a))))
    theta = jnp.maximum((r - 1) / a, jnp.minimum(1 / r, (1 - b) / b))
    sigma = 1 + a * theta
    w = sigma ** (1 / (1 - count)) if count > 1 else one
    tau = jnp.where(theta <= 0, jnp.minimum(scale * w, sigma), scale * w)
    return (1 - theta) / sigma, tau


def method(settings: Settings, steps: int) -> Method:
    """Steps -t H g, with t from a strong Wolfe line search and H from ``updated_inverse_hessian``.

    Both gradients of y are taken on the points of the step, so H survives a redraw of the points. The next step reuses
    the gradient at the end of the line search if parameters, points and loss weights have the same fingerprint. Causal
    row weights are frozen within a step and always cost a new gradient.

    The first trial is t = 1, or min(1, 1 / ||g||) while H is the initial identity. With ``scale_first`` H becomes
    y^T s / (y^T y) I before its first update (Nocedal and Wright 2006, equation 6.20). A failed line search leaves the
    parameters where they are, resets H to the identity and adds one to ``resets``. The preconditioner is H; that of an
    own state stays the identity, because one gradient per draw of points shows no curvature.
    """
    del steps

    def init(params: Tree) -> QuasiNewtonState:
        flat = ravel_pytree(params)[0]
        return QuasiNewtonState(
            inverse_hessian=jnp.eye(flat.size, dtype=flat.dtype),
            fresh=jnp.asarray(True),
            end=End.unknown(flat),
            resets=jnp.zeros((), jnp.int32),
        )

    def step(
        objective: Objective, params: Tree, state: QuasiNewtonState, points: Points, gradient: Tree = None
    ) -> tuple[Tree, QuasiNewtonState, dict[str, Array]]:
        del gradient  # the line search needs the value too
        start, unravel = ravel_pytree(params)
        here = start_of(objective, params, points, state.end)
        with jax.default_matmul_precision("highest"):
            direction = -(state.inverse_hessian @ here.gradient)
        accepted = strong_wolfe(
            here.value_and_gradient,
            start,
            here.value,
            here.gradient,
            direction,
            first_length=jnp.where(state.fresh, jnp.minimum(1, 1 / jnp.linalg.norm(here.gradient)), 1),
            most_evaluations=settings.most_evaluations,
            decrease=settings.decrease,
            curvature=settings.curvature,
        )
        failed = accepted.length <= 0
        moved, change = accepted.length * direction, accepted.gradient - here.gradient
        along, squares = change @ moved, change @ change
        first = state.fresh & (along > 0) & (squares > 0) & settings.scale_first
        scale = jnp.where(first, along / squares, 1)
        curvature = -accepted.length / scale * (moved @ here.gradient)
        updated = updated_inverse_hessian(state.inverse_hessian, moved, change, curvature, settings.variant, scale)
        after = start + moved
        identity = jnp.eye(start.size, dtype=start.dtype)
        new_state = QuasiNewtonState(
            inverse_hessian=jnp.where(failed, identity, updated),
            fresh=failed,
            end=end_of(objective, after, points, accepted),
            resets=state.resets + failed.astype(jnp.int32),
        )
        metrics = {
            "step_length": accepted.length,
            "gradient_evaluations": here.evaluations + accepted.evaluations,
            "resets": new_state.resets,
        }
        return unravel(after), new_state, metrics

    def precondition(
        objective: Objective, params: Tree, state: QuasiNewtonState, points: Points, gradient: Tree
    ) -> Tree:
        flat, unravel = ravel_pytree(gradient)
        with jax.default_matmul_precision("highest"):
            return unravel(state.inverse_hessian @ flat)

    return Method(init, step, precondition, observe=lambda params, state, gradient: state)
