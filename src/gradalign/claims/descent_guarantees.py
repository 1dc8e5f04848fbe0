"""Claims T8-T11: what the score guarantees for descent, under projection of conflicts, cancellation and unequal norms.

Every check draws its gradients from an explicit seed in float64 and compares ``gradalign.diagnostics.alignment`` with
the formula of the claim, evaluated in NumPy. A record of status "false in general" reproduces a counterexample.
"""

from itertools import combinations

import numpy as np

from gradalign.base.precision import dtype_of
from gradalign.claims._batches import Floats, score, scores, units
from gradalign.claims._records import Claim, Curve, at_most, equals, holds, never, timed, vanishes
from gradalign.diagnostics.alignment import common_descent_threshold

IDENTITY = 1e-12  # identities between numbers of order one, a few hundred roundings of 1e-16 each
SMOOTH_DESCENT = 1e-10  # the same with gradient norms and curvatures of up to a few tens
NEAR_ANTIPARALLEL = 1e-6  # projections of almost opposite vectors lose half of the digits


def check() -> list[Claim]:
    """All records of the claims T8-T11.

    Raises ``ConfigurationError`` while JAX's 64-bit types are off.
    """
    dtype_of("float64")
    return timed(CHECKS)


def curves() -> list[Curve]:
    """The least decrease of three losses along their normalised sum, min_j <s, u_j>, against the score (T8b)."""
    generator = np.random.default_rng([8, 1])
    common = generator.uniform(0, 2, (1200, 1, 1)) * generator.standard_normal((1200, 1, 2))
    vectors = generator.standard_normal((1200, 3, 2)) + common
    u = units(vectors)
    least = np.min(np.einsum("bnd,bd->bn", u, u.sum(axis=1)), axis=1)
    return [Curve("T8", "least decrease by score", "n = 3", scores(vectors), least)]


def T8() -> list[Claim]:
    """What the score guarantees for the normalised sum of the gradients."""
    generator = np.random.default_rng(8)
    mean, slack, failures, sharp, hull, midpoint, minimax = [], [], [], [], [], [], []
    compared = []
    for n, draws in [(2, 10_000), (3, 10_000), (4, 10_000), (5, 10_000), (6, 10_000), (8, 10_000)]:
        common = generator.uniform(0, 2, (draws, 1, 1)) * generator.standard_normal((draws, 1, 4))
        vectors = generator.standard_normal((draws, n, 4)) + common
        u, A = units(vectors), scores(vectors)
        s = u.sum(axis=1)
        products = np.einsum("bnd,bd->bn", u, s)
        mean.append(np.mean(products, axis=1) / n - (1 + A) / 2)
        slack.append(products.min(axis=1) - n**2 / 4 * (A - 1 + 4 / n))
        failures.append(products.min(axis=1)[common_descent_threshold(n) < A] <= 0)
        compared += [A, products]
        if n <= 4:
            nearest = _nearest_hull_points(u[:2000])
            distance = np.linalg.norm(nearest, axis=1)
            hull.append(distance - np.sqrt((1 + A[:2000]) / 2))
            if n == 2:
                midpoint.append(hull[-1])
            minimax.append(np.min(np.einsum("bnd,bd->bn", u[:2000], nearest), axis=1) - distance**2)
    for n in range(3, 7):
        vectors = np.tile([1.0, 0.0], (n, 1))
        vectors[0] = [-1 / (n - 1), np.sqrt(1 - 1 / (n - 1) ** 2)]
        products = vectors @ vectors.sum(axis=0)
        sharp += [score(vectors) - common_descent_threshold(n), products[0]]
    return [
        vanishes(
            "T8a",
            "The mean relative first-order decrease along the mean direction is (1 + A)/2.",
            "error",
            mean,
            IDENTITY,
            draws=60_000,
        ),
        holds(
            "T8b",
            "min_j <s, u_j> >= n^2/4 (A - 1 + 4/n).",
            "least slack, 60000 draws",
            slack,
            IDENTITY,
            draws=60_000,
        ),
        never(
            "T8b",
            "Above 1 - 4/n the normalised sum decreases every loss.",
            "violations, 60000 draws",
            failures,
            draws=20_000,
            of=compared,
        ),
        vanishes(
            "T8b",
            "At 1 - 4/n one loss may stop decreasing: the threshold is sharp.",
            "largest error",
            sharp,
            IDENTITY,
            draws=8,
        ),
        at_most(
            "T8c",
            "The best common decrease is at most sqrt((1 + A)/2).",
            "largest excess, n = 2..4",
            hull,
            0.0,
            IDENTITY,
            draws=6000,
        ),
        vanishes(
            "T8c",
            "For two losses it is equal to sqrt((1 + A)/2).",
            "largest error, n = 2",
            midpoint,
            IDENTITY,
            draws=2000,
        ),
        vanishes(
            "T8c",
            "The nearest point of the hull attains the best common decrease.",
            "largest error",
            minimax,
            IDENTITY,
            draws=6000,
        ),
        *_T8d(),
    ]


def _T8d() -> list[Claim]:
    generator = np.random.default_rng([8, 4])
    equal, two, descent, path = [], [], [], []
    for n in range(2, 6):
        gamma, ell = np.exp(generator.uniform(-1, 1, (2, 500)))
        vectors = gamma[:, None, None] * units(generator.standard_normal((500, n, 4)))
        A = scores(vectors)
        g = vectors.sum(axis=1)
        squared = np.sum(g**2, axis=1)
        guaranteed = gamma**2 * n**2 * (1 + A) / 2
        equal.append(squared / gamma**2 - guaranteed / gamma**2)
        factor = generator.standard_normal((500, 4, 4))
        H = factor @ factor.swapaxes(1, 2)
        H *= (ell / np.linalg.eigvalsh(H)[:, -1])[:, None, None]
        eta = generator.uniform(0, 2, 500) / ell
        change = -eta * squared + eta**2 / 2 * np.einsum("bi,bij,bj->b", g, H, g)
        descent.append(change + eta * (1 - ell * eta / 2) * guaranteed)
        pair = generator.standard_normal((500, 2, 4))
        norms = np.linalg.norm(pair, axis=2)
        expected = np.sum(norms**2, axis=1) + 2 * np.prod(norms, axis=1) * scores(pair)
        two.append(np.sum(pair.sum(axis=1) ** 2, axis=1) - expected)
        steps = units(pair)
        covered = np.linalg.norm(steps.sum(axis=1), axis=1) / 2
        path.append(covered - np.sqrt((1 + scores(steps)) / 2))
    directions = np.array([[1.0, 0], [1, 0], [0, 1]])
    one, other = (np.array(lengths)[:, None] * directions for lengths in ([2.0, 1, 1], [1.0, 1, 2]))
    gap = np.sum(one.sum(axis=0) ** 2) - np.sum(other.sum(axis=0) ** 2) + abs(score(one) - score(other))
    return [
        vanishes(
            "T8d",
            "Equal norms: ||g||^2 = gamma^2 n^2 (1 + A)/2.",
            "largest relative error",
            equal,
            SMOOTH_DESCENT,
            draws=2000,
        ),
        vanishes(
            "T8d",
            "Two losses: ||g||^2 follows from the norms and A.",
            "largest error",
            two,
            SMOOTH_DESCENT,
            draws=2000,
        ),
        at_most(
            "T8d",
            "A gradient step decreases an l-smooth loss by the bound.",
            "largest excess",
            descent,
            0.0,
            SMOOTH_DESCENT,
            draws=2000,
        ),
        vanishes(
            "T8d",
            "Two equal steps cover sqrt((1 + A)/2) of their path.",
            "largest error",
            path,
            SMOOTH_DESCENT,
            draws=2000,
        ),
        equals(
            "T8d",
            "The norms and the score determine ||g|| for three losses.",
            "difference of ||g||^2 at equal score and lengths (2, 1, 1) in another order",
            gap,
            2.0,
            SMOOTH_DESCENT,
            "false in general",
        ),
    ]


def T9() -> list[Claim]:
    """PCGrad on two conflicting gradients."""
    generator = np.random.default_rng(9)
    vectors = generator.standard_normal((8000, 2, 3))
    vectors[:2000, 1] = -vectors[:2000, 0] + 10.0 ** generator.uniform(-4, 0, (2000, 1)) * vectors[:2000, 1]
    vectors *= 10.0 ** generator.uniform(-2, 2, (8000, 2, 1))
    vectors = vectors[np.sum(vectors[:, 0] * vectors[:, 1], axis=1) < 0]
    A = scores(vectors)
    u = units(vectors)
    projected_units = u - np.sum(u[:, 0] * u[:, 1], axis=1)[:, None, None] * u[:, ::-1]
    difference = projected_units.sum(axis=1) - (1 - A)[:, None] * u.sum(axis=1)
    return [
        vanishes(
            "T9",
            "PCGrad changes the sign of the score of two conflicting gradients and keeps its size.",
            "largest |A(p_1, p_2) + A(g_1, g_2)|",
            scores(_pcgrad(vectors)) + A,
            NEAR_ANTIPARALLEL,
            draws=4500,
        ),
        vanishes(
            "T9",
            "On unit gradients PCGrad is the sum times 1 - c.",
            "largest error",
            difference,
            IDENTITY,
            draws=4500,
        ),
    ]


def T10() -> list[Claim]:
    """The score of gradients that nearly cancel."""
    generator = np.random.default_rng(10)
    excess, exact = [], []
    for n in range(2, 8):
        vectors = generator.standard_normal((10_000, n, 3)) * np.exp(generator.uniform(-2, 2, (10_000, n, 1)))
        residue = vectors.mean(axis=1, keepdims=True) * generator.uniform(0, 1, (10_000, 1, 1)) ** 4
        vectors = vectors - vectors.mean(axis=1, keepdims=True) + residue
        epsilon = np.linalg.norm(vectors.sum(axis=1), axis=1) / np.max(np.linalg.norm(vectors, axis=2), axis=1)
        length = np.linalg.norm(units(vectors).sum(axis=1), axis=1)
        excess.append(length - (n - 2 + 2 * epsilon))
        cancelled = vectors - vectors.mean(axis=1, keepdims=True)
        exact.append(scores(cancelled) - (2 * ((n - 2) / n) ** 2 - 1))
    sharp = {n: score(np.concatenate([np.ones((n - 1, 1)), [[1.0 - n]]])) for n in (2, 3, 4)}
    return [
        at_most(
            "T10",
            "||s|| <= n - 2 + 2 ||sum v||/max ||v||.",
            "largest excess, 60000 draws",
            excess,
            0.0,
            IDENTITY,
            draws=60_000,
        ),
        at_most(
            "T10",
            "Gradients that cancel score at most 2 ((n - 2)/n)^2 - 1.",
            "largest excess",
            exact,
            0.0,
            IDENTITY,
            draws=60_000,
        ),
        *(
            equals("T10", "The bound is attained.", f"A, n = {n}", A, 2 * ((n - 2) / n) ** 2 - 1, IDENTITY)
            for n, A in sharp.items()
        ),
    ]


def T11() -> list[Claim]:
    """Magnitude (type I) and direction (type II) of conflicts."""
    generator = np.random.default_rng(11)
    pairs = units(generator.standard_normal((20_000, 2, 3)))
    rho = np.exp(generator.uniform(0, 6, 20_000))
    pairs[:, 1] *= rho[:, None]
    A = scores(pairs)
    products = np.einsum("bnd,bd->bn", pairs, pairs.sum(axis=1))
    descent = np.min(products, axis=1) > 0
    wrong = descent != (-1 / rho < A)
    weights = 10.0 ** generator.uniform(-6, 6, (20_000, 2, 1))
    gordan, compared = [], []
    for n, d in [(3, 2), (4, 2), (4, 3)]:
        vectors = generator.standard_normal((2000, n, d)) * np.exp(generator.uniform(-1, 1, (2000, n, 1)))
        nearest = _nearest_hull_points(vectors)
        squared = np.sum(nearest**2, axis=1)
        outside = squared > 1e-16
        # Positive weights on every loss, close enough to those of the nearest point to keep all products positive
        longest = np.max(np.sum(vectors**2, axis=2), axis=1)
        share = squared / (2 * (squared + longest))
        weighted = (1 - share)[:, None] * nearest + share[:, None] * vectors.mean(axis=1)
        least = np.min(np.einsum("bnd,bd->bn", vectors, weighted), axis=1)
        gordan.append(least[outside] <= 0)
        trials = generator.standard_normal((200, d))
        inside = np.einsum("bnd,td->btn", vectors[~outside], trials)
        gordan.append(np.all(inside > 0, axis=2))
        compared += [squared, least, inside]
    return [
        vanishes(
            "T11",
            "The score sees directions only: positive loss weights do not change it.",
            "largest change of A",
            scores(pairs * weights) - A,
            IDENTITY,
            draws=20_000,
        ),
        never(
            "T11",
            "The plain sum decreases both losses iff A > -1/rho.",
            "violations, 20000 pairs",
            wrong,
            draws=20_000,
            of=[products, A],
        ),
        never(
            "T11",
            "A common descent direction exists iff zero is outside the hull, and then some positive weighting is one.",
            "violations, 6000 draws",
            gordan,
            draws=6000,
            of=compared,
        ),
    ]


CHECKS = (T8, T9, T10, T11)


def _pcgrad(pairs: Floats) -> Floats:
    """Each of two conflicting gradients (B, 2, d) with its part along the other one taken off."""
    other = pairs[:, ::-1]
    share = np.sum(pairs * other, axis=2, keepdims=True) / np.sum(other**2, axis=2, keepdims=True)
    return np.asarray(pairs - share * other)


def _nearest_hull_points(vectors: Floats) -> Floats:
    """Point of least norm in the convex hull of each (n, d) of a batch, shape (B, d); for small n.

    It is the point of least norm in the affine hull of some affinely independent subset, with weights >= 0, so all
    subsets of up to d + 1 vectors are tried.
    """
    draws, n, d = vectors.shape
    best, least = np.zeros((draws, d)), np.full(draws, np.inf)
    for size in range(1, d + 2):
        for subset in combinations(range(n), size):
            chosen = vectors[:, subset]
            system = np.zeros((draws, size + 1, size + 1))
            system[:, :size, :size] = chosen @ chosen.swapaxes(1, 2)
            system[:, size, :size] = system[:, :size, size] = 1
            weights = np.linalg.solve(system, np.eye(size + 1)[:, size])[:, :size]
            points = np.einsum("bk,bkd->bd", weights, chosen)
            norms = np.linalg.norm(points, axis=1)
            better = np.all(weights >= 0, axis=1) & (norms < least)
            best[better], least[better] = points[better], norms[better]
    return best
