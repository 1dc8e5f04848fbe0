"""What all figures and tables share: reading the summary tables, one look per method, and files that are byte-stable.

An item of ``manifest.yaml`` is a script with ``render(summary: Summary, **arguments) -> Figure | DataFrame`` that reads
the summary tables and nothing else; ``arguments`` are those of the item, so that one script serves many problems.
"""

import math
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any

# Matplotlib reads these when it is imported. Nothing of the user's: it stops at a backend that it does not know, and at
# files that it cannot read. The folder is for its list of fonts
os.environ["MPLBACKEND"] = "agg"
os.environ["MATPLOTLIBRC"] = str(Path(__file__).with_name("style.mplstyle"))
os.environ["MPLCONFIGDIR"] = str(Path(__file__).resolve().parents[1] / ".cache" / "matplotlib")

import matplotlib as mpl
import matplotlib.style
import numpy as np
import pandas as pd
import yaml
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gradalign.base import untrusted
from gradalign.base.errors import ConfigurationError, unknown_name
from gradalign.base.files import write_atomically
from gradalign.claims._records import claim_number
from gradalign.pipeline.summary_tables import path_of

FIGURES = Path(__file__).resolve().parent

UNDATED: dict[str, dict[str, None]] = {
    ".pdf": {"Creator": None, "Producer": None, "CreationDate": None},
    ".png": {"Software": None},
}
"""The formats of a figure, and the metadata of each that would differ between machines or days."""

BLACK, GREY = "#000000", "#767676"
ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILLION, PURPLE = (
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#F0E442",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
)
"""The colours of Okabe and Ito (2008), which stay apart in the common kinds of colour blindness."""

WINE, INDIGO, BROWN, VIOLET, OLIVE = "#882255", "#332288", "#661100", "#6622EE", "#999933"
"""Dark colours for methods beyond those: they stay apart from the others and each other in simulated blindness, too."""

Summary = Path | tuple[Path, ...]
"""A folder of summary tables, or several, whose rows are read one after the other: those of the parts of a figure."""

METHODS = {
    "adam": ("Adam", BLUE, "o"),
    "soap": ("SOAP", VERMILLION, "s"),
    "gauss_newton": ("Gauss–Newton", GREEN, "^"),
    "lbfgs": ("L-BFGS", ORANGE, "D"),
    "ssbroyden": ("SSBroyden", PURPLE, "v"),
    "muon": ("Muon", SKY, "P"),
    "shampoo": ("Shampoo", WINE, "X"),
    "kron": ("Kron", OLIVE, "<"),
    "spring": ("SPRING", INDIGO, "p"),
    "soap_gauss_newton": ("SOAP–Gauss–Newton", VIOLET, "*"),
    "soap_then_gauss_newton": ("SOAP, then Gauss–Newton", BROWN, "h"),
}
"""Label, colour and marker by method; a method that is not listed gets a fixed look from its name."""

PROBLEMS = {
    "wave": "Wave equation",
    "burgers": "Burgers' equation",
    "allen_cahn": "Allen–Cahn equation",
    "korteweg_de_vries": "Korteweg–de Vries equation",
    "kuramoto_sivashinsky": "Kuramoto–Sivashinsky equation",
    "gray_scott": "Gray–Scott equations",
    "ginzburg_landau": "Ginzburg–Landau equation",
    "lid_driven_cavity": "Lid-driven cavity",
    "kolmogorov_flow": "Kolmogorov flow",
    "rayleigh_taylor": "Rayleigh–Taylor flow",
}
"""Words for problems, in the order of the tables; other names are shown as they are."""

LOSS_TERMS = {
    "ic": "initial condition",
    "bc": "boundary condition",
    "pde": "equation",
    "u0": "initial value",
    "ut0": "initial velocity",
    **{f"{field}_ic": f"initial condition of {field}" for field in "uvT"},
    **{f"{field}_bc": f"boundary condition of {field}" for field in "uvT"},
    "ru": "equation of u",
    "rv": "equation of v",
    "rc": "continuity",
    "re": "equation of T",
}
"""Words for the names of loss terms; other names are shown as they are."""

DASHES = ("-", "--", ":", "-.")


@dataclass(frozen=True)
class Run:
    """One run of the summary as figures show it. ``line`` tells two runs of one method apart.

    ``changed`` says what a run varies against the plain run of its method; ``b1`` is the decay of the first moment, 0
    for methods without momentum; ``points_every`` the steps between two draws of points; ``windows`` how many windows
    of time there are, and ``window_steps`` the steps of each, 0 where they do not have the same.
    """

    name: str
    problem: str
    method: str
    label: str
    colour: str
    marker: str
    line: str
    loss_terms: int
    steps: int
    changed: str
    b1: float
    points_every: int
    windows: int
    window_steps: int


@cache
def manifest() -> dict[str, dict[str, Any]]:
    """The items of ``manifest.yaml`` by name."""
    return {item["name"]: item for item in yaml.safe_load((FIGURES / "manifest.yaml").read_text(encoding="utf-8"))}


def render_item(name: str, summary: Summary, output: Path) -> list[Path]:
    """Render one item of the manifest into the folder ``output``; returns the files it wrote.

    Raises ``ConfigurationError`` for a name that is not in the manifest, and for a missing table or column.
    """
    items = manifest()
    if name not in items:
        raise unknown_name("figure or table", name, items)
    with styled():
        result = import_module(Path(items[name]["script"]).stem).render(summary, **items[name].get("arguments", {}))
        if isinstance(result, Figure):
            return save_figure(result, output, name)
        return save_table(result, output, name)


@contextmanager
def styled() -> Iterator[None]:
    """Draw in our style alone: what a user's matplotlibrc sets is no part of a figure."""
    mpl.use("Agg")
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.style.use(FIGURES / "style.mplstyle")
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


def read_table(summary: Summary, name: str, columns: Iterable[str]) -> pd.DataFrame:
    """The summary table ``name``, with at least ``columns``; empty where the stages before had nothing to do.

    Raises ``ConfigurationError`` for a missing file or column, in any of several folders: an item reads parts of one
    kind, or the whole.
    """
    folders = (summary,) if isinstance(summary, Path) else summary
    tables = []
    for path in (path_of(folder, name) for folder in folders):
        if not path.is_file():
            raise ConfigurationError(f"{path} is missing; run the stage that writes it first (snakemake summary)")
        about = path.stat()
        table = _parsed(path, (about.st_ino, about.st_mtime_ns, about.st_size))
        if table is None:
            continue
        if missing := [column for column in columns if column not in table.columns]:
            raise ConfigurationError(
                f"{path} has no column {', '.join(map(repr, missing))}; found: {', '.join(table.columns)}. The usual "
                "cause is a table from an older version: remove it, and run snakemake again"
            )
        tables.append(table)
    filled = [table for table in tables if len(table)] or tables[:1]
    if not filled:
        return pd.DataFrame(columns=list(columns))
    if len(filled) == 1:
        return filled[0].copy(deep=False)  # pandas copies what is written to
    return pd.concat(filled, ignore_index=True)


@lru_cache(maxsize=32)
def _parsed(path: Path, state: tuple[int, ...]) -> pd.DataFrame | None:
    """The table in a file whose ``state`` tells it from other contents; None where it has no text.

    The curves of a hundred runs have 40 MB, and a figure or the paper asks for them once for every run and quantity.
    """
    try:
        return untrusted.table(path, keep_default_na=False, na_values=["", "nan", "NaN"])
    except pd.errors.EmptyDataError:  # where there was nothing to gather
        return None


def read_fields(summary: Summary, run: str) -> dict[str, NDArray[np.float64]]:
    """The arrays of ``fields/<run>.npz``: coordinates, ``reference_<field>``, ``predicted_<field>``.

    Raises ``ConfigurationError`` where the file is missing or holds no field.
    """
    folders = (summary,) if isinstance(summary, Path) else summary
    paths = [folder / "fields" / f"{run}.npz" for folder in folders]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        missing = " or ".join(map(str, paths[:2]))
        raise ConfigurationError(f"{missing} is missing; run the stage that writes it first (snakemake summary)")
    arrays = untrusted.arrays(path)
    if not any(name.startswith("predicted_") for name in arrays):
        raise ConfigurationError(
            f"{path} has no array predicted_<field>; found: {', '.join(arrays)}; run the stage `evaluate` again"
        )
    return arrays


def read_runs(summary: Summary, problem: str, variations: bool = False) -> list[Run]:
    """The runs of a problem, Adam first, then SOAP, then the others by name; with ``variations`` also changed runs.

    >>> method_look("soap")[0], method_look("my_method")[0]
    ('SOAP', 'My method')
    """
    columns = ["run", "problem", "method", "variant", "changed", "b1", "points_every", "loss_terms", "steps"]
    table = read_table(summary, "runs", [*columns, "windows", "last_stage_steps"])
    table = table[table["problem"] == problem].drop_duplicates("run")
    table["changed"] = [text if isinstance(text, str) else "" for text in table["changed"]]  # empty cells are NaN
    if not variations:
        table = table[table["changed"] == ""]
    found: list[Run] = []
    for row in sorted(table.to_dict("records"), key=lambda row: method_order(str(row["method"]), str(row["run"]))):
        method, changed = str(row["method"]), str(row["changed"])
        label, colour, marker = method_look(method)
        same = sum(run.method == method for run in found)
        variant = row["variant"]
        steps, windows, last = (int(row[name]) for name in ("steps", "windows", "last_stage_steps"))
        if changed:
            label += f", {changed}"
        elif isinstance(variant, str) and variant not in ("", method):
            label += f" ({variant})"
        elif any(run.method == method and not run.changed for run in found):
            label += f" ({row['run']})"
        found.append(
            Run(
                name=str(row["run"]),
                problem=problem,
                method=method,
                label=label,
                colour=colour,
                marker=marker,
                line=DASHES[same % len(DASHES)],
                loss_terms=int(row["loss_terms"]),
                steps=steps,
                changed=changed,
                b1=float(row["b1"]),
                points_every=int(row["points_every"]),
                windows=windows,
                window_steps=last if windows * last == steps else 0,
            )
        )
    return found


MOST_MAPS = 4
"""Runs of a problem whose fields a figure shows side by side, so that it stays as wide as a page."""


def mapped_runs(summary: Summary, problem: str) -> tuple[list[Run], str]:
    """The runs whose fields are shown, at most ``MOST_MAPS``, and what titles say of those that are left out.

    Where there are more, those with the smallest median error are taken, in their usual order.
    """
    runs = read_runs(summary, problem)
    if len(runs) <= MOST_MAPS:
        return runs, ""
    table = read_table(summary, "runs", ["run", "relative_l2"])
    errors = table[table["run"].isin([run.name for run in runs])].groupby("run")["relative_l2"].median()
    least = set(errors.sort_values(kind="stable").index[:MOST_MAPS])
    return [run for run in runs if run.name in least], f"; the {MOST_MAPS} of {len(runs)} runs with the least error"


def read_curve(summary: Summary, run: Run, quantity: str) -> pd.DataFrame:
    """Rows of one run and quantity, columns seed, step, seconds, value, ordered by seed and step."""
    columns = ["run", "seed", "step", "seconds", "quantity", "value"]
    table = read_table(summary, "curves", columns)
    rows = table[(table["run"] == run.name) & (table["quantity"] == quantity)]
    return rows[["seed", "step", "seconds", "value"]].sort_values(["seed", "step"]).reset_index(drop=True)


def null_fraction(run: Run) -> Fraction:
    """2/n - 1, the score of n orthogonal gradients."""
    return Fraction(2, run.loss_terms) - 1


def late_means(summary: Summary, run: Run, quantity: str) -> pd.Series:
    """By seed, the mean of a quantity over the second half of training; empty where nothing was logged."""
    curve = read_curve(summary, run, quantity)
    late = curve[curve["step"] >= run.steps / 2].dropna(subset=["value"])
    return late.groupby("seed")["value"].mean()


def read_claim_curves(summary: Summary, *claims: str) -> pd.DataFrame:
    """Points of the figures of some claims, columns claim, quantity, series, seed, x, y, in the order of the file.

    Empty where the configuration leaves their topics out; show a ``notice`` then.
    """
    columns = ["claim", "quantity", "series", "seed", "x", "y"]
    table = read_table(summary, "claim_curves", columns)
    return table.loc[table["claim"].isin(claims), columns].reset_index(drop=True)


def method_look(method: str) -> tuple[str, str, str]:
    """Label, colour and marker of a method, the same in every figure."""
    if method in METHODS:
        return METHODS[method]
    number = zlib.crc32(method.encode())
    colours, markers = (PURPLE, ORANGE, SKY), "DvPX<>*"  # black is for references
    return (
        method.replace("_", " ").capitalize(),
        colours[number % len(colours)],
        markers[number // len(colours) % len(markers)],
    )


def method_order(method: str, run: str) -> tuple[int, str]:
    """Sorting key: methods as listed in ``METHODS``, then all others by name."""
    order = list(METHODS)
    return (order.index(method) if method in order else len(order), run)


def problem_name(problem: str) -> str:
    """A problem in words.

    >>> problem_name("burgers"), problem_name("my_problem")
    ("Burgers' equation", 'My problem')
    """
    return PROBLEMS.get(problem, problem.replace("_", " ").capitalize())


def short_problem_name(problem: str) -> str:
    """A problem in fewer words, for legends and narrow panels.

    >>> short_problem_name("wave"), short_problem_name("kolmogorov_flow")
    ('Wave', 'Kolmogorov flow')
    """
    return problem_name(problem).removesuffix(" equation").removesuffix(" equations")


def problem_order(problem: str) -> tuple[int, str]:
    """Sorting key: problems as listed in ``PROBLEMS``, then all others by name."""
    order = list(PROBLEMS)
    return (order.index(problem) if problem in order else len(order), problem)


def no_runs(problem: str) -> Figure:
    """The notice of a figure whose problem has no runs in the summary."""
    return notice(f"{problem_name(problem)}: no run at this scale.")


def claim_order(claim: str) -> tuple[int, str, str]:
    """Sorting key of claim names: by number, then by part.

    >>> sorted(["T14", "T26b", "T2b", "T26(d)", "T2a", "T10"], key=claim_order)
    ['T2a', 'T2b', 'T10', 'T14', 'T26(d)', 'T26b']
    """
    of_claim = claim_number(claim)
    return (int(of_claim.strip("Tb")), of_claim, claim.removeprefix(of_claim))


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


def notice(text: str) -> Figure:
    """A figure that says why there is nothing to show."""
    figure = Figure(figsize=(5.5, 1.2))
    figure.text(0.5, 0.5, text, ha="center", va="center", color=GREY)
    return figure
