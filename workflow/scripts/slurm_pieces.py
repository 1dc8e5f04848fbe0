"""Runs a training within the time limit of a Slurm job: `python workflow/scripts/slurm_pieces.py gradalign train ...`.

The training stops with a checkpoint before the job's time is up, and the job returns to the queue under the same
number, as often as necessary. Snakemake sees one job that waits and runs, and uses up no retry. A job that Slurm itself
requeues (preemption, node failure) starts this program again. A job that was cancelled or exceeded its limit is
submitted again by Snakemake's `retries`. In all cases the training resumes from its last checkpoint.
"""

import os
import subprocess
import sys
import time

TIME_USED_UP = 75
"""Exit code of `gradalign train --max-seconds` if time was too short (EX_TEMPFAIL of sysexits.h)."""

LARGEST_MARGIN = 300.0
"""Most seconds that are kept free before the end of the job: training checks its time only at logged steps."""

KILL_WAIT = 600.0
"""Seconds to wait until Slurm kills the job, after it was requeued."""


def seconds(text: str) -> float:
    """Seconds from Slurm's ``[days-][[hours:]minutes:]seconds``; infinite for ``UNLIMITED``, 0 for ``INVALID`` (over).

    >>> [seconds(text) for text in ("59", "1:30", "2:00:05", "1-00:00:01", "UNLIMITED", "INVALID")]
    [59.0, 90.0, 7205.0, 86401.0, inf, 0.0]
    """
    match text:
        case "UNLIMITED" | "NOT_SET":
            return float("inf")
        case "INVALID":
            return 0.0
    days, _, clock = text.rpartition("-")
    total = 0.0
    for part in clock.split(":"):
        total = 60 * total + float(part)
    return 86400 * float(days or 0) + total


def piece(left: float) -> float:
    """Seconds to train if the job has ``left`` seconds: five minutes less, or three quarters if that is more.

    >>> piece(7200.0), piece(120.0)
    (6900.0, 90.0)
    """
    return left - min(LARGEST_MARGIN, left / 4)


def main(command: list[str]) -> int:
    """Run ``command`` with ``--max-seconds`` and return its exit code; requeue the job if the time ran out."""
    job = os.environ["SLURM_JOB_ID"]
    query = ["squeue", "--noheader", "--job", job, "--format", "%L"]
    left = seconds(subprocess.run(query, check=True, capture_output=True, text=True).stdout.strip())
    code = subprocess.run([*command, "--max-seconds", str(piece(left))]).returncode
    if code != TIME_USED_UP:
        return code if code >= 0 else 128 - code  # killed by a signal: the exit code of a shell
    print(f"the time of Slurm job {job} is nearly used up: it goes back into the queue", flush=True)
    if subprocess.run(["scontrol", "requeue", job]).returncode:
        print("Slurm did not take it back: Snakemake's --retries must start it again", flush=True)
        return code
    time.sleep(KILL_WAIT)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
