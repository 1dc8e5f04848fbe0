"""Errors that were published elsewhere, for comparison. Relative L2, dimensionless.

All are second-hand: they come from digests of arXiv 2502.00604, not from a reading of the paper itself.
"""

SOURCE = "arXiv 2502.00604, second-hand [digest]"

RELATIVE_L2 = {
    "burgers": {"adam": 8.20e-5, "soap": 4.03e-5},
    "allen_cahn": {"adam": 2.24e-5, "soap": 3.48e-6},
}
"""Published relative L2 errors by problem and method."""
