"""The end of the log file of a job. Only its last kilobytes are read, however long it is."""

import os
import re
from pathlib import Path

SHARE = re.compile(r"^.*:\s+(\d{1,3})%\s?(.*)$", re.MULTILINE)
SEED = re.compile(r"seed -?\d+")
CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")


def clean(text: str) -> str:
    """Text without control characters, so that a log cannot move the cursor; tabs and line ends stay."""
    return CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def end_of(path: str, most: int = 4096, since: float = 0.0) -> str:
    """At most ``most`` bytes from the end of a file; nothing if it is missing or was not written after ``since``."""
    try:
        with Path(path).open("rb") as file:
            status = os.fstat(file.fileno())
            if status.st_mtime < since:  # left by an earlier run
                return ""
            file.seek(max(0, status.st_size - most))
            return clean(file.read(most).decode("utf-8", "replace"))
    except OSError:
        return ""


def share_in(text: str) -> tuple[float, str] | None:
    """The share done and the seed in the last line of progress, as ``gradalign`` writes it into its log.

    >>> share_in("train burgers-soap:  42% seed 1, loss 4.4e-01, error 9.4e-01")
    (0.42, 'seed 1')
    >>> share_in("reference wave: started")
    """
    found = SHARE.findall(text)
    if not found:
        return None
    seed = SEED.search(found[-1][1])
    return min(int(found[-1][0]), 100) / 100, seed.group() if seed else ""


def last_lines(path: str, number: int = 15) -> list[str]:
    """The last lines of a log file, without empty ones at its end."""
    return end_of(path, 16384).rstrip().splitlines()[-number:]
