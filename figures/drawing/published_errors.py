"""Errors that were published elsewhere, for comparison. Relative L2, dimensionless.

All are second-hand: they come from digests of arXiv 2502.00604, not from a reading of the paper itself. They were
measured against the references of that paper, some of which are no better than the errors themselves.
"""

from collections.abc import Mapping
from typing import Any

SOURCE = "arXiv 2502.00604, second-hand [digest]"

RELATIVE_L2 = {
    "wave": {"adam": 5.15e-5, "adam_lbfgs": 5.08e-5, "kron": 8.62e-6, "muon": 9.34e-6, "soap": 8.05e-6},
    "burgers": {"adam": 8.20e-5, "soap": 4.03e-5},
    "allen_cahn": {"adam": 2.24e-5, "adam_lbfgs": 2.25e-5, "kron": 3.63e-6, "muon": 4.95e-6, "soap": 3.48e-6},
    "korteweg_de_vries": {"adam": 7.04e-4, "adam_lbfgs": 7.33e-4, "kron": 5.48e-4, "muon": 4.19e-4, "soap": 3.40e-4},
    "kuramoto_sivashinsky": {"adam": 7.48e-2, "soap": 3.86e-2},
    "gray_scott": {"adam": 3.61e-3, "soap": 1.88e-4},
    "ginzburg_landau": {"adam": 1.49e-2, "soap": 4.78e-3},
    "lid_driven_cavity": {"adam": 3.24e-1, "soap": 3.99e-2},
    "kolmogorov_flow": {"adam": 2.04e-1, "soap": 3.20e-2},
    "rayleigh_taylor": {"adam": 7.32e-2, "soap": 5.22e-3},
}
"""Published relative L2 errors by problem and method [digest]."""

CONDITIONS = {
    "kuramoto_sivashinsky": "t ≤ 1",
    "gray_scott": "t ≤ 2",
    "ginzburg_landau": "t ≤ 1",
    "lid_driven_cavity": "Re 5000",
    "kolmogorov_flow": "Re 10⁴",
    "rayleigh_taylor": "Ra 10⁶",
}
"""What the published numbers are for, where a scale may pose an easier problem [digest]."""

SETTINGS = {
    "kuramoto_sivashinsky": {"horizon": 1.0},
    "gray_scott": {"horizon": 2.0},
    "ginzburg_landau": {"horizon": 1.0},
    "lid_driven_cavity": {"reynolds": 5000.0},
    "kolmogorov_flow": {"viscosity": 1e-4},
    "rayleigh_taylor": {"rayleigh": 1e6},
}
"""The same as columns of ``runs.csv``: a run with other values solved another problem."""


def same_setting(problem: str, run: Mapping[Any, Any]) -> bool:
    """Whether a row of ``runs.csv`` solved the equation that the published error of its problem is for.

    >>> same_setting("gray_scott", {"horizon": 0.2}), same_setting("wave", {"horizon": 0.2})
    (False, True)
    """
    return all(run[name] == value for name, value in SETTINGS.get(problem, {}).items())
