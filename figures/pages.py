"""Write the generated parts of README and docs, so that no value there is typed by hand.

python -m figures.pages                                        all pages, from the shipped tables in published/
python -m figures.pages results/laptop docs/results/laptop.md  some pages, from other tables

What stands between the markers of a page's tables is replaced. A folder of results has summary tables, from which a
table is made, or the table itself, ``<name>.csv``, with its caption in ``manifest.json``.
"""

import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from figures.drawing import score_against_error
from figures.drawing.names import problem_name, problem_order
from figures.drawing.rendering import save_figure, styled
from figures.drawing.summary import read_runs, read_table
from figures.drawing.text import markdown, number, spread
from figures.items import tab_equal_time, tab_mean_rank, tab_score_against_error, tab_soap_2024, tab_verdicts
from figures.items.fig_headline import errors_by_problem
from figures.items.tab_runs import short_commit
from gradalign.base.errors import ConfigurationError, GradalignError
from gradalign.base.files import write_atomically
from gradalign.claims._records import tally


def results_table(results: Path) -> str:
    """The block in Markdown: a line that says where the numbers come from, and a row per claim set, reference, run."""
    summary, scale = results / "summary", results.name
    claims = read_table(summary, "claims", ["claim", "status", "verdict", "seconds"])
    references = read_table(summary, "references", ["problem", "stated_error", "seconds"])
    columns = ["run", "problem", "device", "commit", "relative_l2", "compile_seconds", "train_seconds", "seed"]
    runs = read_table(summary, "runs", columns)
    confirmed = claims["verdict"] == "confirmed"
    rows = [
        (
            "all claims",
            _command("claims", scale),
            float(claims["seconds"].astype(float).sum()),
            f"{confirmed.sum()} of {len(claims)} records confirmed: {tally(claims.loc[confirmed, 'status'])}",
        )
    ]
    for row in references.to_dict("records"):
        problem = str(row["problem"])
        path = f"results/{scale}/references/{problem}.npz"
        value = f"stated error {number(float(row['stated_error']), 2)}"
        rows.append((f"reference: {problem_name(problem)}", _command(path, scale), float(row["seconds"]), value))
    for problem in sorted({str(problem) for problem in runs["problem"]}, key=problem_order):
        for run in read_runs(summary, problem, variations=True):
            seeds = runs[runs["run"] == run.name]
            seconds = float(seeds["train_seconds"].sum() + seeds["compile_seconds"].max())
            error = f"relative L2 error {spread(seeds['relative_l2'], 2)}, {len(seeds)} seed{'s' * (len(seeds) > 1)}"
            path = f"results/{scale}/runs/{run.name}/runs.csv"
            rows.append((f"{problem_name(problem)}, {run.label}", _command(path, scale), seconds, error))
    frame = pd.DataFrame(
        [(item, f"`{command}`", f"{number(seconds, 2)} s", value) for item, command, seconds, value in rows],
        columns=["item", "command", "time", "value"],
    )
    devices = ", ".join(sorted({str(device) for device in runs["device"]}))
    commits = ", ".join(sorted({short_commit(str(commit)) for commit in runs["commit"]}))
    source = f"Scale `{scale}`, {devices}, commit {commits}. Errors are medians over the seeds, with the range."
    return f"{source}\n\n{markdown(frame)}"


def verdicts_table(results: Path) -> str:
    """What holds of the informal claims, in Markdown."""
    return verdict_sections(tab_verdicts.render(results / "summary"))


def verdict_sections(table: pd.DataFrame) -> str:
    """The table ``tab_verdicts`` in a form to read: a short table, then a paragraph for each statement."""
    rows = table.to_dict("records")
    short = pd.DataFrame({name: table[name] for name in ("informal claim", "stated in", "verdict", "confirmed")})
    parts = [
        f"**{row['informal claim']}**: {row['verdict']}.\n\n- Conditions: {row['holds if']}.\n"
        + ("" if row["counterexample"] == "–" else f"- Counterexample: {row['counterexample']}.\n")
        + f"- Claims: {row['claims']}. Figure: `{row['figure']}`."
        for row in rows
    ]
    return "\n\n".join([markdown(short).strip(), *parts]) + "\n"


def equal_time_table(results: Path) -> str:
    """The three best methods of every problem at equal time, and SOAP and Adam with their ranks, in Markdown."""
    table = tab_equal_time.render(results / "summary")
    rows = []
    for (problem, seconds), own in table.groupby(["problem", "equal time (s)"], sort=False):
        errors = own.set_index("method")["relative L2 error then"].astype(str).to_dict()
        ranks = own.set_index("method")["rank"].astype(str).to_dict()
        best = [f"{method} {error}" for method, error in list(errors.items())[:3]]
        others = [f"{errors[name]}, rank {ranks[name]}" if name in errors else "–" for name in ("SOAP", "Adam")]
        rows.append([problem, seconds, *best, *["–"] * (3 - len(best)), *others])
    return markdown(
        pd.DataFrame(rows, columns=["problem", "equal time (s)", "first", "second", "third", "SOAP", "Adam"])
    )


def ranks_table(results: Path) -> str:
    """Mean ranks of the methods at equal cost, in Markdown."""
    return markdown(tab_mean_rank.render(results / "summary"))


def scores_table(results: Path) -> str:
    """Rank correlations of scores and errors, in Markdown, and what they tell."""
    summary = results / "summary"
    verdict = score_against_error.verdict(score_against_error.read_correlations(summary))
    return "\n".join([markdown(tab_score_against_error.render(summary)), *([verdict, ""] if verdict else [])])


def soap_2024_table(results: Path) -> str:
    """SOAP beside its 2024 port, in Markdown, and the commit of the runs."""
    summary = results / "summary"
    ported = read_table(summary, "runs", ["variant", "commit"]).query("variant == 'soap-jax-2024'")
    commits = ", ".join(sorted({short_commit(str(commit)) for commit in ported["commit"]}))
    return f"Scale `{results.name}`, commit {commits}.\n\n{markdown(tab_soap_2024.render(summary))}"


def shipped(name: str, results: Path) -> pd.DataFrame:
    """The table ``<name>.csv`` of a published folder, as text."""
    path = results / f"{name}.csv"
    if not path.is_file():
        raise ConfigurationError(f"{path}: no such file; allowed: a folder of published/ that holds {name}.csv")
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def errors_table(name: str, results: Path) -> str:
    """The smallest errors, which are shipped as ``<name>.csv``, in Markdown."""
    table = shipped(name, results)
    frame = pd.DataFrame({"problem": table["problem"].where(~table["problem"].duplicated(), "")})
    for column in ("conditions", "windows"):
        if column in table:
            frame[column] = table[column].where(~table["problem"].duplicated(), "")
    frame["method"] = table["method"]
    frame["relative L2 error"] = table["median"] + " (" + table["smallest"] + " to " + table["largest"] + ")"
    seconds = table["seconds"] + " to " + table["seconds_to"]
    frame["seconds"] = seconds.where(table["seconds"] != table["seconds_to"], table["seconds"])
    frame["published, SOAP"] = table["published_soap"].replace("", "–").where(~table["problem"].duplicated(), "")
    return markdown(frame)


TABLES: dict[str, Callable[[Path], str]] = {
    "verdicts": verdicts_table,
    "equal_time": equal_time_table,
    "ranks": ranks_table,
    "scores": scores_table,
    "results": results_table,
    "soap_2024": soap_2024_table,
    "headline": partial(errors_table, "headline"),
    "stretch": partial(errors_table, "stretch"),
}
"""Tables by the name in their markers."""

SHIPPED = {"headline", "stretch"}
"""Tables that are made from shipped ones alone: the numbers of their rows come from several commits."""

PAGES = {
    "docs/understand/verdicts.md": "laptop",
    "docs/results/laptop.md": "laptop",
    "docs/results/equal-cost.md": "laptop-methods",
    "docs/results/accurate.md": "smallest-errors",
}
"""Pages with tables, and the folder of ``published/`` that they are made from."""


def block(name: str, results: Path) -> str:
    """The table ``name`` in Markdown: from summary tables where the folder has any, else as it was shipped."""
    if (results / "summary").is_dir() or name in SHIPPED:
        return TABLES[name](results)
    caption = json.loads((results / "manifest.json").read_text(encoding="utf-8"))["captions"].get(name, "")
    table = shipped(name, results)
    text = verdict_sections(table) if name == "verdicts" else markdown(table)
    return f"{caption}\n\n{text}" if caption else text


def markers(name: str) -> tuple[str, str]:
    """What stands before and after the table ``name``.

    >>> markers("results")
    ('<!-- results: begin -->', '<!-- results: end -->')
    """
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"


def replace_block(text: str, name: str, block: str, path: Path) -> str:
    """``text`` with ``block`` between the markers of ``name``; ``ConfigurationError`` where these are missing."""
    begin, end = markers(name)
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ConfigurationError(f"{path}: needs the markers {begin} and {end}, once each and in this order; add them")
    before, rest = text.split(begin)
    return f"{before}{begin}\n\n{block}\n{end}{rest.split(end)[1]}"


def _command(target: str, scale: str) -> str:
    return f"snakemake --cores all {target}" + ("" if scale == "laptop" else f" --config scale={scale}")


def main(results: Path, pages: Sequence[Path]) -> int:
    """Rewrite all tables of the pages; 1 with a message, and no page changed, where an input or a table is missing."""
    try:
        texts = {page: page.read_text(encoding="utf-8") for page in pages}
        for page, text in texts.items():
            names = [name for name in TABLES if markers(name)[0] in text]
            if not names:
                raise ConfigurationError(f"{page}: has no table; allowed: the marker of one of {', '.join(TABLES)}")
            for name in names:
                texts[page] = replace_block(texts[page], name, block(name, results), page)
    except (GradalignError, FileNotFoundError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    for page, text in texts.items():
        write_atomically(page, partial(Path.write_text, data=text, encoding="utf-8"))
    return 0


def headline_figure(results: Path) -> Figure:
    """The smallest errors that are shipped, for the front page; of a method with two widths, the narrower."""
    table = shipped("headline", results)
    method = table["method"].str.replace(", width 64", "", regex=False)
    table = table.assign(method=method)[~method.str.contains("width")]
    numbers = {name: table[name].astype(float) for name in ("median", "smallest", "largest")}
    published = table["published_soap"].replace("", "nan").astype(float).groupby(table["problem"]).transform("first")
    return errors_by_problem(table.assign(**numbers, published=published))


def all_pages() -> int:
    """Rewrite every page, and the figure of the front page, from the shipped tables."""
    failed = max([main(Path("published") / folder, [Path(page)]) for page, folder in PAGES.items()])
    if not failed:
        best = Path("published/smallest-errors")
        with styled():
            save_figure(headline_figure(best), best, "fig_headline", [".png"])
    return failed


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), [Path(page) for page in sys.argv[2:]]) if sys.argv[1:] else all_pages())
