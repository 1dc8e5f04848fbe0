"""A disk that is full or read-only: the run says so, loses nothing finished, and resumes when it can."""

import errno
import os
import shutil
import subprocess

import pytest
from experiments import line_reference, specification
from tiny_run import Program, numbers

from gradalign.training import runner

pytestmark = [pytest.mark.slow, pytest.mark.endurance]

LIMIT = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (32_000, resource.RLIM_INFINITY))"


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    program = Program(tmp_path_factory.mktemp("disk"))
    program.finish(program.folder / "whole")
    return program


def checkpoints(output):
    return sorted(path.name for path in (output / "checkpoints" / "seed-0").glob("step-*.safetensors"))


def test_a_limit_on_the_size_of_files_is_said_and_the_run_goes_on_without_it(program, request):
    """A quota; checkpoints that fitted are kept. The program sets its own limit: a fork would copy our threads."""
    if mounts_are_possible() and request.config.getoption("--kills") < 3:
        pytest.skip(
            "the small file system below stands for it; here where none can be mounted, and in `make endurance`"
        )
    output = program.folder / "quota"
    said = program.finish(output, code=1, before=LIMIT)
    assert "OSError: File too large" in said
    assert "What was finished is kept" in said
    assert len(checkpoints(output)) == 2
    program.finish(output)
    assert numbers(output) == numbers(program.folder / "whole")


def mounts_are_possible():
    """Whether this user may mount a file system that no other process sees."""
    if shutil.which("unshare") is None:
        return False
    command = ["unshare", "--mount", "sh", "-c", "mount -t tmpfs -o size=100k none /mnt"]
    return subprocess.run(command, capture_output=True).returncode == 0


def test_a_disk_that_fills_up_and_one_that_may_only_be_read(program):
    """A small file system in memory that only the program sees: full, then read-only, then with room to finish.

    Permissions would not do: they do not bind root, the usual user of tests in a container.
    """
    if not mounts_are_possible():
        pytest.skip("mounting a file system needs root; the failures of single writes are tested below without")
    output = program.folder / "mounted"
    output.mkdir()
    (program.folder / "steps.sh").write_text(
        'out=$1; shift; mount -t tmpfs -o size=160k none "$out"\n'
        'echo "== full"; "$@"; echo "exit $?"; ls -l "$out/checkpoints/seed-0"\n'
        'mount -o remount,ro "$out"; echo "== read-only"; "$@"; echo "exit $?"; ls -l "$out/checkpoints/seed-0"\n'
        'mount -o remount,rw,size=10m "$out"; echo "== room"; "$@"; echo "exit $?"\n'
        'cp -r "$out" "$out.copy"\n'
    )
    command = ["unshare", "--mount", "sh", "steps.sh", str(output), *program.command(output)]
    done = subprocess.run(command, cwd=program.folder, env=program.environment, capture_output=True, text=True)
    full, read_only, room = (part.split("\n", 1)[1] for part in done.stdout.split("== ")[1:])
    for part, name, message in ((full, "full", "No space left on device"), (read_only, "ro", "Read-only file system")):
        assert "exit 1" in part, (name, done.stdout, done.stderr)
        assert message in done.stderr
    # Only the full disk stops a run on its way; a read-only one is found before
    assert done.stderr.count("What was finished is kept: the same command resumes") == 1
    kept = full.split("exit 1")[1]
    assert kept.count("step-") == 2
    assert read_only.split("exit 1")[1] == kept
    assert "exit 0" in room
    assert numbers(output.with_suffix(".copy")) == numbers(program.folder / "whole")


WRITES = (1, 2, 3, 4, 5, 5)
"""The write that fails in each start: checkpoints 4 and 8 of the first seed, its parameters, checkpoint 12 of the
second seed, the curves, the checksums. Every start writes existing files anew."""


@pytest.mark.parametrize(("error", "place"), [(errno.ENOSPC, "fsync"), (errno.EROFS, "replace")])
def test_whichever_write_fails_the_next_start_goes_on(tmp_path, monkeypatch, shared_programs, error, place):
    given = specification("adam", own_state=False)
    runner.train(given, line_reference(), tmp_path / "whole")
    output, genuine, failed = tmp_path / "failing", getattr(os, place), []

    for number in WRITES:
        calls = 0

        def failing(*arguments, number=number):
            nonlocal calls
            calls += 1
            if calls == (2 * number - 1 if place == "fsync" else number):  # a write flushes its file, then the folder
                failed.append(number)
                raise OSError(error, os.strerror(error))
            return genuine(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr(os, place, failing)
            with pytest.raises(OSError, match=os.strerror(error)):
                runner.train(given, line_reference(), output)
        assert not [path for path in output.rglob("*") if "partial" in path.name]
        assert not (output / "checksums.sha256").exists()
    assert failed == list(WRITES)
    assert len(checkpoints(output)) == 2
    steps = []
    runner.train(given, line_reference(), output, lambda progress: steps.append(progress.step))
    assert steps == []  # only the last file was missing
    assert numbers(output) == numbers(tmp_path / "whole")
