"""A logger for Snakemake: ``snakemake --logger gradalign`` shows the state of the run, and logs the details to a file.

On a terminal one line shows the jobs done, those running, and the time; elsewhere each job ends with a short line.
Snakemake's own messages and the output of jobs go to the log file in ``.snakemake/log``. Snakemake imports every logger
that it finds at each start, used or not, so this module imports nothing that Snakemake has not imported before.
"""

import os
import sys
import threading
from dataclasses import dataclass, field
from logging import FileHandler, Handler, LogRecord, getLogger
from types import TracebackType
from typing import Optional

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.settings import LogHandlerSettingsBase

REFRESH = 0.5
"""Seconds between two drawings of the line."""


@dataclass
class LogHandlerSettings(LogHandlerSettingsBase):
    """The options ``--logger-gradalign-...``."""

    results: Optional[str] = field(  # noqa: UP045 - the interface reads no other spelling
        default=None,
        metadata={"help": "folder whose results the last screen shows; by default that of the jobs that ran"},
    )


class LogHandler(LogHandlerBase):
    """Turns events of Snakemake into lines on a stream. Events arrive in a separate thread."""

    writes_to_stream = True
    writes_to_file = False
    has_filter = True  # every event is wanted, however quiet Snakemake was asked to be
    has_formatter = True
    needs_rulegraph = False

    def __post_init__(self) -> None:
        from snakemake_logger_plugin_gradalign.face import Face

        if not hasattr(self, "level"):
            Handler.__init__(self)  # older versions of the interface omit this
        settings = self.settings
        self.face = Face(
            sys.stdout if self.common_settings.stdout else sys.stderr,
            dry_run=self.common_settings.dryrun,
            results=settings.results if isinstance(settings, LogHandlerSettings) else None,
        )
        self._stop = threading.Event()
        self._stdout: int | None = None
        self._ticker = threading.Thread(target=self._tick, name="line of progress", daemon=True)
        self._ticker.start()

    def emit(self, record: LogRecord) -> None:
        try:
            if getattr(record, "event", None) == "run_info" and not self.common_settings.dryrun:
                self._keep_details()
            self.face.take(record)
        except Exception:  # a defect in the display must not stop the computation
            self.handleError(record)

    def close(self) -> None:
        if not self._stop.is_set():
            self._stop.set()
            self._ticker.join()
            if isinstance(sys.exc_info()[1], KeyboardInterrupt):  # Ctrl-C while Snakemake plans
                self.face.stop()
                sys.excepthook = _without_interrupt
            self.face.close()
            if self._stdout is not None:
                sys.stdout.flush()
                os.dup2(self._stdout, 1)
                os.close(self._stdout)
        super().close()

    def _tick(self) -> None:
        while not self._stop.wait(REFRESH):
            with self.lock:  # type: ignore[union-attr]  # a handler has one
                self.face.tick()

    def _keep_details(self) -> None:
        """Find Snakemake's log file, and redirect the standard output of jobs to it."""
        files = [handler for handler in getLogger("snakemake.logging").handlers if isinstance(handler, FileHandler)]
        if not files or self._stdout is not None:
            return
        self.face.log_file = os.path.relpath(files[0].baseFilename)
        sys.stdout.flush()
        self._stdout = os.dup(1)
        log = os.open(files[0].baseFilename, os.O_WRONLY | os.O_APPEND)
        os.dup2(log, 1)
        os.close(log)


def _without_interrupt(kind: type[BaseException], value: BaseException, trace: TracebackType | None) -> None:
    """The usual report of an exception, except for Ctrl-C, which has been reported already."""
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, value, trace)
