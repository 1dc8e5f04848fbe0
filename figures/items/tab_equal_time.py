"""Every method on every problem after one and the same training time."""

import numpy as np
import pandas as pd

from figures.drawing.equal_cost import read_progress
from figures.drawing.names import method_look, problem_name
from figures.drawing.summary import Summary, read_table
from figures.drawing.text import number, spread
from gradalign.pipeline.comparison import at_equal_budget

HEADER = ["problem", "equal time (s)", "method", "its time (s)", "relative L2 error then", "rank", "seeds"]
HEADER += ["recipe"]


def render(summary: Summary) -> pd.DataFrame:
    """A row per problem and method, the least median error first: median and range over the seeds, and its rank."""
    steps = read_progress(summary)
    if steps.empty:
        return pd.DataFrame(columns=HEADER)
    reached = at_equal_budget(steps, "seconds")
    runs = read_table(summary, "runs", ["run"]).drop_duplicates("run").set_index("run")
    recipes = runs["recipe"].to_dict() if "recipe" in runs else {}  # older runs have none
    rows = []
    for problem, own in reached.groupby("problem", sort=False):
        medians = own.groupby("method", sort=False)["error"].median()
        ranks = medians.rank()
        for method in medians.sort_values(kind="stable").index:
            of_method = own[own["method"] == method]
            done = np.isfinite(medians[method])
            rows.append(
                {
                    "problem": problem_name(str(problem)),
                    "equal time (s)": number(float(own["limit"].iloc[0])),
                    "method": method_look(str(method))[0],
                    "its time (s)": number(float(of_method["used"].iloc[0])) if done else "–",
                    "relative L2 error then": spread(of_method["error"], 2) if done else "not in the last time window",
                    "rank": number(float(ranks[method])) if done else "–",
                    "seeds": str(len(of_method)),
                    "recipe": recipes.get(of_method["run"].iloc[0], "–"),
                }
            )
    return pd.DataFrame(rows, columns=HEADER)
