"""Writing files so that a reader never sees half of one."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol


def write_atomically(path: Path | str, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file, flush it to the disk, and give it the name ``path``.

    A crash, a kill or a full disk leaves either the old file or the new one, never a part. The temporary
    name keeps the suffix, because some writers choose the format by it. Raises whatever ``write`` raises,
    after removing the temporary file.

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
    finally:
        temporary.unlink(missing_ok=True)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def remove_partial(directory: Path) -> None:
    """Remove what killed writers left below a directory in which no other process writes.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / ".table.7.partial.csv").touch(), (folder / "table.csv").touch()
    (None, None)
    >>> remove_partial(folder)
    >>> [path.name for path in folder.iterdir()]
    ['table.csv']
    """
    for path in directory.rglob(".*.partial*"):
        path.unlink()


@contextmanager
def exclusive(path: Path, say: Callable[[str], object]) -> Iterator[None]:
    """Hold the lock file ``path``; where another process holds it, say so and wait for it.

    The system frees the lock with the process, however that ends, so that none is ever left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another process works in {path.parent}: waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Table(Protocol):
    """Anything that writes itself as CSV, such as a pandas data frame."""

    def to_csv(self, path_or_buf: Path, *, index: bool) -> object: ...


def write_table(path: Path | str, table: Table) -> None:
    """Write a table as CSV without its index, all or nothing."""
    write_atomically(path, lambda temporary: table.to_csv(temporary, index=False))
