"""L-BFGS: inverse Hessian from the last moves, and a line search (Liu and Nocedal 1989). Cost per step: one gradient,
one more at every trial of the line search, and 4 ``memory_size`` P products. Memory: (2 ``memory_size`` + 3) P.
Precision: float64; float32 hides changes of the loss below 1e-7 of it from the line search. Use it when the points stay
the same for many steps (``points_every``), or for a loss that first-order methods have brought close to a minimum."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array
from jax.flatten_util import ravel_pytree
from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from gradalign.method import Method
from gradalign.objective import Objective
from gradalign.problem import Points
from gradalign.settings import StrictModel
from gradalign.trees import Tree, subtract


class Settings(StrictModel):
    """Settings of L-BFGS and of its line search for the strong Wolfe conditions."""

    memory_size: PositiveInt = Field(default=10, description="moves from which the inverse Hessian is made")
    line_search_steps: PositiveInt = Field(default=20, description="trials of the line search, at most")
    slope_tolerance: PositiveFloat = Field(
        default=1e-4, lt=1, description="c_1: share of the predicted decrease that a step has to reach"
    )
    curvature_tolerance: PositiveFloat = Field(
        default=0.9, lt=1, description="c_2: share of the slope that may be left after a step; above slope_tolerance"
    )

    @model_validator(mode="after")
    def _ordered(self) -> "Settings":
        if self.curvature_tolerance <= self.slope_tolerance:  # else no step may satisfy both conditions
            raise ValueError(f"curvature_tolerance must exceed slope_tolerance = {self.slope_tolerance}")
        return self


class LbfgsState(NamedTuple):
    """State of L-BFGS.

    pairs: optax's memory of moves s and changes of the gradient y, with the parameters and the gradient seen last.
    gradient_after: like the parameters; the gradient after the last step, on the points of that step.
    """

    pairs: optax.ScaleByLBFGSState
    gradient_after: Tree


def inverse_hessian(pairs: optax.ScaleByLBFGSState, gradient: Tree) -> Tree:
    """H g for the inverse-Hessian approximation H of the memory and any gradient g: the two-loop recursion.

    H = H_k of  H_{j+1} = (I - rho_j s_j y_j^T) H_j (I - rho_j y_j s_j^T) + rho_j s_j s_j^T,  rho_j = 1 / (s_j^T y_j),
    over the moves s_j and changes of the gradient y_j in the memory, oldest first, from H = gamma I with
    gamma = s^T y / (y^T y) of the last pair (Liu and Nocedal 1989; Nocedal and Wright, algorithm 7.4). Before the first
    pair gamma = min(1, 1 / |g_0|) with the first gradient seen, as in optax: the first move is no longer than 1.

    Linear in ``gradient``; same structure, shapes and dtypes.

    >>> method_of_state = optax.scale_by_lbfgs()
    >>> pairs = method_of_state.init(jnp.zeros(2))
    >>> float(inverse_hessian(pairs, jnp.asarray([3.0, 0.0]))[0])  # nothing seen: the identity
    3.0
    """
    flat, unravel = ravel_pytree(gradient)
    moves, changes = (
        jax.vmap(lambda tree: ravel_pytree(tree)[0])(memory)
        for memory in (pairs.diff_params_memory, pairs.diff_updates_memory)
    )
    weights = pairs.weights_memory.astype(flat.dtype)
    size = len(weights)
    oldest_first = (pairs.count - 1 + jnp.arange(size, dtype=pairs.count.dtype)) % size
    last = oldest_first[-1]

    def backward(vector: Array, index: Array) -> tuple[Array, Array]:
        share = weights[index] * jnp.vdot(moves[index], vector)
        return vector - share * changes[index], share

    def forward(vector: Array, index_and_share: tuple[Array, Array]) -> tuple[Array, None]:
        index, share = index_and_share
        return vector + (share - weights[index] * jnp.vdot(changes[index], vector)) * moves[index], None

    squared = jnp.vdot(changes[last], changes[last])
    first_scale = jnp.minimum(1.0, 1.0 / jnp.linalg.norm(ravel_pytree(pairs.updates)[0])).astype(flat.dtype)
    no_change_scale = jnp.where(pairs.count > 1, jnp.ones_like(first_scale), first_scale)
    ratio = jnp.vdot(moves[last], changes[last]) / jnp.where(squared > 0, squared, 1)
    scale = jnp.where(squared > 0, ratio, no_change_scale)
    vector, shares = jax.lax.scan(backward, flat, oldest_first, reverse=True)
    return unravel(jax.lax.scan(forward, scale * vector, (oldest_first, shares))[0])


def method(settings: Settings, steps: int) -> Method:
    """L-BFGS with optax's memory and zoom line search; its linear map is ``inverse_hessian``.

    One step: theta <- theta - eta H g, where eta satisfies the strong Wolfe conditions of the loss L on the points of
    this step, L(theta - eta H g) <= L - c_1 eta g^T H g and |g(theta - eta H g)^T H g| <= c_2 g^T H g (Nocedal and
    Wright, algorithms 3.5 and 3.6). Without new points and weights these are the iterates of ``optax.lbfgs``.

    With points drawn anew, neither the value nor the gradient that the last line search ended with belongs to the
    function of this step, so both are computed again. And the change of the gradient y that is remembered is that of
    one function, on the points of the move itself: the change from one draw to the next is left out of it. A state that
    only observes has one gradient a step, and therefore y with that change in it.

    Causal row weights keep their values of the start of the step, so that L and its gradient belong to one function.

    A pair without positive curvature s^T y > 0, which a line search cut short can leave, is not remembered: H stays
    positive definite, and H g a direction of descent for g.
    """
    del steps
    memory = optax.scale_by_lbfgs(settings.memory_size)
    line_search = optax.scale_by_zoom_linesearch(
        settings.line_search_steps,
        slope_rtol=settings.slope_tolerance,
        curv_rtol=settings.curvature_tolerance,
        initial_guess_strategy="one",
    )

    def init(params: Tree) -> LbfgsState:
        empty = jax.tree.map(jnp.copy, memory.init(params))  # its two memories are one array, which cannot be donated
        return LbfgsState(empty, jax.tree.map(jnp.zeros_like, params))

    def remembered(pairs: optax.ScaleByLBFGSState, params: Tree, gradient: Tree) -> optax.ScaleByLBFGSState:
        """The memory with one more pair: the move to ``params``, and the change of the gradient that came of it."""
        move, change = (
            ravel_pytree(subtract(*both))[0] for both in ((params, pairs.params), (gradient, pairs.updates))
        )
        useful = (pairs.count == 0) | (jnp.vdot(move, change) > 0)
        seen = memory.update(gradient, pairs, params)[1]
        passed_over = pairs._replace(params=params, updates=gradient)
        return jax.tree.map(lambda new, old: jnp.where(useful, new, old), seen, passed_over)

    def step(
        objective: Objective, params: Tree, state: LbfgsState, points: Points, gradient: Tree = None
    ) -> tuple[Tree, LbfgsState, dict[str, Array]]:
        held = objective.held(params, points)

        def loss(theta: Tree) -> Array:
            return held.loss(theta, points)

        value, found = jax.value_and_grad(loss)(params)
        gradient = found if gradient is None else gradient
        with jax.numpy_dtype_promotion("standard"):  # optax itself mixes integer counts with floats
            # The memory subtracts the gradient it saw last. What the new draw has changed is added to that one before,
            # which leaves the change over the move, on the points of the move.
            drawn = subtract(gradient, state.gradient_after)
            before = state.pairs._replace(updates=jax.tree.map(jnp.add, state.pairs.updates, drawn))
            pairs = remembered(before, params, gradient)
            direction = jax.tree.map(jnp.negative, inverse_hessian(pairs, gradient))
            updates, searched = line_search.update(
                direction, line_search.init(params), params, value=value, grad=gradient, value_fn=loss
            )
        trials = searched.info.num_linesearch_steps
        metrics = {
            "step_size": searched.learning_rate,
            "line_search_steps": trials,
            "gradient_evaluations": 1 + trials.astype(jnp.int32),
        }
        return optax.apply_updates(params, updates), LbfgsState(pairs, searched.grad), metrics

    def observe(params: Tree, state: LbfgsState, gradient: Tree) -> LbfgsState:
        with jax.numpy_dtype_promotion("standard"):
            return state._replace(pairs=remembered(state.pairs, params, gradient))

    def precondition(objective: Objective, params: Tree, state: LbfgsState, points: Points, gradient: Tree) -> Tree:
        return inverse_hessian(state.pairs, gradient)

    return Method(init, step, precondition, observe)
