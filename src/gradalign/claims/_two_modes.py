"""The quadratic on which the late inter-step scores of all methods are shown, for claims T14, T16 and T18."""

import numpy as np

MODES = np.array([0.3, 1.0])
"""Its eigenvalues."""
MODES_START = np.array([1.0, 0.7])
"""The error at the start, along the eigenvectors."""
SHOWN_SHARES = np.linspace(0.05, 1.95, 20)
"""Step sizes in units of the one at which the late score turns, 2 / (lambda_max + lambda_min) of PH; not itself."""
SHOWN_STEPS = SHOWN_SHARES * 2 / MODES.sum()
"""The same as step sizes for P = I."""
