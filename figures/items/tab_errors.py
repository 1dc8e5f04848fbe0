"""Errors of every run in every quantity: over the whole grid, at the last time, and the largest one with its place."""

import numpy as np
import pandas as pd

from figures.drawing.names import problem_name, problem_order
from figures.drawing.summary import Summary, read_runs, read_table
from figures.drawing.text import number, spread

COLUMNS = ["run", "problem", "seed", "quantity", "relative_l2", "relative_l2_final_time"]
COLUMNS += ["largest_error", "largest_error_at"]
HEADER = ["problem", "run", "quantity", "relative L2 error", "at the last time", "largest error", "at"]


def render(summary: Summary) -> pd.DataFrame:
    """A row per run and quantity: median and range over the seeds; the largest error is that of all seeds.

    The quantity of the main table stands first and is marked.
    """
    table = read_table(summary, "errors", COLUMNS)
    scores = read_table(summary, "runs", ["problem", "score"])
    main = dict(zip(scores["problem"], scores["score"], strict=True))
    rows = []
    for problem in sorted(set(table["problem"].astype(str)), key=problem_order):
        for run in read_runs(summary, problem, variations=True):
            of_run = table[table["run"] == run.name]
            names = sorted(of_run["quantity"].drop_duplicates(), key=lambda name: str(name) != main[problem])
            for quantity in names:
                seeds = of_run[of_run["quantity"] == quantity]
                row = [
                    problem_name(problem),
                    run.label,
                    f"{quantity} (main)" if quantity == main[problem] else quantity,
                ]
                rows.append(row + _cells(seeds))
    return pd.DataFrame(rows, columns=HEADER)


def _cells(seeds: pd.DataFrame) -> list[str]:
    steady = not seeds["largest_error_at"].astype(str).str.startswith("t=").any()
    sizes = seeds["largest_error"].astype(float).to_numpy()
    worst = int(np.nanargmax(sizes)) if np.isfinite(sizes).any() else 0
    return [
        spread(seeds["relative_l2"], 2),
        "steady" if steady else spread(seeds["relative_l2_final_time"], 2),
        number(float(sizes[worst]), 2),
        str(seeds["largest_error_at"].iloc[worst]),
    ]
