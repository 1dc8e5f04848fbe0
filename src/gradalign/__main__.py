"""The program ``gradalign``, also ``python -m gradalign``: runs the command line, which Ctrl-C ends with one line."""

import os
import signal
import sys
from types import FrameType
from typing import Any


def main() -> None:
    """Run the command line. From here on, Ctrl-C ends it at any moment with exit code 130 and without a traceback.

    The first Ctrl-C waits until files are closed and half-written ones removed; a second one ends at once.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # under nohup it stays ignored
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
    except KeyboardInterrupt:  # during imports; Typer handles all others
        sys.exit(130)


def _stop(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGINT, lambda number, frame: os._exit(130))
    end = "resumes" if sys.argv[1:2] == ["train"] else "starts it again"
    os.write(2, f"\nstopped: the same command {end}\n".encode())
    raise KeyboardInterrupt


def _unraisable(unraisable: Any) -> None:
    """End the program after a Ctrl-C that Python would ignore, for instance while it frees memory."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        os._exit(130)
    sys.__unraisablehook__(unraisable)


if __name__ == "__main__":
    main()
