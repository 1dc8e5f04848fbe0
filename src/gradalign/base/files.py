"""Safe writing: readers never see half a file, writers never collide, and no foreign file is overwritten."""

import csv
import errno
import fcntl
import fnmatch
import io
import os
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

from gradalign.base.errors import ConfigurationError, ForeignFileError, described

WITHOUT_LOCKS = {errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK}
"""Errors of file systems without locks, such as some mounts of Lustre, NFS and FUSE."""

PARTIAL = re.compile(r"\..+\.\d+\.partial(\.[^.]*)?")
"""Names of the temporary files of ``write_atomically``, which contain the ID of the writing process."""


def write_atomically(path: Path | str, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file, flush it to disk, and rename it to ``path``.

    A crash, a kill or a full disk leaves either the old file or the new one, never a part. The temporary
    name keeps the suffix, because some writers choose the format by it. Raises whatever ``write`` raises,
    after removing the temporary file; an ``OSError`` that names no file gets the name ``path``.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> write_atomically(folder / "a" / "b.txt", lambda temporary: temporary.write_text("done"))
    >>> (folder / "a" / "b.txt").read_text(), len(list((folder / "a").iterdir()))
    ('done', 1)
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        write(temporary)
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        if error.filename is None:  # a failed write or flush carries only an errno
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EBADF):  # CIFS, for one, cannot flush a folder
            error.filename = str(path.parent)
            raise
    finally:
        os.close(directory)


def remove_partial(directory: Path) -> None:
    """Remove temporary files that killed writers left in a directory, not below it. No other process may write there.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / ".table.7.partial.csv").touch(), (folder / "table.csv").touch()
    (None, None)
    >>> remove_partial(folder)
    >>> [path.name for path in folder.iterdir()]
    ['table.csv']
    """
    for path in directory.iterdir():
        if PARTIAL.fullmatch(path.name):
            path.unlink()


def lock(file: IO[Any], say: Callable[[str], object], *, wait: bool = False) -> bool:
    """Lock an open file for this process; where the file system has no locks, warn through ``say`` and return False.

    If another process holds the lock, ``wait`` for it or raise ``BlockingIOError``. Raises ``OSError`` for every other
    failure. The system releases the lock when the process ends, however it ends.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError as error:
        error.filename = file.name
        if error.errno not in WITHOUT_LOCKS:
            raise
        folder, name = Path(file.name).absolute().parent, errno.errorcode.get(error.errno, error.errno)
        say(
            f"warning: the file system of {folder} has no locks ({name}: {error.strerror}), so nothing keeps a second "
            "program from writing there at the same time: see to it that only one is started in this folder"
        )
        return False
    return True


@contextmanager
def exclusive(path: Path, say: Callable[[str], object]) -> Iterator[None]:
    """Hold the lock file ``path``; while another process holds it, say so and wait.

    Where the file system has no locks, warn through ``say`` and continue without one (see ``lock``). Raises
    ``ForeignFileError`` where ``path`` exists and is not a regular file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and not path.is_file():  # opening a named pipe would block until it has a reader
        raise ForeignFileError(path, "is no regular file; allowed: one that holds the lock; remove it")
    with path.open("a") as file:  # "w" would truncate the target of a link
        try:
            lock(file, say)
        except BlockingIOError:
            say(f"another process works in {path.parent}: waiting for it")
            lock(file, say, wait=True)
        yield


def require_folder(folder: Path) -> None:
    """Raise ``ConfigurationError`` where no file can be written into ``folder``, which need not exist yet.

    The test writes an unnamed file into it or its nearest existing parent. This finds a file in place of a folder,
    missing permission, a read-only file system and an exhausted quota before any compute is spent.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> require_folder(folder / "new" / "newer")
    >>> (folder / "new").touch()
    >>> require_folder(folder / "new" / "newer")
    Traceback (most recent call last):
    gradalign.base.errors.ConfigurationError: .../new/newer: .../new is a file; allowed: a folder to write into; ...
    """
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(path))
    if there.exists() and not there.is_dir():
        what = "is a file" if there == folder.absolute() else f"{there} is a file"
        raise ConfigurationError(f"{folder}: {what}; allowed: a folder to write into; name another path")
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"0")
    except OSError as error:
        error.filename = str(there)
        raise ConfigurationError(f"{folder}: no file can be written there: {described(error)}") from None


def require_own(path: Path, *marks: str) -> None:
    """Raise ``ConfigurationError`` where ``path`` cannot be written, or is something that gradalign did not write.

    A file may be replaced if each of the ``marks`` matches (``fnmatch``) one of its names: an entry of the archive if
    the suffix is ``.npz``, a column of the table otherwise. An empty file may be replaced too, and an unreadable
    archive, which is one of ours that was damaged.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "scores.csv"
    >>> require_own(path, "run", "seed")
    >>> _ = path.write_text("run,seed,relative_l2\\nburgers-adam,0,0.5\\n")
    >>> require_own(path, "run", "seed")
    >>> require_own(path, "claim")
    Traceback (most recent call last):
    gradalign.base.errors.ConfigurationError: ...scores.csv: is there already, ...
    """
    if os.path.isdir(path):  # raises nothing, unlike the methods of Path
        raise ConfigurationError(f"{path}: is a folder; allowed: a file to write; name a file in it")
    if os.path.exists(path) and not os.path.isfile(path):
        raise ConfigurationError(f"{path}: is a device or a pipe; allowed: a file to write; name one")
    require_folder(path.parent)
    if not os.path.lexists(path):
        return
    names = _names(path)
    if names is not None and (missing := [mark for mark in marks if not fnmatch.filter(names, mark)]):
        kind = "entry" if path.suffix == ".npz" else "column"
        raise ConfigurationError(
            f"{path}: is there already, and gradalign did not write it, for it has no {kind} {missing[0]!r}; allowed: "
            "a new file, or one that an earlier call wrote; name another file, or move this one away"
        )


def _names(path: Path) -> list[str] | None:
    """Entries of an archive or columns of a table; None where there are none and nothing would be lost."""
    if not path.exists() or not path.stat().st_size:  # a dangling link is itself replaced
        return None
    with path.open("rb") as file:
        head = file.read(65_536)
        if path.suffix == ".npz":
            try:
                return [name.removesuffix(".npy") for name in zipfile.ZipFile(file).namelist()]
            except (zipfile.BadZipFile, ValueError, NotImplementedError):
                return None if head.startswith(b"PK\x03\x04") else []
    if not head.strip():
        return None  # a table without rows and columns
    return next(csv.reader(io.StringIO(head.decode("utf-8", "replace").partition("\n")[0])), [])


class Table(Protocol):
    """Anything that writes itself as CSV, such as a pandas data frame."""

    def to_csv(self, path_or_buf: Path, *, index: bool) -> object: ...


def write_table(path: Path | str, table: Table) -> None:
    """Write a table as CSV atomically, without its index."""
    write_atomically(path, lambda temporary: table.to_csv(temporary, index=False))
