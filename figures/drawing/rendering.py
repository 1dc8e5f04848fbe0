"""Figures and tables as files, with the same bytes on every machine, and the notice where there is nothing to show."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.style
import pandas as pd
from matplotlib.figure import Figure

from figures import FIGURES
from figures.drawing.names import GREY, problem_name
from figures.drawing.summary import Summary
from figures.drawing.text import markdown
from gradalign.base.files import write_atomically

UNDATED: dict[str, dict[str, None]] = {
    ".pdf": {"Creator": None, "Producer": None, "CreationDate": None},
    ".png": {"Software": None},
}
"""The formats of a figure, and the metadata of each that would differ between machines or days."""


def render_item(item: Mapping[str, Any], summary: Summary, output: Path) -> list[Path]:
    """Render one item of ``figures.manifest`` into the folder ``output``; returns the files it wrote.

    Its script has ``render(summary: Summary, **arguments) -> Figure | DataFrame``, which reads the summary tables and
    nothing else; ``arguments`` are those of the item, so that one script serves many problems. Raises
    ``ConfigurationError`` for a missing table or column.
    """
    script = import_module(f"figures.items.{Path(item['script']).stem}")
    with styled():
        result = script.render(summary, **item.get("arguments", {}))
        if isinstance(result, Figure):
            return save_figure(result, output, item["name"])
        return save_table(result, output, item["name"])


@contextmanager
def styled() -> Iterator[None]:
    """Draw in our style alone: what a user's matplotlibrc sets is no part of a figure."""
    mpl.use("Agg")
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.style.use(FIGURES / "drawing" / "style.mplstyle")
        yield


def save_figure(figure: Figure, directory: Path, name: str, suffixes: Iterable[str] | None = None) -> list[Path]:
    """Write ``name.pdf`` and ``name.png``, or the given ones; the same figure gives the same bytes."""
    paths = [directory / f"{name}{suffix}" for suffix in suffixes or UNDATED]
    for path in paths:
        write_atomically(path, partial(figure.savefig, metadata={"Title": name, **UNDATED[path.suffix]}))
        figure.set_layout_engine("none")  # what was found for one format holds for the next
    return paths


def save_table(frame: pd.DataFrame, directory: Path, name: str) -> list[Path]:
    """Write ``name.csv``, ``name.md`` and ``name.tex`` (booktabs, special characters escaped).

    A table without rows gets one that says so, as a figure with nothing to show gets a ``notice``.
    """
    if frame.empty:
        frame = pd.DataFrame([["nothing at this scale", *[""] * (frame.shape[1] - 1)]], columns=frame.columns)
    texts = {
        ".csv": frame.to_csv(index=False, lineterminator="\n"),
        ".md": markdown(frame),
        ".tex": frame.to_latex(index=False, escape=True, column_format="l" * frame.shape[1]),
    }
    paths = [directory / f"{name}{suffix}" for suffix in texts]
    for path in paths:
        write_atomically(path, partial(Path.write_text, data=texts[path.suffix], encoding="utf-8"))
    return paths


def no_runs(problem: str) -> Figure:
    """The notice of a figure whose problem has no runs in the summary."""
    return notice(f"{problem_name(problem)}: no run at this scale.")


def notice(text: str) -> Figure:
    """A figure that says why there is nothing to show."""
    figure = Figure(figsize=(5.5, 1.2))
    figure.text(0.5, 0.5, text, ha="center", va="center", color=GREY)
    return figure
