"""Every run against Adam on the same problem, here and as published."""

from math import nan

import pandas as pd

from figures.drawing.names import method_look, problem_name, problem_order
from figures.drawing.published_errors import CONDITIONS, RELATIVE_L2, SOURCE
from figures.drawing.summary import Summary, read_runs, read_table
from figures.drawing.text import number, spread

HEADER = ["problem", "method", "relative L2 error", "Adam / method", "time per step / Adam"]
HEADER += ["published error", "published Adam / method", "source of the published"]


def render(summary: Summary) -> pd.DataFrame:
    """A row per run: ratios of medians over the seeds; Adam / method above 1 means a smaller error than Adam's."""
    columns = ["run", "problem", "method", "relative_l2", "milliseconds_per_step"]
    table = read_table(summary, "runs", columns)
    error, time = (
        {str(run): float(values.median()) for run, values in table.groupby("run")[column]}
        for column in ("relative_l2", "milliseconds_per_step")
    )
    rows = []
    for problem in sorted(set(table["problem"].astype(str)), key=problem_order):
        runs = read_runs(summary, problem)
        published = RELATIVE_L2.get(problem, {})
        source = f"{SOURCE}, for {CONDITIONS[problem]}" if problem in CONDITIONS else SOURCE
        adam = next((run.name for run in runs if run.method == "adam"), "")
        for run in runs:
            # A published number belongs to the method itself, not to a variant of it
            known = published.get(run.method) if run.label == method_look(run.method)[0] else None
            rows.append(
                {
                    "problem": problem_name(problem),
                    "method": run.label,
                    "relative L2 error": spread(table.loc[table["run"] == run.name, "relative_l2"]),
                    "Adam / method": number(error.get(adam, nan) / error[run.name]),
                    "time per step / Adam": number(time[run.name] / time.get(adam, nan)),
                    "published error": "–" if known is None else number(known),
                    "published Adam / method": number(published["adam"] / known)
                    if known and "adam" in published
                    else "–",
                    "source of the published": "–" if known is None else source,
                }
            )
    return pd.DataFrame(rows, columns=HEADER)
