"""The choice of settings: candidates fit, are compared where they were not trained, and the least residual wins."""

import os

import choice
import pandas as pd
import pytest
import yaml

CANDIDATES = yaml.safe_load(choice.CANDIDATES.read_text())
NAMES = [(problem, name) for problem, own in CANDIDATES.items() for name in own]


@pytest.mark.parametrize(("problem", "name"), NAMES)
def test_candidates_are_logged_on_points_drawn_anew_at_the_end_of_every_slab(problem, name):
    given = choice.settings_of(CANDIDATES[problem][name]).run(f"{problem}-gauss_newton")
    assert given.seeds == [choice.SEED]
    assert all(steps % given.training.points_every == 0 for steps in given.training.stage_steps)


@pytest.mark.parametrize("problem", CANDIDATES)
def test_the_first_candidate_is_the_scale_and_the_others_are_not(problem):
    base, *others = [
        choice.settings_of(overlay).run(f"{problem}-gauss_newton") for overlay in CANDIDATES[problem].values()
    ]
    assert base.training == choice.settings_of(None).run(base.name).training
    assert all(other != base for other in others)


def test_the_least_residual_within_the_time_is_chosen_and_other_problems_stay(tmp_path, monkeypatch):
    found = {"20 slabs, new points every 10 steps": (500.0, 2e-3), "10 slabs": (601.0, 1e-4)}
    found |= {"new points every 4 steps": (300.0, 1e-3)}

    def row(problem, candidate, overlay, directory):
        seconds, residual = found[candidate]
        return {"problem": problem, "candidate": candidate, "seconds": seconds, "validation_residual": residual}

    monkeypatch.setattr(choice, "row", row)
    monkeypatch.setenv("NPROC", "1")  # and put back at the end
    table = tmp_path / "choice.csv"
    pd.DataFrame({"problem": ["wave"], "candidate": ["sine"], "chosen": [True]}).to_csv(table, index=False)
    given = ["--problem", "korteweg_de_vries", "--table", str(table), "--directory", str(tmp_path)]
    choice.main(given)
    assert os.environ["NPROC"] == "2"
    rows = pd.read_csv(table).set_index(["problem", "candidate"])["chosen"]
    assert rows[rows].index.tolist() == [("wave", "sine"), ("korteweg_de_vries", "new points every 4 steps")]
    found["10 slabs"] = (300.0, 5e-4)  # one candidate alone, beside those of the table
    choice.main([*given, "--candidate", "10 slabs"])
    table = pd.read_csv(tmp_path / "choice.csv")
    assert len(table) == 4
    assert table[table["chosen"]]["candidate"].tolist() == ["sine", "10 slabs"]


def test_problems_that_take_other_numbers_of_cores_want_processes_of_their_own(capsys):
    with pytest.raises(SystemExit):
        choice.main(["--problem", "wave", "--problem", "gray_scott"])
    assert "wave, gray_scott take 1 and 2 cores" in capsys.readouterr().err


def test_an_unknown_candidate_is_named_with_those_there_are(capsys):
    with pytest.raises(SystemExit):
        choice.main(["--problem", "wave", "--candidate", "10 slabs"])
    assert "--candidate is '10 slabs'; allowed: 'width 24, depth 3" in capsys.readouterr().err
