"""Claim T20: the Gram matrix of per-loss directions v_i = (J^T J + mu)^(-p) g_i for least squares.

Problems are drawn from explicit seeds in float64. Directions are made from their definition, with the matrix of the
parameters' size, and compared with ``gauss_newton_gram``, which needs the kernel K = J J^T only. A record of status
"false in general" reproduces a counterexample.

T20f says when Gauss-Newton (p = 1) aligns two losses. Let c_j be the cosines of the principal angles between the row
spaces, and a_j, b_j the components of J_1^+ r_1 and J_2^+ r_2, the Gauss-Newton steps of each loss alone, along the
principal vectors. Then <J_1^+ r_1, J_2^+ r_2> = sum_j c_j a_j b_j and <v_1, v_2> = -sum_j c_j a_j b_j / (1 - c_j^2).
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradalign.base.precision import dtype_of
from gradalign.claims._batches import score, scores
from gradalign.claims._least_squares import (
    COLUMNS,
    CUTOFF,
    ROWS,
    directions,
    grams,
    grid,
    joined_ends,
    linearise,
    ordinary_network,
    random_problems,
    rich_network,
    stacked,
)
from gradalign.claims._records import (
    STANDARD_ERRORS,
    Claim,
    Curve,
    Status,
    at_least,
    at_most,
    equals,
    holds,
    in_band,
    never,
    timed,
    vanishes,
)
from gradalign.claims._shallow_networks import conflicts, slope
from gradalign.diagnostics.alignment import null_value
from gradalign.diagnostics.curvature import random_orthogonal

Floats = NDArray[np.floating[Any]]

CLOSED_FORM = 1e-10  # powers of kernels of condition up to 1e4
DEFICIENT = 1e-8  # the same where a residual may lie almost off the range of its Jacobian
CONDITIONED = 1e-6  # the same at condition up to 1e9, for networks
DAMPED = 1e-3  # what a damping of 1e-8 largest eigenvalues leaves of the whitened score of a network
LIMIT = 1e-3  # distance from the limit of a score that tends to it linearly, at k = 1e-8
SLOPE = 0.05
POWERS = (0.0, 0.25, 0.5, 0.75, 1.0)
POINTS = 8  # of the network
NETWORKS = 3  # draws of the rich initialisation
ORDINARY = 16  # draws of the ordinary one
CONFLICT = -0.2
"""The raw score below which two losses count as in conflict (T20g)."""
GAUSSIAN = {1: 10_000, 2: 10_000, 3: 10_000, 5: 10_000, 10: 8_000, 30: 8_000}
"""Draws of two losses with Gaussian rows, by the number of residuals of each."""
GAUSSIAN_CHUNK = 1000

CONDITIONS: Status = "proven under conditions"


def check() -> list[Claim]:
    """All records of the claim T20.

    Raises ``ConfigurationError`` while JAX's 64-bit types are off.
    """
    dtype_of("float64")
    return timed(CHECKS)


def curves() -> list[Curve]:
    """Scores against the power p, for random problems and for a network with damping, and the sign flip.

    Raises ``ConfigurationError`` while JAX's 64-bit types are off.
    """
    dtype_of("float64")
    powers = np.linspace(0, 1.25, 51)
    found = []
    for n in (2, 3, 4):
        J, r = random_problems(n, 3, np.random.default_rng([20, 7, n]))
        for draw in range(3):
            values = _scores_by_power(J[draw], r[draw], powers, 0.0)
            found.append(Curve("T20", "score against power, random problems", f"n = {n}", powers, values, draw))
    generator = np.random.default_rng([20, 8])
    for series, rows in (("one residual per loss", 1), ("three residuals per loss", 3)):
        J, r = random_problems(2, 200, generator, rows)
        raw, newton = (grams(J, r, p)[1] for p in (0.0, 1.0))
        found.append(Curve("T20", "Gauss-Newton score against raw score", series, raw, newton))
    J, r = _ordinary(0)
    for damping in (1e-2, 1e-4, 1e-6, 1e-8):
        values = _scores_by_power(J, r, powers, damping * _top(J))
        found.append(Curve("T20", "score against power, network", f"mu = {damping:g} lambda_max", powers, values))
    return found


def T20() -> list[Claim]:
    """The master identity."""
    errors, deficient = [], []
    for n in (2, 3, 4):
        generator = np.random.default_rng([20, 1, n])
        J, r = random_problems(n, 200, generator)
        errors += [_identity_error(J, r, p, damping) for p in POWERS for damping in (0.0, 1e-3, 1.0)]
        J, r = random_problems(n, 200, generator, deficient=True)
        deficient += [_identity_error(J, r, p, 0.0) for p in POWERS]
    J, r = _networks()
    network = [_identity_error(J, r, p, 0.0) for p in (0.0, 0.5, 1.0)]
    statement = "<v_i, v_j> = r_i^T [K (K + mu)^(-2p)]_ij r_j for v_i = (J^T J + mu)^(-p) g_i"
    return [
        vanishes(
            "T20",
            f"{statement}.",
            "largest relative error, 600 draws, p in 0..1, mu in 0, 1e-3, 1, kappa(K) up to 1e4",
            errors,
            CLOSED_FORM,
            draws=15 * 600 * 4,
        ),
        vanishes(
            "T20",
            f"{statement}, with pseudo-powers where the rows of a loss depend on each other (mu = 0).",
            "largest relative error, 600 draws, p in 0..1",
            deficient,
            DEFICIENT,
            draws=5 * 600 * 4,
        ),
        vanishes(
            "T20",
            f"{statement}, for the exact Jacobian of a tanh network.",
            f"largest relative error, 321 parameters, {NETWORKS} rich initialisations, mu = 0, p = 0, 1/2, 1",
            network,
            CONDITIONED,
            draws=3 * NETWORKS * 9,
        ),
    ]


def T20a() -> list[Claim]:
    """The whitened score."""
    errors: dict[bool, list[Floats]] = {False: [], True: []}
    for n in (2, 3, 4):
        generator = np.random.default_rng([20, 2, n])
        for deficient, found in errors.items():
            J, r = random_problems(n, 500, generator, deficient=deficient)
            found += [values - null_value(n) for values in (grams(J, r, 0.5)[1], scores(directions(J, r, 0.5)))]
    damped = []
    for draw in range(ORDINARY):
        J, r = _ordinary(draw)
        damped.append(_scores_by_power(J, r, np.array([0.5]), 1e-8 * _top(J))[0])
    shared = np.array([[[1.0, 0.0]], [[2.0, 0.0]]])
    statement = "With independent row spaces the whitened per-loss directions (p = 1/2) are orthogonal, so A = 2/n - 1"
    return [
        vanishes(
            "T20a",
            f"{statement}.",
            "largest |A - (2/n - 1)|, 1500 draws, n = 2, 3, 4",
            errors[False],
            CLOSED_FORM,
            CONDITIONS,
            draws=3000,
        ),
        vanishes(
            "T20a",
            f"{statement}, also where the rows within a loss depend on each other.",
            "largest |A - (2/n - 1)|, 1500 draws, n = 2, 3, 4",
            errors[True],
            CLOSED_FORM,
            CONDITIONS,
            draws=3000,
        ),
        vanishes(
            "T20a",
            f"{statement}: -1/3 for the three losses of a network.",
            f"largest |A + 1/3|, {NETWORKS} rich initialisations",
            scores(directions(*_networks(), 0.5)) - null_value(3),
            CONDITIONED,
            CONDITIONS,
            draws=NETWORKS,
        ),
        vanishes(
            "T20a",
            "With little damping the whitened score of a network that is numerically rank deficient is near 2/n - 1.",
            f"largest |A|, two losses, {ORDINARY} ordinary initialisations, mu = 1e-8 lambda_max",
            damped,
            DAMPED,
            "observation",
            draws=ORDINARY,
        ),
        equals(
            "T20a",
            "The whitened score is 2/n - 1 whatever the row spaces.",
            "whitened score of two losses that share their only row",
            score(directions(shared, np.ones((2, 1)), 0.5)),
            1.0,
            CLOSED_FORM,
            "false in general",
        ),
    ]


def T20b() -> list[Claim]:
    """One residual per loss, two losses."""
    J, r = random_problems(2, 1000, np.random.default_rng([20, 3]), rows=1)
    raw, newton = (scores(directions(J, r, p)) for p in (0.0, 1.0))
    powers = (0.1, 0.3, 0.45, 0.55, 0.7, 1.0, 1.5)
    by_power = [grams(J, r, p)[1] for p in powers]
    wrong = [np.sign(found) != np.sign(raw) * np.sign(0.5 - p) for found, p in zip(by_power, powers, strict=True)]
    rows = np.array([[[1.0, 0.0]], [[0.6, 0.8]]])
    return [
        vanishes(
            "T20b",
            "With one residual per loss and two losses Gauss-Newton flips the sign of the raw cosine: A(1) = -A(0).",
            "largest |A(1) + A(0)|, 1000 draws",
            newton + raw,
            CLOSED_FORM,
            draws=1000,
        ),
        never(
            "T20b",
            "With one residual per loss and two losses sgn A(p) = sgn A(0) sgn(1/2 - p).",
            "wrong signs, 1000 draws, seven powers p in 0.1..1.5",
            wrong,
            draws=7000,
            of=[*by_power, raw],
        ),
        equals(
            "T20b",
            "Gauss-Newton preconditioning does not lower the score of the per-loss directions.",
            "Gauss-Newton score of two losses of one residual each with raw score 0.6",
            score(directions(rows, np.ones((2, 1)), 1.0)),
            -0.6,
            CLOSED_FORM,
            "false in general",
        ),
    ]


def T20c() -> list[Claim]:
    """Eigenmodes of the kernel."""
    identity, slacks, whitened = [], [], []
    for n in (2, 3, 4):
        J, _ = random_problems(n, 100, np.random.default_rng([20, 4, n]))
        draws = np.arange(len(J))
        values, modes = np.linalg.eigh(stacked(J) @ np.swapaxes(stacked(J), 1, 2))
        first = np.sum(values <= CUTOFF * values[:, -1:], axis=1)  # rows of zeros have the eigenvalue 0
        last = n * ROWS - 1
        for place in (first, (first + last) // 2, np.full_like(first, last)):
            k, z = values[draws, place], modes[draws, :, place]
            r = z.reshape(-1, n, ROWS)
            for p in (*POWERS, 0.4, 0.6):
                gram, _ = grams(J, r, p)
                own = np.einsum("bii->bi", gram)
                net = gram.sum(axis=2) - own
                full = k[:, None] ** (1 - 2 * p) * np.sum(r**2, axis=2)
                seen = np.arange(last + 1) >= first[:, None]
                powers = np.where(seen, np.where(seen, values, 1.0) ** (1 - 2 * p), 0.0)
                # r_i^T [K^(1-2p)]_ii r_i: the square of E_i r in the eigenbasis of K, by its powers
                sides = np.einsum("bim,bimk->bik", r, modes.reshape(-1, n, ROWS, last + 1))
                diagonal = np.einsum("bik,bk->bi", sides**2, powers)
                identity.append((net - (full - diagonal)) / (full + diagonal))
                if p == 0.5:
                    whitened.append(net / own)
                if place is first:
                    slacks.append(np.sign(p - 0.5) * net / (full + diagonal))
                elif np.all(place == last):
                    slacks.append(np.sign(0.5 - p) * net / (full + diagonal))
    return [
        vanishes(
            "T20c",
            "At an eigenmode K r = k r, sum_(j != i) <v_i, v_j> = k^(1-2p) ||r_i||^2 - r_i^T [K^(1-2p)]_ii r_i.",
            "largest relative error, 300 problems, three modes, seven powers",
            identity,
            CLOSED_FORM,
            CONDITIONS,
            draws=12600,
        ),
        holds(
            "T20c",
            "In the slowest mode every loss is in net conflict with the others for p < 1/2 and in net agreement for "
            "p > 1/2; in the fastest mode the other way round.",
            "least slack, relative, 300 problems, seven powers",
            slacks,
            CLOSED_FORM,
            CONDITIONS,
            draws=8400,
        ),
        vanishes(
            "T20c",
            "Whitened directions (p = 1/2) have no net interaction in any mode.",
            "largest |sum_(j != i) <v_i, v_j>| / ||v_i||^2, 300 problems, three modes",
            whitened,
            CLOSED_FORM,
            CONDITIONS,
            draws=1800,
        ),
    ]


def T20d() -> list[Claim]:
    """The ill-conditioned limit."""
    bottoms = (1e-4, 1e-5, 1e-6, 1e-8)
    limits = ill_conditioned(200, bottoms, np.random.default_rng([20, 5]))
    wrong = [np.sign(found[-1]) != sign for found, sign in limits]
    errors = np.array([np.abs(found - sign) for found, sign in limits])
    statement = "As the least eigenvalue k of K vanishes, the Gauss-Newton score of two losses tends to +-1"
    return [
        never(
            "T20d",
            f"{statement}, with the sign of <z_1, r_1> <z_2, r_2>, z the slowest mode.",
            f"wrong signs at k = 1e-8, {len(errors)} draws",
            wrong,
            CONDITIONS,
            draws=100,
            of=errors,
        ),
        vanishes(
            "T20d",
            f"{statement}.",
            f"largest distance at k = 1e-8, {len(errors)} draws",
            errors[:, -1],
            LIMIT,
            CONDITIONS,
            draws=100,
        ),
        equals(
            "T20d",
            f"{statement} at a distance of the order of k.",
            "slope of the median log distance against log k, k = 1e-4..1e-6",
            slope(np.array(bottoms[:3]), np.median(errors, axis=0)[:3]),
            1.0,
            SLOPE,
            CONDITIONS,
            of=errors,
        ),
    ]


def T20e() -> list[Claim]:
    """Residuals of a symmetric law."""
    generator = np.random.default_rng([20, 6])
    J = np.repeat(random_problems(2, 1, generator, rows=ROWS)[0], 20_000, axis=0)
    r = generator.standard_normal((20_000, 2, ROWS))
    mirrored = r * np.array([-1.0, 1.0])[:, None]
    records, odd = [], []
    for name, p in (("raw gradients", 0.0), ("Gauss-Newton directions", 1.0)):
        found = grams(J, r, p)[1]
        odd.append(found + grams(J, mirrored, p)[1])
        records.append(
            in_band(
                "T20e",
                "If r_1 and -r_1 have the same law, both signs of the score are equally likely, for every power p.",
                f"|z| of the share of conflicts, {name}, 20000 draws",
                conflicts(found),
                0.5,
                draws=20_000,
            )
        )
    statement = "A(-r_1, r_2) = -A(r_1, r_2) for two losses and every power p."
    quantity = "largest error, 20000 draws, p = 0 and 1"
    return [*records, vanishes("T20e", statement, quantity, odd, CLOSED_FORM, draws=40_000)]


def T20f() -> list[Claim]:
    """Where the Gauss-Newton directions of two losses align."""
    J, r = random_problems(2, 1000, np.random.default_rng([20, 10]))
    gram = grams(J, r, 1.0)[0]
    pairs = principal_pairs(J, r)
    product = -np.sum(pairs.cosines * pairs.first * pairs.second / (1 - pairs.cosines**2), axis=1)
    identity = (gram[:, 0, 1] - product) / np.sqrt(gram[:, 0, 0] * gram[:, 1, 1])
    opposed = scores(directions(J, opposed_residuals(J, r), 1.0))
    agreeing = scores(directions(J, opposed_residuals(J, r) * np.array([1.0, -1.0])[:, None], 1.0))
    single = np.count_nonzero(r[:, 0], axis=1) == 1
    newton, own = scores(directions(J, r, 1.0))[single], scores(own_steps(J, r))[single]
    # Principal angles of cosines 0.9 and 0.6 between orthonormal rows, a = r_1 and b = r_2
    c, tail = np.array([0.9, 0.6]), np.diag(np.sqrt([1 - 0.9**2, 1 - 0.6**2]))
    example = np.stack([np.eye(2, 4), np.concatenate([np.diag(c), tail], axis=1)])
    residuals = np.sqrt(np.array([[1.0, 3.0], [1.0, 3.0]])) * np.array([[1, 1], [1, -1]])
    statement = "The Gauss-Newton directions of two losses"
    return [
        vanishes(
            "T20f",
            f"{statement} have <v_1, v_2> = -sum_j c_j a_j b_j/(1 - c_j^2), where the Gauss-Newton steps of each loss "
            "alone have <J_1^+ r_1, J_2^+ r_2> = sum_j c_j a_j b_j.",
            "largest error relative to ||v_1|| ||v_2||, 1000 draws",
            identity,
            CLOSED_FORM,
            CONDITIONS,
            draws=1000,
        ),
        holds(
            "T20f",
            f"{statement} align where the steps of each loss alone conflict in every pair of principal vectors.",
            "least score, 1000 draws",
            opposed,
            CLOSED_FORM,
            CONDITIONS,
            draws=1000,
        ),
        at_most(
            "T20f",
            f"{statement} conflict where the steps of each loss alone agree in every pair of principal vectors.",
            "largest score, 1000 draws",
            agreeing,
            0.0,
            CLOSED_FORM,
            CONDITIONS,
            draws=1000,
        ),
        never(
            "T20f",
            f"{statement} align if and only if the steps of each loss alone conflict, where one loss has one residual.",
            "draws of one sign before and after, of 1000 those with one residual in the first loss",
            np.sign(newton) != -np.sign(own),
            CONDITIONS,
            draws=200,
            of=[newton, own],
        ),
        equals(
            "T20f",
            f"{statement} align where their raw gradients conflict.",
            "Gauss-Newton score of two losses of two residuals each with raw score -0.225",
            score(directions(example, residuals, 1.0)),
            -(0.9 / 0.19 - 1.8 / 0.64) / (1 / 0.19 + 3 / 0.64),
            CLOSED_FORM,
            "false in general",
            of=score(directions(example, residuals, 0.0)),
        ),
    ]


def T20g() -> list[Claim]:
    """Gauss-Newton scores of two losses with Gaussian rows, where the raw gradients conflict."""
    statement = f"Where the raw score of two losses with Gaussian rows is below {CONFLICT:g}, the Gauss-Newton score is"
    records, means = [], []
    for m, draws in GAUSSIAN.items():
        raw, newton = gaussian_scores(m)
        chosen = newton[~(raw >= CONFLICT)]  # a NaN stays among them
        means.append(np.mean(chosen))
        where = f"m = {m} residuals a loss, {2 * m + 2} parameters, {draws} draws"
        records += [
            at_least(
                "T20g",
                f"{statement} positive on average.",
                f"mean, {where}; at least 4 standard errors",
                [means[-1]],
                float(STANDARD_ERRORS * np.std(chosen) / np.sqrt(chosen.size)),
                0.0,
                "observation",
                of=[raw, newton],
            ),
            at_most(
                "T20g",
                f"{statement} positive on average, with a spread.",
                f"standard deviation, {where}",
                [np.std(chosen)],
                0.6,
                0.0,
                "observation",
                of=[raw, newton],
            ),
        ]
    return [
        *records,
        holds(
            "T20g",
            f"{statement} the smaller on average, the more residuals there are.",
            "least fall of the mean from one m to the next, m = 1, 2, 3, 5, 10, 30",
            -np.diff(means),
            0.0,
            "observation",
            draws=len(GAUSSIAN) - 1,
        ),
    ]


CHECKS = (T20, T20a, T20b, T20c, T20d, T20e, T20f, T20g)


class PrincipalPairs(NamedTuple):
    """c_j, a_j, b_j (B, m) and the frames that lead back from b: r_2 = frame b with frame (B, m, m)."""

    cosines: Floats
    first: Floats
    second: Floats
    frame: Floats


def principal_pairs(J: Floats, r: Floats) -> PrincipalPairs:
    """Cosines c_j of the principal angles between the row spaces of two losses, J (B, 2, m, d), r (B, 2, m), and the
    components a_j, b_j of J_1^+ r_1 and J_2^+ r_2 along the principal vectors.

    A loss of fewer than m residuals has zero rows, and zeros in place of the cosines that it lacks.

    >>> found = principal_pairs(np.array([[[[1.0, 0.0]], [[3.0, 4.0]]]]), np.array([[[2.0], [10.0]]]))
    >>> found.cosines.round(12).tolist(), (found.first * found.second).round(12).tolist()
    ([[0.6]], [[4.0]])
    """
    left, singular, rows = np.linalg.svd(J, full_matrices=False)
    kept = singular > np.sqrt(CUTOFF) * singular[..., :1]
    rows = np.where(kept[..., None], rows, 0.0)
    x = np.where(kept, np.einsum("bimk,bim->bik", left, r) / np.where(kept, singular, 1.0), 0.0)
    Y, cosines, Z = np.linalg.svd(rows[:, 0] @ np.swapaxes(rows[:, 1], 1, 2))
    back = left[:, 1] * np.where(kept, singular, 0.0)[:, 1, None] @ np.swapaxes(Z, 1, 2)
    return PrincipalPairs(cosines, np.einsum("bkj,bk->bj", Y, x[:, 0]), np.einsum("bjk,bk->bj", Z, x[:, 1]), back)


def opposed_residuals(J: Floats, r: Floats) -> Floats:
    """r with other signs of the b_j, so that a_j b_j <= 0 for every j; (B, 2, m) of J (B, 2, m, d).

    >>> opposed_residuals(np.array([[[[1.0, 0.0]], [[3.0, 4.0]]]]), np.array([[[2.0], [10.0]]])).round(12).tolist()
    [[[2.0], [-10.0]]]
    """
    pairs = principal_pairs(J, r)
    second = -np.copysign(np.abs(pairs.second), pairs.first)
    return np.stack([r[:, 0], np.einsum("bmj,bj->bm", pairs.frame, second)], axis=1)


def own_steps(J: Floats, r: Floats) -> Floats:
    """J_i^+ r_i, the Gauss-Newton step of each loss alone: (B, n, d) of J (B, n, m, d), r (B, n, m).

    >>> own_steps(np.array([[[[2.0, 0.0]], [[0.0, 4.0]]]]), np.ones((1, 2, 1))).round(12).tolist()
    [[[0.5, 0.0], [0.0, 0.25]]]
    """
    return np.asarray(np.einsum("bidm,bim->bid", np.linalg.pinv(J, rcond=np.sqrt(CUTOFF)), r))


@cache
def gaussian_scores(m: int) -> tuple[Floats, Floats]:
    """Raw and Gauss-Newton scores (draws,) of two losses of m residuals, 2 m + 2 parameters, J and r standard normal.

    The Gauss-Newton direction of loss i is J^T K^-1 (0, r_i, 0).
    """
    generator = np.random.default_rng([20, 11, m])
    raw, newton = [], []
    for _ in range(GAUSSIAN[m] // GAUSSIAN_CHUNK):
        J = generator.standard_normal((GAUSSIAN_CHUNK, 2 * m, 2 * m + 2))
        r = generator.standard_normal((GAUSSIAN_CHUNK, 2 * m))
        sides = r[:, :, None] * np.repeat(np.eye(2), m, axis=0)
        raw.append(scores(np.swapaxes(sides, 1, 2) @ J))
        newton.append(scores(np.swapaxes(np.linalg.solve(J @ np.swapaxes(J, 1, 2), sides), 1, 2) @ J))
    return np.concatenate(raw), np.concatenate(newton)


def ill_conditioned(draws: int, bottoms: Sequence[float], generator: np.random.Generator) -> list[tuple[Floats, float]]:
    """Gauss-Newton scores at each least eigenvalue k of K, and sgn(<z_1, r_1> <z_2, r_2>), for two losses; by draw.

    K = Q diag(k, lambda_2, ...) Q^T with lambda uniform in [0.2, 1]. Draws where a slow component |<z_i, r_i>| is below
    0.1 are left out: the limit does not hold where it vanishes, and comes late where it is small.
    """
    found = []
    for _ in range(draws):
        Q, frame = random_orthogonal(generator, 2 * ROWS), random_orthogonal(generator, COLUMNS)[: 2 * ROWS]
        values, r = generator.uniform(0.2, 1, 2 * ROWS), generator.standard_normal((2, ROWS))
        slow = np.sum(Q[:, 0].reshape(2, ROWS) * r, axis=1)
        if np.min(np.abs(slow)) < 0.1:
            continue
        J = np.stack([(Q * np.sqrt([k, *values[1:]])) @ frame for k in bottoms]).reshape(-1, 2, ROWS, COLUMNS)
        found.append((grams(J, np.repeat(r[None], len(J), axis=0), 1.0)[1], float(np.sign(np.prod(slow)))))
    return found


def _ordinary(draw: int) -> tuple[Floats, Floats]:
    return joined_ends(*linearise(ordinary_network(np.random.default_rng([20, 9, draw])), grid(POINTS)))


def _networks() -> tuple[Floats, Floats]:
    found = [linearise(rich_network(np.random.default_rng([23, draw])), grid(POINTS)) for draw in range(NETWORKS)]
    return np.stack([J for J, _ in found]), np.stack([r for _, r in found])


def _top(J: Floats) -> float:
    """The largest eigenvalue of K."""
    return float(np.linalg.norm(stacked(J), 2) ** 2)


def _scores_by_power(J: Floats, r: Floats, powers: Floats, damping: float) -> Floats:
    repeated = [np.repeat(array[None], len(powers), axis=0) for array in (J, r)]
    return grams(repeated[0], repeated[1], powers, damping)[1]


def _identity_error(J: Floats, r: Floats, power: float, damping: float) -> Floats:
    """Differences of entries of the two Gram matrices, in units of the norms of the directions; (B, n, n)."""
    v = directions(J, r, power, damping)
    norms = np.linalg.norm(v, axis=2)
    expected = np.einsum("bik,bjk->bij", v, v)
    return np.asarray((grams(J, r, power, damping)[0] - expected) / (norms[:, :, None] * norms[:, None, :]))
