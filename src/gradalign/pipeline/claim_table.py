"""A claim, or a topic of claims, as a table on a terminal. Topics are found in the source text, without imports."""

import ast
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from gradalign.base.discovery import module_names
from gradalign.base.errors import unknown_name
from gradalign.claims._records import Claim, claim_number

COMPARED = {"equal": ("", "±"), "at most": ("≤ ", "+"), "at least": ("≥ ", "-")}
"""For each comparison, the sign before the expected number, and the side of it on which the tolerance lies."""


def topic_of(claim: str) -> str:
    """The topic that holds the records of a claim, such as ``T13``, or of its part ``T13a``.

    Raises ``ConfigurationError``, with the list of claims, for a number without records.

    >>> topic_of("T4"), topic_of("T1a")
    ('random_directions', 'score')
    """
    found = _topics()
    if claim not in found:
        raise unknown_name("claim", claim, {claim_number(name) for name in found})
    return found[claim]


def belongs(record: str, claim: str) -> bool:
    """Whether a record belongs to a claim or to its part.

    >>> [belongs("T13a", claim) for claim in ("T13", "T13a", "T13b", "T1")]
    [True, True, False, False]
    """
    return claim in (record, claim_number(record))


def show(records: Iterable[Claim]) -> None:
    """Print one row per record: claim, measured and expected number, reason for the tolerance, source."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold", row_styles=["", "dim"])
    for name in ("claim", "statement", "measured quantity"):
        table.add_column(name, overflow="fold")
    for name in ("measured", "expected"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for record in records:
        statement = f"{record.statement} ({record.status})"
        quantity = f"{record.quantity} ({record.count} numbers)" if record.count > 1 else record.quantity
        why = f"; tolerance: {record.reason}" if record.reason else ""
        sign, tolerance = COMPARED[record.comparison]
        expected = f"{sign}{record.expected:.4g}" + (f" {tolerance} {record.tolerance:.1g}" if record.tolerance else "")
        place = record.source.removeprefix("gradalign.claims.")
        table.add_row(
            record.claim, statement, f"{quantity}{why} [{place}]", f"{record.measured:.4g}", expected, record.verdict
        )
    Console(markup=False, highlight=False).print(table)


@cache
def _topics() -> dict[str, str]:
    """The topic of each claim and each part, from the decorators of the measuring functions."""
    found: dict[str, str] = {}
    folder = Path(__file__).parents[1] / "claims"
    for topic in module_names("claims"):
        for node in ast.walk(ast.parse((folder / f"{topic}.py").read_text(encoding="utf-8"))):
            for decorator in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
                first = decorator.args[0] if isinstance(decorator, ast.Call) and decorator.args else None
                if isinstance(first, ast.Constant) and str(first.value).startswith("T"):
                    found.setdefault(str(first.value), topic)
                    found.setdefault(claim_number(str(first.value)), topic)
    return found
