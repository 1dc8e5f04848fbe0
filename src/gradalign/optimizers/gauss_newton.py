"""Gauss-Newton with Levenberg-Marquardt damping and geodesic acceleration. Cost per step: the Jacobian,
5/4 N P min(N, P) operations for the smaller Gram matrix of N residuals and P parameters, and for each damping tried one
Cholesky factorisation and about two gradients. Memory: N P + min(N, P)^2. Precision: float64, because the normal
equations square the condition number. Use it when there are at most a few thousand parameters and an accurate solution
is wanted."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.flatten_util import ravel_pytree

from gradalign.base.options import Options, option
from gradalign.base.trees import Tree
from gradalign.base.types import Points
from gradalign.optimizers._damped_least_squares import DampedSolution, damped, damped_system, norm_factor
from gradalign.optimizers._method import Method
from gradalign.optimizers._objective import Objective

GOOD_RATIO = 0.75  # actual / predicted decrease above which mu falls
INCREASE = 2.0  # factor of mu below bad_ratio


@dataclass(frozen=True, kw_only=True)
class Settings(Options):
    """Settings of the damping mu in (J^T J + mu I) d = -J^T r."""

    initial_damping: float = option(1.0, description="mu of the first step", gt=0)
    decrease: float = option(1 / 3, lt=1, description="factor of mu where the model was good", gt=0)
    refusal: float = option(4.0, gt=1, description="factor of mu where the loss did not fall")
    bad_ratio: float = option(0.25, description="actual / predicted decrease below which mu rises", gt=0)
    least_damping: float = option(1e-15, description="mu never falls below this", gt=0)
    acceleration: bool = option(True, description="add the second-order correction along the direction")
    longest_acceleration: float = option(
        0.75, description="2 ||a|| / ||v|| above which the correction a of the direction v is left out", gt=0
    )
    attempts: int = option(8, description="dampings that a step tries until the loss falls", gt=0)
    norm: Literal["parameters", "fields"] = option(
        "parameters", description="what mu keeps short: the step, or the change of the fields at the points"
    )
    parameter_share: float = option(
        1e-6, description="share of the length of the step in a norm of fields, without which it is none", gt=0
    )
    pseudo_step: float | None = option(
        None, description="step of pseudo-time stepping times sqrt(loss); no pseudo-time where left out", gt=0
    )


class GaussNewtonState(NamedTuple):
    """damping: () the present mu, in the dtype of the parameters."""

    damping: Array


class _Trial(NamedTuple):
    """A step in progress: parameters (P,), next and used mu, whether it was accepted, attempts, ratio."""

    flat: Array
    damping: Array
    used: Array
    accepted: Array
    attempts: Array
    ratio: Array


def method(settings: Settings, steps: int) -> Method:
    """One damped Gauss-Newton step at a time, with the first mu that lowers the loss on the points of the step.

    v = -(J^T J + mu I)^{-1} J^T r for the weighted rows r (N,) and their Jacobian J (N, P). With ``acceleration`` the
    step is v + a/2, a = -(J^T J + mu I)^{-1} J^T r_vv, where r_vv is the second derivative of r along v
    (arXiv 1201.5885, section III). The correction costs about two gradients and no factorisation, and is left out if a
    is too long.

    mu follows the ratio of the actual decrease of L = ||r||^2 to that of the linear model, -<J^T r, v> + mu ||v||^2. It
    is multiplied by ``decrease`` if the ratio exceeds 3/4, by 2 if it is below ``bad_ratio``, and by ``refusal`` if L
    did not fall. In the last case the same Jacobian is tried again, up to ``attempts`` times; then the parameters stay
    as they are (Levenberg 1944, Marquardt 1963). The system is primal or dual, whichever is smaller
    (``_damped_least_squares``).

    With the norm ``fields`` mu limits the change of the fields instead, a trust region in function space. I becomes
    C C^T = J_u^T J_u + share tr(J_u^T J_u)/P I. The first part gives the mean square over the points of J_u v, the
    first-order change of the fields ``Problem.driven``. In y = C^T d this is the same method with the Jacobian
    J C^{-T}. A change of coordinates of the parameters does not change the fields it visits, up to the small
    ``parameter_share``. It costs one more Jacobian, that of the fields, and P^3/3 + (N + N_u) P^2 more operations. The
    stationary points remain those of L.

    With ``pseudo_step`` the rows at step k are r(θ) + (u(θ) - u(θ_k))/Δτ for the loss terms that drive a field u: one
    linearised implicit Euler step for ∂u/∂τ = -r (arXiv 2604.23528). Damping, in either norm, applies to these rows.
    They equal r at θ_k, but their gradient 2 (J + J_u/Δτ)^T r need not vanish where that of L does, so the method can
    leave a stationary point of L. Δτ is ``pseudo_step`` / sqrt(L) at θ_k. It grows as in switched evolution relaxation
    (Mulder and van Leer 1985), and the method tends to the plain one. L itself may rise.

    The preconditioner is (J^T J + mu I)^{-1}, or with C C^T, with the Jacobian of the objective passed to it. Own
    states keep ``initial_damping``, because they take no steps. Metrics: ``damping``, the last mu tried;
    ``decrease_ratio``; ``attempts``; ``gradient_evaluations``: one for each Jacobian, one for the loss after each
    attempt and for that of ``pseudo_step``, and one for each r_vv; with ``pseudo_step`` also ``pseudo_rate``, 1/Δτ.
    Raises ``ConfigurationError`` if a setting needs the driven fields and the problem does not name them.
    """
    del steps
    once = 1 + (settings.norm == "fields") + (settings.pseudo_step is not None)  # gradient evaluations beside attempts

    def init(params: Tree) -> GaussNewtonState:
        return GaussNewtonState(jnp.asarray(settings.initial_damping, ravel_pytree(params)[0].dtype))

    def measured(objective: Objective, params: Tree, points: Points, jacobian: Array) -> tuple[Array, Array | None]:
        """J C^{-T} and C, where y = C^T d has the length of d in the norm; C is None for the identity."""
        if settings.norm == "parameters":
            return jacobian, None
        of_fields = objective.of_fields(params, points).linearisation(params, points)[1]
        root = norm_factor(of_fields, settings.parameter_share)
        return jax.lax.linalg.triangular_solve(root, jacobian, lower=True, transpose_a=True), root

    def in_parameters(root: Array | None, y: Array) -> Array:
        """C^{-T} y."""
        return y if root is None else jax.scipy.linalg.solve_triangular(root, y, lower=True, trans=1)

    def step(
        objective: Objective, params: Tree, state: GaussNewtonState, points: Points, gradient: Tree = None
    ) -> tuple[Tree, GaussNewtonState, dict[str, Array]]:
        del gradient  # it follows from the Jacobian
        objective = plain = objective.held(params, points)
        pseudo_time = {}
        if settings.pseudo_step is not None:
            rate = jnp.sqrt(plain.loss(params, points)) / settings.pseudo_step
            objective, pseudo_time = plain.in_pseudo_time(params, rate), {"pseudo_rate": rate}
        residuals, jacobian = objective.linearisation(params, points)
        flat, unravel = ravel_pytree(params)
        jacobian, root = measured(plain, params, points, jacobian)
        system, loss, slope = damped_system(jacobian), jnp.sum(residuals**2), residuals @ jacobian

        def rows(theta: Array) -> Array:
            found = objective.rows(unravel(theta), points)
            return jnp.concatenate([found[name] for name in objective.loss_weights])

        def accelerated(velocity: Array, solution: DampedSolution) -> Array:
            tangent = in_parameters(root, velocity)

            def along(theta: Array) -> Array:
                return jax.jvp(rows, (theta,), (tangent,))[1]

            correction = solution.step(jax.jvp(along, (flat,), (tangent,))[1])
            short = 2 * jnp.linalg.norm(correction) <= settings.longest_acceleration * jnp.linalg.norm(velocity)
            return velocity + jnp.where(short, correction / 2, 0)

        def attempt(trial: _Trial) -> _Trial:
            found = damped(system, trial.damping)
            velocity, used = found.step(residuals), found.damping
            direction = in_parameters(root, accelerated(velocity, found) if settings.acceleration else velocity)
            actual = loss - objective.loss(unravel(flat + direction), points)
            ratio = actual / (used * jnp.sum(velocity**2) - jnp.sum(slope * velocity))
            accepted = actual > 0  # false if the direction or the loss is NaN
            factor = jnp.where(ratio > GOOD_RATIO, settings.decrease, 1.0)
            factor = jnp.where(ratio < settings.bad_ratio, INCREASE, factor)
            factor = jnp.where(accepted, factor, settings.refusal).astype(flat.dtype)
            return _Trial(
                flat=jnp.where(accepted, flat + direction, flat),
                damping=jnp.maximum(used * factor, settings.least_damping),
                used=used,
                accepted=accepted,
                attempts=trial.attempts + 1,
                ratio=ratio,
            )

        first = _Trial(flat, state.damping, state.damping, jnp.zeros((), bool), jnp.zeros((), jnp.int32), loss)
        last = jax.lax.while_loop(lambda t: ~t.accepted & (t.attempts < settings.attempts), attempt, first)
        metrics = {
            "damping": last.used,
            "decrease_ratio": last.ratio,
            "attempts": last.attempts.astype(flat.dtype),
            "gradient_evaluations": once + last.attempts * (2 if settings.acceleration else 1),
        }
        return unravel(last.flat), GaussNewtonState(last.damping), metrics | pseudo_time

    def precondition(
        objective: Objective, params: Tree, state: GaussNewtonState, points: Points, gradient: Tree
    ) -> Tree:
        flat, unravel = ravel_pytree(gradient)
        jacobian, root = measured(objective, params, points, objective.linearisation(params, points)[1])
        if root is not None:
            flat = jax.scipy.linalg.solve_triangular(root, flat, lower=True)
        return unravel(in_parameters(root, damped(damped_system(jacobian), state.damping).solve(flat)))

    return Method(
        init,
        step,
        precondition,
        observe=lambda params, state, gradient: state,
        evaluations=(once, 1 + settings.acceleration),
    )
