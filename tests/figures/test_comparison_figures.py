"""Figures and tables of methods at equal cost and of scores beside errors, from made-up summaries."""

import io

import numpy as np
import pandas as pd
import pytest
from figure_items import ITEMS, drawn
from synthetic_results import Shape, write_summary

from figures import pages
from figures.drawing import published_errors, rendering, score_against_error
from figures.drawing.names import BLUE, GREEN
from figures.drawing.text import spread
from gradalign.pipeline.comparison import derived_tables

NAMES = [name for name, item in ITEMS.items() if item["category"] == "Comparison"]
SHAPE = Shape(
    ("adam", "soap", "gauss_newton", "my_method"),
    ("ic", "bc", "pde"),
    problems=("wave", "burgers", "korteweg_de_vries", "kuramoto_sivashinsky", "lid_driven_cavity"),
    seeds_of={"lid_driven_cavity": (0,)},
)


@pytest.fixture
def tables(tmp_path):
    """The made-up tables of runs and curves, to be changed, and a function that writes the summary with them."""
    summary = write_summary(tmp_path / "summary", SHAPE)
    runs, curves = (pd.read_csv(summary / f"{name}.csv") for name in ("runs", "curves"))

    def write():
        for name, table in ({"runs": runs, "curves": curves} | derived_tables(runs, curves)).items():
            table.to_csv(summary / f"{name}.csv", index=False)
        return summary

    return runs, curves, write


def rows_of(curves, run, quantity):
    return curves[(curves["run"] == run) & (curves["quantity"] == quantity) & (curves["step"] > 0)]


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("fig_")])
def test_figures_are_drawn_without_a_warning(name, tables):
    with rendering.styled():
        figure = drawn(name, tables[2]())
        figure.savefig(io.BytesIO(), format="pdf")
    assert len(figure.axes) >= 4


@pytest.mark.parametrize(
    ("name", "budget"),
    [
        ("fig_equal_time", "seconds"),
        ("fig_equal_evaluations", "gradient_evaluations"),
        ("fig_equal_operations", "operations"),
    ],
)
def test_error_against_cost(name, budget, tables):
    _, curves, write = tables
    figure = drawn(name, write())
    panels = {axis.get_title(): axis for axis in figure.axes if axis.get_title()}
    titles = ["Wave", "Burgers'", "Korteweg–de Vries", "Kuramoto–Sivashinsky", "Lid-driven cavity"]
    assert list(panels) == [f"{title}, {'1 seed' if 'cavity' in title else '3 seeds'}" for title in titles]
    axis = panels["Wave, 3 seeds"]
    assert (axis.get_xscale(), axis.get_yscale()) == ("log", "log")
    errors = rows_of(curves, "wave-gauss_newton", "error")
    counted = rows_of(curves, "wave-gauss_newton", "gradient_evaluations" if budget == "seconds" else budget)
    place = (errors if budget == "seconds" else counted).groupby("step")["seconds" if budget == "seconds" else "value"]
    (line,) = (line for line in axis.lines if line.get_color() == GREEN)
    np.testing.assert_array_equal(line.get_xdata(), place.median())
    np.testing.assert_array_equal(line.get_ydata(), errors.groupby("step")["value"].median())
    band = axis.collections[2].get_paths()[0].vertices
    # To the last bit but one: pandas reads numbers with and without it
    assert [band[:, 1].min(), band[:, 1].max()] == pytest.approx(
        [errors["value"].min(), errors["value"].max()], rel=1e-15
    )
    dotted = [float(line.get_ydata()[0]) for line in axis.lines if line.get_linestyle() == ":"]
    assert dotted == [published_errors.RELATIVE_L2["wave"]["soap"]]
    (equal,) = (line.get_xdata()[0] for line in axis.lines if line.get_linestyle() == "--")
    # Adam and SOAP take 800 steps of 0.01224 seconds, the median over the seeds, and of 1e8 operations; Gauss-Newton 80
    # of 4 evaluations
    expected = {"seconds": 9.792, "gradient_evaluations": 320, "operations": 8e10}
    assert equal == pytest.approx(expected[budget], rel=1e-12)


def test_windows_before_the_last_one_are_drawn_apart(tables):
    axis = drawn("fig_equal_time", tables[2]()).axes[3]
    before, whole = (line for line in axis.lines if line.get_color() == BLUE)
    # Four windows of 200 steps in 800, eight logged steps
    assert (len(before.get_xdata()), len(whole.get_xdata())) == (6 + 1, 2)
    assert before.get_xdata()[-1] == whole.get_xdata()[0]


class TestEqualTime:
    def test_errors_and_ranks_at_the_time_of_the_fastest(self, tables):
        _, curves, write = tables
        chosen = (curves["run"] == "wave-soap") & (curves["quantity"] == "error") & (curves["step"] == 800)
        curves.loc[chosen, "value"] = [1e-9, 2e-9, 3e-9]
        curves.loc[curves["run"] == "wave-soap", "seconds"] *= 1.05
        table = drawn("tab_equal_time", write())
        wave = table[table["problem"] == "Wave equation"]
        assert wave["equal time (s)"].unique().tolist() == ["9.79"]
        # SOAP is 5 % slower than Adam: within 9.79 s all its seeds, also the fastest, count as at step 700
        late = rows_of(curves, "wave-soap", "error").query("step == 700")["value"].tolist()
        first = wave[wave["method"] == "SOAP"].iloc[0]
        assert first["relative L2 error then"] == spread(late, 2)
        assert float(first["its time (s)"]) < 9.79
        assert sorted(wave["rank"]) == ["1", "2", "3", "4"]
        assert wave["rank"].tolist() == sorted(wave["rank"])
        assert table.loc[table["problem"] == "Lid-driven cavity", "seeds"].unique().tolist() == ["1"]

    def test_every_method_stands_with_its_recipe(self, tables):
        runs, _, write = tables
        wave = drawn("tab_equal_time", write()).query("problem == 'Wave equation'").set_index("method")["recipe"]
        assert wave["Gauss–Newton"] == "float64, mlp 4x64 tanh"
        assert wave["SOAP"] == "float32, mlp 4x64 tanh"
        del runs["recipe"]  # as runs of before have none
        assert set(drawn("tab_equal_time", write())["recipe"]) == {"–"}

    def test_a_method_that_is_not_in_the_last_window_comes_last_and_without_a_rank(self, tables):
        table = drawn("tab_equal_time", tables[2]())
        flow = table[table["problem"] == "Kuramoto–Sivashinsky equation"].set_index("method")
        assert flow.index[-1] == "Gauss–Newton"
        assert flow.iloc[-1][["its time (s)", "relative L2 error then", "rank"]].tolist() == [
            "–",
            "not in the last time window",
            "–",
        ]
        assert "not in the last time window" not in flow.loc[["Adam", "SOAP"], "relative L2 error then"].tolist()


def test_mean_ranks_are_those_of_the_summary_the_best_first(tables):
    summary = tables[2]()
    table, ranks = drawn("tab_mean_rank", summary), pd.read_csv(summary / "mean_ranks.csv")
    assert table["at equal"].tolist() == [
        *["training time"] * 4,
        *["gradient evaluations"] * 4,
        *["operations"] * 4,
    ]
    # The cavity has one seed, and Gauss-Newton is not in the last window of Kuramoto-Sivashinsky at this cost
    assert set(table["problems"]) == {"3"}
    own = table[table["at equal"] == "gradient evaluations"]
    assert own["mean rank"].astype(float).is_monotonic_increasing
    expected = ranks[(ranks["budget"] == "gradient_evaluations") & (ranks["method"] == "gauss_newton")].iloc[0]
    row = own[own["method"] == "Gauss–Newton"].iloc[0]
    assert float(row["mean rank"]) == pytest.approx(expected["mean_rank"], rel=1e-2)
    assert row["95 % interval, all together"] == row["before"] == "–"  # three problems tell nothing
    assert float(row["p, no order"]) == pytest.approx(expected["friedman_p"], rel=0.05)


def test_an_order_is_claimed_where_six_problems_show_it(tmp_path):
    problems = ("wave", "burgers", "allen_cahn", "korteweg_de_vries", "gray_scott", "ginzburg_landau")
    shape = Shape(("adam", "soap", "gauss_newton", "my_method"), ("ic", "bc", "pde"), problems=problems)
    summary = write_summary(tmp_path / "summary", shape)
    table, ranks = drawn("tab_mean_rank", summary), pd.read_csv(summary / "mean_ranks.csv")
    own = table[table["at equal"] == "gradient evaluations"].set_index("method")
    assert own.loc["SOAP", "before"] == "My method"
    assert set(own.loc[["Adam", "My method"], "before"]) == {"–"}
    expected = ranks[ranks["budget"] == "gradient_evaluations"].set_index("method").loc["soap"]
    assert expected["better_than"] == "my_method"
    assert own.loc["SOAP", "95 % interval, all together"] == " to ".join(
        f"{expected[side]:.3g}" for side in ("low", "high")
    )
    assert set(own["p, no order"]) == {"below 0.001"}


def test_time_to_the_published_error(tables):
    _, curves, write = tables
    curves.loc[curves["quantity"] == "error", "value"] = 1.0
    below = {("wave-adam", 0): 400, ("wave-adam", 2): 800, ("wave-soap", 0): 100, ("wave-soap", 1): 100}
    for (run, seed), step in (below | {("wave-soap", 2): 100}).items():
        reached = (curves["run"] == run) & (curves["seed"] == seed) & (curves["step"] >= step)
        curves.loc[reached & (curves["quantity"] == "error"), "value"] = 8.05e-6
    table = drawn("tab_time_to_published", write()).set_index("problem")
    wave = table.loc["Wave equation"]
    assert wave["SOAP, published"] == "8.05e-6"
    # 100 steps of 0.012 s, and 2 % more a seed; Adam needs 4.8 s and 8 * 1.2 * 1.04 s
    assert wave["reached after"] == "SOAP 1.22 (1.2 to 1.25) s; Adam 7.39 (4.8 to 9.98) s (2 of 3 seeds)"
    assert wave["not reached by"] == "Gauss–Newton, My method"
    assert table.loc["Lid-driven cavity", "published for"] == "Re 5000"
    assert table.loc["Lid-driven cavity", "reached after"] == "–"


class TestScoreAgainstError:
    @pytest.fixture
    def planted(self, tables):
        """Raw scores in the order of the errors, common-state scores against it, and no own-state scores."""
        runs, curves, write = tables
        order = {"adam": 0, "my_method": 1, "soap": 2, "gauss_newton": 3}
        runs["relative_l2"] = 10.0 ** runs["method"].map(order)
        for score, sign in (("score_raw", 1), ("score_common_state", -1)):
            own = curves["quantity"] == score
            curves.loc[own, "value"] = sign * (curves["method"].map(order)[own] / 10 - 0.2)
        curves.loc[curves["quantity"] == "score_own_state", "value"] = np.nan
        return write()

    def test_correlations_stand_above_the_panels(self, planted):
        axes = drawn("fig_score_against_error", planted).axes
        assert [axis.get_title() for axis in axes[:3]] == [
            "Raw gradients",
            "Common-state directions",
            "Consecutive updates",  # own-state scores were not recorded
        ]
        texts = [axis.texts[0].get_text() for axis in axes[:3]]
        assert texts[:2] == ["Spearman 1, 20 runs, 5 problems", "Spearman −1, 20 runs, 5 problems"]
        assert texts[2].startswith("Spearman ")
        assert not axes[3].axison
        assert axes[3].get_legend() is not None

    def test_points_are_errors_over_the_median_of_their_problem(self, planted):
        axis = drawn("fig_score_against_error", planted).axes[0]
        shown = [line for line in axis.lines if line.get_marker() == "s" and line.get_color() == GREEN]
        assert [len(line.get_xdata()) for line in shown] == [3, 1]  # the seeds on Burgers, and their median
        assert shown[1].get_xdata()[0] == pytest.approx(0.1)
        assert shown[1].get_ydata()[0] == pytest.approx(1000 / np.median([1, 10, 100, 1000]))

    def test_table_has_a_row_a_problem_and_the_mean(self, planted):
        table = drawn("tab_score_against_error", planted).set_index("problem")
        assert table.index[-1] == "mean over problems"
        assert table.loc["Lid-driven cavity", ["setting", "Raw gradients"]].tolist() == ["plain", "1 [4]"]
        assert table.loc["mean over problems", "Common-state directions"] == "-1 [20, 5 problems]"
        assert set(table["Own-state directions"]) == {"–"}

    def test_runs_with_one_loss_term_are_no_points(self, tables):
        runs, _, write = tables
        runs["loss_terms"] = 1
        assert drawn("fig_score_against_error", write()).texts[0].get_text().startswith("No run with two loss terms")
        assert drawn("tab_score_against_error", write())["problem"].tolist() == ["mean over problems"]


class TestVerdictOnScores:
    """One text for docs and paper, from the table."""

    def verdict(self, **intervals):
        rows = [
            {"score": name, "problem": "all", "correlation": 0.0, "low": low, "high": high, "runs": 110, "problems": 10}
            for name, (low, high) in intervals.items()
        ]
        return score_against_error.verdict(pd.DataFrame(rows))

    def test_an_interval_with_zero_tells_what_it_excludes(self):
        text = self.verdict(score_raw=(-0.412, 0.1), score_common_state=(-0.2, 0.55))
        assert text == (
            "Whether a high score predicts a low error, 10 problems cannot tell: what they exclude, at 95 %, is a mean "
            "correlation below -0.41 or above 0.1 (raw gradients), below -0.2 or above 0.55 (common-state directions)."
        )

    def test_an_interval_without_zero_tells_the_sign(self):
        text = self.verdict(score_raw=(-0.5, -0.1), score_common_state=(0.1, 0.3))
        assert text == (
            "For raw gradients a high score goes with a low error (-0.5 to -0.1). "
            "For common-state directions a high score goes with a high error (0.1 to 0.3)."
        )

    def test_without_an_interval_nothing_is_said(self):
        assert self.verdict(score_raw=(np.nan, np.nan)) == ""

    def test_it_stands_below_the_table_of_readme(self, tmp_path):
        problems = ("wave", "burgers", "allen_cahn", "korteweg_de_vries", "gray_scott", "ginzburg_landau")
        methods = ("adam", "soap", "gauss_newton", "my_method", "lbfgs")
        write_summary(tmp_path / "summary", Shape(methods, ("ic", "bc", "pde"), problems=problems))
        block = pages.scores_table(tmp_path)
        table = pd.read_csv(tmp_path / "summary" / "score_correlations.csv")
        text = score_against_error.verdict(table)
        assert text
        assert block.rstrip().endswith(text)
