"""Steps that fit into the same time: what is timed, and the table that keeps other runs."""

import budget
import pandas as pd
import pytest
from experiments import specification


@pytest.mark.parametrize(("stages", "expected"), [(1, 1000), (4, 1000), (8, 960), (200, 2000)])
def test_the_steps_that_fit_have_whole_chunks_in_every_stage(stages, expected):
    """Of 1000 steps; at least one chunk a stage, even where that takes longer."""
    assert budget.fitting(2.0, 2.0, stages, 10) == expected


@pytest.mark.slow
def test_a_row_tells_the_time_of_a_step_and_how_many_fit(monkeypatch):
    monkeypatch.setattr(budget, "TIMED", 0.0001)
    found = budget.row(specification("adam"), 10.0)
    assert found["timed_steps"] > 0
    assert found["fitting_steps"] == pytest.approx(1e4 / found["milliseconds_per_step"], abs=10)


@pytest.mark.slow
def test_a_run_that_fails_has_no_time(monkeypatch):
    monkeypatch.setattr(budget, "TIMED", 0.0001)
    found = budget.row(specification("adam", problem_settings={"viscosity": 1e300}), 10.0)
    assert found["fitting_steps"] == 0
    assert found["failed_step"] > 0


def test_rows_of_other_runs_stay_in_the_table(tmp_path, monkeypatch):
    monkeypatch.setattr(budget, "row", lambda given, seconds: {"run": given.name, "seconds": seconds})
    monkeypatch.setenv("NPROC", "2")  # and put back at the end
    table = tmp_path / "budget.csv"
    for seconds, run in (("1", "burgers-adam"), ("1", "burgers-soap"), ("2", "burgers-adam")):
        budget.main(["--scale", "smoke", "--seconds", seconds, "--run", run, "--table", str(table)])
    assert pd.read_csv(table).set_index("run")["seconds"].to_dict() == {"burgers-soap": 1.0, "burgers-adam": 2.0}
