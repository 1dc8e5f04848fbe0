"""Files: missing locks, foreign files, leftovers, and the message for every refusal of the system."""

import errno
import fcntl
import os
import shlex
import subprocess
import sys

import numpy as np
import pytest

from gradalign.base.errors import REMEDIES, ConfigurationError, ForeignFileError, described
from gradalign.base.files import WITHOUT_LOCKS, exclusive, lock, remove_partial, require_own, write_atomically


def refusing(number):
    def flock(file, operation):
        raise OSError(number, os.strerror(number))

    return flock


@pytest.mark.parametrize("number", sorted(WITHOUT_LOCKS))
def test_a_file_system_without_locks_is_warned_of_once_and_used(number, tmp_path, monkeypatch):
    monkeypatch.setattr(fcntl, "flock", refusing(number))
    said, done = [], False
    with exclusive(tmp_path / "run" / ".lock", said.append):
        done = True
    assert done
    (warning,) = said
    assert warning.startswith(f"warning: the file system of {tmp_path / 'run'} has no locks")
    assert errno.errorcode[number] in warning


@pytest.mark.parametrize("number", [errno.EIO, errno.EBADF])
def test_another_failure_of_a_lock_is_an_error_that_names_itself(number, tmp_path, monkeypatch):
    monkeypatch.setattr(fcntl, "flock", refusing(number))
    with pytest.raises(OSError) as caught, exclusive(tmp_path / ".lock", print):  # noqa: PT011 - `described` checks which
        pytest.fail("went on without the lock")
    assert described(caught.value).startswith(f"{os.strerror(number)} ({errno.errorcode[number]}): {tmp_path}/.lock")


def test_what_is_no_file_is_not_opened_as_a_lock(tmp_path):
    os.mkfifo(tmp_path / ".lock")  # opening it for writing would wait for a reader
    with pytest.raises(ForeignFileError, match=r"\.lock: is no regular file"), exclusive(tmp_path / ".lock", print):
        pytest.fail("took a pipe for a lock")


def test_a_lock_is_taken_and_a_second_one_waits(tmp_path):
    with (tmp_path / "lock").open("a") as one, (tmp_path / "lock").open("a") as two:
        assert lock(one, pytest.fail)
        with pytest.raises(BlockingIOError):
            lock(two, pytest.fail)


def test_only_our_leftovers_in_the_folder_itself_are_removed(tmp_path):
    ours, others = (
        ".table.71.partial.csv",
        (".movie.partial", ".table.partial.csv", "table.7.partial.csv", ".a.7.partial.b.c"),
    )
    below = tmp_path / "data" / ".table.71.partial.csv"
    below.parent.mkdir()
    for path in (below, *(tmp_path / name for name in (ours, *others))):
        path.touch()
    remove_partial(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*others, "data"])
    assert below.exists()


def test_files_of_others_are_not_replaced(tmp_path):
    table, archive, unreadable = tmp_path / "mine.csv", tmp_path / "mine.npz", tmp_path / "text.npz"
    table.write_text("name,age\nme,7\n")
    np.savez(archive, data=np.ones(2))
    unreadable.write_text("a letter")
    for path, marks in ((table, ("run", "seed")), (archive, ("checksum",)), (unreadable, ("checksum",))):
        with pytest.raises(ConfigurationError, match=f"{path}: is there already, and gradalign did not write it"):
            require_own(path, *marks)
    for path, what in ((tmp_path, "a folder"), (os.devnull, "a device or a pipe")):
        with pytest.raises(ConfigurationError, match=what):
            require_own(type(tmp_path)(path), "run")
    require_own(archive, "da*")
    require_own(table, "age")
    table.write_text("")
    require_own(table, "run")


@pytest.mark.parametrize("place", ["fsync", "replace"])
def test_an_error_without_a_name_gets_that_of_the_file(place, tmp_path, monkeypatch):
    def failing(*arguments):
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr(os, place, failing)
    with pytest.raises(OSError, match="quota") as caught:
        write_atomically(tmp_path / "table.csv", lambda temporary: temporary.write_text("a"))
    assert described(caught.value) == (f"Disk quota exceeded (EDQUOT): {tmp_path / 'table.csv'}. {REMEDIES['EDQUOT']}")


def test_every_remedy_has_a_number_of_this_system_and_nothing_is_guessed_for_others():
    assert set(REMEDIES) <= set(errno.errorcode.values())
    assert described(OSError(errno.EXDEV, "Invalid cross-device link")) == "Invalid cross-device link (EXDEV)"
    assert described(OSError(99999, "odd", b"raw")) == "odd (error 99999): raw"


COMMAND = [sys.executable, "-m", "gradalign.pipeline.cli"]


def test_a_pipe_that_is_closed_early_ends_in_silence():
    shell = f"{shlex.join(COMMAND)} train --list-methods | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] in ("0", "141")  # 0 if everything was written before the pipe closed
