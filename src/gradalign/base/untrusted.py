"""Reading untrusted files: only regular ones, whose size is checked before they are read.

A named pipe or a device in place of a file could block forever, and a few megabytes of an archive may expand to fill
the memory. Every file that gradalign reads, except its own sources, is opened here.
"""

import gzip
import io
import os
import stat
import zipfile
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from gradalign.base.errors import ForeignFileError
from gradalign.base.machine import available_memory, readable

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

LARGEST_TEXT = 1 << 20
"""Largest size in bytes of a configuration, a specification or a list of checksums; ours have up to 60 thousand."""

LARGEST_TABLE = 1 << 28
"""Largest size in bytes of a table; the largest of the scale ``paper`` has some ten million."""

LARGEST_RATIO = 100
"""Largest ratio of the bytes of the arrays to those of their file. Floating-point fields deflate to about half their
size, together with fields of a few values or zeros to a tenth; zeros alone deflate to a thousandth."""

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def opened(path: Path | str, largest: int | None = None) -> io.BufferedReader:
    """Open a regular file, or a link to one, of at most ``largest`` bytes for reading.

    By default ``largest`` is the available memory. Nothing but a regular file is opened, because opening alone may
    block (a named pipe) or have effects (a device). Raises ``ForeignFileError`` for anything else and for a larger
    file, ``OSError`` for a missing or unreadable one.
    """
    _require_regular(path, os.stat(path).st_mode)
    # Without O_NONBLOCK, a named pipe that has replaced the file since the check would block
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        found = os.fstat(descriptor)
        _require_regular(path, found.st_mode)
        if largest is None:
            _require_memory(path, found.st_size, "the file")
        elif found.st_size > largest:
            raise ForeignFileError(
                path, f"has {readable(found.st_size)}; allowed: at most {readable(largest)} for such a file"
            )
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def contents(path: Path | str, largest: int = LARGEST_TEXT) -> bytes:
    """All bytes of a regular file of at most ``largest`` bytes; raises what ``opened`` raises.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "a.json").write_text("{}")
    >>> contents(folder / "a.json")
    b'{}'
    >>> os.mkfifo(folder / "b.json")
    >>> contents(folder / "b.json")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    gradalign.base.errors.ForeignFileError: ...b.json: is a named pipe; allowed: a regular file; ...
    """
    with opened(path, largest) as file:
        return file.read(largest)


def text(path: Path | str) -> str:
    """The text of a UTF-8 file; raises what ``opened`` raises, and ``UnicodeDecodeError``."""
    return contents(path).decode("utf-8")


def table(path: Path | str, **options: Any) -> "pd.DataFrame":
    """A CSV table, plain or gzipped (``.csv.gz``), read with the options of ``pandas.read_csv``.

    Raises what ``opened`` and ``read_csv`` raise, and ``ForeignFileError`` for a gzip file that is damaged or would
    expand to more than ``LARGEST_TABLE`` bytes.
    """
    import pandas as pd

    with opened(path, LARGEST_TABLE) as file:
        source = io.BytesIO(_unpacked(path, file)) if Path(path).suffix == ".gz" else file
        found: pd.DataFrame = pd.read_csv(source, **options)
    return found


def _unpacked(path: Path | str, file: IO[bytes]) -> bytes:
    try:
        with gzip.GzipFile(fileobj=file) as packed:
            content = packed.read(LARGEST_TABLE + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ForeignFileError(path, f"cannot be unpacked ({error}); allowed: a whole file of gzip") from None
    if len(content) > LARGEST_TABLE:
        raise ForeignFileError(path, f"would expand to more than {readable(LARGEST_TABLE)}, the most for a table")
    return content


def arrays(path: Path | str, *names: str) -> "dict[str, NDArray[Any]]":
    """The named arrays of an ``.npz`` file, or all of them; nothing is unpickled.

    Before an array is expanded, the declared sizes are checked against the size of the file, the available memory, and
    the shape and dtype of the array. Raises ``ForeignFileError`` for what gradalign cannot have written, ``KeyError``
    for a missing name, what ``opened`` raises, and whatever NumPy's and Python's readers raise for damaged bytes.

    >>> import tempfile
    >>> import numpy as np
    >>> path = Path(tempfile.mkdtemp()) / "zeros.npz"
    >>> np.savez_compressed(path, u=np.zeros(10**6))
    >>> arrays(path)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    gradalign.base.errors.ForeignFileError: ...zeros.npz: has ... and would expand to 8.0 MB, more than 100 times ...
    """
    import numpy as np

    with opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        with zipfile.ZipFile(file) as archive:
            members = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
            declared = sum(member.file_size for member in archive.infolist())
            if declared > LARGEST_RATIO * size:
                raise ForeignFileError(
                    path,
                    f"has {readable(size)} and would expand to {readable(declared)}, more than {LARGEST_RATIO} times "
                    "as much; allowed: arrays as gradalign writes them",
                )
            if others := {m.compress_type for m in archive.infolist()} - {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
                raise ForeignFileError(path, f"is packed by method {min(others)}; allowed: none, or 8 (deflate)")
            _require_memory(path, declared, "the content")
            found = {}
            for name in names or members:
                if name not in members:
                    raise KeyError(f"{name} is not a file in the archive")
                with archive.open(members[name]) as member:
                    _require_size(path, name, member, members[name].file_size)
                with archive.open(members[name]) as member:
                    found[name] = np.lib.format.read_array(member, allow_pickle=False)
                    if member.read(1):  # at the end, the archive's checksum is compared
                        raise ValueError(f"{name!r} has more bytes than its array")
    return found


def _require_size(path: Path | str, name: str, member: IO[bytes], declared: int) -> None:
    """Raise ``ForeignFileError`` where the shape and dtype of an array contradict its declared size."""
    from numpy.lib import format as npy

    version = npy.read_magic(member)
    reader = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
    if reader is None:
        raise ForeignFileError(path, f"holds {name!r} in version {version} of NumPy's format; allowed: 1.0 or 2.0")
    shape, _, dtype = reader(member)
    if dtype.hasobject:
        raise ForeignFileError(path, f"holds Python objects as {name!r}; allowed: numbers and texts")
    size = dtype.itemsize
    for count in shape:  # Python's integers do not overflow
        size *= count
    if min(shape, default=0) < 0 or member.tell() + size != declared:
        raise ForeignFileError(
            path,
            f"holds {name!r} of shape {shape} and dtype {dtype}, which does not fit its {declared} bytes; "
            "allowed: arrays as NumPy writes them",
        )


def _require_regular(path: Path | str, mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "no file")
        raise ForeignFileError(path, f"is {kind}; allowed: a regular file")


def _require_memory(path: Path | str, size: int, what: str) -> None:
    memory = available_memory()
    if size > memory.free:
        raise ForeignFileError(
            path, f"{what} has {readable(size)}; allowed: at most the {readable(memory.free)} free in {memory.where}"
        )
