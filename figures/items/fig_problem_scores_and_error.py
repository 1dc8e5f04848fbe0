"""One problem: the error of every run along training, and beside it the scores that were recorded."""

from matplotlib.figure import Figure

from figures.drawing.names import BLACK, problem_name
from figures.drawing.rendering import no_runs
from figures.drawing.summary import Summary, null_fraction, read_curve, read_runs
from figures.drawing.training_plots import TALLEST, TITLE, WIDTH, draw_scores, row_label

PANELS = [
    ("score_raw", "Raw gradients"),
    ("score_common_state", "Common state"),
    ("score_own_state", "Own state"),
    ("score_inter_update", "Next update"),
]


def render(summary: Summary, problem: str) -> Figure:
    """A row per run with two loss terms or more: the error, up to three intra-step scores, the inter-step score.

    A score that no run of the problem has gets no column.
    """
    runs = [run for run in read_runs(summary, problem) if run.loss_terms > 1]
    if not runs:
        return no_runs(problem)
    scores = {(run.name, q): read_curve(summary, run, q).dropna(subset=["value"]) for run in runs for q, _ in PANELS}
    panels = [(q, title) for q, title in PANELS if any(len(scores[run.name, q]) for run in runs)]
    figure = Figure(figsize=(WIDTH, min(1.5 * len(runs) + 0.5, TALLEST)))
    axes = figure.subplots(len(runs), 1 + len(panels), sharex="row", squeeze=False)
    for index, (row, run) in enumerate(zip(axes, runs, strict=True)):
        for _, seed in read_curve(summary, run, "error").query("step > 0").groupby("seed"):
            row[0].plot(seed["step"], seed["value"], color=run.colour, linewidth=1)
        row[0].set_yscale("log")
        row_label(row[0], run, "relative $L^2$ error", len(runs))
        for axis, (quantity, _) in zip(row[1:], panels, strict=True):
            draw_scores(axis, run, scores[run.name, quantity])
            neutral = 0.0 if quantity.startswith("score_inter") else float(null_fraction(run))
            axis.axhline(neutral, color=BLACK, linestyle="--", linewidth=1)
            axis.set(ylim=(-1.08, 1.08), yticks=[-1, 0, 1])
        row[0].set(xlim=(0, run.steps))
        row[0].locator_params(axis="x", nbins=3)
        for axis in row[2:]:
            axis.set_yticklabels([])
        if index == 0:
            for axis, title in zip(row, ["Error", *(title for _, title in panels)], strict=True):
                axis.set_title(title, fontsize=7.5)
        if index == len(runs) - 1:
            for axis in row:
                axis.set_xlabel("optimizer step", fontsize=7)
    limits = [axis.get_ylim() for axis in axes[:, 0]]
    for axis in axes[:, 0]:
        axis.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))
    figure.suptitle(f"{problem_name(problem)}: error and scores (dimensionless); dashed, orthogonal vectors", **TITLE)
    return figure
