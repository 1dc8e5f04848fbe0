"""Ship the results of a scale in published/SCALE: `python workflow/scripts/publish.py SCALE`, or `make publish`.

What is shipped: the summary tables with the same bytes (a large one packed by gzip), the settings of the runs, the
fields that figures show, the paper, the figures that README and docs show, the core-seconds of every job where they are
known, and a manifest with commit, machine, versions and the checksum of every file. With these, `make paper` and
`make pages` train nothing.
"""

import gzip
import hashlib
import json
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd

sys.path.append(str(Path(__file__).parents[2]))

from figures.drawing.summary import mapped_runs
from gradalign.base.errors import ConfigurationError, GradalignError
from gradalign.base.machine import cores, readable
from gradalign.pipeline.summary_tables import DERIVED, TABLES

PACKED_FROM = 500_000
"""Tables of that many bytes or more are packed."""

LARGEST_FILE, LARGEST_FOLDER = 3_000_000, 15_000_000
"""Most bytes of a shipped file, and of all."""

PACKAGES = ("jax", "jaxlib", "numpy", "scipy", "pandas", "optax", "matplotlib", "snakemake", "typst")


def sources(results: Path, pages: list[Path]) -> Iterator[tuple[Path, str]]:
    """Every file of ``results`` that is shipped, with its name in the published folder."""
    summary = results / "summary"
    for table in [*(name for names in TABLES.values() for name in names), *DERIVED]:
        path = summary / f"{table}.csv"
        yield path, f"summary/{table}.csv{'.gz' if path.stat().st_size >= PACKED_FROM else ''}"
    for problem in sorted(set(pd.read_csv(summary / "runs.csv")["problem"])):
        runs, _ = mapped_runs(summary, problem)
        yield from ((summary / "fields" / f"{run.name}.npz", f"summary/fields/{run.name}.npz") for run in runs)
    for path in sorted((results / "specifications" / "runs").glob("*.json")):
        yield path, f"specifications/runs/{path.name}"
    shown = re.compile(rf"published/{results.name}/figures/(\w+)\.png")
    for name in sorted({name for page in pages for name in shown.findall(page.read_text(encoding="utf-8"))}):
        yield results / "figures" / f"{name}.png", f"figures/{name}.png"
    yield results / "paper" / "paper.pdf", "paper.pdf"
    yield results / "verification.csv", "verification.csv"
    if (results / "logs" / "seconds.csv").is_file():  # of `make reproduce`: for the time left of later runs
        yield results / "logs" / "seconds.csv", "seconds.csv"


def commit_of(runs: pd.DataFrame) -> str:
    """The one commit that the runs come from; ``ConfigurationError`` where there are several, or edits."""
    commits = sorted(set(runs["commit"].astype(str)))
    if len(commits) != 1 or not re.fullmatch("[0-9a-f]{40}", commits[0]):
        raise ConfigurationError(
            f"the runs come from {', '.join(commits)}; allowed: one commit without edits; remove the folder of "
            "results, and run the scale anew from one commit"
        )
    return commits[0]


def machine() -> dict[str, str | float]:
    """This machine: the processor by its name, cores, memory, system, Python."""
    try:
        found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        found = None
    return {
        "processor": found[1] if found else platform.processor() or platform.machine(),
        "cores": cores(),
        "memory": readable(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def publish(results: Path, published: Path, pages: list[Path]) -> int:
    """Replace the folder ``published`` by what is shipped of ``results``; returns its bytes.

    Raises ``ConfigurationError`` where a file is missing, the results come from several commits, or a file or the whole
    is too large; the folder is then as it was.
    """
    if not (results / "verified").is_file():
        raise ConfigurationError(f"{results}: not finished, for 'verified' is missing; run the whole scale first")
    runs, references = (pd.read_csv(results / "summary" / f"{name}.csv") for name in ("runs", "references"))
    manifest: dict[str, Any] = {
        "scale": results.name,
        "commit": commit_of(runs),
        "devices": sorted(set(runs["device"].astype(str))),
        "training_seconds": round(float(runs["train_seconds"].sum())),
        "reference_commits": dict(zip(references["problem"], references["commit"].astype(str), strict=True)),
        "published_on": machine(),
        "published_with": {name: version(name) for name in PACKAGES if find_spec(name)},
        "files": {},
    }
    chosen = list(sources(results, pages))
    if missing := [str(source) for source, _ in chosen if not source.is_file()]:
        raise ConfigurationError(f"{', '.join(missing)} is missing; run the whole scale first")
    new, old = (published.with_name(f".{published.name}.{name}") for name in ("new", "old"))
    shutil.rmtree(new, ignore_errors=True)  # of a call that was killed
    try:
        for source, name in chosen:
            content = source.read_bytes()
            packed = gzip.compress(content, mtime=0) if name.endswith(".gz") else content
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            (new / name).write_bytes(packed)
            manifest["files"][name] = {"bytes": len(packed), "sha256": hashlib.sha256(packed).hexdigest()}
        sizes = {name: about["bytes"] for name, about in manifest["files"].items()}
        size, large = sum(sizes.values()), [name for name in sizes if sizes[name] > LARGEST_FILE]
        if large or size > LARGEST_FOLDER:
            raise ConfigurationError(
                f"{published}: {', '.join(large) or 'the whole'} would be too large; allowed: {readable(LARGEST_FILE)} "
                f"a file, {readable(LARGEST_FOLDER)} in all; log less often, or show fewer fields"
            )
        (new / "manifest.json").write_text(f"{json.dumps(manifest, indent=1)}\n", encoding="utf-8")
        if published.exists():
            shutil.rmtree(old, ignore_errors=True)
            published.rename(old)
        new.rename(published)
    finally:
        if old.exists() and not published.exists():
            old.rename(published)
        for folder in (new, old):
            shutil.rmtree(folder, ignore_errors=True)
    return size


def main(scale: str) -> int:
    """Publish a scale; 1 with a message where that cannot be."""
    pages = [Path("README.md"), *sorted(Path("docs").rglob("*.md"))]
    try:
        size = publish(Path("results") / scale, Path("published") / scale, pages)
    except (GradalignError, FileNotFoundError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    print(f"published/{scale}: {readable(size)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
