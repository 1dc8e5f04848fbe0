"""The last screen of a run: which expectations held, which did not, and where everything is."""

import csv
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

KINDS = {"required": "required expectations", "prediction": "predictions written down before the runs"}


def last_screen(results: Path, columns: int) -> str:
    """The last screen for one folder of results, ``results/SCALE``, in lines of at most ``columns`` columns.

    Reads ``verification.csv``, as ``gradalign.pipeline.verification.verify`` writes it, and lists paper, report,
    figures and tables as far as they exist. Paths stay whole, and may be longer than a line.
    """
    parts = [_verdicts(results / "verification.csv", columns), _places(results, columns)]
    return "\n".join(part for part in parts if part)


def _verdicts(path: Path, columns: int) -> str:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        verdicts = [(row["kind"], row["verdict"], _measured(row)) for row in rows]
    except FileNotFoundError:
        return ""
    except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
        return f"{path} cannot be read: {error!r}\n"
    if not verdicts:
        return f"{path} holds no expectation\n"
    lines = []
    for kind, words in KINDS.items():
        of_kind = [(verdict, measured) for found, verdict, measured in verdicts if found == kind]
        if not of_kind:
            continue
        missed = [measured for verdict, measured in of_kind if verdict != "held"]
        lines.append(f"{len(of_kind) - len(missed)} of {len(of_kind)} {words} held{'; did not:' if missed else '.'}")
        lines += [f"  {measured}" for measured in missed]
    return "".join(f"{line}\n" for text in lines for line in _wrapped(text, columns))


def _measured(row: Mapping[str, str]) -> str:
    """An expectation by its name, with the measured and the expected value."""
    if row["verdict"] == "no data":
        return f"{row['expectation']}: no data"
    tolerance = f" +- {float(row['tolerance']):.4g}" if row["tolerance"] else ""
    numbers = f"{float(row['measured']):.4g}, expected {row['comparison']} {float(row['expected']):.4g}"
    return f"{row['expectation']}: {numbers}{tolerance}"


def _places(results: Path, columns: int) -> str:
    """Paths and their contents, the first to open first."""
    figures, tables = len(list(results.glob("figures/*.pdf"))), len(list(results.glob("tables/*.csv")))
    places = [
        (results / "paper/paper.pdf", "open first: the paper with these numbers"),
        (results / "report.html", "every figure and table, and how each was made"),
        (results / "figures", f"{figures} {'figure' if figures == 1 else 'figures'} (PDF, PNG)" if figures else ""),
        (
            results / "tables",
            f"{tables} {'table' if tables == 1 else 'tables'} (CSV, Markdown, LaTeX)" if tables else "",
        ),
        (results / "verification.csv", "every expectation with what was measured"),
    ]
    found = [(str(path), text) for path, text in places if text and path.exists()]
    width = max((len(path) for path, _ in found), default=0)
    if all(width + 2 + len(text) <= columns for _, text in found):
        return "".join(f"{path:{width}}  {text}\n" for path, text in found)
    return "".join("\n".join([path, *_wrapped(f"  {text}", columns)]) + "\n" for path, text in found)


def _wrapped(text: str, columns: int) -> Sequence[str]:
    indent = " " * (len(text) - len(text.lstrip()))
    return textwrap.wrap(
        text, columns, subsequent_indent=indent or "  ", break_long_words=False, break_on_hyphens=False
    )
