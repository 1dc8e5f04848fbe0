"""The intra-step score by its three definitions (T25), and under statistics of the summed gradient (T26b)."""

from matplotlib.figure import Figure

from figures.drawing.names import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILLION
from figures.drawing.rendering import notice
from figures.drawing.summary import Summary, read_claim_curves
from gradalign.diagnostics.alignment import null_value

DEFINITIONS = {
    "own_state": ("own states $H_i^{-1} g_i$", GREEN, "^", "-."),
    "common_state": ("common state $H^{-1} g_i$", VERMILLION, "s", "--"),
    "raw": ("raw $g_i$", BLUE, "o", "-"),
}
LOOKS = {2: (BLUE, "o", "-"), 3: (ORANGE, "s", "--"), 4: (PURPLE, "^", "-.")}


def render(summary: Summary) -> Figure:
    """Left: one pair of quadratics, three definitions. Right: A against epsilon for two, three and four losses."""
    curves = read_claim_curves(summary, "T25", "T26b")
    if set(curves["claim"]) != {"T25", "T26b"}:
        return notice("The claims T25 and T26b are not both checked at this scale.")
    figure = Figure(figsize=(7.2, 3.6))
    left, right = figure.subplots(1, 2)
    for name, (label, colour, marker, line) in DEFINITIONS.items():
        rows = curves[(curves["claim"] == "T25") & (curves["series"] == name)]
        left.plot(rows["x"], rows["y"], color=colour, linestyle=line, marker=marker, markevery=4, label=label)
    singular = curves[curves["series"] == "own_state, singular"]["y"].iloc[0]
    left.plot(
        3e-5, singular, "^", color=GREEN, markerfacecolor="white", markersize=8, label="own states $H_i^+ g_i$, δ = 0"
    )
    left.axhline(null_value(2), color=BLACK, linestyle=":", linewidth=1)
    left.text(90, null_value(2) + 0.03, "2/n − 1", ha="right", fontsize=7)
    left.set(
        xscale="log",
        xlabel="δ in $H_i = q_i q_i^T + δ I$ (dimensionless)",
        ylabel="intra-step score A (dimensionless)",
        title="One problem, three scores",
        ylim=(-1.08, 1.08),
        yticks=[-1, -0.5, 0, 0.5, 1],
    )
    for n, (colour, marker, line) in LOOKS.items():
        rows = curves[(curves["claim"] == "T26b") & (curves["series"] == f"n = {n}")]
        parts = dict(list(rows.groupby("quantity")))
        matrix, soap = parts["score of the matrix form"], parts["score of the SOAP form"]
        right.plot(
            matrix["x"], matrix["y"], color=colour, linestyle=line, label=f"n = {n}: $(g g^T + ε I)^{{-1/2}} g_i$"
        )
        right.plot(soap["x"], soap["y"], marker, color=colour, markerfacecolor="white", markevery=13)
        for quantity, edge in (("raw score", 0.0), ("limit of the matrix form", 0.94)):
            right.axhline(parts[quantity]["y"].iloc[0], edge, edge + 0.06, color=colour, linewidth=2.5)
        right.axhline(null_value(n), color=colour, linestyle=":", linewidth=0.8)
    right.plot([], [], "o", color=GREY, markerfacecolor="white", label="SOAP with V + ε")
    right.plot([], [], color=GREY, linewidth=2.5, label="bars: raw score (left), limit (right)")
    right.plot([], [], color=GREY, linestyle=":", linewidth=0.8, label="2/n − 1")
    right.invert_xaxis()
    right.set(
        xscale="log",
        xlabel="ε / ‖g‖², smaller to the right (dimensionless)",
        title="Statistics of the sum g amplify disagreement",
        ylim=(-1.08, 1.08),
        yticks=[-1, -0.5, 0, 0.5, 1],
    )
    left.legend(loc="lower right")
    right.legend(loc="upper right", fontsize=7)
    return figure
