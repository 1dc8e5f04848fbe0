"""Intervals for methods crossed with problems: every method runs on every problem.

The problems are a sample from a population, and all runs on a problem share it. Therefore problems are drawn as blocks.
Where methods are a sample too, one draw of methods applies to all problems (Owen 2007, "The pigeonhole bootstrap", Ann.
Appl. Stat. 1). Nothing is drawn within a block, because the spread between blocks includes that of the seeds. All
numbers are dimensionless and float64.

Six problems are the fewest that allow a 95 % interval without assumptions about the spread: n tosses of a fair coin all
show the same side with probability 2^(1 - n), which is 1/8 at n = 4 and 1/32 at n = 6.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, t

Floats = NDArray[np.float64]

LEAST_PROBLEMS = 6
"""Minimum number of problems for an interval."""

LEAST_METHODS = 5
"""Minimum number of methods on each problem for an interval of a mean correlation."""

LEVEL = 0.95

DRAWS = 10_000
"""Random rankings from which critical values are taken; their level is accurate to 0.002 (one sigma)."""

UNORDERED, POOLED = 2, 5
"""Weights, in problems, of the variance of a random rank and of the mean variance over all methods."""


class RankComparison(NamedTuple):
    """Result of ``compare_ranks``.

    mean, low, high: (..., M). better: (..., M, M) bool, whether the method of the row ranks before that of the column.
    p: (...), p-value of the hypothesis that all orders of the methods are equally likely.
    """

    mean: Floats
    low: Floats
    high: Floats
    better: NDArray[np.bool_]
    p: Floats


class _Critical(NamedTuple):
    """``LEVEL`` quantiles of the largest ratios of error to estimate, for means and differences; sorted spreads."""

    mean: float
    difference: float
    spreads: Floats


def compare_ranks(ranks: Floats) -> RankComparison:
    """Simultaneous 95 % intervals of the expected ranks, the pairs of methods that differ, and Friedman's test.

    ``ranks`` (..., P, M) holds the ranks, 1 to M, of M >= 2 methods on each of P problems. The P rows are independent
    draws. The estimated quantity is the expected rank of every method on a problem of the population, with as many
    seeds. With the mean rank m_i and the variance s_i² (divisor P - 1) over the problems, the intervals are

        m_i ± (c σ_i / √P + 1/(2P)),    σ_i² = (2 v + 5 s² + (P - 1) s_i²) / (P + 6)

    cut at 1 and M. Here v = (M² - 1)/12 is the variance of a rank if all orders are equally likely, s² the mean of the
    s_i², and 1/(2P) half the step of a mean rank. c is the 0.95 quantile of max_i |m_i - (M + 1)/2| √P / σ_i over
    random rankings, so that all M intervals hold simultaneously with probability 0.95 if methods are equal. All
    differences m_i - m_j are treated in the same way, with v = M (M + 1)/6 and their own critical value: a method is
    ``better`` than another if that interval excludes zero.

    The setting is Friedman's (1937, J. Am. Stat. Assoc. 32), with the simultaneous comparison of Nemenyi (1963; Demsar
    2006, J. Mach. Learn. Res. 7). Nemenyi's critical difference uses v alone; it would be too long where methods
    differ, and too short for a method that is first or last. Variances are shrunk as in Smyth (2004, Stat. Appl. Genet.
    Mol. Biol. 3), with the weights 2 and 5 chosen by simulation. Two methods have the exact interval of a binomial
    (Clopper and Pearson 1934).

    In simulations (tests/pipeline/test_intervals.py), all eleven intervals hold simultaneously in 0.94 to 0.98 of draws
    of 6 to 12 problems, with methods equal, in two groups, with heavy-tailed errors, and with one method that a coin
    toss puts first or last. Where the order is nearly the same on all problems, the intervals are wider than necessary
    (0.99 to 1.00). With fewer than ``LEAST_PROBLEMS`` problems, low and high are NaN and no method is better. ``p`` is
    the Monte Carlo p-value of Friedman's test, the fraction of random rankings whose mean ranks spread at least as
    much; it holds for any number of problems.

    >>> found = compare_ranks(np.tile([1.0, 2.0, 3.0], (12, 1)))  # the same order on twelve problems
    >>> found.mean.tolist(), found.low.round(1).tolist(), found.high.round(1).tolist()
    ([1.0, 2.0, 3.0], [1.0, 1.7, 2.7], [1.3, 2.3, 3.0])
    >>> found.better.tolist(), bool(found.p < 0.001)
    ([[False, True, True], [False, False, True], [False, False, False]], True)
    """
    problems, methods = ranks.shape[-2:]
    means, error, error_of_difference = _estimates(ranks)
    critical = _critical(problems, methods)
    beyond = len(critical.spreads) - np.searchsorted(critical.spreads, _spread(means) * (1 - 1e-9))
    p = (1 + beyond) / (1 + len(critical.spreads))
    differences, half_step = means[..., None, :] - means[..., :, None], 1 / (2 * problems)
    if problems < LEAST_PROBLEMS:
        unknown = np.full_like(means, np.nan)
        return RankComparison(means, unknown, unknown, np.zeros(differences.shape, bool), p)
    if methods == 2:
        low, high = _of_two(means, problems)
    else:
        width = critical.mean * error + half_step
        low, high = np.maximum(means - width, 1), np.minimum(means + width, methods)
    better = differences > critical.difference * error_of_difference + half_step
    if methods == 2:  # there is one difference, and the exact interval of the first method decides about it
        better = (high < 1.5)[..., :, None] & np.asarray([[False, True], [True, False]])
    return RankComparison(means, low, high, better, p)


def _estimates(ranks: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean ranks (..., M), their standard errors σ_i/√P (..., M) and those of their differences (..., M, M)."""
    problems, methods = ranks.shape[-2:]
    means = ranks.mean(axis=-2)
    centred = ranks - means[..., None, :]
    covariance = np.swapaxes(centred, -1, -2) @ centred / max(problems - 1, 1)
    own = np.diagonal(covariance, axis1=-2, axis2=-1)
    pooled = own.mean(axis=-1)[..., None]
    unordered = (methods**2 - 1) / 12

    def error(variance: Floats, unordered: float, pooled: Floats) -> Floats:
        total = UNORDERED * unordered + POOLED * pooled + (problems - 1) * variance
        return np.sqrt(total / (UNORDERED + POOLED + problems - 1) / problems)

    # The ranks of a problem have a fixed sum, so a difference has on average this multiple of the variance of a rank
    factor = 2 * methods / (methods - 1)
    pairs = own[..., :, None] + own[..., None, :] - 2 * covariance
    return means, error(own, unordered, pooled), error(pairs, factor * unordered, factor * pooled[..., None])


def _spread(means: Floats) -> Floats:
    """The sum of squares of the mean ranks about (M + 1)/2; Friedman's statistic is 12 P / (M (M + 1)) times this."""
    return ((means - (means.shape[-1] + 1) / 2) ** 2).sum(axis=-1)


@lru_cache
def _critical(problems: int, methods: int) -> _Critical:
    """Critical values from ``DRAWS`` random rankings."""
    random = np.random.default_rng(0)
    in_order = np.tile(np.arange(1.0, methods + 1), (DRAWS * problems, 1))
    ranks = random.permuted(in_order, axis=1).reshape(DRAWS, problems, methods)
    means, error, of_difference = _estimates(ranks)
    differences = np.abs(means[:, None, :] - means[:, :, None])
    largest = np.max(np.abs(means - (methods + 1) / 2) / error, axis=1)
    farthest = np.max(differences / np.where(of_difference > 0, of_difference, 1), axis=(1, 2))
    # Rounding must not exclude the critical value itself from the interval
    levels = [float(np.quantile(values, LEVEL, method="higher")) * (1 + 1e-9) for values in (largest, farthest)]
    return _Critical(levels[0], levels[1], np.sort(_spread(means)))


def _of_two(means: Floats, problems: int) -> tuple[Floats, Floats]:
    """Exact intervals of the mean ranks of two methods; a tie counts as half a loss, rounded to the wider interval."""

    def ends(lost: float) -> tuple[float, float]:
        fewest, most = (binomtest(int(k), problems).proportion_ci(LEVEL) for k in (np.floor(lost), np.ceil(lost)))
        return 1 + fewest.low, 1 + most.high

    low, high = np.vectorize(ends, otypes=[float, float])(np.round(2 * problems * (means - 1)) / 2)
    return low, high


def mean_correlation(scores: Floats, errors: Floats) -> tuple[Floats, Floats, Floats]:
    """The mean over problems of Spearman's correlation, and the ends of its 95 % interval; each (...).

    ``scores`` and ``errors`` (..., P, M) belong to M methods on P problems, NaN where a method has none. The estimated
    quantity is the expected correlation of score and error over M methods, for problems and methods of the populations
    that these sample. A method is the same on all problems, and a problem the same for all methods, so neither 10 x 11
    runs nor 11 methods are independent evidence. The crossed jackknife leaves out one method on all problems, then one
    problem for all methods. With r the mean over problems of r_p, r_(i) that without method i, r_(i)p the same on
    problem p alone, and mean_i the mean over i,

        V = max(V_M + V_P - V_MP, V_M, V_P),       V_P = Σ_p (r_p - r)² / (P (P - 1)),
        V_M = (M - 1)/M Σ_i (r_(i) - mean_i)²,     V_MP = Σ_p (M - 1)/M Σ_i (r_(i)p - mean_i)² / P²,

    as for errors clustered in two ways (Cameron, Gelbach and Miller 2011, J. Bus. Econ. Stat. 29). The interval is
    tanh(z ± t √V / (1 - r²)) with z = artanh(r) (Fisher 1921) and the 0.975 quantile t of Student's distribution with
    min(P, M) - 1 degrees of freedom, where M is that of the problem with the fewest methods. Two bounds keep it from
    shrinking to a point: |r| is at most 1 - 6/(P M (M² - 1)), half of its step below 1, and the standard error of z is
    at least 1/√(P (M - 3)), that of P independent normal samples.

    In simulations (tests/pipeline/test_intervals.py), the interval holds the expected correlation in 0.95 to 0.97 of
    draws of 10 problems and 11 methods that keep their own scores and errors on all problems. It is wider than
    necessary if all runs are independent (0.99), or if the sign of the correlation changes between problems (0.98).
    With 6 problems or 5 methods the fraction is 0.96 to 1.00. The ends are NaN with fewer than ``LEAST_PROBLEMS``
    problems, or fewer than ``LEAST_METHODS`` methods on one of them. Problems without a correlation (all scores or all
    errors equal) are left out.

    >>> opposite = np.tile(np.arange(11.0), (10, 1))
    >>> [round(float(value), 3) for value in mean_correlation(opposite, -opposite)]
    [-1.0, -1.0, -0.999]
    """
    present = np.isfinite(scores) & np.isfinite(errors)
    correlations = spearman(scores, errors)
    known = np.isfinite(correlations)
    problems = known.sum(axis=-1)
    present &= known[..., None]
    runs = present.sum(axis=-1)
    methods = np.where(known, runs, np.inf).min(axis=-1, initial=np.inf)
    mean = _mean(correlations, -1)

    # (..., M left out, P): spearman without one method; nothing changes where the method is missing
    left_in = np.where(np.eye(scores.shape[-1], dtype=bool)[:, None, :], np.nan, 0.0)
    without = spearman(scores[..., None, :, :] + left_in, errors[..., None, :, :] + left_in)
    without = np.where(np.isfinite(without), without, correlations[..., None, :])
    some = np.swapaxes(present, -1, -2)  # (..., M, P)
    of_methods = _jackknife(_mean(without, -1), np.any(some, axis=-1, keepdims=False), -1)
    of_both = np.sum(_jackknife(without, some, -2), axis=-1, where=known)
    with np.errstate(invalid="ignore", divide="ignore"):
        of_both = of_both / problems**2
        of_problems = np.nansum((correlations - mean[..., None]) ** 2, axis=-1) / (problems * (problems - 1))
        variance = np.maximum(of_methods + of_problems - of_both, np.maximum(of_methods, of_problems))
        largest = 1 - 6 / (problems * methods * (methods**2 - 1))
        inside = np.clip(mean, -largest, largest)
        error = np.maximum(np.sqrt(variance) / (1 - inside**2), 1 / np.sqrt(problems * (methods - 3)))
        width = t.ppf((1 + LEVEL) / 2, np.minimum(problems, methods) - 1) * error
        enough = (problems >= LEAST_PROBLEMS) & (methods >= LEAST_METHODS) & np.isfinite(methods)
        low, high = (np.tanh(np.arctanh(inside) + side * width) for side in (-1, 1))
    nothing = np.full(mean.shape, np.nan)
    low, high = np.minimum(low, mean), np.maximum(high, mean)  # the mean may lie beyond the clipped one
    return mean, np.where(enough, low, nothing), np.where(enough, high, nothing)


def spearman(first: Floats, second: Floats) -> Floats:
    """Rank correlation along the last axis over the entries where both are numbers; NaN if either is constant.

    >>> spearman(np.asarray([1.0, 2.0, np.nan, 3.0]), np.asarray([5.0, 4.0, 0.0, 1.0])).tolist()
    -1.0
    """
    both = np.isfinite(first) & np.isfinite(second)
    one, other = (_centred_ranks(np.where(both, values, np.nan)) for values in (first, second))
    squares = (one**2).sum(axis=-1) * (other**2).sum(axis=-1)
    return np.divide((one * other).sum(axis=-1), np.sqrt(squares), out=np.full_like(squares, np.nan), where=squares > 0)


def _centred_ranks(values: Floats) -> Floats:
    """Ranks minus their mean, with ties sharing theirs; 0 where a value is NaN.

    Each is half the number of smaller values minus half the number of larger ones; no comparison with NaN is true.
    """
    below, above = (values[..., :, None] > values[..., None, :]), (values[..., :, None] < values[..., None, :])
    return (below.sum(axis=-1) - above.sum(axis=-1)) / 2.0


def _mean(values: Floats, axis: int) -> Floats:
    """The mean over the entries that are numbers; NaN where there are none."""
    known = np.isfinite(values)
    total, count = np.where(known, values, 0.0).sum(axis=axis), known.sum(axis=axis)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def _jackknife(without: Floats, counted: NDArray[np.bool_], axis: int) -> Floats:
    """The jackknife variance (n - 1)/n Σ (x_(i) - mean)² over the n counted entries of an axis."""
    kept = np.where(counted, without, np.nan)
    centred = kept - np.expand_dims(_mean(kept, axis), axis)
    count = np.maximum(counted.sum(axis=axis), 1)
    return np.sum(centred**2, axis=axis, where=counted) * (count - 1) / count
