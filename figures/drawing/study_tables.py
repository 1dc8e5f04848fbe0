"""Reading the studies of published reference data, and what was measured once on files that may not be copied."""

import math

import numpy as np
from numpy.typing import NDArray

from figures.drawing.summary import Summary, read_table

BURGERS, ALLEN_CAHN, CAVITY = "published_burgers", "published_allen_cahn", "published_cavity"
"""Names of the studies."""

MEASURED_ON_THE_FILES = "measured once on the published files, which may not be copied [measured]"

CAVITY_FILES: dict[str, dict[float, str]] = {
    "sharp": {100: "3.6e-3", 400: "4.5e-3", 1000: "3.3e-2", 1600: "1.1e-2", 3200: "2.6e-2", 5000: "4.30e-2"},
    "regularised": {100: "3.5e-2", 400: "3.2e-2", 1000: "4.4e-2", 1600: "2.9e-2", 3200: "3.7e-2", 5000: "4.15e-2"},
}
"""What the converged flow of each lid scores against the published files, by Reynolds number, with the digits that are
known: relative L2 of the speed.

[measured] on the files, with a solver of the kind of ``gradalign.references.solvers.cavity``; not reproduced by the
pipeline.
"""


class Studies:
    """The table of all studies of a summary; numbers that are not in it are NaN, lines empty."""

    def __init__(self, summary: Summary) -> None:
        self.table = read_table(summary, "studies", ["study", "quantity", "series", "x", "y"])

    def names(self) -> set[str]:
        """The studies that were made."""
        return {str(name) for name in self.table["study"]}

    def line(self, study: str, quantity: str, series: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """x and y of one line."""
        table = self.table
        rows = table[(table["study"] == study) & (table["quantity"] == quantity) & (table["series"] == series)]
        return rows["x"].to_numpy(float), rows["y"].to_numpy(float)

    def value(self, study: str, quantity: str, series: str) -> float:
        """A single number."""
        _, y = self.line(study, quantity, series)
        return float(y[0]) if len(y) else float("nan")

    def count(self, study: str, quantity: str, series: str) -> str:
        """A single whole number as text: of modes, or a Reynolds number."""
        return f"{self.value(study, quantity, series):g}"


def error_text(error: float) -> str:
    """An error as figures and tables of the studies show it, with three digits.

    >>> error_text(0.0399), error_text(4.005e-5), error_text(float("nan"))
    ('3.99e-2', '4.00e-5', '–')
    """
    if math.isnan(error):
        return "–"
    mantissa, exponent = f"{error:.2e}".split("e")
    return f"{mantissa}e{int(exponent)}"
