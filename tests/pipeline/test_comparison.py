"""Comparisons of runs against made-up tables whose ranks, correlations and intervals are known."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, spearmanr

from gradalign.pipeline import comparison

STEPS = 12


def tables(errors, changed=None, windows=1, terms=2, scores=None, last=None):
    """``runs`` and ``curves`` from final errors by (problem, method), a list over seeds; four logged steps a run.

    A step of the k-th method takes k + 1 seconds and 2 k + 1 evaluations; errors fall tenfold by the four steps.
    """
    changed, scores = changed or {}, scores or {}
    names = sorted({method for _, method in errors})
    runs, curves = [], []
    for (problem, method), finals in errors.items():
        cost = names.index(method)
        labels = {"run": f"{problem}-{method}", "problem": problem, "method": method}
        for seed, final in enumerate(finals):
            about = {
                "steps": STEPS,
                "windows": windows,
                "last_stage_steps": last or STEPS // windows,
                "loss_terms": terms,
            }
            about |= {"relative_l2": final, "score": "u"}
            runs.append({**labels, "seed": seed, "changed": changed.get((problem, method)), **about})
            for step in range(0, STEPS + 1, 4):
                values = {"error": final * 10.0 ** ((STEPS - step) / 4), "gradient_evaluations": step * (2 * cost + 1)}
                values["operations"] = step * 1e6 * (3 - 2 * (method == "b"))  # b has the cheapest steps
                if (problem, method) in scores:
                    values["score_raw"] = scores[problem, method][seed]
                curves += [
                    {
                        **labels,
                        "seed": seed,
                        "step": step,
                        "seconds": float(step * (cost + 1)),
                        "quantity": q,
                        "value": v,
                    }
                    for q, v in values.items()
                ]
    return pd.DataFrame(runs), pd.DataFrame(curves)


def steps_of(*args, **kwargs):
    return comparison.progress(*tables(*args, **kwargs))


class TestProgress:
    def test_error_and_cost_stand_side_by_side(self):
        found = steps_of({("p", "a"): [1e-3, 2e-3], ("p", "b"): [1e-4]})
        assert found.groupby(["method", "seed"]).size().tolist() == [4, 4, 4]
        last = found.groupby("method").tail(1).set_index("method")
        assert last["seconds"].tolist() == [12.0, 24.0]
        assert last["gradient_evaluations"].tolist() == [12.0, 36.0]
        assert last["error"].tolist() == [2e-3, 1e-4]
        assert found["whole"].all()

    def test_variations_and_second_runs_of_a_method_are_left_out(self):
        runs, curves = tables({("p", "a"): [1.0], ("p", "b"): [1.0]}, changed={("p", "b"): "fixed points"})
        both = [pd.concat([t, t[t["method"] == "a"].assign(run="p-a-again")]) for t in (runs, curves)]
        found = comparison.progress(*both)
        assert found["run"].unique().tolist() == ["p-a"]

    def test_with_windows_the_error_is_whole_after_the_first_step_of_the_last_one(self):
        found = steps_of({("p", "a"): [1.0]}, windows=3)  # at step 8 the second window ends
        assert found["whole"].tolist() == [False, False, False, True]
        assert steps_of({("p", "a"): [1.0]}, windows=2)["whole"].tolist() == [False, False, True, True]
        longer_first = steps_of({("p", "a"): [1.0]}, windows=2, last=4)  # the first window ends at step 8
        assert longer_first["whole"].tolist() == [False, False, False, True]

    def test_runs_without_the_count_have_none(self):
        runs, curves = tables({("p", "a"): [1.0], ("p", "b"): [1.0]})
        found = comparison.progress(runs, curves[curves["quantity"] == "error"])
        assert found[["gradient_evaluations", "operations"]].isna().all(axis=None)
        assert comparison.at_equal_budget(found, "gradient_evaluations").empty
        assert comparison.at_equal_budget(found, "operations").empty
        assert set(comparison.mean_ranks(found)["budget"]) == set()


class TestEqualBudget:
    @pytest.mark.parametrize(("budget", "limit", "step"), [("seconds", 12, 4), ("gradient_evaluations", 12, 4)])
    def test_error_at_the_least_of_what_the_runs_used(self, budget, limit, step):
        found = comparison.at_equal_budget(steps_of({("p", "a"): [1e-3], ("p", "b"): [1e-4]}), budget)
        assert found["limit"].tolist() == [limit, limit]
        # b, of 2 seconds and 3 evaluations a step, is logged at 8 and 16 seconds, at 12 and 24 evaluations
        assert found["error"].tolist() == pytest.approx([1e-3, 1e-4 * 10 ** ((STEPS - step) / 4)], rel=1e-12)

    def test_equal_operations_need_not_be_equal_evaluations(self):
        found = comparison.at_equal_budget(steps_of({("p", "a"): [1e-3], ("p", "b"): [1e-4]}), "operations")
        assert found["limit"].tolist() == [12e6, 12e6]
        assert found["error"].tolist() == pytest.approx([1e-1, 1e-4], rel=1e-12)  # a has taken four steps by then

    def test_a_problem_has_its_own_limit_and_a_slow_seed_is_not_cut_short(self):
        steps = steps_of({("p", "a"): [1.0, 1.0, 1.0], ("q", "b"): [1.0]}, windows=2)
        slow = (steps["problem"] == "p") & (steps["seed"] == 1)
        steps.loc[slow, "seconds"] *= 3  # the machine did something else
        found = comparison.at_equal_budget(steps, "seconds")
        assert found["limit"].tolist() == [12, 12, 12, 24]
        assert found["error"].tolist() == pytest.approx([1, 1, 1, 1])

    def test_before_the_last_window_there_is_no_error(self):
        found = comparison.at_equal_budget(steps_of({("p", "a"): [1.0], ("p", "b"): [1.0]}, windows=2), "seconds")
        assert found["error"].isna().tolist() == found["used"].isna().tolist() == [False, True]

    @pytest.mark.parametrize(("factor", "end"), [(1.2, True), (1.25, True), (1.26, False)])
    def test_with_windows_a_run_that_used_a_quarter_more_at_most_counts_with_its_end(self, factor, end):
        steps = steps_of({("p", "a"): [1.0], ("p", "b"): [1e-3]}, windows=2)
        b = steps["method"] == "b"
        steps.loc[b, "seconds"] *= factor / 2  # a step of a takes one second: 12 in all, and those of b 12 factor
        found = comparison.at_equal_budget(steps, "seconds").set_index("method").loc["b"]
        # Else it counts at step 8, the first of the last window: 10 seconds of 15
        assert found["error"] == pytest.approx(1e-3 if end else 1e-2, rel=1e-12)
        assert found["used"] == pytest.approx(factor * (12 if end else 8))
        assert found["limit"] == 12

    def test_without_windows_no_run_gets_more_than_the_others(self):
        steps = steps_of({("p", "a"): [1.0], ("p", "b"): [1e-3]})
        steps.loc[steps["method"] == "b", "seconds"] *= 0.6
        found = comparison.at_equal_budget(steps, "seconds").set_index("method").loc["b"]
        assert found["used"] == pytest.approx(1.2 * 8)
        assert found["error"] == pytest.approx(1e-2, rel=1e-12)


class TestMeanRanks:
    def ranks(self, errors, **kwargs):
        found = comparison.mean_ranks(steps_of(errors, **kwargs))
        return found[found["budget"] == "gradient_evaluations"].set_index("method")

    def test_one_order_everywhere(self):
        # b is worse by far more than what its costlier steps take away
        errors = {(p, m): [e, 1.1 * e, 1.2 * e] for p in "pqrs" for m, e in (("b", 1.0), ("a", 1e-9), ("c", 1e-18))}
        found = self.ranks(errors)
        assert found["mean_rank"].to_dict() == {"a": 2.0, "b": 3.0, "c": 1.0}
        assert set(found["problems"]) == {4}
        assert set(found["methods"]) == {3}
        assert found[["low", "high"]].isna().all(axis=None)  # of four problems
        assert set(found["better_than"]) == {""}
        assert found["friedman_p"].tolist() == pytest.approx([6**-3] * 3, abs=2e-3)  # three problems repeat the first

    def test_an_order_is_claimed_where_it_holds_and_only_there(self):
        errors = {
            (f"p{i}", m): [e if m != "d" else 10.0**random] * 3
            for i, random in enumerate((-24, -14, -4, 4) * 3)
            for m, e in (("a", 1e-20), ("b", 1e-10), ("c", 1.0), ("d", 1.0))
        }
        found = self.ranks(errors)
        assert found["better_than"].to_dict() == {"a": "b; c", "b": "c", "c": "", "d": ""}
        assert (found["low"] <= found["mean_rank"]).all()
        assert (found["mean_rank"] <= found["high"]).all()
        assert (found["high"] - found["low"]).idxmax() == "d"

    @pytest.mark.parametrize("wins", [4, 6, 8])
    def test_interval_over_problems_is_binomial(self, wins):
        errors = {
            (f"p{i}", method): [1e-9 if (method == "a") == (i < wins) else 1.0] * 3 for i in range(8) for method in "ab"
        }
        found, exact = self.ranks(errors), binomtest(8 - wins, 8).proportion_ci()
        assert found.loc["a", "mean_rank"] == pytest.approx(2 - wins / 8)
        assert [found.loc["a", "low"], found.loc["a", "high"]] == pytest.approx([1 + exact.low, 1 + exact.high])
        assert found["better_than"].to_dict() == {"a": "b" if wins == 8 else "", "b": ""}

    def test_seeds_count_by_their_median(self):
        errors = {(f"p{i}", m): e for i in range(6) for m, e in (("a", [1e-9, 1.0, 1.0]), ("b", [1e-5] * 3))}
        assert self.ranks(errors).loc["a", "mean_rank"] == 2

    def test_equal_errors_share_their_ranks(self):
        errors = {(p, m): [1.0] * 3 for p in "pqr" for m in "ab"}
        steps = steps_of(errors).assign(gradient_evaluations=1.0, operations=1.0, error=1.0)
        assert comparison.mean_ranks(steps)["mean_rank"].tolist() == [1.5] * 6

    def test_what_has_not_solved_the_whole_problem_at_this_cost_is_not_compared(self):
        errors = {(p, m): [1e-3] * 3 for p in "pqr" for m in "abc"}
        whole = steps_of(errors)
        cut = whole.assign(whole=whole["whole"] & ~((whole["method"] == "c") & (whole["step"] < STEPS)))
        assert set(comparison.mean_ranks(whole)["method"]) == set("abc")
        assert set(comparison.mean_ranks(cut)["method"]) == set("ab")  # c takes three times as much as a
        cut = whole.assign(whole=whole["whole"] & ~((whole["problem"] == "r") & (whole["step"] < STEPS)))
        found = comparison.mean_ranks(cut)
        assert set(found["method"]) == set("abc")
        assert set(found["problems"]) == {2}

    def test_two_problems_have_no_interval_and_two_seeds_no_rank(self):
        errors = {(p, m): [1.0] * 3 for p in "pq" for m in "ab"} | {("r", m): [1.0] * 2 for m in "ab"}
        found = self.ranks(errors)
        assert set(found["problems"]) == {2}
        assert found[["low", "high"]].isna().all(axis=None)

    def test_nothing_to_compare(self):
        assert self.ranks({("p", "a"): [1.0] * 3, ("q", "b"): [1.0] * 3}).empty

    def test_the_same_tables_give_the_same_interval(self):
        random = np.random.default_rng(1)
        errors = {(p, m): 10 ** random.uniform(-9, 0, 3) for p in "pqrstu" for m in "abc"}
        first, second = self.ranks(errors), self.ranks(errors)
        pd.testing.assert_frame_equal(first, second, check_exact=True)
        assert (first["low"] < first["high"]).all()


def test_the_block_with_more_methods_is_taken_among_equals():
    rows = [(p, m, s) for p, names in {"p": "abcd", "q": "ab"}.items() for m in names for s in range(3)]
    reached = pd.DataFrame(rows, columns=["problem", "method", "seed"])
    assert comparison.largest_block(reached) == (["a", "b", "c", "d"], ["p"])
    assert comparison.largest_block(reached[reached["seed"] < 2]) == ([], [])


def test_the_block_has_the_most_pairs():
    rows = [(p, m, s) for p, names in {"p": "abcde", "q": "ab", "r": "ab"}.items() for m in names for s in range(3)]
    reached = pd.DataFrame(rows, columns=["problem", "method", "seed"])
    assert comparison.largest_block(reached) == (["a", "b"], ["p", "q", "r"])  # 6 pairs, where p alone has 5


def test_time_to_reach_an_error_is_that_of_the_first_step_below_it():
    steps = steps_of({("p", "a"): [1e-3, 2e-3], ("p", "b"): [0.2], ("q", "a"): [1e-9]})
    found = comparison.time_to_reach(steps, {"p": 1e-2, "r": 1.0})
    assert found["method"].tolist() == ["a", "a", "b"]
    assert found["seconds"].tolist()[:2] == [8, 12]  # one tenth of the first seed's error is 1e-2 exactly
    assert found["gradient_evaluations"].tolist()[:2] == [8, 12]
    assert found.loc[2, ["seconds", "gradient_evaluations"]].isna().all()
    unfinished = comparison.time_to_reach(steps_of({("p", "a"): [1e-3]}, windows=3), {"p": 1e-2})
    assert unfinished["seconds"].tolist() == [12]  # at 8 seconds the last window has not begun


class TestScoresAndErrors:
    def points(self, errors, scores, **kwargs):
        return comparison.scores_and_errors(*tables(errors, scores=scores, **kwargs))

    def test_values_are_means_over_all_logged_steps_of_a_seed(self):
        errors = {("p", "a"): [1.0, 2.0]}
        runs, curves = tables(errors, scores={("p", "a"): [0.5, 0.25]})
        curves.loc[(curves["quantity"] == "score_raw") & (curves["step"] == 4), "value"] = -0.5
        curves.loc[(curves["quantity"] == "score_raw") & (curves["step"] == 8), "value"] = np.nan
        found = comparison.scores_and_errors(runs, curves)
        assert found["value"].tolist() == pytest.approx([(0.5 - 0.5 + 0.5) / 3, (0.25 - 0.5 + 0.25) / 3])
        assert found["error"].tolist() == [1.0, 2.0]

    def test_one_loss_term_has_no_score(self):
        assert self.points({("p", "a"): [1.0]}, {("p", "a"): [0.5]}, terms=1).empty

    def test_the_setting_with_most_methods_and_then_the_plain_runs(self):
        errors = {("p", m): [1.0] for m in "abc"} | {("q", m): [1.0] for m in "ab"}
        changed = {("p", "a"): "soft", ("p", "b"): "soft", ("q", "a"): "soft"}
        found = self.points(errors, {pair: [0.5] for pair in errors}, changed=changed)
        assert found[["problem", "changed", "method"]].values.tolist() == [
            *(["p", "soft", "a"], ["p", "soft", "b"]),
            ["q", "", "b"],
        ]

    @pytest.mark.parametrize("sign", [1, -1])
    def test_a_planted_correlation_is_found(self, sign):
        errors = {(p, m): [10.0 ** (k + i)] * 2 for i, p in enumerate("pqrstu") for k, m in enumerate("abcde")}
        scores = {(p, m): [sign * k / 10] * 2 for p in "pqrstu" for k, m in enumerate("abcde")}
        found = comparison.score_correlations(self.points(errors, scores)).set_index(["score", "problem"])
        raw = found.loc["score_raw"]
        np.testing.assert_allclose(raw["correlation"], sign, rtol=1e-12)
        low, high = raw.loc["all", ["low", "high"]].astype(float)
        assert (low, high)[sign > 0] == sign
        assert 0.4 < (high, low)[sign > 0] * sign < 1  # five methods are no proof that it is always so
        assert raw.loc["all", ["runs", "problems"]].tolist() == [30, 6]
        other = found.loc[("score_own_state", "all")]
        assert np.isnan(other["correlation"])
        assert [other["runs"], other["problems"]] == [0, 0]

    def test_correlations_are_spearmans_over_medians_of_the_seeds(self):
        random = np.random.default_rng(0)
        pairs = [(p, m) for p in "pqrstu" for m in "abcdef"]
        errors = {pair: random.uniform(0.1, 1, 3) for pair in pairs}
        scores = {pair: random.uniform(-1, 1, 3).round(1) for pair in pairs}  # rounded: some are equal
        found = comparison.score_correlations(self.points(errors, scores)).set_index(["score", "problem"])
        expected = {}
        for p in "pqrstu":
            own = [(np.median(scores[p, m]), np.median(errors[p, m])) for m in "abcdef"]
            expected[p] = spearmanr(*zip(*own, strict=True)).statistic
            assert found.loc[("score_raw", p), "correlation"] == pytest.approx(expected[p], abs=1e-12)
        mean = found.loc[("score_raw", "all")]
        assert mean["correlation"] == pytest.approx(np.mean(list(expected.values())), abs=1e-12)
        assert -1 <= mean["low"] < mean["correlation"] < mean["high"] <= 1

    def test_the_same_methods_on_more_problems_are_no_more_methods(self):
        """Where scores and errors are those of the method, ten problems tell what six do."""
        random = np.random.default_rng(3)
        order = {m: (random.uniform(), random.uniform()) for m in "abcdefghijk"}
        widths = []
        for problems in ("pqrstu", "pqrstuvwxyz"):
            errors = {(p, m): [order[m][1]] for p in problems for m in order}
            scores = {(p, m): [order[m][0]] for p in problems for m in order}
            found = comparison.score_correlations(self.points(errors, scores)).set_index(["score", "problem"])
            mean = found.loc[("score_raw", "all")]
            widths.append(mean["high"] - mean["low"])
        assert widths[1] > 1  # with 121 runs; a bootstrap of problems alone gave 0 here
        assert widths[1] > 0.8 * widths[0]

    def test_two_runs_and_equal_scores_say_nothing(self):
        errors = {("p", "a"): [1.0], ("p", "b"): [2.0], **{("q", m): [float(k)] for k, m in enumerate("abc", 1)}}
        scores = {pair: [0.5] for pair in errors}
        found = comparison.score_correlations(self.points(errors, scores))
        assert found.loc[found["score"] == "score_raw", "problem"].tolist() == ["q", "all"]
        assert found["correlation"].isna().all()


def test_tables_without_runs_have_their_columns():
    for runs, curves in ((pd.DataFrame(), pd.DataFrame()), tables({("p", "a"): [1.0]}, terms=1)):
        found = comparison.derived_tables(runs, curves)
        assert list(found["mean_ranks"].columns) == comparison.RANKS
        assert list(found["score_correlations"].columns) == comparison.CORRELATIONS
        assert found["mean_ranks"].empty
