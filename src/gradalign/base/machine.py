"""Cores and memory that this process may use, within the limits of containers and batch systems."""

import os
import resource
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from gradalign.base.errors import ConfigurationError

CGROUPS = Path("/sys/fs/cgroup")
"""Where Linux shows control groups, with the limits that containers and batch systems set."""

PROCESSES = Path("/proc")

CACHED = ("inactive_file", "active_file", "total_inactive_file", "total_active_file")
"""Entries of ``memory.stat`` that count reclaimable page cache; ``total_`` in version 1 of control groups."""


class Memory(NamedTuple):
    """Bytes that can still be allocated, and what limits them, in words."""

    free: int
    where: str


def cores() -> float:
    """Cores for XLA's threads: the least of those in the machine, those given to this process, and ``NPROC``.

    The affinity (``taskset``, batch systems) and the quota of the control group (containers) limit the cores of a
    process; a quota may be fractional. ``NPROC`` in the environment is XLA's number of threads. Raises
    ``ConfigurationError`` where it is not a whole number from 1.
    """
    found: list[float] = [os.cpu_count() or 1]
    if sys.platform == "linux":
        found.append(len(os.sched_getaffinity(0)))
    for group in _groups("cpu"):
        if len(both := _words(group / "cpu.max")) == 2:
            quota, period = both
        else:  # version 1
            quota, period = ("".join(_words(group / f"cpu.cfs_{name}_us")) for name in ("quota", "period"))
        if quota.isdecimal() and period.isdecimal():  # `max` or -1 means no limit
            found.append(int(quota) / int(period))
    if given := os.environ.get("NPROC"):
        if not given.isdecimal() or int(given) < 1:
            raise ConfigurationError(
                f"NPROC is {given!r} in the environment; allowed: the number of cores that XLA may use, 1 or more. "
                "Unset it for all cores, or set it as in NPROC=1 gradalign train ..."
            )
        found.append(int(given))
    return min(found)


def available_memory() -> Memory:
    """Memory that this process can still allocate: the least that the system, its control groups and its limit leave.

    Other processes share this memory. The page cache counts as free.
    """
    found = []
    lines = dict(line.split(":", 1) for line in _text(PROCESSES / "meminfo").splitlines() if ":" in line)
    if "MemAvailable" in lines:
        found.append(Memory(int(lines["MemAvailable"].split()[0]) * 1024, "the memory of this machine"))
    for group in _groups("memory"):
        states = dict(line.split() for line in _text(group / "memory.stat").splitlines() if len(line.split()) == 2)
        used = "".join(_words(group / "memory.current") or _words(group / "memory.usage_in_bytes"))
        cached = sum(int(states.get(name, 0)) for name in CACHED[:2]) or sum(int(states.get(n, 0)) for n in CACHED[2:])
        for name in ("memory.max", "memory.high", "memory.limit_in_bytes"):
            limit = "".join(_words(group / name))
            if limit.isdecimal() and used.isdecimal():
                free = max(0, int(limit) - max(0, int(used) - cached))
                found.append(Memory(free, f"the memory of this container or job (limit {readable(int(limit))})"))
    limit_of_process, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit_of_process != resource.RLIM_INFINITY and (pages := _words(PROCESSES / "self/statm")):
        free = max(0, limit_of_process - int(pages[0]) * resource.getpagesize())
        found.append(Memory(free, f"the memory of this process (ulimit -v, {readable(limit_of_process)})"))
    return min(found, default=Memory(sys.maxsize, "the memory of this machine"))


def out_of_memory(error: BaseException) -> str:
    """The message for an out-of-memory error of Python, NumPy or XLA; empty for any other error.

    >>> out_of_memory(ValueError("RESOURCE_EXHAUSTED"))
    ''
    >>> print(out_of_memory(MemoryError("Unable to allocate 72.8 TiB")))  # doctest: +ELLIPSIS
    MemoryError: Unable to allocate 72.8 TiB. ... free in the memory of this ... Ways on: fewer points ...
    """
    of_xla = type(error).__name__ in ("JaxRuntimeError", "XlaRuntimeError") and any(
        sign in str(error) for sign in ("RESOURCE_EXHAUSTED", "bad_alloc", "ut of memory")
    )
    if not of_xla and not isinstance(error, MemoryError):
        return ""
    platform = sys.modules["jax"].default_backend() if of_xla else "cpu"
    free = f" {readable((found := available_memory()).free)} are free in {found.where}." if platform == "cpu" else ""
    first = (str(error).splitlines() or ["no more memory"])[0].rstrip(".")
    return f"MemoryError: {first}.{free} {ways_on(platform)}"


def wrong_setting(error: BaseException) -> str:
    """The message for a value in the environment that JAX rejects on import; empty for any other error.

    JAX names the value, and the variable or its setting of the same name in lower case.

    >>> wrong_setting(ValueError("invalid truth value 'perhaps' for environment 'JAX_DEBUG_NANS'"))
    ''
    """
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    modules = [str(frame.f_globals.get("__name__")) for frame in frames if frame.f_code.co_name == "<module>"]
    # A program that sets a wrong value later is itself in error, and raises outside an import
    if not isinstance(error, ValueError) or not modules or not modules[-1].startswith("jax."):
        return ""
    return (
        f"ConfigurationError: JAX cannot start: {error}; allowed: values that JAX knows. Correct the environment "
        "variable of this name, in capital letters, or unset it: gradalign needs none of them"
    )


def ways_on(platform: str) -> str:
    """Advice where the memory of a platform, ``cpu`` or another of JAX, is too small."""
    more = "a larger limit of the container or job, a machine with more memory" if platform == "cpu" else "a larger GPU"
    fewer = (
        ", fewer jobs at a time (snakemake --jobs 1)" if platform == "cpu" else ", more GPUs, which share the points"
    )
    return (
        "Ways on: fewer points (key 'points', or the grid of a reference), a smaller network, a method that needs less "
        f"(gradalign train --list-methods){fewer}, or {more}"
    )


def readable(size: float) -> str:
    """A number of bytes with its unit.

    >>> [readable(size) for size in (1, 7_900, 128e6, 4_294_967_296)]
    ['1 byte', '7.9 kB', '128.0 MB', '4.3 GB']
    """
    for unit, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size:.0f} byte{'' if size == 1 else 's'}"


def _groups(controller: str) -> Iterator[Path]:
    """Folders of this process's control groups, of version 2 and of a controller of version 1, and their parents."""
    for line in _text(PROCESSES / "self/cgroup").splitlines():
        _, names, path = [*line.split(":", 2), "", ""][:3]
        if names and controller not in names.split(","):
            continue
        top = CGROUPS / controller if names else CGROUPS
        group = top / path.lstrip("/")
        # In a container the path may be the host's, which does not exist there: the container's group is the top one
        yield from (folder for folder in (group, *group.parents) if folder == top or top in folder.parents)


def _words(path: Path) -> list[str]:
    return _text(path).split()


def _text(path: Path) -> str:
    """The text of a file of the system; empty where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
