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
from gradalign.claims._linear_residuals import Steps, TwoLosses, descend, random_jacobian, raw_directions
from gradalign.claims._records import Claim, Curve, Status, at_least, at_most, equals, holds, never, timed, vanishes
from gradalign.diagnostics.alignment import score_certificate
from gradalign.diagnostics.curvature import condition_number, conflict_factor, irreducible_conflict, random_orthogonal

CONDITION = 1e-8  # relative: condition numbers up to 1e6 in float64
RATE = 1e-6  # contraction per step, relative
BOUND = 1e-9  # relative: condition numbers up to 1e6 after whitening
ANGLE = 1e-9  # cosines of angles after inverse square roots of blocks of condition up to 1e3
SEARCH = 1e-6  # relative: what a log weight found to 1e-9 leaves at a kink of kappa
LEADING_ORDER = 1e-3  # relative: the ratio is large enough to leave the next order below it

CONDITIONS: Status = "proven under conditions"
SHAPES = ((1, 1), (1, 3), (3, 2), (4, 4))
"""Numbers of residuals of the two losses in the random problems."""
PER_SHAPE = 75
PARAMETERS = 8
PROBLEMS = PER_SHAPE * len(SHAPES)
GAUSSIAN = 400
"""Problems of 2 + 2 residuals with Gaussian rows."""
BRACKET = 8.0  # of log weights, about the one that makes the largest eigenvalues of both blocks equal


def check() -> list[Claim]:
    """All records of the claims T12 and T13.

    Raises ``ConfigurationError`` while JAX's 64-bit types are off.
    """
    dtype_of("float64")
    return timed(CHECKS)


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


def T12() -> list[Claim]:
    """Two quadratics a_i (<q_i, theta> - b_i)^2 / 2 in the plane, at the angle phi, with rho = a_1 / a_2."""
    generator = np.random.default_rng([12, 1])
    angles = generator.uniform(0.02, np.pi - 0.02, 3000)
    ratios = np.exp(generator.uniform(-6, 6, 3000))
    kappa = conditions(two_quadratics(angles, ratios))
    trace = (1 + ratios) ** 2 / (ratios * np.sin(angles) ** 2)
    bound = best_condition(angles)
    equal = conditions(two_quadratics(angles, 1.0))
    weights = np.exp(generator.uniform(-6, 6, 3000))
    weighted = conditions(two_quadratics(angles, ratios * weights))
    searched = weighted_conditions(angles[:200], ratios[:200])
    wide = angles[(angles > 0.1) & (angles < np.pi - 0.1)]
    large = conditions(two_quadratics(wide, 1e4)) * np.sin(wide) ** 2 / 1e4
    one = np.broadcast_to([1.0, 0.0], (50, 1, 2))
    two = np.stack([np.cos(angles[:50]), np.sin(angles[:50])], axis=-1)[:, None]
    factors = np.asarray(conflict_factor(_conflicts(jnp.asarray(one), jnp.asarray(two))))
    rate, beaten, newton = _descent_in_the_plane(angles[:200], ratios[:200], kappa[:200], generator)
    example = two_quadratics(np.full(2, 0.2), 1.0)
    printed = conditions(example)[0]
    error = example[0] @ np.array([0.3, -0.7])
    for _ in range(100):
        error = descent_step(example[0], error)
    contraction = np.linalg.norm(descent_step(example[0], error)) / np.linalg.norm(error)
    return [
        vanishes(
            "T12",
            "kappa + 1/kappa + 2 = (1 + rho)^2/(rho sin^2 phi).",
            "largest relative error, 3000 problems",
            (kappa + 1 / kappa + 2) / trace - 1,
            CONDITION,
            draws=3000,
        ),
        vanishes(
            "T12",
            "For equal curvatures kappa = cot^2(phi/2) at phi <= pi/2, and tan^2(phi/2) beyond.",
            "largest relative error",
            equal / bound - 1,
            CONDITION,
            draws=3000,
        ),
        vanishes(
            "T12",
            "kappa tends to rho/sin^2 phi for a large ratio rho of curvatures.",
            "largest relative error, rho = 1e4",
            large - 1,
            LEADING_ORDER,
            draws=2000,
        ),
        holds(
            "T12",
            "No loss weights give a condition number below cot^2(phi/2).",
            "least kappa/cot^2 - 1, random weights",
            weighted / bound - 1,
            CONDITION,
            draws=3000,
        ),
        vanishes(
            "T12",
            "The best loss weights make the curvatures equal and attain cot^2(phi/2).",
            "largest relative error of the least kappa of 81 weights, 200 problems",
            [searched.min(axis=1) / bound[:200] - 1, searched[:, 40] / bound[:200] - 1],
            CONDITION,
            draws=400,
        ),
        vanishes(
            "T12",
            "cot^2(phi/2) is the irreducible factor q of the two gradients' directions (T13).",
            "largest relative error, 50 angles",
            factors / bound[:50] - 1,
            CONDITION,
            draws=50,
        ),
        vanishes(
            "T12",
            "Gradient descent at its best step contracts by (kappa - 1)/(kappa + 1) per step.",
            "largest relative error, 20 steps, 200 problems",
            rate,
            RATE,
            draws=4000,
        ),
        holds(
            "T12",
            "No other step contracts the worst direction faster.",
            "least excess of ||I - eta H|| over (kappa - 1)/(kappa + 1)",
            beaten,
            CONDITION,
            draws=200,
        ),
        vanishes(
            "T12", "One Newton step ends at the minimiser.", "largest relative distance", newton, CONDITION, draws=200
        ),
        equals("T12", "The example phi = 0.2, rho = 1.", "kappa", printed, 99.33, 0.005),
        equals(
            "T12",
            "The example phi = 0.2, rho = 1.",
            "contraction per step after 100 steps",
            contraction,
            0.980067,
            5e-7,
        ),
    ]


def T13a() -> list[Claim]:
    """No block-diagonal preconditioner of the residuals gets below q."""
    generator = np.random.default_rng([13, 2])
    c = irreducible_conflicts()
    q = irreducible_factors()
    whitened, spectral, near, blocks, weights = [], [], [], [], []
    for problem in problems():
        whitening = block_whitening(problem)
        one, two = np.split(whitening @ problem.J, [problem.first])
        spectral.append(np.linalg.norm(one @ two.T, 2))
        whitened.append(whitening @ problem.J)
        size = len(problem.J)
        close = whitening @ (np.eye(size) + 0.03 * _blocks(generator, problem.first, size))
        near.append(close @ problem.J)
        blocks.append(_blocks(generator, problem.first, size) @ problem.J)
        weights.append(_weights(generator.uniform(-4, 4), problem) @ problem.J)
    statement = "kappa(D K D^T) >= q = (1 + c)/(1 - c) for every block-diagonal invertible D"
    return [
        vanishes(
            "T13a",
            "c = ||K_11^(-1/2) K_12 K_22^(-1/2)||_2 is the cosine of the smallest angle between the row spaces.",
            "largest error, 300 problems",
            np.array(spectral) - c,
            ANGLE,
            CONDITIONS,
            draws=PROBLEMS,
        ),
        *(
            holds(
                "T13a",
                f"{statement}, {words}.",
                "least kappa/q - 1, 300 problems",
                squared_conditions(matrices) / q - 1,
                BOUND,
                CONDITIONS,
                draws=PROBLEMS,
            )
            for words, matrices in {
                "random blocks": blocks,
                "blocks close to K_ii^(-1/2)": near,
                "and for all loss weights": weights,
            }.items()
        ),
        vanishes(
            "T13a",
            "D_i = K_ii^(-1/2) attains q.",
            "largest relative error, 300 problems",
            squared_conditions(whitened) / q - 1,
            BOUND,
            CONDITIONS,
            draws=PROBLEMS,
        ),
    ]


def T13b() -> list[Claim]:
    """kappa(K) lies between max{kappa(D_K), q} and kappa(D_K) q."""
    q = irreducible_factors()
    kappa = squared_conditions([problem.J for problem in problems()])
    within = np.array([_within(problem) for problem in problems()])
    return [
        holds(
            "T13b",
            "kappa(K) >= max{kappa(D_K), q}: neither the scales within the losses nor the angle can hide the other.",
            "least kappa/max - 1, 300 problems",
            kappa / np.maximum(within, q) - 1,
            BOUND,
            CONDITIONS,
            draws=PROBLEMS,
        ),
        holds(
            "T13b",
            "kappa(K) <= kappa(D_K) q.",
            "least kappa(D_K) q/kappa - 1, 300 problems",
            within * q / kappa - 1,
            BOUND,
            CONDITIONS,
            draws=PROBLEMS,
        ),
        vanishes(
            "T13b",
            "For one residual a loss of equal length both bounds are q, and kappa(K) is q.",
            "largest relative error, 75 problems",
            _equal_lengths() / q[:PER_SHAPE] - 1,
            BOUND,
            CONDITIONS,
            draws=PER_SHAPE,
        ),
    ]


def T13c() -> list[Claim]:
    """Scores certify: |A| <= c at every point, so (1 + |A|)/(1 - |A|) <= q."""
    generator = np.random.default_rng([13, 4])
    raw, own, attained, bounds = [], [], [], []
    c = irreducible_conflicts()
    q = irreducible_factors()
    powers = (0.25, 0.5, 1.0)
    for problem, bound in zip(problems(), c, strict=True):
        r = generator.standard_normal((10, len(problem.J)))
        raw.append(raw_directions(problem, r))
        own += [own_directions(problem, r, power) for power in powers]
        bounds.append(np.full(10, bound))
        whitening = block_whitening(problem)
        one, two = np.split(whitening @ problem.J, [problem.first])
        y, _, zt = np.linalg.svd(one @ two.T)
        aligned = whitening @ np.concatenate([y[:, 0], zt[0]])
        opposite = np.concatenate([aligned[: problem.first], -aligned[problem.first :]])
        attained.append(raw_directions(problem, np.stack([aligned, opposite])))
    limit = np.concatenate(bounds)
    A = scores(np.concatenate(raw))
    A_own = scores(np.concatenate(own))
    ends = scores(np.concatenate(attained)).reshape(-1, 2)
    certificates = np.asarray(score_certificate(jnp.asarray(ends)))
    run = certified_run()
    return [
        never(
            "T13c",
            "At every point |A(g_1, g_2)| <= c.",
            "violations by more than 1e-9, 3000 points",
            np.abs(A) > limit + ANGLE,
            CONDITIONS,
            draws=10 * PROBLEMS,
            of=[A, limit],
        ),
        never(
            "T13c",
            "Own-state directions (J_i^T J_i)^-p g_i stay in the row spaces, so |A| <= c for them too.",
            "violations by more than 1e-9, 9000 points, p = 1/4, 1/2, 1",
            np.abs(A_own) > np.repeat(limit.reshape(-1, 1, 10), len(powers), axis=1).ravel() + ANGLE,
            CONDITIONS,
            draws=30 * PROBLEMS,
            of=[A_own, limit],
        ),
        vanishes(
            "T13c",
            "Both ends are reached: A = c and A = -c at two points of every problem.",
            "largest error, 300 problems",
            ends - np.stack([c, -c], axis=1),
            ANGLE,
            CONDITIONS,
            draws=2 * PROBLEMS,
        ),
        vanishes(
            "T13c",
            "A near -1 and A near +1 certify the same condition number, and no more than q.",
            "largest relative error of the certificates at A = -c and A = c from q",
            certificates / q[:, None] - 1,
            BOUND,
            CONDITIONS,
            draws=2 * PROBLEMS,
        ),
        holds(
            "T13c",
            "Along gradient descent every score certifies at most q.",
            "least q/certificate - 1, 3 runs of 3000 steps",
            run.q / run.certificates - 1,
            BOUND,
            CONDITIONS,
            draws=300,
        ),
        holds(
            "T13c",
            "What the scores of a run certify, no loss weights undercut.",
            "least kappa/certificate - 1, 401 weights",
            run.best / run.certificates - 1,
            BOUND,
            CONDITIONS,
            draws=300,
        ),
    ]


def T13d() -> list[Claim]:
    """What one weight a loss leaves of the condition number: the conditioning within the losses."""
    q = irreducible_factors()
    log, kappa = best_weights(problems())
    floor = np.maximum(q, [np.maximum(*_own_conditions(problem)) for problem in problems()])
    ratio = kappa / q
    gaussian = gaussian_problems()
    gaussian_log, least = best_weights(gaussian)
    gaussian_ratio = least / np.asarray(
        conflict_factor(_conflicts(*(jnp.asarray(np.stack(rows)) for rows in zip(*map(_sides, gaussian), strict=True))))
    )
    # Three orthogonal rows: q = 1, and every weight leaves the ratio of the squared lengths of the first two
    orthogonal = TwoLosses(np.diag([1.0, 2.0, 1.5]), 2)
    statement = "No loss weights get kappa below max{q, kappa(K_11), kappa(K_22)}"
    several = "The best loss weights leave more than q where a loss has several residuals"
    return [
        holds(
            "T13d",
            f"{statement}: a weight a loss does not change the conditioning within a loss.",
            f"least kappa/max - 1 at the best weights, {PROBLEMS} problems",
            kappa / floor - 1,
            BOUND,
            CONDITIONS,
            draws=PROBLEMS,
        ),
        vanishes(
            "T13d",
            "If each loss has one residual, loss weights attain q.",
            f"largest kappa/q - 1 at the best weights, {PER_SHAPE} problems",
            ratio[:PER_SHAPE] - 1,
            SEARCH,
            CONDITIONS,
            draws=PER_SHAPE,
        ),
        equals(
            "T13d",
            "Some loss weights attain q.",
            "least kappa over loss weights, rows orthogonal, of lengths 1, 2 and 1.5, q = 1",
            best_weights([orthogonal])[1],
            4.0,
            SEARCH,
            "false in general",
        ),
        *(
            at_least(
                "T13d",
                f"{several}.",
                f"median kappa/q at the best weights, {where}",
                [np.median(values)],
                1.5,
                0.0,
                "observation",
                draws=1,
                of=values,
            )
            for where, values in (
                *(
                    (
                        f"{PER_SHAPE} problems of {first} + {second} residuals",
                        ratio[PER_SHAPE * k : PER_SHAPE * (k + 1)],
                    )
                    for k, (first, second) in enumerate(SHAPES)
                    if first + second > 2
                ),
                (f"{PROBLEMS} problems of all four shapes", ratio),
                (f"{GAUSSIAN} problems of 2 + 2 residuals, Gaussian rows", gaussian_ratio),
            )
        ),
        at_most(
            "T13d",
            "The best weight is not at an end of its bracket.",
            f"largest |log weight|, {PROBLEMS + GAUSSIAN} problems, bracket {BRACKET:g}",
            [np.abs(log), np.abs(gaussian_log)],
            BRACKET / 2,
            0.0,
            "observation",
            draws=PROBLEMS + GAUSSIAN,
        ),
    ]


CHECKS = (T12, T13a, T13b, T13c, T13d)


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


def irreducible_factors() -> Floats:
    """q = (1 + c)/(1 - c) of every problem, (300,)."""
    return np.asarray(conflict_factor(jnp.asarray(irreducible_conflicts())))


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


@cache
def gaussian_problems() -> list[TwoLosses]:
    """400 problems of 2 + 2 residuals, all entries of J standard normal."""
    rows = np.random.default_rng([13, 7]).standard_normal((GAUSSIAN, 4, PARAMETERS))
    return [TwoLosses(J, 2) for J in rows]


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


def squared_conditions(matrices: Sequence[Floats]) -> Floats:
    """kappa(M M^T) = (sigma_max/sigma_min)^2 of each matrix (m, 8), whose m may differ: (N,)."""
    found = np.empty(len(matrices))
    for rows in {len(matrix) for matrix in matrices}:
        chosen = [k for k, matrix in enumerate(matrices) if len(matrix) == rows]
        found[chosen] = conditions(np.stack([matrices[k] for k in chosen])) ** 2
    return found


_conflicts = jax.jit(jax.vmap(irreducible_conflict))


def _descent_in_the_plane(
    angles: Floats, ratios: Floats, kappa: Floats, generator: np.random.Generator
) -> tuple[Floats, Floats, Floats]:
    """Relative errors of the contraction, excess of other steps, and distances left by one Newton step."""
    expected = (kappa - 1) / (kappa + 1)
    rate, excess, newton = [], [], []
    for H, contraction in zip(two_quadratics(angles, ratios), expected, strict=True):
        minimiser, theta = generator.standard_normal((2, 2))
        error = theta - minimiser
        lengths = [np.linalg.norm(error)]
        for _ in range(20):
            error = descent_step(H, error)
            lengths.append(np.linalg.norm(error))
        rate.append(np.divide(lengths[1:], lengths[:-1]) / contraction - 1)
        eta = generator.uniform(0, 2) / np.linalg.eigvalsh(H)[-1]
        excess.append(np.linalg.norm(np.eye(2) - eta * H, 2) - contraction)
        g = H @ (theta - minimiser)
        after = theta - np.linalg.solve(H, g)
        newton.append(np.linalg.norm(after - minimiser) / np.linalg.norm(theta - minimiser))
    return np.array(rate), np.array(excess), np.array(newton)


def _within(problem: TwoLosses) -> float:
    """kappa(D_K): the largest eigenvalue of both blocks K_ii over the least."""
    values = np.concatenate([np.linalg.eigvalsh(J @ J.T) for J in _sides(problem)])
    return float(values.max() / values.min())


def _own_conditions(problem: TwoLosses) -> list[Any]:
    """kappa(K_11) and kappa(K_22)."""
    return [np.linalg.cond(J) ** 2 for J in _sides(problem)]


def _sides(problem: TwoLosses) -> list[Floats]:
    """J_1 and J_2."""
    return np.split(problem.J, [problem.first])


def _equal_lengths() -> Floats:
    """kappa(K) of the problems of one residual a loss, after both rows are scaled to unit length."""
    pairs = [problem.J / np.linalg.norm(problem.J, axis=1, keepdims=True) for problem in problems()[:PER_SHAPE]]
    return squared_conditions(pairs)


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
