"""Does the suite notice a wrong formula? ``make mutations`` applies the mutations of mutations.yaml one at a time.

Each is a single change of a formula (sign, factor, exponent, index, missing projection) in a copy of the checkout. It
is caught when its tests fail there; tests that cannot even be collected say nothing and count as an error of the list.
A survivor must be explained in the list (key ``survives``), else the check fails; an explained one must survive.

What was found is kept in mutations.csv, with the test that noticed. A mutation is tried again once its file or its
tests have changed, that test first; so the list can be gone through in pieces (``--minutes``).
"""

import csv
import hashlib
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
import yaml
from rich.console import Console

from gradalign.base.files import write_table

ROOT = Path(__file__).resolve().parents[1]
LIST = ROOT / "tests" / "mutations.yaml"
FOUND = ROOT / "tests" / "mutations.csv"
PARTS = ("src", "tests", "figures", "benchmarks", "workflow", "docs", "published")
PARTS += ("conftest.py", "pyproject.toml", "README.md", "CONTRIBUTING.md")
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

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells mutations apart."""
        return self.file, self.old, self.new

    def digest(self, folder: Path = ROOT) -> str:
        """Of the file and its tests, as they are in a checkout or a copy of it."""
        paths = [folder / test.split("::")[0] for test in (self.file, *self.tests)]
        content = [
            part.read_bytes() for path in paths for part in (sorted(path.rglob("*.py")) if path.is_dir() else [path])
        ]
        return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in content)).hexdigest()[:12]

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
            compiled = ROOT / ".pytest_cache"
            compiled.mkdir(exist_ok=True)
            (self.local.path / ".pytest_cache").symlink_to(compiled)  # programs that a mutation leaves alone
        return self.local.path


def run_tests(copy: Path, tests: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    """pytest in a copy, stopped at the first failure."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", *tests]
    environment = os.environ | {"PYTHONPATH": str(copy / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True)


@dataclass(frozen=True)
class Finding:
    """A row of mutations.csv. outcome: caught, survived or error. noticed_by: the first test that failed."""

    file: str
    kind: str
    old: str
    new: str
    outcome: str
    noticed_by: str
    seconds: str
    digest: str


def known() -> dict[tuple[str, str, str], Finding]:
    """What was found before, by the key of the mutation."""
    if not FOUND.is_file():
        return {}
    with FOUND.open(newline="", encoding="utf-8") as file:
        rows = [Finding(**row) for row in csv.DictReader(file)]
    return {(row.file, row.old, row.new): row for row in rows}


def keep(findings: dict[tuple[str, str, str], Finding], mutations: list[Mutation]) -> None:
    """Write what was found, in the order of the list; what is no more in the list goes."""
    rows = [asdict(findings[mutation.key]) for mutation in mutations if mutation.key in findings]
    write_table(FOUND, pd.DataFrame(rows, columns=[field.name for field in fields(Finding)]))


def judged(mutation: Mutation, copies: Copies, before: Finding | None) -> tuple[Finding, str]:
    """What the tests say, and the end of pytest's output; the test that noticed last time goes first."""
    copy, start = copies.here(), time.perf_counter()
    path = copy / mutation.file
    original, digest = path.read_text(encoding="utf-8"), mutation.digest(copy)
    path.write_text(mutation.mutated(original), encoding="utf-8")
    try:
        done = run_tests(copy, (before.noticed_by,)) if before and before.noticed_by else None
        if done is None or done.returncode != TESTS_FAILED:
            done = run_tests(copy, mutation.tests)
    finally:
        path.write_text(original, encoding="utf-8")
    outcome = {0: "survived", TESTS_FAILED: "caught"}.get(done.returncode, "error")
    noticed = re.search(r"^(?:FAILED|ERROR) (\S+::[^\n]*?)(?: - .*)?$", done.stdout, re.MULTILINE)
    finding = Finding(
        file=mutation.file,
        kind=mutation.kind,
        old=mutation.old,
        new=mutation.new,
        outcome=outcome,
        noticed_by=noticed[1] if noticed and outcome == "caught" else "",
        seconds=f"{time.perf_counter() - start:.0f}",
        digest=digest,
    )
    return finding, done.stdout[-300:]


def main(
    only: Annotated[list[str], typer.Option(help="only files whose path contains this; may be repeated")] = [],  # noqa: B006
    workers: Annotated[int, typer.Option(min=1, help="mutations tried at a time")] = 2,
    minutes: Annotated[float, typer.Option(min=0, help="begin none after this time; the next call goes on")] = math.inf,
) -> None:
    """Try the mutations that are new or changed; exit 1 where one survives unexplained, or is not tried in the end."""
    listed, findings, start = load(), known(), time.perf_counter()
    mutations = [mutation for mutation in listed if not only or any(part in mutation.file for part in only)]
    for mutation in mutations:  # a list that does not fit the code is an error before any test runs
        mutation.mutated((ROOT / mutation.file).read_text(encoding="utf-8"))
    console = Console()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(workers) as pool:
        copies = Copies(Path(folder))
        waiting = [
            one
            for one in mutations
            if one.key not in findings
            or findings[one.key].digest != one.digest()
            or findings[one.key].outcome == "error"
        ]
        waiting.sort(key=lambda mutation: mutation.key in findings)  # first what was never tried
        locks = {mutation.tests: threading.Lock() for mutation in waiting}
        unsound: dict[tuple[str, ...], str] = {}

        def failing(suite: tuple[str, ...]) -> str:
            """What pytest says where tests fail without any mutation, and so would notice nothing; tried once."""
            with locks[suite]:
                if suite not in unsound:
                    done = run_tests(copies.here(), suite)
                    unsound[suite] = done.stdout[-2000:] if done.returncode else ""
            return unsound[suite]

        def tried(mutation: Mutation) -> tuple[Finding | None, str]:
            if time.perf_counter() - start > 60 * minutes:
                return None, ""
            if said := failing(mutation.tests):
                return None, f"without any mutation {', '.join(mutation.tests)} fail:\n{said}"
            return judged(mutation, copies, findings.get(mutation.key))

        for number, (mutation, (finding, said)) in enumerate(zip(waiting, pool.map(tried, waiting), strict=True), 1):
            if finding:
                findings[mutation.key] = finding
                keep(findings, listed)  # so that a kill loses nothing
                row = (finding.file, finding.kind, finding.outcome, finding.seconds)
                print(f"{number}/{len(waiting)}", *row, sep="\t", flush=True)
            if said and (not finding or finding.outcome == "error"):
                console.print(said, markup=False)
    outcomes = []
    for mutation in mutations:
        finding = findings.get(mutation.key)
        outcomes.append(finding.outcome if finding and finding.digest == mutation.digest() else "not tried")
        if outcomes[-1] not in ("caught", "not tried"):
            console.print(f"{mutation.file}: {mutation.old} -> {mutation.new}: {mutation.survives or 'UNEXPLAINED'}")
    counts = Counter(outcomes)
    print(", ".join(f"{counts[outcome]} {outcome}" for outcome in ("caught", "survived", "error", "not tried")))
    expected = ["survived" if mutation.survives else "caught" for mutation in mutations]
    raise typer.Exit(int(outcomes != expected))


if __name__ == "__main__":
    typer.run(main)
