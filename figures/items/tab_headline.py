"""Every run against the published error of SOAP: what it reached, in what time, and how the problem was posed to it."""

import pandas as pd

from figures.drawing.names import problem_name, problem_order
from figures.drawing.published_errors import CONDITIONS, RELATIVE_L2, same_setting
from figures.drawing.summary import Summary, read_runs, read_table
from figures.drawing.text import number, spread

COLUMNS = ["run", "problem", "conditions", "windows", "network", "parameters", "points", "train_seconds", "relative_l2"]
HEADER = ["problem", "method", "conditions", "time slabs", "network", "parameters", "points", "seconds"]
HEADER += ["relative L2 error", "error of the reference", "published SOAP", "published / here"]


def render(summary: Summary) -> pd.DataFrame:
    """A row per run: medians and ranges over the seeds; published / here above 1 means a smaller error here.

    There is no ratio to an error that was published for another setting of the equation.
    """
    table = read_table(summary, "runs", COLUMNS)
    references = read_table(summary, "references", ["problem", "stated_error"]).set_index("problem")["stated_error"]
    rows = []
    for problem in sorted(set(table["problem"].astype(str)), key=problem_order):
        published = RELATIVE_L2.get(problem, {}).get("soap")
        posed = f" ({CONDITIONS[problem]})" if problem in CONDITIONS else ""
        for run in read_runs(summary, problem, variations=True):
            of_run = table[table["run"] == run.name]
            first = of_run.iloc[0]
            rows.append(
                {
                    "problem": problem_name(problem),
                    "method": run.label,
                    "conditions": first["conditions"],
                    "time slabs": first["windows"],
                    "network": first["network"],
                    "parameters": first["parameters"],
                    "points": first["points"],
                    "seconds": spread(of_run["train_seconds"], 2),
                    "relative L2 error": spread(of_run["relative_l2"], 2),
                    "error of the reference": number(float(references[problem]), 2),
                    "published SOAP": "–" if published is None else f"{number(published)}{posed}",
                    "published / here": number(published / float(of_run["relative_l2"].median()), 2)
                    if published and same_setting(problem, first.to_dict())
                    else "–",
                }
            )
    return pd.DataFrame(rows, columns=HEADER)
