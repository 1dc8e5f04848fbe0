"""The choice of settings: candidates fit, are compared where they were not trained, and the least residual wins."""

import os
from functools import cache

import choice
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import yaml

from gradalign.pipeline import configuration
from gradalign.training import checkpoints, loop

CANDIDATES = yaml.safe_load(choice.CANDIDATES.read_text())


@cache
def run(problem, name):
    return choice.run_of(problem, CANDIDATES[problem][name])[1]


NAMES = [(problem, name) for problem, own in CANDIDATES.items() for name in own]


@pytest.mark.parametrize(("problem", "name"), NAMES)
def test_candidates_fit_and_have_the_seed_of_the_choice_and_the_loss_weights_of_the_first(problem, name):
    given, first = run(problem, name), run(problem, next(iter(CANDIDATES[problem])))
    assert given.seeds == [choice.SEED]
    own, of_first = (one.training.weighting.initial for one in (given, first))
    terms = loop.build(given).problem.losses  # a condition that is built in has none
    assert [own.get(term, 1.0) for term in terms] == [of_first.get(term, 1.0) for term in terms]


@pytest.mark.parametrize("problem", CANDIDATES)
def test_the_first_candidate_is_the_scale_and_the_others_are_not(problem):
    base, *others = [run(problem, name) for name in CANDIDATES[problem]]
    scale = configuration.load([choice.CONFIGURATION], {"seeds": [choice.SEED]}).run(base.name)
    assert base == scale
    assert all(other != base for other in others)


@pytest.mark.slow
def test_the_validation_residual_is_that_of_fields_which_are_known(tmp_path):
    """A network that is zero leaves Burgers' equation -a sin(πx) at all times, here with a = 1, then a = 2."""
    slabs = {"steps": 80, "windows": {"count": 2, "network": "warm"}}
    given = choice.run_of("burgers", {"training": slabs})[1]
    experiment = loop.build(given)
    solution = jax.tree.map(jnp.zeros_like, experiment.solution(experiment.start(choice.SEED)))
    start = experiment.start(choice.SEED).start
    solution["start"] = jnp.stack([start, 2 * start])
    path = tmp_path / f"parameters/seed-{choice.SEED}.safetensors"
    path.parent.mkdir()
    checkpoints.save(path, solution, {"step": 0})
    viscosity = 0.01 / np.pi
    # u u_x - ν u_xx = π/2 a² sin(2πx) - ν π² a sin(πx)
    squares = [a**4 * np.pi**2 / 8 + viscosity**2 * np.pi**4 * a**2 / 2 for a in (1, 2)]
    assert choice.validation_residual(given, tmp_path) == pytest.approx(np.sqrt(np.mean(squares)), rel=0.01)


def test_the_least_residual_within_the_time_is_chosen_and_other_problems_stay(tmp_path, monkeypatch):
    found = {"20 slabs, new points every 10 steps": (500.0, 2e-3), "10 slabs": (601.0, 1e-4)}
    found |= {"new points every 4 steps": (300.0, 1e-3)}
    methods = {}

    def row(problem, candidate, overlay, directory):
        seconds, residual = found[candidate]
        names = {"problem": problem, "candidate": candidate, "method": methods.get(candidate, "gauss_newton")}
        return names | {"seconds": seconds, "validation_residual": residual}

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
    rows = pd.read_csv(table)
    assert len(rows) == 4
    assert rows[rows["chosen"]]["candidate"].tolist() == ["sine", "10 slabs"]
    methods["10 slabs"] = "spring"  # each method has a choice of its own
    choice.main([*given, "--candidate", "10 slabs"])
    rows = pd.read_csv(table)
    assert rows[rows["chosen"]]["candidate"].tolist() == ["sine", "new points every 4 steps", "10 slabs"]


def test_problems_that_take_other_numbers_of_cores_want_processes_of_their_own(capsys):
    with pytest.raises(SystemExit):
        choice.main(["--problem", "wave", "--problem", "gray_scott"])
    assert "wave, gray_scott take 1 and 2 cores" in capsys.readouterr().err


def test_an_unknown_candidate_is_named_with_those_there_are(capsys):
    with pytest.raises(SystemExit):
        choice.main(["--problem", "wave", "--candidate", "10 slabs"])
    assert "--candidate is '10 slabs'; allowed: 'sine, width 24, depth 2" in capsys.readouterr().err
