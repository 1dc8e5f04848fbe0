"""Methods compared at equal cost, and alignment scores beside errors, from the summary tables of all runs.

Recipes are compared (``RunSpecification.recipe``): a method with the network, precision, points, loss weights and time
windows that were chosen for it. These differ between methods, so no difference can be attributed to the method alone.
Below, "method" stands for its recipe on a problem.

Methods are crossed with problems, and the intervals account for this (``gradalign.pipeline.intervals``). All numbers
except seconds are dimensionless.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from gradalign.pipeline.intervals import compare_ranks, mean_correlation, spearman

LEAST = 3
"""Minimum number of seeds of a run, and of runs of a problem, for any conclusion: the fewest that show a spread."""

BUDGETS = ("seconds", "gradient_evaluations", "operations")
"""The costs that a comparison holds equal."""

ALLOWANCE = 1.25
"""Factor by which a run with time windows may exceed the budget, because it solves the problem only at its end."""

SCORES = ("score_raw", "score_common_state", "score_own_state", "score_inter_update")
"""Quantities of the table `curves` that are compared with errors."""

RANKS = ["budget", "method", "mean_rank", "low", "high", "better_than", "friedman_p", "methods", "problems"]
CORRELATIONS = ["score", "problem", "correlation", "low", "high", "runs", "problems"]


def derived_tables(runs: pd.DataFrame, curves: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The summary tables `mean_ranks` and `score_correlations`, from `runs` and `curves`; empty if one of these is.

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
    """Error and cost at every logged step of the compared runs: the first plain run of each problem and method.

    ``runs`` and ``curves`` are the summary tables. Columns problem, run, method, seed, step, seconds,
    gradient_evaluations and operations (NaN where they were not logged), error, whole. ``whole`` says whether the error
    covers the whole time interval; with time windows, it does so after the first step of the last window.
    """
    plain = runs[runs["changed"].isna() | (runs["changed"] == "")]
    plain = plain[plain["run"] == plain.groupby(["problem", "method"])["run"].transform("first")]
    labels = ["problem", "run", "method", "seed"]
    rows = curves[curves["quantity"].isin(["error", "gradient_evaluations", "operations"])]
    wide = rows.set_index(["run", "seed", "step", "seconds", "quantity"])["value"].unstack("quantity")
    wide = wide.reindex(columns=["gradient_evaluations", "operations", "error"]).reset_index()
    found = plain[[*labels, "steps", "windows", "last_stage_steps"]].merge(wide, on=["run", "seed"])
    found["whole"] = (found["windows"] == 1) | (found["step"] > found["steps"] - found["last_stage_steps"])
    columns = [*labels, "step", "seconds", "gradient_evaluations", "operations", "error", "whole"]
    return found[columns].sort_values([*labels, "step"], ignore_index=True)


def at_equal_budget(steps: pd.DataFrame, budget: str) -> pd.DataFrame:
    """The error of every seed at the largest budget that all runs of its problem reach.

    ``steps`` is the table of ``progress``, ``budget`` one of ``BUDGETS``. The cost of a step is the median over the
    seeds of its run: all seeds take the same steps, and only the machine makes their times differ. Columns problem,
    run, method, seed, limit, used, error. ``limit`` is the smallest total cost among the runs of the problem, and
    ``error`` is that of the last logged step whose cost, ``used``, is at most ``limit``.

    A run with time windows divides its budget among them. If it is cut off in the last window, its training is not
    shorter but incomplete. Therefore its final error counts if its total cost is at most ``ALLOWANCE`` times the limit.
    Otherwise, if the limit falls before the last window, ``used`` and ``error`` are NaN.

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
    """The largest set of methods and problems in which every method has at least ``LEAST`` seeds on every problem.

    ``reached`` has a row per problem, method and seed. Among all such blocks with two or more methods, this is the one
    with the most pairs of a method and a problem, then with the most methods. Both lists are in alphabetical order, and
    empty if there is no such block.

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
    # The order of a set is arbitrary, so ties go to the first block in alphabetical order
    return max(sorted(blocks), key=lambda block: (len(block[0]) * len(block[1]), len(block[0])), default=([], []))


def mean_ranks(steps: pd.DataFrame) -> pd.DataFrame:
    """The mean rank of every method over problems, at equal cost, with intervals; columns ``RANKS``.

    For each of ``BUDGETS``, methods are ranked on the ``largest_block`` of those with an error at this cost. Rank 1
    goes to the smallest median error over the seeds, and equal medians share their mean rank. low and high are the ends
    of simultaneous 95 % intervals of the expected ranks, on a problem of the population that these problems sample.
    better_than lists the methods that this one outranks on the evidence of these problems, separated by "; ".
    friedman_p is the p-value of the hypothesis that all orders are equally likely.
    ``gradalign.pipeline.intervals.compare_ranks`` computes all of these, and gives no interval and no pair below six
    problems. They say nothing about other settings of the methods.
    """
    rows = []
    for budget in BUDGETS:
        reached = at_equal_budget(steps, budget).dropna(subset=["error"])
        methods, problems = largest_block(reached)
        if not problems:
            continue
        medians = reached.groupby(["problem", "method"])["error"].median().unstack("method").loc[problems, methods]
        found = compare_ranks(rankdata(medians.to_numpy(np.float64), axis=1))
        for method, mean, low, high, better in zip(
            methods, found.mean, found.low, found.high, found.better, strict=True
        ):
            names = "; ".join(np.asarray(methods)[better])
            rows.append([budget, method, mean, low, high, names, float(found.p), len(methods), len(problems)])
    return pd.DataFrame(rows, columns=RANKS)


def time_to_reach(steps: pd.DataFrame, errors: Mapping[str, float]) -> pd.DataFrame:
    """The cost at which the error of every seed first fell to that of its problem in ``errors``.

    ``steps`` is the table of ``progress``; problems without an entry are left out. Columns problem, run, method, seed,
    seconds, gradient_evaluations, operations: the cost at the first logged step whose error is small enough and covers
    the whole time interval, NaN if there is none.
    """
    labels = ["problem", "run", "method", "seed"]
    known = steps[steps["problem"].isin(list(errors))]
    enough = known["whole"] & (known["error"] <= known["problem"].map(dict(errors)).astype(float))
    first = known[enough].groupby(labels, as_index=False).head(1)
    return known[labels].drop_duplicates().merge(first[[*labels, *BUDGETS]], on=labels, how="left")


def scores_and_errors(runs: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """The mean of every score over training, beside the final error, for every seed.

    For each problem, this takes one run per method, all with two or more loss terms and all changed in the same way. Of
    all changes, it takes the one with the most methods; among equals, plain runs come before variations, and these in
    alphabetical order. The runs differ in method and recipe (``RunSpecification.recipe``). Columns problem, changed,
    method, run, seed, score (of ``SCORES``), value, error (relative L2 after the last step). ``value`` is the mean over
    all logged steps at which the score is a number; without such a step there is no row.
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

    ``points`` is the table of ``scores_and_errors``. The seeds of a run are not independent evidence, so a run counts
    once, with the medians of score and error over its seeds. The correlation is Spearman's over the runs of a problem,
    at least ``LEAST``. It is -1 if the higher score always has the lower error, and NaN if all scores or all errors are
    equal. The row of problem ``all`` is the mean over the problems with a number. Its 95 % interval
    (``gradalign.pipeline.intervals.mean_correlation``) treats problems and methods as samples and excludes all
    correlations beyond it.
    """
    rows = []
    for score in SCORES:
        medians = points[points["score"] == score].groupby(["problem", "method"])[["value", "error"]].median()
        enough = medians.groupby("problem")["value"].transform("size") >= LEAST
        wide = medians[enough].unstack("method")
        if wide.empty:
            rows.append([score, "all", np.nan, np.nan, np.nan, 0, 0])
            continue
        scores, errors = (wide[name].to_numpy(np.float64) for name in ("value", "error"))
        runs, found = np.isfinite(scores).sum(axis=1), spearman(scores, errors)
        rows += [[score, p, r, np.nan, np.nan, n, 1] for p, r, n in zip(wide.index, found, runs, strict=True)]
        known = np.isfinite(found)
        mean, low, high = (float(value) for value in mean_correlation(scores, errors))
        rows.append([score, "all", mean, low, high, int(runs[known].sum()), int(known.sum())])
    return pd.DataFrame(rows, columns=CORRELATIONS)
