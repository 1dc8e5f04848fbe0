"""Claims T1-T3 and T5-T7: what the gradient alignment score says, and what it does not.

Every check draws its vectors from an explicit seed in float64 and compares ``gradalign.diagnostics.alignment`` with the
formula of the claim, evaluated in NumPy. A record of status "false in general" reproduces a counterexample.
"""

import jax
import numpy as np

from gradalign.base.precision import dtype_of
from gradalign.claims._batches import Floats, batched, misalignments, score, scores, units
from gradalign.claims._records import Claim, Curve, at_most, equals, holds, never, timed, vanishes
from gradalign.diagnostics.alignment import (
    alignment,
    alignment_score,
    conflict_free_threshold,
    null_value,
    score_from_gram,
)

IDENTITY = 1e-12  # identities between numbers of order one, a few hundred roundings of 1e-16 each
DISTORTION = 1e-6  # relative; half-angles of nearly parallel images lose digits by the condition number
DIFFERENCES = 1e-8  # central differences of step 1e-5: truncation and rounding are both near 1e-10

_gradient = jax.grad(alignment_score)
_gram_scores_of = jax.jit(jax.vmap(score_from_gram))


def check() -> list[Claim]:
    """All records of the claims T1-T3 and T5-T7.

    Raises ``ConfigurationError`` while JAX's 64-bit types are off.
    """
    dtype_of("float64")
    return timed(CHECKS)


def curves() -> list[Curve]:
    """Random draws: the score against the mean cosine for several n (T1), the least cosine against the score (T2)."""
    generator = np.random.default_rng([1, 1])
    found = []
    for n in (2, 3, 5, 10):
        vectors = _spread_draws(generator, 120, n, -3)
        u = units(vectors)
        mean = (np.sum(u.sum(axis=1) ** 2, axis=1) / n - 1) / (n - 1)
        found.append(Curve("T1", "score by mean cosine", f"n = {n}", mean, scores(vectors)))
    vectors = _spread_draws(np.random.default_rng([2, 1]), 1200, 3, -1)
    return [*found, Curve("T2", "least cosine by score", "n = 3", scores(vectors), _least_cosine(vectors))]


def T1() -> list[Claim]:
    """Basic identities of the score."""
    generator = np.random.default_rng(1)
    errors: dict[str, list[Floats]] = {}
    for n, d in [(2, 2), (2, 29), (3, 5), (4, 11), (5, 2), (6, 17), (7, 29), (8, 7)]:
        vectors = generator.standard_normal((500, n, d)) * 10.0 ** generator.uniform(-8, 8, (500, n, 1))
        u = units(vectors)
        mean = u.mean(axis=1)
        A = scores(vectors)
        cosines = np.einsum("bid,bjd->bij", u, u)[:, ~np.eye(n, dtype=bool)]
        found = {
            "range": np.abs(A) - 1,
            "formula": A - (2 * np.sum(mean**2, axis=1) - 1),
            "affine": A - (null_value(n) + 2 * (n - 1) / n * cosines.mean(axis=1)),
            "variance": A - (1 - 2 / n * np.sum((u - mean[:, None]) ** 2, axis=(1, 2))),
            "misalignment": misalignments(vectors) - (1 - A),
            "gram": A - np.asarray(_gram_scores_of(vectors @ vectors.swapaxes(1, 2))),
        }
        for name, values in found.items():
            errors.setdefault(name, []).append(values)
    pairs = generator.standard_normal((500, 2, 5))
    cosine = np.sum(units(pairs)[:, 0] * units(pairs)[:, 1], axis=1)
    opposite = [score(_polygon(n)) + 1 for n in range(2, 9)]
    odd = [score((-1.0) ** np.arange(n)[:, None]) - (2 / n**2 - 1) for n in (3, 5, 7)]
    equal = [score(np.outer(np.arange(1.0, n + 1), [3.0, -4.0])) - 1 for n in range(1, 9)]
    orthogonal = [score(np.eye(n)) - null_value(n) for n in range(1, 9)]
    cosines_of_pairs = scores(pairs) - cosine
    return [
        at_most("T1a", "The score lies in [-1, 1].", "largest |A| - 1", errors["range"], 0.0, IDENTITY, draws=4000),
        vanishes(
            "T1a",
            "The score is twice the squared mean resultant minus one.",
            "largest error",
            errors["formula"],
            IDENTITY,
            draws=4000,
        ),
        vanishes(
            "T1a",
            "The score of two vectors is their cosine.",
            "largest |A - cos|",
            cosines_of_pairs,
            IDENTITY,
            draws=500,
        ),
        vanishes(
            "T1b",
            "The score is affine in the mean pairwise cosine.",
            "largest error",
            errors["affine"],
            IDENTITY,
            draws=4000,
        ),
        vanishes(
            "T1c",
            "The score is one minus twice the directional variance.",
            "largest error",
            errors["variance"],
            IDENTITY,
            draws=4000,
        ),
        vanishes(
            "T1c",
            "Misalignment is one minus the score.",
            "largest error",
            errors["misalignment"],
            IDENTITY,
            draws=4000,
        ),
        vanishes("T1d", "Vectors of equal direction score 1.", "largest |A - 1|, n = 1..8", equal, IDENTITY, draws=8),
        vanishes(
            "T1d",
            "Directions that sum to zero score -1.",
            "largest |A + 1|, polygons, n = 2..8",
            opposite,
            IDENTITY,
            draws=7,
        ),
        vanishes(
            "T1d",
            "In one dimension odd n cannot score -1.",
            "largest |A - 2/n^2 + 1|, n = 3, 5, 7",
            odd,
            IDENTITY,
            draws=3,
        ),
        vanishes(
            "T1d",
            "Orthogonal vectors score 2/n - 1.",
            "largest |A - 2/n + 1|, n = 1..8",
            orthogonal,
            IDENTITY,
            draws=8,
        ),
        vanishes("T1e", "The Gram matrix determines the score.", "largest error", errors["gram"], IDENTITY, draws=4000),
    ]


def T2() -> list[Claim]:
    """What the sign of the score means."""
    generator = np.random.default_rng(2)
    slack, above, compared = [], [], []
    for n in range(2, 7):
        common = generator.standard_normal((8000, 1, 4)) * generator.uniform(0, 3, (8000, 1, 1))
        vectors = generator.standard_normal((8000, n, 4)) + common
        A, least = scores(vectors), _least_cosine(vectors)
        slack.append(A[least >= 0] - null_value(n))
        above.append(least[conflict_free_threshold(n) < A] <= 0)
        compared += [A, least]
    sharp = []
    for n in range(2, 7):
        vectors = np.concatenate([np.eye(2), np.ones((n - 2, 2))])
        sharp.append(score(vectors) - conflict_free_threshold(n))
    equiangular = np.linalg.cholesky(np.full((3, 3), 0.2) + 0.8 * np.eye(3))
    nine = np.concatenate([np.ones((9, 1)), -np.ones((1, 1))])
    return [
        holds(
            "T2a",
            "Without a conflicting pair the score is at least 2/n - 1.",
            "least A - 2/n + 1 of 40000 draws",
            slack,
            IDENTITY,
            draws=5000,
            of=compared,
        ),
        never(
            "T2b",
            "Above tau_n no pair conflicts.",
            "draws of 40000 with a conflict above tau_n",
            above,
            draws=5000,
            of=compared,
        ),
        vanishes(
            "T2b",
            "Below tau_n a pair may be orthogonal: the threshold is sharp.",
            "|A - tau_n|",
            sharp,
            IDENTITY,
            draws=5,
        ),
        equals("T2b", "The threshold for three losses.", "tau_3", conflict_free_threshold(3), 0.2952, 5e-5),
        equals("T2b", "The threshold for four losses.", "tau_4", conflict_free_threshold(4), 0.4571, 5e-5),
        equals(
            "T2c",
            "A negative score of three or more losses means that some pair conflicts.",
            "A of three vectors with all cosines 0.2",
            score(equiangular),
            -1 / 15,
            IDENTITY,
            "false in general",
        ),
        equals(
            "T2c",
            "A positive score of three or more losses means that no pair conflicts.",
            "A of nine equal vectors and their negative",
            score(nine),
            0.28,
            IDENTITY,
            "false in general",
        ),
    ]


def T3() -> list[Claim]:
    """Invariances of the score, and their failure under preconditioning."""
    generator = np.random.default_rng(3)
    vectors = generator.standard_normal((500, 4, 6))
    rotation = np.linalg.qr(generator.standard_normal((500, 6, 6)))[0]
    changed = (vectors * generator.lognormal(0, 3, (500, 4, 1)))[:, [2, 0, 3, 1]] @ rotation
    ratio, sharp, converse = [], [], []
    for d in range(2, 7):
        maps = generator.standard_normal((600, d, d))
        _, singular, right = np.linalg.svd(maps)
        kappa = singular[:, 0] / singular[:, -1]
        pairs = generator.standard_normal((600, 2, d))
        images = pairs @ maps.swapaxes(1, 2)
        distortion = _half_angle(images) / _half_angle(pairs)
        ratio.append(np.maximum(distortion, 1 / distortion) / kappa**2)
        # A pair symmetric about the axis of the least stretching; its image is formed in singular coordinates,
        # where no digits are lost
        angle = generator.uniform(0.1, 1.4, 600)
        symmetric = np.stack([np.sin(angle), np.cos(angle)], axis=1)[:, None] * np.array([[[1.0, 1], [-1, 1]]])
        stretched = symmetric * np.stack([kappa, np.ones(600)], axis=1)[:, None]
        attained = _half_angle(stretched) / _half_angle(symmetric) / kappa**2
        sharp.append(attained - 1)
        # T (e_1 + e_d) and T (e_1 - e_d) for right singular vectors e: orthogonal before, not after
        ends = np.stack([right[:, 0] + right[:, -1], right[:, 0] - right[:, -1]], axis=1)
        expected = (kappa**2 - 1) / (kappa**2 + 1)
        converse.append(scores(ends @ maps.swapaxes(1, 2)) - expected)
    maps = generator.standard_normal((500, 6, 6))
    direction = generator.standard_normal((500, 1, 6))
    parallel = np.concatenate([direction, 3 * direction], axis=1) @ maps.swapaxes(1, 2)
    opposite = np.concatenate([direction, -3 * direction], axis=1) @ maps.swapaxes(1, 2)
    rigid = [scores(parallel) - 1, scores(opposite) + 1]
    return [
        vanishes(
            "T3a",
            "The score is invariant under permutation, positive rescaling and rotation.",
            "largest change of A",
            scores(changed) - scores(vectors),
            IDENTITY,
            draws=500,
        ),
        vanishes(
            "T3b",
            "Only multiples of orthogonal maps keep all scores: others move an orthogonal pair by their conditioning.",
            "largest |A - (kappa^2 - 1)/(kappa^2 + 1)|",
            converse,
            IDENTITY,
            draws=3000,
        ),
        at_most(
            "T3c",
            "A preconditioner changes (1 - c)/(1 + c) by a factor between kappa^-2 and kappa^2.",
            "largest ratio to the bound, 3000 maps",
            ratio,
            1.0,
            DISTORTION,
            draws=3000,
        ),
        vanishes(
            "T3c",
            "The factor kappa^2 is attained.",
            "largest relative error, sharp pairs",
            sharp,
            DISTORTION,
            draws=3000,
        ),
        vanishes(
            "T3d",
            "No linear preconditioner turns (anti)parallel gradients.",
            "largest change of A",
            rigid,
            IDENTITY,
            draws=1000,
        ),
    ]


def T5() -> list[Claim]:
    """Dependence of the score on how the loss is split."""
    generator = np.random.default_rng(5)
    formula, wrong, replicated, compared = [], [], [], []
    for n in range(2, 7):
        vectors = generator.standard_normal((1000, n, 4))
        u = units(vectors)
        mean = u.mean(axis=1)
        squared, projection = np.sum(mean**2, axis=1), np.sum(mean * u[:, 0], axis=1)
        A = scores(vectors)
        larger = scores(np.concatenate([vectors, vectors[:, :1]], axis=1))
        expected = 2 * (n**2 * squared + 2 * n * projection + 1) / (n + 1) ** 2 - 1
        formula.append(larger - expected)
        margin = 2 * n * projection + 1 - (2 * n + 1) * squared
        wrong.append((larger > A) != (margin > 0))
        compared += [larger, A, margin]
        replicated.append(scores(np.tile(vectors, (1, 3, 1))) - A)
    return [
        vanishes(
            "T5",
            "Duplicating a loss changes the score by a closed formula.",
            "largest error",
            formula,
            IDENTITY,
            draws=5000,
        ),
        never(
            "T5",
            "It raises the score iff 2 n <mean, u> + 1 > (2 n + 1) R^2.",
            "violations in 5000 draws",
            wrong,
            draws=5000,
            of=compared,
        ),
        vanishes(
            "T5",
            "Replicating every loss leaves the score unchanged.",
            "largest change of A",
            replicated,
            IDENTITY,
            draws=5000,
        ),
        *(
            equals(
                "T5",
                "The score is a function of the total loss.",
                f"A of {k} copies of v against one -v",
                score(np.concatenate([np.ones((k, 1)), -np.ones((1, 1))])),
                2 * ((k - 1) / (k + 1)) ** 2 - 1,
                IDENTITY,
                "false in general",
            )
            for k in (1, 2, 4, 10, 100)
        ),
    ]


def T6() -> list[Claim]:
    """The score at a zero gradient."""
    generator = np.random.default_rng(6)
    jump, dropped, excess, wrong = [], [], [], []
    for n in (2, 3, 5):
        vectors = generator.standard_normal((200, n, 4))
        S = units(vectors[:, 1:]).sum(axis=1)
        along, against = (np.concatenate([1e-9 * sign * S[:, None], vectors[:, 1:]], axis=1) for sign in (1, -1))
        jump.append(scores(along) - scores(against) - 8 / n**2 * np.linalg.norm(S, axis=1))
        zeroed = np.concatenate([np.zeros((200, 1, 4)), vectors[:, 1:]], axis=1)
        zero_convention = 2 * np.sum((S / n) ** 2, axis=1) - 1
        from_dropped = ((n - 1) / n) ** 2 * (scores(vectors[:, 1:]) + 1) - 1
        dropped.append(zero_convention - from_dropped)
        result = batched(alignment, zeroed)
        wrong.append(~np.isnan(result.score) | (result.mask != (np.arange(n) > 0)).any(axis=1))
        for epsilon in 10.0 ** np.arange(-8, 1):
            lengths = np.linalg.norm(vectors, axis=2, keepdims=True)
            smoothed = 2 * np.sum(np.mean(vectors / (lengths + epsilon), axis=1) ** 2, axis=1) - 1
            delta = np.max(epsilon / (lengths + epsilon), axis=(1, 2))
            excess.append(np.abs(smoothed - scores(vectors)) - 4 * delta)
    cancelling = np.concatenate([1e-9 * generator.standard_normal((200, 1, 2)), np.tile(_polygon(3), (200, 1, 1))], 1)
    statement = "No value at a zero gradient makes the score continuous: it jumps by 8 ||S||/n^2 across zero."
    return [
        vanishes("T6", statement, "largest error of the jump", jump, IDENTITY, draws=600),
        vanishes(
            "T6",
            "If the other directions cancel, the limit exists and is 2/n^2 - 1.",
            "largest |A - 2/16 + 1|, n = 4",
            scores(cancelling) - (2 / 16 - 1),
            IDENTITY,
            draws=200,
        ),
        vanishes(
            "T6",
            "Counting a zero gradient as zero gives (n'/n)^2 (A_drop + 1) - 1.",
            "largest error",
            dropped,
            IDENTITY,
            draws=600,
        ),
        at_most(
            "T6",
            "Adding eps to the norms changes the score by at most 4 delta.",
            "largest excess",
            excess,
            0.0,
            IDENTITY,
            draws=5400,
        ),
        never(
            "T6",
            "The library returns NaN and masks exactly the zero gradient.",
            "violations in 600 draws",
            wrong,
            draws=600,
            of=wrong,
        ),
    ]


def T7() -> list[Claim]:
    """The gradient of the score."""
    generator = np.random.default_rng(7)
    formula, orthogonal, gaps, differences, stationary = [], [], [], [], []
    for n, d in [(2, 3), (3, 4), (5, 6), (8, 5)]:
        vectors = generator.standard_normal((1000, n, d))
        vectors *= np.exp(generator.uniform(-1, 1, (1000, n, 1)))
        lengths, u, A = np.linalg.norm(vectors, axis=2), units(vectors), scores(vectors)
        s = u.sum(axis=1, keepdims=True)
        projected = s - u * np.sum(u * s, axis=2, keepdims=True)
        gradient = batched(_gradient, vectors)[:, :, :d] * lengths[:, :, None]  # now of order one
        formula.append(gradient - 4 / n**2 * projected)
        orthogonal.append(np.sum(gradient * u, axis=2))
        gaps.append(np.sum(gradient**2, axis=(1, 2)) - 4 / n * (1 - A**2))  # the first one is that of n = 2
        step = 1e-5 * generator.standard_normal(vectors.shape) * lengths[:, :, None]
        slope = np.sum(gradient * step / lengths[:, :, None], axis=(1, 2))
        differences.append(((scores(vectors + step) - scores(vectors - step)) / 2 - slope) / 1e-5)
    for n in range(2, 7):
        collinear = np.outer((-1.0) ** np.arange(n) * np.arange(1.0, n + 1), [0.6, 0.8])
        stationary += [batched(_gradient, special[None]) for special in (_polygon(n), collinear)]
    return [
        vanishes(
            "T7",
            "dA/dv_i = 4/(n^2 ||v_i||) (I - u_i u_i^T) s.",
            "largest ||v_i|| times error",
            formula,
            IDENTITY,
            draws=4000,
        ),
        vanishes(
            "T7",
            "The gradient agrees with differences.",
            "largest error, relative step 1e-5",
            differences,
            DIFFERENCES,
            draws=4000,
        ),
        vanishes(
            "T7",
            "Each part of the gradient is orthogonal to its vector.",
            "largest |<dA/dv_i, u_i>|",
            orthogonal,
            IDENTITY,
            draws=4000,
        ),
        at_most(
            "T7",
            "sum ||v_i||^2 ||dA/dv_i||^2 <= 4/n (1 - A^2).",
            "largest excess",
            gaps,
            0.0,
            IDENTITY,
            draws=4000,
        ),
        vanishes("T7", "For two vectors this is an equality.", "largest gap, n = 2", gaps[0], IDENTITY, draws=1000),
        vanishes(
            "T7",
            "The score is stationary where s = 0 and where all directions are collinear.",
            "largest entry of the gradient",
            stationary,
            IDENTITY,
            draws=10,
        ),
    ]


CHECKS = (T1, T2, T3, T5, T6, T7)


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


def _spread_draws(generator: np.random.Generator, draws: int, n: int, least: float) -> Floats:
    """Vectors (draws, n, 3) whose mean is multiplied by e^t, t uniform from ``least`` to 3: up to almost parallel."""
    vectors = generator.standard_normal((draws, n, 3))
    mean = vectors.mean(axis=1, keepdims=True)
    return np.asarray(vectors + mean * np.expm1(generator.uniform(least, 3, (draws, 1, 1))))
