"""Claim T4: the score of independent random directions, the null hypothesis for every measured score."""

from functools import cache

import numpy as np
from scipy import stats

from gradalign.claims._batches import Floats, scores
from gradalign.claims._checks import Measured, Tolerance, at_least, at_most, equals, in_band, vanishes
from gradalign.claims._records import Curve, Numbers
from gradalign.diagnostics.alignment import null_deviation, null_value

COUNTING = Tolerance(1e-12, "the bound on the tail is far from what is measured; rounding of one count")
VARIANCE = Tolerance(0.03, "relative; four standard errors sqrt(2 / 40000) of a sample variance")
DRAWS = 40_000
FIGURE_DRAWS = 10_000
LAWS = ((2, 3), (2, 10), (2, 50), (3, 20), (5, 20), (8, 30))  # n and d of the histograms


def curves() -> list[Curve]:
    """Histograms of the score, as densities, and its variance against the effective dimension."""
    found = []
    for n, d in LAWS:
        density, edges = np.histogram(_isotropic([4, n, d], DRAWS, n, d), bins=40, density=True)
        found.append(Curve("T4", "density of the score", f"n = {n}, d = {d}", (edges[:-1] + edges[1:]) / 2, density))
    for n in (2, 3, 5):
        isotropic = [(d, _isotropic([4, 20, n, d], FIGURE_DRAWS, n, d)) for d in (2, 4, 8, 16, 32, 64)]
        drawn = [_signed_axes([4, 30, n, k], FIGURE_DRAWS, n, 64, k / 10) for k in range(1, 10)]
        for series, pairs in (("isotropic", isotropic), ("anisotropic", drawn)):
            variances = [float(np.var(sample)) for _, sample in pairs]
            dimensions = [float(dimension) for dimension, _ in pairs]
            found.append(Curve("T4", "variance of the score", f"n = {n}, {series}", dimensions, variances))
    return found


NULL_LAWS = ((2, 3), (3, 5), (4, 10), (5, 20), (8, 30))
"""n and d of the records."""


@cache
def null_samples() -> list[Floats]:
    """Scores of ``DRAWS`` draws of n isotropic directions in d dimensions, by ``NULL_LAWS``."""
    return [_isotropic([4, seed], DRAWS, n, d) for seed, (n, d) in enumerate(NULL_LAWS)]


@in_band(
    "T4",
    "Independent isotropic directions score 2/n - 1 on average.",
    "largest |z|, five (n, d)",
    [null_value(n) for n, _ in NULL_LAWS],
    draws=DRAWS,
)
def mean_score() -> Numbers:
    return null_samples()


@vanishes(
    "T4",
    "Their variance is 8 (n - 1)/(n^3 d).",
    "largest relative error of the variance",
    VARIANCE,
    draws=len(NULL_LAWS),
)
def variance_of_the_score() -> Measured:
    samples = null_samples()
    errors = [np.var(A) / null_deviation(n, d) ** 2 - 1 for (n, d), A in zip(NULL_LAWS, samples, strict=True)]
    return Measured(errors, of=samples)


@equals(
    "T4",
    "For anisotropic directions the effective dimension 1/tr(Sigma^2) replaces d.",
    "variance times n^3 d_eff/(8 (n - 1)), d = 60, d_eff = 4.05",
    1.0,
    VARIANCE,
)
def effective_dimension() -> Measured:
    effective, anisotropic = _signed_axes([4, 10], DRAWS, 3, 60, 0.604)
    return Measured(np.var(anisotropic) / null_deviation(3, effective) ** 2, of=anisotropic)


@in_band(
    "T4",
    "A common mean mu raises the mean score by 2 (n - 1)/n ||mu||^2.",
    "|z|",
    null_value(3) + 2 * 2 / 3 * 0.3**2,
    draws=DRAWS,
)
def common_mean() -> Numbers:
    # A fixed direction with probability 0.3, else isotropic: the mean has length 0.3
    generator = np.random.default_rng([4, 11])
    isotropic = generator.standard_normal((DRAWS, 3, 5))
    return scores(np.where(generator.random((DRAWS, 3, 1)) < 0.3, np.eye(5)[0], isotropic))


@at_least(
    "T4",
    "For two losses (1 + A)/2 follows the Beta((d - 1)/2, (d - 1)/2) law.",
    "p-value of the Kolmogorov-Smirnov test, d = 3",
    1e-3,
    0.0,
)
def law_of_two_losses() -> Measured:
    A, (_, d) = null_samples()[0], NULL_LAWS[0]
    return Measured(stats.kstest((1 + A) / 2, stats.beta((d - 1) / 2, (d - 1) / 2).cdf).pvalue, of=A)


@at_most(
    "T4",
    "Deviations t are rarer than 2 exp(-(d - 2) n t^2/8).",
    "largest excess over the bound",
    0.0,
    COUNTING,
    draws=len(NULL_LAWS),
)
def tail_of_the_score() -> Measured:
    excess = []
    for (n, d), A in zip(NULL_LAWS, null_samples(), strict=True):
        t = 3 * null_deviation(n, d)
        excess.append(np.mean(np.abs(A - null_value(n)) >= t) - 2 * np.exp(-(d - 2) * n * t**2 / 8))
    return Measured(excess, of=null_samples())


def _isotropic(seed: list[int], draws: int, n: int, d: int) -> Floats:
    return scores(np.random.default_rng(seed).standard_normal((draws, n, d)))


def _signed_axes(seed: list[int], draws: int, n: int, d: int, decay: float) -> tuple[float, Floats]:
    """Effective dimension, and scores of coordinate axes with random signs.

    Axis k has a probability p_k proportional to decay^k: the mean is zero, the second moment exactly diag(p).
    """
    generator = np.random.default_rng(seed)
    p = decay ** np.arange(float(d))
    p /= p.sum()
    axes = np.eye(d)[generator.choice(d, (draws, n), p=p)] * generator.choice([-1.0, 1.0], (draws, n, 1))
    return 1 / float(np.sum(p**2)), scores(axes)
