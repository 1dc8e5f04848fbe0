"""Results that others made are read before anything is planned, in a dry run too: nothing waits for what is no file."""

import os
import signal
import subprocess

import pytest
from tiny_run import Pipeline


@pytest.mark.slow
def test_a_dry_run_names_pipes_and_devices_in_the_places_of_files(tmp_path):
    pipeline = Pipeline(tmp_path / "pipeline")
    results = pipeline.folder / "results/smoke"
    run, specifications = results / "runs/burgers-adam", results / "specifications/runs"
    for folder in (results / "references", run / "checkpoints/seed-0", specifications):
        folder.mkdir(parents=True)
    (run / "checkpoints/seed-0/step-000000000004.safetensors").touch()  # a run, then
    pipes = [results / "references/burgers.npz", run / "checksums.sha256", specifications / "burgers-adam.json"]
    for path in pipes:
        os.mkfifo(path)
    (specifications / "burgers-adam.sources").symlink_to("/dev/zero")
    process = pipeline.start("--dry-run", "--quiet", "rules")
    try:
        said, _ = process.communicate(timeout=200)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    assert process.returncode == 0, said
    for path in pipes:
        assert any(path.name in line and "is a named pipe" in line for line in said.splitlines()), (path, said)
    assert "burgers-adam.sources: is a device; allowed: a regular file" in said
    assert not pipes[0].exists()  # renamed, so that it is computed again
    assert not pipes[1].exists()
