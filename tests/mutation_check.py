"""Does the suite notice a wrong formula? ``make mutations`` applies the mutations of mutations.yaml one at a time.

Each is a single change of a formula (sign, factor, exponent, index, missing projection) in a copy of the checkout. It
is caught when its tests fail there; tests that cannot even be collected say nothing and count as an error of the list.
A survivor must be explained in the list (key ``survives``), else the check fails; an explained one must survive.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
import yaml
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
LIST = ROOT / "tests" / "mutations.yaml"
PARTS = ("src", "tests", "figures", "benchmarks", "workflow", "conftest.py", "pyproject.toml")
TESTS_FAILED = 1  # of pytest; 2 and more: interrupted, nothing collected, wrong usage


@dataclass(frozen=True)
class Mutation:
    """One change: in ``file``, the only occurrence of ``old`` becomes ``new``."""

    file: str
    kind: str
    old: str
    new: str
    tests: tuple[str, ...]
    survives: str = ""

    def mutated(self, text: str) -> str:
        """The changed text; raises ``ValueError`` unless ``old`` occurs exactly once and differs from ``new``."""
        if text.count(self.old) != 1 or self.old == self.new:
            raise ValueError(
                f"{self.file}: {self.old!r} occurs {text.count(self.old)} times; allowed: once, and changed"
            )
        return text.replace(self.old, self.new)


def load() -> list[Mutation]:
    """All mutations of the list; a file's tests are those listed with it."""
    return [
        Mutation(file=entry["file"], tests=tuple(entry["tests"]), **change)
        for entry in yaml.safe_load(LIST.read_text(encoding="utf-8"))
        for change in entry["mutations"]
    ]


class Copies:
    """A copy of the checkout per thread, so that threads do not see each other's mutations."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.local = folder, threading.local()

    def here(self) -> Path:
        if not hasattr(self.local, "path"):
            self.local.path = self.folder / str(threading.get_ident())
            for part in PARTS:
                source, target = ROOT / part, self.local.path / part
                if source.is_dir():
                    shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(source, target)
        return self.local.path


def run_tests(copy: Path, tests: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    """pytest in a copy, stopped at the first failure."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", *tests]
    environment = os.environ | {"PYTHONPATH": str(copy / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True)


def judged(mutation: Mutation, copies: Copies) -> tuple[str, float]:
    """``caught``, ``survived`` or ``error`` with the end of pytest's output, and the seconds it took."""
    copy, start = copies.here(), time.perf_counter()
    path = copy / mutation.file
    original = path.read_text(encoding="utf-8")
    path.write_text(mutation.mutated(original), encoding="utf-8")
    try:
        done = run_tests(copy, mutation.tests)
    finally:
        path.write_text(original, encoding="utf-8")
    outcome = {0: "survived", TESTS_FAILED: "caught"}.get(done.returncode, f"error: {done.stdout[-300:]}")
    return outcome, time.perf_counter() - start


def main(
    only: Annotated[list[str], typer.Option(help="only files whose path contains this; may be repeated")] = [],  # noqa: B006
    workers: Annotated[int, typer.Option(min=1, help="mutations tried at a time")] = 2,
) -> None:
    """Try all mutations; exit 1 where one survives without an explanation or cannot be tried."""
    mutations = [mutation for mutation in load() if not only or any(part in mutation.file for part in only)]
    for mutation in mutations:  # a list that does not fit the code is an error before any test runs
        mutation.mutated((ROOT / mutation.file).read_text(encoding="utf-8"))
    console = Console()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(workers) as pool:
        copies = Copies(Path(folder))
        tests = sorted({mutation.tests for mutation in mutations})
        for suite, done in zip(tests, pool.map(lambda suite: run_tests(copies.here(), suite), tests), strict=True):
            if done.returncode:
                console.print(f"without any mutation {', '.join(suite)} fail:\n{done.stdout[-2000:]}")
                raise typer.Exit(1)
        table = Table("file", "kind", "from", "to", "outcome", "s", title="Mutations")
        outcomes = []
        for mutation, (outcome, seconds) in zip(
            mutations, pool.map(lambda mutation: judged(mutation, copies), mutations), strict=True
        ):
            outcomes.append(outcome)
            row = (mutation.file, mutation.kind, mutation.old, mutation.new, outcome, f"{seconds:.0f}")
            table.add_row(*row)
            print(f"{len(outcomes)}/{len(mutations)}", *row[:2], outcome, row[-1], sep="\t", flush=True)
    console.print(table, markup=False)
    for mutation, outcome in zip(mutations, outcomes, strict=True):
        if outcome != "caught":
            console.print(f"{mutation.file}: {mutation.old} -> {mutation.new}: {mutation.survives or 'UNEXPLAINED'}")
    counts = Counter(outcome.split(":")[0] for outcome in outcomes)
    caught, survived = counts["caught"], counts["survived"]
    print(f"{caught} of {len(outcomes)} mutations caught, {survived} survived, {counts['error']} errors")
    expected = ["survived" if mutation.survives else "caught" for mutation in mutations]
    raise typer.Exit(int(outcomes != expected))


if __name__ == "__main__":
    typer.run(main)
