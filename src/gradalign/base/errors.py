"""Errors shown to the user: what was given, what is allowed, the usual cause, and what to do."""

import errno
import os
from collections.abc import Iterable

REMEDIES = {
    "EACCES": "You have no permission for it: correct that, or name another path",
    "EPERM": "The system does not permit it: ask the owner of the file, or name another path",
    "EROFS": "The file system may only be read: name a path on another one",
    "ENOSPC": "The disk is full: free space, or name a path on another one",
    "EDQUOT": "Your quota is used up: free space, or name a path on another disk",
    "EFBIG": "The file is larger than the file system or 'ulimit -f' allows: raise the limit, or name another path",
    "ENOENT": "There is nothing of this name: correct the path",
    "EISDIR": "It is a folder: name a file",
    "ENOTDIR": "A part of the path is a file and no folder: correct the path",
    "ENOTEMPTY": "The folder is not empty: name another one",
    "EEXIST": "It is there already: remove it, or name another path",
    "ENAMETOOLONG": "Name a shorter path",
    "ELOOP": "Symbolic links of the path lead in a circle: correct them",
    "EMFILE": "This process has too many files open: raise the limit with 'ulimit -n'",
    "ENFILE": "The machine has too many files open: end other programs, or ask who runs it",
    "ENOMEM": "The memory is used up: end other programs",
    "EIO": "The disk or the network failed: copy what matters elsewhere, and have the device checked",
    "ESTALE": "The network file system lost the file: mount it again",
    "ETIMEDOUT": "The network did not answer in time: try again when it does",
}
"""Advice on an ``OSError``, by the name of its ``errno``; an error without an entry gets none."""


class GradalignError(Exception):
    """Base class of every error that gradalign raises on purpose."""


class ConfigurationError(GradalignError, ValueError):
    """A configuration, name or argument that was rejected before any compute was spent."""


class ForeignFileError(ConfigurationError):
    """A file rejected before it is read: not a regular file, or larger than any that gradalign writes."""

    def __init__(self, path: os.PathLike[str] | str, what: str) -> None:
        super().__init__(f"{os.fspath(path)}: {what}; check the path, and where the file came from")
        self.path, self.what = path, what

    def __reduce__(self) -> tuple[type, tuple[os.PathLike[str] | str, str]]:
        """Pickling support, so that the error can cross processes."""
        return type(self), (self.path, self.what)


class MemoryLimitError(GradalignError, MemoryError):
    """A computation needs more memory than is available."""


class DeviceError(GradalignError, RuntimeError):
    """The settings ask for a device that this machine does not have."""


class CheckpointError(GradalignError, RuntimeError):
    """A checkpoint is unreadable or belongs to another run."""


class RunRecordError(GradalignError, RuntimeError):
    """Files of a finished run are missing or have changed since they were written."""


class TimeLimitError(GradalignError, TimeoutError):
    """The run reached its time limit; started again, it resumes."""


class NonFiniteLossError(GradalignError, ArithmeticError):
    """Training stopped at an infinite or NaN loss."""


def cause(error: OSError) -> str:
    """The system's message, the name of ``errno``, and the file.

    An error without a number, as some libraries raise, keeps its own message.

    >>> cause(OSError(errno.EXDEV, "Invalid cross-device link", "a", None, "b"))
    'Invalid cross-device link (EXDEV): a -> b'
    >>> cause(OSError("not a folder of fonts"))
    'not a folder of fonts'
    """
    if error.errno is None:
        return str(error) or type(error).__name__
    name = errno.errorcode.get(error.errno, f"error {error.errno}")
    files = " -> ".join(
        os.fsdecode(file) for file in (error.filename, error.filename2) if isinstance(file, str | bytes)
    )
    return f"{error.strerror} ({name})" + (f": {files}" if files else "")


def described(error: OSError) -> str:
    """The ``cause`` of an error, and advice where there is some.

    >>> described(OSError(errno.ENOSPC, "No space left on device", "runs.csv"))
    'No space left on device (ENOSPC): runs.csv. The disk is full: free space, or name a path on another one'
    """
    remedy = REMEDIES.get(errno.errorcode.get(error.errno or 0, ""))
    return f"{cause(error)}. {remedy}" if remedy else cause(error)


def unknown_name(kind: str, name: str, allowed: Iterable[str]) -> ConfigurationError:
    """The error for an unknown name, with the list of allowed names."""
    return ConfigurationError(f"unknown {kind} {name!r}; allowed: {', '.join(sorted(allowed))}")
