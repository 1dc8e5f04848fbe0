"""What figures and tables of methods at equal cost share: the logged errors, and words for the costs."""

import pandas as pd

from figures.drawing.names import method_order, problem_order
from figures.drawing.summary import Summary, read_table
from gradalign.pipeline.comparison import progress

LABELS = {
    "seconds": "training time (s), without compilation",
    "gradient_evaluations": "gradient evaluations",
    "operations": "operations",
}
"""Words for the costs of ``gradalign.pipeline.comparison.BUDGETS``, for axes."""


def read_progress(summary: Summary) -> pd.DataFrame:
    """Error and cost at every logged step of the plain runs, problem by problem, Adam first; empty without runs."""
    runs = read_table(
        summary, "runs", ["run", "problem", "method", "seed", "changed", "steps", "windows", "last_stage_steps"]
    )
    curves = read_table(summary, "curves", ["run", "seed", "step", "seconds", "quantity", "value"])
    if runs.empty or curves.empty:
        return pd.DataFrame(columns=["problem", "run", "method", "seed"])
    steps = progress(runs, curves)
    order = [
        (problem_order(p), method_order(m, r)) for p, m, r in zip(steps.problem, steps.method, steps.run, strict=True)
    ]
    return steps.iloc[sorted(range(len(steps)), key=order.__getitem__)].reset_index(drop=True)
