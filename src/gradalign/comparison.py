"""Methods at equal cost, and scores beside errors: what follows from the tables of all runs.

The intervals are percentiles of a bootstrap (Efron 1979, Ann. Statist. 7) with a fixed seed: what has two levels,
problems and what was run on each, is drawn on both, with replacement. All numbers but seconds are dimensionless.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

Floats = NDArray[np.float64]

LEAST = 3
"""Seeds of a run, runs of a problem, and problems below which nothing is concluded: the fewest that show a spread."""

DRAWS = 2000
"""Draws of a bootstrap."""

BUDGETS = ("seconds", "gradient_evaluations")
"""What methods are given equally much of."""

ALLOWANCE = 1.25
"""What a run with time windows may use, over the budget: it has solved the problem at its end and not before."""

SCORES = ("score_raw", "score_common_state", "score_own_state", "score_inter_update")
"""Quantities of the table `curves` that are set beside errors."""

RANKS = ["budget", "method", "mean_rank", "low", "high", "methods", "problems"]
CORRELATIONS = ["score", "problem", "correlation", "low", "high", "runs", "problems"]


def derived_tables(runs: pd.DataFrame, curves: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The summary tables `mean_ranks` and `score_correlations`, from those of all runs; without rows where it has none.

    >>> [len(table) for table in derived_tables(pd.DataFrame(), pd.DataFrame()).values()]
    [0, 0]
    """
    if runs.empty or curves.empty:
        return {"mean_ranks": pd.DataFrame(columns=RANKS), "score_correlations": pd.DataFrame(columns=CORRELATIONS)}
    return {
        "mean_ranks": mean_ranks(progress(runs, curves)),
        "score_correlations": score_correlations(scores_and_errors(runs, curves)),
    }


def progress(runs: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """Error and cost at every logged step of the runs that are compared.

    These are the plain runs, one for each problem and method: the first, where there are several. ``runs`` and
    ``curves`` are the summary tables. Columns problem, run, method, seed, step, seconds, gradient_evaluations (NaN
    where they were not logged), error, whole: whether the error is that of the whole time, which with time windows
    begins after the first step of the last one.
    """
    plain = runs[runs["changed"].isna() | (runs["changed"] == "")]
    plain = plain[plain["run"] == plain.groupby(["problem", "method"])["run"].transform("first")]
    labels = ["problem", "run", "method", "seed"]
    rows = curves[curves["quantity"].isin(["error", "gradient_evaluations"])]
    wide = rows.set_index(["run", "seed", "step", "seconds", "quantity"])["value"].unstack("quantity")
    wide = wide.reindex(columns=["gradient_evaluations", "error"]).reset_index()
    found = plain[[*labels, "steps", "windows", "last_stage_steps"]].merge(wide, on=["run", "seed"])
    found["whole"] = (found["windows"] == 1) | (found["step"] > found["steps"] - found["last_stage_steps"])
    columns = [*labels, "step", "seconds", "gradient_evaluations", "error", "whole"]
    return found[columns].sort_values([*labels, "step"], ignore_index=True)


def at_equal_budget(steps: pd.DataFrame, budget: str) -> pd.DataFrame:
    """The error of every seed when it has used the budget that all runs of its problem reach.

    ``steps`` is the table of ``progress``, ``budget`` one of ``BUDGETS``. What a step has cost is the median over the
    seeds of its run: they take the same steps, and what else differs in their times is the machine. Columns problem,
    run, method, seed, limit, used, error: ``limit`` is the least over the runs of the problem of what they used in all,
    and the error is that of the last logged step whose cost, ``used``, is at most this. With time windows it is the
    error of the last step of all where that has cost at most ``ALLOWANCE`` times the limit: such a run divides what it
    is given among its windows, and one that is cut off in the last of them has not been trained for less, but in part.
    Where it has cost more and the limit falls before the last window, used and error are NaN.

    >>> steps = pd.DataFrame({"problem": "p", "run": ["a", "a", "b", "b"], "method": ["a", "a", "b", "b"], "seed": 0})
    >>> steps = steps.assign(seconds=[0.0, 3.0, 0.0, 2.0], error=[1.0, 0.1, 1.0, 0.2], whole=True)
    >>> at_equal_budget(steps, "seconds")[["limit", "used", "error"]].values.tolist()  # a is logged at 0 and 3 seconds
    [[2.0, 0.0, 1.0], [2.0, 2.0, 0.2]]
    """
    labels = ["problem", "run", "method", "seed"]
    counted = steps.dropna(subset=[budget])
    cost = counted.groupby(["problem", "run", "method", "step"])[budget].transform("median")
    counted = counted.assign(used=cost)
    totals = counted.groupby(labels)["used"].max()
    counted = counted.merge(totals.groupby("problem").min().rename("limit"), on="problem")
    windows = ~counted.groupby(labels)["whole"].transform("all")
    finished = windows & (counted.groupby(labels)["used"].transform("max") <= ALLOWANCE * counted["limit"])
    last = counted[(counted["used"] <= counted["limit"]) | finished].groupby(labels).tail(1)
    last.loc[~last["whole"], ["used", "error"]] = np.nan
    return last[[*labels, "limit", "used", "error"]].reset_index(drop=True)


def largest_block(reached: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Methods and problems of a fair ranking: every method has at least ``LEAST`` seeds on every problem.

    ``reached`` has a row per problem, method and seed. Of all such blocks with two methods or more it is the one with
    the most pairs of a method and a problem, then with the most methods; both in alphabetical order, empty where there
    is none.

    >>> rows = [(p, m, s) for p, names in {"p": "abc", "q": "ab", "r": "ab"}.items() for m in names for s in range(3)]
    >>> largest_block(pd.DataFrame(rows, columns=["problem", "method", "seed"]))  # 2 x 3 pairs, and 3 x 1
    (['a', 'b'], ['p', 'q', 'r'])
    """
    seeds = reached.groupby(["problem", "method"])["seed"].nunique()
    enough = seeds[seeds >= LEAST].index
    methods: dict[str, frozenset[str]] = {}
    for problem, method in enough:
        methods[str(problem)] = methods.get(str(problem), frozenset()) | {str(method)}
    candidates: set[frozenset[str]] = set()
    for own in methods.values():
        candidates |= {own} | {own & other for other in candidates}
    blocks = [
        (sorted(chosen), sorted(problem for problem, own in methods.items() if chosen <= own))
        for chosen in candidates
        if len(chosen) > 1
    ]
    # Alphabetical among equals, so that nothing depends on the order of a set
    return max(sorted(blocks), key=lambda block: (len(block[0]) * len(block[1]), len(block[0])), default=([], []))


def mean_ranks(steps: pd.DataFrame) -> pd.DataFrame:
    """The mean rank of every method over problems, at equal cost, with a 95 % interval; columns ``RANKS``.

    For each of ``BUDGETS``: over the ``largest_block`` of those that have an error at this cost, rank 1 for the least
    median error over the seeds; equal medians share the mean of their ranks. A draw of the
    bootstrap takes as many problems as there are, and for each of them as many seeds of every run as it has. low and
    high are NaN with fewer than ``LEAST`` problems; they say nothing about other settings of the methods.
    """
    rows = []
    for budget in BUDGETS:
        reached = at_equal_budget(steps, budget).dropna(subset=["error"])
        methods, problems = largest_block(reached)
        pairs = {pair: own.to_numpy(np.float64) for pair, own in reached.groupby(["problem", "method"])["error"]}
        errors = [[pairs[problem, method] for method in methods] for problem in problems]
        if not problems:
            continue
        medians = np.asarray([[np.median(values) for values in row] for row in errors])
        means = rankdata(medians, axis=1).mean(axis=0)
        low, high = _rank_interval(errors)
        rows += [[budget, *row, len(methods), len(problems)] for row in zip(methods, means, low, high, strict=True)]
    return pd.DataFrame(rows, columns=RANKS)


def _rank_interval(errors: list[list[Floats]]) -> tuple[Floats, Floats]:
    """95 % interval of the mean rank by method, from the errors of the seeds by problem and method."""
    random = np.random.default_rng(0)
    count = len(errors)
    every = np.arange(DRAWS)
    total = np.zeros((DRAWS, len(errors[0])))
    for _ in range(count):
        medians = [
            [np.median(values[random.integers(len(values), size=(DRAWS, len(values)))], axis=1) for values in row]
            for row in errors
        ]
        chosen = random.integers(count, size=DRAWS)
        total += rankdata(np.asarray(medians)[chosen, :, every], axis=1)
    return _interval(total / count, count)


def _interval(draws: Floats, problems: int) -> tuple[Floats, Floats]:
    """The 2.5 and 97.5 percentiles of the draws (first axis) that are numbers; NaN with too few problems."""
    if problems < LEAST:
        nothing = np.full(draws.shape[1:], np.nan)
        return nothing, nothing
    low, high = np.nanquantile(draws, [0.025, 0.975], axis=0)
    return np.asarray(low), np.asarray(high)


def time_to_reach(steps: pd.DataFrame, errors: Mapping[str, float]) -> pd.DataFrame:
    """The cost at which every seed first had an error of at most that of its problem in ``errors``.

    ``steps`` is the table of ``progress``; problems without an entry are left out. Columns problem, run, method, seed,
    seconds, gradient_evaluations: of the first such logged step at which the error is that of the whole time, NaN where
    there is none.
    """
    labels = ["problem", "run", "method", "seed"]
    known = steps[steps["problem"].isin(list(errors))]
    enough = known["whole"] & (known["error"] <= known["problem"].map(dict(errors)).astype(float))
    first = known[enough].groupby(labels, as_index=False).head(1)
    return known[labels].drop_duplicates().merge(first[[*labels, *BUDGETS]], on=labels, how="left")


def scores_and_errors(runs: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """The mean of every score over the whole training beside the final error, for every seed.

    Of each problem those runs are taken in which only the method differs and which have two loss terms or more, one for
    each method: the setting with the most methods, plain runs before variations and then by name. Columns problem,
    changed, method, run, seed, score (of ``SCORES``), value, error (relative L2 after the last step). ``value`` is the
    mean over the logged steps, all of them; a score that was never a number has no row.
    """
    labels = ["problem", "changed", "method", "run", "seed"]
    several = runs[runs["loss_terms"] > 1].copy()
    several["changed"] = [text if isinstance(text, str) else "" for text in several["changed"]]  # empty cells are NaN
    several = several[several["run"] == several.groupby(labels[:3])["run"].transform("first")]
    sizes = several.groupby(["problem", "changed"])["method"].nunique().reset_index(name="size")
    sizes = sizes.sort_values(["problem", "size", "changed"], ascending=[True, False, True])
    several = several.merge(sizes.drop_duplicates("problem")[["problem", "changed"]], on=["problem", "changed"])
    rows = curves[curves["quantity"].isin(SCORES)].dropna(subset=["value"])
    means = rows.groupby(["run", "seed", "quantity"])["value"].mean().reset_index()
    found = several.drop(columns="score", errors="ignore").merge(means, on=["run", "seed"])
    found = found.rename(columns={"quantity": "score", "relative_l2": "error"})[[*labels, "score", "value", "error"]]
    return found.sort_values(["score", *labels], ignore_index=True)


def score_correlations(points: pd.DataFrame) -> pd.DataFrame:
    """Rank correlation of score and error by score and problem, and its mean over problems; columns ``CORRELATIONS``.

    ``points`` is the table of ``scores_and_errors``. The seeds of a run are no independent evidence: a run counts once,
    with the medians of score and error over its seeds. The correlation is Spearman's, that of the ranks, over the runs
    of a problem, which are at least ``LEAST``; -1 where the higher score always has the lower error, NaN where all
    scores or all errors are equal. The row of problem ``all`` is the mean over the problems where it is a number, with
    a 95 % interval where these are at least ``LEAST``: a draw of the bootstrap takes as many problems as there are, and
    of each of them as many runs as it has.
    """
    rows = []
    for score in SCORES:
        medians = points[points["score"] == score].groupby(["problem", "run"])[["value", "error"]].median()
        samples = {
            str(problem): own.to_numpy(np.float64).T for problem, own in medians.groupby("problem") if len(own) >= LEAST
        }
        found = {problem: float(_spearman(*sample)) for problem, sample in samples.items()}
        rows += [[score, problem, found[problem], np.nan, np.nan, s.shape[1], 1] for problem, s in samples.items()]
        used = [sample for problem, sample in samples.items() if np.isfinite(found[problem])]
        mean, low, high = np.nan, np.asarray(np.nan), np.asarray(np.nan)
        if used:
            mean = float(np.nanmean(list(found.values())))
            low, high = _correlation_interval(used)
        rows.append([score, "all", mean, float(low), float(high), sum(s.shape[1] for s in used), len(used)])
    return pd.DataFrame(rows, columns=CORRELATIONS)


def _correlation_interval(samples: list[Floats]) -> tuple[Floats, Floats]:
    """95 % interval of the mean correlation, from scores and errors of the runs (2, R) by problem."""
    random = np.random.default_rng(0)
    slots = []
    for _ in samples:
        drawn = []
        for sample in samples:
            taken = random.integers(sample.shape[1], size=(DRAWS, sample.shape[1]))
            drawn.append(_spearman(sample[0][taken], sample[1][taken]))
        chosen = random.integers(len(samples), size=DRAWS)
        slots.append(np.asarray(drawn)[chosen, np.arange(DRAWS)])
    every = np.asarray(slots)
    known = np.isfinite(every)
    total, count = np.where(known, every, 0).sum(axis=0), known.sum(axis=0)
    return _interval(np.divide(total, count, out=np.full(DRAWS, np.nan), where=count > 0), len(samples))


def _spearman(first: Floats, second: Floats) -> Floats:
    """The correlation of the ranks along the last axis; NaN where one of both is constant."""
    one, other = (rankdata(values, axis=-1) for values in (first, second))
    one, other = (ranks - ranks.mean(axis=-1, keepdims=True) for ranks in (one, other))
    squares = (one**2).sum(axis=-1) * (other**2).sum(axis=-1)
    return np.divide((one * other).sum(axis=-1), np.sqrt(squares), out=np.full_like(squares, np.nan), where=squares > 0)
