"""The public names: found in the stub, loaded at their first use, without the libraries of the pipeline."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import gradalign

ROOT = Path(__file__).resolve().parents[2]
STUB = ast.parse((ROOT / "src/gradalign/__init__.pyi").read_text(encoding="utf-8"))
NAMES = [alias.name for node in STUB.body if isinstance(node, ast.ImportFrom) for alias in node.names]
OF_THE_PIPELINE = ("pydantic", "pandas", "typer", "rich", "yaml", "safetensors", "snakemake", "matplotlib")


def run(program):
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    return subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_is_there_with_a_docstring(name):
    assert getattr(gradalign, name).__doc__
    assert name in dir(gradalign)


def test_names_are_public_once_and_under_their_own_name():
    assert len(set(NAMES)) == len(NAMES)
    assert gradalign.__all__ == sorted(NAMES)
    for node in STUB.body:
        if isinstance(node, ast.ImportFrom):
            assert all(alias.asname == alias.name for alias in node.names)


def test_an_unknown_name_is_told_those_that_exist():
    with pytest.raises(AttributeError, match=r"no attribute 'allignment'; allowed: .*alignment_score"):
        _ = gradalign.allignment


def test_public_names_need_no_library_of_the_pipeline():
    """As in an environment that lacks them: the import of each is an error."""
    hidden = f"import sys; sys.modules.update(dict.fromkeys({OF_THE_PIPELINE}))"
    program = f"{hidden}\nfrom gradalign import {', '.join(NAMES)}\nprint(soap.__name__, alignment_score.__name__)"
    assert run(program).stdout.split() == ["soap", "alignment_score"]


def test_the_import_loads_neither_jax_nor_the_rooms():
    program = "import sys; old = set(sys.modules); import gradalign; print(*sorted(set(sys.modules) - old))"
    assert run(program).stdout.split() == ["gradalign"]
