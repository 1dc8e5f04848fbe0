"""Trainings and pipelines that are killed with SIGKILL at random moments end as if nothing had happened.

One kill of a training in every test run; ``make endurance`` does fifty of a training and of the smoke pipeline.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

from gradalign.files import exclusive

ROOT = Path(__file__).resolve().parents[1]
TINY = {
    "networks": {"burgers": {"architecture": "mlp", "width": 8, "depth": 2, "activation": "tanh"}},
    "training": {
        "first_order": {
            "steps": 400,
            "log_every": 10,
            "checkpoint_every": 10,
            "causal": {"chunks": 4, "tolerance": 1.0},
        }
    },
    "problems": {"burgers": {"points": {"ic": 8, "bc": 8, "pde": 32}}},
}


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """A command that trains a tiny run with a checkpoint every few milliseconds, and its folder."""
    folder = tmp_path_factory.mktemp("killed")
    (folder / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    configuration = ["--config", str(ROOT / "workflow/config/smoke.yaml"), "--config", str(folder / "tiny.yaml")]
    # The limit on the size of files is set by the program itself: `preexec_fn` would fork this process and its threads.
    program = "from gradalign.cli import application; application()"
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({largest}, resource.RLIM_INFINITY)); "
    gradalign = [sys.executable, "-c", program]
    reference = str(folder / "burgers.npz")
    environment = os.environ | {"XDG_CACHE_HOME": str(folder / "cache")}
    subprocess.run(
        [*gradalign, "reference", "burgers", *configuration, "--output", reference], check=True, env=environment
    )

    def start(output, largest=None):
        command = [
            sys.executable,
            "-c",
            (limited.format(largest=largest) if largest else "") + program,
            "train",
            "burgers-soap",
            *configuration,
            "--reference",
            reference,
            "--output",
            str(output),
        ]
        return subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    return start, folder


def numbers(output):
    curves = pd.read_csv(output / "curves.csv").drop(columns="seconds")
    return curves, {path.name: path.read_bytes() for path in sorted((output / "parameters").iterdir())}


def test_a_training_that_is_killed_ends_bit_for_bit(program, request):
    start, folder = program
    kills = request.config.getoption("--kills")
    whole = start(folder / "whole")
    said, _ = whole.communicate()
    assert whole.returncode == 0, said
    began = time.monotonic()
    again = start(folder / "whole")
    said, _ = again.communicate()
    assert again.returncode == 0, said
    overhead = time.monotonic() - began  # of a run that is finished: what passes before the first step
    draw = random.Random(0)
    survived = 0
    while survived < kills:
        output = folder / f"killed-{survived}"
        finished = False
        while not finished and survived < kills:
            process = start(output)
            try:
                said, _ = process.communicate(timeout=draw.uniform(0.3 * overhead, 1.5 * overhead + 1.0))
                assert process.returncode == 0, said
                finished = True
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                survived += 1
        last = start(output)
        said, _ = last.communicate()
        assert last.returncode == 0, said
        pd.testing.assert_frame_equal(numbers(output)[0], numbers(folder / "whole")[0], check_exact=True)
        assert numbers(output)[1] == numbers(folder / "whole")[1]
        assert not [path for path in output.rglob("*") if "partial" in path.name], "a half written file is left"


def test_a_full_disk_is_said_and_the_run_goes_on_when_there_is_room(program):
    """A limit on the size of files stands in for the disk; the checkpoints that fitted are kept."""
    start, folder = program
    output = folder / "full"
    process = start(output, largest=32_000)
    said, _ = process.communicate()
    assert process.returncode == 1, said
    assert "OSError: File too large" in said
    assert "What was finished is kept" in said
    assert len(list((output / "checkpoints" / "seed-0").glob("step-*.safetensors"))) == 2
    last = start(output)
    said, _ = last.communicate()
    assert last.returncode == 0, said
    assert numbers(output)[1] == numbers(folder / "whole")[1]


def test_a_training_waits_for_another_one_in_its_folder(program):
    start, folder = program
    output = folder / "twice"
    with exclusive(output / ".lock", pytest.fail):
        process = start(output)
        said = next(line for line in process.stdout if "another process works in" in line)
        assert "waiting for it" in said
        assert [path.name for path in output.iterdir()] == [".lock"]
    said, _ = process.communicate()
    assert process.returncode == 0, said
    assert numbers(output)[1] == numbers(folder / "whole")[1]


class Pipeline:
    """A folder in which the pipeline of the scale smoke runs: whole, or two small runs and what they need."""

    def __init__(self, folder, whole):
        self.folder = folder
        folder.mkdir()
        for name in ("Snakefile", "workflow", "figures", "profiles", "src", "CITATION.cff", "pyproject.toml"):
            (folder / name).symlink_to(ROOT / name)
        shutil.copytree(ROOT / "paper", folder / "paper", ignore=shutil.ignore_patterns("build"))
        self.arguments = ["--cores", "2", "--config", "scale=smoke"]
        if not whole:
            runs = [
                {"problem": "burgers", "method": method, "network": "burgers", "training": "first_order"}
                for method in ("adam", "soap")
            ]
            (folder / "two.yaml").write_text(yaml.safe_dump(TINY | {"runs": runs}))
            self.arguments += ["--configfile", "two.yaml", "--until", "evaluate"]

    def start(self):
        environment = os.environ | {
            "XDG_CACHE_HOME": str(self.folder.parent / "cache"),
            "PYTHONPATH": str(ROOT / "src"),
        }
        command = [sys.executable, "-m", "snakemake", *self.arguments]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def tables(self):
        """Every table by its name, without the columns that hold times on a clock."""
        clock = ("seconds", "compile_seconds", "train_seconds", "milliseconds_per_step")
        folders = ("claims", "runs", "evaluation", "summary")
        paths = sorted(path for name in folders for path in (self.folder / "results/smoke" / name).rglob("*.csv"))
        return {
            path.relative_to(self.folder).as_posix(): pd.read_csv(path).drop(columns=list(clock), errors="ignore")
            for path in paths
            if path.stat().st_size > 1
        }

    def parameters(self):
        paths = sorted((self.folder / "results/smoke/runs").glob("*/parameters/*"))
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in paths}


def test_a_pipeline_that_is_killed_ends_bit_for_bit_without_cleaning(tmp_path_factory, request):
    whole, kills = request.config.getoption("--whole-pipeline"), request.config.getoption("--kills")
    if kills < 3 and not whole:
        pytest.skip("some minutes: `make endurance`, or --kills 3 for a small pipeline")
    folder = tmp_path_factory.mktemp("pipelines")
    calm = Pipeline(folder / "calm", whole)
    began = time.monotonic()
    process = calm.start()
    said, _ = process.communicate()
    assert process.returncode == 0, said
    duration = time.monotonic() - began
    shutil.rmtree(folder / "cache" / "gradalign" / "references")  # the second one solves for itself
    disturbed = Pipeline(folder / "disturbed", whole)
    draw, survived = random.Random(1), 0
    while True:
        process = disturbed.start()
        try:
            limit = draw.uniform(1.0, max(20.0, 3 * duration / kills)) if survived < kills else None
            said, _ = process.communicate(timeout=limit)
            assert process.returncode == 0, said
            break
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            survived += 1
    assert survived > 0
    found, expected = disturbed.tables(), calm.tables()
    assert found.keys() == expected.keys()
    for name, table in expected.items():
        pd.testing.assert_frame_equal(found[name], table, check_exact=True, obj=name)
    assert disturbed.parameters() == calm.parameters()
