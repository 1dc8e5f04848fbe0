"""Errors that reach a user: what was given, what is allowed, the usual cause, what to do."""

import os
from collections.abc import Iterable


class GradalignError(Exception):
    """Base class of every error that gradalign raises on purpose."""


class ConfigurationError(GradalignError, ValueError):
    """A configuration, name or argument that was rejected before any compute was spent."""


class ForeignFileError(ConfigurationError):
    """A file that cannot be one of ours, found before it was read: no regular file, or larger than ours can be."""

    def __init__(self, path: os.PathLike[str] | str, what: str) -> None:
        super().__init__(f"{os.fspath(path)}: {what}; check the path, and where the file came from")
        self.what = what


class MemoryLimitError(GradalignError, MemoryError):
    """A computation that needs more memory than there is."""


class DeviceError(GradalignError, RuntimeError):
    """The settings ask for a device that this machine does not have."""


class CheckpointError(GradalignError, RuntimeError):
    """A checkpoint that cannot be read, or that belongs to another run."""


class RunRecordError(GradalignError, RuntimeError):
    """Files of a finished run that are missing or are not those that were written."""


class TimeLimitError(GradalignError, TimeoutError):
    """The time that a run was given is used up; started again, it goes on."""


class NonFiniteLossError(GradalignError, ArithmeticError):
    """Training met a loss that is infinite or not a number, and stopped."""


def unknown_name(kind: str, name: str, allowed: Iterable[str]) -> ConfigurationError:
    """The error for a name that is not known, with the list of names that are."""
    return ConfigurationError(f"unknown {kind} {name!r}; allowed: {', '.join(sorted(allowed))}")
