"""SciPy's integration of ordinary differential equations, without early stops. All quantities are dimensionless."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from scipy.integrate import solve_ivp

from gradalign.references._contract import Values


def integrate(
    rate: Callable[[float, Values], Values],
    interval: tuple[float, float],
    start: Values,
    method: Literal["DOP853", "LSODA"],
    times: Values | None = None,
    **options: Any,
) -> Values:
    """y with dy/dt = rate(t, y) and y = ``start`` (N,) at the first end of the interval, float64: (N, T).

    The columns are those of ``scipy.integrate.solve_ivp`` with its ``method`` and ``options``: at ``times``, or after
    each step up to the second end of the interval. Raises ``FloatingPointError`` if the integration stops before that
    end, where ``solve_ivp`` returns a partial solution.

    >>> integrate(lambda t, y: -y, (0.0, 1.0), np.array([1.0]), "DOP853", rtol=1e-10, atol=1e-10)[:, -1].round(9)
    array([0.36787944])
    """
    found = solve_ivp(rate, interval, start, method, times, **options)
    if not found.success or not np.all(np.isfinite(found.y)):
        reached = f"the last state is at t = {found.t[-1]:.6g} of {interval[1]:.6g}" if len(found.t) else "no state"
        raise FloatingPointError(
            f"the steps of {method} failed: {found.message} {reached}; the usual cause is a grid "
            "too coarse, or coefficients for which the equation has no bounded solution"
        )
    values: Values = found.y
    return values
