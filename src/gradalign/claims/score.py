"""Claims T1-T11: what the gradient alignment score says, and what it does not.

Every check draws its vectors from an explicit seed in float64 and compares ``gradalign.alignment`` with the formula
of the claim, evaluated in NumPy. A record of status "false in general" reproduces a counterexample.
"""

from collections.abc import Callable
from itertools import combinations
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray
from scipy import stats

from gradalign.alignment import (
    alignment,
    alignment_score,
    common_descent_threshold,
    conflict_free_threshold,
    misalignment,
    null_deviation,
    null_value,
    score_from_gram,
)
from gradalign.precision import dtype_of
from gradalign.records import Claim, timed

Floats = NDArray[np.floating[Any]]

IDENTITY = 1e-12  # identities between numbers of order one, a few hundred roundings of 1e-16 each
NEAR_ANTIPARALLEL = 1e-6  # projections of almost opposite vectors lose half of the digits
DISTORTION = 1e-6  # relative; half-angles of nearly parallel images lose digits by the condition number
DIFFERENCES = 1e-8  # central differences of step 1e-5: truncation and rounding are both near 1e-10
STANDARD_ERRORS = 4.0  # a correct mean leaves this band with probability 6e-5
VARIANCE = 0.03  # relative; four standard errors sqrt(2 / 40000) of a sample variance
_CHUNK = 1000

_scores_of = jax.jit(jax.vmap(alignment_score))
_misalignments_of = jax.jit(jax.vmap(misalignment))
_gram_scores_of = jax.jit(jax.vmap(score_from_gram))
_alignments_of = jax.jit(jax.vmap(alignment))
_gradients_of = jax.jit(jax.vmap(jax.grad(alignment_score)))


def check() -> list[Claim]:
    """All records of the claims T1-T11.

    Raises ``ConfigurationError`` while JAX's 64-bit types are off.
    """
    dtype_of("float64")
    return timed([T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11])


def T1() -> list[Claim]:
    """Basic identities of the score."""
    generator = np.random.default_rng(1)
    worst = dict.fromkeys(("range", "formula", "affine", "variance", "misalignment", "gram"), 0.0)
    for n, d in [(2, 2), (2, 29), (3, 5), (4, 11), (5, 2), (6, 17), (7, 29), (8, 7)]:
        vectors = generator.standard_normal((500, n, d)) * 10.0 ** generator.uniform(-8, 8, (500, n, 1))
        u = _units(vectors)
        mean = u.mean(axis=1)
        score = _scores(vectors)
        cosines = np.einsum("bid,bjd->bij", u, u)[:, ~np.eye(n, dtype=bool)]
        found = {
            "range": np.abs(score) - 1,
            "formula": score - (2 * np.sum(mean**2, axis=1) - 1),
            "affine": score - (null_value(n) + 2 * (n - 1) / n * cosines.mean(axis=1)),
            "variance": score - (1 - 2 / n * np.sum((u - mean[:, None]) ** 2, axis=(1, 2))),
            "misalignment": _batched(_misalignments_of, vectors) - (1 - score),
            "gram": score - np.asarray(_gram_scores_of(vectors @ vectors.swapaxes(1, 2))),
        }
        worst = {name: max(worst[name], _largest(found[name])) for name in worst}
        worst["range"] = max(0.0, float(np.max(found["range"])))
    pairs = generator.standard_normal((500, 2, 5))
    cosine = np.sum(_units(pairs)[:, 0] * _units(pairs)[:, 1], axis=1)
    opposite = max(abs(_score(_polygon(n)) + 1) for n in range(2, 9))
    odd = max(abs(_score((-1.0) ** np.arange(n)[:, None]) - (2 / n**2 - 1)) for n in (3, 5, 7))
    equal = max(abs(_score(np.outer(np.arange(1.0, n + 1), [3.0, -4.0])) - 1) for n in range(1, 9))
    orthogonal = max(abs(_score(np.eye(n)) - null_value(n)) for n in range(1, 9))
    return [
        _at_most("T1a", "The score lies in [-1, 1].", "largest |A| - 1", worst["range"]),
        _at_most("T1a", "The score is twice the squared mean resultant minus one.", "largest error", worst["formula"]),
        _at_most("T1a", "The score of two vectors is their cosine.", "largest |A - cos|", _scores(pairs) - cosine),
        _at_most("T1b", "The score is affine in the mean pairwise cosine.", "largest error", worst["affine"]),
        _at_most("T1c", "The score is one minus twice the directional variance.", "largest error", worst["variance"]),
        _at_most("T1c", "Misalignment is one minus the score.", "largest error", worst["misalignment"]),
        _at_most("T1d", "Vectors of equal direction score 1.", "largest |A - 1|, n = 1..8", equal),
        _at_most("T1d", "Directions that sum to zero score -1.", "largest |A + 1|, polygons, n = 2..8", opposite),
        _at_most("T1d", "In one dimension odd n cannot score -1.", "largest |A - 2/n^2 + 1|, n = 3, 5, 7", odd),
        _at_most("T1d", "Orthogonal vectors score 2/n - 1.", "largest |A - 2/n + 1|, n = 1..8", orthogonal),
        _at_most("T1e", "The Gram matrix determines the score.", "largest error", worst["gram"]),
    ]


def T2() -> list[Claim]:
    """What the sign of the score means."""
    generator = np.random.default_rng(2)
    slack, conflicts = np.inf, 0
    for n in range(2, 7):
        common = generator.standard_normal((8000, 1, 4)) * generator.uniform(0, 3, (8000, 1, 1))
        vectors = generator.standard_normal((8000, n, 4)) + common
        score, least = _scores(vectors), _least_cosine(vectors)
        slack = min(slack, float(np.min(score[least >= 0] - null_value(n))))
        conflicts += int(np.sum(least[score > conflict_free_threshold(n)] <= 0))
    sharp = 0.0
    for n in range(2, 7):
        vectors = np.concatenate([np.eye(2), np.ones((n - 2, 2))])
        sharp = max(sharp, abs(_score(vectors) - conflict_free_threshold(n)))
    equiangular = np.linalg.cholesky(np.full((3, 3), 0.2) + 0.8 * np.eye(3))
    nine = np.concatenate([np.ones((9, 1)), -np.ones((1, 1))])
    return [
        _at_least("T2a", "Without a conflicting pair the score is at least 2/n - 1.", "least A - 2/n + 1", slack),
        _count("T2b", "Above tau_n no pair conflicts.", "draws of 40000 with a conflict above tau_n", conflicts),
        _at_most("T2b", "Below tau_n a pair may be orthogonal: the threshold is sharp.", "|A - tau_n|", sharp),
        Claim("T2b", "The threshold for three losses.", "proven", "tau_3", 0.2952, conflict_free_threshold(3), 5e-5),
        Claim("T2b", "The threshold for four losses.", "proven", "tau_4", 0.4571, conflict_free_threshold(4), 5e-5),
        Claim(
            "T2c",
            "A negative score of three or more losses means that some pair conflicts.",
            "false in general",
            "A of three vectors with all cosines 0.2",
            -1 / 15,
            _score(equiangular),
            IDENTITY,
        ),
        Claim(
            "T2c",
            "A positive score of three or more losses means that no pair conflicts.",
            "false in general",
            "A of nine equal vectors and their negative",
            0.28,
            _score(nine),
            IDENTITY,
        ),
    ]


def T3() -> list[Claim]:
    """Invariances of the score, and their failure under preconditioning."""
    generator = np.random.default_rng(3)
    vectors = generator.standard_normal((500, 4, 6))
    rotation = np.linalg.qr(generator.standard_normal((500, 6, 6)))[0]
    changed = (vectors * generator.lognormal(0, 3, (500, 4, 1)))[:, [2, 0, 3, 1]] @ rotation
    ratio, sharp, converse = 0.0, 0.0, 0.0
    for d in range(2, 7):
        maps = generator.standard_normal((600, d, d))
        _, singular, right = np.linalg.svd(maps)
        kappa = singular[:, 0] / singular[:, -1]
        pairs = generator.standard_normal((600, 2, d))
        images = pairs @ maps.swapaxes(1, 2)
        distortion = _half_angle(images) / _half_angle(pairs)
        ratio = max(ratio, float(np.max(np.maximum(distortion, 1 / distortion) / kappa**2)))
        # A pair symmetric about the axis of the least stretching; its image is formed in singular coordinates,
        # where no digits are lost
        angle = generator.uniform(0.1, 1.4, 600)
        symmetric = np.stack([np.sin(angle), np.cos(angle)], axis=1)[:, None] * np.array([[[1.0, 1], [-1, 1]]])
        stretched = symmetric * np.stack([kappa, np.ones(600)], axis=1)[:, None]
        largest = _half_angle(stretched) / _half_angle(symmetric) / kappa**2
        sharp = max(sharp, _largest(largest - 1))
        # T (e_1 + e_d) and T (e_1 - e_d) for right singular vectors e: orthogonal before, not after
        ends = np.stack([right[:, 0] + right[:, -1], right[:, 0] - right[:, -1]], axis=1)
        expected = (kappa**2 - 1) / (kappa**2 + 1)
        converse = max(converse, _largest(_scores(ends @ maps.swapaxes(1, 2)) - expected))
    maps = generator.standard_normal((500, 6, 6))
    direction = generator.standard_normal((500, 1, 6))
    parallel = np.concatenate([direction, 3 * direction], axis=1) @ maps.swapaxes(1, 2)
    opposite = np.concatenate([direction, -3 * direction], axis=1) @ maps.swapaxes(1, 2)
    rigid = np.maximum(np.abs(_scores(parallel) - 1), np.abs(_scores(opposite) + 1))
    return [
        _at_most(
            "T3a",
            "The score is invariant under permutation, positive rescaling and rotation.",
            "largest change of A",
            _scores(changed) - _scores(vectors),
        ),
        _at_most(
            "T3b",
            "Only multiples of orthogonal maps keep all scores: others move an orthogonal pair by their conditioning.",
            "largest |A - (kappa^2 - 1)/(kappa^2 + 1)|",
            converse,
        ),
        Claim(
            "T3c",
            "A preconditioner changes (1 - c)/(1 + c) by a factor between kappa^-2 and kappa^2.",
            "proven",
            "largest ratio to the bound, 3000 maps",
            1.0,
            ratio,
            DISTORTION,
            "at most",
        ),
        _at_most("T3c", "The factor kappa^2 is attained.", "largest relative error, sharp pairs", sharp, DISTORTION),
        _at_most("T3d", "No linear preconditioner turns (anti)parallel gradients.", "largest change of A", rigid),
    ]


def T4() -> list[Claim]:
    """The score of independent random directions."""
    draws = 40_000
    z, variance, excess, law = 0.0, 0.0, -np.inf, 1.0
    for seed, (n, d) in enumerate([(2, 3), (3, 5), (4, 10), (5, 20), (8, 30)]):
        score = _scores(np.random.default_rng([4, seed]).standard_normal((draws, n, d)))
        z = max(z, _standard_errors(score, null_value(n)))
        variance = max(variance, abs(float(np.var(score)) / null_deviation(n, d) ** 2 - 1))
        t = 3 * null_deviation(n, d)
        bound = 2 * np.exp(-(d - 2) * n * t**2 / 8)
        excess = max(excess, float(np.mean(np.abs(score - null_value(n)) >= t) - bound))
        if n == 2:
            law = float(stats.kstest((1 + score) / 2, stats.beta((d - 1) / 2, (d - 1) / 2).cdf).pvalue)
    # Random signs of coordinate axes: mean zero, second moment exactly diag(p)
    generator = np.random.default_rng([4, 10])
    p = 0.604 ** np.arange(60.0)
    p /= p.sum()
    effective = 1 / float(np.sum(p**2))
    axes = np.eye(60)[generator.choice(60, (draws, 3), p=p)] * generator.choice([-1.0, 1.0], (draws, 3, 1))
    anisotropic = float(np.var(_scores(axes))) / null_deviation(3, effective) ** 2
    # A fixed direction with probability 0.3, else isotropic: the mean has length 0.3
    generator = np.random.default_rng([4, 11])
    isotropic = generator.standard_normal((draws, 3, 5))
    shifted = np.where(generator.random((draws, 3, 1)) < 0.3, np.eye(5)[0], isotropic)
    mean = null_value(3) + 2 * 2 / 3 * 0.3**2
    common = _standard_errors(_scores(shifted), mean)
    return [
        _band("T4", "Independent isotropic directions score 2/n - 1 on average.", "largest |z|, five (n, d)", z),
        _at_most(
            "T4", "Their variance is 8 (n - 1)/(n^3 d).", "largest relative error of the variance", variance, VARIANCE
        ),
        Claim(
            "T4",
            "For anisotropic directions the effective dimension 1/tr(Sigma^2) replaces d.",
            "proven",
            "variance times n^3 d_eff/(8 (n - 1)), d = 60, d_eff = 4.05",
            1.0,
            anisotropic,
            VARIANCE,
        ),
        _band("T4", "A common mean mu raises the mean score by 2 (n - 1)/n ||mu||^2.", "|z|", common),
        Claim(
            "T4",
            "For two losses (1 + A)/2 follows the Beta((d - 1)/2, (d - 1)/2) law.",
            "proven",
            "p-value of the Kolmogorov-Smirnov test, d = 3",
            1e-3,
            law,
            0.0,
            "at least",
        ),
        _at_most("T4", "Deviations t are rarer than 2 exp(-(d - 2) n t^2/8).", "largest excess over the bound", excess),
    ]


def T5() -> list[Claim]:
    """Dependence of the score on how the loss is split."""
    generator = np.random.default_rng(5)
    formula, wrong, replicated = 0.0, 0, 0.0
    for n in range(2, 7):
        vectors = generator.standard_normal((1000, n, 4))
        u = _units(vectors)
        mean = u.mean(axis=1)
        squared, projection = np.sum(mean**2, axis=1), np.sum(mean * u[:, 0], axis=1)
        score = _scores(vectors)
        larger = _scores(np.concatenate([vectors, vectors[:, :1]], axis=1))
        expected = 2 * (n**2 * squared + 2 * n * projection + 1) / (n + 1) ** 2 - 1
        formula = max(formula, _largest(larger - expected))
        margin = 2 * n * projection + 1 - (2 * n + 1) * squared
        wrong += int(np.sum((larger > score) != (margin > 0)))
        replicated = max(replicated, _largest(_scores(np.tile(vectors, (1, 3, 1))) - score))
    return [
        _at_most("T5", "Duplicating a loss changes the score by a closed formula.", "largest error", formula),
        _count("T5", "It raises the score iff 2 n <mean, u> + 1 > (2 n + 1) R^2.", "violations in 5000 draws", wrong),
        _at_most("T5", "Replicating every loss leaves the score unchanged.", "largest change of A", replicated),
        *(
            Claim(
                "T5",
                "The score is a function of the total loss.",
                "false in general",
                f"A of {k} copies of v against one -v",
                2 * ((k - 1) / (k + 1)) ** 2 - 1,
                _score(np.concatenate([np.ones((k, 1)), -np.ones((1, 1))])),
                IDENTITY,
            )
            for k in (1, 2, 4, 10, 100)
        ),
    ]


def T6() -> list[Claim]:
    """The score at a zero gradient."""
    generator = np.random.default_rng(6)
    jump, dropped, excess, right = 0.0, 0.0, -np.inf, []
    for n in (2, 3, 5):
        vectors = generator.standard_normal((200, n, 4))
        S = _units(vectors[:, 1:]).sum(axis=1)
        along, against = (np.concatenate([1e-9 * sign * S[:, None], vectors[:, 1:]], axis=1) for sign in (1, -1))
        jump = max(jump, _largest(_scores(along) - _scores(against) - 8 / n**2 * np.linalg.norm(S, axis=1)))
        zeroed = np.concatenate([np.zeros((200, 1, 4)), vectors[:, 1:]], axis=1)
        zero_convention = 2 * np.sum((S / n) ** 2, axis=1) - 1
        from_dropped = ((n - 1) / n) ** 2 * (_scores(vectors[:, 1:]) + 1) - 1
        dropped = max(dropped, _largest(zero_convention - from_dropped))
        result = _alignments_of(jnp.asarray(zeroed))
        right.append(np.isnan(result.score) & ~np.asarray(result.mask[:, 0]) & np.all(result.mask[:, 1:], axis=1))
        for epsilon in 10.0 ** np.arange(-8, 1):
            lengths = np.linalg.norm(vectors, axis=2, keepdims=True)
            smoothed = 2 * np.sum(np.mean(vectors / (lengths + epsilon), axis=1) ** 2, axis=1) - 1
            delta = np.max(epsilon / (lengths + epsilon), axis=(1, 2))
            excess = max(excess, float(np.max(np.abs(smoothed - _scores(vectors)) - 4 * delta)))
    cancelling = np.concatenate([1e-9 * generator.standard_normal((200, 1, 2)), np.tile(_polygon(3), (200, 1, 1))], 1)
    statement = "No value at a zero gradient makes the score continuous: it jumps by 8 ||S||/n^2 across zero."
    return [
        _at_most("T6", statement, "largest error of the jump", jump),
        _at_most(
            "T6",
            "If the other directions cancel, the limit exists and is 2/n^2 - 1.",
            "largest |A - 2/16 + 1|, n = 4",
            _scores(cancelling) - (2 / 16 - 1),
        ),
        _at_most("T6", "Counting a zero gradient as zero gives (n'/n)^2 (A_drop + 1) - 1.", "largest error", dropped),
        _at_most("T6", "Adding eps to the norms changes the score by at most 4 delta.", "largest excess", excess),
        Claim(
            "T6",
            "The library returns NaN and masks exactly the zero gradient.",
            "proven",
            "share of 600 draws",
            1.0,
            float(np.mean(right)),
            0.0,
        ),
    ]


def T7() -> list[Claim]:
    """The gradient of the score."""
    generator = np.random.default_rng(7)
    formula, orthogonal, excess, two, differences, stationary = 0.0, 0.0, -np.inf, 0.0, 0.0, 0.0
    for n, d in [(2, 3), (3, 4), (5, 6), (8, 5)]:
        vectors = generator.standard_normal((1000, n, d))
        vectors *= np.exp(generator.uniform(-1, 1, (1000, n, 1)))
        lengths, u, score = np.linalg.norm(vectors, axis=2), _units(vectors), _scores(vectors)
        s = u.sum(axis=1, keepdims=True)
        projected = s - u * np.sum(u * s, axis=2, keepdims=True)
        gradient = _batched(_gradients_of, vectors)[:, :, :d] * lengths[:, :, None]  # now of order one
        formula = max(formula, _largest(gradient - 4 / n**2 * projected))
        orthogonal = max(orthogonal, _largest(np.sum(gradient * u, axis=2)))
        gap = np.sum(gradient**2, axis=(1, 2)) - 4 / n * (1 - score**2)
        excess = max(excess, float(np.max(gap)))
        two = max(two, _largest(gap)) if n == 2 else two
        step = 1e-5 * generator.standard_normal(vectors.shape) * lengths[:, :, None]
        slope = np.sum(gradient * step / lengths[:, :, None], axis=(1, 2))
        differences = max(differences, _largest((_scores(vectors + step) - _scores(vectors - step)) / 2 - slope) / 1e-5)
    for n in range(2, 7):
        collinear = np.outer((-1.0) ** np.arange(n) * np.arange(1.0, n + 1), [0.6, 0.8])
        for special in (_polygon(n), collinear):
            stationary = max(stationary, _largest(_batched(_gradients_of, special[None])))
    return [
        _at_most("T7", "dA/dv_i = 4/(n^2 ||v_i||) (I - u_i u_i^T) s.", "largest ||v_i|| times error", formula),
        _at_most(
            "T7", "The gradient agrees with differences.", "largest error, relative step 1e-5", differences, DIFFERENCES
        ),
        _at_most(
            "T7", "Each part of the gradient is orthogonal to its vector.", "largest |<dA/dv_i, u_i>|", orthogonal
        ),
        _at_most("T7", "sum ||v_i||^2 ||dA/dv_i||^2 <= 4/n (1 - A^2).", "largest excess", excess),
        _at_most("T7", "For two vectors this is an equality.", "largest gap, n = 2", two),
        _at_most(
            "T7",
            "The score is stationary where s = 0 and where all directions are collinear.",
            "largest entry of the gradient",
            stationary,
        ),
    ]


def T8() -> list[Claim]:
    """What the score guarantees for the normalised sum of the gradients."""
    generator = np.random.default_rng(8)
    mean, slack, failures, sharp, hull, midpoint, minimax = 0.0, np.inf, 0, 0.0, -np.inf, 0.0, 0.0
    for n, draws in [(2, 10_000), (3, 10_000), (4, 10_000), (5, 10_000), (6, 10_000), (8, 10_000)]:
        common = generator.uniform(0, 2, (draws, 1, 1)) * generator.standard_normal((draws, 1, 4))
        vectors = generator.standard_normal((draws, n, 4)) + common
        u, score = _units(vectors), _scores(vectors)
        s = u.sum(axis=1)
        products = np.einsum("bnd,bd->bn", u, s)
        mean = max(mean, _largest(np.mean(products, axis=1) / n - (1 + score) / 2))
        slack = min(slack, float(np.min(products.min(axis=1) - n**2 / 4 * (score - 1 + 4 / n))))
        failures += int(np.sum(products.min(axis=1)[score > common_descent_threshold(n)] <= 0))
        if n <= 4:
            nearest = _nearest_hull_points(u[:2000])
            distance = np.linalg.norm(nearest, axis=1)
            bound = np.sqrt((1 + score[:2000]) / 2)
            hull = max(hull, float(np.max(distance - bound)))
            midpoint = max(midpoint, _largest(distance - bound)) if n == 2 else midpoint
            reached = np.min(np.einsum("bnd,bd->bn", u[:2000], nearest), axis=1)
            minimax = max(minimax, _largest(reached - distance**2))
    for n in range(3, 7):
        vectors = np.tile([1.0, 0.0], (n, 1))
        vectors[0] = [-1 / (n - 1), np.sqrt(1 - 1 / (n - 1) ** 2)]
        products = vectors @ vectors.sum(axis=0)
        sharp = max(sharp, abs(_score(vectors) - common_descent_threshold(n)), abs(products[0]))
    return [
        _at_most("T8a", "The mean relative first-order decrease along the mean direction is (1 + A)/2.", "error", mean),
        _at_least("T8b", "min_j <s, u_j> >= n^2/4 (A - 1 + 4/n).", "least slack, 60000 draws", slack),
        _count("T8b", "Above 1 - 4/n the normalised sum decreases every loss.", "violations, 60000 draws", failures),
        _at_most("T8b", "At 1 - 4/n one loss may stop decreasing: the threshold is sharp.", "largest error", sharp),
        _at_most("T8c", "The best common decrease is at most sqrt((1 + A)/2).", "largest excess, n = 2..4", hull),
        _at_most("T8c", "For two losses it is equal to sqrt((1 + A)/2).", "largest error, n = 2", midpoint),
        _at_most("T8c", "The nearest point of the hull attains the best common decrease.", "largest error", minimax),
        *_T8d(),
    ]


def _T8d() -> list[Claim]:
    generator = np.random.default_rng([8, 4])
    equal, two, descent, path = 0.0, 0.0, -np.inf, 0.0
    for n in range(2, 6):
        gamma, ell = np.exp(generator.uniform(-1, 1, (2, 500)))
        vectors = gamma[:, None, None] * _units(generator.standard_normal((500, n, 4)))
        score = _scores(vectors)
        g = vectors.sum(axis=1)
        squared = np.sum(g**2, axis=1)
        guaranteed = gamma**2 * n**2 * (1 + score) / 2
        equal = max(equal, _largest(squared / gamma**2 - guaranteed / gamma**2))
        factor = generator.standard_normal((500, 4, 4))
        H = factor @ factor.swapaxes(1, 2)
        H *= (ell / np.linalg.eigvalsh(H)[:, -1])[:, None, None]
        eta = generator.uniform(0, 2, 500) / ell
        change = -eta * squared + eta**2 / 2 * np.einsum("bi,bij,bj->b", g, H, g)
        descent = max(descent, float(np.max(change + eta * (1 - ell * eta / 2) * guaranteed)))
        pair = generator.standard_normal((500, 2, 4))
        norms = np.linalg.norm(pair, axis=2)
        expected = np.sum(norms**2, axis=1) + 2 * np.prod(norms, axis=1) * _scores(pair)
        two = max(two, _largest(np.sum(pair.sum(axis=1) ** 2, axis=1) - expected))
        steps = _units(pair)
        covered = np.linalg.norm(steps.sum(axis=1), axis=1) / 2
        path = max(path, _largest(covered - np.sqrt((1 + _scores(steps)) / 2)))
    directions = np.array([[1.0, 0], [1, 0], [0, 1]])
    one, other = (np.array(lengths)[:, None] * directions for lengths in ([2.0, 1, 1], [1.0, 1, 2]))
    gap = float(np.sum(one.sum(axis=0) ** 2) - np.sum(other.sum(axis=0) ** 2)) + abs(_score(one) - _score(other))
    return [
        _at_most("T8d", "Equal norms: ||g||^2 = gamma^2 n^2 (1 + A)/2.", "largest relative error", equal, 1e-10),
        _at_most("T8d", "Two losses: ||g||^2 follows from the norms and A.", "largest error", two, 1e-10),
        _at_most("T8d", "A gradient step decreases an l-smooth loss by the bound.", "largest excess", descent, 1e-10),
        _at_most("T8d", "Two equal steps cover sqrt((1 + A)/2) of their path.", "largest error", path, 1e-10),
        Claim(
            "T8d",
            "The norms and the score determine ||g|| for three losses.",
            "false in general",
            "difference of ||g||^2 at equal score and lengths (2, 1, 1) in another order",
            2.0,
            gap,
            1e-10,
        ),
    ]


def T9() -> list[Claim]:
    """PCGrad on two conflicting gradients."""
    generator = np.random.default_rng(9)
    vectors = generator.standard_normal((8000, 2, 3))
    vectors[:2000, 1] = -vectors[:2000, 0] + 10.0 ** generator.uniform(-4, 0, (2000, 1)) * vectors[:2000, 1]
    vectors *= 10.0 ** generator.uniform(-2, 2, (8000, 2, 1))
    vectors = vectors[np.sum(vectors[:, 0] * vectors[:, 1], axis=1) < 0]
    score = _scores(vectors)
    u = _units(vectors)
    projected_units = u - np.sum(u[:, 0] * u[:, 1], axis=1)[:, None, None] * u[:, ::-1]
    difference = projected_units.sum(axis=1) - (1 - score)[:, None] * u.sum(axis=1)
    return [
        _at_most(
            "T9",
            "PCGrad changes the sign of the score of two conflicting gradients and keeps its size.",
            "largest |A(p_1, p_2) + A(g_1, g_2)|",
            _scores(_pcgrad(vectors)) + score,
            NEAR_ANTIPARALLEL,
        ),
        _at_most(
            "T9",
            "On unit gradients PCGrad is the sum times 1 - c.",
            "largest error",
            difference,
        ),
    ]


def T10() -> list[Claim]:
    """The score of gradients that nearly cancel."""
    generator = np.random.default_rng(10)
    excess, exact = -np.inf, -np.inf
    for n in range(2, 8):
        vectors = generator.standard_normal((10_000, n, 3)) * np.exp(generator.uniform(-2, 2, (10_000, n, 1)))
        residue = vectors.mean(axis=1, keepdims=True) * generator.uniform(0, 1, (10_000, 1, 1)) ** 4
        vectors = vectors - vectors.mean(axis=1, keepdims=True) + residue
        epsilon = np.linalg.norm(vectors.sum(axis=1), axis=1) / np.max(np.linalg.norm(vectors, axis=2), axis=1)
        length = np.linalg.norm(_units(vectors).sum(axis=1), axis=1)
        excess = max(excess, float(np.max(length - (n - 2 + 2 * epsilon))))
        cancelled = vectors - vectors.mean(axis=1, keepdims=True)
        exact = max(exact, float(np.max(_scores(cancelled) - (2 * ((n - 2) / n) ** 2 - 1))))
    sharp = {n: _score(np.concatenate([np.ones((n - 1, 1)), [[1.0 - n]]])) for n in (2, 3, 4)}
    return [
        _at_most("T10", "||s|| <= n - 2 + 2 ||sum v||/max ||v||.", "largest excess, 60000 draws", excess),
        _at_most("T10", "Gradients that cancel score at most 2 ((n - 2)/n)^2 - 1.", "largest excess", exact),
        *(
            Claim("T10", "The bound is attained.", "proven", f"A, n = {n}", 2 * ((n - 2) / n) ** 2 - 1, A, IDENTITY)
            for n, A in sharp.items()
        ),
    ]


def T11() -> list[Claim]:
    """Magnitude (type I) and direction (type II) of conflicts."""
    generator = np.random.default_rng(11)
    pairs = _units(generator.standard_normal((20_000, 2, 3)))
    rho = np.exp(generator.uniform(0, 6, 20_000))
    pairs[:, 1] *= rho[:, None]
    score = _scores(pairs)
    descent = np.min(np.einsum("bnd,bd->bn", pairs, pairs.sum(axis=1)), axis=1) > 0
    wrong = int(np.sum(descent != (score > -1 / rho)))
    weights = 10.0 ** generator.uniform(-6, 6, (20_000, 2, 1))
    gordan = 0
    for n, d in [(3, 2), (4, 2), (4, 3)]:
        vectors = generator.standard_normal((2000, n, d)) * np.exp(generator.uniform(-1, 1, (2000, n, 1)))
        nearest = _nearest_hull_points(vectors)
        squared = np.sum(nearest**2, axis=1)
        outside = squared > 1e-16
        # Positive weights on every loss, close enough to those of the nearest point to keep all products positive
        largest = np.max(np.sum(vectors**2, axis=2), axis=1)
        share = squared / (2 * (squared + largest))
        weighted = (1 - share)[:, None] * nearest + share[:, None] * vectors.mean(axis=1)
        least = np.min(np.einsum("bnd,bd->bn", vectors, weighted), axis=1)
        gordan += int(np.sum(least[outside] <= 0))
        trials = generator.standard_normal((200, d))
        gordan += int(np.sum(np.all(np.einsum("bnd,td->btn", vectors[~outside], trials) > 0, axis=2)))
    return [
        _at_most(
            "T11",
            "The score sees directions only: positive loss weights do not change it.",
            "largest change of A",
            _scores(pairs * weights) - score,
        ),
        _count("T11", "The plain sum decreases both losses iff A > -1/rho.", "violations, 20000 pairs", wrong),
        _count(
            "T11",
            "A common descent direction exists iff zero is outside the hull, and then some positive weighting is one.",
            "violations, 6000 draws",
            gordan,
        ),
    ]


def _batched(function: Callable[[Array], Array], vectors: Floats) -> Floats:
    """``function`` of each (n, d) of a batch (B, n, d).

    Zeros at the end of vectors change no score, and neither do more members of a batch: one shape for every d up to
    8 and one for those up to 64 leaves two programs to compile for each n.
    """
    draws, n, d = vectors.shape
    padded = np.zeros((-(-draws // _CHUNK) * _CHUNK, n, 8 if d <= 8 else 64))
    padded[:draws, :, :d] = vectors
    return np.concatenate(
        [np.asarray(function(jnp.asarray(chunk))) for chunk in np.split(padded, len(padded) // _CHUNK)]
    )[:draws]


def _score(vectors: Floats) -> float:
    return float(_scores(vectors[None])[0])


def _scores(vectors: Floats) -> Floats:
    """Scores of a batch (B, n, d), shape (B,)."""
    return _batched(_scores_of, vectors)


def _units(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def _least_cosine(vectors: Floats) -> Floats:
    u = _units(vectors)
    i, j = np.triu_indices(u.shape[1], 1)
    return np.asarray(np.min(np.sum(u[:, i] * u[:, j], axis=2), axis=1))


def _half_angle(pairs: Floats) -> Floats:
    """(1 - c) / (1 + c) of pairs (B, 2, d), without cancellation."""
    u = _units(pairs)
    difference, total = u[:, 0] - u[:, 1], u[:, 0] + u[:, 1]
    return np.asarray(np.sum(difference**2, axis=1) / np.sum(total**2, axis=1))


def _polygon(n: int) -> Floats:
    angles = 2 * np.pi * np.arange(n) / n
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


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
    for size in range(1, min(n, d + 1) + 1):
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


def _standard_errors(sample: Floats, mean: float) -> float:
    return float(abs(np.mean(sample) - mean) / (np.std(sample) / np.sqrt(sample.size)))


def _largest(errors: Floats | float) -> float:
    return float(np.max(np.abs(errors)))


def _at_most(claim: str, statement: str, quantity: str, measured: Floats | float, tolerance: float = IDENTITY) -> Claim:
    """A record of errors, whose largest magnitude (or a number that is one already, or an excess) must vanish."""
    value = float(measured) if np.ndim(measured) == 0 else _largest(measured)
    return Claim(claim, statement, "proven", quantity, 0.0, value, tolerance, "at most")


def _at_least(claim: str, statement: str, quantity: str, measured: float) -> Claim:
    return Claim(claim, statement, "proven", quantity, 0.0, measured, IDENTITY, "at least")


def _count(claim: str, statement: str, quantity: str, violations: int) -> Claim:
    return Claim(claim, statement, "proven", quantity, 0.0, float(violations), 0.0)


def _band(claim: str, statement: str, quantity: str, z: float) -> Claim:
    return Claim(claim, statement, "proven", quantity, STANDARD_ERRORS, z, 0.0, "at most")
