"""The rows of the tables that the pipeline writes, and the one place where arrays of a check become a number.

A check hands over the arrays that it measured. They are reduced here, so that a NaN, an infinity, an empty array or
fewer draws than were asked for can never pass as confirmed.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Status = Literal[
    "proven", "proven under conditions", "false in general", "observation", "consistency", "by construction"
]
"""What a record is evidence of.

proven, proven under conditions: a theorem; what was measured must agree with it.
false in general: a statement that has a counterexample; the record reproduces the counterexample.
observation: what was found for some networks, seeds or laws of data; nothing proves it elsewhere.
consistency: a formula compared with numbers that its own inputs were fitted to, or with another form of itself.
by construction: an identity that holds for every input of the program as it is written.
"""

Comparison = Literal["equal", "at most", "at least"]
Numbers = Any
"""A number, an array, or a sequence of them, of any shapes."""

STANDARD_ERRORS = 4.0  # a correct mean leaves this band with probability 6e-5

_WORDS = {
    "proven": ("proven", "proven"),
    "proven under conditions": ("under conditions", "under conditions"),
    "false in general": ("counterexample", "counterexamples"),
    "observation": ("observation", "observations"),
    "consistency": ("consistency check", "consistency checks"),
    "by construction": ("by construction", "by construction"),
}
"""One record of a status in words, and several."""


@dataclass(frozen=True)
class Claim:
    """One checked statement: what it says, what was expected, what was measured, and the verdict.

    ``verdict`` is ``confirmed`` where the measured number agrees with the expected one under
    ``comparison`` within ``tolerance`` (absolute): |measured - expected| <= tolerance for ``equal``,
    measured <= expected + tolerance for ``at most``, measured >= expected - tolerance for ``at least``;
    otherwise, and for a measured NaN or infinity, ``violated``. A statement that is ``false in general`` is confirmed
    when its counterexample shows the expected number. ``count`` says how many numbers ``measured`` was reduced from.
    ``source`` is the function that measured it, ``reason`` says why the tolerance is as large as it is. All quantities
    are dimensionless. Checks make records with the functions of this module, which reduce arrays.

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
    count: int = 1
    seconds: float = 0.0
    reason: str = ""
    source: str = ""

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
        last = {name: fields.pop(name) for name in ("reason", "source", "seconds")}
        return {**fields, "verdict": self.verdict, **last}


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


def tally(statuses: Iterable[str]) -> str:
    """How many records there are of each status, in words; statuses without a record are left out.

    >>> tally(["proven", "false in general", "proven", "observation"])
    '2 proven, 1 counterexample, 1 observation'
    >>> tally([])
    'no records'
    """
    counts = Counter(statuses)
    parts = [f"{counts[status]} {words[counts[status] > 1]}" for status, words in _WORDS.items() if counts[status]]
    return ", ".join(parts) or "no records"


def vanishes(
    claim: str,
    statement: str,
    quantity: str,
    errors: Numbers,
    tolerance: float,
    status: Status = "proven",
    *,
    draws: int = 1,
    of: Numbers = (),
) -> Claim:
    """A record of errors: the largest magnitude must be at most the tolerance.

    errors: numbers or arrays of any shapes. draws: how many numbers there have to be at least. of: further arrays from
    which the errors were computed by comparing, selecting or counting, which hide a NaN. ``measured`` is NaN, hence the
    record violated, where a number of either is not finite and where there are fewer than ``draws`` errors.

    >>> vanishes("T1a", "n = 2 gives the cosine", "largest |A - cos|", [-2e-16, 1e-16], 1e-12).measured
    2e-16
    """
    numbers = _flat(errors)
    measured = _reduced(lambda values: np.max(np.abs(values)), numbers, draws, of)
    return Claim(claim, statement, status, quantity, 0.0, measured, tolerance, "at most", numbers.size)


def at_most(
    claim: str,
    statement: str,
    quantity: str,
    values: Numbers,
    bound: float,
    tolerance: float,
    status: Status = "proven",
    *,
    draws: int = 1,
    of: Numbers = (),
) -> Claim:
    """A record of an upper bound: the largest value must be at most ``bound`` plus the tolerance.

    ``draws`` and ``of`` as in ``vanishes``.

    >>> at_most("T10", "The score of n = 3 is at most -7/9.", "largest A", [-0.9, -0.8], -7 / 9, 0.0).measured
    -0.8
    """
    numbers = _flat(values)
    measured = _reduced(np.max, numbers, draws, of)
    return Claim(claim, statement, status, quantity, bound, measured, tolerance, "at most", numbers.size)


def at_least(
    claim: str,
    statement: str,
    quantity: str,
    values: Numbers,
    bound: float,
    tolerance: float,
    status: Status = "proven",
    *,
    draws: int = 1,
    of: Numbers = (),
) -> Claim:
    """A record of a lower bound: the least value must be at least ``bound`` minus the tolerance.

    ``draws`` and ``of`` as in ``vanishes``.

    >>> at_least("T2a", "A >= 2/n - 1", "least A, n = 2", [0.5, 0.25], 0.0, 1e-12).measured
    0.25
    """
    numbers = _flat(values)
    measured = _reduced(np.min, numbers, draws, of)
    return Claim(claim, statement, status, quantity, bound, measured, tolerance, "at least", numbers.size)


def holds(
    claim: str,
    statement: str,
    quantity: str,
    slack: Numbers,
    tolerance: float,
    status: Status = "proven",
    *,
    draws: int = 1,
    of: Numbers = (),
) -> Claim:
    """A record of an inequality: its least slack must be at least minus the tolerance.

    ``draws`` and ``of`` as in ``vanishes``.

    >>> holds("T2a", "A >= 2/n - 1", "least slack", [0.5, 0.25], 1e-12).measured
    0.25
    """
    return at_least(claim, statement, quantity, slack, 0.0, tolerance, status, draws=draws, of=of)


def equals(
    claim: str,
    statement: str,
    quantity: str,
    values: Numbers,
    expected: float,
    tolerance: float,
    status: Status = "proven",
    *,
    draws: int = 1,
    of: Numbers = (),
) -> Claim:
    """A record of numbers that must all agree with the expected one; ``measured`` is the one farthest from it.

    ``draws`` and ``of`` as in ``vanishes``.

    >>> equals("T2c", "Three cosines of 0.2 score -1/15.", "A", [-0.066, -0.067], -1 / 15, 1e-3).measured
    -0.066
    """
    numbers = _flat(values)
    measured = _reduced(lambda v: v[np.argmax(np.abs(v - expected))], numbers, draws, of)
    return Claim(claim, statement, status, quantity, expected, measured, tolerance, "equal", numbers.size)


def counted(
    claim: str,
    statement: str,
    quantity: str,
    events: Numbers,
    expected: float,
    status: Status = "proven",
    comparison: Comparison = "equal",
    *,
    draws: int = 1,
    of: Numbers,
) -> Claim:
    """A record of how many of some draws are events: as many as expected, at most or at least so many.

    events: True or False a draw. of: the arrays that were compared to decide this; they are required, since a
    comparison hides a NaN. ``draws`` as in ``vanishes``.

    >>> slack = np.array([0.1, -0.2])
    >>> counted("T29d", "Sometimes it is worse.", "draws of 2", slack < 0, 1, comparison="at least", of=slack).verdict
    'confirmed'
    """
    numbers = _flat(events)
    if not np.all(np.isin(numbers, (0, 1)) | ~np.isfinite(numbers)):
        raise ValueError(f"{claim}, {quantity}: an event is neither True nor False; give a truth value a draw")
    measured = _reduced(np.sum, numbers, draws, of) if _flat(of).size else math.nan
    return Claim(claim, statement, status, quantity, float(expected), measured, 0.0, comparison, numbers.size)


def never(
    claim: str,
    statement: str,
    quantity: str,
    violations: Numbers,
    status: Status = "proven",
    *,
    draws: int = 1,
    of: Numbers,
) -> Claim:
    """A record of violations, True where a draw violates the statement: there must be none.

    ``draws`` and ``of`` as in ``counted``.

    >>> A = np.array([0.5, 0.7])
    >>> never("T2b", "Above tau_n no pair conflicts.", "draws with a conflict", A < 0, of=A).verdict
    'confirmed'
    """
    return counted(claim, statement, quantity, violations, 0, status, draws=draws, of=of)


def in_band(
    claim: str,
    statement: str,
    quantity: str,
    samples: Numbers,
    mean: Numbers,
    status: Status = "proven",
    *,
    draws: int = 2,
    of: Numbers = (),
) -> Claim:
    """A record of means over draws: every one must be within 4 standard errors of the expected one.

    samples: independent draws (draws,), or several such arrays, each with a mean of its own. ``measured`` is the
    largest |z|, z = (sample mean - mean) / (sample deviation / sqrt(draws)); NaN where a draw is not finite, where all
    draws are equal, and where a sample has fewer than ``draws`` of them.

    >>> in_band("T4", "E A = 2/n - 1", "|z|", [-1.0, 1.0, -1.0, 1.0], 0.0).measured
    0.0
    """
    several = [samples] if np.ndim(mean) == 0 else list(samples)
    means = np.atleast_1d(np.asarray(mean, np.float64))
    z = []
    for sample, expected in zip(map(_flat, several), means, strict=True):
        sound = sample.size >= max(draws, 2) and np.all(np.isfinite(sample))
        deviation = np.std(sample) if sound else np.nan
        z.append((np.mean(sample) - expected) / (deviation / np.sqrt(sample.size)) if deviation > 0 else np.nan)
    measured = _reduced(lambda values: np.max(np.abs(values)), np.asarray(z), 1, [_flat(samples), _flat(of)])
    count = sum(_flat(sample).size for sample in several)
    return Claim(claim, statement, status, quantity, STANDARD_ERRORS, measured, 0.0, "at most", count)


def _flat(numbers: Numbers) -> NDArray[np.float64]:
    """All numbers of arrays and of sequences of arrays of any shapes, one after the other."""
    if isinstance(numbers, list | tuple):
        parts = [_flat(part) for part in numbers]
        return np.concatenate(parts) if parts else np.empty(0)
    return np.asarray(numbers, np.float64).ravel()


def _reduced(
    reduction: Callable[[NDArray[np.float64]], Any], numbers: NDArray[np.float64], draws: int, of: Numbers
) -> float:
    """The reduction of the numbers; NaN where one of them or of ``of`` is not finite, or they are too few."""
    sound = numbers.size >= max(draws, 1) and np.all(np.isfinite(numbers)) and np.all(np.isfinite(_flat(of)))
    return float(reduction(numbers)) if sound else math.nan
