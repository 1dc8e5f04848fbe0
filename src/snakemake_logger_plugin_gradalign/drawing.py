"""The lines that a reader sees, made from the state of a run. Plain ASCII, without control characters."""

import textwrap
from collections.abc import Mapping, Sequence

from snakemake_logger_plugin_gradalign.state import Job, Run
from snakemake_logger_plugin_gradalign.words import counted

LEAST_NAME = 16
"""Columns below which the name of a running job is of no use."""


def duration(seconds: float) -> str:
    """A time in words.

    >>> [duration(s) for s in (0.4, 59.7, 725, 3725)]
    ['0 s', '1 min 0 s', '12 min 5 s', '1 h 2 min']
    """
    whole = round(seconds)
    hours, minutes = whole // 3600, whole % 3600 // 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"


def time_left(seconds: float) -> str:
    """An estimate in words, rounded to what is known.

    >>> [time_left(s) for s in (20, 500, 1700, 5000)]
    ['under a minute left', 'about 8 min left', 'about 30 min left', 'about 1 h 20 min left']
    """
    minutes = seconds / 60
    if minutes < 1:
        return "under a minute left"
    step = 1 if minutes < 10 else 5 if minutes < 60 else 10
    return f"about {duration(60 * step * round(minutes / step)).removesuffix(' 0 s').removesuffix(' 0 min')} left"


def with_share(job: Job, progress: tuple[float, str] | None) -> str:
    """A running job, with its progress if its log states it.

    >>> with_share(Job("train", "burgers-soap", (), (), 1, 0.0), (0.42, "seed 1"))
    'training burgers-soap (seed 1, 42 %)'
    """
    if progress is None:
        return job.doing
    share, seed = progress
    return f"{job.doing} ({seed + ', ' if seed else ''}{100 * share:.0f} %)"


def cut(text: str, columns: int) -> str:
    """Text that fits; three dots replace what is cut off.

    >>> cut("training burgers", 12)
    'training ...'
    """
    return text if len(text) <= columns else f"{text[: max(0, columns - 3)]}..."[: max(0, columns)]


def progress_line(
    run: Run, progress: Mapping[int, tuple[float, str] | None], now: float, left: float | None, columns: int
) -> str:
    """Jobs done, time, time left if known, and as many of the running jobs as fit into ``columns``."""
    if run.started is None:
        return cut("finding out which jobs are needed", columns)
    failed = f", {len(run.failed)} failed" if run.failed else ""
    head = f"{run.done} of {run.total} jobs{failed}, {duration(now - run.started)}"
    end = f", {time_left(left)}" if left is not None else ""
    jobs = sorted(run.running.items(), key=lambda item: progress.get(item[0]) is None)  # those of known progress first
    if len(head + end) + (LEAST_NAME if jobs else 0) > columns:
        end = ""
    room = columns - len(head + end) - 2
    if not jobs or room < LEAST_NAME:
        return cut(head + end, columns)
    found = [(job, progress.get(number)) for number, job in jobs]
    without_seed = [(job, known and (known[0], "")) for job, known in found]
    alone = [(job, None) for job, _ in found]
    for variant in (found, without_seed, alone):
        names = [with_share(job, known) for job, known in variant]
        for shown in range(len(names), 0, -1):
            text = ", ".join(names[:shown]) + (f", {len(names) - shown} more" if shown < len(names) else "")
            if len(text) <= room:
                return f"{head}{end}: {text}"
    return f"{head}{end}: {cut(names[0], room)}"


def opening(run: Run, log_file: str | None) -> str:
    """What is planned, and the file with the details."""
    cores = "1 core" if run.cores == 1 else f"{run.cores} cores"
    jobs = "1 job" if run.total == 1 else f"{run.total} jobs"
    details = f"Details: {log_file}\n" if log_file else ""
    return f"{jobs} on {cores}. Ctrl-C stops; the same command resumes.\n{details}"


def plan(run: Run, columns: int) -> str:
    """What a dry run would do, counted by kind."""
    jobs = "1 job" if run.total == 1 else f"{run.total} jobs"
    counts = counted(run.plan)
    what = f": {', '.join(counts)}" if counts else ""
    text = f"would run {jobs}{what}. Nothing was started."
    return textwrap.fill(text, columns, break_long_words=False, break_on_hyphens=False) + "\n"


def finished(run: Run, job: Job) -> str:
    """The line of a finished job."""
    return f"[{run.done}/{run.total}] {job.doing}: {duration(job.seconds)}\n"


def failure(job: Job, tails: Mapping[str, Sequence[str]], again: bool = False) -> str:
    """The report of a job that failed and may be retried, with the end of its log and the path of the log."""
    lines = [f"FAILED{', tried again' if again else ''}: {job.doing}, after {duration(job.seconds)}"]
    for log, tail in tails.items():
        lines += [f"  the end of its log, {log}:" if tail else f"  its log, {log}, is empty or missing"]
        lines += [f"  | {line}" for line in tail]
    return "\n".join(lines) + "\n"


def closing(run: Run, now: float, log_file: str | None, columns: int) -> str:
    """How a run ended: all done, stopped by the user, or with failed jobs and their logs."""
    took = duration(now - (now if run.started is None else run.started))
    if run.failed and not run.stopped:
        count = "1 job failed" if len(run.failed) == 1 else f"{len(run.failed)} jobs failed"
        lines = [f"{count}, {run.done} of {run.total} are done, in {took}:"]
        for job in run.failed.values():
            lines.append(f"  {job.doing}")
            lines += [f"    {log}" for log in job.logs]
        lines.append(
            "The same command resumes when the cause is mended." + (f" Details: {log_file}" if log_file else "")
        )
        return "\n".join(lines) + "\n"
    if run.stops_later and run.done < run.total:
        return f"stopped: {run.done} of {run.total} jobs are done, in {took}; the same command resumes\n"
    if run.started is None or run.stopped or run.error or run.done < run.total:
        return ""
    return f"All {run.total} jobs are done, in {took}.\n" if run.total > 1 else f"The job is done, in {took}.\n"
