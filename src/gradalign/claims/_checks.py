"""One record of a claim, one function: a decorator says what is claimed, the function returns what it measured.

    @vanishes("T1a", "The score of two vectors is their cosine.", "largest |A - cos|", IDENTITY, draws=500)
    def score_of_two_vectors() -> Numbers:
        vectors = pairs()
        return scores(vectors) - cosines(vectors)

The decorator has the name of the reduction in ``_records`` that makes a number of the arrays and judges it. The records
of a topic come in the order of its functions.
"""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from types import ModuleType
from typing import Any

from gradalign.base.precision import dtype_of
from gradalign.claims import _records as records
from gradalign.claims._records import Claim, Comparison, Numbers, Status

Cases = Sequence[Mapping[str, Any]]
Bound = float | Callable[..., float] | None
"""A number, a function of the case that gives it, or None where the function of the check returns it."""

_REGISTERED, _FUNCTIONS = "_CHECKS", "_FUNCTIONS_OF_CHECKS"


class Tolerance(float):
    """A tolerance, absolute and dimensionless, that says why it is as large as it is.

    >>> IDENTITY = Tolerance(1e-12, "some hundred roundings of numbers of order one")
    >>> IDENTITY, IDENTITY.reason
    (1e-12, 'some hundred roundings of numbers of order one')
    """

    reason: str

    def __new__(cls, value: float, reason: str) -> "Tolerance":
        found = super().__new__(cls, value)
        found.reason = reason
        return found


@dataclass(frozen=True)
class Measured:
    """What the function of a check returns where arrays alone do not say all.

    values: numbers or arrays of any shapes, which are reduced to one number. of: arrays from which they were made by
    comparing, selecting or counting, which hide a NaN. expected: the bound, the expected number or the means, where
    these are measured too. note: what the quantity says of the measured numbers.
    """

    values: Numbers
    of: Numbers = ()
    expected: Numbers = None
    note: str = ""


@dataclass(frozen=True)
class Check:
    """One record before it is measured. ``measure()`` returns arrays or ``Measured``; ``record`` judges them."""

    claim: str
    statement: str
    quantity: str
    status: Status
    reduction: str
    bound: Numbers
    tolerance: float | None
    draws: int
    measure: Callable[[], Numbers]
    source: str
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def reason(self) -> str:
        """Why the tolerance is as large as it is; empty where there is none to explain."""
        return getattr(self.tolerance, "reason", "")

    def measured(self) -> Measured:
        found = self.measure()
        return found if isinstance(found, Measured) else Measured(found)

    def record(self, measured: Measured) -> Claim:
        """The record of these measurements."""
        arguments: dict[str, Any] = {"status": self.status, "draws": self.draws, "of": measured.of, **self.more}
        positional = [measured.values]
        if self.bound is not None or measured.expected is not None:
            positional.append(self.bound if measured.expected is None else measured.expected)
        if self.tolerance is not None:
            positional.append(float(self.tolerance))
        quantity = f"{self.quantity}; {measured.note}" if measured.note else self.quantity
        found = getattr(records, self.reduction)(self.claim, self.statement, quantity, *positional, **arguments)
        return replace(found, source=self.source, reason=self.reason)


Register = Callable[[Callable[..., Any]], Callable[..., Any]]


def vanishes(
    claim: str,
    statement: str,
    quantity: str,
    tolerance: float,
    status: Status = "proven",
    *,
    draws: int = 1,
    cases: Cases = ({},),
) -> Register:
    """The function returns errors, the largest magnitude of which must be at most the tolerance."""
    return _register("vanishes", claim, statement, quantity, status, None, tolerance, draws, cases)


def holds(
    claim: str,
    statement: str,
    quantity: str,
    tolerance: float,
    status: Status = "proven",
    *,
    draws: int = 1,
    cases: Cases = ({},),
) -> Register:
    """The function returns the slack of an inequality, which must be at least minus the tolerance."""
    return _register("holds", claim, statement, quantity, status, None, tolerance, draws, cases)


def at_most(
    claim: str,
    statement: str,
    quantity: str,
    bound: Bound,
    tolerance: float,
    status: Status = "proven",
    *,
    draws: int = 1,
    cases: Cases = ({},),
) -> Register:
    """The function returns values, the largest of which must be at most ``bound`` plus the tolerance."""
    return _register("at_most", claim, statement, quantity, status, bound, tolerance, draws, cases)


def at_least(
    claim: str,
    statement: str,
    quantity: str,
    bound: Bound,
    tolerance: float,
    status: Status = "proven",
    *,
    draws: int = 1,
    cases: Cases = ({},),
) -> Register:
    """The function returns values, the least of which must be at least ``bound`` minus the tolerance."""
    return _register("at_least", claim, statement, quantity, status, bound, tolerance, draws, cases)


def equals(
    claim: str,
    statement: str,
    quantity: str,
    expected: Bound,
    tolerance: float,
    status: Status = "proven",
    *,
    draws: int = 1,
    cases: Cases = ({},),
) -> Register:
    """The function returns values, all of which must be the expected one within the tolerance."""
    return _register("equals", claim, statement, quantity, status, expected, tolerance, draws, cases)


def counted(
    claim: str,
    statement: str,
    quantity: str,
    expected: Bound,
    status: Status = "proven",
    comparison: Comparison = "equal",
    *,
    draws: int = 1,
    cases: Cases = ({},),
) -> Register:
    """The function returns ``Measured(events, of=...)``: as many events as expected, at most or at least so many."""
    more = {"comparison": comparison}
    return _register("counted", claim, statement, quantity, status, expected, None, draws, cases, more)


def never(
    claim: str,
    statement: str,
    quantity: str,
    status: Status = "proven",
    *,
    draws: int = 1,
    cases: Cases = ({},),
) -> Register:
    """The function returns ``Measured(violations, of=...)``, of which there must be none."""
    return _register("never", claim, statement, quantity, status, None, None, draws, cases)


def in_band(
    claim: str,
    statement: str,
    quantity: str,
    mean: Bound | Sequence[float],
    status: Status = "proven",
    *,
    draws: int = 2,
    cases: Cases = ({},),
) -> Register:
    """The function returns samples, whose means must lie within 4 standard errors of the expected ones."""
    return _register("in_band", claim, statement, quantity, status, mean, None, draws, cases)


def checks_of(topic: ModuleType) -> list[Check]:
    """The checks of a topic of claims, in order."""
    return list(getattr(topic, _REGISTERED, []))


def checked(checks: Sequence[Check]) -> list[Claim]:
    """The records of checks, each with the seconds that it took beyond what the checks before it had measured.

    Raises ``ConfigurationError`` while JAX's 64-bit types are off.
    """
    dtype_of("float64")
    found = []
    for check in checks:
        start = time.perf_counter()
        record = check.record(check.measured())
        found.append(replace(record, seconds=time.perf_counter() - start))
    return found


def _register(
    reduction: str,
    claim: str,
    statement: str,
    quantity: str,
    status: Status,
    bound: Any,
    tolerance: float | None,
    draws: int,
    cases: Cases,
    more: Mapping[str, Any] | None = None,
) -> Register:
    """A check for every case: ``quantity`` holds its values in braces, the function gets them by name."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        module = sys.modules[function.__module__]
        known = vars(module).setdefault(_REGISTERED, [])
        # Checks are called by name: another function of this name would measure for the records of the first
        first = vars(module).setdefault(_FUNCTIONS, {}).setdefault(function.__name__, function)
        if (first.__code__, first.__defaults__) != (function.__code__, function.__defaults__):
            raise ValueError(f"{function.__module__} has two checks named {function.__name__}; allowed: one")
        for case in cases:
            known.append(
                Check(
                    claim=claim,
                    statement=statement,
                    quantity=quantity.format(**case) if case else quantity,
                    status=status,
                    reduction=reduction,
                    bound=bound(**case) if callable(bound) else bound,
                    tolerance=tolerance,
                    draws=draws,
                    measure=partial(_by_name, module, function.__name__, case),
                    source=f"{function.__module__}.{function.__name__}",
                    more=more or {},
                )
            )
        return function

    return decorate


def _by_name(module: ModuleType, name: str, case: Mapping[str, Any]) -> Numbers:
    """What a function of a module returns. By name, so that a test may replace it there."""
    return vars(module)[name](**case)
