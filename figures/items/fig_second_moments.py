"""Why second moments of gradients need not be curvature (T26), and why layers of PINNs are no outer products (T27b)."""

import numpy as np
from matplotlib.figure import Figure

from figures.drawing.names import BLACK, BLUE, GREEN, ORANGE, VERMILLION
from figures.drawing.rendering import notice
from figures.drawing.summary import Summary, read_claim_curves

STEPS = {"Gauss-Newton": (BLUE, "o"), "empirical Fisher": (VERMILLION, "s")}
ROWS = {
    "r = u'' + u u'": ("residual of the equation, u'' + u u'", ORANGE, "s"),
    "u": ("value u at the boundary", GREEN, "^"),
}


def render(summary: Summary) -> Figure:
    """Left: a residual before and after one step. Right: singular values of a layer's gradient, point by point."""
    curves = read_claim_curves(summary, "T26", "T27b")
    if set(curves["claim"]) != {"T26", "T27b"}:
        return notice("The claims T26 and T27b are not both checked at this scale.")
    figure = Figure(figsize=(7.2, 3.2))
    left, right = figure.subplots(1, 2)
    for name, (colour, marker) in STEPS.items():
        rows = curves[(curves["claim"] == "T26") & (curves["series"] == name)]
        left.plot(rows["x"], rows["y"].abs(), marker, color=colour, label=name.replace("-", "–"))
    size = np.geomspace(0.05, 2, 400)
    left.plot(size, 0.9 * size, color=BLUE, linewidth=1)
    left.plot(size, np.abs(size - 0.1 / size), color=VERMILLION, linewidth=1)
    left.plot(size, size, color=BLACK, linestyle="--", linewidth=1, label="no change")
    left.set(
        xscale="log",
        yscale="log",
        xlabel="residual r before the step (dimensionless)",
        ylabel="|r| after it, η = 0.1",
        title="Empirical Fisher: small residuals grow",
        ylim=(1e-2, 6),
    )
    left.legend(loc="lower right")
    for shift, (series, (label, colour, marker)) in zip((-0.12, 0.12), ROWS.items(), strict=True):
        rows = curves[(curves["claim"] == "T27b") & (curves["series"] == series)]
        index = rows["quantity"].str.removeprefix("singular value ").astype(int)
        right.plot(index + shift, rows["y"], marker, color=colour, label=label, alpha=0.6, markeredgewidth=0)
    right.axvline(3.5, color=BLACK, linestyle=":", linewidth=1)
    right.text(3.6, 3, "rank ≤ 3", fontsize=7, va="top")
    right.set(
        yscale="log",
        xlabel="index k of the singular value",
        ylabel="$σ_k / σ_1$ of the gradient in W",
        title="One sample of a PINN layer has rank 3",
        ylim=(1e-21, 10),
    )
    right.legend(loc="upper right", bbox_to_anchor=(1, 0.7), frameon=True, edgecolor="none", framealpha=1)
    return figure
