"""The score of per-loss directions (J^T J + mu)^(-p) g_i against the power p: raw, whitened, Gauss-Newton (T20)."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.drawing.names import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION
from figures.drawing.rendering import notice
from figures.drawing.summary import Summary, read_claim_curves
from gradalign.diagnostics.alignment import null_value

LOOKS = ((BLUE, "-", "o"), (VERMILLION, "--", "s"), (GREEN, ":", "^"), (PURPLE, "-.", "D"))
NAMED_POWERS = {0.0: "0\nraw", 0.5: "1/2\nwhitened", 1.0: "1\nNewton"}


def render(summary: Summary) -> Figure:
    """Random problems of n losses; the sign flip of one residual per loss; a network with damping."""
    rows = read_claim_curves(summary, "T20")
    if rows.empty:
        return notice("The claim T20 was not checked at this scale.")
    figure = Figure(figsize=(7.2, 3.1))
    left, middle, right = figure.subplots(1, 3)
    problems = rows[rows["quantity"] == "score against power, random problems"]
    for (series, lines), (colour, dashes, marker) in zip(problems.groupby("series", sort=False), LOOKS, strict=False):
        neutral = null_value(int(str(series).removeprefix("n = ")))
        for seed, line in lines.groupby("seed"):
            left.plot(
                line["x"], line["y"], color=colour, linestyle=dashes, linewidth=1.1, label=None if seed else series
            )
        left.plot([0.5], [neutral], color=colour, marker=marker, markersize=6, markeredgecolor=BLACK, zorder=3)
    left.set(title="Whitened: always 2/n − 1")
    left.legend(loc="upper center")
    _powers(left)
    pairs = rows[rows["quantity"] == "Gauss-Newton score against raw score"]
    looks = {"three residuals per loss": (SKY, "x"), "one residual per loss": (ORANGE, "o")}
    for series, (colour, marker) in looks.items():
        points = pairs[pairs["series"] == series]
        middle.scatter(points["x"], points["y"], s=11, color=colour, marker=marker, linewidths=0.8, label=series)
    middle.plot([-1, 1], [1, -1], color=BLACK, linestyle="--", linewidth=0.8, label="sign flipped")
    middle.axhline(0, color=GREY, linewidth=0.8)
    middle.vlines(0, -1.05, 1, color=GREY, linewidth=0.8)
    middle.set(
        title="n = 2: Newton flips the sign",
        xlabel="raw score A(0) (dimensionless)",
        ylabel="Newton score A(1)",
        xlim=(-1.05, 1.05),
        ylim=(-1.05, 2.05),
        yticks=np.linspace(-1, 1, 5),
    )
    middle.legend(loc="upper center", handletextpad=0.4)
    network = rows[rows["quantity"] == "score against power, network"]
    for (series, line), (colour, dashes, _) in zip(network.groupby("series", sort=False), LOOKS, strict=False):
        damping = float(str(series).removeprefix("mu = ").removesuffix(" lambda_max"))
        label = f"$\\mu = 10^{{{round(np.log10(damping))}}} \\lambda_{{\\max}}$"
        right.plot(line["x"], line["y"], color=colour, linestyle=dashes, label=label)
    right.axhline(null_value(2), color=BLACK, linestyle="--", linewidth=0.8)
    right.set(title="Network: 0, up to damping")
    right.legend(loc="upper center", handlelength=2.6)
    _powers(right)
    return figure


def _powers(axis: Axes) -> None:
    axis.vlines(0.5, -1.05, 1, color=GREY, linewidth=0.8)
    axis.set(xlabel="power p (dimensionless)", ylabel="score A(p) (dimensionless)")
    axis.set(ylim=(-1.05, 2.05), yticks=np.linspace(-1, 1, 5))
    axis.set_xticks(list(NAMED_POWERS), list(NAMED_POWERS.values()))
