"""How long a run still takes, from the time that its jobs took before.

Jobs differ by a factor of a thousand, so their number says little. Each job j of the plan has a weight w_j, the
core-seconds that it took in an earlier run, here (``results/SCALE/logs/seconds.csv``) or on another machine
(``published/SCALE/seconds.csv``). s_j is the share of the job that is done. If its log does not say, s_j is its
core-seconds so far over w_j, at most 0.95. With the time t since the first job,

    p = Σ_j s_j w_j / Σ_j w_j,   time left = t (1 - p) / p,

which assumes the speed and the core usage of this run so far. Nothing is shown while p is below a twentieth, or if a
kind of job has no weight. The displayed value follows new estimates slowly.
"""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

LEAST_SHARE = 0.05
FOLLOWS = 0.05
"""Share of the way to a new estimate that the displayed value moves each time."""

Weights = dict[tuple[str, str], float]


def read(path: Path) -> Weights:
    """Core-seconds by rule and name; empty if the file is missing, damaged or something else."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [(row["rule"], row["name"], float(row["core_seconds"])) for row in csv.DictReader(file)]
    except (OSError, ValueError, KeyError, TypeError, csv.Error):
        return {}
    return {(rule, name): seconds for rule, name, seconds in rows if 0 <= seconds < float("inf")}


def write(path: Path, weights: Weights) -> None:
    """Write core-seconds by rule and name; does nothing if the folder is not writable."""
    try:
        temporary = path.with_name(f".{path.name}")
        with temporary.open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(["rule", "name", "core_seconds"])
            table.writerows([rule, name, f"{seconds:.2f}"] for (rule, name), seconds in sorted(weights.items()))
        temporary.replace(path)
    except OSError:
        return


def share_done(
    planned: Iterable[tuple[str, str]], shares: Mapping[tuple[str, str], float], weights: Weights
) -> float | None:
    """The share of the planned work that is done, in [0, 1]; None if a rule has no weight.

    ``shares`` holds that of each started job. A job without a weight gets the mean of its rule.

    >>> share_done([("train", "a"), ("train", "b")], {("train", "a"): 1.0}, {("train", "a"): 3.0, ("train", "b"): 1.0})
    0.75
    """
    by_rule: dict[str, list[float]] = {}
    for (rule, _), seconds in weights.items():
        by_rule.setdefault(rule, []).append(seconds)
    done = whole = 0.0
    for job in planned:
        if job[0] not in by_rule:
            return None
        weight = weights.get(job, sum(by_rule[job[0]]) / len(by_rule[job[0]]))
        whole += weight
        done += weight * shares.get(job, 0.0)
    return done / whole if whole > 0 else None


def guess(spent: float, expected: float) -> float:
    """The share of a job that is done if its log does not say, from the core-seconds spent and expected.

    >>> guess(3.0, 6.0), guess(9.0, 6.0), guess(9.0, 0.0)
    (0.5, 0.95, 0.0)
    """
    return min(0.95, spent / expected) if expected > 0 else 0.0


class TimeLeft:
    """The displayed time left: it never jumps, and falls with the clock between two estimates."""

    def __init__(self) -> None:
        self.end: float | None = None

    def at(self, now: float, started: float, share: float | None) -> float | None:
        """Seconds left at ``now`` of a run that ``started`` and has done ``share`` of its work; None if unknown."""
        if share is None or share < LEAST_SHARE:
            return None
        end = now + (now - started) * (1 - share) / share
        self.end = end if self.end is None else self.end + FOLLOWS * (end - self.end)
        return max(0.0, self.end - now)
