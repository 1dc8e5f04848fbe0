"""Intervals for methods that are crossed with problems: every method is run on every problem.

The problems are a sample from a population, and what is run on one problem has that problem in common. So problems are
drawn as blocks, and where methods are a sample too, one draw of methods goes through all problems (Owen 2007, "The
pigeonhole bootstrap", Ann. Appl. Stat. 1). Nothing is drawn within a block: the spread between blocks has in it that of
the seeds. All numbers are dimensionless and float64.

Six problems are the fewest that allow an interval of 95 % without assumptions on the spread: of a fair coin that is
thrown n times, all have the same side with probability 2^(1 - n), which is 1/8 at n = 4 and 1/32 at n = 6.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, t

Floats = NDArray[np.float64]

LEAST_PROBLEMS = 6
"""Problems below which there is no interval."""

LEAST_METHODS = 5
"""Methods on a problem below which there is no interval of a mean correlation."""

LEVEL = 0.95

DRAWS = 10_000
"""Draws of ranks without an order, from which critical values are taken: their level is off by 0.002 (one sigma)."""

UNORDERED, POOLED = 2, 5
"""Problems that the variance of a rank without an order, and the mean of the variances of all methods, count for."""


class RankComparison(NamedTuple):
    """What mean ranks tell; see ``compare_ranks``.

    mean, low, high: (..., M). better: (..., M, M) bool, whether the method of the row is before that of the column.
    p: (...), of the hypothesis that no order of the methods is more likely than another.
    """

    mean: Floats
    low: Floats
    high: Floats
    better: NDArray[np.bool_]
    p: Floats


class _Critical(NamedTuple):
    """Largest ratios of an error to its estimate at ``LEVEL``, of a mean and of a difference; sorted spreads."""

    mean: float
    difference: float
    spreads: Floats


def compare_ranks(ranks: Floats) -> RankComparison:
    """Simultaneous 95 % intervals of the expected ranks, the pairs of methods that differ, and Friedman's test.

    ``ranks`` (..., P, M) are those of M >= 2 methods on P problems, 1 to M on each. What is estimated is the expected
    rank of every method on a problem of the population, with as many seeds; the P rows are independent draws. With
    the mean rank m_i and the variance s_i² over problems, both over P, the intervals are

        m_i ± (c σ_i / √P + 1/(2P)),    σ_i² = (2 v + 5 s² + (P - 1) s_i²) / (P + 6)

    cut at 1 and M, where v = (M² - 1)/12 is the variance of a rank if all orders are as likely, s² the mean of the
    s_i², and 1/(2P) half of the step of a mean rank. c is the 0.95 quantile of max_i |m_i - (M + 1)/2| √P / σ_i over
    draws of ranks without an order, so that all M intervals hold together with probability 0.95 where methods are
    equal. The same goes for all differences m_i - m_j, with v = M (M + 1)/6 and a critical value of its own: a method
    is ``better`` than another where that interval excludes zero. This is Friedman's situation (1937, J. Am. Stat.
    Assoc. 32) with the simultaneous comparison of Nemenyi (1963; Demsar 2006, J. Mach. Learn. Res. 7), whose critical
    difference has v alone: it would be too long where methods differ, and too short for a method that is first or
    last. Shrunken variances as in Smyth (2004, Stat. Appl. Genet. Mol. Biol. 3); the weights 2 and 5 were chosen by
    simulation. Two methods have the exact interval of a binomial (Clopper and Pearson 1934).

    By simulation (tests/pipeline/test_intervals.py) all eleven intervals hold together in 0.94 to 0.98 of draws of 6 to
    12 problems, with methods equal, in two groups, with errors of heavy tails, and with one method that is first or
    last by a coin; in 0.99 to 1.00, and are wider than they need be, where the order is nearly the same on all
    problems. With fewer than ``LEAST_PROBLEMS`` low and high are NaN and nothing is better. ``p`` is that of Friedman's
    test by Monte Carlo, the share of draws without an order whose mean ranks spread as much; it needs no number of
    problems.

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
    """Mean ranks (..., M), their errors σ_i/√P (..., M) and those of their differences (..., M, M)."""
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

    # Ranks of a problem have one sum: over pairs, differences have on average this times the variance of a rank
    factor = 2 * methods / (methods - 1)
    pairs = own[..., :, None] + own[..., None, :] - 2 * covariance
    return means, error(own, unordered, pooled), error(pairs, factor * unordered, factor * pooled[..., None])


def _spread(means: Floats) -> Floats:
    """The sum of squares of the mean ranks about (M + 1)/2; Friedman's statistic is 12 P / (M (M + 1)) times this."""
    return ((means - (means.shape[-1] + 1) / 2) ** 2).sum(axis=-1)


@lru_cache
def _critical(problems: int, methods: int) -> _Critical:
    """Critical values from ``DRAWS`` draws of ranks without an order."""
    random = np.random.default_rng(0)
    in_order = np.tile(np.arange(1.0, methods + 1), (DRAWS * problems, 1))
    ranks = random.permuted(in_order, axis=1).reshape(DRAWS, problems, methods)
    means, error, of_difference = _estimates(ranks)
    differences = np.abs(means[:, None, :] - means[:, :, None])
    largest = np.max(np.abs(means - (methods + 1) / 2) / error, axis=1)
    farthest = np.max(differences / np.where(of_difference > 0, of_difference, 1), axis=(1, 2))
    # A value that is reached belongs to the interval, whatever its rounding
    levels = [float(np.quantile(values, LEVEL, method="higher")) * (1 + 1e-9) for values in (largest, farthest)]
    return _Critical(levels[0], levels[1], np.sort(_spread(means)))


def _of_two(means: Floats, problems: int) -> tuple[Floats, Floats]:
    """Exact intervals of the mean ranks of two methods; equal errors, half a loss each, count to the worse side."""

    def ends(lost: float) -> tuple[float, float]:
        fewest, most = (binomtest(int(k), problems).proportion_ci(LEVEL) for k in (np.floor(lost), np.ceil(lost)))
        return 1 + fewest.low, 1 + most.high

    low, high = np.vectorize(ends, otypes=[float, float])(np.round(2 * problems * (means - 1)) / 2)
    return low, high


def mean_correlation(scores: Floats, errors: Floats) -> tuple[Floats, Floats, Floats]:
    """The mean of Spearman's correlation over problems, and the ends of its 95 % interval; each (...).

    ``scores`` and ``errors`` (..., P, M) are those of M methods on P problems, NaN where a method has none. What is
    estimated is the expected correlation of score and error over M methods, on a problem of the population and for
    methods of a population, of which these are samples. A method is the same on all problems, and a problem the same
    for all methods, so that neither 10 x 11 runs nor 11 methods are independent evidence. The crossed jackknife leaves
    out one method on all problems, then one problem for all methods. With r the mean over problems of r_p, r_(i) that
    without method i, and r_(i)p the same on problem p alone,

        V = max(V_M + V_P - V_MP, V_M, V_P),       V_P = Σ_p (r_p - r)² / (P (P - 1)),
        V_M = (M - 1)/M Σ_i (r_(i) - mean_i)²,     V_MP = Σ_p (M - 1)/M Σ_i (r_(i)p - mean_i)² / P²,

    as for errors that are clustered in two ways (Cameron, Gelbach and Miller 2011, J. Bus. Econ. Stat. 29). The
    interval is tanh(z ± t √V / (1 - r²)) with z = artanh(r) (Fisher 1921) and the 0.975 quantile t of Student's law
    with min(P, M) - 1 degrees of freedom, M being that of the problem with the fewest methods. Two bounds keep it from
    shrinking to a point: |r| is taken as half of its step below 1 at most, 1 - 6/(P M (M² - 1)), and the error of z as
    1/√(P (M - 3)) at least, that of P independent normal samples.

    By simulation (tests/pipeline/test_intervals.py) it holds the expected correlation in 0.95 to 0.97 of draws of 10
    problems and 11 methods where methods have scores and errors of their own, which they keep on all problems; it is
    wider than need be where all runs are independent (0.99), or the sign of the correlation changes between problems
    (0.98). With 6 problems or 5 methods it holds it in 0.96 to 1.00. NaN with fewer than ``LEAST_PROBLEMS`` problems or
    ``LEAST_METHODS`` methods on one of them. Problems without a correlation (all scores or all errors equal) are left
    out.

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
    low, high = np.minimum(low, mean), np.maximum(high, mean)  # a mean nearer to one than the largest inside
    return mean, np.where(enough, low, nothing), np.where(enough, high, nothing)


def spearman(first: Floats, second: Floats) -> Floats:
    """The correlation of the ranks along the last axis, over the entries where both are numbers; NaN where one of
    both is constant.

    >>> spearman(np.asarray([1.0, 2.0, np.nan, 3.0]), np.asarray([5.0, 4.0, 0.0, 1.0])).tolist()
    -1.0
    """
    both = np.isfinite(first) & np.isfinite(second)
    one, other = (_centred_ranks(np.where(both, values, np.nan)) for values in (first, second))
    squares = (one**2).sum(axis=-1) * (other**2).sum(axis=-1)
    return np.divide((one * other).sum(axis=-1), np.sqrt(squares), out=np.full_like(squares, np.nan), where=squares > 0)


def _centred_ranks(values: Floats) -> Floats:
    """Ranks minus their mean, equal values sharing theirs; 0 where a value is NaN.

    As many values as are below it, less those above it, over two: no comparison with NaN is true.
    """
    below, above = (values[..., :, None] > values[..., None, :]), (values[..., :, None] < values[..., None, :])
    return (below.sum(axis=-1) - above.sum(axis=-1)) / 2.0


def _mean(values: Floats, axis: int) -> Floats:
    """The mean over what is a number, NaN where nothing is."""
    known = np.isfinite(values)
    total, count = np.where(known, values, 0.0).sum(axis=axis), known.sum(axis=axis)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def _jackknife(without: Floats, counted: NDArray[np.bool_], axis: int) -> Floats:
    """The jackknife variance (n - 1)/n Σ (x_(i) - mean)² over the n of an axis that count."""
    kept = np.where(counted, without, np.nan)
    centred = kept - np.expand_dims(_mean(kept, axis), axis)
    count = np.maximum(counted.sum(axis=axis), 1)
    return np.sum(centred**2, axis=axis, where=counted) * (count - 1) / count
