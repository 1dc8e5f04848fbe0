"""Lists of methods, claims and studies from the docstrings of their modules, for a terminal of any width.

The docstrings are read from the syntax tree. Nothing is imported, so a list appears at once.
"""

import ast
import re
import shutil
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

from gradalign.base.discovery import module_names

NARROW = 60
"""Terminal width in columns below which a text stands under its label instead of beside it."""

METHOD_PARTS = {
    "cost per step": "Cost per step: ",
    "memory": "Memory: ",
    "precision": "Precision: ",
    "use it": "Use it ",
}
"""Labels in the list of methods, and the start of each part in the docstring; in this order, after the title."""

METHOD_LEGEND = (
    "P: number of parameters. N: number of residuals. (m, n): shape of a matrix of parameters. Memory: in numbers."
)


def headline(package: str, name: str) -> str:
    """The first paragraph of the docstring of ``gradalign.<package>.<name>``, as one line.

    >>> headline("claims", "random_directions")[:40]
    'Claim T4: the score of independent rando'
    """
    path = Path(__file__).parents[1].joinpath(*package.split("."), f"{name}.py")
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(docstring.split("\n\n")[0].replace("``", "").split())


def names(package: str) -> str:
    """Every module of a package, with the first sentence of its docstring."""
    found = {name: re.split(r"(?<=[.])\s", headline(package, name))[0] for name in module_names(package)}
    return "\n".join(aligned(found.items(), max(map(len, found), default=0) + 2))


def methods() -> Iterator[str]:
    """A block for every method: a description, the cost of a step, memory and precision, and when to use it."""
    for name in module_names("optimizers"):
        yield f"{name}\n" + "\n".join(aligned(_parts(headline("optimizers", name)).items(), 15, indent=2))
    yield "\n".join(textwrap.wrap(METHOD_LEGEND, terminal_width()))


def aligned(rows: Iterable[tuple[str, str]], label_width: int, indent: int = 0, hanging: int = 0) -> Iterator[str]:
    """Labels and texts in two columns, wrapped to the terminal; in a narrow one, texts stand under their labels.

    An empty label adds another text to the previous label; ``hanging`` is the extra indentation of continued lines.
    Without a terminal, the width is 80 columns or ``$COLUMNS``.
    """
    width, margin = terminal_width(), " " * indent
    narrow = width < NARROW
    for label, text in rows:
        if narrow and label:
            yield f"{margin}{label}"
        beside = margin + ("    " if narrow else f"{label:{label_width}}")
        yield textwrap.fill(
            text,
            width=width,
            initial_indent=beside,
            subsequent_indent=" " * (len(beside) + hanging),
            break_long_words=False,
            break_on_hyphens=False,
        )


def terminal_width() -> int:
    """Columns of the terminal, at least 30; without a terminal 80, or ``$COLUMNS``."""
    return max(shutil.get_terminal_size((80, 24)).columns, 30)


def _parts(line: str) -> dict[str, str]:
    """The title of a method and the parts after it, by label, without missing parts."""
    starts = {label: line.find(f" {start}") for label, start in METHOD_PARTS.items()}
    found = {"what": 0} | {label: place + 1 for label, place in starts.items() if place >= 0}
    ends = [*list(found.values())[1:], len(line) + 1]
    return {
        label: line[place:end].strip().removeprefix(METHOD_PARTS.get(label, "")).rstrip(".")
        for (label, place), end in zip(found.items(), ends, strict=True)
    }
