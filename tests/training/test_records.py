"""Damaged records of finished runs: every loss or change is found and named before a number is read."""

import random
import shutil
import subprocess

import pytest
from experiments import line_reference, specification

from gradalign.base.errors import RunRecordError
from gradalign.training import evaluation
from gradalign.training.records import CHECKSUMS, damage, require_sound, set_aside
from gradalign.training.runner import train


@pytest.fixture(scope="module")
def finished(tmp_path_factory, shared_programs):
    folder = tmp_path_factory.mktemp("finished")
    train(specification("adam", own_state=False), line_reference(), folder)
    return folder


@pytest.fixture
def run(finished, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    return folder


def record_files(run):
    return sorted(path for path in run.rglob("*") if path.is_file() and not {"checkpoints", ".lock"} & set(path.parts))


def test_a_finished_run_is_sound_and_sha256sum_agrees(run):
    assert damage(run) == ""
    assert set_aside(run) == ""
    assert {path.relative_to(run).as_posix() for path in record_files(run)} == {
        "checksums.sha256",
        "curves.csv",
        "parameters/seed-0.safetensors",
        "parameters/seed-7.safetensors",
        "runs.csv",
        "specification.json",
    }
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "--check", "--strict", "--quiet", CHECKSUMS], cwd=run, check=True)


def test_truncations_and_flipped_bits_of_every_file_are_named(run):
    draw = random.Random(0)
    for path in record_files(run):
        content = path.read_bytes()
        damages = [content[: draw.randrange(len(content))] for _ in range(20)]
        for _ in range(40):
            place = draw.randrange(len(content))
            damages.append(content[:place] + bytes([content[place] ^ (1 << draw.randrange(8))]) + content[place + 1 :])
        for damaged in damages:
            path.write_bytes(damaged)
            found = damage(run)
            if path.name == CHECKSUMS:  # another blank at the end of a line leaves the entries unchanged
                assert found or damaged.decode().splitlines() == content.decode().splitlines()
            else:
                assert path.name in found
        path.write_bytes(content)
        assert damage(run) == ""


def test_what_is_missing_is_named(run):
    for path in record_files(run):
        content = path.read_bytes()
        path.unlink()
        assert path.name in damage(run)
        path.write_bytes(content)


def test_a_file_that_is_not_listed_is_named(run):
    lines = (run / CHECKSUMS).read_text().splitlines(keepends=True)
    for line in lines:
        (run / CHECKSUMS).write_text("".join(other for other in lines if other != line))
        assert f"does not list {line.split()[1]}" in damage(run)


def test_names_that_lead_elsewhere_are_refused(run):
    outside = run.parent / "outside"
    outside.write_text("")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    (run / CHECKSUMS).write_text(f"{empty}  ../outside\n")
    assert "../outside is not there" in damage(run)


def test_evaluation_reads_no_damaged_run(run):
    path = run / "parameters" / "seed-7.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(
        RunRecordError, match=r"seed-7\.safetensors does not agree with its checksum.*train the run again"
    ):
        evaluation.evaluate(specification("adam", own_state=False), run, line_reference())


def test_a_damaged_run_is_trained_again_from_its_last_checkpoint(finished, run):
    (run / "runs.csv").write_text("seed\n0\n")
    assert "runs.csv does not agree with its checksum" in set_aside(run)
    assert not (run / CHECKSUMS).exists()
    assert set_aside(run) == ""  # once is enough
    with pytest.raises(RunRecordError, match="the run is not finished"):
        require_sound(run)
    steps = []
    train(specification("adam", own_state=False), line_reference(), run, lambda progress: steps.append(progress.step))
    assert steps == []
    assert damage(run) == ""
    for name in ("curves.csv", "parameters/seed-0.safetensors"):
        assert (run / name).read_bytes() == (finished / name).read_bytes()
