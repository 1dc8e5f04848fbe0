"""The inverse Hessian of L-BFGS in NumPy, as a full matrix: Nocedal and Wright, Numerical Optimization, (7.16)."""

import numpy as np


def inverse_hessian(moves, changes, size):
    """H from the moves s and changes of the gradient y, oldest first; the identity without any."""
    identity = np.eye(size)
    if not moves:
        return identity
    H = (moves[-1] @ changes[-1]) / (changes[-1] @ changes[-1]) * identity
    for s, y in zip(moves, changes, strict=True):
        V = identity - np.outer(y, s) / (y @ s)
        H = V.T @ H @ V + np.outer(s, s) / (y @ s)
    return H


def wolfe(value, slope, new_value, new_slope, step, c1, c2):
    """Whether a step satisfies the strong Wolfe conditions; slopes are derivatives along the direction."""
    return new_value <= value + c1 * step * slope and abs(new_slope) <= c2 * abs(slope)
