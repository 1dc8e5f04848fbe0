"""The figure and the table of the errors of published reference data, from made-up studies."""

import re

import numpy as np
import pandas as pd
import pytest
from figure_items import script_of

from figures.drawing import rendering
from gradalign.references.studies._contract import Series

T = [0.0, 0.5, 1.0]


def errors(study, series, size):
    return [
        Series.number(study, "relative L2", series, size),
        Series(study, "relative L2 by time", series, T, [0.0, size, 2 * size]),
        Series.number(study, "largest error", series, 10 * size),
        Series.number(study, "largest error, time", series, 0.5),
        Series.number(study, "largest error, place", series, -1.0),
    ]


def studies(reynolds=5000.0, cells=(8, 24)):
    burgers, allen_cahn, cavity = "published_burgers", "published_allen_cahn", "published_cavity"
    found = {burgers: [], allen_cahn: [], cavity: []}
    for series, modes, size in (("published", 101, 4e-5), ("dealiased", 102, 2e-5), ("refined", 203, 1e-9)):
        found[burgers] += [Series.number(burgers, "modes", series, modes), *errors(burgers, series, size)]
    for series, modes in (("published", 77), ("band-limited", 304), ("kinked", 608)):
        found[allen_cahn].append(Series.number(allen_cahn, "modes", series, modes))
    for series, change in (("band-limited", 3e-12), ("kinked", 5e-7)):
        found[allen_cahn].append(Series.number(allen_cahn, "change with half the modes", series, change))
    for series, size in (
        ("published against band-limited", 6e-8),
        ("published against kinked", 7e-6),
        ("kinked against band-limited", 8e-6),
    ):
        found[allen_cahn] += errors(allen_cahn, series, size)
    found[cavity] += [Series.number(cavity, "Reynolds number", "converged", reynolds)]
    found[cavity] += [Series.number(cavity, "degree", "converged", 20)]
    for lid, scale in (("sharp", 1.0), ("regularised", 2.0)):
        line = Series(cavity, "relative L2 of the speed by cells", lid, cells, scale / np.array(cells) ** 2)
        found[cavity] += [line, Series.number(cavity, "change with a lower degree", lid, scale * 1e-4)]
    found[cavity] += [Series.number(cavity, "relative L2 of the speed", "regularised against sharp", 0.0123)]
    return found


def write(folder, found):
    rows = [row for series in found.values() for one in series for row in one.rows()]
    pd.DataFrame(rows).to_csv(folder / "studies.csv", index=False)
    return folder


@pytest.fixture
def figure_script():
    return script_of("fig_published_references")


@pytest.fixture
def table_script():
    return script_of("tab_published_references")


def texts(axis):
    return [text.get_text().replace("\n", " ") for text in axis.get_legend().get_texts()]


def dashed(axis, style):
    return [
        float(line.get_ydata()[0]) for line in axis.lines if line.get_linestyle() == style and len(line.get_ydata())
    ]


def test_a_panel_per_problem_with_numbers_of_the_table(figure_script, tmp_path):
    figure = figure_script.render(write(tmp_path, studies()))
    burgers, allen_cahn, cavity = figure.axes
    assert texts(burgers) == [
        "101 modes, as the published data: 4.00e-5",
        "102 modes, dealiased: 2.00e-5",
        "203 modes, not dealiased: 1.00e-9",
        "SOAP, published: 4.03e-5",
    ]
    assert dashed(burgers, "--") == [4e-5, 2e-5, 1e-9]
    assert dashed(burgers, ":") == [4.03e-5]
    assert texts(allen_cahn) == [
        "77 modes, as the published data, against the kinked initial condition: 7.00e-6",
        "77 modes, as the published data, against the band-limited initial condition: 6.00e-8",
        "SOAP, published: 3.48e-6",
    ]
    lines = [line for line in allen_cahn.lines if len(line.get_ydata()) == 3]
    np.testing.assert_array_equal([line.get_ydata()[1:] for line in lines], [[7e-6, 1.4e-5], [6e-8, 1.2e-7]])
    assert "Re 5000" in cavity.get_title()
    assert texts(cavity) == [
        "against the sharp lid, 24 cells: 1.74e-3",
        "published files, against it: 4.30e-2",
        "against the regularised lid, 24 cells: 3.47e-3",
        "published files, against it: 4.15e-2",
        "SOAP, published for Re 5000: 3.99e-2",
    ]
    assert dashed(cavity, "--") == [4.30e-2, 4.15e-2]
    assert dashed(cavity, ":") == [3.99e-2]
    assert [tick.get_text() for tick in cavity.get_xticklabels()] == ["8", "24"]


@pytest.mark.parametrize(("reynolds", "files"), [(100.0, ["3.6e-3", "3.5e-2"]), (123.0, [])])
def test_numbers_for_another_reynolds_number_are_not_drawn_as_if_for_this_one(
    reynolds, files, figure_script, table_script, tmp_path
):
    folder = write(tmp_path, studies(reynolds))
    cavity = figure_script.render(folder).axes[2]
    assert f"Re {reynolds:g}" in cavity.get_title()
    assert dashed(cavity, ":") == []
    assert "SOAP, published for Re 5000: 3.99e-2" in texts(cavity)
    assert [text.split(": ")[1] for text in texts(cavity) if "files" in text] == files
    table = table_script.render(folder)
    rows = table[table["problem"] == f"Cavity, Re {reynolds:g}"]
    assert len(rows) == 5 + len(files)
    assert set(rows["published SOAP error"]) == {"3.99e-2 (Re 5000)", "–"}


def test_the_table_names_both_solutions_of_every_comparison(table_script, tmp_path):
    table = table_script.render(write(tmp_path, studies()))
    assert table["problem"].tolist() == ["Burgers"] * 3 + ["Allen-Cahn"] * 3 + ["Cavity, Re 5000"] * 7
    assert table["relative L2"].tolist() == [
        *("4.00e-5", "2.00e-5", "1.00e-9"),
        *("6.00e-8", "7.00e-6", "8.00e-6"),
        *("1.56e-2", "1.74e-3", "4.30e-2"),
        *("3.12e-2", "3.47e-3", "4.15e-2", "1.23e-2"),
    ]
    initial = [re.findall(r"(kinked|band-limited) initial", row) for row in table["against"][3:6]]
    assert initial == [["band-limited"], ["kinked"], ["band-limited"]]
    assert table["uncertainty"].tolist()[:6] == ["1.0e-9", "1.0e-9", "–", "3.0e-12", "5.0e-7", "5.0e-7"]
    assert table["largest error"][4] == "7.00e-5 at t = 0.5, x = -1"
    quoted = table[table["source"].str.contains("measured once")]
    assert quoted["solution"].tolist() == ["published files, sharp lid"] * 2
    assert quoted["against"].tolist() == ["converged, sharp lid", "converged, regularised lid"]
    assert set(table["source"].drop(quoted.index)) == {"computed here"}
    assert table["solution"][7] == "second-order scheme, 24 × 24 cells, sharp lid"
    assert (table["uncertainty"][6], table["uncertainty"][9], table["uncertainty"][12]) == (
        "1.0e-4",
        "2.0e-4",
        "2.0e-4",
    )


def test_what_was_not_studied_is_left_out(figure_script, table_script, tmp_path):
    found = studies()
    del found["published_burgers"], found["published_cavity"]
    folder = write(tmp_path, found)
    assert [axis.get_title().split(",")[0] for axis in figure_script.render(folder).axes] == ["Allen-Cahn"]
    assert set(table_script.render(folder)["problem"]) == {"Allen-Cahn"}
    (tmp_path / "studies.csv").write_text("\n")
    assert figure_script.render(folder).texts
    assert table_script.render(folder).empty


@pytest.mark.slow
def test_the_same_studies_give_the_same_bytes(figure_script, table_script, tmp_path):
    folder = write(tmp_path, studies())
    for name in ("one", "two"):
        rendering.save_figure(figure_script.render(folder), tmp_path / name, "figure")
        rendering.save_table(table_script.render(folder), tmp_path / name, "table")
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
