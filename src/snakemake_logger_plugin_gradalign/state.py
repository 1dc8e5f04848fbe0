"""The state of a run of the pipeline, updated by Snakemake's events in turn. It reads no file and no clock."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from logging import WARNING
from typing import Any, Literal

from snakemake_logger_plugin_gradalign.words import GATHERING, doing

STOPPING = "Terminating processes on user request"
STOPPING_LATER = "Will exit after finishing currently running jobs"
NOTHING_TO_DO = "Nothing to be done"
SAID_OTHERWISE = ("Exiting because a job execution failed", "At least one job did not complete successfully")
"""Snakemake's last messages after errors that have already been shown."""


@dataclass
class Job:
    """A job that has started. ``name`` is the value of its wildcard, or an empty string."""

    rule: str
    name: str
    logs: tuple[str, ...]
    outputs: tuple[str, ...]
    cores: int
    started: float
    seconds: float = 0.0

    @property
    def doing(self) -> str:
        return doing(self.rule, self.name)


@dataclass(frozen=True)
class Happening:
    """Something to tell the reader: a plan, a job that finished or failed, a message, or that the run stops."""

    kind: Literal["plan", "nothing to do", "finished", "failed", "message", "stopped", "stops later"]
    job: Job | None = None
    text: str = ""


@dataclass
class Run:
    """The state of a run. ``done`` and ``total`` count jobs as Snakemake does, with those that only gather files."""

    total: int = 0
    known: int = 0
    done: int = 0
    cores: int = 1
    plan: dict[str, int] = field(default_factory=dict)
    planned: list[tuple[str, str]] = field(default_factory=list)
    running: dict[int, Job] = field(default_factory=dict)
    finished: list[Job] = field(default_factory=list)
    failed: dict[int, Job] = field(default_factory=dict)
    stopped: bool = False
    stops_later: bool = False
    error: bool = False
    started: float | None = None

    def take(self, event: Mapping[str, Any], now: float) -> Happening | None:
        """Process one event, the attributes of a log record, at ``now`` in seconds; returns what the reader is told."""
        kind = str(event.get("event") or "")
        if kind == "resources_info":
            self.cores = event.get("cores") or self.cores
        elif kind == "run_info" and not self.plan:
            self.plan = dict(event["stats"])
            self.total = self.plan.pop("total", sum(self.plan.values()))
            self.started = now
            return Happening("plan")
        elif kind == "job_info":
            self._start(event, now)
        elif kind == "job_finished":
            return self._finish(event.get("job_id", event.get("jobid")), now)
        elif kind == "job_error":
            return self._fail(event, now)
        elif kind == "progress":
            self.done = event["done"]
            # With --until this counts jobs that will not run, so only its growth is used, as after a checkpoint
            self.known, known = event["total"], self.known or event["total"]
            self.total += self.known - known
        elif event.get("planned") is not None:
            self.planned = [(rule, name) for rule, name in event["planned"]]
        elif kind in ("", "error"):
            return self._message(event)
        return None

    def _start(self, event: Mapping[str, Any], now: float) -> None:
        self.failed.pop(event["jobid"], None)  # it is retried
        name = " ".join(str(value) for value in dict(event.get("wildcards") or {}).values())
        logs, outputs = tuple(event.get("log") or ()), tuple(event.get("output") or ())
        cores = min(event.get("threads") or 1, self.cores)
        self.running[event["jobid"]] = Job(event["rule_name"], name, logs, outputs, cores, now)

    def _finish(self, number: int, now: float) -> Happening | None:
        job = self.running.pop(number, None)
        if job is None:
            return None
        job.seconds = now - job.started
        self.finished.append(job)
        self.done += 1
        return None if job.rule in GATHERING else Happening("finished", job)

    def _fail(self, event: Mapping[str, Any], now: float) -> Happening | None:
        if self.stopped:  # Ctrl-C reaches the jobs as well
            return None
        logs = tuple(event.get("log") or ())
        job = self.running.pop(event["jobid"], None) or Job(event["rule_name"], "", logs, (), 1, now)
        job.logs = logs or job.logs  # including those of a cluster
        job.seconds = now - job.started
        self.failed[event["jobid"]] = job
        return Happening("failed", job)

    def _message(self, event: Mapping[str, Any]) -> Happening | None:
        text = str(event.get("message") or event.get("msg") or "").strip()
        if text.startswith(STOPPING) or event.get("exception") == "KeyboardInterrupt":
            already, self.stopped = self.stopped, True
            return None if already else Happening("stopped")
        if text.startswith(STOPPING_LATER):
            self.stops_later = True
            return Happening("stops later")
        if text.startswith(NOTHING_TO_DO):
            return Happening("nothing to do")
        if event.get("levelno", 0) < WARNING or self.stopped or not text or text == "None":
            return None
        ended = (bool(self.failed) or self.stops_later) and any(words in text for words in SAID_OTHERWISE)
        # The log of a failed job says more than its command
        shown = bool(self.running or self.failed) and "CalledProcessError" in text
        if ended or shown:
            return None
        self.error = self.error or event.get("levelno", 0) > WARNING
        return Happening("message", text=text)
