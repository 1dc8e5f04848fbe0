"""Times of programs that take turns in one process: only their ratios mean anything on a machine with other users."""

import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
import pandas as pd


def in_turns(
    programs: Mapping[str, Callable[[], Any]], seconds: float = 6.0, rounds: tuple[int, int] = (5, 200)
) -> pd.DataFrame:
    """Milliseconds of every program in every round: a row per round, a column per program.

    Each program runs once before, so that nothing compiles in the measured rounds. In a round each program runs once,
    the order turning, until ``seconds`` are used up, at least and at most so many ``rounds``. Results are waited for.
    """
    for program in programs.values():
        jax.block_until_ready(program())
    names, table = list(programs), []
    started = time.perf_counter()
    for number in range(rounds[1]):
        if number >= rounds[0] and time.perf_counter() - started > seconds:
            break
        row = {}
        for name in names[number % len(names) :] + names[: number % len(names)]:
            begun = time.perf_counter()
            jax.block_until_ready(programs[name]())
            row[name] = 1000 * (time.perf_counter() - begun)
        table.append(row)
    return pd.DataFrame(table, columns=names)


def ratio(times: pd.DataFrame, slow: str, fast: str) -> dict[str, float]:
    """The median of slow/fast over the rounds with its quartiles, and both medians in milliseconds.

    >>> found = ratio(pd.DataFrame({"a": [4.0, 8.0, 6.0], "b": [2.0, 2.0, 2.0]}), "a", "b")
    >>> found["ratio"], found["a"], found["b"]
    (3.0, 6.0, 2.0)
    """
    quotient = times[slow] / times[fast]
    low, middle, high = np.quantile(quotient, [0.25, 0.5, 0.75])
    return {
        slow: float(times[slow].median()),
        fast: float(times[fast].median()),
        "ratio": float(middle),
        "ratio_low": float(low),
        "ratio_high": float(high),
        "rounds": len(times),
    }


def file_name(device: str) -> str:
    """The name of a device as a part of the name of a file.

    >>> file_name("NVIDIA H200")
    'nvidia-h200'
    """
    return re.sub(r"[^a-z0-9]+", "-", device.lower()).strip("-")
