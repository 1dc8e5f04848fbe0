"""Kolmogorov flow: kinetic energy by wave number, of the reference and of the predictions, and that of their errors."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from figures.drawing.names import BLACK, problem_name
from figures.drawing.rendering import no_runs
from figures.drawing.summary import Summary, mapped_runs, read_fields
from figures.drawing.text import number
from figures.drawing.training_plots import TITLE, WIDTH
from gradalign.diagnostics.energy_spectrum import energy_spectrum

PROBLEM = "kolmogorov_flow"


def render(summary: Summary) -> Figure:
    """Left: spectra at the last time. Right: spectra of the errors over that of the reference. First seed of a run."""
    runs, _left_out = mapped_runs(summary, PROBLEM)
    if not runs:
        return no_runs(PROBLEM)
    figure = Figure(figsize=(WIDTH, 3.3))
    left, right = figure.subplots(1, 2)
    for index, run in enumerate(runs):
        fields = read_fields(summary, run.name)
        exact, found = (
            np.stack([fields[f"{kind}_{name}"][-1].astype(float) for name in "uv"])
            for kind in ("reference", "predicted")
        )
        k, energy = energy_spectrum(*exact)
        shown = slice(1, min(exact.shape[1:]) // 2 + 1)  # the mean velocity is zero; beyond lie the corners of the grid
        if index == 0:
            left.plot(k[shown], energy[shown], color=BLACK, linewidth=3, alpha=0.35, label="Reference")
            left.set_ylim(float(energy[shown].max()) * 1e-14, float(energy[shown].max()) * 5)
        look = {"color": run.colour, "linestyle": run.line, "marker": run.marker, "markersize": 3, "linewidth": 1}
        left.plot(k[shown], energy_spectrum(*found)[1][shown], **look, label=run.label)
        holds = energy[shown] > 1e-20 * energy.max()  # rounding is no reference
        share = energy_spectrum(*(found - exact))[1][shown][holds] / energy[shown][holds]
        right.plot(k[shown][holds], share, **look)
    right.axhline(1, color=BLACK, linestyle=":", linewidth=1.2)
    right.annotate(
        "1: as large as the scale itself",
        (0.98, 1),
        (0, 2),
        right.get_yaxis_transform(),
        ha="right",
        textcoords="offset points",
        fontsize=6.5,
    )
    for axis in (left, right):
        axis.set(xscale="log", yscale="log", xlabel="wave number $k$ (waves over the unit square)")
        for ticks in (axis.xaxis.set_major_formatter, axis.xaxis.set_minor_formatter):
            ticks(FuncFormatter(lambda value, _: number(value) if f"{value:.0e}"[0] in "125" else ""))
    left.set(ylabel="kinetic energy $E(k)$ (dimensionless)", title="Energy spectrum")
    right.set(ylabel="energy of the error / $E(k)$", title="Error by scale")
    right.set_xlim(left.get_xlim())
    left.legend(loc="lower left")
    time = number(float(fields["t"][-1]))
    figure.suptitle(f"{problem_name(PROBLEM)} at $t$ = {time}: first seed of every run", **TITLE)
    return figure
