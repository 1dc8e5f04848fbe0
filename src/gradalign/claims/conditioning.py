"""Claims T12 and T13: the conditioning that the angle between two losses costs, which no loss weighting beats.

Two losses L_i = ||r_i||^2 / 2 have Jacobians J_i (m_i, d) of independent row spaces, K = J J^T is the kernel of the
stacked J and c the cosine of the smallest angle between the row spaces. Block-diagonal D = diag(D_1, D_2), so all loss
weights and all preconditioners of the residuals of each loss, leave kappa(D K D^T) >= q = (1 + c)/(1 - c). Problems are
drawn from explicit seeds in float64 with K of known condition number; kappa(D K D^T) is taken from D J. Whitening each
loss, D_i = K_ii^(-1/2), attains q. One weight a loss does so if each loss has one residual; otherwise it leaves the
conditioning within the losses, so that q is a bound, not the least condition number over loss weights.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy import optimize

from gradalign.base.precision import dtype_of
from gradalign.claims._batches import Floats, batched, scores
from gradalign.claims._checks import Measured, Tolerance, at_least, at_most, equals, holds, never, vanishes
from gradalign.claims._linear_residuals import Steps, TwoLosses, descend, random_jacobian, raw_directions
from gradalign.claims._records import Curve, Numbers, Status
from gradalign.diagnostics.alignment import score_certificate
from gradalign.diagnostics.angles import conflict_factor, irreducible_conflict
from gradalign.diagnostics.matrices import condition_number, random_orthogonal

CONDITION = Tolerance(1e-8, "relative: condition numbers up to 1e6 in float64")
RATE = Tolerance(1e-6, "relative: a contraction (kappa - 1)/(kappa + 1) loses digits where kappa is near one")
BOUND = Tolerance(1e-9, "relative: condition numbers up to 1e6 after whitening")
ANGLE = Tolerance(1e-9, "cosines of angles after inverse square roots of blocks of condition up to 1e3")
SEARCH = Tolerance(1e-6, "relative: what a log weight found to 1e-9 leaves at a kink of kappa")
LEADING_ORDER = Tolerance(1e-3, "relative: the ratio is large enough to leave the next order below it")
TWO_DECIMALS = Tolerance(0.005, "half a unit of the last printed digit of 99.33")
SIX_DECIMALS = Tolerance(5e-7, "half a unit of the last printed digit of 0.980067")

CONDITIONS: Status = "proven under conditions"
SHAPES = ((1, 1), (1, 3), (3, 2), (4, 4))
"""Numbers of residuals of the two losses in the random problems."""
PER_SHAPE = 75
PARAMETERS = 8
PROBLEMS = PER_SHAPE * len(SHAPES)
GAUSSIAN = 400
"""Problems of 2 + 2 residuals with Gaussian rows."""
BRACKET = 8.0  # of log weights, about the one that makes the largest eigenvalues of both blocks equal


def curves() -> list[Curve]:
    """kappa against the angle (T12); kappa against q, and the certificate along gradient descent (T13)."""
    dtype_of("float64")
    found = []
    angles = np.linspace(0.1, np.pi - 0.1, 25)
    for ratio in (1, 10, 100):
        found.append(
            Curve("T12", "kappa by angle", f"ratio {ratio}", angles, conditions(two_quadratics(angles, ratio)))
        )
    best = weighted_conditions(angles, np.ones(25)).min(axis=1)
    found.append(Curve("T12", "kappa by angle", "best of 81 loss weights", angles, best))
    q = irreducible_factors()
    for name, values in preconditioned_conditions().items():
        found.append(Curve("T13", "kappa by irreducible factor", name, q, values))
    run = certified_run()
    for k, certificate in enumerate(run.certificates):
        found.append(Curve("T13", "certificate by step", f"start {k + 1}", run.steps, certificate, seed=k))
    for name, level in {"q": run.q, "best loss weights": run.best, "kappa": run.kappa}.items():
        found.append(Curve("T13", "level", name, [0.0], [level]))
    return found


# T12: two quadratics a_i (<q_i, theta> - b_i)^2 / 2 in the plane, at the angle phi, with rho = a_1 / a_2


class PlaneProblems(NamedTuple):
    """angles: phi, (3000,). ratios: rho, (3000,). weights: of the first loss, (3000,).

    For the first 200: minimisers and starts, (200, 2), and step sizes in units of 1/lambda_max in [0, 2), (200,).
    """

    angles: Floats
    ratios: Floats
    weights: Floats
    minimisers: Floats
    starts: Floats
    shares: Floats


@cache
def plane_problems() -> PlaneProblems:
    generator = np.random.default_rng([12, 1])
    angles = generator.uniform(0.02, np.pi - 0.02, 3000)
    ratios = np.exp(generator.uniform(-6, 6, 3000))
    weights = np.exp(generator.uniform(-6, 6, 3000))
    points, shares = [], []
    for _ in range(200):
        points.append(generator.standard_normal((2, 2)))
        shares.append(generator.uniform(0, 2))
    minimisers, starts = np.stack(points, axis=1)
    return PlaneProblems(angles, ratios, weights, minimisers, starts, np.array(shares))


@cache
def plane_conditions() -> Floats:
    """kappa of every problem in the plane, (3000,)."""
    return conditions(two_quadratics(plane_problems().angles, plane_problems().ratios))


@cache
def plane_descents() -> list[tuple[Floats, float]]:
    """The Hessians (2, 2) of the first 200 problems, and their best contractions (kappa - 1)/(kappa + 1)."""
    kappa = plane_conditions()[:200]
    hessians = two_quadratics(plane_problems().angles[:200], plane_problems().ratios[:200])
    return list(zip(hessians, (kappa - 1) / (kappa + 1), strict=True))


@vanishes(
    "T12",
    "kappa + 1/kappa + 2 = (1 + rho)^2/(rho sin^2 phi).",
    "largest relative error, 3000 problems",
    CONDITION,
    draws=3000,
)
def condition_by_angle_and_ratio() -> Numbers:
    drawn, kappa = plane_problems(), plane_conditions()
    expected = (1 + drawn.ratios) ** 2 / (drawn.ratios * np.sin(drawn.angles) ** 2)
    return (kappa + 1 / kappa + 2) / expected - 1


@vanishes(
    "T12",
    "For equal curvatures kappa = cot^2(phi/2) at phi <= pi/2, and tan^2(phi/2) beyond.",
    "largest relative error",
    CONDITION,
    draws=3000,
)
def condition_of_equal_curvatures() -> Numbers:
    angles = plane_problems().angles
    return conditions(two_quadratics(angles, 1.0)) / best_condition(angles) - 1


@vanishes(
    "T12",
    "kappa tends to rho/sin^2 phi for a large ratio rho of curvatures.",
    "largest relative error, rho = 1e4",
    LEADING_ORDER,
    draws=2000,
)
def condition_of_a_large_ratio() -> Numbers:
    angles = plane_problems().angles
    wide = angles[(angles > 0.1) & (angles < np.pi - 0.1)]
    return conditions(two_quadratics(wide, 1e4)) * np.sin(wide) ** 2 / 1e4 - 1


@holds(
    "T12",
    "No loss weights give a condition number below cot^2(phi/2).",
    "least kappa/cot^2 - 1, random weights",
    CONDITION,
    draws=3000,
)
def condition_under_random_weights() -> Numbers:
    drawn = plane_problems()
    weighted = conditions(two_quadratics(drawn.angles, drawn.ratios * drawn.weights))
    return weighted / best_condition(drawn.angles) - 1


@vanishes(
    "T12",
    "The best loss weights make the curvatures equal and attain cot^2(phi/2).",
    "largest relative error of the least kappa of 81 weights, 200 problems",
    CONDITION,
    draws=400,
)
def condition_under_the_best_weights() -> Numbers:
    """Both the least kappa of the weights, and kappa under the one that makes the curvatures equal."""
    angles, ratios = plane_problems().angles[:200], plane_problems().ratios[:200]
    searched, bound = weighted_conditions(angles, ratios), best_condition(angles)
    return [searched.min(axis=1) / bound - 1, searched[:, 40] / bound - 1]


@vanishes(
    "T12",
    "cot^2(phi/2) is the irreducible factor q of the two gradients' directions (T13).",
    "largest relative error, 50 angles",
    CONDITION,
    draws=50,
)
def irreducible_factor_in_the_plane() -> Numbers:
    angles = plane_problems().angles[:50]
    one = np.broadcast_to([1.0, 0.0], (50, 1, 2))
    two = np.stack([np.cos(angles), np.sin(angles)], axis=-1)[:, None]
    factors = np.asarray(conflict_factor(_conflicts(jnp.asarray(one), jnp.asarray(two))))
    return factors / best_condition(angles) - 1


@vanishes(
    "T12",
    "Gradient descent at its best step contracts by (kappa - 1)/(kappa + 1) per step.",
    "largest relative error, 20 steps, 200 problems",
    RATE,
    draws=4000,
)
def contraction_at_the_best_step() -> Numbers:
    errors = []
    starts = plane_problems().starts - plane_problems().minimisers
    for (H, contraction), error in zip(plane_descents(), starts, strict=True):
        lengths = [np.linalg.norm(error)]
        for _ in range(20):
            error = descent_step(H, error)
            lengths.append(np.linalg.norm(error))
        errors.append(np.divide(lengths[1:], lengths[:-1]) / contraction - 1)
    return errors


@holds(
    "T12",
    "No other step contracts the worst direction faster.",
    "least excess of ||I - eta H|| over (kappa - 1)/(kappa + 1)",
    CONDITION,
    draws=200,
)
def contraction_at_other_steps() -> Numbers:
    excess = []
    for (H, contraction), share in zip(plane_descents(), plane_problems().shares, strict=True):
        eta = share / np.linalg.eigvalsh(H)[-1]
        excess.append(np.linalg.norm(np.eye(2) - eta * H, 2) - contraction)
    return excess


@vanishes("T12", "One Newton step ends at the minimiser.", "largest relative distance", CONDITION, draws=200)
def distance_after_a_newton_step() -> Numbers:
    distances = []
    drawn = plane_problems()
    for (H, _), minimiser, theta in zip(plane_descents(), drawn.minimisers, drawn.starts, strict=True):
        after = newton_step(H, minimiser, theta)
        distances.append(np.linalg.norm(after - minimiser) / np.linalg.norm(theta - minimiser))
    return distances


@equals("T12", "The example phi = 0.2, rho = 1.", "kappa", 99.33, TWO_DECIMALS)
def condition_of_the_example() -> Numbers:
    return conditions(two_quadratics(np.full(2, 0.2), 1.0))[0]


@equals(
    "T12",
    "The example phi = 0.2, rho = 1.",
    "contraction per step after 100 steps",
    0.980067,
    SIX_DECIMALS,
)
def contraction_of_the_example() -> Numbers:
    H = two_quadratics(np.full(2, 0.2), 1.0)[0]
    error = H @ np.array([0.3, -0.7])
    for _ in range(100):
        error = descent_step(H, error)
    return np.linalg.norm(descent_step(H, error)) / np.linalg.norm(error)


# T13a: no block-diagonal preconditioner of the residuals gets below q


@cache
def problems() -> list[TwoLosses]:
    """300 problems, 75 of each of four shapes; the eigenvalues of K lie in [1e-3, 1]."""
    generator = np.random.default_rng([13, 1])
    found = []
    for first, second in SHAPES:
        for _ in range(PER_SHAPE):
            spectrum = 10 ** -generator.uniform(0, 3, first + second)
            found.append(TwoLosses(random_jacobian(generator, spectrum, PARAMETERS), first))
    return found


@cache
def irreducible_conflicts() -> Floats:
    """c of every problem, (300,). Zero rows add nothing to a row space; with them one program does for all shapes."""
    padded = np.zeros((2, len(problems()), 4, PARAMETERS))
    for k, problem in enumerate(problems()):
        padded[0, k, : problem.first] = problem.J[: problem.first]
        padded[1, k, : len(problem.J) - problem.first] = problem.J[problem.first :]
    return np.asarray(_conflicts(jnp.asarray(padded[0]), jnp.asarray(padded[1])))


@cache
def irreducible_factors() -> Floats:
    """q = (1 + c)/(1 - c) of every problem, (300,)."""
    return np.asarray(conflict_factor(jnp.asarray(irreducible_conflicts())))


class Preconditioned(NamedTuple):
    """D J of every problem, each (m, 8).

    blocks: random block-diagonal D. near: D close to diag(K_11^(-1/2), K_22^(-1/2)). weights: one weight a loss.
    """

    blocks: list[Floats]
    near: list[Floats]
    weights: list[Floats]


@cache
def preconditioned() -> Preconditioned:
    generator = np.random.default_rng([13, 2])
    found = Preconditioned([], [], [])
    for problem in problems():
        first, size = problem.first, len(problem.J)
        close = block_whitening(problem) @ (np.eye(size) + 0.03 * _blocks(generator, first, size))
        found.near.append(close @ problem.J)
        found.blocks.append(_blocks(generator, first, size) @ problem.J)
        found.weights.append(_weights(generator.uniform(-4, 4), problem) @ problem.J)
    return found


@cache
def whitened() -> list[Floats]:
    """diag(K_11^(-1/2), K_22^(-1/2)) J of every problem, each (m, 8)."""
    return [block_whitening(problem) @ problem.J for problem in problems()]


@vanishes(
    "T13a",
    "c = ||K_11^(-1/2) K_12 K_22^(-1/2)||_2 is the cosine of the smallest angle between the row spaces.",
    "largest error, 300 problems",
    ANGLE,
    CONDITIONS,
    draws=PROBLEMS,
)
def cosine_of_the_smallest_angle() -> Numbers:
    found = []
    for problem, rows in zip(problems(), whitened(), strict=True):
        one, two = np.split(rows, [problem.first])
        found.append(np.linalg.norm(one @ two.T, 2))
    return np.array(found) - irreducible_conflicts()


@holds(
    "T13a",
    "kappa(D K D^T) >= q = (1 + c)/(1 - c) for every block-diagonal invertible D, random blocks.",
    "least kappa/q - 1, 300 problems",
    BOUND,
    CONDITIONS,
    draws=PROBLEMS,
)
def condition_under_random_blocks() -> Numbers:
    return squared_conditions(preconditioned().blocks) / irreducible_factors() - 1


@holds(
    "T13a",
    "kappa(D K D^T) >= q = (1 + c)/(1 - c) for every block-diagonal invertible D, blocks close to K_ii^(-1/2).",
    "least kappa/q - 1, 300 problems",
    BOUND,
    CONDITIONS,
    draws=PROBLEMS,
)
def condition_under_nearly_whitening_blocks() -> Numbers:
    return squared_conditions(preconditioned().near) / irreducible_factors() - 1


@holds(
    "T13a",
    "kappa(D K D^T) >= q = (1 + c)/(1 - c) for every block-diagonal invertible D, and for all loss weights.",
    "least kappa/q - 1, 300 problems",
    BOUND,
    CONDITIONS,
    draws=PROBLEMS,
)
def condition_under_loss_weights() -> Numbers:
    return squared_conditions(preconditioned().weights) / irreducible_factors() - 1


@vanishes(
    "T13a",
    "D_i = K_ii^(-1/2) attains q.",
    "largest relative error, 300 problems",
    BOUND,
    CONDITIONS,
    draws=PROBLEMS,
)
def condition_after_whitening() -> Numbers:
    return squared_conditions(whitened()) / irreducible_factors() - 1


# T13b: kappa(K) lies between max{kappa(D_K), q} and kappa(D_K) q


@cache
def kernel_conditions() -> Floats:
    """kappa(K) of every problem, (300,)."""
    return squared_conditions([problem.J for problem in problems()])


@cache
def within_conditions() -> Floats:
    """kappa(D_K) of every problem, the largest eigenvalue of both blocks K_ii over the least, (300,)."""
    values = [np.concatenate([np.linalg.eigvalsh(J @ J.T) for J in _sides(problem)]) for problem in problems()]
    return np.array([both.max() / both.min() for both in values])


@holds(
    "T13b",
    "kappa(K) >= max{kappa(D_K), q}: neither the scales within the losses nor the angle can hide the other.",
    "least kappa/max - 1, 300 problems",
    BOUND,
    CONDITIONS,
    draws=PROBLEMS,
)
def lower_bound_of_the_condition() -> Numbers:
    return kernel_conditions() / np.maximum(within_conditions(), irreducible_factors()) - 1


@holds(
    "T13b",
    "kappa(K) <= kappa(D_K) q.",
    "least kappa(D_K) q/kappa - 1, 300 problems",
    BOUND,
    CONDITIONS,
    draws=PROBLEMS,
)
def upper_bound_of_the_condition() -> Numbers:
    return within_conditions() * irreducible_factors() / kernel_conditions() - 1


@vanishes(
    "T13b",
    "For one residual a loss of equal length both bounds are q, and kappa(K) is q.",
    "largest relative error, 75 problems",
    BOUND,
    CONDITIONS,
    draws=PER_SHAPE,
)
def condition_of_equal_lengths() -> Numbers:
    rows = [problem.J for problem in problems()[:PER_SHAPE]]
    scaled = [J / np.linalg.norm(J, axis=1, keepdims=True) for J in rows]
    return squared_conditions(scaled) / irreducible_factors()[:PER_SHAPE] - 1


# T13c: scores certify: |A| <= c at every point, so (1 + |A|)/(1 - |A|) <= q


@cache
def residuals() -> list[Floats]:
    """Ten random residuals of every problem, (10, m) each."""
    generator = np.random.default_rng([13, 4])
    return [generator.standard_normal((10, len(problem.J))) for problem in problems()]


@cache
def extreme_scores() -> Floats:
    """A at two points of every problem, (300, 2).

    The gradients of the first point enclose the smallest angle between the row spaces. The second point has the
    residuals of the second loss reversed.
    """
    directions = []
    for problem in problems():
        whitening = block_whitening(problem)
        one, two = np.split(whitening @ problem.J, [problem.first])
        y, _, zt = np.linalg.svd(one @ two.T)
        aligned = whitening @ np.concatenate([y[:, 0], zt[0]])
        opposite = np.concatenate([aligned[: problem.first], -aligned[problem.first :]])
        directions.append(raw_directions(problem, np.stack([aligned, opposite])))
    return scores(np.concatenate(directions)).reshape(-1, 2)


class CertifiedRun(NamedTuple):
    """Certificates (3, T) of the raw scores at the steps (T,) of gradient descent from 3 starts, and their bounds."""

    steps: Steps
    certificates: Floats
    q: float
    best: float
    kappa: float


@cache
def certified_run() -> CertifiedRun:
    """Gradient descent with step 1/lambda_max on one problem of 3 + 3 residuals, scores at some 150 of 3000 steps."""
    generator = np.random.default_rng([13, 6])
    problem = TwoLosses(random_jacobian(generator, np.geomspace(1 / 300, 1, 6), PARAMETERS), 3)
    paths = [descend(problem, generator.standard_normal(6), 1.0, 3000) for _ in range(3)]
    certificates = np.asarray(score_certificate(jnp.asarray([path.raw for path in paths])))
    one, two = np.split(problem.J, [3])
    weighted = [_weights(log, problem) @ problem.J for log in np.linspace(-5, 5, 401)]
    kappa = squared_conditions([problem.J, *weighted])
    q = float(conflict_factor(irreducible_conflict(jnp.asarray(one), jnp.asarray(two))))
    return CertifiedRun(paths[0].steps, certificates, q, float(kappa.min()), float(kappa[0]))


@never(
    "T13c",
    "At every point |A(g_1, g_2)| <= c.",
    "violations by more than 1e-9, 3000 points",
    CONDITIONS,
    draws=10 * PROBLEMS,
)
def scores_beyond_the_angle() -> Measured:
    A = scores(np.concatenate([raw_directions(problem, r) for problem, r in zip(problems(), residuals(), strict=True)]))
    limit = np.repeat(irreducible_conflicts(), 10)
    return Measured(np.abs(A) > limit + ANGLE, of=[A, limit])


@never(
    "T13c",
    "Own-state directions (J_i^T J_i)^-p g_i stay in the row spaces, so |A| <= c for them too.",
    "violations by more than 1e-9, 9000 points, p = 1/4, 1/2, 1",
    CONDITIONS,
    draws=30 * PROBLEMS,
)
def own_scores_beyond_the_angle() -> Measured:
    directions = []
    for problem, r in zip(problems(), residuals(), strict=True):
        directions += [own_directions(problem, r, power) for power in (0.25, 0.5, 1.0)]
    A, limit = scores(np.concatenate(directions)), np.repeat(irreducible_conflicts(), 30)
    return Measured(np.abs(A) > limit + ANGLE, of=[A, limit])


@vanishes(
    "T13c",
    "Both ends are reached: A = c and A = -c at two points of every problem.",
    "largest error, 300 problems",
    ANGLE,
    CONDITIONS,
    draws=2 * PROBLEMS,
)
def ends_of_the_scores() -> Numbers:
    c = irreducible_conflicts()
    return extreme_scores() - np.stack([c, -c], axis=1)


@vanishes(
    "T13c",
    "A near -1 and A near +1 certify the same condition number, and no more than q.",
    "largest relative error of the certificates at A = -c and A = c from q",
    BOUND,
    CONDITIONS,
    draws=2 * PROBLEMS,
)
def certificates_at_the_ends() -> Numbers:
    return np.asarray(score_certificate(jnp.asarray(extreme_scores()))) / irreducible_factors()[:, None] - 1


@holds(
    "T13c",
    "Along gradient descent every score certifies at most q.",
    "least q/certificate - 1, 3 runs of 3000 steps",
    BOUND,
    CONDITIONS,
    draws=300,
)
def certificates_below_the_factor() -> Numbers:
    return certified_run().q / certified_run().certificates - 1


@holds(
    "T13c",
    "What the scores of a run certify, no loss weights undercut.",
    "least kappa/certificate - 1, 401 weights",
    BOUND,
    CONDITIONS,
    draws=300,
)
def certificates_below_all_loss_weights() -> Numbers:
    return certified_run().best / certified_run().certificates - 1


# T13d: what one weight a loss leaves of the condition number: the conditioning within the losses


@cache
def best_of_problems() -> tuple[Floats, Floats]:
    """``best_weights`` of every problem, (300,) each."""
    return best_weights(problems())


@cache
def gaussian_problems() -> list[TwoLosses]:
    """400 problems of 2 + 2 residuals, all entries of J standard normal."""
    rows = np.random.default_rng([13, 7]).standard_normal((GAUSSIAN, 4, PARAMETERS))
    return [TwoLosses(J, 2) for J in rows]


@cache
def best_of_gaussian_problems() -> tuple[Floats, Floats]:
    """``best_weights`` of the Gaussian problems, (400,) each."""
    return best_weights(gaussian_problems())


@holds(
    "T13d",
    "No loss weights get kappa below max{q, kappa(K_11), kappa(K_22)}: a weight a loss does not change the "
    "conditioning within a loss.",
    "least kappa/max - 1 at the best weights, 300 problems",
    BOUND,
    CONDITIONS,
    draws=PROBLEMS,
)
def floor_of_the_best_weights() -> Numbers:
    floor = np.maximum(irreducible_factors(), [np.maximum(*_own_conditions(problem)) for problem in problems()])
    return best_of_problems()[1] / floor - 1


@vanishes(
    "T13d",
    "If each loss has one residual, loss weights attain q.",
    "largest kappa/q - 1 at the best weights, 75 problems",
    SEARCH,
    CONDITIONS,
    draws=PER_SHAPE,
)
def best_weights_of_single_residuals() -> Numbers:
    return _best_over_factor()[:PER_SHAPE] - 1


@equals(
    "T13d",
    "Some loss weights attain q.",
    "least kappa over loss weights, rows orthogonal, of lengths 1, 2 and 1.5, q = 1",
    4.0,
    SEARCH,
    "false in general",
)
def best_weights_of_orthogonal_rows() -> Numbers:
    """q = 1, and every weight leaves the ratio of the squared lengths of the first two rows."""
    return best_weights([TwoLosses(np.diag([1.0, 2.0, 1.5]), 2)])[1]


@at_least(
    "T13d",
    "The best loss weights leave more than q where a loss has several residuals.",
    "median kappa/q at the best weights, 75 problems of {first} + {second} residuals",
    1.5,
    0.0,
    "observation",
    cases=[{"first": first, "second": second} for first, second in SHAPES if first + second > 2],
)
def best_weights_by_shape(first: int, second: int) -> Measured:
    k = SHAPES.index((first, second))
    ratios = _best_over_factor()[PER_SHAPE * k : PER_SHAPE * (k + 1)]
    return Measured(np.median(ratios), of=ratios)


@at_least(
    "T13d",
    "The best loss weights leave more than q where a loss has several residuals.",
    "median kappa/q at the best weights, 300 problems of all four shapes",
    1.5,
    0.0,
    "observation",
)
def best_weights_of_all_shapes() -> Measured:
    return Measured(np.median(_best_over_factor()), of=_best_over_factor())


@at_least(
    "T13d",
    "The best loss weights leave more than q where a loss has several residuals.",
    "median kappa/q at the best weights, 400 problems of 2 + 2 residuals, Gaussian rows",
    1.5,
    0.0,
    "observation",
)
def best_weights_of_gaussian_rows() -> Measured:
    sides = zip(*map(_sides, gaussian_problems()), strict=True)
    factors = conflict_factor(_conflicts(*(jnp.asarray(np.stack(rows)) for rows in sides)))
    ratios = best_of_gaussian_problems()[1] / np.asarray(factors)
    return Measured(np.median(ratios), of=ratios)


@at_most(
    "T13d",
    "The best weight is not at an end of its bracket.",
    "largest |log weight|, 700 problems, bracket 8",
    BRACKET / 2,
    0.0,
    "observation",
    draws=PROBLEMS + GAUSSIAN,
)
def size_of_the_best_weights() -> Numbers:
    return [np.abs(best_of_problems()[0]), np.abs(best_of_gaussian_problems()[0])]


def two_quadratics(angles: Floats, ratios: Floats | float) -> Floats:
    """Hessians rho q_1 q_1^T + q_2 q_2^T of unit q_1, q_2 at the angles (N,), ratios rho > 0 (N,) or one: (N, 2, 2).

    >>> two_quadratics(np.array([np.pi / 2]), 3.0).round(12).tolist()
    [[[3.0, 0.0], [0.0, 1.0]]]
    """
    q = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    first = np.zeros((len(angles), 2, 2))
    first[:, 0, 0] = ratios
    return np.asarray(first + q[:, :, None] * q[:, None, :])


def weighted_conditions(angles: Floats, ratios: Floats) -> Floats:
    """kappa under 81 weights of the first loss, in the middle the one that makes the curvatures equal: (N, 81).

    >>> round(float(weighted_conditions(np.array([np.pi / 2]), np.array([7.0]))[0, 40]), 12)
    1.0
    """
    weights = np.exp(np.linspace(-4, 4, 81)) / ratios[:, None]
    products = (weights * ratios[:, None]).ravel()
    return conditions(two_quadratics(np.repeat(angles, 81), products)).reshape(-1, 81)


def best_condition(angles: Floats) -> Floats:
    """max{cot^2(phi/2), tan^2(phi/2)}, at least 1: the least condition number over all loss weights (T12).

    >>> best_condition(np.array([np.pi / 2, np.pi / 3, 2 * np.pi / 3])).round(12).tolist()
    [1.0, 3.0, 3.0]
    """
    tangent = np.tan(np.asarray(angles) / 2) ** 2
    return np.asarray(np.maximum(tangent, 1 / tangent))


def conditions(matrices: Floats) -> Floats:
    """sigma_max/sigma_min of each matrix (m, k <= 64) of a batch (N, m, k) with m <= k: (N,).

    >>> conditions(np.array([[[2.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]]])).tolist()
    [2.0, 1.0]
    """
    return np.asarray(batched(condition_number, matrices))


def descent_step(H: Floats, error: Floats) -> Floats:
    """theta - eta H theta with the best step eta = 2/(lambda_max + lambda_min); H (d, d), error (d,).

    >>> descent_step(np.diag([3.0, 1.0]), np.array([1.0, 1.0])).tolist()
    [-0.5, 0.5]
    """
    values = np.linalg.eigvalsh(H)
    return np.asarray(error - 2 / (values[0] + values[-1]) * (H @ error))


def newton_step(H: Floats, minimiser: Floats, theta: Floats) -> Floats:
    """theta - H^-1 g with g = H (theta - theta_*); H (d, d), theta and theta_* (d,).

    >>> newton_step(np.diag([3.0, 1.0]), np.array([1.0, 2.0]), np.array([4.0, 4.0])).tolist()
    [1.0, 2.0]
    """
    return np.asarray(theta - np.linalg.solve(H, H @ (theta - minimiser)))


def own_directions(problem: TwoLosses, r: Floats, power: float) -> Floats:
    """(J_i^T J_i)^-p g_i = J_i^T K_ii^-p r_i of both losses at residuals r (N, m): (N, 2, d).

    >>> own_directions(TwoLosses(np.diag([2.0, 1.0]), 1), np.array([[3.0, 5.0]]), 1.0).tolist()
    [[[1.5, 0.0], [0.0, 5.0]]]
    """
    found = []
    for J, part in zip(np.split(problem.J, [problem.first]), np.split(r, [problem.first], axis=1), strict=True):
        found.append(part @ _power(J @ J.T, -power) @ J)
    return np.stack(found, axis=1)


def block_whitening(problem: TwoLosses) -> Floats:
    """diag(K_11^(-1/2), K_22^(-1/2)), (m, m).

    >>> block_whitening(TwoLosses(np.diag([2.0, 1.0]), 1)).tolist()
    [[0.5, 0.0], [0.0, 1.0]]
    """
    return _block_diagonal(*(_power(J @ J.T, -0.5) for J in np.split(problem.J, [problem.first])))


def best_weights(chosen: Sequence[TwoLosses]) -> tuple[Floats, Floats]:
    """The log of the best weight of the first loss, the second's being 1, and kappa(D K D^T) there, (N,) each.

    The log counts from where the largest eigenvalues of both weighted blocks are equal. kappa has no second minimum:
    kappa <= t means that s D^-2 <= K <= s t D^-2 for some s > 0, which a convex set of s D^-2 does. So a bounded search
    finds the least.

    >>> log, kappa = best_weights([TwoLosses(np.diag([3.0, 1.0]), 1)])
    >>> abs(log).round(6).tolist(), kappa.round(6).tolist()
    ([0.0], [1.0])
    """
    logs, kappas = [], []
    for problem in chosen:
        one, two = _sides(problem)
        start = np.log(np.linalg.norm(two, 2) / np.linalg.norm(one, 2))

        def log_condition(log: float, problem: TwoLosses = problem, start: float = start) -> float:
            return float(2 * np.log(np.linalg.cond(_weights(start + log, problem) @ problem.J)))

        found = optimize.minimize_scalar(
            log_condition, bounds=(-BRACKET, BRACKET), method="bounded", options={"xatol": 1e-9}
        )
        logs.append(found.x)
        kappas.append(np.exp(found.fun))
    return np.array(logs), np.array(kappas)


def preconditioned_conditions() -> dict[str, Floats]:
    """kappa(D K D^T) of every problem by kind of D, (300,) each."""
    generator = np.random.default_rng([13, 5])
    logs = np.linspace(-5, 5, 41)
    weighted = [squared_conditions([_weights(log, problem) @ problem.J for problem in problems()]) for log in logs]
    blocks = [_blocks(generator, problem.first, len(problem.J)) @ problem.J for problem in problems()]
    whitened = [block_whitening(problem) @ problem.J for problem in problems()]
    return {
        "random blocks": squared_conditions(blocks),
        "best of 41 loss weights": np.min(weighted, axis=0),
        "block whitening": squared_conditions(whitened),
    }


def squared_conditions(matrices: Sequence[Floats]) -> Floats:
    """kappa(M M^T) = (sigma_max/sigma_min)^2 of each matrix (m, 8), whose m may differ: (N,)."""
    found = np.empty(len(matrices))
    for rows in {len(matrix) for matrix in matrices}:
        chosen = [k for k, matrix in enumerate(matrices) if len(matrix) == rows]
        found[chosen] = conditions(np.stack([matrices[k] for k in chosen])) ** 2
    return found


_conflicts = jax.jit(jax.vmap(irreducible_conflict))


def _best_over_factor() -> Floats:
    """kappa/q at the best weights of every problem, (300,)."""
    return best_of_problems()[1] / irreducible_factors()


def _own_conditions(problem: TwoLosses) -> list[Any]:
    """kappa(K_11) and kappa(K_22)."""
    return [np.linalg.cond(J) ** 2 for J in _sides(problem)]


def _sides(problem: TwoLosses) -> list[Floats]:
    """J_1 and J_2."""
    return np.split(problem.J, [problem.first])


def _weights(log: float, problem: TwoLosses) -> Floats:
    """D = diag(w, ..., w, 1, ..., 1) with w = exp(log), the weight of the first loss."""
    return np.diag(np.where(np.arange(len(problem.J)) < problem.first, np.exp(log), 1.0))


def _blocks(generator: np.random.Generator, first: int, size: int) -> Floats:
    """diag(D_1, D_2) of random blocks, each with singular values in [1/10, 10]."""
    blocks = []
    for rows in (first, size - first):
        Q = random_orthogonal(generator, rows)
        blocks.append((Q * 10 ** generator.uniform(-1, 1, rows)) @ random_orthogonal(generator, rows))
    return _block_diagonal(*blocks)


def _block_diagonal(one: Floats, two: Floats) -> Floats:
    return np.block([[one, np.zeros((len(one), len(two)))], [np.zeros((len(two), len(one))), two]])


def _power(S: Floats, power: float) -> Floats:
    """S^p of a symmetric positive definite matrix."""
    values, vectors = np.linalg.eigh(S)
    return np.asarray((vectors * values**power) @ vectors.T)
