"""Levenberg-Marquardt: Gauss-Newton with adapted damping. Cost per step: the Jacobian, N P min(N, P) for the Gram
matrix and one Cholesky factorisation. Memory: N P + min(N, P)^2. float64, up to a few thousand parameters."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.flatten_util import ravel_pytree
from pydantic import Field, PositiveFloat

from gradalign.method import Method
from gradalign.objective import Objective
from gradalign.problem import Points
from gradalign.settings import StrictModel
from gradalign.trees import Tree


class Settings(StrictModel):
    """Settings of the damping mu in (J^T J + mu I) d = -J^T r."""

    initial_damping: PositiveFloat = Field(default=1.0, description="mu of the first step")
    decrease: PositiveFloat = Field(default=1 / 3, lt=1, description="factor of mu where the model was good")
    increase: PositiveFloat = Field(default=2.0, gt=1, description="factor of mu where the model was bad")
    good_ratio: PositiveFloat = Field(default=0.75, description="actual / predicted decrease above which mu falls")
    bad_ratio: PositiveFloat = Field(default=0.25, description="actual / predicted decrease below which mu rises")
    least_damping: PositiveFloat = Field(default=1e-12, description="mu never falls below this")


class LevenbergMarquardtState(NamedTuple):
    """damping: () the present mu, in the dtype of the parameters."""

    damping: Array


def damped_solve(jacobian: Array, damping: Array, right_side: Array) -> Array:
    """x (P,) with (J^T J + mu I) x = b for J (N, P), b (P,): by whichever of J^T J and J J^T is smaller.

    The dual form is x = (b - J^T (J J^T + mu I)^{-1} J b) / mu; it loses digits as mu falls below the rounding unit
    times ||J||^2. Not a number where the Cholesky factorisation fails.

    >>> damped_solve(jnp.eye(2), jnp.asarray(1.0), jnp.asarray([2.0, 4.0])).round(12).tolist()
    [1.0, 2.0]
    """
    rows, columns = jacobian.shape
    if rows >= columns:
        gram = jacobian.T @ jacobian + damping * jnp.eye(columns, dtype=jacobian.dtype)
        return jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(gram), right_side)
    gram = jacobian @ jacobian.T + damping * jnp.eye(rows, dtype=jacobian.dtype)
    inner = jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(gram), jacobian @ right_side)
    return (right_side - jacobian.T @ inner) / damping


def gauss_newton_step(jacobian: Array, damping: Array, residuals: Array) -> Array:
    """d (P,) = -(J^T J + mu I)^{-1} J^T r = -J^T (J J^T + mu I)^{-1} r, by whichever matrix is smaller.

    >>> gauss_newton_step(jnp.asarray([[2.0, 0.0]]), jnp.asarray(4.0), jnp.asarray([4.0])).round(12).tolist()
    [-1.0, -0.0]
    """
    rows, columns = jacobian.shape
    if rows >= columns:
        return -damped_solve(jacobian, damping, jacobian.T @ residuals)
    gram = jacobian @ jacobian.T + damping * jnp.eye(rows, dtype=jacobian.dtype)
    return -jacobian.T @ jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(gram), residuals)


def method(settings: Settings, steps: int) -> Method:
    """One damped Gauss-Newton step at a time: kept if it lowers the loss on its own points, else only mu changes.

    With the ratio of actual to predicted decrease of L = ||r||^2, mu is multiplied by ``decrease`` above
    ``good_ratio`` and by ``increase`` below ``bad_ratio`` (Levenberg 1944, Marquardt 1963). The linear map of the
    state is (J^T J + mu I)^{-1}, with the Jacobian of the objective it is asked about; an own-state map keeps
    ``initial_damping``, since nothing moves along it.
    """
    del steps

    def init(params: Tree) -> LevenbergMarquardtState:
        return LevenbergMarquardtState(jnp.asarray(settings.initial_damping, ravel_pytree(params)[0].dtype))

    def step(
        objective: Objective, params: Tree, state: LevenbergMarquardtState, points: Points, gradient: Tree = None
    ) -> tuple[Tree, LevenbergMarquardtState, dict[str, Array]]:
        del gradient  # the Jacobian holds it
        residuals, jacobian = objective.linearisation(params, points)
        flat, unravel = ravel_pytree(params)
        direction = gauss_newton_step(jacobian, state.damping, residuals)
        loss = jnp.sum(residuals**2)
        candidate = unravel(flat + direction)
        actual = loss - objective.loss(candidate, points)
        ratio = actual / (loss - jnp.sum((residuals + jacobian @ direction) ** 2))
        accepted = actual > 0  # false for a direction or loss that is not a number
        factor = jnp.where(ratio > settings.good_ratio, settings.decrease, 1.0)
        factor = jnp.where(accepted & (ratio >= settings.bad_ratio), factor, settings.increase).astype(flat.dtype)
        damping = jnp.maximum(state.damping * factor, settings.least_damping)
        params = jax.tree.map(lambda new, old: jnp.where(accepted, new, old), candidate, params)
        metrics = {"damping": state.damping, "decrease_ratio": ratio}
        return params, LevenbergMarquardtState(damping), metrics

    def precondition(
        objective: Objective, params: Tree, state: LevenbergMarquardtState, points: Points, gradient: Tree
    ) -> Tree:
        _, jacobian = objective.linearisation(params, points)
        flat, unravel = ravel_pytree(gradient)
        return unravel(damped_solve(jacobian, state.damping, flat))

    return Method(init, step, precondition, observe=lambda params, state, gradient: state)
