"""One training by Newton in several coordinates: the losses agree, the score is whatever one likes (T24)."""

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from figures.drawing.names import BLACK
from figures.drawing.rendering import notice
from figures.drawing.summary import Summary, read_claim_curves
from gradalign.diagnostics.alignment import null_value

MARKERS = "osD^vPX<>"


def render(summary: Summary) -> Figure:
    """Left: both losses in each coordinate system, drawn over each other. Right: the score in each of them."""
    curves = read_claim_curves(summary, "T24")
    if curves.empty:
        return notice("The claim T24 is not checked at this scale.")
    figure = Figure(figsize=(7.2, 3.2))
    left, right = figure.subplots(1, 2)
    systems = list(curves["series"].drop_duplicates())
    colours = colormaps["viridis"](np.linspace(0, 0.92, len(systems)))
    for k, (system, colour) in enumerate(zip(systems, colours, strict=True)):
        rows = curves[curves["series"] == system]
        for term, line in (("1", "-"), ("2", "--")):
            loss = rows[rows["quantity"] == f"loss {term}"]
            if k == 0:
                left.plot(loss["x"], loss["y"], line, color=BLACK, linewidth=0.8, label=f"$L_{term}$")
            # Rings around each other, the first one the widest
            rings = {"markersize": 12 - 1.3 * k, "markerfacecolor": "none", "markeredgewidth": 0.7}
            left.plot(loss["x"], loss["y"], "o", color=colour, **rings)
        score = rows[rows["quantity"] == "score"]
        right.plot(score["x"], score["y"], color=colour, marker=MARKERS[k])
        target = system.removeprefix("target ").replace("-", "−")
        right.annotate(target, (1.01, score["y"].iloc[0]), xycoords=("axes fraction", "data"), va="center", fontsize=7)
    right.axhline(null_value(2), color=BLACK, linestyle="--", linewidth=1)
    right.text(3.2, null_value(2) + 0.03, "2/n − 1", fontsize=7)
    left.set(
        yscale="log",
        xlabel="Newton step, η = 1/2",
        ylabel="losses (dimensionless)",
        title=f"{len(systems)} coordinate systems: the same losses …",
    )
    left.legend(loc="upper right")
    right.set(
        xlabel="Newton step, η = 1/2 (right: score asked for at step 0)",
        ylabel="score A of the per-loss directions",
        title="… and any score one asks for",
        ylim=(-1.08, 1.08),
        yticks=[-1, -0.5, 0, 0.5, 1],
    )
    return figure
