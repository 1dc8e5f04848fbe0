"""The same seed gives the same bits on any number of cores; another seed gives another run."""

import itertools

import jax
import numpy as np
import pytest
from experiments import line_reference, specification
from tiny_run import Pipeline, Program, numbers

from gradalign.base import randomness
from gradalign.training import runner
from gradalign.training.loop import build

pytestmark = [pytest.mark.slow, pytest.mark.endurance]

WIDE = {
    "networks": {"burgers": {"architecture": "mlp", "width": 64, "depth": 2, "activation": "tanh"}},
    "training": {"first_order": {"steps": 20, "log_every": 10, "checkpoint_every": 20, "own_state": False}},
    "problems": {"burgers": {"points": {"ic": 64, "bc": 64, "pde": 1024}}},
    "seeds": [0],
}


def test_the_same_seed_gives_the_same_bits(tmp_path):
    """In two directories; the programs are compiled twice."""
    for name in ("one", "two"):
        runner.train(specification("soap", own_state=False), line_reference(), tmp_path / name)
    assert numbers(tmp_path / "one") == numbers(tmp_path / "two")


def test_the_threads_that_a_rule_is_given_change_no_bit(tmp_path):
    """Snakemake passes the cores of a rule to its commands as numbers of threads, which only NumPy and LAPACK read."""
    program = Program(tmp_path, WIDE)
    for cores in ("1", "2"):
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
        program.environment |= dict.fromkeys(names, cores)
        program.finish(tmp_path / cores)
    assert numbers(tmp_path / "1") == numbers(tmp_path / "2")


def test_one_core_and_two_give_the_same_bits(tmp_path, request, count):
    """A small pipeline with ``--cores 1``, and one with ``--cores 2``, in which the trainings run in parallel."""
    if request.config.getoption("--kills") < 3:
        pytest.skip("a minute: `make endurance`, or --kills 3")
    tiny = [
        {"problem": "burgers", "method": method, "network": "burgers", "training": "first_order"}
        for method in ("adam", "soap")
    ]
    one, two = (Pipeline(tmp_path / f"{cores}", tiny, cores) for cores in (1, 2))
    for pipeline in (one, two):
        process = pipeline.start("--until", "evaluate")
        said, _ = process.communicate()
        assert process.returncode == 0, said
    tables = one.tables(), two.tables()
    same = tables[0].keys() == tables[1].keys() and all(tables[0][name].equals(tables[1][name]) for name in tables[0])
    same &= one.parameters() == two.parameters()
    count("pipelines with --cores 1 and 2", 2, 2 * same, 2 * (not same))
    assert tables[0]
    assert same


def test_another_seed_changes_the_first_weights_and_every_point():
    experiment = build(specification("adam", own_state=False))
    seeds = (0, 1, 2**32 - 1)
    starts = [experiment.start(seed) for seed in seeds]
    for one, other in itertools.combinations(starts, 2):
        for a, b in zip(jax.tree.leaves(one.params), jax.tree.leaves(other.params), strict=True):
            # Biases start from zero; no two entries of kernels are equal by chance
            assert not np.any(a) or not np.any(a == b)
    keys = [randomness.stream(seed, "points") for seed in seeds]
    steps = [starts[0]._replace(step=np.int32(step)) for step in (0, 1)]
    batches = [experiment.points(key, loop) for key in keys for loop in steps]
    for one, other in itertools.combinations(batches, 2):
        assert one.keys() == other.keys() == {"ic", "bc", "pde"}
        assert not np.any(one["pde"][:, :2] == other["pde"][:, :2])
        assert not np.any(one["ic"][:, 1] == other["ic"][:, 1])  # t = 0
        assert not np.any(one["bc"][:, 0] == other["bc"][:, 0])  # x is a wall
