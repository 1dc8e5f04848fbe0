"""Numbers, tables and names of claims as text."""

import math
from collections.abc import Iterable, Sequence

import pandas as pd

from gradalign.claims._records import claim_number


def number(value: float, digits: int = 3) -> str:
    """A number as a reader of tables wants it: about ``digits`` significant ones, exponents only where they help.

    >>> number(0.00031234), number(8.2e-5), number(1e-12), number(0.25), number(1e4), number(float("nan"))
    ('3.12e-4', '8.20e-5', '1.00e-12', '0.25', '10000', '–')
    """
    if not math.isfinite(value):
        return "–" if math.isnan(value) else ("∞" if value > 0 else "−∞")
    if value == 0:
        return "0"
    if 0.01 <= abs(value) < 1e5:
        text = f"{value:.{max(digits - 1 - math.floor(math.log10(abs(value))), 0)}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def spread(values: Sequence[float] | pd.Series, digits: int = 3) -> str:
    """Median and range.

    >>> spread([1.0, 3.0, 2.0]), spread([2.0])
    ('2 (1 to 3)', '2')
    """
    numbers = pd.Series(values, dtype=float)
    middle = number(float(numbers.median()), digits)
    if len(numbers) < 2:
        return middle
    return f"{middle} ({number(float(numbers.min()), digits)} to {number(float(numbers.max()), digits)})"


def seeds_in_words(seeds: Iterable[object]) -> str:
    """How many seeds a line stands for, for titles."""
    count = len(set(seeds))
    return "1 seed" if count == 1 else f"{count} seeds"


def claim_order(claim: str) -> tuple[int, str, str]:
    """Sorting key of claim names: by number, then by part.

    >>> sorted(["T14", "T26b", "T2b", "T26(d)", "T2a", "T10"], key=claim_order)
    ['T2a', 'T2b', 'T10', 'T14', 'T26(d)', 'T26b']
    """
    of_claim = claim_number(claim)
    return (int(of_claim.strip("Tb")), of_claim, claim.removeprefix(of_claim))


def markdown(frame: pd.DataFrame) -> str:
    """A table in Markdown.

    >>> print(markdown(pd.DataFrame({"bound": ["|A| <= c"]})))
    | bound      |
    |:-----------|
    | \\|A\\| <= c |
    <BLANKLINE>
    """
    plain = frame.astype(str).replace(r"\|", r"\\|", regex=True)  # a bare bar would end the cell
    return f"{plain.to_markdown(index=False, disable_numparse=True)}\n"
