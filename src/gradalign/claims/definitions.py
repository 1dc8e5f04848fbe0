"""Claims T24 and T25: the score depends on the coordinates, and on whose preconditioner is meant.

T24 trains pairs of nonlinear least-squares losses by Newton and by Gauss-Newton in several coordinates
theta = B theta', with all derivatives taken of the losses as functions of theta'. T25 compares raw gradients,
directions of the state that sees the whole loss (common), and directions of a state for each loss (own). Problems are
drawn from explicit seeds in float64. A record of status "false in general" reproduces a counterexample.
"""

from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from gradalign.claims._batches import Floats, misalignments, score, scores, units
from gradalign.claims._checks import Tolerance, equals, holds, vanishes
from gradalign.claims._ideal_soap import ideal_soap
from gradalign.claims._records import Curve, Numbers
from gradalign.diagnostics.alignment import IntraStepScores, interference_matrix, intra_step_scores
from gradalign.diagnostics.angles import irreducible_conflict
from gradalign.diagnostics.matrices import (
    gauss_newton_matrix,
    hessian_matrix,
    jacobian_matrix,
    random_orthogonal,
    random_positive_definite,
    symmetric_power,
)
from gradalign.optimizers import adam, soap
from gradalign.optimizers._method import Method
from gradalign.optimizers._objective import Objective

IDENTITY = Tolerance(1e-12, "rounding of sums of some tens of terms of order one")
CLOSED_FORM = Tolerance(1e-9, "rounding after solving with matrices of condition up to 1e3")
INVERSE_ROOTS = Tolerance(1e-6, "rounding of directions after inverse square roots of V, whose entries span 1e4")
SINGULAR = Tolerance(1e-8, "Hessians q q^T + 1e-10 I leave the next order at some 1e-10")

TARGETS = (-0.99, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 0.99)
PROBLEMS, LOSSES, RESIDUALS = 20, 2, 5  # pairs of losses with five residuals each
STEP, STEPS = 0.5, 8


class Trajectories(NamedTuple):
    """One method on each problem in each coordinate system: theta itself, and one system for each of TARGETS.

    losses: (PROBLEMS, 1 + targets, STEPS, 2). directions, gradients: the same with (.., 2, d), in the coordinates of
    the system. maps: B, (PROBLEMS, 1 + targets, d, d).
    """

    losses: Floats
    gradients: Floats
    directions: Floats
    maps: Floats


def curves() -> list[Curve]:
    """Losses and scores of Newton in several coordinates (T24), and the three definitions on one family (T25)."""
    found = trajectories("newton", 5)
    steps = np.arange(STEPS)
    lines = []
    for k, target in enumerate(TARGETS, start=1):
        series = f"target {target:g}"
        lines += [Curve("T24", f"loss {i + 1}", series, steps, found.losses[0, k, :, i]) for i in range(LOSSES)]
        lines.append(Curve("T24", "score", series, steps, scores(found.directions[0, k])))
    sizes = np.logspace(-4, 2, 37)
    rows = [definitions_side_by_side(size) for size in sizes]
    for name in IntraStepScores._fields:
        lines.append(Curve("T25", "score by definition", name, sizes, np.array([getattr(row, name) for row in rows])))
    singular = float(definitions_side_by_side(0.0).own_state)
    return [*lines, Curve("T25", "score by definition", "own_state, singular", [0.0], [singular])]


# T24: Newton and Gauss-Newton in other coordinates, the same losses and any score

RUNS = (("newton", 2), ("newton", 5), ("gauss_newton", 5))
"""Method and dimension of the trajectories of T24."""
SYSTEMS = len(RUNS) * PROBLEMS * len(TARGETS)


@vanishes(
    "T24",
    "For every alpha in (-1, 1) some coordinates give the per-loss directions of a step the score alpha.",
    "largest |A - alpha|, alpha = -0.99..0.99",
    CLOSED_FORM,
    draws=SYSTEMS,
)
def score_in_chosen_coordinates() -> Numbers:
    errors = []
    for method, d in RUNS:
        first = trajectories(method, d).directions[:, 1:, 0]
        errors.append(scores(first.reshape(-1, LOSSES, d)).reshape(PROBLEMS, -1) - np.array(TARGETS))
    return errors


@vanishes(
    "T24",
    "In all coordinates theta = B theta' Newton and Gauss-Newton have the same losses at every step.",
    "largest relative difference, 20 problems in 2 (Newton) and in 5 dimensions, 9 coordinate systems",
    CLOSED_FORM,
    draws=SYSTEMS * STEPS * LOSSES,
)
def losses_in_other_coordinates() -> Numbers:
    return [run.losses / run.losses[:, :1] - 1 for run in (trajectories(*each) for each in RUNS)]


@vanishes(
    "T24",
    "The per-loss directions become B^-1 v_i.",
    "largest relative error over 8 steps",
    CLOSED_FORM,
    draws=SYSTEMS * STEPS * LOSSES * 2,
)
def directions_in_other_coordinates() -> Numbers:
    errors = []
    for method, d in RUNS:
        run = trajectories(method, d)
        mapped = np.einsum("pkij,pktnj->pktni", run.maps, run.directions)
        errors.append((mapped - mapped[:, :1]) / np.linalg.norm(mapped[:, :1], axis=-1, keepdims=True))
    return errors


@vanishes(
    "T24",
    "The interference <g_i, v_j> is the same in all coordinates.",
    "largest relative difference over 8 steps",
    CLOSED_FORM,
    draws=SYSTEMS * STEPS * LOSSES**2,
)
def interference_in_other_coordinates() -> Numbers:
    errors = []
    for method, d in RUNS:
        run = trajectories(method, d)
        products = np.asarray(_interference(run.gradients, run.directions))
        scale = np.max(np.abs(products[:, :1]), axis=(-2, -1), keepdims=True)
        errors.append((products - products[:, :1]) / scale)
    return errors


@vanishes(
    "T24",
    "The scores -1 and 1 are the same in all coordinates.",
    "largest |A - 1|, |A + 1| of two parallel directions",
    IDENTITY,
    draws=2 * PROBLEMS * (1 + len(TARGETS)),
)
def extreme_scores_in_other_coordinates() -> Numbers:
    inverse = np.linalg.inv(trajectories("newton", 5).maps.reshape(-1, 5, 5))
    image = inverse @ np.arange(1.0, 6.0)
    opposite, equal = (np.stack([image, sign * image], axis=1) for sign in (-2, 2))
    return [scores(equal) - 1, scores(opposite) + 1]


@equals(
    "T24",
    "The score of Newton's per-loss directions is a property of the losses.",
    "difference of A between two coordinate systems with one sequence of losses",
    TARGETS[-1] - TARGETS[0],
    CLOSED_FORM,
    "false in general",
)
def spread_of_the_score_over_coordinates() -> Numbers:
    first, last = scores(trajectories("newton", 5).directions[0, [1, -1], 0])
    return last - first


# T25a: common state, whose per-loss directions sum to the step


class SumProblems(NamedTuple):
    """history: gradients (50, 30, 3, 4) that a state has seen. gradients: of three losses, (50, 3, 3, 4).

    hessians: of two losses with one minimiser, (2, 4, 4). error: theta - theta_*, (4,).
    """

    history: Floats
    gradients: Floats
    hessians: Floats
    error: Floats


@cache
def sum_problems() -> SumProblems:
    generator = np.random.default_rng([25, 1])
    history, gradients = generator.standard_normal((50, 30, 3, 4)), generator.standard_normal((50, 3, 3, 4))
    hessians = np.stack([random_positive_definite(generator, 4, 50.0) for _ in range(2)])
    return SumProblems(history, gradients, hessians, generator.standard_normal(4))


@vanishes(
    "T25a",
    "Directions P g_i of the common state sum to the step P g.",
    "largest relative error, a step of SOAP and one of Adam without momentum, 50 problems, three losses",
    IDENTITY,
    draws=2 * 50 * 3 * 4,
)
def sum_of_directions_of_the_common_state() -> Numbers:
    drawn = sum_problems()
    errors = []
    for name in METHODS:
        directions, steps = (np.asarray(part) for part in _common_state(drawn.history, drawn.gradients, name))
        errors.append((directions.sum(axis=1) - steps) / np.max(np.abs(steps), axis=(1, 2), keepdims=True))
    return errors


@equals(
    "T25a",
    "Directions of own states sum to the step of the common state.",
    "||sum P_i g_i||/||P g||, Newton, two losses with one minimiser",
    2.0,
    CLOSED_FORM,
    "false in general",
)
def sum_of_directions_of_own_states() -> Numbers:
    _, _, H, e = sum_problems()
    own = _newton_of_own_states(H, e).sum(axis=0)
    step = np.linalg.solve(H.sum(axis=0), H.sum(axis=0) @ e)
    return np.linalg.norm(own) / np.linalg.norm(step)


# T25b: own-state Newton on quadratics with one minimiser


class OwnNewtonProblems(NamedTuple):
    """hessians: definite, of three losses, (1000, 3, 4, 4), with definite_errors (1000, 1, 4).

    jacobians: of two losses with singular Hessians J_i^T J_i, (500, 2, 3, 7), with errors (500, 7).
    """

    hessians: Floats
    definite_errors: Floats
    jacobians: Floats
    errors: Floats


@cache
def own_newton_problems() -> OwnNewtonProblems:
    generator = np.random.default_rng([25, 2])
    factors = generator.standard_normal((1000, 3, 4, 4))
    H = factors @ factors.swapaxes(2, 3) + 0.1 * np.eye(4)
    definite_errors = generator.standard_normal((1000, 1, 4))
    jacobians = generator.standard_normal((500, 2, 3, 7))
    return OwnNewtonProblems(H, definite_errors, jacobians, generator.standard_normal((500, 7)))


@cache
def singular_own_newton() -> tuple[Floats, Floats]:
    """H_i^+ g_i, (500, 2, 7), and the cosine c of the smallest angle between the row spaces, (500,)."""
    directions, conflict = _own_newton(own_newton_problems().jacobians, own_newton_problems().errors)
    return np.asarray(directions), np.asarray(conflict)


@vanishes(
    "T25b",
    "With own Newton states, one minimiser and definite Hessians P_i g_i = e, so A = 1.",
    "largest 1 - A, 1000 problems, three losses",
    CLOSED_FORM,
    draws=1000,
)
def misalignment_of_own_newton() -> Numbers:
    drawn = own_newton_problems()
    return misalignments(_newton_of_own_states(drawn.hessians, drawn.definite_errors))


@vanishes(
    "T25b",
    "If H_i is singular, H_i^+ g_i is the projection of e on the range of H_i.",
    "largest error, 500 problems",
    CLOSED_FORM,
    draws=500 * 2 * 7,
)
def own_newton_of_singular_hessians() -> Numbers:
    _, _, jacobians, errors = own_newton_problems()
    # J^+ J e, the projection of e on the row space
    projected = np.einsum("bnij,bnjk,bk->bni", np.linalg.pinv(jacobians), jacobians, errors)
    return singular_own_newton()[0] - projected


@holds(
    "T25b",
    "Then |A| <= c for two losses, c the cosine of the smallest angle between their row spaces.",
    "least c - |A|, 500 problems",
    CLOSED_FORM,
    draws=500,
)
def score_of_singular_own_newton() -> Numbers:
    directions, conflict = singular_own_newton()
    return conflict - np.abs(scores(directions))


@equals(
    "T25b",
    "With own Newton states and one minimiser A = 1, whatever the Hessians.",
    "A of two losses with one residual each and <q_1, q_2> = -0.97",
    -0.97,
    CLOSED_FORM,
    "false in general",
)
def conflict_of_own_newton() -> Numbers:
    # e = (1, 0) has a positive component along both
    angle = np.arccos(-0.97) / 2
    opposed = np.array([[np.cos(angle), np.sin(angle)], [np.cos(angle), -np.sin(angle)]])
    return score(np.stack([np.asarray(symmetric_power(jnp.outer(q, q), -1.0)) @ q * q[0] for q in opposed]))


# T25c: own-state idealised SOAP where the errors of its window are isotropic


class OwnSoap(NamedTuple):
    """Directions of own SOAP states and projections of e on the ranges of the H_i, (50, 2, 9) each."""

    directions: Floats
    projected: Floats


@cache
def own_soap() -> dict[int, OwnSoap]:
    """By the rank of both Kronecker factors of the H_i: 3 for definite ones, 2 for singular ones."""
    generator = np.random.default_rng([25, 3])
    errors = generator.standard_normal((50, 9))
    found = {}
    for rank in (3, 2):
        H = np.stack([[_kronecker(generator, rank) for _ in range(LOSSES)] for _ in range(50)])
        projected = np.einsum("bnij,bnjk,bk->bni", np.linalg.pinv(H, rcond=1e-10, hermitian=True), H, errors)
        found[rank] = OwnSoap(np.asarray(_own_soap(H, errors)), np.asarray(projected))
    return found


@vanishes(
    "T25c",
    "With own idealised SOAP states, isotropic errors and definite Kronecker Hessians P_i g_i = e, so A = 1.",
    "largest 1 - A, 50 problems, two losses",
    INVERSE_ROOTS,
    draws=50,
)
def misalignment_of_own_soap() -> Numbers:
    return misalignments(own_soap()[3].directions)


@vanishes(
    "T25c",
    "Its directions are the projections of e on the ranges of the H_i, definite or singular.",
    "largest 1 - cos, 100 problems",
    INVERSE_ROOTS,
    draws=200,
)
def own_soap_against_projections() -> Numbers:
    return [misalignments(np.stack(found, axis=2).reshape(-1, 2, 9)) for found in own_soap().values()]


# T25d: own-state sign descent


@vanishes(
    "T25d",
    "With own states of sign descent A(g_1, g_2) = 1 - 2 (fraction of coordinates of opposite signs).",
    "largest error, 1000 pairs in 50 dimensions",
    IDENTITY,
    draws=1000,
)
def score_of_signs() -> Numbers:
    pairs = np.random.default_rng([25, 4]).standard_normal((1000, 2, 50))
    opposite = np.mean(pairs[:, 0] * pairs[:, 1] < 0, axis=1)
    return scores(np.sign(pairs)) - (1 - 2 * opposite)


# T25: the three definitions on one pair of losses


@equals(
    "T25",
    "On two nearly singular quadratics with one minimiser the three definitions give three scores.",
    "A, raw gradients, raw cosine -0.6",
    -0.6,
    SINGULAR,
)
def score_of_raw_gradients() -> Numbers:
    return definitions_side_by_side(1e-10).raw


@equals(
    "T25",
    "On two nearly singular quadratics with one minimiser the three definitions give three scores.",
    "A, common state, Newton, raw cosine -0.6",
    0.6,
    SINGULAR,
)
def score_of_the_common_state() -> Numbers:
    return definitions_side_by_side(1e-10).common_state


@equals(
    "T25",
    "On two nearly singular quadratics with one minimiser the three definitions give three scores.",
    "A, own states, Newton, raw cosine -0.6",
    1.0,
    SINGULAR,
)
def score_of_own_states() -> Numbers:
    return definitions_side_by_side(1e-10).own_state


@equals(
    "T25",
    "On two nearly singular quadratics with one minimiser the three definitions give three scores.",
    "A, own states, Newton, singular Hessians, raw cosine -0.6",
    -0.6,
    SINGULAR,
)
def score_of_own_states_in_the_limit() -> Numbers:
    return definitions_side_by_side(0.0).own_state


def aligning_map(first: Floats, second: Floats, target: float) -> Floats:
    """B, (d, d), such that B^-1 gives two vectors (d,) the cosine ``target`` and keeps their lengths.

    B is the identity across their plane. target in (-1, 1); vectors linearly independent. Dimensionless.

    >>> B = aligning_map(np.array([1.0, 0.0]), np.array([0.0, 2.0]), 0.5)
    >>> one, other = np.linalg.solve(B, np.array([[1.0, 0.0], [0.0, 2.0]])).T
    >>> round(float(one @ other), 6), round(float(one @ one), 6), round(float(other @ other), 6)
    (1.0, 1.0, 4.0)
    """
    Q, R = np.linalg.qr(units(np.stack([first, second])).T, mode="complete")
    half = np.arccos(target) / 2
    images = np.array([[np.cos(half), np.cos(half)], [np.sin(half), -np.sin(half)]])
    inner = np.eye(len(first))
    inner[:2, :2] = R[:2] @ np.linalg.inv(images)
    return np.asarray(Q @ inner @ Q.T)


@cache
def trajectories(method: str, d: int) -> Trajectories:
    """PROBLEMS pairs of losses with one minimiser, in d <= 5 dimensions, by ``newton`` or ``gauss_newton``."""
    generator = np.random.default_rng([24, d])
    rows = generator.standard_normal((PROBLEMS, LOSSES, RESIDUALS, d)) / np.sqrt(d)
    solution = generator.standard_normal((PROBLEMS, d))
    offsets = np.einsum("pnmd,pd->pnm", rows, solution)
    start = solution + 0.3 * generator.standard_normal((PROBLEMS, d))
    systems = 1 + len(TARGETS)
    maps = np.tile(np.eye(d), (PROBLEMS, systems, 1, 1))
    first = np.asarray(_path(rows, offsets, start, maps, method)[2])[:, 0, 0]
    for problem in range(PROBLEMS):
        for k, target in enumerate(TARGETS, start=1):
            maps[problem, k] = aligning_map(first[problem, 0], first[problem, 1], target)
    losses, gradients, directions = (np.asarray(part) for part in _path(rows, offsets, start, maps, method))
    return Trajectories(losses, gradients, directions, maps)


def definitions_side_by_side(size: float) -> IntraStepScores:
    """Raw, common-state and own-state scores for Newton of losses with Hessians q_i q_i^T + size I, <q_1, q_2> = -0.6.

    Both have their minimum at 0; the point is on the bisector of q_1 and q_2. size >= 0; at 0 own states use the
    pseudo-inverse. Dimensionless.

    >>> [round(float(value), 4) for value in definitions_side_by_side(1e6)]  # Hessians almost multiples of I
    [1.0, 1.0, 1.0]
    """
    return _side_by_side(size)


@jax.jit
def _side_by_side(size: Array) -> IntraStepScores:
    cosine, sine = jnp.sqrt(0.2), jnp.sqrt(0.8)  # cosine^2 - sine^2 = -0.6
    q = jnp.asarray([[cosine, sine], [cosine, -sine]])
    H = q[:, :, None] * q[:, None, :] + size * jnp.eye(2)
    gradients = H[:, :, 0]  # at the point (1, 0)
    common = jnp.linalg.solve(jnp.sum(H, axis=0), gradients.T).T
    own = jnp.einsum("nij,nj->ni", jax.vmap(partial(symmetric_power, power=-1.0))(H), gradients)
    return intra_step_scores(gradients, common, own)


@partial(jax.jit, static_argnames="method")
def _path(rows: Floats, offsets: Floats, start: Floats, maps: Floats, method: str) -> tuple[Array, Array, Array]:
    """Losses, per-loss gradients and directions along the steps of a method, for each problem and each B."""

    def residuals(point: Array, B: Array, rows: Array, offsets: Array) -> Array:
        linear = rows @ (B @ point) - offsets
        return linear + 0.3 * jnp.sin(linear)

    def path(rows: Array, offsets: Array, start: Array, B: Array) -> tuple[Array, Array, Array]:
        def losses(point: Array) -> Array:
            return jnp.sum(residuals(point, B, rows, offsets) ** 2, axis=1) / 2

        def advance(point: Array, _: None) -> tuple[Array, tuple[Array, Array, Array]]:
            if method == "newton":
                curvature = hessian_matrix(lambda at: jnp.sum(losses(at)), point)
            else:
                curvature = gauss_newton_matrix(jacobian_matrix(lambda at: residuals(at, B, rows, offsets), point))
            gradients = jax.jacrev(losses)(point)
            directions = jnp.linalg.solve(curvature, gradients.T).T
            return point - STEP * jnp.sum(directions, axis=0), (losses(point), gradients, directions)

        return jax.lax.scan(advance, jnp.linalg.solve(B, start), None, length=STEPS)[1]

    in_each_system = jax.vmap(path, in_axes=(None, None, None, 0))
    return jax.vmap(in_each_system)(*(jnp.asarray(part) for part in (rows, offsets, start, maps)))


_interference = jax.jit(jnp.vectorize(interference_matrix, signature="(n,d),(n,d)->(n,n)"))


METHODS: dict[str, Method] = {
    "soap": soap.method(soap.Settings(learning_rate=1.0, b1=0.0, precondition_frequency=1000), 1),
    "adam": adam.method(adam.Settings(learning_rate=1.0, b1=0.0), 1),
}
"""Without momentum, and with one basis for all calls after the first: a step is the state's map of its gradient."""
NOTHING = Objective({}, lambda params, points: {})
"""First-order methods ask it for gradients alone, which are given here."""


@partial(jax.jit, static_argnames="name")
def _common_state(history: Floats, gradients: Floats, name: str) -> tuple[Array, Array]:
    """A method's state sees a history (B, S, m, k) and takes a step with the sum of gradients (B, n, m, k).

    Returns what that state makes of each gradient, (B, n, m, k), and the step, (B, m, k), as the parameters moved.
    """
    chosen = METHODS[name]

    def one(history: Array, gradients: Array) -> tuple[Array, Array]:
        params = jnp.zeros(history.shape[1:])

        def see(state: Any, gradient: Array) -> tuple[Any, None]:
            return chosen.observe(params, state, gradient), None

        state, _ = jax.lax.scan(see, chosen.init(params), history)
        moved, state, _ = chosen.step(NOTHING, params, state, {}, jnp.sum(gradients, axis=0))
        directions = jax.vmap(lambda g: chosen.precondition(NOTHING, moved, state, {}, g))(gradients)
        return directions, params - moved

    return jax.vmap(one)(jnp.asarray(history), jnp.asarray(gradients))


@jax.jit
@jax.vmap
def _own_soap(hessians: Array, error: Array) -> Array:
    """SOAP's directions for g_i = H_i e with the statistics F_i = H_i^2 of isotropic errors: (n, 9)."""
    return jax.vmap(lambda H: jnp.ravel(ideal_soap(H @ H, 3, 3).direction((H @ error).reshape(3, 3))))(hessians)


def _newton_of_own_states(hessians: Floats, error: Floats) -> Floats:
    """H_i^-1 g_i of quadratics with one minimiser, g_i = H_i e: hessians (.., n, d, d), error (.., d) -> (.., n, d)."""
    gradients = hessians @ error[..., None]
    return np.asarray(np.linalg.solve(hessians, gradients)[..., 0])


@jax.jit
@jax.vmap
def _own_newton(jacobians: Array, error: Array) -> tuple[Array, Array]:
    """H_i^+ g_i for H_i = J_i^T J_i, (2, d), with (J^T J)^+ = J^T K^-2 J, and c of T13."""

    def direction(J: Array) -> Array:
        return J.T @ symmetric_power(J @ J.T, -2.0) @ (J @ (J.T @ (J @ error)))

    return jax.vmap(direction)(jacobians), irreducible_conflict(*jacobians)


def _kronecker(generator: np.random.Generator, rank: int) -> Floats:
    """B kron C of two 3 x 3 matrices of a rank, whose other eigenvalues have ratio 10."""
    factors = []
    for _ in range(2):
        Q = random_orthogonal(generator, 3)[:, :rank]
        factors.append((Q * np.geomspace(0.1, 1.0, rank)) @ Q.T)
    return np.kron(*factors)
