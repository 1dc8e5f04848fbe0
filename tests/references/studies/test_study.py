"""The record of a study, the errors it is made of, and the command that writes it."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from gradalign.base.discovery import module_names
from gradalign.pipeline.cli import application
from gradalign.references.studies._contract import Series, errors

SMALL = {"times": 3, "points": 33, "modes": 129, "time_step": 0.01, "nodes": 801}


def call(*arguments):
    return CliRunner().invoke(application, [str(argument) for argument in arguments])


@pytest.fixture
def specification(tmp_path):
    path = tmp_path / "study.json"
    path.write_text(json.dumps({"scale": "smoke", "study": "published_burgers", "settings": SMALL}))
    return path


def test_rows_of_lines_and_numbers():
    line = Series("s", "quantity", "line", np.array([0.0, 1.0]), [2, math.nan])
    assert [(row["x"], row["series"]) for row in line.rows()] == [(0.0, "line"), (1.0, "line")]
    assert math.isnan(line.rows()[1]["y"])
    (row,) = Series.number("s", "quantity", "one", 3).rows()
    assert math.isnan(row["x"])
    assert row["y"] == 3.0
    for x, y in (([], []), ([1.0], [1.0, 2.0]), ([[1.0]], [[1.0]])):
        with pytest.raises(ValueError, match=r"one and the same \(N,\), N >= 1"):
            Series("s", "quantity", "line", x, y)


def test_errors_over_the_grid_and_by_time():
    t, x = np.array([0.0, 0.5, 1.0]), np.array([-1.0, 0.0, 1.0])
    exact = np.array([[0.0, 0.0, 0.0], [3.0, 0.0, 4.0], [1.0, 2.0, 2.0]])
    u = exact + np.array([[0.0, 0.1, 0.0], [0.0, -0.5, 0.0], [0.3, 0.0, 0.0]])
    found = {one.quantity: one for one in errors("s", "name", u, exact, t, x)}
    assert found["relative L2"].y[0] == pytest.approx(math.sqrt(0.35 / 34), rel=1e-12)
    by_time = found["relative L2 by time"]
    np.testing.assert_array_equal(by_time.x, t)
    assert math.isnan(by_time.y[0])
    np.testing.assert_allclose(by_time.y[1:], [0.1, 0.1], rtol=1e-12)
    parts = [found[f"largest error{part}"].y[0] for part in ("", ", time", ", place")]
    assert parts == [0.5, 0.5, 0.0]


def test_the_command_writes_a_row_per_point(specification, tmp_path):
    output = tmp_path / "studies" / "published_burgers.csv"
    given = ("study", "published_burgers", "--specification", specification, "--output", output)
    dry = call(*given, "--dry-run")
    assert dry.exit_code == 0, dry.output
    assert "would make the study published_burgers with times=3 points=33 modes=129" in " ".join(dry.output.split())
    assert not output.exists()
    found = call(*given)
    assert found.exit_code == 0, found.output
    assert "study published_burgers: 100%" in found.output
    table = pd.read_csv(output)
    assert table.columns.tolist() == ["study", "quantity", "series", "x", "y"]
    assert table["study"].unique().tolist() == ["published_burgers"]
    modes = table[(table["quantity"] == "modes") & (table["series"] == "published")]
    assert (modes["x"].isna().tolist(), modes["y"].tolist()) == ([True], [129.0])
    assert len(table[(table["quantity"] == "relative L2 by time") & (table["series"] == "published")]) == 3


def test_wrong_input_is_refused_before_any_compute(specification, tmp_path):
    output = tmp_path / "output.csv"
    for arguments, named in (
        (("astrology", "--specification", specification), "unknown study 'astrology'; allowed: published_allen_cahn"),
        (("published_cavity", "--specification", specification), "specification of study 'published_burgers'"),
    ):
        found = call("study", *arguments, "--output", output)
        assert found.exit_code == 1
        assert named in " ".join(found.output.split())
    content = json.loads(specification.read_text())
    content["settings"]["modes"] = 128
    specification.write_text(json.dumps(content))
    found = call("study", "published_burgers", "--specification", specification, "--output", output)
    assert found.exit_code == 1
    assert "must be odd" in found.output
    assert not output.exists()


def test_every_study_explains_itself():
    assert module_names("references.studies") == ["published_allen_cahn", "published_burgers", "published_cavity"]
    assert call("study", "--help").exit_code == 0
