"""Every figure and table from small made-up summaries: any runs, any number of terms, and always the same bytes."""

import dataclasses
import doctest
import importlib
import inspect
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from figure_items import ITEMS, drawn, script_of
from synthetic_results import SHAPES, write_summary

from figures import FIGURES, manifest
from figures.drawing import rendering
from figures.drawing.names import BLACK, METHODS
from figures.drawing.summary import late_means, mapped_runs, read_runs, read_table
from figures.drawing.text import number
from gradalign.base.errors import ConfigurationError
from gradalign.claims._records import claim_number

EXAMPLES = (
    "drawing.field_plots",
    "drawing.names",
    "drawing.snapshot_plots",
    "drawing.soap_2024",
    "drawing.summary",
    "drawing.text",
    "items.tab_mean_rank",
    "items.tab_references",
    "items.tab_runs",
    "items.tab_verdicts",
    "pages",
)
WITH_PDF = ("fig_claims", "fig_burgers_fields")
"""Lines and text; rasters."""

SUFFIXES = {"figure": (".pdf", ".png"), "table": (".csv", ".md", ".tex")}


@pytest.fixture(
    scope="module",
    params=[
        "two methods, two terms",
        pytest.param("three methods, three terms", marks=pytest.mark.slow),
        pytest.param("one unknown method, one seed", marks=pytest.mark.slow),
    ],
    ids=lambda name: name.replace(", ", "-").replace(" ", "_"),
)
def shape_and_summary(request, tmp_path_factory):
    shape = SHAPES[request.param]
    return shape, write_summary(tmp_path_factory.mktemp("summary") / "summary", shape)


@pytest.fixture
def summary(tmp_path):
    return write_summary(tmp_path / "summary", SHAPES["two methods, two terms"])


@pytest.fixture(scope="module")
def rendered(shape_and_summary, tmp_path_factory):
    """All items of a summary, each rendered once; claims and problems without runs are the same in every shape.

    The fonts of a PDF cost more than all else: here two figures have one, and all do in tests/paper/test_paper.py.
    """
    folder = tmp_path_factory.mktemp("rendered")
    shape, summary = shape_and_summary
    wanted = [
        name
        for name, item in ITEMS.items()
        if shape is SHAPES["two methods, two terms"]
        or (item["category"] != "Claims" and item.get("arguments", {}).get("problem", "burgers") in shape.problems)
    ]
    both, png = rendering.UNDATED, {".png": rendering.UNDATED[".png"]}
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        for name in wanted:
            patch.setattr(rendering, "UNDATED", both if name in WITH_PDF else png)
            found[name] = rendering.render_item(ITEMS[name], summary, folder)
    return found


def test_every_item_renders_for_every_shape(rendered):
    for name, paths in rendered.items():
        suffixes = SUFFIXES[ITEMS[name]["kind"]]
        assert [path.name for path in paths] == [
            f"{name}{suffix}" for suffix in suffixes if suffix != ".pdf" or name in WITH_PDF
        ]
        assert all(path.stat().st_size > 90 for path in paths)


def test_a_published_error_is_shown_for_the_same_setting_alone(summary):
    runs = pd.read_csv(summary / "runs.csv")
    for problem, horizon in (("kuramoto_sivashinsky", 1.0), ("gray_scott", 0.2)):
        other = runs.assign(problem=problem, run=f"{problem}-" + runs["method"], horizon=horizon)
        runs = pd.concat([runs, other[runs["problem"] == "burgers"]], ignore_index=True)
    runs.to_csv(summary / "runs.csv", index=False)
    diamonds = {
        line.get_xdata()[0] for line in drawn("fig_headline", summary).axes[0].lines if line.get_marker() == "d"
    }
    assert diamonds == {4.03e-5, 3.86e-2}  # of Burgers and, for t <= 1, of Kuramoto-Sivashinsky


def test_a_published_error_is_compared_with_the_same_setting_alone(summary):
    runs = pd.read_csv(summary / "runs.csv")
    burgers = runs["problem"] == "burgers"
    runs.loc[burgers & (runs["method"] == "soap"), "relative_l2"] = 4.03e-6
    elsewhere = runs[burgers].assign(problem="kuramoto_sivashinsky", horizon=0.5)
    here = elsewhere.assign(horizon=1.0, run=elsewhere["run"] + "-long")
    elsewhere["run"] += "-short"
    pd.concat([runs, elsewhere, here]).to_csv(summary / "runs.csv", index=False)
    references = pd.read_csv(summary / "references.csv")
    row = references[references["problem"] == "burgers"].assign(problem="kuramoto_sivashinsky")
    pd.concat([references[references["problem"] != "kuramoto_sivashinsky"], row]).to_csv(
        summary / "references.csv", index=False
    )
    table = drawn("tab_headline", summary)
    ratios = {name: rows["published / here"].tolist() for name, rows in table.groupby("problem")}
    assert "10" in ratios["Burgers' equation"]
    assert sorted(ratio == "–" for ratio in ratios["Kuramoto–Sivashinsky equation"]) == [False, False, True, True]


HOSTILE = """
text.usetex: true
font.family: serif
font.size: 30
lines.linewidth: 9
axes.xmargin: 0.4
axes.unicode_minus: false
figure.figsize: 3, 2
savefig.bbox: tight
savefig.facecolor: red
path.simplify: false
path.sketch: 5, 50, 5
pdf.compression: 0
image.origin: lower
image.interpolation: bicubic
legend.fancybox: false
"""
"""Settings that a user may have, none of which is in the style of the figures."""


@pytest.mark.slow
def test_bytes_are_the_same_in_another_process_of_a_user_with_settings_for_matplotlib(
    shape_and_summary, rendered, tmp_path
):
    code = "import sys; from pathlib import Path\n"
    code += "from figures.manifest import item\nfrom figures.drawing.rendering import render_item\n"
    code += "for name in sys.argv[3:]: render_item(item(name), Path(sys.argv[1]), Path(sys.argv[2]))"
    names = [name for name in (*WITH_PDF, "tab_claims") if name in rendered]
    (tmp_path / "stylelib").mkdir()
    for path in ("matplotlibrc", "stylelib/mine.mplstyle", "unreadable"):
        (tmp_path / path).write_bytes(b"# \xff")
    if "fig_claims" in names:  # of the working directory, which Matplotlib reads before that of MATPLOTLIBRC
        (tmp_path / "here").mkdir()
        (tmp_path / "here/matplotlibrc").write_text(HOSTILE)
    subprocess.run(
        [sys.executable, "-c", code, str(shape_and_summary[1]), str(tmp_path), *names],
        cwd=tmp_path / "here" if "fig_claims" in names else FIGURES.parent,
        env=dict(
            os.environ,
            PYTHONHASHSEED="12345",
            PYTHONPATH=os.pathsep.join([str(FIGURES.parent), os.environ.get("PYTHONPATH", "")]),
            MPLBACKEND="none of this name",
            MPLCONFIGDIR=str(tmp_path),
            MATPLOTLIBRC=str(tmp_path / "unreadable"),
        ),
        check=True,
    )
    for path in (path for name in names for path in rendered[name]):
        assert path.read_bytes() == (tmp_path / path.name).read_bytes(), path.name


def test_manifest_lists_every_script_with_its_caption_and_the_arguments_that_it_takes():
    scripts = {f"figures/items/{path.name}" for path in (FIGURES / "items").glob("[!_]*.py")}
    assert {item["script"] for item in ITEMS.values()} == scripts
    assert len({(item["script"], repr(item.get("arguments"))) for item in ITEMS.values()}) == len(ITEMS)
    for item in ITEMS.values():
        assert set(item) - {"arguments"} == {"name", "kind", "script", "reads", "caption", "category"}
        assert item["kind"] == {"fig": "figure", "tab": "table"}[item["name"][:3]]
        assert item["caption"].endswith(".")
        # Raises for too many or too few
        inspect.signature(script_of(item["name"]).render).bind(Path(), **item.get("arguments", {}))


@pytest.mark.parametrize(
    ("name", "table", "column"),
    [
        ("fig_burgers_error", "curves", "value"),
        ("fig_burgers_error", "runs", "reference_error"),
        ("fig_burgers_error", "errors_in_time", "relative_l2"),
        ("fig_burgers_error", "runs", "score"),
        ("fig_burgers_scores", "runs", "loss_terms"),
        ("fig_score_definitions", "runs", "changed"),
        ("tab_score_definitions", "runs", "b1"),
        ("fig_burgers_losses", "curves", "quantity"),
        ("fig_claims", "claims", "tolerance"),
        ("fig_soap_regimes", "claim_curves", "series"),
        ("tab_claims", "claims", "statement"),
        ("tab_verdicts", "claims", "claim"),
        ("tab_runs", "runs", "relative_l2"),
        ("tab_references", "references", "solver"),
        ("tab_references", "reference_evidence", "value"),
        ("tab_errors", "errors", "largest_error_at"),
        ("tab_soap_2024", "runs", "variant"),
        ("tab_method_comparison", "runs", "milliseconds_per_step"),
        ("fig_equal_time", "runs", "windows"),
        ("tab_mean_rank", "mean_ranks", "low"),
        ("fig_score_against_error", "score_correlations", "correlation"),
    ],
)
def test_a_missing_column_is_named(name, table, column, summary, tmp_path):
    path = summary / f"{table}.csv"
    if table == "claim_curves":
        path.write_text("claim,quantity,series,seed,x,y\nT31,quantity,series,0,1.0,1.0\n")
    pd.read_csv(path).drop(columns=column).to_csv(path, index=False)
    with pytest.raises(ConfigurationError, match=rf"{table}\.csv has no column '{column}'; found: .*snakemake"):
        rendering.render_item(ITEMS[name], summary, tmp_path / "output")
    assert not (tmp_path / "output").exists()


def test_missing_files_and_names_are_named(summary, tmp_path):
    (summary / "claims.csv").unlink()
    (summary / "fields" / "burgers-soap.npz").unlink()
    with pytest.raises(ConfigurationError, match=r"claims\.csv is missing"):
        rendering.render_item(ITEMS["tab_claims"], summary, tmp_path)
    with pytest.raises(ConfigurationError, match=r"burgers-soap\.npz is missing"):
        rendering.render_item(ITEMS["fig_burgers_fields"], summary, tmp_path)
    with pytest.raises(ConfigurationError, match=r"unknown figure or table 'fig_x'; allowed: .*fig_claims"):
        manifest.item("fig_x")


@pytest.mark.parametrize(
    "name",
    [
        "fig_burgers_error",
        "fig_burgers_fields",
        "fig_claims",
        "fig_score_definitions",
        "fig_soap_2024",
        "fig_kolmogorov_flow_spectrum",
        "fig_gray_scott_fields",
        "fig_equal_time",
        "fig_score_against_error",
        "tab_equal_time",
        "tab_mean_rank",
        "tab_time_to_published",
        "tab_score_against_error",
        "tab_errors",
        "tab_references",
        "tab_soap_2024",
        "tab_runs",
        "tab_score_definitions",
    ],
)
def test_an_empty_summary_is_no_error(name, summary, tmp_path):
    tables = ["claims", "references", "reference_evidence", "runs", "curves", "errors", "errors_in_time"]
    for table in [*tables, "mean_ranks", "score_correlations"]:
        (summary / f"{table}.csv").write_text("\n")  # what `summarise` writes where there is nothing to gather
    assert all(path.is_file() for path in rendering.render_item(ITEMS[name], summary, tmp_path))


def test_a_table_without_rows_says_so(tmp_path):
    path, *_ = rendering.save_table(pd.DataFrame(columns=["problem", "run"]), tmp_path, "tab_x")
    assert path.read_text() == "problem,run\nnothing at this scale,\n"


def test_a_table_is_parsed_once_until_its_file_changes(summary, monkeypatch):
    parsed = []
    monkeypatch.setattr(pd, "read_csv", lambda *a, read=pd.read_csv, **k: parsed.append(a) or read(*a, **k))
    first = read_table(summary, "runs", ["run"])
    names = first["run"].tolist()
    first["run"] = "changed by a script"
    assert read_table(summary, "runs", ["run"])["run"].tolist() == names
    assert len(parsed) == 1
    text = (summary / "runs.csv").read_text(encoding="utf-8")
    (summary / "runs.csv").write_text(text.replace(names[0], names[0][::-1]), encoding="utf-8")
    assert read_table(summary, "runs", ["run"])["run"].tolist()[0] == names[0][::-1]
    assert len(parsed) == 2


def test_null_line_follows_the_number_of_terms(shape_and_summary, tmp_path):
    shape, summary = shape_and_summary
    figure = drawn("fig_burgers_scores", summary)
    null = 2 / len(shape.terms) - 1
    dashed = [line for line in figure.axes[0].lines if line.get_linestyle() == "--"]
    assert [float(line.get_ydata()[0]) for line in dashed] == [pytest.approx(null, abs=1e-15)]


def test_a_method_looks_the_same_with_and_without_others(tmp_path):
    looks = []
    for name in ("three methods, three terms", "two methods, two terms"):
        summary = write_summary(tmp_path / name.split()[0], SHAPES[name])
        looks.append({run.method: (run.colour, run.marker, run.line) for run in read_runs(summary, "burgers")})
    assert looks[0]["soap"] == looks[1]["soap"]
    assert len({colour for colour, _, _ in looks[0].values()}) == 3


@pytest.mark.slow
def test_figures_of_all_methods_stay_as_large_as_a_page(tmp_path):
    """Maps show the four runs with the least error and say so; rows of scores share the height."""
    shape = dataclasses.replace(SHAPES["two methods, two terms"], methods=tuple(METHODS), rows=3)
    summary = write_summary(tmp_path / "summary", shape)
    path = summary / "runs.csv"
    runs = pd.read_csv(path)
    least = ["burgers-adam", "burgers-muon", "burgers-shampoo", "burgers-spring"]
    runs["relative_l2"] = [1.0 if run in least else 2.0 for run in runs["run"]]
    runs.to_csv(path, index=False)
    shown, said = mapped_runs(summary, "burgers")
    assert ([run.name for run in shown], said) == (least, f"; the 4 of {len(METHODS)} runs with the least error")
    maps = drawn("fig_burgers_fields", summary)
    assert maps.get_suptitle().endswith(said)
    assert [axis.get_title() for axis in maps.axes[:5]] == ["Reference", "Adam", "Muon", "Shampoo", "SPRING"]
    for name in (
        "fig_burgers_scores",
        "fig_burgers_scores_and_error",
        "fig_burgers_inter_step",
        "fig_score_definitions",
    ):
        figure = drawn(name, summary)
        assert figure.get_figheight() <= 9.4
        assert figure.get_figwidth() == 7.2


def test_runs_in_equal_windows_of_time_show_at_the_end_of_each(summary):
    path = summary / "runs.csv"
    runs = pd.read_csv(path)
    steps = int(runs["steps"].iloc[0])
    logged = drawn("fig_burgers_error", summary).axes[0].lines[0].get_xdata()
    assert len(logged) > 2
    assert {0, steps // 2} < {0, *logged}
    runs["windows"] = 2
    longer_first = steps // 4  # windows that are not equal show at every logged step
    for last, shown in [(steps // 2, [steps // 2, steps]), (longer_first, logged)]:
        runs["last_stage_steps"] = last
        runs.to_csv(path, index=False)
        for name in ("fig_burgers_error", "fig_burgers_losses"):
            line = drawn(name, summary).axes[0].lines[0]
            np.testing.assert_array_equal(line.get_xdata(), shown)
            assert line.get_label().endswith(f", {steps} steps in 2 windows")


def test_two_runs_of_one_method_have_different_lines_and_labels(summary):
    runs = pd.read_csv(summary / "runs.csv")
    again = runs[runs["method"] == "soap"].assign(run="burgers-soap-2024", variant="soap-jax-2024")
    pd.concat([runs, again]).to_csv(summary / "runs.csv", index=False)
    first, second = (run for run in read_runs(summary, "burgers") if run.method == "soap")
    assert (first.label, second.label) == ("SOAP", "SOAP (soap-jax-2024)")
    assert first.colour == second.colour
    assert first.line != second.line


@pytest.fixture
def varied(summary):
    """Variations of SOAP on Burgers, and a second problem with two loss terms in one run and three in another."""
    runs, curves = pd.read_csv(summary / "runs.csv"), pd.read_csv(summary / "curves.csv")
    copies = {
        "burgers-soap-fixed": {"changed": "fixed points", "points_every": 800},
        "burgers-soap-no-memory": {"changed": "b1 = 0", "b1": 0.0},
        "allen_cahn-soap": {"problem": "allen_cahn"},
        "allen_cahn-soap-penalised": {"problem": "allen_cahn", "changed": "penalised boundary", "loss_terms": 3},
    }
    soap = runs[runs["method"] == "soap"]
    rows = [soap.assign(run=name, **values) for name, values in copies.items()]
    lines = [
        curves[curves["run"] == "burgers-soap"].assign(run=name, problem=values.get("problem", "burgers"))
        for name, values in copies.items()
    ]
    for name in copies:
        shutil.copy(summary / "fields" / "burgers-soap.npz", summary / "fields" / f"{name}.npz")
    pd.concat([runs, *rows]).to_csv(summary / "runs.csv", index=False)
    pd.concat([curves, *lines]).to_csv(summary / "curves.csv", index=False)
    return summary


def test_variations_stay_out_of_the_figures_of_their_problem_unless_asked_for(varied):
    plain = [run.label for run in read_runs(varied, "burgers")]
    assert plain == ["Adam", "SOAP"]
    everything = read_runs(varied, "burgers", variations=True)
    assert [run.label for run in everything] == ["Adam", "SOAP", "SOAP, fixed points", "SOAP, b1 = 0"]
    assert len({run.line for run in everything if run.method == "soap"}) == 3
    labels = [text.get_text() for text in drawn("fig_burgers_error", varied).legends[0].texts]
    assert not any("fixed" in label for label in labels)
    fields = drawn("fig_allen_cahn_fields", varied)
    assert [axis.get_title() for axis in fields.axes[:2]] == ["Reference", "SOAP"]


def test_scores_of_runs_with_different_numbers_of_terms_have_their_own_null_lines(varied):
    figure = drawn("fig_allen_cahn_scores", varied)
    nulls = [
        float(line.get_ydata()[0]) for axis in figure.axes[::3] for line in axis.lines if line.get_linestyle() == "--"
    ]
    assert nulls == [0.0, pytest.approx(-1 / 3, abs=1e-15)]
    assert "2/n − 1 = 0 (n = 2), −1/3 (n = 3)" in figure.legends[0].texts[-1].get_text()


def test_definitions_of_the_score_are_means_of_the_second_half_by_seed(varied):
    curves = pd.read_csv(varied / "curves.csv")
    late = curves[(curves["run"] == "burgers-soap") & (curves["step"] >= 400)]
    expected = {
        quantity: late[late["quantity"] == quantity].groupby("seed")["value"].mean()
        for quantity in ("score_common_state", "score_inter_update")
    }
    (run,) = (run for run in read_runs(varied, "burgers") if run.method == "soap")
    pd.testing.assert_series_equal(
        late_means(varied, run, "score_common_state"), expected["score_common_state"], check_exact=True
    )
    table = drawn("tab_score_definitions", varied)
    assert table["run"].tolist() == [
        *("Adam", "SOAP", "SOAP, fixed points", "SOAP, b1 = 0"),
        *("SOAP", "SOAP, penalised boundary"),
    ]
    assert table["2/n − 1"].tolist() == ["0", "0", "0", "0", "0", "-1/3"]
    assert table["points"].tolist().count("fixed") == 1
    assert table["b1"].tolist() == ["0.9", "0.99", "0.99", "0", "0.99", "0.99"]
    assert table.loc[1, "updates"].startswith(number(float(expected["score_inter_update"].mean())))
    left, right = drawn("fig_score_definitions", varied).axes
    means = [line for line in left.lines if line.get_marker() == "s" and len(line.get_xdata()) == 1]
    assert float(means[1].get_xdata()[0]) == pytest.approx(float(expected["score_common_state"].mean()), rel=1e-12)
    bars = [line for line in left.lines if line.get_color() == BLACK]
    assert [float(bar.get_xdata()[0]) for bar in bars[:5]] == [0.0] * 5
    assert float(bars[5].get_xdata()[0]) == pytest.approx(-1 / 3)
    (momentum_alone,) = (line for line in right.lines if line.get_linestyle() == "--")
    np.testing.assert_array_equal(momentum_alone.get_xdata(), momentum_alone.get_ydata())


def test_a_problem_without_runs_is_a_notice(summary):
    for name in ("fig_allen_cahn_error", "fig_allen_cahn_fields", "fig_allen_cahn_scores"):
        assert drawn(name, summary).texts[0].get_text() == "Allen–Cahn equation: no run at this scale."


def test_comparison_with_adam(summary, tmp_path):
    rows = drawn("tab_method_comparison", summary).set_index("method")
    runs = pd.read_csv(summary / "runs.csv").groupby("method")["relative_l2"].median()
    assert rows.loc["SOAP", "Adam / method"] == number(runs["adam"] / runs["soap"])
    assert rows.loc["SOAP", "published Adam / method"] == number(8.20e-5 / 4.03e-5)
    assert "second-hand" in rows.loc["SOAP", "source of the published"]


def test_claims_are_sorted_by_number(summary):
    claims = drawn("tab_claims", summary)["claim"].tolist()
    assert claims[:3] == ["T1a", "T1b", "T1c"]
    assert claims.index("T9c") < claims.index("T10a") < claims.index("T32a")


def test_fig_claims_has_a_row_per_claim(summary):
    rows = [f"T{number}" for number in range(1, 39)] + ["T26b", "T27b"]
    claims = pd.read_csv(summary / "claims.csv")
    pd.concat([claims.head(1).assign(claim=name) for name in rows]).to_csv(summary / "claims.csv", index=False)
    axes = drawn("fig_claims", summary).axes
    labels = [[label.get_text() for label in axis.get_yticklabels()] for axis in axes]
    assert sorted(label for column in labels for label in column) == sorted(rows)
    assert labels[1][labels[1].index("T26") + 1] == "T26b"
    assert max(map(len, labels)) < 25


def test_verdicts_name_claims_and_figures_that_exist():
    verdicts = yaml.safe_load((FIGURES / "verdicts.yaml").read_text(encoding="utf-8"))
    for row in verdicts:
        assert list(row) == ["claim", "stated in", "verdict", "condition", "counterexample", "claims", "figure"]
        assert set(re.split("; [a-z ]+: ", row["stated in"])) <= {"abstract", "digest", "ours"}
        assert all(isinstance(row[key], str) for key in row if key != "claims"), row["claim"]
        assert [claim_number(claim) for claim in row["claims"]] == row["claims"]
        assert ITEMS[row["figure"]]["kind"] == "figure"
    assert len({row["claim"] for row in verdicts}) == len(verdicts) == 15


def test_verdicts_count_the_records_of_their_claims(summary):
    rows = drawn("tab_verdicts", summary).set_index("claims")["confirmed"]
    assert rows["T1"] == "1 proven, 1 counterexample, 1 observation"
    assert rows["T3, T11, T12, T13"] == "2 proven, 2 counterexamples, 2 observations; T12, T13 not checked"
    confirmed = "5 proven, 5 counterexamples, 4 observations; violated: 1 observation"
    assert rows["T26, T27, T27b, T28, T29, T30, T31, T32"] == f"{confirmed}; T26, T27, T27b not checked"
    assert rows["T38"] == "not checked at this scale"


def test_proofs_and_observations_are_counted_and_drawn_apart(summary):
    figure = drawn("fig_claims", summary)
    title = "53 of 54 records confirmed:\n18 proven, 18 counterexamples, 17 observations"
    assert figure.get_suptitle() == title
    marks = [[len(points.get_offsets()) for points in axis.collections] for axis in figure.axes]
    assert np.sum(marks, axis=0).tolist() == [36, 17, 1]


def test_excess_in_tolerances():
    table = pd.DataFrame(
        [
            ("equal", 1.0, 0.5, 0.25),
            ("at most", 1.0, 1.5, 0.5),
            ("at most", 1.0, 0.5, 0.5),
            ("at least", 1.0, 0.5, 0.5),
            ("at least", 1.0, 1.5, 0.5),
            ("equal", 1.0, 1.0, 0.0),
        ],
        columns=["comparison", "expected", "measured", "tolerance"],
    )
    assert script_of("fig_claims")._ratio(table).tolist() == [2.0, 1.0, 0.0, 1.0, 0.0, 0.0]


def test_markdown_and_latex_escape_special_characters(summary, tmp_path):
    _, markdown, latex = (path.read_text() for path in rendering.render_item(ITEMS["tab_claims"], summary, tmp_path))
    assert {line.replace(r"\|", "").count("|") for line in markdown.splitlines()} == {9}
    assert r"\#" in latex
    assert r"a\_b" in latex
    assert r"\toprule" in latex


@pytest.mark.parametrize("power", range(-12, 13))
def test_numbers_keep_their_size(power):
    for mantissa in (1.0, -1.0, 1.2, 9.996, -3.456):
        value = mantissa * 10.0**power
        assert float(number(value)) == pytest.approx(value, rel=5e-3)  # three significant digits


def test_examples_in_docstrings():
    modules = [importlib.import_module(f"figures.{name}") for name in EXAMPLES]
    results = [doctest.testmod(module) for module in modules]
    assert all(result.attempted > 0 and result.failed == 0 for result in results)
