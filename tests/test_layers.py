"""The layers of the package: a module imports only from layers below its own, and the library needs no pipeline."""

import ast
from pathlib import Path

import pytest

from gradalign.provenance import import_closure

SOURCE = Path(__file__).resolve().parent.parent / "src" / "gradalign"

LAYERS = [
    {"errors", "sines", "intervals", "compilation", "summary_tables"},
    {"machine"},
    {"untrusted"},
    {"jax_settings"},
    {
        "files",
        "energy_spectrum",
        "streams",
        "trees",
        "waves",
        "randomness",
        "precision",
        "records",
        "provenance",
        "comparison",
        "settings",
        "stretching",
        "discovery",
        "shipped",
        "yaml_files",
    },
    {"citation", "growing_series", "listings"},
    {"exact_start"},
    {"problem"},
    {
        "alignment",
        "curvature",
        "damped_least_squares",
        "kronecker",
        "configuration_messages",
        "objective",
        "reference",
        "sampling",
        "run_records",
        "weighting",
        "derivatives",
    },
    {"equation"},
    {
        "batches",
        "configuration",
        "reference_cache",
        "networks",
        "line_search",
        "method",
        "schedules",
        "eigenbases",
        "diagnostics",
        "parallel",
        "checkpoints",
        "verification",
        "summary",
        "solvers",
        "study",
    },
    {"problems", "optimizers"},
    {"experiments"},
    {"references", "claims", "training"},
    {"evaluation", "faults", "operations", "reference_listing", "result_comparison", "studies"},
    {"runs"},
    {"cli"},
    {"__main__"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def modules():
    return sorted(path for path in SOURCE.rglob("*.py") if path.name != "__init__.py")


def part(path):
    relative = path.relative_to(SOURCE)
    return relative.parts[0].removesuffix(".py")


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
def test_imports_come_from_lower_layers(path):
    own = part(path)
    for name in imported(path):
        parts = name.split(".")
        if parts[0] != "gradalign" or len(parts) == 1:
            continue
        assert LEVEL[parts[1]] < LEVEL[own] or parts[1] == own, f"{own} imports {name} from a layer that is not below"


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_the_library_imports_no_pipeline(path):
    assert not {name.split(".")[0] for name in imported(path)} & {"snakemake", "matplotlib", "typst", "pickle"}


def test_packages_import_nothing():
    # A package that imports its modules would put every problem into the import closure of every other
    packages = {path: path.read_text(encoding="utf-8") for path in SOURCE.rglob("__init__.py")}
    assert {path.parent.name for path, text in packages.items() if text} == {"gradalign"}  # which knows its version
    assert not [name for path in packages for name in imported(path) if name.startswith("gradalign")]
    assert [path.name for path in import_closure(["gradalign"])] == ["__init__.py"]
