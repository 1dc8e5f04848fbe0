"""All runs: error, cost, and where each number was made."""

import pandas as pd

from figures.drawing.names import method_order, problem_order
from figures.drawing.summary import Summary, read_table
from figures.drawing.text import number, spread

COLUMNS = ["run", "problem", "method", "seed", "scale", "device", "precision", "commit", "parameters", "steps"]
COLUMNS += ["train_seconds", "milliseconds_per_step", "relative_l2"]
HEADER = ["run", "relative L2 error", "ms per step", "seconds", "parameters", "steps", "seeds"]
HEADER += ["precision", "device", "scale", "commit"]


def render(summary: Summary) -> pd.DataFrame:
    """A row per run: median and range over its seeds."""
    table = read_table(summary, "runs", COLUMNS)
    rows = []
    for _, of_run in table.groupby("run"):
        first = of_run.iloc[0]
        order = (problem_order(str(first["problem"])), *method_order(str(first["method"]), str(first["run"])))
        row = {
            "run": first["run"],
            "relative L2 error": spread(of_run["relative_l2"]),
            "ms per step": number(float(of_run["milliseconds_per_step"].median())),
            "seconds": number(float(of_run["train_seconds"].median())),
            "parameters": first["parameters"],
            "steps": first["steps"],
            "seeds": ", ".join(map(str, of_run["seed"])),
            "precision": first["precision"],
            "device": first["device"],
            "scale": first["scale"],
            "commit": short_commit(str(first["commit"])),
        }
        rows.append((order, row))
    return pd.DataFrame([row for _, row in sorted(rows, key=lambda pair: pair[0])], columns=HEADER)


def short_commit(commit: str) -> str:
    """The first ten digits of a commit, with its mark where the checkout was changed; a version as it is.

    >>> short_commit("0123456789abcdef-dirty"), short_commit("version 1.10.12rc1")
    ('0123456789-dirty', 'version 1.10.12rc1')
    """
    if commit.startswith("version "):
        return commit
    return commit[:10] + ("-dirty" if commit.endswith("-dirty") else "")
