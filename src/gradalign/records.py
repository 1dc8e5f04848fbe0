"""The rows of the tables that the pipeline writes."""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Literal

Status = Literal["proven", "proven under conditions", "false in general", "empirical"]
Comparison = Literal["equal", "at most", "at least"]


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


def timed(checks: Iterable[Callable[[], list[Claim]]]) -> list[Claim]:
    """Run checks in turn; every record gets the seconds its check took, shared evenly among its records."""
    records: list[Claim] = []
    for check in checks:
        start = time.perf_counter()
        found = check()
        seconds = (time.perf_counter() - start) / max(len(found), 1)
        records += [replace(record, seconds=seconds) for record in found]
    return records
