"""A tiny training in a separate process, with a checkpoint every few milliseconds, and a pipeline of such trainings."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import yaml
from experiments import line_reference

ROOT = Path(__file__).resolve().parents[2]
TINY = {
    "networks": {"burgers": {"architecture": "mlp", "width": 8, "depth": 2, "activation": "tanh"}},
    "training": {
        "first_order": {
            "steps": 400,
            "log_every": 10,
            "checkpoint_every": 10,
            "own_state": False,
            "causal": {"chunks": 4, "tolerance": 1.0},
        }
    },
    "problems": {"burgers": {"points": {"ic": 8, "bc": 8, "pde": 32}}},
}


class Program:
    """``gradalign train burgers-soap`` with the tiny settings in ``folder``, started as often as wanted."""

    def __init__(self, folder: Path, settings: dict = TINY) -> None:
        self.folder, self.reference = folder, folder / "burgers.npz"
        self.settings = folder / "tiny.yaml"
        self.settings.write_text(yaml.safe_dump(settings))
        line_reference().save(self.reference)
        self.environment = os.environ | {"XDG_CACHE_HOME": str(folder / "cache")}

    def command(self, output: Path, *options: str, before: str = "", reference: Path | None = None) -> list[str]:
        """The command; ``before`` is a Python statement that runs first, in the same process."""
        configuration = ["--config", str(ROOT / "workflow/config/smoke.yaml"), "--config", str(self.settings)]
        program = [sys.executable, "-c", f"{before}\nfrom gradalign.pipeline.cli import application; application()"]
        files = ["--reference", str(reference or self.reference), "--output", str(output)]
        return [*program, "train", "burgers-soap", *configuration, *files, *options]

    def start(self, *arguments, **keywords) -> subprocess.Popen:
        return started(self.command(*arguments, **keywords), self.folder, self.environment)

    def finish(self, *arguments, code: int = 0, **keywords) -> str:
        """Start the program, wait until it exits with ``code``, and return its output."""
        process = self.start(*arguments, **keywords)
        said, _ = process.communicate()
        assert process.returncode == code, said
        return said


def started(command: list[str], folder: Path, environment: dict[str, str]) -> subprocess.Popen:
    """A process in its own group, so that it can be killed with everything that it started."""
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def numbers(output: Path) -> tuple[bytes, dict[str, bytes]]:
    """Everything that a run computes, except its times."""
    curves = pd.read_csv(output / "curves.csv", dtype=str, keep_default_na=False).drop(columns="seconds")
    parameters = {path.name: path.read_bytes() for path in sorted((output / "parameters").iterdir())}
    return curves.to_csv().encode(), parameters


class Pipeline:
    """A folder in which the pipeline runs at the scale smoke: the whole of it, or some tiny runs and what they need."""

    def __init__(self, folder: Path, runs: list[dict] | None = None, cores: int = 2) -> None:
        self.folder = folder
        folder.mkdir()
        for name in ("Snakefile", "workflow", "figures", "profiles", "src", "CITATION.cff", "pyproject.toml"):
            (folder / name).symlink_to(ROOT / name)
        shutil.copytree(ROOT / "paper", folder / "paper", ignore=shutil.ignore_patterns("build"))
        self.arguments = ["--cores", str(cores), "--config", "scale=smoke"]
        if runs is not None:
            (folder / "tiny.yaml").write_text(yaml.safe_dump(TINY | {"runs": runs}))
            self.arguments += ["--configfile", "tiny.yaml"]

    def start(self, *options: str) -> subprocess.Popen:
        environment = os.environ | {
            "XDG_CACHE_HOME": str(self.folder.parent / "cache"),
            "PYTHONPATH": str(ROOT / "src"),
        }
        return started([sys.executable, "-m", "snakemake", *self.arguments, *options], self.folder, environment)

    def tables(self) -> dict[str, pd.DataFrame]:
        """Every table by name, without the columns of clock times."""
        clock = ("seconds", "compile_seconds", "train_seconds", "milliseconds_per_step")
        folders = ("claims", "runs", "evaluation", "summary")
        paths = sorted(path for name in folders for path in (self.folder / "results/smoke" / name).rglob("*.csv"))
        return {
            path.relative_to(self.folder).as_posix(): pd.read_csv(path).drop(columns=list(clock), errors="ignore")
            for path in paths
            if path.stat().st_size > 1
        }

    def parameters(self) -> dict[str, bytes]:
        paths = sorted((self.folder / "results/smoke/runs").glob("*/parameters/*"))
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in paths}
