"""Runs of one method on a small problem, followed with exact matrices. One compiled program follows all seeds, with
fixed and with redrawn points. All quantities are dimensionless and in float64."""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.flatten_util import ravel_pytree
from numpy.typing import NDArray
from scipy.linalg import block_diag

from gradalign.base import randomness, trees
from gradalign.base.trees import Tree
from gradalign.claims import _small_pinns as small_pinns
from gradalign.claims._small_pinns import Fit, by_loss, draw
from gradalign.diagnostics.alignment import alignment_score, inter_step_score, score_from_gram
from gradalign.diagnostics.angles import gauss_newton_gram
from gradalign.diagnostics.kronecker import best_kronecker, off_diagonal_energy
from gradalign.diagnostics.matrices import gauss_newton_matrix, hessian_matrix, kernel_matrix
from gradalign.optimizers._method import Method, State
from gradalign.optimizers._objective import Objective
from gradalign.optimizers.soap import ScaleBySoapState

Floats = NDArray[np.floating[Any]]

DAMPING = 1e-8  # of Gauss-Newton directions, in units of the largest eigenvalue; small PINNs are rank deficient
FINE_DAMPING = 1e-12  # where the eigenvalues of the kernel end in rounding
LEADING = 12  # the condition number of the leading eigenvalues is lambda_1 / lambda_12


class Loop(NamedTuple):
    """What changes along a run. ``gradient``, ``update`` and ``own_updates`` are those of the last step, ``before`` the
    update of the step before it; zero where there was none."""

    step: Array
    params: Tree
    state: State
    own_states: dict[str, State]
    gradient: Tree
    update: Tree
    before: Tree
    own_updates: dict[str, Tree]


class History(NamedTuple):
    """Runs of one method.

    steps: (T,) the logged steps. values: by quantity, (seeds, T). params, state: of the method at the logged steps,
    leading axes (seeds, T); None unless they were asked for.
    """

    steps: NDArray[np.integer[Any]]
    values: dict[str, Floats]
    params: Tree
    state: State


def follow(
    task: Fit,
    method: Method,
    steps: int,
    every: int,
    seeds: Sequence[int],
    redraw: Sequence[bool] = (False, True),
    own: bool = True,
    keep: bool = False,
    spectra: bool = True,
) -> list[History]:
    """Run ``method`` for all seeds, with fixed and with redrawn points, and log every ``every`` steps; one per redraw.

    ``own``: also keep, for every loss, a state of the method that sees only that loss along the same path. ``keep``:
    return parameters and states at the logged steps. ``spectra``: log the preconditioned condition number. What is left
    out is NaN. Quantities (scores and cosines; P is the linear map of the state before the step, g_i and J belong to
    the present points):

    - ``loss`` on the present points; ``error``: relative L2 error on a grid;
    - ``raw`` A(g_i), ``common`` A(P g_i), ``own`` A(P_i g_i), ``own_momentum``: A of the updates of the last step that
      the own-state optimizers would have made;
    - ``whitened``, ``newton``: A of the damped Gauss-Newton directions, powers 1/2 and 1; ``whitened_fine`` with the
      finer damping, ``damping_bound`` the largest |A - (2/n - 1)| that the damping of ``whitened`` can leave;
    - ``inter_gradient``: gradients before and after the last step, on the same points; ``inter_update``: its update
      and the one before;
    - ``condition``, ``condition_preconditioned``: lambda_1 / lambda_12 of J^T J and of P^(1/2) J^T J P^(1/2);
    - ``cosine_whitened``, ``cosine_newton``: of P g with those Gauss-Newton directions of the whole loss.
    """
    run = _program(task, method, steps // every + 1, every, own, keep, spectra)
    members = [(seed, flag) for flag in redraw for seed in seeds]
    keys = [jnp.stack([randomness.stream(seed, name) for seed, _ in members]) for name in ("parameters", "points")]
    flags = jnp.asarray([int(flag) for _, flag in members], jnp.int32)
    # One after the other: batched factorisations of jaxlib's CPU kernels can wait for each other for ever, because each
    # blocks a thread of the pool that its parts need
    together = jax.jit(lambda *stacked: jax.lax.map(lambda member: run(*member), stacked))
    found = jax.tree.map(np.asarray, together(*keys, flags))
    size = len(seeds)
    return [
        History(
            np.arange(steps // every + 1) * every, *jax.tree.map(lambda v, k=k: v[k * size : (k + 1) * size], found)
        )
        for k in range(len(redraw))
    ]


def _program(
    task: Fit, method: Method, logs: int, every: int, own: bool, keep: bool, spectra: bool
) -> Callable[[Array, Array, Array], tuple[dict[str, Array], Tree, State]]:
    """One run from its keys; the steps after the last log are made and thrown away."""
    objective, problem = task.objective, task.problem
    losses = problem.losses if own else ()
    grid = small_pinns.grid(problem)

    def advance(key: Array, redraw: Array, loop: Loop) -> Loop:
        points = draw(task, key, loop.step * redraw)
        gradients = objective.loss_gradients(loop.params, points)
        gradient = trees.total(list(gradients.values()))
        own_states, own_updates = {}, {}
        for name in losses:
            moved, own_states[name], _ = method.step(
                objective.only(name), loop.params, loop.own_states[name], points, gradients[name]
            )
            own_updates[name] = trees.subtract(moved, loop.params)
        params, state, _ = method.step(objective, loop.params, loop.state, points, gradient)
        update = trees.subtract(params, loop.params)
        return Loop(loop.step + 1, params, state, own_states, gradient, update, loop.update, own_updates)

    def diagnose(key: Array, redraw: Array, loop: Loop) -> dict[str, Array]:
        params = loop.params
        points = draw(task, key, loop.step * redraw)
        residuals, J = objective.linearisation(params, points)
        r_parts, J_parts = by_loss(task, residuals, J)
        gradients = jnp.stack([2 * r_parts[name] @ J_parts[name] for name in problem.losses])
        unravel = ravel_pytree(params)[1]

        def preconditioned(rows: Array, objective: Objective, state: State) -> Array:
            """P applied to each of some gradients (S, P)."""
            return jax.vmap(
                lambda row: ravel_pytree(method.precondition(objective, params, state, points, unravel(row)))[0]
            )(rows)

        rows = jnp.concatenate([gradients, J]) if spectra else gradients
        directions, PJ = jnp.split(preconditioned(rows, objective, loop.state), [len(gradients)])
        own_directions = [
            preconditioned(gradients[k : k + 1], objective.only(name), loop.own_states[name])[0]
            for k, name in enumerate(problem.losses)
            if own
        ]
        undefined = jnp.asarray(jnp.nan)
        values, Z = jnp.linalg.eigh(kernel_matrix(J))
        damping = DAMPING * values[-1]
        path = jnp.sum(directions, axis=0)

        def gauss_newton_score(power: float, damping: Array) -> Array:
            return score_from_gram(gauss_newton_gram(J_parts, r_parts, power, damping))

        def gauss_newton_direction(power: float) -> Array:
            return J.T @ (Z @ ((values + damping) ** -power * (Z.T @ residuals)))

        last = draw(task, key, jnp.maximum(loop.step - 1, 0) * redraw)
        predicted, exact = task.network.apply(params, grid)[:, 0], task.solution(grid)
        return {
            "loss": jnp.sum(residuals**2),
            "error": jnp.linalg.norm(predicted - exact) / jnp.linalg.norm(exact),
            "raw": alignment_score(gradients),
            "common": alignment_score(directions),
            "own": alignment_score(jnp.stack(own_directions)) if own else undefined,
            "own_momentum": alignment_score(loop.own_updates) if own else undefined,
            "whitened": gauss_newton_score(0.5, damping),
            "whitened_fine": gauss_newton_score(0.5, FINE_DAMPING * values[-1]),
            "damping_bound": damping_bound(values, by_loss(task, Z)[0], r_parts, damping),
            "newton": gauss_newton_score(1.0, damping),
            "inter_gradient": inter_step_score(loop.gradient, objective.gradient(params, last)),
            "inter_update": inter_step_score(loop.before, loop.update),
            "condition": leading_condition(values),
            "condition_preconditioned": leading_condition(jnp.linalg.eigvalsh(J @ PJ.T)) if spectra else undefined,
            "cosine_whitened": inter_step_score(path, gauss_newton_direction(0.5)),
            "cosine_newton": inter_step_score(path, gauss_newton_direction(1.0)),
        }

    def run(parameter_key: Array, points_key: Array, redraw: Array) -> tuple[dict[str, Array], Tree, State]:
        params = task.network.init(parameter_key)
        zeros = jax.tree.map(jnp.zeros_like, params)
        start = Loop(
            step=jnp.zeros((), jnp.int32),
            params=params,
            state=method.init(params),
            own_states={name: method.init(params) for name in losses},
            gradient=zeros,
            update=zeros,
            before=zeros,
            own_updates=dict.fromkeys(losses, zeros),
        )

        def block(loop: Loop, _: None) -> tuple[Loop, tuple[dict[str, Array], Tree, State]]:
            row = diagnose(points_key, redraw, loop)
            kept = (loop.params, loop.state) if keep else (None, None)
            after = jax.lax.scan(lambda now, _: (advance(points_key, redraw, now), None), loop, length=every)[0]
            return after, (row, *kept)

        return jax.lax.scan(block, start, length=logs)[1]

    return run


def damping_bound(values: Array, vectors: dict[str, Array], residuals: dict[str, Array], damping: Array) -> Array:
    """The largest distance from 2/n - 1 that damping can leave in the score of Gauss-Newton directions of power 1/2.

    K = Z diag(lambda) Z^T with the rows of Z in blocks Z_i (N_i, N) by loss, r_i (N_i,). With E = mu (K + mu I)^-1 the
    Gram matrix of the directions is r_i^T (I - E)_ij r_j (T20), and with e_i = r_i^T E_ii r_i / ||r_i||^2 Cauchy and
    Schwarz give for E

        |A - (2/n - 1)| <= 4/n^2 sum_(i < j) sqrt(e_i e_j / ((1 - e_i) (1 - e_j))).

    Eigenvalues below the cutoff of ``gauss_newton_gram`` count as zero.

    >>> vectors = {"bc": jnp.asarray([[1.0, 0.0]]), "pde": jnp.asarray([[0.0, 1.0]])}
    >>> residuals = {"bc": jnp.ones(1), "pde": jnp.ones(1)}
    >>> float(damping_bound(jnp.ones(2), vectors, residuals, jnp.asarray(1.0)))  # e = 1/2
    1.0
    """
    kept = jnp.where(values > values.size * float(jnp.finfo(values.dtype).eps) * values[-1], values, 0)
    lost = jnp.stack(
        [
            jnp.sum(damping / (kept + damping) * (vectors[name].T @ r) ** 2) / jnp.sum(r**2)
            for name, r in residuals.items()
        ]
    )
    odds = jnp.sqrt(lost / (1 - lost))
    return 4 / lost.size**2 * jnp.sum(jnp.triu(jnp.outer(odds, odds), 1))


def leading_condition(eigenvalues: Array) -> Array:
    """lambda_1 / lambda_12 of ascending eigenvalues, in [1, inf]; lambda_1 / lambda_min where there are fewer.

    >>> float(leading_condition(jnp.arange(1.0, 21.0))), float(leading_condition(jnp.arange(1.0, 5.0)))
    (2.2222222222222223, 4.0)
    """
    return eigenvalues[-1] / eigenvalues[-min(LEADING, eigenvalues.size)]


def structures(task: Fit, history: History, seeds: Sequence[int], checkpoints: Sequence[int]) -> dict[str, Floats]:
    """Structure of J^T J at some logged steps of a run on fixed points that kept its states; rows (seeds, steps).

    ``identity``, ``soap``: off-diagonal energy in the basis of the parameters and in SOAP's; ``middle_identity``,
    ``middle_soap``, ``kronecker``: the same of the block of the second kernel, and its best-Kronecker error;
    ``curvature``: ||H / 2 - J^T J|| / ||J^T J|| at the first and the last step, H the Hessian of the loss.
    """
    linearisation = jax.jit(task.objective.linearisation)
    energy = jax.jit(off_diagonal_energy)
    hessian = jax.jit(lambda params, points: hessian_matrix(lambda p: task.objective.loss(p, points) / 2, params))
    names = ("identity", "soap", "middle_identity", "middle_soap", "kronecker")
    found: dict[str, list[list[float]]] = {name: [] for name in names}
    curvature: list[list[float]] = []
    for index, seed in enumerate(seeds):
        points = draw(task, randomness.stream(seed, "points"), 0)
        rows = []
        curvature.append([])
        for step in checkpoints:
            place = int(np.flatnonzero(history.steps == step)[0])
            params, state = jax.tree.map(itemgetter((index, place)), (history.params, history.state))
            matrix = gauss_newton_matrix(linearisation(params, points)[1])
            if step in (checkpoints[0], checkpoints[-1]):
                difference = hessian(params, points) - matrix
                curvature[-1].append(float(jnp.linalg.norm(difference) / jnp.linalg.norm(matrix)))
            basis = soap_basis(state[0])
            middle = middle_kernel(params)
            block, block_basis = (whole[np.ix_(middle, middle)] for whole in (np.asarray(matrix), basis))
            m, n = params["hidden"][1]["kernel"].shape
            rows.append(
                [
                    energy(matrix),
                    energy(matrix, jnp.asarray(basis)),
                    energy(block),
                    energy(block, jnp.asarray(block_basis)),
                    best_kronecker(jnp.asarray(block), m, n).relative_error,
                ]
            )
        for name, values in zip(names, np.asarray(rows, dtype=float).T, strict=True):
            found[name].append(list(values))
    return {**{name: np.asarray(values) for name, values in found.items()}, "curvature": np.asarray(curvature)}


def soap_basis(state: ScaleBySoapState) -> Floats:
    """The orthogonal matrix (P, P) whose columns are the coordinates in which SOAP scales a gradient.

    Block diagonal, kron(Q_L, Q_R) for each matrix parameter and the identity for axes and vectors left alone, in the
    order of ``jax.flatten_util.ravel_pytree``.

    >>> from gradalign.optimizers.soap import scale_by_soap
    >>> soap_basis(scale_by_soap().init({"kernel": jnp.ones((2, 2)), "bias": jnp.ones(1)})).shape
    (5, 5)
    """
    blocks = []
    for leaf, sides in zip(jax.tree.leaves(state.second_moment), state.bases, strict=True):
        block = np.eye(1)
        for length, basis in zip(leaf.shape, sides, strict=True):
            block = np.kron(block, np.eye(length) if basis is None else np.asarray(basis))
        blocks.append(block)
    return np.asarray(block_diag(*blocks))


def middle_kernel(params: Tree) -> NDArray[np.integer[Any]]:
    """Places of the second kernel among the flattened parameters."""
    marks = jax.tree.map(jnp.zeros_like, params)
    marks["hidden"][1]["kernel"] = jnp.ones_like(marks["hidden"][1]["kernel"])
    return np.flatnonzero(np.asarray(ravel_pytree(marks)[0]))
