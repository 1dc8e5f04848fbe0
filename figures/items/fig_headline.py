"""The error of every method on every problem: one row a problem, median and range over the seeds."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from figures.drawing.names import GREY, METHODS, method_look, problem_order, short_problem_name
from figures.drawing.published_errors import RELATIVE_L2, SETTINGS, same_setting
from figures.drawing.rendering import notice
from figures.drawing.summary import Summary, read_table

COLUMNS = [
    "run",
    "problem",
    "method",
    "changed",
    "relative_l2",
    *sorted({name for own in SETTINGS.values() for name in own}),
]


def render(summary: Summary) -> Figure:
    """The plain runs of the summary."""
    runs = read_table(summary, "runs", COLUMNS)
    runs = runs[runs["changed"].isna() | (runs["changed"] == "")]
    if runs.empty:
        return notice("No run at this scale.")
    first = runs.drop_duplicates(["problem", "method"])["run"]  # where there are several
    runs = runs[runs["run"].isin(first)]
    posed = runs.drop_duplicates("problem").set_index("problem").to_dict("index")
    published = {
        name: RELATIVE_L2[name]["soap"]
        for name, row in posed.items()
        if name in RELATIVE_L2 and same_setting(name, row)
    }
    errors = runs.groupby(["problem", "method"])["relative_l2"].agg(["median", "min", "max"]).reset_index()
    errors = errors.sort_values("problem", key=lambda names: names.map(problem_order), kind="stable")
    return errors_by_problem(
        pd.DataFrame(
            {
                "problem": [short_problem_name(str(name)) for name in errors["problem"]],
                "method": [method_look(str(name))[0] for name in errors["method"]],
                "median": errors["median"],
                "smallest": errors["min"],
                "largest": errors["max"],
                "published": errors["problem"].map(published).astype(float),
            }
        )
    )


def errors_by_problem(errors: pd.DataFrame) -> Figure:
    """A row per problem in the order of the table, a mark per method; ``published`` is SOAP's, NaN for none."""
    problems = list(dict.fromkeys(errors["problem"]))
    looks = {label.replace("–", "-"): (label, colour, marker) for label, colour, marker in METHODS.values()}
    figure = Figure(figsize=(6.5, 0.32 * len(problems) + 1.3))
    axis = figure.subplots()
    shown = {}
    for row in errors.to_dict("records"):
        label, colour, marker = looks.get(row["method"].replace("–", "-"), (row["method"], GREY, "o"))
        y = problems.index(row["problem"])
        axis.plot([row["smallest"], row["largest"]], [y, y], color=colour, linewidth=2.5, alpha=0.45)
        shown[label] = axis.plot(row["median"], y, color=colour, marker=marker, linestyle="", markersize=6)[0]
    for problem, published in errors.dropna(subset=["published"]).groupby("problem")["published"].first().items():
        axis.plot(published, problems.index(problem), "d", markerfacecolor="none", markeredgecolor=GREY, markersize=6)
    for y in range(len(problems)):
        axis.axhline(y, color=GREY, linewidth=0.4, alpha=0.4, zorder=0)
    axis.set(xscale="log", yticks=range(len(problems)), yticklabels=problems, ylim=(len(problems) - 0.5, -0.5))
    axis.set_xlabel("relative $L^2$ error (dimensionless), median and range over the seeds")
    order = [label for label, _, _ in looks.values()]
    handles = dict(sorted(shown.items(), key=lambda item: order.index(item[0]) if item[0] in order else len(order)))
    if errors["published"].notna().any():
        handles["SOAP, published [second-hand]"] = Line2D(
            [], [], color=GREY, marker="d", markerfacecolor="none", linestyle=""
        )
    figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=3, fontsize=8)
    return figure
