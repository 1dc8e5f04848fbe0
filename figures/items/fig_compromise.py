"""What preconditioning makes of the score where losses with different minimisers balance (T22)."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from figures.drawing.names import BLACK, BLUE, GREEN, GREY, ORANGE, VERMILLION
from figures.drawing.rendering import notice
from figures.drawing.summary import Summary, read_claim_curves
from gradalign.claims.compromise import HESSIAN, MINIMISERS, cancellation_bound
from gradalign.diagnostics.alignment import null_value

LOOKS = {2: (BLUE, "o", "-"), 3: (ORANGE, "s", "--"), 4: (GREEN, "^", ":")}


def render(summary: Summary) -> Figure:
    """Left: Newton's score in the plane with the ball of Thales. Right: scores near compromises against the bound."""
    curves = read_claim_curves(summary, "T22")
    if curves.empty:
        return notice("The claim T22 is not checked at this scale.")
    figure = Figure(figsize=(7.2, 3.7))
    left, right = figure.subplots(1, 2)
    plane = curves[curves["quantity"] == "Newton's score in the plane"]
    scores = plane.assign(height=plane["series"].astype(float)).pivot(index="height", columns="x", values="y")
    image = left.contourf(
        scores.columns, scores.index, scores, levels=np.linspace(-1, 1, 21), cmap="RdBu", vmin=-1.2, vmax=1.2
    )
    figure.colorbar(
        image,
        ax=left,
        location="bottom",
        label="score A of Newton's directions",
        ticks=[-1, -0.5, 0, 0.5, 1],
        aspect=30,
    )
    left.add_patch(Circle((0, 0), 1, fill=False, color=BLACK, linewidth=1.5))
    left.plot(*MINIMISERS.T, "*", color=BLACK, markersize=10)
    for k, (x, y) in enumerate(MINIMISERS):
        left.text(x + 0.18 * np.sign(x), y + 0.12, f"$θ_{k + 1}$", ha="center", va="bottom")
    hessians = np.stack([HESSIAN, 3 * HESSIAN])
    compromise = np.linalg.solve(hessians.sum(axis=0), np.einsum("nij,nj->i", hessians, MINIMISERS))
    left.plot(*compromise, "X", color=VERMILLION, markeredgecolor=BLACK, markersize=7)
    left.annotate(
        "minimum of the sum: A = −1",
        compromise,
        (0.0, -1.5),
        ha="center",
        fontsize=7,
        arrowprops={"arrowstyle": "-", "linewidth": 0.8, "shrinkB": 4},
    )
    left.text(0, 1.06, "circle of Thales: A = 0 = 2/n − 1", ha="center", va="bottom", fontsize=7)
    left.set(
        xlabel="first parameter (dimensionless)",
        ylabel="second parameter",
        title="Newton: conflict between the minimisers",
        aspect="equal",
    )
    left.grid(visible=False)
    epsilon = np.geomspace(1e-3, 1, 200)
    for n, (colour, marker, line) in LOOKS.items():
        cloud = curves[(curves["quantity"] == "score near a compromise") & (curves["series"] == f"n = {n}")]
        right.plot(cloud["x"], cloud["y"], marker, color=colour, markersize=2, alpha=0.5, markeredgewidth=0)
        bound = cancellation_bound(n, epsilon)
        right.plot(epsilon, bound, color=colour, linestyle=line, linewidth=2)
        right.plot([], [], color=colour, linestyle=line, marker=marker, label=f"n = {n}: bound and draws")
        right.axhline(null_value(n), xmax=0.05, color=colour, linewidth=2)
    right.plot([], [], color=GREY, linewidth=2, label="2/n − 1 (bars at the left)")
    right.legend(loc="upper left", fontsize=7)
    right.set(
        xscale="log",
        xlabel="imbalance ε = ‖P g‖ / max ‖P $g_i$‖",
        ylabel="score A (dimensionless)",
        ylim=(-1.06, 1.35),
        xlim=(1e-3, 1),
        yticks=[-1, -7 / 9, -0.5, 0, 0.5, 1],
        yticklabels=["−1", "−7/9", "−1/2", "0", "1/2", "1"],
        title="Under any preconditioner P: below the bound",
    )
    return figure
