"""The display while the pipeline runs: events in, text on a stream out, in one of two ways.

On a terminal one line is redrawn, and gives way to what must stay: failures, messages, the last screen. On any other
stream, and on a terminal that cannot return to the start of a line, each finished job gets a line, and a quiet minute
gets one with the state of the run.
"""

import os
import time
from collections.abc import Callable
from logging import LogRecord
from pathlib import Path
from typing import TextIO

from snakemake_logger_plugin_gradalign import drawing, logs, time_left
from snakemake_logger_plugin_gradalign.last_screen import last_screen
from snakemake_logger_plugin_gradalign.state import Happening, Job, Run
from snakemake_logger_plugin_gradalign.words import SMALL

QUIET = 60.0
"""Seconds without a line after which a plain stream gets one."""
PATIENCE = 1.0
"""Seconds before a failure is shown: on Ctrl-C jobs fail before Snakemake says that it stops."""


class Face:
    """One run of the pipeline on one stream."""

    def __init__(
        self,
        stream: TextIO,
        dry_run: bool = False,
        results: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.stream, self.dry_run, self.clock = stream, dry_run, clock
        self.results = Path(results) if results else None
        self.log_file: str | None = None
        self.run = Run()
        self.nothing_to_do = False
        self._live = not dry_run and _is_terminal(stream)
        self._drawn = 0  # columns of the line on the screen
        self._closed = False
        self._last_line = clock()
        self._failures: list[tuple[float, Job, dict[str, list[str]]]] = []  # not yet shown
        self._weights: time_left.Weights | None = None
        self._left = time_left.TimeLeft()

    def take(self, record: LogRecord) -> None:
        """Process one event of Snakemake."""
        if self.dry_run and getattr(record, "event", None) in ("job_info", "job_error"):
            return
        happening = self.run.take(vars(record), self.clock())
        if happening is not None:
            self._tell(happening)

    def tick(self) -> None:
        """Redraw the line, or print the state of the run after a quiet minute; called periodically."""
        now = self.clock()
        self._show_failures(now - PATIENCE)
        if self.dry_run or self.nothing_to_do or self.run.stopped:
            return
        if self._live:
            self._draw(self._progress(now, self._columns() - 1))
        elif self.run.running and now - self._last_line >= QUIET:
            self._say(self._progress(now, 200) + "\n")

    def stop(self) -> None:
        """Say that the user has stopped the run. Failures of the last moment are caused by this and not shown."""
        self.run.stopped = True
        self._failures.clear()
        self._say("stopped: the same command resumes\n")

    def close(self) -> None:
        """Say how the run ended."""
        if self._closed:
            return
        self._closed = True
        if not self.run.stopped:
            self._show_failures(float("inf"))
        now, columns = self.clock(), self._columns()
        if not self.dry_run:
            self._say(drawing.closing(self.run, now, self.log_file, columns))
            results = self._results()
            if results is not None and self._is_whole(results):
                self._say(f"\n{last_screen(results, columns)}")
            self._keep_times()
        self._draw("")

    def _tell(self, happening: Happening) -> None:
        job = happening.job
        if happening.kind == "plan":
            self._say(
                drawing.plan(self.run, self._columns()) if self.dry_run else drawing.opening(self.run, self.log_file)
            )
        elif happening.kind == "finished" and job is not None:
            if not self._live and job.rule not in SMALL:
                self._say(drawing.finished(self.run, job))
        elif happening.kind == "failed" and job is not None:
            readable = [log for log in job.logs if not log.endswith(".csv")]  # a table is no message
            # Read now: a retried job empties its log
            self._failures.append((self.clock(), job, {log: logs.last_lines(log) for log in readable}))
        elif happening.kind == "message":
            self._say(logs.clean(happening.text) + "\n")
        elif happening.kind == "nothing to do":
            self.nothing_to_do = True
            self._say("Nothing to do: everything that was asked for is there and up to date.\n")
        elif happening.kind == "stops later":
            self._say("stopping when the jobs that run are done\n")
        elif happening.kind == "stopped":
            self.stop()

    def _show_failures(self, before: float) -> None:
        while self._failures and self._failures[0][0] <= before:
            _, job, tails = self._failures.pop(0)
            self._say(drawing.failure(job, tails, again=all(job is not one for one in self.run.failed.values())))

    def _progress(self, now: float, columns: int) -> str:
        progress = {
            number: logs.share_in("\n".join(logs.end_of(log, since=job.started - 1) for log in job.logs[:1]))
            for number, job in self.run.running.items()
        }
        return drawing.progress_line(self.run, progress, now, self._seconds_left(now, progress), columns)

    def _seconds_left(self, now: float, progress: dict[int, tuple[float, str] | None]) -> float | None:
        results = self._results()
        if results is None or self.run.started is None:
            return None
        if self._weights is None:
            published = Path("published") / results.name / "seconds.csv"
            self._weights = time_left.read(published) | time_left.read(results / "logs/seconds.csv")
        shares = {(job.rule, job.name): 1.0 for job in self.run.finished}
        for number, job in self.run.running.items():
            found = progress.get(number)
            expected = self._weights.get((job.rule, job.name), 0.0)
            shares[job.rule, job.name] = (
                found[0] if found else time_left.guess(job.cores * (now - job.started), expected)
            )
        share = time_left.share_done(self.run.planned, shares, self._weights) if self._weights else None
        return self._left.at(now, self.run.started, share)

    def _keep_times(self) -> None:
        """Store how long the jobs took, to estimate the time left of later runs."""
        results = self._results()
        took = {(job.rule, job.name): job.cores * job.seconds for job in self.run.finished if job.seconds > 0}
        if results is not None and took and (results / "logs").is_dir():
            path = results / "logs/seconds.csv"
            time_left.write(path, time_left.read(path) | took)

    def _results(self) -> Path | None:
        """The folder of results: the one that was named, or else that of the jobs."""
        if self.results is None:
            for job in (*self.run.finished, *self.run.failed.values(), *self.run.running.values()):
                for output in job.outputs:
                    parts = Path(output).parts
                    if len(parts) > 2 and parts[0] == "results":
                        self.results = Path(*parts[:2])
                        return self.results
        return self.results

    def _is_whole(self, results: Path) -> bool:
        """Whether this run included the last stage and wrote its table, or had nothing to do."""
        if self.run.stopped or self.nothing_to_do:
            return self.nothing_to_do
        try:
            written = (results / "verification.csv").stat().st_mtime
        except OSError:
            return False
        ended = (*self.run.finished, *self.run.failed.values())
        return any(job.rule == "verify" and written > job.started - 1 for job in ended)

    def _columns(self) -> int:
        try:
            return max(20, os.get_terminal_size(self.stream.fileno()).columns or 80)
        except (OSError, ValueError, AttributeError):
            return 100

    def _say(self, text: str) -> None:
        """Write lines that stay, above the line of progress."""
        if text:
            self._draw("")
            self._write(text)
            self._last_line = self.clock()

    def _draw(self, line: str) -> None:
        """Draw the line of progress over the present one; with spaces, which every terminal understands."""
        if self._drawn or line:
            blank = min(self._drawn, self._columns() - 1)
            self._write(f"\r{line:{blank}}" if line else f"\r{'':{blank}}\r")
            self._drawn = len(line)

    def _write(self, text: str) -> None:
        encoding = getattr(self.stream, "encoding", None) or "utf-8"
        try:
            self.stream.write(text.encode(encoding, "replace").decode(encoding))
            self.stream.flush()
        except (OSError, ValueError):  # the reader has gone; the log file has everything
            return


def _is_terminal(stream: TextIO) -> bool:
    """Whether a line can be redrawn: a terminal that is not a dumb one."""
    try:
        return stream.isatty() and os.environ.get("TERM", "dumb") not in ("", "dumb")
    except (AttributeError, ValueError):
        return False
