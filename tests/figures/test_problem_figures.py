"""Figures and tables of the ten problems, from made-up summaries: what they show is what the tables hold."""

import io
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from figure_items import ITEMS, drawn
from matplotlib.figure import Figure
from synthetic_fields import LAYOUTS, exact
from synthetic_results import EVERY_PROBLEM, error, write_summary

from figures.drawing import published_errors, soap_2024, training_plots
from figures.drawing.names import PROBLEMS, problem_name
from figures.drawing.rendering import styled
from figures.drawing.text import number, spread
from figures.items import fig_problem_error
from gradalign.references.solvers.cavity_tables import load

SPECIAL = {
    "fig_lid_driven_cavity_fields": "lid_driven_cavity",
    "fig_lid_driven_cavity_centrelines": "lid_driven_cavity",
    "fig_kolmogorov_flow_spectrum": "kolmogorov_flow",
}
PROBLEM_OF = SPECIAL | {
    name: item["arguments"]["problem"] for name, item in ITEMS.items() if "problem" in item.get("arguments", {})
}
# Drawn to the end, one for each kind of content; the others differ from these in their numbers alone
DRAWN = [
    *("fig_korteweg_de_vries_error", "fig_lid_driven_cavity_error", "fig_rayleigh_taylor_losses"),
    *("fig_kuramoto_sivashinsky_fields", "fig_gray_scott_fields", "fig_rayleigh_taylor_vorticity"),
    *("fig_wave_scores", "fig_soap_2024", *SPECIAL),
]


@pytest.fixture(scope="module")
def summary(tmp_path_factory):
    """Shared: tests that change it take ``own_summary``."""
    return write_summary(tmp_path_factory.mktemp("summary") / "summary", EVERY_PROBLEM)


@pytest.fixture
def own_summary(summary, tmp_path):
    return Path(shutil.copytree(summary, tmp_path / "summary"))


def draw(figure):
    with styled():
        figure.savefig(io.BytesIO(), dpi=50)


def change(summary, table, rows, **values):
    """Set columns of the rows of a table for which ``rows`` holds."""
    frame = pd.read_csv(summary / f"{table}.csv")
    chosen = rows(frame)
    assert chosen.any()
    for column, value in values.items():
        frame.loc[chosen, column] = value
    frame.to_csv(summary / f"{table}.csv", index=False)


def maps(axis):
    """The values of the map in a panel, as the file holds them: (x, y)."""
    (mesh,) = (artist for artist in axis.collections if type(artist).__name__ == "QuadMesh")
    return np.ma.getdata(mesh.get_array()).T


def test_every_problem_has_its_errors_fields_losses_and_scores():
    for problem in PROBLEMS:
        names = [name for name, owner in PROBLEM_OF.items() if owner == problem]
        assert {f"fig_{problem}_{kind}" for kind in ("error", "losses", "scores")} < set(names)
        assert any(name.endswith(("_fields", "_temperature")) for name in names)
        assert {ITEMS[name]["category"] for name in names} == {problem_name(problem)}
        assert all(ITEMS[name]["caption"].startswith(problem_name(problem)) for name in names)
    assert sorted(LAYOUTS) == sorted(PROBLEMS)


@pytest.mark.parametrize("name", sorted(PROBLEM_OF))
def test_figure_of_every_problem(name, summary):
    figure = drawn(name, summary)
    assert figure.axes
    assert figure.get_suptitle().startswith(problem_name(PROBLEM_OF[name]))


@pytest.mark.slow
@pytest.mark.parametrize("name", DRAWN)
def test_figures_are_drawn_without_a_warning(name, summary):
    with styled():
        draw(drawn(name, summary))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fig_wave_fields", "fig_gray_scott_fields", "fig_lid_driven_cavity_fields"])
def test_a_prediction_that_is_not_a_number_is_left_blank(name, own_summary):
    path = own_summary / "fields" / f"{PROBLEM_OF[name]}-adam.npz"
    with np.load(path) as stored:
        arrays = {key: np.full_like(a, np.nan) if key.startswith("predicted") else a for key, a in stored.items()}
    np.savez(path, **arrays)
    draw(drawn(name, own_summary))


def test_error_along_time_is_that_of_the_main_quantity(summary):
    figure = drawn("fig_rayleigh_taylor_error", summary)
    steps, _, time = figure.axes
    assert "error of T" in steps.get_ylabel()
    table = pd.read_csv(summary / "errors_in_time.csv")
    own = table[(table["run"] == "rayleigh_taylor-soap") & (table["quantity"] == "T") & (table["t"] > 0)]
    (line,) = (line for line in time.lines if line.get_label().startswith("SOAP"))
    np.testing.assert_array_equal(line.get_xdata(), own["t"])
    np.testing.assert_array_equal(line.get_ydata(), own["relative_l2"])
    assert len(drawn("fig_lid_driven_cavity_error", summary).axes) == 2  # steady


def test_band_is_the_range_over_the_seeds(summary):
    _, _, time = drawn("fig_wave_error", summary).axes
    table = pd.read_csv(summary / "errors_in_time.csv")
    by_time = table[(table["run"] == "wave-adam") & (table["t"] > 0)].groupby("t")["relative_l2"]
    band = time.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == pytest.approx(by_time.min().min(), rel=1e-12)
    assert band[:, 1].max() == pytest.approx(by_time.max().max(), rel=1e-12)


def test_published_errors_are_dotted_with_what_they_are_for(summary):
    assert list(published_errors.RELATIVE_L2) == list(PROBLEMS)
    assert set(published_errors.CONDITIONS) < set(PROBLEMS)
    for problem in ("lid_driven_cavity", "korteweg_de_vries"):
        figure = drawn(f"fig_{problem}_error", summary)
        dotted = {float(line.get_ydata()[0]) for line in figure.axes[0].lines if line.get_linestyle() == ":"}
        known = published_errors.RELATIVE_L2[problem]
        assert {known["adam"], known["soap"]} <= dotted
        assert not {known.get("kron"), known.get("muon")} & dotted  # no such run
        labels = [text.get_text() for text in figure.legends[0].texts]
        condition = f" for {published_errors.CONDITIONS[problem]}:" if problem in published_errors.CONDITIONS else ""
        assert f"SOAP, published [second-hand]{condition} {number(known['soap'])}" in labels


def test_a_reference_error_far_below_is_named_and_does_not_stretch_the_axis(summary):
    figure = drawn("fig_burgers_error", summary)
    assert "stated error of the reference 3.80e-11, below the axis" in [t.get_text() for t in figure.legends[0].texts]
    assert figure.axes[0].get_ylim()[0] > 1e-6
    own = drawn("fig_wave_error", summary)
    assert 1.2e-5 in [line.get_ydata()[0] for line in own.axes[0].lines if line.get_linestyle() == ":"]


@pytest.mark.parametrize("count", range(1, 8))
def test_a_legend_of_long_labels_lies_within_the_figure(count):
    with styled():
        figure = Figure(figsize=(training_plots.WIDTH, 3))
        axis = figure.subplots()
        for _ in range(count):
            axis.plot([0, 1], label="SOAP–Gauss–Newton, 19000 steps in 10 windows")
        training_plots._legend(figure, [None] * count)
    draw(figure)
    box = figure.legends[0].get_window_extent()
    assert len(figure.legends[0].texts) == count
    assert 0 <= box.x0 < box.x1 <= figure.bbox.x1


def test_a_run_with_one_loss_term_has_no_row_of_scores(own_summary):
    rows = len(drawn("fig_wave_scores", own_summary).axes)
    change(own_summary, "runs", lambda runs: runs["run"] == "wave-adam", loss_terms=1)
    figure = drawn("fig_wave_scores", own_summary)
    assert len(figure.axes) == rows - 3
    assert "n = 1" not in figure.legends[0].texts[-1].get_text()
    change(own_summary, "runs", lambda runs: runs["problem"] == "wave", loss_terms=1)
    figure = drawn("fig_wave_scores", own_summary)
    assert not figure.axes
    assert "one loss term has no score" in figure.texts[0].get_text()


def test_losses_of_ten_terms_have_a_panel_each_in_words(summary):
    titles = [axis.get_title() for axis in drawn("fig_rayleigh_taylor_losses", summary).axes]
    assert titles[0] == "Total, with loss weights"
    assert "Boundary condition of T (T_bc)" in titles
    assert sum(title.endswith(")") for title in titles) == 10


def test_snapshots_show_the_last_time_in_the_lowest_row_of_each_field(summary):
    figure = drawn("fig_gray_scott_fields", summary)
    with np.load(summary / "fields" / "gray_scott-soap.npz") as stored:
        arrays = dict(stored)
    rows = np.reshape([axis for axis in figure.axes if axis.get_label() != "<colorbar>"], (4, 5))
    assert [row[0].get_ylabel().split("\n")[0] for row in rows] == [
        "$u$ at $t$ = 0.1",
        "$u$ at $t$ = 0.2",
        "$v$ at $t$ = 0.1",
        "$v$ at $t$ = 0.2",
    ]
    reference, predicted = arrays["reference_v"][-1], arrays["predicted_v"][-1]
    np.testing.assert_array_equal(maps(rows[3][0]), reference)
    np.testing.assert_array_equal(maps(rows[3][2]), predicted)
    np.testing.assert_allclose(maps(rows[3][4]).max(), np.abs(predicted - reference).max(), rtol=1e-6)
    size = np.linalg.norm(predicted - reference) / np.linalg.norm(reference)
    assert rows[3][4].get_title() == f"rel. $L^2$ {number(size, 2)}"
    assert rows[0][3].get_title().startswith("Adam, error\nrel.")


def test_colours_are_those_of_the_reference_and_say_where_a_prediction_leaves_them(own_summary):
    path = own_summary / "fields" / "korteweg_de_vries-adam.npz"
    with np.load(path) as stored:
        arrays = dict(stored)
    np.savez(path, **arrays | {"predicted_u": arrays["predicted_u"] * 100})
    figure = drawn("fig_korteweg_de_vries_fields", own_summary)
    shown = figure.axes[1].collections[0]
    assert shown.norm.vmax == np.abs(arrays["reference_u"]).max()
    (bar,) = (axis for axis in figure.axes if axis.get_ylabel() == "$u$ (dimensionless)")
    assert bar._colorbar.extend == "both"


def test_centre_lines_are_interpolated_and_beside_the_tables_of_their_reynolds_number(own_summary):
    grid = np.linspace(0, 1, 24)  # 1/2 is none of its points
    x, y = np.meshgrid(grid, grid, indexing="ij")
    u, v = np.sin(2 * x) * y**2, np.cos(3 * y) * x
    arrays = {"x": grid, "y": grid, "reference_u": u, "reference_v": v, "predicted_u": 2 * u, "predicted_v": 3 * v}
    for method in ("adam", "soap"):
        np.savez(own_summary / "fields" / f"lid_driven_cavity-{method}.npz", **arrays)
    left, right = drawn("fig_lid_driven_cavity_centrelines", own_summary).axes
    np.testing.assert_allclose(left.lines[0].get_xdata(), np.sin(1) * grid**2, atol=1e-5)
    np.testing.assert_allclose(left.lines[1].get_xdata(), 2 * np.sin(1) * grid**2, atol=1e-5)
    np.testing.assert_allclose(right.lines[2].get_ydata(), 3 * np.cos(1.5) * grid, atol=1e-4)
    ghia = load("ghia1982", "u")
    assert len(left.lines) == len(right.lines) == 4  # Erturk's tables do not hold Re 400
    np.testing.assert_array_equal(left.lines[3].get_xdata(), ghia.values[400])
    np.testing.assert_array_equal(left.lines[3].get_ydata(), ghia.places)
    np.testing.assert_array_equal(right.lines[3].get_ydata(), load("ghia1982", "v").values[400])
    assert "sharp lid" in left.lines[3].get_label()

    for reynolds, tables in ((1000.0, 2), (1600.0, 0)):
        change(own_summary, "runs", lambda runs: runs["problem"] == "lid_driven_cavity", reynolds=reynolds)
        figure = drawn("fig_lid_driven_cavity_centrelines", own_summary)
        assert len(figure.axes[0].lines) == 3 + tables
        assert f"Re {reynolds:g}" in figure.get_suptitle()
        assert ("no table for this Re" in figure.get_suptitle()) is (tables == 0)


def test_spectrum_is_the_closed_form_of_the_made_up_flow(summary):
    # u = sum of cos(2 pi k y)/k^2 over k = 1..9 and v likewise in x: E(k) = 1/(2 k^4)
    left, right = drawn("fig_kolmogorov_flow_spectrum", summary).axes
    reference = left.lines[0]
    k = reference.get_xdata()
    np.testing.assert_array_equal(k, np.arange(1, 13))
    np.testing.assert_allclose(reference.get_ydata()[:9], 1 / (2.0 * k[:9] ** 4), rtol=1e-12)
    # Errors of both runs have one shape, and their sizes are known
    adam, soap, one = right.lines
    assert one.get_ydata()[0] == 1
    ratio = (error("adam", 1.0) / error("soap", 1.0)) ** 2
    np.testing.assert_allclose(adam.get_ydata()[:3] / soap.get_ydata()[:3], ratio, rtol=1e-2)  # float32 predictions


def test_fields_of_the_cavity_show_speed(summary):
    axes = drawn("fig_lid_driven_cavity_fields", summary).axes
    fields = exact("lid_driven_cavity")
    np.testing.assert_allclose(maps(axes[0]), np.hypot(fields["u"], fields["v"]), atol=1e-15)


def test_errors_table_has_every_quantity_and_the_worst_seed(summary):
    table = drawn("tab_errors", summary)
    errors = pd.read_csv(summary / "errors.csv")
    assert len(table) == len(errors.drop_duplicates(["run", "quantity"]))
    assert list(table["problem"].drop_duplicates()) == list(PROBLEMS.values())
    cavity = table[table["problem"] == "Lid-driven cavity"]
    assert cavity["quantity"].tolist()[:3] == ["speed (main)", "u", "v"]
    assert set(cavity["at the last time"]) == {"steady"}
    own = errors[(errors["run"] == "wave-adam")]
    row = table[(table["problem"] == "Wave equation") & (table["run"] == "Adam")].iloc[0]
    assert row["relative L2 error"] == spread(own["relative_l2"], 2)
    assert row["at the last time"] == spread(own["relative_l2_final_time"], 2)
    worst = own.loc[own["largest_error"].idxmax()]
    assert worst["seed"] == 2
    assert (row["largest error"], row["at"]) == (number(worst["largest_error"], 2), worst["largest_error_at"])


def test_references_table_lists_the_evidence(summary):
    table = drawn("tab_references", summary).set_index("problem")
    assert table.loc["Burgers' equation", "further evidence"] == "–"
    assert table.loc["Wave equation", "further evidence"].startswith("drift of conserved quantity 1 1.0e-10; drift")
    assert set(table["file"]) == {"826 kB"}


class TestPortOf2024:
    """The runs of SOAP and of its 2024 port, with errors and scores that are set by hand."""

    @pytest.fixture
    def set_values(self, own_summary):
        def set_values(problem, method, errors=None, score=None):
            run = f"{problem}-{method}"
            if errors:
                change(own_summary, "runs", lambda t: t["run"] == run, relative_l2=errors)
            if score is not None:
                chosen = lambda t: (t["run"] == run) & (t["quantity"] == "score_raw")  # noqa: E731
                change(own_summary, "curves", chosen, value=score)

        for problem in EVERY_PROBLEM.ported:
            for method, score in (("adam", 0.1), ("soap", 0.2), ("soap-2024", 0.3)):
                set_values(problem, method, score=score)
        return set_values

    def rows(self, summary):
        table = drawn("tab_soap_2024", summary)
        return table.set_index(["problem", "quantity"])["SOAP against Adam"]

    def verdict(self, summary):
        return soap_2024.verdict(soap_2024.comparisons(summary))

    def test_both_variants_stand_side_by_side_on_every_problem_with_both(self, summary):
        table = drawn("tab_soap_2024", summary)
        found = list(table["problem"].drop_duplicates())
        assert found == [*map(problem_name, EVERY_PROBLEM.ported), "all"]
        errors = table[table["quantity"] == "relative L2 error"]
        assert set(errors["port / SOAP"]) == {"1.3"}
        runs = pd.read_csv(summary / "runs.csv")
        own = runs.loc[runs["run"] == "wave-soap-2024", "relative_l2"]
        assert errors["SOAP, 2024 port"].iloc[0] == spread(own, 2)
        axes = drawn("fig_soap_2024", summary).axes
        assert [label.get_text() for label in axes[0].get_yticklabels()] == [
            *("Wave", "Burgers'", "Allen–Cahn", "Korteweg–de Vries")
        ]
        shown = [line for line in axes[0].lines if line.get_markerfacecolor() == "white" and len(line.get_xdata()) == 1]
        assert shown[0].get_xdata()[0] == own.median()

    def test_the_same_order_is_no_dependence(self, set_values, own_summary):
        rows = self.rows(own_summary)
        assert rows["Wave equation", "relative L2 error"] == "below with both"
        assert rows["Wave equation", "raw score"] == "above with both"
        assert "is reversed in none" in self.verdict(own_summary)
        assert "On 4 problems the median error of the port is 1.3 times" in self.verdict(own_summary)

    def test_a_reversed_order_is_named(self, set_values, own_summary):
        set_values("wave", "soap-2024", score=0.05)  # below Adam, where SOAP is above
        assert self.rows(own_summary)["Wave equation", "raw score"] == "above; the port below"
        assert "is reversed in raw score (Wave equation)" in self.verdict(own_summary)
        assert ", 1 reversed" in self.rows(own_summary)["all", "rankings"]

    def test_an_order_that_not_all_seeds_share_is_none(self, set_values, own_summary):
        set_values("burgers", "soap-2024", errors=[1e-4, 1e-4, 1.0])
        assert self.rows(own_summary)["Burgers' equation", "relative L2 error"] == "below; the port not apart"
        assert "with one variant only in relative L2 error (Burgers' equation" in self.verdict(own_summary)
        assert "overlap on each" in self.verdict(own_summary)
        set_values("burgers", "soap-2024", errors=[0.1, 0.1, 1.0])
        assert "are apart for Burgers' equation." in self.verdict(own_summary)

    def test_without_adam_there_is_no_ranking(self, own_summary):
        runs = pd.read_csv(own_summary / "runs.csv")
        runs[runs["method"] != "adam"].to_csv(own_summary / "runs.csv", index=False)
        assert set(self.rows(own_summary)[:-1]) == {"not measured"}
        assert "there is no ranking" in self.verdict(own_summary)
        draw(drawn("fig_soap_2024", own_summary))

    def test_unequal_steps_are_said(self, own_summary):
        change(own_summary, "runs", lambda t: t["run"] == "wave-soap-2024", steps=300)
        assert ("Wave equation (800 and 300 steps)", "raw score") in self.rows(own_summary).index

    def test_without_the_port_it_is_a_notice(self, own_summary):
        runs = pd.read_csv(own_summary / "runs.csv")
        runs[runs["changed"].isna()].to_csv(own_summary / "runs.csv", index=False)
        assert drawn("fig_soap_2024", own_summary).texts[0].get_text() == self.verdict(own_summary)
        assert "No problem has runs of both variants" in self.verdict(own_summary)


def test_a_problem_that_figures_do_not_know_is_shown_by_its_name(own_summary):
    for table in ("runs", "curves", "errors", "errors_in_time", "references"):
        change(own_summary, table, lambda t: t["problem"] == "wave", problem="my_problem")
    assert fig_problem_error.render(own_summary, problem="my_problem").get_suptitle().startswith("My problem:")
    assert drawn("tab_errors", own_summary)["problem"].iloc[-1] == "My problem"
    assert (
        fig_problem_error.render(own_summary, problem="wave").texts[0].get_text()
        == "Wave equation: no run at this scale."
    )
