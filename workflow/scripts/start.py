"""Prepares every start of the pipeline: ``profiles/default`` lets Snakemake run this file in its own process.

Snakemake ends with a traceback if its caches cannot be written, if a target follows ``--config``, and if it is stopped
a second time. All of this happens before or outside the Snakefile.
"""

import getpass
import os
import shlex
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType, TracebackType

ROOM = 2**16
"""Bytes that a cache folder must take: even with a full quota, empty files can be created."""


def misplaced_targets(arguments: Sequence[str]) -> str:
    """A message about targets after ``--config``, which Snakemake takes for settings; empty if there are none.

    >>> print(misplaced_targets(["--cores", "4", "--config", "scale=smoke", "results/smoke/verified"]))
    'results/smoke/verified' is behind --config, where Snakemake takes it for a setting. Targets come first:
      snakemake results/smoke/verified --cores 4 --config scale=smoke
    >>> misplaced_targets(["figures", "--config", "scale=smoke", "--", "tables"])
    ''
    """
    targets, others, settings = [], [], False
    for argument in arguments:
        if argument.startswith("-"):
            settings = argument in ("--config", "-C")
        if settings and not argument.startswith("-") and "=" not in argument:
            targets.append(argument)
        else:
            others.append(argument)
    if not targets:
        return ""
    return (
        f"{', '.join(map(repr, targets))} is behind --config, where Snakemake takes it for a setting. Targets come "
        f"first:\n  snakemake {shlex.join([*targets, *others])}"
    )


def unsafe_configuration(arguments: Sequence[str]) -> str:
    """What is wrong with a file after ``--configfile``, which Snakemake reads before our code; empty if nothing is.

    Snakemake would wait for a named pipe, and spend minutes on expanding nested aliases.
    """
    files, given = [], False
    for argument in arguments:
        option, _, value = argument.partition("=")
        if argument.startswith("-"):
            given = option in ("--configfile", "--configfiles")
            files += [value] if given and value else []
        elif given:
            files.append(argument)
    if not files:
        return ""
    try:
        from gradalign.base.errors import GradalignError
        from gradalign.base.yaml_files import read
    except ImportError:  # another environment, which the Snakefile reports
        return ""
    try:
        for file in files:
            read(Path(file))
    except GradalignError as error:
        return f"the configuration is wrong, nothing was started\n{error}"
    return ""


def fault(folder: Path) -> str:
    """Why a folder takes no files; empty if it does. A missing folder is created."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(ROOM))
    except OSError as error:
        return error.strerror or str(error)
    return ""


def choose_folder(variable: str, usual: Path | None, own: Path) -> None:
    """Let Snakemake and all jobs use the folder ``own`` if ``usual`` is None (unknown) or takes no files.

    Raises ``SystemExit`` with a message if neither takes files.
    """
    reason = fault(usual) if usual else "the home directory is not known"
    if not reason:
        return
    if reason_own := fault(own):
        raise SystemExit(
            f"{variable}: {usual or 'no folder'} takes no files ({reason}), nor does {own} ({reason_own}). Set "
            f"{variable} to a folder that can be written"
        )
    os.environ[variable] = str(own)
    print(f"{usual or 'no folder'} takes no files ({reason}): {variable} is now {own}", file=sys.stderr, flush=True)


def cache_folder() -> Path | None:
    """The cache folder by the rules of XDG; None without a home directory."""
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:
        return None


def name_user() -> None:
    """Set a user name if there is none, as in some containers: Snakemake asks for it."""
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ["LOGNAME"] = str(os.getuid())


stopped = False


def stop(number: int, frame: FrameType | None) -> None:
    """End the jobs and say so in one line. A second Ctrl-C ends at once, like a kill: all that is kept is whole."""
    global stopped
    if stopped:
        os._exit(130)
    stopped = True
    from snakemake.logging import logger

    # Snakemake would report each job that Ctrl-C ended as failed, with its log
    logger.addFilter(lambda record: False)
    os.write(2, b"\nstopped: the same command resumes. Running jobs are being ended; Ctrl-C again does not wait.\n")
    raise KeyboardInterrupt


def hide_interrupt(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Show no traceback for a stop before the first job."""
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)


def prepare(arguments: Sequence[str], checkout: Path) -> None:
    if message := misplaced_targets(arguments) or unsafe_configuration(arguments):
        raise SystemExit(message)
    choose_folder("XDG_CACHE_HOME", cache_folder(), checkout / ".cache")
    choose_folder("TMPDIR", Path(os.environ.get("TMPDIR") or "/tmp"), checkout / ".cache" / "tmp")
    tempfile.tempdir = None  # let tempfile look it up again
    name_user()
    # Not where it is ignored, as under nohup
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        with suppress(ValueError):  # not in the main thread
            signal.signal(signal.SIGINT, stop)
            sys.excepthook = hide_interrupt


if __name__ == "__main__":
    prepare(sys.argv[1:], Path.cwd())
