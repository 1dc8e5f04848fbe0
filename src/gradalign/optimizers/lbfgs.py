"""L-BFGS: an inverse Hessian from the last steps, and a line search (Liu and Nocedal 1989). Cost per step: a value with
its gradient at every trial of the line search (mostly one), one more on new points, and 4 ``memory_size`` P products.
Memory: (2 ``memory_size`` + 2) P. Precision: float64; in float32 the line search cannot see relative changes of the
loss below 1e-7. Use it when the points stay the same for many steps (``points_every``), or for a loss that first-order
methods have brought close to a minimum."""

from dataclasses import dataclass
from typing import NamedTuple

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

MOST_EVALUATIONS = 20
"""Most trials of a line search."""


@dataclass(frozen=True, kw_only=True)
class Settings(Options):
    """Settings of L-BFGS and of its line search for the strong Wolfe conditions."""

    memory_size: int = option(10, description="moves from which the inverse Hessian is made", gt=0)
    slope_tolerance: float = option(
        1e-4, lt=0.5, description="c_1: share of the predicted decrease that a step has to reach", gt=0
    )
    curvature_tolerance: float = option(
        0.9, lt=1, description="c_2: share of the slope that may be left after a step; above slope_tolerance", gt=0
    )

    def misfit(self) -> str | None:
        if self.curvature_tolerance <= self.slope_tolerance:  # else no step may satisfy both conditions
            return f"curvature_tolerance must exceed slope_tolerance = {self.slope_tolerance}"
        return None


class Pairs(NamedTuple):
    """The memory of L-BFGS: steps s_j and gradient changes y_j, oldest first, each (``memory_size``, P).

    Where both have a row of zeros there is no pair yet; all others have s_j^T y_j > 0.
    """

    moves: Array
    changes: Array

    def with_one_more(self, move: Array, change: Array) -> "Pairs":
        """The memory with one more pair instead of the oldest; unchanged if that pair shows no positive curvature.

        It is kept if s^T y exceeds the rounding unit times |s| |y|, and 1 / s^T y and 1 / y^T y are finite.
        """
        along, squared = move @ change, change @ change
        noise = jnp.finfo(move.dtype).eps * jnp.linalg.norm(move) * jnp.linalg.norm(change)
        useful = (along > noise) & jnp.isfinite(1 / along) & jnp.isfinite(1 / squared)
        return jax.tree.map(
            lambda old, row: jnp.where(useful, jnp.concatenate([old[1:], row[None]]), old), self, Pairs(move, change)
        )


class LbfgsState(NamedTuple):
    """State of L-BFGS.

    pairs: the memory.
    params: (P,), the parameters of the last gradient.
    end: the loss and its gradient there.
    seen: () bool, whether ``params`` and ``end`` hold anything yet.
    """

    pairs: Pairs
    params: Array
    end: End
    seen: Array


def inverse_hessian(pairs: Pairs, gradient: Array) -> Array:
    """H g for the inverse-Hessian approximation H of the memory and any gradient g (P,), by the two-loop recursion.

    H = H_k of  H_{j+1} = (I - rho_j s_j y_j^T) H_j (I - rho_j y_j s_j^T) + rho_j s_j s_j^T,  rho_j = 1 / (s_j^T y_j),
    over the steps s_j and gradient changes y_j in the memory, oldest first. It starts from H = gamma I with
    gamma = s^T y / (y^T y) of the last pair (Liu and Nocedal 1989; Nocedal and Wright, algorithm 7.4). Before the first
    pair H is the identity.

    Linear in ``gradient``, positive definite; (P,), in the dtype of ``gradient``. Raises nothing.

    >>> nothing = Pairs(jnp.zeros((2, 2)), jnp.zeros((2, 2)))
    >>> one = nothing.with_one_more(jnp.asarray([1.0, 0.0]), jnp.asarray([4.0, 0.0]))  # curvature 4
    >>> [inverse_hessian(pairs, jnp.asarray([4.0, 8.0])).tolist() for pairs in (nothing, one)]
    [[4.0, 8.0], [1.0, 2.0]]
    """
    moves, changes = pairs
    along, squared = jnp.sum(moves * changes, axis=1), changes[-1] @ changes[-1]
    weights = jnp.where(along > 0, 1 / jnp.where(along > 0, along, 1), 0)
    scale = jnp.where(squared > 0, along[-1] / jnp.where(squared > 0, squared, 1), 1)

    def backward(vector: Array, pair: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        move, change, weight = pair
        share = weight * (move @ vector)
        return vector - share * change, share

    def forward(vector: Array, pair: tuple[Array, Array, Array, Array]) -> tuple[Array, None]:
        move, change, weight, share = pair
        return vector + (share - weight * (change @ vector)) * move, None

    with jax.default_matmul_precision("highest"):
        vector, shares = jax.lax.scan(backward, gradient, (moves, changes, weights), reverse=True)
        return jax.lax.scan(forward, scale * vector, (moves, changes, weights, shares))[0]


def method(settings: Settings, steps: int) -> Method:
    """L-BFGS with a strong Wolfe line search and the preconditioner ``inverse_hessian``.

    One step is theta <- theta - eta H g. eta satisfies the strong Wolfe conditions of the loss L on the points of this
    step, L(theta - eta H g) <= L - c_1 eta g^T H g and |g(theta - eta H g)^T H g| <= c_2 g^T H g (Nocedal and Wright,
    algorithms 3.5 and 3.6; ``_line_search.strong_wolfe``). The first trial is eta = 1. While the memory is empty it is
    min(1, 1 / |g|), so that the first step is no longer than 1.

    The next step reuses the value and gradient at the end of the line search if parameters, points and loss weights are
    unchanged (``_line_search.start_of``). A step whose first trial is accepted then costs one evaluation.

    Both gradients of y are taken on the points of the step, so no change between two draws of points enters H. A state
    that only observes has one gradient per step, and its y therefore contains that change.

    A pair without positive curvature s^T y > 0, which a truncated line search can leave, is not stored. H stays
    positive definite, and -H g is a descent direction. A line search that finds no step leaves the parameters where
    they are and empties the memory.
    """
    del steps

    def empty(size: int, dtype: jnp.dtype) -> Pairs:
        return Pairs(*(jnp.zeros((settings.memory_size, size), dtype) for _ in Pairs._fields))

    def init(params: Tree) -> LbfgsState:
        flat = ravel_pytree(params)[0]
        return LbfgsState(empty(flat.size, flat.dtype), jnp.copy(flat), End.unknown(flat), jnp.asarray(False))

    def step(
        objective: Objective, params: Tree, state: LbfgsState, points: Points, gradient: Tree = None
    ) -> tuple[Tree, LbfgsState, dict[str, Array]]:
        del gradient  # the line search needs the value too, and one pass gives both
        start, unravel = ravel_pytree(params)
        here = start_of(objective, params, points, state.end)
        direction = -inverse_hessian(state.pairs, here.gradient)
        nothing_known = jnp.all(state.pairs.changes[-1] == 0)
        accepted = strong_wolfe(
            here.value_and_gradient,
            start,
            here.value,
            here.gradient,
            direction,
            first_length=jnp.where(nothing_known, jnp.minimum(1, 1 / jnp.linalg.norm(here.gradient)), 1),
            most_evaluations=MOST_EVALUATIONS,
            decrease=settings.slope_tolerance,
            curvature=settings.curvature_tolerance,
        )
        move = accepted.length * direction
        after, failed = start + move, accepted.length <= 0
        pairs = state.pairs.with_one_more(move, accepted.gradient - here.gradient)
        pairs = jax.tree.map(lambda rows: jnp.where(failed, 0, rows), pairs)
        metrics = {
            "step_size": accepted.length,
            "line_search_steps": accepted.evaluations,
            "gradient_evaluations": here.evaluations + accepted.evaluations,
        }
        end = end_of(objective, after, points, accepted)
        return unravel(after), LbfgsState(pairs, after, end, jnp.asarray(True)), metrics

    def observe(params: Tree, state: LbfgsState, gradient: Tree) -> LbfgsState:
        flat, found = ravel_pytree(params)[0], ravel_pytree(gradient)[0]
        more = state.pairs.with_one_more(flat - state.params, found - state.end.gradient)
        pairs = jax.tree.map(lambda new, old: jnp.where(state.seen, new, old), more, state.pairs)
        return LbfgsState(pairs, flat, End.unknown(flat)._replace(gradient=found), jnp.asarray(True))

    def precondition(objective: Objective, params: Tree, state: LbfgsState, points: Points, gradient: Tree) -> Tree:
        flat, unravel = ravel_pytree(gradient)
        return unravel(inverse_hessian(state.pairs, flat))

    return Method(init, step, precondition, observe)
