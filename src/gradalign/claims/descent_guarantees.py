"""Claims T8-T11: what the score guarantees for descent, under projection of conflicts, cancellation and unequal norms.

Gradients are drawn from explicit seeds in float64, and ``gradalign.diagnostics.alignment`` is compared with the formula
of the claim in NumPy. A record of status "false in general" reproduces a counterexample.
"""

from functools import cache
from itertools import combinations
from typing import NamedTuple

import numpy as np

from gradalign.claims._batches import Floats, score, scores, units
from gradalign.claims._checks import Measured, Tolerance, at_most, equals, holds, never, vanishes
from gradalign.claims._records import Curve, Numbers
from gradalign.diagnostics.alignment import common_descent_threshold

IDENTITY = Tolerance(1e-12, "numbers of order one, a few hundred roundings of 1e-16 each")
SMOOTH_DESCENT = Tolerance(1e-10, "closed forms of gradient norms and curvatures of up to a few tens")
NEAR_ANTIPARALLEL = Tolerance(1e-6, "projections of almost opposite vectors lose half of the digits")


def curves() -> list[Curve]:
    """The least decrease of three losses along their normalised sum, min_j <s, u_j>, against the score (T8b)."""
    generator = np.random.default_rng([8, 1])
    common = generator.uniform(0, 2, (1200, 1, 1)) * generator.standard_normal((1200, 1, 2))
    vectors = generator.standard_normal((1200, 3, 2)) + common
    u = units(vectors)
    least = np.min(np.einsum("bnd,bd->bn", u, u.sum(axis=1)), axis=1)
    return [Curve("T8", "least decrease by score", "n = 3", scores(vectors), least)]


# T8a-c: what the score guarantees for the normalised sum of the gradients


class NormalisedSums(NamedTuple):
    """units: u of n gradients, (10000, n, 4). scores: (10000,). products: <s, u_j> with s = sum_i u_i, (10000, n)."""

    units: Floats
    scores: Floats
    products: Floats


@cache
def normalised_sums() -> dict[int, NormalisedSums]:
    """By n, draws whose gradients have a common part of random length."""
    generator = np.random.default_rng(8)
    found = {}
    for n in (2, 3, 4, 5, 6, 8):
        common = generator.uniform(0, 2, (10_000, 1, 1)) * generator.standard_normal((10_000, 1, 4))
        vectors = generator.standard_normal((10_000, n, 4)) + common
        u = units(vectors)
        found[n] = NormalisedSums(u, scores(vectors), np.einsum("bnd,bd->bn", u, u.sum(axis=1)))
    return found


@cache
def nearest_to_zero() -> dict[int, Floats]:
    """By n = 2 to 4, the point of least norm in the hull of the unit gradients of the first 2000 draws, (2000, 4)."""
    return {n: _nearest_hull_points(normalised_sums()[n].units[:2000]) for n in (2, 3, 4)}


@vanishes(
    "T8a",
    "The mean relative first-order decrease along the mean direction is (1 + A)/2.",
    "error",
    IDENTITY,
    draws=60_000,
)
def mean_decrease() -> Numbers:
    return [np.mean(products, axis=1) / n - (1 + A) / 2 for n, (_, A, products) in normalised_sums().items()]


@holds(
    "T8b",
    "min_j <s, u_j> >= n^2/4 (A - 1 + 4/n).",
    "least slack, 60000 draws",
    IDENTITY,
    draws=60_000,
)
def least_decrease() -> Numbers:
    return [products.min(axis=1) - n**2 / 4 * (A - 1 + 4 / n) for n, (_, A, products) in normalised_sums().items()]


@never(
    "T8b",
    "Above 1 - 4/n the normalised sum decreases every loss.",
    "violations, 60000 draws",
    draws=20_000,
)
def increase_above_the_threshold() -> Measured:
    violations, compared = [], []
    for n, (_, A, products) in normalised_sums().items():
        violations.append(products.min(axis=1)[common_descent_threshold(n) < A] <= 0)
        compared += [A, products]
    return Measured(violations, of=compared)


@vanishes(
    "T8b",
    "At 1 - 4/n one loss may stop decreasing: the threshold is sharp.",
    "largest error",
    IDENTITY,
    draws=8,
)
def descent_threshold_is_sharp() -> Numbers:
    errors = []
    for n in range(3, 7):
        vectors = np.tile([1.0, 0.0], (n, 1))
        vectors[0] = [-1 / (n - 1), np.sqrt(1 - 1 / (n - 1) ** 2)]
        products = vectors @ vectors.sum(axis=0)
        errors += [score(vectors) - common_descent_threshold(n), products[0]]
    return errors


@at_most(
    "T8c",
    "The best common decrease is at most sqrt((1 + A)/2).",
    "largest excess, n = 2..4",
    0.0,
    IDENTITY,
    draws=6000,
)
def best_common_decrease() -> Numbers:
    return [_best_beyond_the_bound(n) for n in (2, 3, 4)]


@vanishes(
    "T8c",
    "For two losses it is equal to sqrt((1 + A)/2).",
    "largest error, n = 2",
    IDENTITY,
    draws=2000,
)
def best_decrease_of_two_losses() -> Numbers:
    return _best_beyond_the_bound(2)


@vanishes(
    "T8c",
    "The nearest point of the hull attains the best common decrease.",
    "largest error",
    IDENTITY,
    draws=6000,
)
def nearest_point_attains_the_best() -> Numbers:
    errors = []
    for n, nearest in nearest_to_zero().items():
        decreases = np.einsum("bnd,bd->bn", normalised_sums()[n].units[:2000], nearest)
        errors.append(np.min(decreases, axis=1) - np.linalg.norm(nearest, axis=1) ** 2)
    return errors


# T8d: the length of the sum, and descent of a smooth loss


class SmoothLosses(NamedTuple):
    """500 draws of n gradients of one length, and of pairs of any lengths.

    n: int. gamma: the length, (500,). scores: (500,). g: the sum, (500, 4). H: Hessian of a quadratic loss,
    (500, 4, 4). ell: its largest eigenvalue, (500,). eta: step sizes in [0, 2/ell), (500,). pairs: (500, 2, 4).
    """

    n: int
    gamma: Floats
    scores: Floats
    g: Floats
    H: Floats
    ell: Floats
    eta: Floats
    pairs: Floats


@cache
def smooth_losses() -> list[SmoothLosses]:
    """Draws for n = 2 to 5."""
    generator = np.random.default_rng([8, 4])
    found = []
    for n in range(2, 6):
        gamma, ell = np.exp(generator.uniform(-1, 1, (2, 500)))
        vectors = gamma[:, None, None] * units(generator.standard_normal((500, n, 4)))
        factor = generator.standard_normal((500, 4, 4))
        H = factor @ factor.swapaxes(1, 2)
        H *= (ell / np.linalg.eigvalsh(H)[:, -1])[:, None, None]
        eta = generator.uniform(0, 2, 500) / ell
        pairs = generator.standard_normal((500, 2, 4))
        found.append(SmoothLosses(n, gamma, scores(vectors), vectors.sum(axis=1), H, ell, eta, pairs))
    return found


@vanishes(
    "T8d",
    "Equal norms: ||g||^2 = gamma^2 n^2 (1 + A)/2.",
    "largest relative error",
    SMOOTH_DESCENT,
    draws=2000,
)
def length_of_the_sum_of_equal_norms() -> Numbers:
    errors = []
    for n, gamma, A, g, *_ in smooth_losses():
        squared = np.sum(g**2, axis=1)
        errors.append(squared / gamma**2 - gamma**2 * n**2 * (1 + A) / 2 / gamma**2)
    return errors


@vanishes(
    "T8d",
    "Two losses: ||g||^2 follows from the norms and A.",
    "largest error",
    SMOOTH_DESCENT,
    draws=2000,
)
def length_of_the_sum_of_two() -> Numbers:
    errors = []
    for pairs in (drawn.pairs for drawn in smooth_losses()):
        norms = np.linalg.norm(pairs, axis=2)
        expected = np.sum(norms**2, axis=1) + 2 * np.prod(norms, axis=1) * scores(pairs)
        errors.append(np.sum(pairs.sum(axis=1) ** 2, axis=1) - expected)
    return errors


@at_most(
    "T8d",
    "A gradient step decreases an l-smooth loss by the bound.",
    "largest excess",
    0.0,
    SMOOTH_DESCENT,
    draws=2000,
)
def descent_of_a_smooth_loss() -> Numbers:
    """The bound is eta (1 - l eta/2) gamma^2 n^2 (1 + A)/2."""
    excess = []
    for n, gamma, A, g, H, ell, eta, _ in smooth_losses():
        change = -eta * np.sum(g**2, axis=1) + eta**2 / 2 * np.einsum("bi,bij,bj->b", g, H, g)
        guaranteed = gamma**2 * n**2 * (1 + A) / 2
        excess.append(change + eta * (1 - ell * eta / 2) * guaranteed)
    return excess


@vanishes(
    "T8d",
    "Two equal steps cover sqrt((1 + A)/2) of their path.",
    "largest error",
    SMOOTH_DESCENT,
    draws=2000,
)
def two_equal_steps() -> Numbers:
    errors = []
    for steps in (units(drawn.pairs) for drawn in smooth_losses()):
        covered = np.linalg.norm(steps.sum(axis=1), axis=1) / 2
        errors.append(covered - np.sqrt((1 + scores(steps)) / 2))
    return errors


@equals(
    "T8d",
    "The norms and the score determine ||g|| for three losses.",
    "difference of ||g||^2 at equal score and lengths (2, 1, 1) in another order",
    2.0,
    SMOOTH_DESCENT,
    "false in general",
)
def equal_norms_and_score_of_three() -> Numbers:
    directions = np.array([[1.0, 0], [1, 0], [0, 1]])
    one, other = (np.array(lengths)[:, None] * directions for lengths in ([2.0, 1, 1], [1.0, 1, 2]))
    return np.sum(one.sum(axis=0) ** 2) - np.sum(other.sum(axis=0) ** 2) + abs(score(one) - score(other))


# T9: PCGrad on two conflicting gradients


@cache
def conflicting_pairs() -> Floats:
    """Two gradients with a negative cosine, (about 5000, 2, 3), among them almost opposite ones."""
    generator = np.random.default_rng(9)
    vectors = generator.standard_normal((8000, 2, 3))
    vectors[:2000, 1] = -vectors[:2000, 0] + 10.0 ** generator.uniform(-4, 0, (2000, 1)) * vectors[:2000, 1]
    vectors *= 10.0 ** generator.uniform(-2, 2, (8000, 2, 1))
    return np.asarray(vectors[np.sum(vectors[:, 0] * vectors[:, 1], axis=1) < 0])


@vanishes(
    "T9",
    "PCGrad changes the sign of the score of two conflicting gradients and keeps its size.",
    "largest |A(p_1, p_2) + A(g_1, g_2)|",
    NEAR_ANTIPARALLEL,
    draws=4500,
)
def score_after_pcgrad() -> Numbers:
    return scores(_pcgrad(conflicting_pairs())) + scores(conflicting_pairs())


@vanishes(
    "T9",
    "On unit gradients PCGrad is the sum times 1 - c.",
    "largest error",
    IDENTITY,
    draws=4500,
)
def pcgrad_on_unit_gradients() -> Numbers:
    u, A = units(conflicting_pairs()), scores(conflicting_pairs())
    projected = u - np.sum(u[:, 0] * u[:, 1], axis=1)[:, None, None] * u[:, ::-1]
    return projected.sum(axis=1) - (1 - A)[:, None] * u.sum(axis=1)


# T10: the score of gradients that nearly cancel


@cache
def nearly_cancelling() -> dict[int, Floats]:
    """By n = 2 to 7, gradients whose mean is a random share of a random one, (10000, n, 3)."""
    generator = np.random.default_rng(10)
    found = {}
    for n in range(2, 8):
        vectors = generator.standard_normal((10_000, n, 3)) * np.exp(generator.uniform(-2, 2, (10_000, n, 1)))
        residue = vectors.mean(axis=1, keepdims=True) * generator.uniform(0, 1, (10_000, 1, 1)) ** 4
        found[n] = vectors - vectors.mean(axis=1, keepdims=True) + residue
    return found


@at_most(
    "T10",
    "||s|| <= n - 2 + 2 ||sum v||/max ||v||.",
    "largest excess, 60000 draws",
    0.0,
    IDENTITY,
    draws=60_000,
)
def resultant_near_cancellation() -> Numbers:
    excess = []
    for n, vectors in nearly_cancelling().items():
        epsilon = np.linalg.norm(vectors.sum(axis=1), axis=1) / np.max(np.linalg.norm(vectors, axis=2), axis=1)
        length = np.linalg.norm(units(vectors).sum(axis=1), axis=1)
        excess.append(length - (n - 2 + 2 * epsilon))
    return excess


@at_most(
    "T10",
    "Gradients that cancel score at most 2 ((n - 2)/n)^2 - 1.",
    "largest excess",
    0.0,
    IDENTITY,
    draws=60_000,
)
def score_at_cancellation() -> Numbers:
    excess = []
    for n, vectors in nearly_cancelling().items():
        cancelled = vectors - vectors.mean(axis=1, keepdims=True)
        excess.append(scores(cancelled) - (2 * ((n - 2) / n) ** 2 - 1))
    return excess


@equals(
    "T10",
    "The bound is attained.",
    "A, n = {n}",
    lambda n: 2 * ((n - 2) / n) ** 2 - 1,
    IDENTITY,
    cases=[{"n": n} for n in (2, 3, 4)],
)
def one_against_the_others(n: int) -> Numbers:
    return score(np.concatenate([np.ones((n - 1, 1)), [[1.0 - n]]]))


# T11: conflicts of magnitude (type I) and of direction (type II)


class UnequalPairs(NamedTuple):
    """pairs: two gradients, (20000, 2, 3). rho: ratio of their lengths, (20000,). scores: (20000,).

    weights: positive loss weights, (20000, 2, 1).
    """

    pairs: Floats
    rho: Floats
    scores: Floats
    weights: Floats


class Trials(NamedTuple):
    """vectors: n gradients, (2000, n, d). directions: to try for common descent, (200, d)."""

    vectors: Floats
    directions: Floats


@cache
def unequal_gradients() -> tuple[UnequalPairs, list[Trials]]:
    """Pairs, and trials for (n, d) = (3, 2), (4, 2), (4, 3)."""
    generator = np.random.default_rng(11)
    pairs = units(generator.standard_normal((20_000, 2, 3)))
    rho = np.exp(generator.uniform(0, 6, 20_000))
    pairs[:, 1] *= rho[:, None]
    weights = 10.0 ** generator.uniform(-6, 6, (20_000, 2, 1))
    trials = []
    for n, d in [(3, 2), (4, 2), (4, 3)]:
        vectors = generator.standard_normal((2000, n, d)) * np.exp(generator.uniform(-1, 1, (2000, n, 1)))
        trials.append(Trials(vectors, generator.standard_normal((200, d))))
    return UnequalPairs(pairs, rho, scores(pairs), weights), trials


@vanishes(
    "T11",
    "The score sees directions only: positive loss weights do not change it.",
    "largest change of A",
    IDENTITY,
    draws=20_000,
)
def positive_loss_weights() -> Numbers:
    drawn, _ = unequal_gradients()
    return scores(drawn.pairs * drawn.weights) - drawn.scores


@never(
    "T11",
    "The plain sum decreases both losses iff A > -1/rho.",
    "violations, 20000 pairs",
    draws=20_000,
)
def descent_along_the_plain_sum() -> Measured:
    (pairs, rho, A, _), _ = unequal_gradients()
    products = np.einsum("bnd,bd->bn", pairs, pairs.sum(axis=1))
    descent = np.min(products, axis=1) > 0
    return Measured(descent != (-1 / rho < A), of=[products, A])


@never(
    "T11",
    "A common descent direction exists iff zero is outside the hull, and then some positive weighting is one.",
    "violations, 6000 draws",
    draws=6000,
)
def common_descent_direction() -> Measured:
    violations, compared = [], []
    for vectors, directions in unequal_gradients()[1]:
        nearest = _nearest_hull_points(vectors)
        squared = np.sum(nearest**2, axis=1)
        outside = squared > 1e-16
        # Positive weights on every loss, close enough to those of the nearest point to keep all products positive
        longest = np.max(np.sum(vectors**2, axis=2), axis=1)
        share = squared / (2 * (squared + longest))
        weighted = (1 - share)[:, None] * nearest + share[:, None] * vectors.mean(axis=1)
        least = np.min(np.einsum("bnd,bd->bn", vectors, weighted), axis=1)
        violations.append(least[outside] <= 0)
        inside = np.einsum("bnd,td->btn", vectors[~outside], directions)
        violations.append(np.all(inside > 0, axis=2))
        compared += [squared, least, inside]
    return Measured(violations, of=compared)


def _best_beyond_the_bound(n: int) -> Floats:
    """The best common decrease of n losses less sqrt((1 + A)/2), (2000,)."""
    A = normalised_sums()[n].scores
    return np.asarray(np.linalg.norm(nearest_to_zero()[n], axis=1) - np.sqrt((1 + A[:2000]) / 2))


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
