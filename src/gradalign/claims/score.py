"""Claims T1-T3 and T5-T7: what the gradient alignment score says, and what it does not.

Vectors are drawn from an explicit seed in float64, and ``gradalign.diagnostics.alignment`` is compared with the formula
of the claim in NumPy. A record of status "false in general" reproduces a counterexample.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import jax
import numpy as np

from gradalign.claims._batches import Floats, batched, misalignments, score, scores, units
from gradalign.claims._checks import Measured, Tolerance, at_most, equals, holds, never, vanishes
from gradalign.claims._records import Curve, Numbers
from gradalign.diagnostics.alignment import (
    alignment,
    alignment_score,
    conflict_free_threshold,
    null_value,
    score_from_gram,
)

IDENTITY = Tolerance(1e-12, "numbers of order one, a few hundred roundings of 1e-16 each")
DISTORTION = Tolerance(1e-6, "relative; half-angles of nearly parallel images lose digits by the condition number")
DIFFERENCES = Tolerance(1e-8, "central differences of step 1e-5: truncation and rounding are both near 1e-10")
FOUR_DIGITS = Tolerance(5e-5, "half a unit of the last of four printed digits")

_gradient = jax.grad(alignment_score)
_gram_scores_of = jax.jit(jax.vmap(score_from_gram))


def curves() -> list[Curve]:
    """Random draws: the score against the mean cosine for several n (T1), the least cosine against the score (T2)."""
    generator = np.random.default_rng([1, 1])
    found = []
    for n in (2, 3, 5, 10):
        vectors = _bundles(generator, 120, n, -3)
        u = units(vectors)
        mean = (np.sum(u.sum(axis=1) ** 2, axis=1) / n - 1) / (n - 1)
        found.append(Curve("T1", "score by mean cosine", f"n = {n}", mean, scores(vectors)))
    vectors = _bundles(np.random.default_rng([2, 1]), 1200, 3, -1)
    return [*found, Curve("T2", "least cosine by score", "n = 3", scores(vectors), _least_cosine(vectors))]


# T1: basic identities of the score


class Sample(NamedTuple):
    """vectors: (500, n, d), of lengths 1e-8 to 1e8. scores: (500,)."""

    vectors: Floats
    scores: Floats


class SpreadDraws(NamedTuple):
    """samples: for eight (n, d). pairs: (500, 2, 5)."""

    samples: list[Sample]
    pairs: Floats


@cache
def spread_draws() -> SpreadDraws:
    generator = np.random.default_rng(1)
    samples = []
    for n, d in [(2, 2), (2, 29), (3, 5), (4, 11), (5, 2), (6, 17), (7, 29), (8, 7)]:
        vectors = generator.standard_normal((500, n, d)) * 10.0 ** generator.uniform(-8, 8, (500, n, 1))
        samples.append(Sample(vectors, scores(vectors)))
    return SpreadDraws(samples, generator.standard_normal((500, 2, 5)))


@at_most("T1a", "The score lies in [-1, 1].", "largest |A| - 1", 0.0, IDENTITY, draws=4000)
def range_of_the_score() -> Numbers:
    return [np.abs(A) - 1 for _, A in spread_draws().samples]


@vanishes("T1a", "The score is twice the squared mean resultant minus one.", "largest error", IDENTITY, draws=4000)
def squared_mean_resultant() -> Numbers:
    return [A - (2 * np.sum(units(v).mean(axis=1) ** 2, axis=1) - 1) for v, A in spread_draws().samples]


@vanishes("T1a", "The score of two vectors is their cosine.", "largest |A - cos|", IDENTITY, draws=500)
def score_of_two_vectors() -> Numbers:
    pairs = spread_draws().pairs
    return scores(pairs) - np.sum(units(pairs)[:, 0] * units(pairs)[:, 1], axis=1)


@vanishes("T1b", "The score is affine in the mean pairwise cosine.", "largest error", IDENTITY, draws=4000)
def affine_in_the_mean_cosine() -> Numbers:
    errors = []
    for vectors, A in spread_draws().samples:
        n, u = vectors.shape[1], units(vectors)
        cosines = np.einsum("bid,bjd->bij", u, u)[:, ~np.eye(n, dtype=bool)]
        errors.append(A - (null_value(n) + 2 * (n - 1) / n * cosines.mean(axis=1)))
    return errors


@vanishes("T1c", "The score is one minus twice the directional variance.", "largest error", IDENTITY, draws=4000)
def directional_variance() -> Numbers:
    errors = []
    for vectors, A in spread_draws().samples:
        n, u = vectors.shape[1], units(vectors)
        mean = u.mean(axis=1)
        errors.append(A - (1 - 2 / n * np.sum((u - mean[:, None]) ** 2, axis=(1, 2))))
    return errors


@vanishes("T1c", "Misalignment is one minus the score.", "largest error", IDENTITY, draws=4000)
def misalignment_is_the_complement() -> Numbers:
    return [misalignments(v) - (1 - A) for v, A in spread_draws().samples]


@vanishes("T1d", "Vectors of equal direction score 1.", "largest |A - 1|, n = 1..8", IDENTITY, draws=8)
def equal_directions() -> Numbers:
    return [score(np.outer(np.arange(1.0, n + 1), [3.0, -4.0])) - 1 for n in range(1, 9)]


@vanishes("T1d", "Directions that sum to zero score -1.", "largest |A + 1|, polygons, n = 2..8", IDENTITY, draws=7)
def directions_that_sum_to_zero() -> Numbers:
    return [score(_polygon(n)) + 1 for n in range(2, 9)]


@vanishes("T1d", "In one dimension odd n cannot score -1.", "largest |A - 2/n^2 + 1|, n = 3, 5, 7", IDENTITY, draws=3)
def odd_numbers_in_one_dimension() -> Numbers:
    return [score((-1.0) ** np.arange(n)[:, None]) - (2 / n**2 - 1) for n in (3, 5, 7)]


@vanishes("T1d", "Orthogonal vectors score 2/n - 1.", "largest |A - 2/n + 1|, n = 1..8", IDENTITY, draws=8)
def orthogonal_vectors() -> Numbers:
    return [score(np.eye(n)) - null_value(n) for n in range(1, 9)]


@vanishes("T1e", "The Gram matrix determines the score.", "largest error", IDENTITY, draws=4000)
def score_from_the_gram_matrix() -> Numbers:
    return [A - np.asarray(_gram_scores_of(v @ v.swapaxes(1, 2))) for v, A in spread_draws().samples]


# T2: what the sign of the score means


class Conflicts(NamedTuple):
    """Of 8000 draws of n vectors. n: int. scores: (8000,). least: the least pairwise cosine, (8000,)."""

    n: int
    scores: Floats
    least: Floats


@cache
def conflicts() -> list[Conflicts]:
    """Draws for n = 2 to 6, the vectors of each with a common part of random length."""
    generator = np.random.default_rng(2)
    found = []
    for n in range(2, 7):
        common = generator.standard_normal((8000, 1, 4)) * generator.uniform(0, 3, (8000, 1, 1))
        vectors = generator.standard_normal((8000, n, 4)) + common
        found.append(Conflicts(n, scores(vectors), _least_cosine(vectors)))
    return found


@holds(
    "T2a",
    "Without a conflicting pair the score is at least 2/n - 1.",
    "least A - 2/n + 1 of 40000 draws",
    IDENTITY,
    draws=5000,
)
def score_without_conflict() -> Measured:
    slack = [A[least >= 0] - null_value(n) for n, A, least in conflicts()]
    return Measured(slack, of=[(A, least) for _, A, least in conflicts()])


@never("T2b", "Above tau_n no pair conflicts.", "draws of 40000 with a conflict above tau_n", draws=5000)
def conflict_above_the_threshold() -> Measured:
    violations = [least[conflict_free_threshold(n) < A] <= 0 for n, A, least in conflicts()]
    return Measured(violations, of=[(A, least) for _, A, least in conflicts()])


@vanishes("T2b", "Below tau_n a pair may be orthogonal: the threshold is sharp.", "|A - tau_n|", IDENTITY, draws=5)
def threshold_is_sharp() -> Numbers:
    errors = []
    for n in range(2, 7):
        vectors = np.concatenate([np.eye(2), np.ones((n - 2, 2))])
        errors.append(score(vectors) - conflict_free_threshold(n))
    return errors


@equals("T2b", "The threshold for three losses.", "tau_3", 0.2952, FOUR_DIGITS)
def threshold_of_three() -> Numbers:
    return conflict_free_threshold(3)


@equals("T2b", "The threshold for four losses.", "tau_4", 0.4571, FOUR_DIGITS)
def threshold_of_four() -> Numbers:
    return conflict_free_threshold(4)


@equals(
    "T2c",
    "A negative score of three or more losses means that some pair conflicts.",
    "A of three vectors with all cosines 0.2",
    -1 / 15,
    IDENTITY,
    "false in general",
)
def negative_score_without_conflict() -> Numbers:
    return score(np.linalg.cholesky(np.full((3, 3), 0.2) + 0.8 * np.eye(3)))


@equals(
    "T2c",
    "A positive score of three or more losses means that no pair conflicts.",
    "A of nine equal vectors and their negative",
    0.28,
    IDENTITY,
    "false in general",
)
def positive_score_with_conflict() -> Numbers:
    return score(np.concatenate([np.ones((9, 1)), -np.ones((1, 1))]))


# T3: invariances of the score, and their failure under preconditioning


class Maps(NamedTuple):
    """600 random maps T of d dimensions.

    maps: (600, d, d). kappa: their condition numbers, (600,). right: right singular vectors as rows, by descending
    singular value, (600, d, d). pairs: random vectors, (600, 2, d). angles: in [0.1, 1.4), (600,).
    """

    maps: Floats
    kappa: Floats
    right: Floats
    pairs: Floats
    angles: Floats


class Transformed(NamedTuple):
    """vectors: (500, 4, 6). changed: the same permuted, rescaled and rotated. by_dimension: maps for d = 2 to 6.

    maps: (500, 6, 6). directions: (500, 1, 6).
    """

    vectors: Floats
    changed: Floats
    by_dimension: list[Maps]
    maps: Floats
    directions: Floats


@cache
def transformed() -> Transformed:
    generator = np.random.default_rng(3)
    vectors = generator.standard_normal((500, 4, 6))
    rotation = np.linalg.qr(generator.standard_normal((500, 6, 6)))[0]
    changed = (vectors * generator.lognormal(0, 3, (500, 4, 1)))[:, [2, 0, 3, 1]] @ rotation
    found = []
    for d in range(2, 7):
        maps = generator.standard_normal((600, d, d))
        _, singular, right = np.linalg.svd(maps)
        kappa = singular[:, 0] / singular[:, -1]
        pairs = generator.standard_normal((600, 2, d))
        found.append(Maps(maps, kappa, right, pairs, generator.uniform(0.1, 1.4, 600)))
    maps = generator.standard_normal((500, 6, 6))
    return Transformed(vectors, changed, found, maps, generator.standard_normal((500, 1, 6)))


@vanishes(
    "T3a",
    "The score is invariant under permutation, positive rescaling and rotation.",
    "largest change of A",
    IDENTITY,
    draws=500,
)
def permutation_rescaling_and_rotation() -> Numbers:
    return scores(transformed().changed) - scores(transformed().vectors)


@vanishes(
    "T3b",
    "Only multiples of orthogonal maps keep all scores: others move an orthogonal pair by their conditioning.",
    "largest |A - (kappa^2 - 1)/(kappa^2 + 1)|",
    IDENTITY,
    draws=3000,
)
def maps_that_are_not_orthogonal() -> Numbers:
    errors = []
    for maps, kappa, right, _, _ in transformed().by_dimension:
        # T (e_1 + e_d) and T (e_1 - e_d) for right singular vectors e: orthogonal before, not after
        ends = np.stack([right[:, 0] + right[:, -1], right[:, 0] - right[:, -1]], axis=1)
        expected = (kappa**2 - 1) / (kappa**2 + 1)
        errors.append(scores(ends @ maps.swapaxes(1, 2)) - expected)
    return errors


@at_most(
    "T3c",
    "A preconditioner changes (1 - c)/(1 + c) by a factor between kappa^-2 and kappa^2.",
    "largest ratio to the bound, 3000 maps",
    1.0,
    DISTORTION,
    draws=3000,
)
def distortion_by_a_preconditioner() -> Numbers:
    ratios = []
    for maps, kappa, _, pairs, _ in transformed().by_dimension:
        images = pairs @ maps.swapaxes(1, 2)
        distortion = _half_angle(images) / _half_angle(pairs)
        ratios.append(np.maximum(distortion, 1 / distortion) / kappa**2)
    return ratios


@vanishes("T3c", "The factor kappa^2 is attained.", "largest relative error, sharp pairs", DISTORTION, draws=3000)
def largest_distortion() -> Numbers:
    errors = []
    for _, kappa, _, _, angles in transformed().by_dimension:
        # A pair symmetric about the axis of the least stretching; its image is formed in singular coordinates,
        # where no digits are lost
        symmetric = np.stack([np.sin(angles), np.cos(angles)], axis=1)[:, None] * np.array([[[1.0, 1], [-1, 1]]])
        stretched = symmetric * np.stack([kappa, np.ones(600)], axis=1)[:, None]
        attained = _half_angle(stretched) / _half_angle(symmetric) / kappa**2
        errors.append(attained - 1)
    return errors


@vanishes(
    "T3d",
    "No linear preconditioner turns (anti)parallel gradients.",
    "largest change of A",
    IDENTITY,
    draws=1000,
)
def parallel_gradients_stay_parallel() -> Numbers:
    maps, direction = transformed().maps, transformed().directions
    parallel = np.concatenate([direction, 3 * direction], axis=1) @ maps.swapaxes(1, 2)
    opposite = np.concatenate([direction, -3 * direction], axis=1) @ maps.swapaxes(1, 2)
    return [scores(parallel) - 1, scores(opposite) + 1]


# T5: dependence of the score on how the loss is split


class Duplicated(NamedTuple):
    """vectors: (1000, n, 4). scores: of these, (1000,). larger: scores with the first vector twice, (1000,).

    squared: ||mean||^2 of the unit vectors, (1000,). projection: <mean, first unit vector>, (1000,).
    """

    vectors: Floats
    scores: Floats
    larger: Floats
    squared: Floats
    projection: Floats


@cache
def duplicated() -> list[Duplicated]:
    """Draws for n = 2 to 6."""
    generator = np.random.default_rng(5)
    found = []
    for n in range(2, 7):
        vectors = generator.standard_normal((1000, n, 4))
        u = units(vectors)
        mean = u.mean(axis=1)
        squared, projection = np.sum(mean**2, axis=1), np.sum(mean * u[:, 0], axis=1)
        larger = scores(np.concatenate([vectors, vectors[:, :1]], axis=1))
        found.append(Duplicated(vectors, scores(vectors), larger, squared, projection))
    return found


@vanishes("T5", "Duplicating a loss changes the score by a closed formula.", "largest error", IDENTITY, draws=5000)
def score_after_duplication() -> Numbers:
    errors = []
    for vectors, _, larger, squared, projection in duplicated():
        n = vectors.shape[1]
        expected = 2 * (n**2 * squared + 2 * n * projection + 1) / (n + 1) ** 2 - 1
        errors.append(larger - expected)
    return errors


@never(
    "T5",
    "Duplicating a loss raises the score iff 2 n <mean, u> + 1 > (2 n + 1) R^2.",
    "violations in 5000 draws",
    draws=5000,
)
def duplication_raises_the_score() -> Measured:
    violations, compared = [], []
    for vectors, A, larger, squared, projection in duplicated():
        n = vectors.shape[1]
        margin = 2 * n * projection + 1 - (2 * n + 1) * squared
        violations.append((larger > A) != (margin > 0))
        compared += [larger, A, margin]
    return Measured(violations, of=compared)


@vanishes("T5", "Replicating every loss leaves the score unchanged.", "largest change of A", IDENTITY, draws=5000)
def replication_of_every_loss() -> Numbers:
    return [scores(np.tile(drawn.vectors, (1, 3, 1))) - drawn.scores for drawn in duplicated()]


@equals(
    "T5",
    "The score is a function of the total loss.",
    "A of {k} copies of v against one -v",
    lambda k: 2 * ((k - 1) / (k + 1)) ** 2 - 1,
    IDENTITY,
    "false in general",
    cases=[{"k": k} for k in (1, 2, 4, 10, 100)],
)
def copies_against_one(k: int) -> Numbers:
    return score(np.concatenate([np.ones((k, 1)), -np.ones((1, 1))]))


# T6: the score at a zero gradient


class NearZero(NamedTuple):
    """vectors: (200, n, 4) for n = 2, 3, 5. small: vectors of length near 1e-9, (200, 1, 2)."""

    vectors: Sequence[Floats]
    small: Floats


@cache
def near_zero() -> NearZero:
    generator = np.random.default_rng(6)
    vectors = [generator.standard_normal((200, n, 4)) for n in (2, 3, 5)]
    return NearZero(vectors, 1e-9 * generator.standard_normal((200, 1, 2)))


@vanishes(
    "T6",
    "No value at a zero gradient makes the score continuous: it jumps by 8 ||S||/n^2 across zero.",
    "largest error of the jump",
    IDENTITY,
    draws=600,
)
def jump_across_zero() -> Numbers:
    errors = []
    for vectors in near_zero().vectors:
        n, S = vectors.shape[1], units(vectors[:, 1:]).sum(axis=1)
        along, against = (np.concatenate([1e-9 * sign * S[:, None], vectors[:, 1:]], axis=1) for sign in (1, -1))
        errors.append(scores(along) - scores(against) - 8 / n**2 * np.linalg.norm(S, axis=1))
    return errors


@vanishes(
    "T6",
    "If the other directions cancel, the limit exists and is 2/n^2 - 1.",
    "largest |A - 2/16 + 1|, n = 4",
    IDENTITY,
    draws=200,
)
def limit_where_the_others_cancel() -> Numbers:
    return scores(np.concatenate([near_zero().small, np.tile(_polygon(3), (200, 1, 1))], 1)) - (2 / 16 - 1)


@vanishes(
    "T6",
    "Counting a zero gradient as zero gives (n'/n)^2 (A_drop + 1) - 1.",
    "largest error",
    IDENTITY,
    draws=600,
)
def zero_counted_as_zero() -> Numbers:
    errors = []
    for vectors in near_zero().vectors:
        n, S = vectors.shape[1], units(vectors[:, 1:]).sum(axis=1)
        zero_convention = 2 * np.sum((S / n) ** 2, axis=1) - 1
        from_dropped = ((n - 1) / n) ** 2 * (scores(vectors[:, 1:]) + 1) - 1
        errors.append(zero_convention - from_dropped)
    return errors


@at_most(
    "T6",
    "Adding eps to the norms changes the score by at most 4 delta.",
    "largest excess",
    0.0,
    IDENTITY,
    draws=5400,
)
def smoothed_norms() -> Numbers:
    """Here delta is the largest eps/(||v_i|| + eps)."""
    excess = []
    for vectors in near_zero().vectors:
        lengths, A = np.linalg.norm(vectors, axis=2, keepdims=True), scores(vectors)
        for epsilon in 10.0 ** np.arange(-8, 1):
            smoothed = 2 * np.sum(np.mean(vectors / (lengths + epsilon), axis=1) ** 2, axis=1) - 1
            delta = np.max(epsilon / (lengths + epsilon), axis=(1, 2))
            excess.append(np.abs(smoothed - A) - 4 * delta)
    return excess


@never("T6", "The library returns NaN and masks exactly the zero gradient.", "violations in 600 draws", draws=600)
def zero_gradient_is_masked() -> Measured:
    violations = []
    for vectors in near_zero().vectors:
        n = vectors.shape[1]
        result = batched(alignment, np.concatenate([np.zeros((200, 1, 4)), vectors[:, 1:]], axis=1))
        violations.append(~np.isnan(result.score) | (result.mask != (np.arange(n) > 0)).any(axis=1))
    return Measured(violations, of=violations)


# T7: the gradient of the score


class Gradients(NamedTuple):
    """vectors: (1000, n, d). lengths: theirs, (1000, n). scores: (1000,).

    gradients: ||v_i|| dA/dv_i, of order one, (1000, n, d). steps: changes of the vectors by 1e-5 of their lengths,
    (1000, n, d).
    """

    vectors: Floats
    lengths: Floats
    scores: Floats
    gradients: Floats
    steps: Floats


@cache
def gradients() -> list[Gradients]:
    """Draws for four (n, d), the first one with n = 2."""
    generator = np.random.default_rng(7)
    found = []
    for n, d in [(2, 3), (3, 4), (5, 6), (8, 5)]:
        vectors = generator.standard_normal((1000, n, d))
        vectors *= np.exp(generator.uniform(-1, 1, (1000, n, 1)))
        lengths = np.linalg.norm(vectors, axis=2)
        scaled = batched(_gradient, vectors)[:, :, :d] * lengths[:, :, None]
        steps = 1e-5 * generator.standard_normal(vectors.shape) * lengths[:, :, None]
        found.append(Gradients(vectors, lengths, scores(vectors), scaled, steps))
    return found


@vanishes(
    "T7",
    "dA/dv_i = 4/(n^2 ||v_i||) (I - u_i u_i^T) s.",
    "largest ||v_i|| times error",
    IDENTITY,
    draws=4000,
)
def formula_of_the_gradient() -> Numbers:
    errors = []
    for drawn in gradients():
        n, u = drawn.vectors.shape[1], units(drawn.vectors)
        s = u.sum(axis=1, keepdims=True)
        projected = s - u * np.sum(u * s, axis=2, keepdims=True)
        errors.append(drawn.gradients - 4 / n**2 * projected)
    return errors


@vanishes(
    "T7",
    "The gradient agrees with differences.",
    "largest error, relative step 1e-5",
    DIFFERENCES,
    draws=4000,
)
def differences_of_the_score() -> Numbers:
    errors = []
    for vectors, lengths, _, gradient, step in gradients():
        slope = np.sum(gradient * step / lengths[:, :, None], axis=(1, 2))
        errors.append(((scores(vectors + step) - scores(vectors - step)) / 2 - slope) / 1e-5)
    return errors


@vanishes(
    "T7",
    "Each part of the gradient is orthogonal to its vector.",
    "largest |<dA/dv_i, u_i>|",
    IDENTITY,
    draws=4000,
)
def parts_are_orthogonal() -> Numbers:
    return [np.sum(drawn.gradients * units(drawn.vectors), axis=2) for drawn in gradients()]


@at_most(
    "T7",
    "sum ||v_i||^2 ||dA/dv_i||^2 <= 4/n (1 - A^2).",
    "largest excess",
    0.0,
    IDENTITY,
    draws=4000,
)
def length_of_the_gradient() -> Numbers:
    return [_excess_length(drawn) for drawn in gradients()]


@vanishes("T7", "For two vectors this is an equality.", "largest gap, n = 2", IDENTITY, draws=1000)
def length_for_two_vectors() -> Numbers:
    return _excess_length(gradients()[0])


@vanishes(
    "T7",
    "The score is stationary where s = 0 and where all directions are collinear.",
    "largest entry of the gradient",
    IDENTITY,
    draws=10,
)
def stationary_points() -> Numbers:
    found = []
    for n in range(2, 7):
        collinear = np.outer((-1.0) ** np.arange(n) * np.arange(1.0, n + 1), [0.6, 0.8])
        found += [batched(_gradient, special[None]) for special in (_polygon(n), collinear)]
    return found


def _excess_length(drawn: Gradients) -> Floats:
    """sum ||v_i||^2 ||dA/dv_i||^2 - 4/n (1 - A^2), (1000,)."""
    n = drawn.vectors.shape[1]
    return np.asarray(np.sum(drawn.gradients**2, axis=(1, 2)) - 4 / n * (1 - drawn.scores**2))


def _least_cosine(vectors: Floats) -> Floats:
    u = units(vectors)
    i, j = np.triu_indices(u.shape[1], 1)
    return np.asarray(np.min(np.sum(u[:, i] * u[:, j], axis=2), axis=1))


def _half_angle(pairs: Floats) -> Floats:
    """(1 - c) / (1 + c) of pairs (B, 2, d), without cancellation."""
    u = units(pairs)
    difference, total = u[:, 0] - u[:, 1], u[:, 0] + u[:, 1]
    return np.asarray(np.sum(difference**2, axis=1) / np.sum(total**2, axis=1))


def _polygon(n: int) -> Floats:
    angles = 2 * np.pi * np.arange(n) / n
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _bundles(generator: np.random.Generator, draws: int, n: int, least: float) -> Floats:
    """Vectors (draws, n, 3) whose mean is multiplied by e^t, t uniform from ``least`` to 3: up to almost parallel."""
    vectors = generator.standard_normal((draws, n, 3))
    mean = vectors.mean(axis=1, keepdims=True)
    return np.asarray(vectors + mean * np.expm1(generator.uniform(least, 3, (draws, 1, 1))))
