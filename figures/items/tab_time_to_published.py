"""How long every method took to the error that was published for SOAP."""

import pandas as pd

from figures.drawing.equal_cost import read_progress
from figures.drawing.names import method_look, problem_name
from figures.drawing.published_errors import CONDITIONS, RELATIVE_L2
from figures.drawing.summary import Summary
from figures.drawing.text import number, spread
from gradalign.pipeline.comparison import time_to_reach

HEADER = ["problem", "SOAP, published", "published for", "reached after", "not reached by"]


def render(summary: Summary) -> pd.DataFrame:
    """A row per problem: the methods with a seed that reached the error, the fastest first, and the others."""
    steps = read_progress(summary)
    if steps.empty:
        return pd.DataFrame(columns=HEADER)
    published = {problem: known["soap"] for problem, known in RELATIVE_L2.items() if "soap" in known}
    rows = []
    for problem, own in time_to_reach(steps, published).groupby("problem", sort=False):
        times = own.groupby("method", sort=False)["seconds"].median().sort_values(kind="stable")  # last: not reached
        reached = [_words(method_look(str(method))[0], own[own["method"] == method]) for method in times.dropna().index]
        missed = [method_look(str(method))[0] for method in times[times.isna()].index]
        rows.append(
            {
                "problem": problem_name(str(problem)),
                "SOAP, published": number(published[str(problem)]),
                "published for": CONDITIONS.get(str(problem), "the same problem"),
                "reached after": "; ".join(reached) or "–",
                "not reached by": ", ".join(missed) or "–",
            }
        )
    return pd.DataFrame(rows, columns=HEADER)


def _words(label: str, seeds: pd.DataFrame) -> str:
    """Median and range over the seeds that reached it, and how many did."""
    found = seeds.dropna(subset=["seconds"])
    text = f"{label} {spread(found['seconds'])} s"
    return text if len(found) == len(seeds) else f"{text} ({len(found)} of {len(seeds)} seeds)"
