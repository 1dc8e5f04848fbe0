"""The rows of the tables that the pipeline writes."""

import math
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Status = Literal["proven", "proven under conditions", "false in general", "empirical"]
Comparison = Literal["equal", "at most", "at least"]
Numbers = float | Sequence[Any] | NDArray[Any]

STANDARD_ERRORS = 4.0  # a correct mean leaves this band with probability 6e-5


@dataclass(frozen=True)
class Claim:
    """One checked statement: what it says, what was expected, what was measured, and the verdict.

    ``verdict`` is ``confirmed`` where the measured number agrees with the expected one under
    ``comparison`` within ``tolerance`` (absolute): |measured - expected| <= tolerance for ``equal``,
    measured <= expected + tolerance for ``at most``, measured >= expected - tolerance for ``at least``;
    otherwise, and for a measured NaN, ``violated``. A statement that is ``false in general`` is confirmed
    when its counterexample shows the expected number. All quantities are dimensionless.

    >>> Claim("T1a", "n = 2 gives the cosine", "proven", "largest |A - cos|", 0.0, 4e-16, 1e-12).verdict
    'confirmed'
    """

    claim: str
    statement: str
    status: Status
    quantity: str
    expected: float
    measured: float
    tolerance: float
    comparison: Comparison = "equal"
    seconds: float = 0.0

    @property
    def verdict(self) -> Literal["confirmed", "violated"]:
        excess = self.measured - self.expected
        agrees = {
            "equal": abs(excess) <= self.tolerance,
            "at most": excess <= self.tolerance,
            "at least": -excess <= self.tolerance,
        }[self.comparison]
        return "confirmed" if agrees and math.isfinite(self.measured) else "violated"

    def row(self) -> dict[str, object]:
        """The record as a row of ``summary/claims.csv``."""
        fields = asdict(self)
        seconds = fields.pop("seconds")
        return {**fields, "verdict": self.verdict, "seconds": seconds}


@dataclass(frozen=True)
class Curve:
    """Points (x_k, y_k) of one line or cloud in the figure of a claim.

    claim: number of the claim, for instance ``T14``. quantity: what y is. series: which line of the figure. seed: the
    seed of a run; 0 where there is but one. x, y: equally many numbers, dimensionless; y may be NaN where it is not
    defined. Raises ``ValueError`` for x and y of unequal or no length.

    >>> Curve("T5", "score", "k copies of v against one -v", [1, 3], [-1.0, -0.5]).rows()[1]["y"]
    -0.5
    """

    claim: str
    quantity: str
    series: str
    x: Sequence[float] | NDArray[Any]
    y: Sequence[float] | NDArray[Any]
    seed: int = 0

    def __post_init__(self) -> None:
        if np.shape(self.x) != np.shape(self.y) or np.ndim(self.x) != 1 or not len(self.x):
            raise ValueError(
                f"x and y of {self.claim}, {self.quantity}, {self.series} have shapes {np.shape(self.x)} and "
                f"{np.shape(self.y)}; allowed: one and the same (N,), N >= 1"
            )

    def rows(self) -> list[dict[str, object]]:
        """A row of ``summary/claim_curves.csv`` per point."""
        names = {"claim": self.claim, "quantity": self.quantity, "series": self.series, "seed": self.seed}
        return [{**names, "x": float(x), "y": float(y)} for x, y in zip(self.x, self.y, strict=True)]


def claim_number(claim: str) -> str:
    """The number of the claim that a record belongs to, without the letter of its part.

    T26b and T27b are claims of their own; the parts of T26 and T27 are written T26(a), T26(b), ...

    >>> [claim_number(name) for name in ("T14", "T2b", "T31iv", "T26(b)", "T26b")]
    ['T14', 'T2', 'T31', 'T26', 'T26b']
    """
    found = re.match(r"T(?:26b|27b|[0-9]+)", claim)
    if found is None:
        raise ValueError(f"the claim is {claim!r}; allowed: T with a number, and a part where it has some")
    return found[0]


def vanishes(
    claim: str, statement: str, quantity: str, errors: Numbers, tolerance: float, status: Status = "proven"
) -> Claim:
    """A record of errors, the largest magnitude of which must be at most the tolerance; one number, if negative, is an
    excess that may be.

    >>> vanishes("T1a", "n = 2 gives the cosine", "largest |A - cos|", [-2e-16, 1e-16], 1e-12).measured
    2e-16
    """
    measured = float(np.asarray(errors)) if np.ndim(errors) == 0 else float(np.max(np.abs(errors)))
    return Claim(claim, statement, status, quantity, 0.0, measured, tolerance, "at most")


def holds(
    claim: str, statement: str, quantity: str, slack: Numbers, tolerance: float, status: Status = "proven"
) -> Claim:
    """A record of an inequality: its least slack must be at least minus the tolerance.

    >>> holds("T2a", "A >= 2/n - 1", "least slack", [0.5, 0.25], 1e-12).measured
    0.25
    """
    return Claim(claim, statement, status, quantity, 0.0, float(np.min(slack)), tolerance, "at least")


def never(claim: str, statement: str, quantity: str, violations: int, status: Status = "proven") -> Claim:
    """A record of a count of violations, which must be 0.

    >>> never("T2b", "Above tau_n no pair conflicts.", "draws with a conflict", 0).verdict
    'confirmed'
    """
    return Claim(claim, statement, status, quantity, 0.0, float(violations), 0.0)


def in_band(claim: str, statement: str, quantity: str, z: float, status: Status = "proven") -> Claim:
    """A record of a mean over draws: its distance from the expected one must be within 4 standard errors.

    >>> in_band("T4", "E A = 2/n - 1", "|z|", 1.1).verdict
    'confirmed'
    """
    return Claim(claim, statement, status, quantity, STANDARD_ERRORS, z, 0.0, "at most")


def timed(checks: Iterable[Callable[[], list[Claim]]]) -> list[Claim]:
    """Run checks in turn; every record gets the seconds its check took, shared evenly among its records."""
    records: list[Claim] = []
    for check in checks:
        start = time.perf_counter()
        found = check()
        seconds = (time.perf_counter() - start) / max(len(found), 1)
        records += [replace(record, seconds=seconds) for record in found]
    return records
