"""Typeset the paper of one scale: ``python paper/build.py --results results/<scale> --output FILE.pdf``.

With ``--published published/<scale>`` in place of ``--results``, figures and tables are rendered from shipped tables.

The text is ``main.typ``. It takes figures and tables by name from ``results/<scale>/figures`` and ``tables``, and every
number from the JSON that ``values`` computes from the summary tables, the run specifications and the expectations, so
that no number is typed by hand. The same inputs give the same bytes: no date, no system font.
"""

import argparse
import json
import math
import re
import shutil
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pandas as pd
import typst

from gradalign.base import untrusted
from gradalign.base.errors import ConfigurationError, GradalignError
from gradalign.base.files import write_atomically
from gradalign.claims._records import claim_number, tally
from gradalign.diagnostics.alignment import null_value
from gradalign.pipeline.comparison import BUDGETS, CORRELATIONS, RANKS
from gradalign.pipeline.verification import compare, load_expectations

PAPER = Path(__file__).resolve().parent
ROOT = PAPER.parent
sys.path.insert(0, str(ROOT))

from figures import manifest  # noqa: E402
from figures.drawing import score_against_error, soap_2024  # noqa: E402
from figures.drawing.names import method_look, problem_name, problem_order  # noqa: E402
from figures.drawing.rendering import render_item  # noqa: E402
from figures.drawing.summary import read_curve, read_runs, read_table  # noqa: E402
from figures.drawing.text import claim_order  # noqa: E402

SCORES = ["raw", "common_state", "own_state", "inter_gradient", "inter_gradient_same_points", "inter_update"]
PARTS = ["problem_settings", "points", "network", "method_settings", "training"]
"""Parts of a run's specification that the appendix lists."""


def build(results: Path, output: Path, expectations: Path) -> None:
    """Write the PDF. Raises ``ConfigurationError`` for a missing figure, table, summary table or specification."""
    with tempfile.TemporaryDirectory() as folder:
        stage(results, Path(folder), expectations)
        main = Path(folder) / "main.typ"
        pdf = typst.compile(main, root=Path(folder), ignore_system_fonts=True, format="pdf", timestamp=0)
    write_atomically(output, partial(Path.write_bytes, data=pdf))


def build_from_published(published: Path, output: Path, expectations: Path) -> None:
    """Write the PDF from the tables of ``published/SCALE``: every figure and table is rendered, nothing is computed.

    Raises ``ConfigurationError`` for a missing file.
    """
    if not (published / "summary").is_dir():
        raise ConfigurationError(
            f"{published}: no summary tables there; allowed: a folder that 'make publish' wrote after a whole run"
        )
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / published.name  # the scale is called by it
        results.mkdir()
        for part in ("summary", "specifications"):
            (results / part).symlink_to((published / part).resolve())
        with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
            jobs = [
                pool.submit(render_item, item, results / "summary", results / f"{item['kind']}s")
                for item in manifest.items().values()
            ]
            for job in jobs:
                job.result()
        build(results, output, expectations)


def stage(results: Path, folder: Path, expectations: Path) -> None:
    """Put everything that ``main.typ`` reads into one folder, under fixed names."""
    for name in ("main.typ", "notation.typ", "references.bib"):
        shutil.copy(PAPER / name, folder / name)
    shutil.copytree(PAPER / "proofs", folder / "proofs")
    captions = {name: item["caption"] for name, item in manifest.items().items()}
    (folder / "captions.json").write_text(json.dumps(captions), encoding="utf-8")
    for item in manifest.items().values():
        kind, suffix = ("figures", ".pdf") if item["kind"] == "figure" else ("tables", ".csv")
        source = results / kind / f"{item['name']}{suffix}"
        if not source.is_file():
            raise ConfigurationError(
                f"{source} is missing; render it first (gradalign render {item['name']} "
                f"--summary {results / 'summary'} --output {results / kind})"
            )
        (folder / kind).mkdir(exist_ok=True)
        shutil.copy(source, folder / kind / source.name)
    text = json.dumps(_without_nan(values(results, expectations)), indent=2)
    (folder / "values.json").write_text(text, encoding="utf-8")


def values(results: Path, expectations: Path) -> dict[str, Any]:
    """Every number and name of the text, from the tables in ``results/summary``."""
    summary, scale = results / "summary", results.name
    table = read_table(summary, "runs", ["run", "problem", "seed", "device", "precision", "commit"])
    outcomes = [asdict(outcome) for outcome in compare(load_expectations(expectations), scale, summary)]
    problems = sorted({str(problem) for problem in table["problem"]})
    return {
        "scale": scale,
        "devices": _distinct(table["device"]),
        "precisions": _distinct(table["precision"]),
        "commits": _distinct(table["commit"]),
        "seeds": _distinct(table["seed"]),
        "claims": _claims(summary),
        "references": _references(summary),
        "runs": {problem: _runs(summary, problem) for problem in problems},
        "all_runs": [run for problem in problems for run in _runs(summary, problem, variations=True)],
        "problems": [_problem(problem) for problem in sorted(problems, key=problem_order)],
        "settings": _settings(results, [str(run) for run in table["run"].drop_duplicates()]),
        "ranks": _ranks(summary),
        "correlations": _correlations(summary),
        "predicts": score_against_error.verdict(score_against_error.read_correlations(summary)),
        "port": soap_2024.verdict(soap_2024.comparisons(summary)),
        "verification": outcomes,
    }


def _ranks(summary: Path) -> dict[str, list[dict[str, Any]]]:
    """The mean ranks by what is equal, the best first; empty where nothing is compared."""
    table = read_table(summary, "mean_ranks", RANKS).sort_values("mean_rank", kind="stable")
    labelled = table.assign(
        label=[method_look(str(method))[0] for method in table["method"]],
        better_than=[names.split("; ") if isinstance(names, str) else [] for names in table["better_than"]],
    )
    return {budget: labelled[labelled["budget"] == budget].to_dict("records") for budget in BUDGETS}


def _correlations(summary: Path) -> list[dict[str, Any]]:
    """The mean rank correlation of every score with the error, in the order of the figure."""
    table = read_table(summary, "score_correlations", CORRELATIONS)
    overall = {row["score"]: row for row in table[table["problem"] == "all"].to_dict("records")}
    labels = score_against_error.SCORES
    return [{**overall[score], "label": label.lower()} for score, label in labels.items() if score in overall]


def _problem(name: str) -> dict[str, str]:
    """A problem in words: its statement, and what its docstring says to be hard about it."""
    module = import_module(f"gradalign.problems.{name}")
    hard = re.search(r"What is hard[^:]*:\s*(.*?)\n\n", f"{module.__doc__}\n\n", re.DOTALL)
    words = re.sub(r"\s+", " ", hard.group(1)).replace("``", "") if hard else ""
    return {
        "name": name,
        "title": problem_name(name),
        **asdict(module.STATEMENT),
        "hard": f"{words[:1].upper()}{words[1:]}",
    }


def _claims(summary: Path) -> dict[str, Any]:
    table = read_table(summary, "claims", ["claim", "verdict", "status", "seconds"])
    confirmed = table["verdict"] == "confirmed"
    number = table["claim"].astype(str).map(claim_number)
    return {
        "records": len(table),
        "confirmed": int(confirmed.sum()),
        "claims": int(number.nunique()),
        "violated": sorted(table.loc[~confirmed, "claim"].astype(str), key=claim_order),
        "tally": tally(table["status"]),
        "false": int((table["status"] == "false in general").sum()),
        "seconds": float(table["seconds"].astype(float).sum()),
    }


def _references(summary: Path) -> dict[str, dict[str, Any]]:
    columns = ["problem", "solver", "resolution", "self_convergence_error", "independent_check"]
    columns += ["independent_difference", "stated_error"]
    table = read_table(summary, "references", columns)
    return {str(row["problem"]): {str(key): value for key, value in row.items()} for row in table.to_dict("records")}


def _runs(summary: Path, problem: str, variations: bool = False) -> list[dict[str, Any]]:
    columns = [
        "run",
        "relative_l2",
        "milliseconds_per_step",
        "train_seconds",
        "parameters",
        "precision",
        "largest_error",
    ]
    table = read_table(summary, "runs", [*columns, "largest_error_at"])
    rows = []
    for run in read_runs(summary, problem, variations):
        seeds = table[table["run"] == run.name]
        error = seeds["relative_l2"].astype(float)
        rows.append(
            {
                "problem": run.problem,
                "method": run.method,
                "label": run.label,
                "b1": run.b1,
                "fixed": run.points_every >= run.steps,
                "steps": run.steps,
                "loss_terms": run.loss_terms,
                "null": null_value(run.loss_terms),
                "title": problem_name(run.problem),
                "seeds": len(seeds),
                "parameters": int(seeds["parameters"].iloc[0]),
                "precision": str(seeds["precision"].iloc[0]),
                "error": {"median": error.median(), "low": error.min(), "high": error.max()},
                "milliseconds": float(seeds["milliseconds_per_step"].median()),
                "seconds": float(seeds["train_seconds"].median()),
                "scores": {name: _late_mean(read_curve(summary, run, f"score_{name}"), run.steps) for name in SCORES},
            }
        )
    return rows


def _late_mean(curve: pd.DataFrame, steps: int) -> float:
    """Mean over seeds and logged steps of the second half of training; NaN where nothing was logged."""
    return float(curve.loc[curve["step"] >= steps / 2, "value"].astype(float).mean())


def _settings(results: Path, runs: list[str]) -> dict[str, Any]:
    """The resolved settings, flat, by problem: a row per setting, a column per run, but for variations of another run.

    Of those, ``changes`` has what they say they change and every setting that differs from the run they vary.
    """
    flat: dict[str, dict[str, str]] = {}
    plain: dict[tuple[str, str], str] = {}
    variations: dict[str, tuple[str, str]] = {}
    for run in runs:
        path = results / "specifications" / "runs" / f"{run}.json"
        if not path.is_file():
            raise ConfigurationError(f"{path} is missing; it is written before the run (snakemake {path})")
        specification = json.loads(untrusted.contents(path))
        kind = (str(specification.get("problem")), str(specification.get("method")))
        if specification.get("changed") and kind in plain:
            variations[run] = (plain[kind], specification["changed"])
        else:
            plain.setdefault(kind, run)
        flat[run] = {
            f"{part}: {key}".replace("_", " "): value
            for part in PARTS
            for key, value in _flattened(specification.get(part, {}))
        }
    columns: dict[str, list[str]] = {}
    for (problem, _), run in plain.items():
        columns.setdefault(problem, []).append(run)

    def rows(chosen: list[str]) -> list[list[str]]:
        names = dict.fromkeys(name for run in chosen for name in flat[run])
        parts = [part.replace("_", " ") for part in PARTS]
        ordered = sorted(names, key=lambda name: parts.index(name.split(":")[0]))  # stable within a part
        return [[name, *(flat[run].get(name, "–") for run in chosen)] for name in ordered]

    return {
        "problems": [
            {"title": problem_name(problem), "runs": columns[problem], "rows": rows(columns[problem])}
            for problem in sorted(columns, key=problem_order)
        ],
        "changes": [
            [run, base, what, "; ".join(f"{name} {new}" for name, new, old in rows([run, base]) if new != old)]
            for run, (base, what) in variations.items()
        ],
    }


def _flattened(settings: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested settings as one list; those that are not set are left out."""
    rows = []
    for key, value in settings.items():
        if isinstance(value, dict):
            rows += _flattened(value, f"{prefix}{key} ")
        elif value is not None:
            rows.append((f"{prefix}{key}", {"True": "yes", "False": "no"}.get(str(value), str(value))))
    return rows


def _distinct(column: pd.Series) -> list[str]:
    return sorted({str(value) for value in column})


def _without_nan(value: Any) -> Any:
    """JSON has no NaN and no infinity: None in their place."""
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_nan(inner) for inner in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value


def main() -> int:
    """Read the command line and build; 1 with a message where an input is missing."""
    parser = argparse.ArgumentParser(description="Typeset the paper of one scale.")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--results", type=Path, help="directory of one scale's results")
    source.add_argument("--published", type=Path, help="folder of published results, whose items are rendered first")
    parser.add_argument("--output", type=Path, required=True, help="PDF to write")
    parser.add_argument(
        "--expectations", type=Path, default=ROOT / "workflow" / "config" / "expectations.yaml", help="YAML file"
    )
    arguments = parser.parse_args()
    try:
        if arguments.published:
            build_from_published(arguments.published, arguments.output, arguments.expectations)
        else:
            build(arguments.results, arguments.output, arguments.expectations)
    except GradalignError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
