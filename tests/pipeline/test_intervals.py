"""Intervals of mean ranks and of mean correlations: what they cover by simulation, and exact cases."""

import numpy as np
import pytest
from scipy.stats import binom, binomtest, friedmanchisquare, rankdata, spearmanr
from scipy.stats import t as student

from gradalign.pipeline import intervals
from gradalign.pipeline.intervals import compare_ranks, mean_correlation, spearman

DRAWS = 2000
TOLERANCE = 4 * (0.95 * 0.05 / DRAWS) ** 0.5
"""Four standard errors of a share of 0.95 in ``DRAWS`` independent draws: 0.0195."""


def ranks_of_problems(kind, methods, count, random):
    """Ranks (count, M) by the median over three seeds, on problems of one population."""
    place, noise = np.zeros(methods), random.normal(size=(count, methods))
    if kind in ("two groups", "heavy tails"):
        place[: methods // 2] = -1.5
    if kind == "in order":
        place = 0.6 * np.arange(methods)
    if kind == "heavy tails":
        noise = random.standard_t(2, size=(count, methods))
    if kind == "one by a coin":
        noise[:, 0] = random.choice([-6.0, 6.0], size=count)
    if kind == "unequal spread":
        place, noise = 0.3 * np.arange(methods), noise * np.linspace(0.2, 3, methods)
    seeds = random.normal(scale=0.5, size=(count, methods, 3))
    return rankdata(np.median((place + noise)[..., None] + seeds, axis=-1), axis=1)


# (low, high): what the shares may be, from runs with 4000 draws; wider than nominal where the ranks spread less than
# those without an order, which an interval from few problems cannot know
POPULATIONS = {
    "equal": (0.94, 0.97),
    "two groups": (0.95, 0.99),
    "in order": (0.98, 1.0),
    "heavy tails": (0.95, 0.99),
    "one by a coin": (0.93, 0.98),
    "unequal spread": (0.94, 0.98),
}


@pytest.mark.parametrize("problems", [6, 10])
@pytest.mark.parametrize("kind", POPULATIONS)
def test_all_intervals_of_ranks_hold_together(kind, problems):
    methods, random = 11, np.random.default_rng([problems, len(kind)])
    population = ranks_of_problems(kind, methods, 100_000, random)
    expected = population.mean(axis=0) if kind != "equal" else np.full(methods, (methods + 1) / 2)
    found = compare_ranks(population[random.integers(len(population), size=(DRAWS, problems))])
    covered = ((found.low <= expected) & (expected <= found.high)).all(axis=1).mean()
    least, most = POPULATIONS[kind]
    assert least - TOLERANCE / 2 <= covered <= most + TOLERANCE / 2
    # An order is claimed only where it holds: (row, column) is wrong where the row's expected rank is not the lower
    wrong = (found.better & (expected[:, None] >= expected[None, :] - 0.02)).any(axis=(1, 2)).mean()
    assert wrong <= 0.05 + TOLERANCE
    if kind == "in order":  # the intervals are not safe by being long: Nemenyi's reach 2.7 ranks to each side
        assert found.better[:, 0, -1].mean() > 0.99
        if problems == 10:
            assert np.mean(found.high - found.low) < 2 * 1.9


def test_equal_methods_have_the_nominal_level_and_no_other():
    methods, random = 11, np.random.default_rng(1)
    ranks = random.permuted(np.tile(np.arange(1.0, methods + 1), (4 * DRAWS * 10, 1)), axis=1)
    found = compare_ranks(ranks.reshape(-1, 10, methods))
    middle = (methods + 1) / 2
    covered = ((found.low <= middle) & (middle <= found.high)).all(axis=1).mean()
    assert 0.95 - TOLERANCE / 2 <= covered <= 0.97 + TOLERANCE / 2  # half of a step of the mean rank is added
    assert 0.03 - TOLERANCE / 2 <= found.better.any(axis=(1, 2)).mean() <= 0.05 + TOLERANCE / 2
    assert np.mean(found.p <= 0.05) == pytest.approx(0.05, abs=TOLERANCE / 2)


def test_each_interval_alone_would_not_do():
    """The level is that of all methods together: one of them alone is held far more often."""
    random = np.random.default_rng(2)
    ranks = random.permuted(np.tile(np.arange(1.0, 12), (DRAWS * 10, 1)), axis=1).reshape(-1, 10, 11)
    found = compare_ranks(ranks)
    assert np.mean((found.low <= 6) & (found.high >= 6)) > 0.99


@pytest.mark.parametrize("problems", [3, 4, 5])
def test_with_few_problems_there_is_no_interval_and_no_order(problems):
    found = compare_ranks(np.tile(np.arange(1.0, 12), (problems, 1)))
    assert np.isnan(found.low).all()
    assert np.isnan(found.high).all()
    assert not found.better.any()
    assert found.p < 0.001  # but the order is none of chance
    assert found.mean.tolist() == list(range(1, 12))


def test_why_it_takes_six_problems():
    """A fair coin that is thrown n times shows one side only in more than 5 % of trials until n is 6."""
    one_side = {n: 2 * binom.pmf(n, n, 0.5) for n in (4, 5, 6)}
    assert one_side[4] == 0.125
    assert one_side[5] > 0.05 > one_side[6]


@pytest.mark.parametrize("wins", [0, 3, 5, 9, 10])
def test_two_methods_have_the_exact_interval_of_a_binomial(wins):
    ranks = np.asarray([[1.0, 2.0]] * wins + [[2.0, 1.0]] * (10 - wins))
    found, exact = compare_ranks(ranks), binomtest(10 - wins, 10).proportion_ci()
    assert [found.low[0], found.high[0]] == pytest.approx([1 + exact.low, 1 + exact.high], abs=1e-12)
    assert [found.low[1], found.high[1]] == pytest.approx([2 - exact.high, 2 - exact.low], abs=1e-12)
    assert found.better.tolist() == [[False, wins > 8], [wins < 2, False]]


def test_equal_errors_of_two_methods_count_to_the_worse_side():
    found = compare_ranks(np.asarray([[1.5, 1.5]] + [[1.0, 2.0]] * 9))
    assert found.low[0] == 1
    assert found.high[0] == pytest.approx(1 + binomtest(1, 10).proportion_ci().high)


def test_where_all_errors_are_equal_nothing_is_known():
    found = compare_ranks(np.full((8, 3), 2.0))
    assert found.mean.tolist() == [2.0] * 3
    assert (found.high - found.low > 0.5).all()
    assert not found.better.any()
    assert found.p == 1


def test_p_is_that_of_friedmans_test():
    random = np.random.default_rng(3)
    errors = random.normal(size=(30, 6)) + 0.15 * np.arange(6)
    found = compare_ranks(rankdata(errors, axis=1))
    assert found.p == pytest.approx(friedmanchisquare(*errors.T).pvalue, abs=0.01)  # its law is chi squared for many
    assert 0.001 < found.p < 0.5


def scores_and_errors(kind, problems, methods, count, random):
    """Scores and errors (count, P, M): a part that a method has on all problems, and a part of the single run."""
    share, of_methods, of_runs = {
        "runs independent": (0.0, 0.0, 0.0),
        "methods unrelated": (0.8, 0.0, 0.0),
        "methods alone": (0.97, 0.0, 0.0),
        "methods related": (0.8, -0.6, 0.0),
        "another sign by problem": (0.0, 0.0, 0.9),
        "strong": (0.9, 0.95, 0.9),
    }[kind]
    shape = (count, problems, methods)
    sign = random.choice([-1, 1], size=(count, problems, 1)) if kind == "another sign by problem" else 1
    one, other = random.normal(size=(2, count, 1, methods))
    alone, beside = random.normal(size=(2, *shape))
    score = share**0.5 * one + (1 - share) ** 0.5 * alone
    other = of_methods * one + (1 - of_methods**2) ** 0.5 * other
    beside = sign * of_runs * alone + (1 - of_runs**2) ** 0.5 * beside
    return score, share**0.5 * other + (1 - share) ** 0.5 * beside


CORRELATIONS = {
    "runs independent": (0.97, 1.0),
    "methods unrelated": (0.94, 0.98),
    "methods alone": (0.94, 0.98),
    "methods related": (0.94, 0.98),
    "another sign by problem": (0.94, 0.99),
    "strong": (0.94, 0.98),
}


@pytest.mark.parametrize("problems", [6, 10])
@pytest.mark.parametrize("kind", CORRELATIONS)
def test_the_interval_of_a_mean_correlation_holds_it(kind, problems):
    methods, random = 11, np.random.default_rng([problems, len(kind)])
    expected = 0.0
    if kind in ("methods related", "strong"):
        expected = spearman(*scores_and_errors(kind, 1, methods, 40_000, random)).mean()
    covered, widths = [], []
    for _ in range(4):  # in parts, for the memory
        _, low, high = mean_correlation(*scores_and_errors(kind, problems, methods, DRAWS // 4, random))
        covered.append(np.mean((low <= expected) & (expected <= high)))
        widths.append(np.mean(high - low))
    least, most = CORRELATIONS[kind]
    assert least - TOLERANCE / 2 <= np.mean(covered) <= min(1, most + TOLERANCE / 2 + (10 - problems) * 0.003)
    if kind == "runs independent" and problems == 10:  # 110 runs tell more than 11 methods
        assert np.mean(widths) < 0.65
    if kind == "methods alone":
        assert np.mean(widths) > 1.1


def test_spearmans_correlation_is_that_of_scipy():
    random = np.random.default_rng(4)
    one, other = random.integers(4, size=(2, 5, 9)).astype(float)  # many are equal
    for found, first, second in zip(spearman(one, other), one, other, strict=True):
        assert found == pytest.approx(spearmanr(first, second).statistic, abs=1e-12)


def test_missing_runs_are_left_out():
    random = np.random.default_rng(5)
    scores, errors = random.normal(size=(2, 8, 7))
    scores[2, 3] = errors[5, 0] = np.nan
    mean, low, high = mean_correlation(scores, errors)
    keep = np.isfinite(scores) & np.isfinite(errors)
    rows = zip(scores, errors, keep, strict=True)
    assert mean == pytest.approx(np.mean([spearmanr(s[k], e[k]).statistic for s, e, k in rows]), abs=1e-12)
    assert low < mean < high
    more = [np.vstack([values, np.ones(7)]) for values in (scores, errors)]  # a problem where all scores are equal
    assert mean_correlation(*more) == (mean, low, high)


@pytest.mark.parametrize(("problems", "methods"), [(5, 11), (10, 4), (1, 1)])
def test_too_little_for_an_interval_of_a_correlation(problems, methods):
    scores, errors = np.random.default_rng(6).normal(size=(2, problems, methods))
    mean, low, high = mean_correlation(scores, errors)
    assert np.isfinite(mean) == (methods > 1)
    assert np.isnan([low, high]).all()


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_perfect_correlation_is_no_certainty(sign):
    scores = np.tile(np.arange(6.0), (6, 1))
    mean, low, high = mean_correlation(scores, sign * scores)
    inner, outer = (low, high) if sign > 0 else (-high, -low)
    assert sign * mean == outer == 1
    assert 0.8 < inner < 0.999


def test_the_errors_of_mean_ranks_are_those_of_the_formula():
    random = np.random.default_rng(3)
    problems, methods = 7, 4
    ranks = np.argsort(random.random((problems, methods)), axis=1) + 1.0
    means, error, of_difference = intervals._estimates(ranks)

    def expected(variance, unordered, pooled):
        return np.sqrt((2 * unordered + 5 * pooled + (problems - 1) * variance) / (problems + 6) / problems)

    own = [np.var(ranks[:, i], ddof=1) for i in range(methods)]
    np.testing.assert_allclose(means, [ranks[:, i].mean() for i in range(methods)], rtol=1e-14)
    v = (methods**2 - 1) / 12
    np.testing.assert_allclose(error, [expected(one, v, np.mean(own)) for one in own], rtol=1e-12)
    v, pooled = methods * (methods + 1) / 6, 2 * methods / (methods - 1) * np.mean(own)
    for i in range(methods):
        for j in range(methods):
            variance = np.var(ranks[:, i] - ranks[:, j], ddof=1)
            assert of_difference[i, j] == pytest.approx(expected(variance, v, pooled), rel=1e-12)


@pytest.mark.parametrize(("order", "turns"), [(0.0, 1.0), (1.0, 1.0), (3.0, 1.0), (50.0, 0.0)])
def test_the_interval_of_a_mean_correlation_is_that_of_the_formula(order, turns):
    random = np.random.default_rng(4)
    P, M = 8, 6
    scores = random.normal(size=(P, M)) + order * np.arange(M)
    # Methods keep their errors, and their order turns between problems: all three variances count. Where it never
    # turns, the bound of the error does
    slopes = order * (1 - turns + turns * random.normal(size=(P, 1)))
    errors = random.normal(size=(P, M)) + turns * order * random.normal(size=M) + slopes * np.arange(M)

    def of(kept):
        return np.asarray([spearmanr(scores[p, kept], errors[p, kept]).statistic for p in range(P)])

    r_p = of(list(range(M)))
    without = np.asarray([of([k for k in range(M) if k != i]) for i in range(M)])
    V_P = np.sum((r_p - r_p.mean()) ** 2) / (P * (P - 1))
    V_M = (M - 1) / M * np.sum((without.mean(axis=1) - without.mean()) ** 2)
    V_MP = np.sum((M - 1) / M * np.sum((without - without.mean(axis=0)) ** 2, axis=0)) / P**2
    largest = 1 - 6 / (P * M * (M**2 - 1))
    r = np.clip(r_p.mean(), -largest, largest)
    error = max(np.sqrt(max(V_M + V_P - V_MP, V_M, V_P)) / (1 - r**2), 1 / np.sqrt(P * (M - 3)))
    width = student.ppf(0.975, min(P, M) - 1) * error
    mean, low, high = mean_correlation(scores, errors)
    assert mean == pytest.approx(r_p.mean(), abs=1e-12)
    assert low == pytest.approx(min(np.tanh(np.arctanh(r) - width), r_p.mean()), abs=1e-12)
    assert high == pytest.approx(max(np.tanh(np.arctanh(r) + width), r_p.mean()), abs=1e-12)
