"""The rooms of the package: a room imports only from rooms before it, and nothing but the pipeline needs a pipeline."""

import ast
from pathlib import Path

import pytest

from gradalign.base.provenance import import_closure

SOURCE = Path(__file__).resolve().parents[2] / "src" / "gradalign"

ROOMS = [
    "base",
    "diagnostics",
    "derivatives",
    "problems",
    "networks",
    "balancing",
    "optimizers",
    "references",
    "training",
    "claims",
    "pipeline",
    "__main__",
]
"""In the order in which they may import: each room only from those before it, and freely inside itself."""


def modules():
    return sorted(path for path in SOURCE.rglob("*.py") if path.name != "__init__.py")


def room(path):
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module
            if node.module == "gradalign":
                yield from (f"gradalign.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_imports_come_from_earlier_rooms(path):
    own = ROOMS.index(room(path))
    for name in imported(path):
        parts = name.split(".")
        if parts[0] != "gradalign" or len(parts) == 1:
            continue
        assert ROOMS.index(parts[1]) <= own, f"{room(path)} imports {name} from a room that comes later"


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_the_library_imports_no_pipeline(path):
    assert not {name.split(".")[0] for name in imported(path)} & {"snakemake", "matplotlib", "typst", "pickle"}


def test_packages_import_nothing():
    # A package that imports its modules would put every problem into the import closure of every other
    packages = {path: path.read_text(encoding="utf-8") for path in SOURCE.rglob("__init__.py")}
    assert {path.parent.name for path, text in packages.items() if text} == {"gradalign"}  # which knows its version
    assert not [name for path in packages for name in imported(path) if name.startswith("gradalign")]
    assert [path.name for path in import_closure(["gradalign"])] == ["__init__.py"]
