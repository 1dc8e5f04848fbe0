"""Trainings and pipelines that are stopped, or killed with SIGKILL at random moments, end as if nothing had happened.

Every test run includes one kill of a training; ``make endurance`` does fifty of a training and of the smoke pipeline.
"""

import os
import random
import shutil
import signal
import subprocess
import time

import pandas as pd
import pytest
from safetensors import safe_open
from tiny_run import ROOT, Pipeline, Program, numbers

from gradalign.base.files import exclusive

pytestmark = [pytest.mark.slow, pytest.mark.endurance]


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """A command that trains a tiny run and has already done so once."""
    program = Program(tmp_path_factory.mktemp("killed"))
    program.finish(program.folder / "whole")
    return program


def killed(process, seconds, begun=lambda: True):
    """Kill the process and all that it started, so many seconds after it had ``begun``; False if it ended before."""
    while not begun() and process.poll() is None:
        time.sleep(0.002)
    try:
        said, _ = process.communicate(timeout=seconds)
        assert process.returncode == 0, said
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return True
    return False


def half_written(folder):
    return [path for path in folder.rglob("*") if "partial" in path.name]


def test_a_training_that_is_killed_ends_bit_for_bit(program, request, count):
    """Half of the kills fall into steps and writes of checkpoints, half at any time after the start."""
    kills, draw = request.config.getoption("--kills"), random.Random(0)
    expected = numbers(program.folder / "whole")
    began = time.monotonic()
    if kills > 1:
        program.finish(program.folder / "whole")
    overhead = time.monotonic() - began  # of a finished run: the time before the first step
    tried = survived = wrong = writing = 0

    def once_more(output):
        before = checkpoints(output)
        if tried % 2 == 0:
            return killed(program.start(output), draw.uniform(0.0, 1.0), lambda: checkpoints(output) - before)
        return killed(program.start(output), draw.uniform(0.3 * overhead, 1.2 * overhead + 0.5))

    try:
        while tried < kills:
            output, before = program.folder / f"killed-{tried}", tried
            while tried < kills and once_more(output):
                tried += 1
                writing += bool(half_written(output))
            program.finish(output)
            right = numbers(output) == expected
            survived += (right and not half_written(output)) * (tried - before)
            wrong += (not right) * (tried - before)
    finally:
        count("kills of a training", tried, survived, wrong, f"{writing} while a file was written")
    assert (survived, wrong) == (tried, 0)


def checkpoints(output):
    return {path.name for path in output.glob("checkpoints/*/step-*.safetensors")}


def test_a_training_waits_for_another_one_in_its_folder(program):
    output = program.folder / "twice"
    with exclusive(output / ".lock", pytest.fail):
        process = program.start(output)
        said = next(line for line in process.stdout if "another process works in" in line)
        assert "waiting for it" in said
        assert [path.name for path in output.iterdir()] == [".lock"]
    said, _ = process.communicate()
    assert process.returncode == 0, said
    assert numbers(output) == numbers(program.folder / "whole")


def test_one_checkpoint_file_is_enough_to_go_on_elsewhere(program, tmp_path_factory):
    """Stopped by ``--max-seconds``; then another folder, another path of the sources, an empty cache, one file."""
    stopped = program.folder / "stopped"
    said = program.finish(stopped, "--max-seconds", "0", code=75)
    assert "TimeLimitError: run 'burgers-soap' stopped at step 10 of 400 of seed 0" in said
    [checkpoint] = (stopped / "checkpoints" / "seed-0").iterdir()
    elsewhere = Program(tmp_path_factory.mktemp("another machine"))
    shutil.copytree(ROOT / "src", elsewhere.folder / "sources", ignore=shutil.ignore_patterns("__pycache__"))
    elsewhere.environment |= {"PYTHONPATH": str(elsewhere.folder / "sources")}
    output = elsewhere.folder / "results of another name"
    folder = output / "checkpoints" / "seed-0"
    folder.mkdir(parents=True)
    shutil.copy(checkpoint, folder)
    elsewhere.finish(output)
    assert numbers(output) == numbers(program.folder / "whole")
    # The times of the steps before the stop came with the file, so nothing was done twice
    with safe_open(checkpoint, framework="numpy") as file:
        before = file.get_tensor("log/seconds")
    curves = pd.read_csv(output / "curves.csv").query("seed == 0 and quantity == 'loss'")
    assert curves["seconds"].tolist()[: len(before)] == before.tolist()
    assert len(before) == 2


def test_a_pipeline_that_is_killed_ends_bit_for_bit_without_cleaning(tmp_path_factory, request, count):
    whole, kills = request.config.getoption("--whole-pipeline"), request.config.getoption("--kills")
    if kills < 3 and not whole:
        pytest.skip("some minutes: `make endurance`, or --kills 3 for a small pipeline")
    folder = tmp_path_factory.mktemp("pipelines")
    tiny = [
        {"problem": "burgers", "method": method, "network": "burgers", "training": "first_order"}
        for method in ("adam", "soap")
    ]
    runs, options = (None, ()) if whole else (tiny, ("--until", "evaluate"))
    calm, disturbed = (Pipeline(folder / name, runs) for name in ("calm", "disturbed"))
    began = time.monotonic()
    assert not killed(calm.start(*options), None)
    duration = time.monotonic() - began
    shutil.rmtree(folder / "cache" / "gradalign" / "references")  # the second pipeline must solve its own
    draw, tried, writing, survived, wrong, before = random.Random(1), 0, 0, 0, 0, 0
    longest = max(20.0, 3 * duration / kills)  # kills reach every rule, and the moments between two rules
    try:
        while not wrong:
            if killed(disturbed.start(*options), draw.uniform(1.0, longest) if tried < kills else None):
                tried += 1
                writing += bool(half_written(disturbed.folder / "results"))
                print(f"kill {tried} of {kills}, {time.monotonic() - began:.0f} s", flush=True)
                continue
            found, expected = disturbed.tables(), calm.tables()
            differing = [name for name in expected | found if not equal(found.get(name), expected.get(name))]
            right = not differing and disturbed.parameters() == calm.parameters()
            survived, wrong = survived + (tried - before) * right, wrong + (not right) * max(tried - before, 1)
            if tried >= kills:
                break
            before = tried
            shutil.rmtree(disturbed.folder / "results")  # it finished before its last kill: start again from nothing
            shutil.rmtree(folder / "cache" / "gradalign" / "references", ignore_errors=True)
    finally:
        what = "kills of the smoke pipeline" if whole else "kills of a small pipeline"
        count(what, tried, survived, wrong, f"{writing} while a file was written")
    assert expected
    assert differing == []
    assert (survived, wrong) == (kills, 0)


def equal(one, other):
    return one is not None and other is not None and one.equals(other) and (one.dtypes == other.dtypes).all()
