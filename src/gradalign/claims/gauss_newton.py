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
from typing import NamedTuple

import numpy as np

from gradalign.base.precision import dtype_of
from gradalign.claims._batches import Floats, score, scores
from gradalign.claims._checks import Measured, Tolerance, at_least, at_most, equals, holds, in_band, never, vanishes
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
from gradalign.claims._records import STANDARD_ERRORS, Curve, Numbers
from gradalign.claims._shallow_networks import conflicts, slope
from gradalign.diagnostics.alignment import null_value
from gradalign.diagnostics.matrices import random_orthogonal

CLOSED_FORM = Tolerance(1e-10, "rounding of powers of kernels of condition up to 1e4")
DEFICIENT = Tolerance(1e-8, "rounding as above, where a residual may lie almost off the range of its Jacobian")
CONDITIONED = Tolerance(1e-6, "relative; rounding of powers of kernels of networks, of condition up to 1e9")
DAMPED = Tolerance(1e-3, "what a damping of 1e-8 largest eigenvalues leaves of the whitened score of a network")
LIMIT = Tolerance(1e-3, "distance at k = 1e-8 from the limit of a score that tends to it linearly in k")
SLOPE = Tolerance(0.05, "of a fitted power law; the next order in k bends it")
POWERS = (0.0, 0.25, 0.5, 0.75, 1.0)
POINTS = 8  # of the network
NETWORKS = 3  # draws of the rich initialisation
ORDINARY = 16  # draws of the ordinary one
CONFLICT = -0.2
"""The raw score below which two losses count as in conflict (T20g)."""
GAUSSIAN = tuple({"m": m, "parameters": 2 * m + 2, "draws": 10_000 if m < 10 else 8_000} for m in (1, 2, 3, 5, 10, 30))
"""Two losses of m residuals each, with Gaussian rows (T20g)."""
GAUSSIAN_CHUNK = 1000


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


# T20: the master identity


class Problems(NamedTuple):
    """J (draws, n, 4, 20) and r (draws, n, 4)."""

    J: Floats
    r: Floats


class BothKinds(NamedTuple):
    """Problems whose losses have independent rows, and those where the rows within a loss depend on each other."""

    full: Problems
    deficient: Problems


@cache
def both_kinds(seed: int, n: int, draws: int) -> BothKinds:
    """``draws`` problems of each kind with n losses, from the seed [20, seed, n]."""
    generator = np.random.default_rng([20, seed, n])
    full = Problems(*random_problems(n, draws, generator))
    return BothKinds(full, Problems(*random_problems(n, draws, generator, deficient=True)))


@vanishes(
    "T20",
    "<v_i, v_j> = r_i^T [K (K + mu)^(-2p)]_ij r_j for v_i = (J^T J + mu)^(-p) g_i.",
    "largest relative error, 600 draws, p in 0..1, mu in 0, 1e-3, 1, kappa(K) up to 1e4",
    CLOSED_FORM,
    draws=15 * 600 * 4,
)
def gram_matrix() -> Numbers:
    return [
        _identity_error(*both_kinds(1, n, 200).full, p, damping)
        for n in (2, 3, 4)
        for p in POWERS
        for damping in (0.0, 1e-3, 1.0)
    ]


@vanishes(
    "T20",
    "<v_i, v_j> = r_i^T [K (K + mu)^(-2p)]_ij r_j for v_i = (J^T J + mu)^(-p) g_i, with pseudo-powers where the rows "
    "of a loss depend on each other (mu = 0).",
    "largest relative error, 600 draws, p in 0..1",
    DEFICIENT,
    draws=5 * 600 * 4,
)
def gram_matrix_by_pseudo_powers() -> Numbers:
    return [_identity_error(*both_kinds(1, n, 200).deficient, p, 0.0) for n in (2, 3, 4) for p in POWERS]


@vanishes(
    "T20",
    "<v_i, v_j> = r_i^T [K (K + mu)^(-2p)]_ij r_j for v_i = (J^T J + mu)^(-p) g_i, for the exact Jacobian of a tanh "
    "network.",
    "largest relative error, 321 parameters, 3 rich initialisations, mu = 0, p = 0, 1/2, 1",
    CONDITIONED,
    draws=3 * NETWORKS * 9,
)
def gram_matrix_of_a_network() -> Numbers:
    return [_identity_error(*_networks(), p, 0.0) for p in (0.0, 0.5, 1.0)]


# T20a: the whitened score


@vanishes(
    "T20a",
    "With independent row spaces the whitened per-loss directions (p = 1/2) are orthogonal, so A = 2/n - 1.",
    "largest |A - (2/n - 1)|, 1500 draws, n = 2, 3, 4",
    CLOSED_FORM,
    "proven under conditions",
    draws=3000,
)
def whitened_score() -> Numbers:
    return [_whitened_errors(both_kinds(2, n, 500).full) for n in (2, 3, 4)]


@vanishes(
    "T20a",
    "With independent row spaces the whitened per-loss directions (p = 1/2) are orthogonal, so A = 2/n - 1, also where "
    "the rows within a loss depend on each other.",
    "largest |A - (2/n - 1)|, 1500 draws, n = 2, 3, 4",
    CLOSED_FORM,
    "proven under conditions",
    draws=3000,
)
def whitened_score_of_dependent_rows() -> Numbers:
    return [_whitened_errors(both_kinds(2, n, 500).deficient) for n in (2, 3, 4)]


@vanishes(
    "T20a",
    "With independent row spaces the whitened per-loss directions (p = 1/2) are orthogonal, so A = 2/n - 1: -1/3 for "
    "the three losses of a network.",
    "largest |A + 1/3|, 3 rich initialisations",
    CONDITIONED,
    "proven under conditions",
    draws=NETWORKS,
)
def whitened_score_of_a_network() -> Numbers:
    return scores(directions(*_networks(), 0.5)) - null_value(3)


@vanishes(
    "T20a",
    "With little damping the whitened score of a network that is numerically rank deficient is near 2/n - 1.",
    "largest |A|, two losses, 16 ordinary initialisations, mu = 1e-8 lambda_max",
    DAMPED,
    "observation",
    draws=ORDINARY,
)
def damped_whitened_score() -> Numbers:
    problems = [_ordinary(draw) for draw in range(ORDINARY)]
    return [_scores_by_power(J, r, np.array([0.5]), 1e-8 * _top(J))[0] for J, r in problems]


@equals(
    "T20a",
    "The whitened score is 2/n - 1 whatever the row spaces.",
    "whitened score of two losses that share their only row",
    1.0,
    CLOSED_FORM,
    "false in general",
)
def whitened_score_of_a_shared_row() -> Numbers:
    shared = np.array([[[1.0, 0.0]], [[2.0, 0.0]]])
    return score(directions(shared, np.ones((2, 1)), 0.5))


# T20b: two losses of one residual each


@cache
def one_residual_each() -> Problems:
    return Problems(*random_problems(2, 1000, np.random.default_rng([20, 3]), rows=1))


@vanishes(
    "T20b",
    "With one residual per loss and two losses Gauss-Newton flips the sign of the raw cosine: A(1) = -A(0).",
    "largest |A(1) + A(0)|, 1000 draws",
    CLOSED_FORM,
    draws=1000,
)
def sign_flip() -> Numbers:
    raw, newton = (scores(directions(*one_residual_each(), p)) for p in (0.0, 1.0))
    return newton + raw


@never(
    "T20b",
    "With one residual per loss and two losses sgn A(p) = sgn A(0) sgn(1/2 - p).",
    "wrong signs, 1000 draws, seven powers p in 0.1..1.5",
    draws=7000,
)
def sign_by_power() -> Measured:
    raw = scores(directions(*one_residual_each(), 0.0))
    powers = (0.1, 0.3, 0.45, 0.55, 0.7, 1.0, 1.5)
    by_power = [grams(*one_residual_each(), p)[1] for p in powers]
    wrong = [np.sign(found) != np.sign(raw) * np.sign(0.5 - p) for found, p in zip(by_power, powers, strict=True)]
    return Measured(wrong, of=[*by_power, raw])


@equals(
    "T20b",
    "Gauss-Newton preconditioning does not lower the score of the per-loss directions.",
    "Gauss-Newton score of two losses of one residual each with raw score 0.6",
    -0.6,
    CLOSED_FORM,
    "false in general",
)
def lowered_score() -> Numbers:
    rows = np.array([[[1.0, 0.0]], [[0.6, 0.8]]])
    return score(directions(rows, np.ones((2, 1)), 1.0))


# T20c: eigenmodes of the kernel


class InteractionsInAMode(NamedTuple):
    """Interactions of the losses for r = z with K z = k z and a power p; the arrays are (B, n).

    mode: ``slowest``, ``middle`` or ``fastest``. net: sum_(j != i) <v_i, v_j>. own: ||v_i||^2.
    full: k^(1-2p) ||r_i||^2. diagonal: r_i^T [K^(1-2p)]_ii r_i.
    """

    mode: str
    p: float
    net: Floats
    own: Floats
    full: Floats
    diagonal: Floats


@cache
def interactions_in_modes() -> list[InteractionsInAMode]:
    """For 100 problems each of n = 2, 3, 4 losses, three modes and seven powers."""
    interactions = []
    for n in (2, 3, 4):
        J, _ = random_problems(n, 100, np.random.default_rng([20, 4, n]))
        draws = np.arange(len(J))
        values, modes = np.linalg.eigh(stacked(J) @ np.swapaxes(stacked(J), 1, 2))
        first = np.sum(values <= CUTOFF * values[:, -1:], axis=1)  # rows of zeros have the eigenvalue 0
        last = n * ROWS - 1
        places = {"slowest": first, "middle": (first + last) // 2, "fastest": np.full_like(first, last)}
        for mode, place in places.items():
            k, z = values[draws, place], modes[draws, :, place]
            r = z.reshape(-1, n, ROWS)
            for p in (*POWERS, 0.4, 0.6):
                gram, _ = grams(J, r, p)
                own = np.einsum("bii->bi", gram)
                full = k[:, None] ** (1 - 2 * p) * np.sum(r**2, axis=2)
                seen = np.arange(last + 1) >= first[:, None]
                powers = np.where(seen, np.where(seen, values, 1.0) ** (1 - 2 * p), 0.0)
                # r_i^T [K^(1-2p)]_ii r_i: the square of E_i r in the eigenbasis of K, by its powers
                sides = np.einsum("bim,bimk->bik", r, modes.reshape(-1, n, ROWS, last + 1))
                diagonal = np.einsum("bik,bk->bi", sides**2, powers)
                interactions.append(InteractionsInAMode(mode, p, gram.sum(axis=2) - own, own, full, diagonal))
    return interactions


@vanishes(
    "T20c",
    "At an eigenmode K r = k r, sum_(j != i) <v_i, v_j> = k^(1-2p) ||r_i||^2 - r_i^T [K^(1-2p)]_ii r_i.",
    "largest relative error, 300 problems, three modes, seven powers",
    CLOSED_FORM,
    "proven under conditions",
    draws=12600,
)
def net_interaction() -> Numbers:
    return [(each.net - (each.full - each.diagonal)) / (each.full + each.diagonal) for each in interactions_in_modes()]


@holds(
    "T20c",
    "In the slowest mode every loss is in net conflict with the others for p < 1/2 and in net agreement for "
    "p > 1/2; in the fastest mode the other way round.",
    "least slack, relative, 300 problems, seven powers",
    CLOSED_FORM,
    "proven under conditions",
    draws=8400,
)
def sign_of_the_net_interaction() -> Numbers:
    slowest = [each for each in interactions_in_modes() if each.mode == "slowest"]
    fastest = [each for each in interactions_in_modes() if each.mode == "fastest"]
    return [
        *(np.sign(each.p - 0.5) * each.net / (each.full + each.diagonal) for each in slowest),
        *(np.sign(0.5 - each.p) * each.net / (each.full + each.diagonal) for each in fastest),
    ]


@vanishes(
    "T20c",
    "Whitened directions (p = 1/2) have no net interaction in any mode.",
    "largest |sum_(j != i) <v_i, v_j>| / ||v_i||^2, 300 problems, three modes",
    CLOSED_FORM,
    "proven under conditions",
    draws=1800,
)
def net_interaction_of_whitened_directions() -> Numbers:
    return [each.net / each.own for each in interactions_in_modes() if each.p == 0.5]


# T20d: the ill-conditioned limit

LEAST_EIGENVALUES = (1e-4, 1e-5, 1e-6, 1e-8)
"""k of the kernels of T20d."""


@cache
def ill_conditioned_scores() -> list[tuple[Floats, float]]:
    return ill_conditioned(200, LEAST_EIGENVALUES, np.random.default_rng([20, 5]))


def distances_from_the_limit() -> Floats:
    """|A - (+-1)| for each draw and each of ``LEAST_EIGENVALUES``: (draws, 4)."""
    return np.array([np.abs(found - sign) for found, sign in ill_conditioned_scores()])


@never(
    "T20d",
    "As the least eigenvalue k of K vanishes, the Gauss-Newton score of two losses tends to +-1, with the sign of "
    "<z_1, r_1> <z_2, r_2>, z the slowest mode.",
    "wrong signs at k = 1e-8, 161 draws",
    "proven under conditions",
    draws=161,
)
def sign_of_the_limit() -> Measured:
    wrong = [np.sign(found[-1]) != sign for found, sign in ill_conditioned_scores()]
    return Measured(wrong, of=distances_from_the_limit())


@vanishes(
    "T20d",
    "As the least eigenvalue k of K vanishes, the Gauss-Newton score of two losses tends to +-1.",
    "largest distance at k = 1e-8, 161 draws",
    LIMIT,
    "proven under conditions",
    draws=161,
)
def distance_from_the_limit() -> Numbers:
    return distances_from_the_limit()[:, -1]


@equals(
    "T20d",
    "As the least eigenvalue k of K vanishes, the Gauss-Newton score of two losses tends to +-1 at a distance of the "
    "order of k.",
    "slope of the median log distance against log k, k = 1e-4..1e-6",
    1.0,
    SLOPE,
    "proven under conditions",
)
def order_of_the_distance() -> Measured:
    errors = distances_from_the_limit()
    return Measured(slope(np.array(LEAST_EIGENVALUES[:3]), np.median(errors, axis=0)[:3]), of=errors)


# T20e: residuals of a symmetric law

POWER_OF = {"raw gradients": 0.0, "Gauss-Newton directions": 1.0}


@cache
def mirrored_problems() -> tuple[Problems, Problems]:
    """One Jacobian with 20000 draws of (r_1, r_2), and with (-r_1, r_2)."""
    generator = np.random.default_rng([20, 6])
    J = np.repeat(random_problems(2, 1, generator, rows=ROWS)[0], 20_000, axis=0)
    r = generator.standard_normal((20_000, 2, ROWS))
    return Problems(J, r), Problems(J, r * np.array([-1.0, 1.0])[:, None])


@cache
def mirrored_scores(p: float) -> tuple[Floats, Floats]:
    """A(r_1, r_2) and A(-r_1, r_2), (20000,) each."""
    drawn, mirrored = mirrored_problems()
    return grams(*drawn, p)[1], grams(*mirrored, p)[1]


@in_band(
    "T20e",
    "If r_1 and -r_1 have the same law, both signs of the score are equally likely, for every power p.",
    "|z| of the share of conflicts, {vectors}, 20000 draws",
    0.5,
    draws=20_000,
    cases=[{"vectors": name} for name in POWER_OF],
)
def share_of_conflicts(vectors: str) -> Numbers:
    return conflicts(mirrored_scores(POWER_OF[vectors])[0])


@vanishes(
    "T20e",
    "A(-r_1, r_2) = -A(r_1, r_2) for two losses and every power p.",
    "largest error, 20000 draws, p = 0 and 1",
    CLOSED_FORM,
    draws=40_000,
)
def oddness_in_a_residual() -> Numbers:
    return [np.add(*mirrored_scores(p)) for p in POWER_OF.values()]


# T20f: where the Gauss-Newton directions of two losses align


@cache
def pairs_of_losses() -> Problems:
    return Problems(*random_problems(2, 1000, np.random.default_rng([20, 10])))


@vanishes(
    "T20f",
    "The Gauss-Newton directions of two losses have <v_1, v_2> = -sum_j c_j a_j b_j/(1 - c_j^2), where the "
    "Gauss-Newton steps of each loss alone have <J_1^+ r_1, J_2^+ r_2> = sum_j c_j a_j b_j.",
    "largest error relative to ||v_1|| ||v_2||, 1000 draws",
    CLOSED_FORM,
    "proven under conditions",
    draws=1000,
)
def inner_product_by_principal_pairs() -> Numbers:
    gram = grams(*pairs_of_losses(), 1.0)[0]
    pairs = principal_pairs(*pairs_of_losses())
    product = -np.sum(pairs.cosines * pairs.first * pairs.second / (1 - pairs.cosines**2), axis=1)
    return (gram[:, 0, 1] - product) / np.sqrt(gram[:, 0, 0] * gram[:, 1, 1])


@holds(
    "T20f",
    "The Gauss-Newton directions of two losses align where the steps of each loss alone conflict in every pair of "
    "principal vectors.",
    "least score, 1000 draws",
    CLOSED_FORM,
    "proven under conditions",
    draws=1000,
)
def score_of_opposed_steps() -> Numbers:
    J, r = pairs_of_losses()
    return scores(directions(J, opposed_residuals(J, r), 1.0))


@at_most(
    "T20f",
    "The Gauss-Newton directions of two losses conflict where the steps of each loss alone agree in every pair of "
    "principal vectors.",
    "largest score, 1000 draws",
    0.0,
    CLOSED_FORM,
    "proven under conditions",
    draws=1000,
)
def score_of_agreeing_steps() -> Numbers:
    J, r = pairs_of_losses()
    return scores(directions(J, opposed_residuals(J, r) * np.array([1.0, -1.0])[:, None], 1.0))


@never(
    "T20f",
    "The Gauss-Newton directions of two losses align if and only if the steps of each loss alone conflict, where one "
    "loss has one residual.",
    "draws of one sign before and after, of 1000 those with one residual in the first loss",
    "proven under conditions",
    draws=200,
)
def sign_with_one_residual() -> Measured:
    J, r = pairs_of_losses()
    single = np.count_nonzero(r[:, 0], axis=1) == 1
    newton, own = scores(directions(J, r, 1.0))[single], scores(own_steps(J, r))[single]
    return Measured(np.sign(newton) != -np.sign(own), of=[newton, own])


@equals(
    "T20f",
    "The Gauss-Newton directions of two losses align where their raw gradients conflict.",
    "Gauss-Newton score of two losses of two residuals each with raw score -0.225",
    -(0.9 / 0.19 - 1.8 / 0.64) / (1 / 0.19 + 3 / 0.64),
    CLOSED_FORM,
    "false in general",
)
def score_after_a_raw_conflict() -> Measured:
    # Principal angles of cosines 0.9 and 0.6 between orthonormal rows, a = r_1 and b = r_2
    c, tail = np.array([0.9, 0.6]), np.diag(np.sqrt([1 - 0.9**2, 1 - 0.6**2]))
    example = np.stack([np.eye(2, 4), np.concatenate([np.diag(c), tail], axis=1)])
    residuals = np.sqrt(np.array([[1.0, 3.0], [1.0, 3.0]])) * np.array([[1, 1], [1, -1]])
    return Measured(score(directions(example, residuals, 1.0)), of=score(directions(example, residuals, 0.0)))


# T20g: Gauss-Newton scores of two losses with Gaussian rows, where the raw gradients conflict


def scores_in_conflict(m: int, parameters: int, draws: int) -> Floats:
    """Gauss-Newton scores of the draws whose raw score is below ``CONFLICT``."""
    raw, newton = gaussian_scores(m, parameters, draws)
    return newton[~(raw >= CONFLICT)]  # a NaN stays among them


# The records alternate: mean and spread for each number of residuals
for _law in GAUSSIAN:

    @at_least(
        "T20g",
        "Where the raw score of two losses with Gaussian rows is below -0.2, the Gauss-Newton score is positive on "
        "average.",
        "mean, m = {m} residuals a loss, {parameters} parameters, {draws} draws; at least 4 standard errors",
        None,
        0.0,
        "observation",
        cases=[_law],
    )
    def mean_in_conflict(m: int, parameters: int, draws: int) -> Measured:
        chosen = scores_in_conflict(m, parameters, draws)
        least = float(STANDARD_ERRORS * np.std(chosen) / np.sqrt(chosen.size))
        return Measured(np.mean(chosen), of=gaussian_scores(m, parameters, draws), expected=least)

    @at_most(
        "T20g",
        "Where the raw score of two losses with Gaussian rows is below -0.2, the Gauss-Newton score is positive on "
        "average, with a spread.",
        "standard deviation, m = {m} residuals a loss, {parameters} parameters, {draws} draws",
        0.6,
        0.0,
        "observation",
        cases=[_law],
    )
    def spread_in_conflict(m: int, parameters: int, draws: int) -> Measured:
        return Measured(np.std(scores_in_conflict(m, parameters, draws)), of=gaussian_scores(m, parameters, draws))


@holds(
    "T20g",
    "Where the raw score of two losses with Gaussian rows is below -0.2, the Gauss-Newton score is the smaller on "
    "average, the more residuals there are.",
    "least fall of the mean from one m to the next, m = 1, 2, 3, 5, 10, 30",
    0.0,
    "observation",
    draws=len(GAUSSIAN) - 1,
)
def fall_of_the_mean_in_conflict() -> Numbers:
    return -np.diff([np.mean(scores_in_conflict(**law)) for law in GAUSSIAN])


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
def gaussian_scores(m: int, parameters: int, draws: int) -> tuple[Floats, Floats]:
    """Raw and Gauss-Newton scores (draws,) of two losses of m residuals each, with J and r standard normal.

    The Gauss-Newton direction of loss i is J^T K^-1 (0, r_i, 0).
    """
    generator = np.random.default_rng([20, 11, m])
    raw, newton = [], []
    for _ in range(draws // GAUSSIAN_CHUNK):
        J = generator.standard_normal((GAUSSIAN_CHUNK, 2 * m, parameters))
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


@cache
def _networks() -> Problems:
    found = [linearise(rich_network(np.random.default_rng([23, draw])), grid(POINTS)) for draw in range(NETWORKS)]
    return Problems(np.stack([J for J, _ in found]), np.stack([r for _, r in found]))


def _whitened_errors(problems: Problems) -> list[Floats]:
    """A - (2/n - 1) at p = 1/2, from the kernel and from the definition of the directions."""
    found = grams(*problems, 0.5)[1], scores(directions(*problems, 0.5))
    return [values - null_value(problems.J.shape[1]) for values in found]


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
