"""The program ``gradalign``, also as ``python -m gradalign``: the command line, which Ctrl-C ends with one line."""

import os
import signal
import sys
from types import FrameType
from typing import Any


def main() -> None:
    """Run the command line. Ctrl-C, at any moment from here on, ends it with the exit code 130 and without a traceback.

    The first one lets files be closed and half-written ones be removed, a second one does not wait for that.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not where it is ignored, as under nohup
        signal.signal(signal.SIGINT, _stop)
        sys.unraisablehook = _unraisable
    try:
        from gradalign.pipeline.cli import application

        application()
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] == "gradalign":
            raise
        sys.exit(
            f"gradalign: the command line needs the package {error.name}, which is not installed; "
            "install it with: pip install 'gradalign[command-line]'"
        )
    except KeyboardInterrupt:  # while modules were imported; Typer handles all others
        sys.exit(130)


def _stop(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGINT, lambda number, frame: os._exit(130))
    end = "resumes" if sys.argv[1:2] == ["train"] else "starts it again"
    os.write(2, f"\nstopped: the same command {end}\n".encode())
    raise KeyboardInterrupt


def _unraisable(unraisable: Any) -> None:
    """Python goes on after a Ctrl-C that comes while it frees memory, for instance; the user wants it to end."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        os._exit(130)
    sys.__unraisablehook__(unraisable)


if __name__ == "__main__":
    main()
