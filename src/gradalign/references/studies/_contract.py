"""The record of a study of published data: the points of one line of its figure, or a single number."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradalign.references._contract import Values, relative_l2


@dataclass(frozen=True)
class Series:
    """Points (x_k, y_k) of one line of a study, or a single number.

    study: name of the study, a module in ``gradalign.references.studies``. quantity: what y is, and what x is. series:
    name of the line. x, y: equally many numbers, dimensionless; a single number has x = NaN. Raises ``ValueError`` for
    x and y of unequal or no length.

    >>> Series("published_burgers", "error against time", "511 modes", [0.0, 1.0], [0.0, 0.5]).rows()[1]["y"]
    0.5
    """

    study: str
    quantity: str
    series: str
    x: Sequence[float] | NDArray[Any]
    y: Sequence[float] | NDArray[Any]

    def __post_init__(self) -> None:
        if np.shape(self.x) != np.shape(self.y) or np.ndim(self.x) != 1 or not len(self.x):
            raise ValueError(
                f"x and y of {self.study}, {self.quantity}, {self.series} have shapes {np.shape(self.x)} and "
                f"{np.shape(self.y)}; allowed: one and the same (N,), N >= 1"
            )

    @classmethod
    def number(cls, study: str, quantity: str, series: str, value: float) -> "Series":
        """A single number.

        >>> Series.number("published_burgers", "relative L2", "511 modes", 4e-5).rows()
        [{'study': 'published_burgers', 'quantity': 'relative L2', 'series': '511 modes', 'x': nan, 'y': 4e-05}]
        """
        return cls(study, quantity, series, [math.nan], [value])

    def rows(self) -> list[dict[str, object]]:
        """A row of ``summary/studies.csv`` per point."""
        names = {"study": self.study, "quantity": self.quantity, "series": self.series}
        return [{**names, "x": float(x), "y": float(y)} for x, y in zip(self.x, self.y, strict=True)]


def errors(study: str, series: str, u: Values, exact: Values, t: Values, x: Values) -> list[Series]:
    """Errors of u against another solution on a grid in time and space, both (T, X).

    ``relative L2`` over the whole grid; ``relative L2 by time``, ||u(t) - exact(t)||/||exact(t)|| at each time;
    ``largest error``, the largest |u - exact|, with its ``time`` and ``place``. A time at which the exact solution
    vanishes everywhere gives NaN.

    >>> t, x = np.array([0.0, 1.0]), np.array([-1.0, 1.0])
    >>> found = errors("s", "off", np.array([[3.0, 4.0], [6.0, 8.5]]), np.array([[3.0, 4.0], [6.0, 8.0]]), t, x)
    >>> [(one.quantity, [float(y) for y in one.y]) for one in found[1:]]
    [('relative L2 by time', [0.0, 0.05]), ('largest error', [0.5]), ('largest error, time', [1.0]),
     ('largest error, place', [1.0])]
    """
    size = np.linalg.norm(exact, axis=1)
    by_time = np.divide(np.linalg.norm(u - exact, axis=1), size, out=np.full(len(t), np.nan), where=size > 0)
    row, column = np.unravel_index(np.argmax(np.abs(u - exact)), u.shape)
    return [
        Series.number(study, "relative L2", series, relative_l2(u, exact)),
        Series(study, "relative L2 by time", series, t, by_time),
        Series.number(study, "largest error", series, float(abs(u - exact)[row, column])),
        Series.number(study, "largest error, time", series, float(t[row])),
        Series.number(study, "largest error, place", series, float(x[column])),
    ]
