"""Provenance of a result: the sources behind an entry point, their digest, the commit. Standard library only.

A digest covers the syntax tree of a Python file without docstrings and comments, the bytes of a data file, and the
version of a library. Edits of prose and the times of files change no digest.
"""

import ast
import hashlib
import os
import subprocess
import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

SOURCE = Path(__file__).resolve().parents[2]
"""The folder that holds the package."""

LIBRARIES = {
    "jax": ("jax", "jaxlib", "numpy", "scipy"),  # LAPACK on the CPU is SciPy's
    "numpy": ("numpy",),
    "optax": ("optax",),
    "scipy": ("scipy",),
}
"""Libraries that results depend on: by imported name, the distributions whose versions count."""

READS_DATA = "importlib.resources"
"""A module that imports this one reads the nearest folder ``data`` above it; every CSV table there counts."""

_IGNORED = {"ctx", "kind", "type_comment", "type_ignores"}  # fields of a syntax tree that others determine
_ELSEWHERE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE")


def import_closure(modules: Sequence[str], roots: Sequence[Path] = (SOURCE,)) -> list[Path]:
    """Sorted files below ``roots`` of ``modules`` and of everything they import, directly or indirectly.

    Imports are read from the syntax tree, not executed; those inside functions and under ``TYPE_CHECKING`` count. Names
    outside ``roots`` (the standard library, installed packages) and look-ups by string are not followed, which keeps
    one problem's file out of another problem's closure. Raises ``ModuleNotFoundError`` if one of ``modules`` has no
    file below ``roots``.

    >>> [path.name for path in import_closure(["gradalign.base.errors"])]
    ['__init__.py', '__init__.py', 'errors.py']
    """
    return sorted(_closure(modules, roots))


def sources(modules: Sequence[str], roots: Sequence[Path] = (SOURCE,)) -> dict[str, str]:
    """What the results of ``modules`` depend on, sorted by name: digests of files, and versions of libraries.

    Every Python file of ``import_closure(modules)`` is listed by its path below its root, with the digest of its code:
    the first 16 hexadecimal digits of the SHA-256 of its syntax tree without docstrings, other bare strings, comments
    and line numbers. A module that reads data (``READS_DATA``) adds the tables of the nearest folder ``data``, with the
    digest of their bytes. The imported ``LIBRARIES`` are listed with their versions. The version of Python does not
    count: if another one parses a file into another tree, the digest changes, and a result is recomputed needlessly but
    never left out of date.

    >>> sources(["gradalign.base.errors"]).keys()
    dict_keys(['gradalign/__init__.py', 'gradalign/base/__init__.py', 'gradalign/base/errors.py'])
    >>> [name for name in sources(["gradalign.references.solvers.cavity_tables"]) if not name.endswith(".py")][-2:]
    ['gradalign/references/data/ldc_ghia1982_v.csv', 'numpy']
    """
    found: dict[str, str] = {}
    for path, code in _closure(modules, roots).items():
        root = next(root for root in roots if path.is_relative_to(root))
        name = path.relative_to(root)
        found[name.as_posix()] = code.digest
        if READS_DATA in code.imports:
            folder = next((parent / "data" for parent in path.parents if (parent / "data").is_dir()), root)
            files = sorted(file for file in folder.glob("[!.]*.csv") if file.is_file())
            found |= {file.relative_to(root).as_posix(): _digest(file.read_bytes()) for file in files}
        for library in {imported.partition(".")[0] for imported in code.imports} & LIBRARIES.keys():
            found |= {distribution: _version(distribution) for distribution in LIBRARIES[library]}
    return dict(sorted(found.items()))


def source_digest(modules: Sequence[str], roots: Sequence[Path] = (SOURCE,)) -> str:
    """SHA-256 of the names and digests or versions in ``sources(modules)``, as 64 hexadecimal digits."""
    return hashlib.sha256(repr(sources(modules, roots)).encode()).hexdigest()


def commit(folder: Path = SOURCE) -> str:
    """The commit checked out in ``folder``, which holds the package, with ``-dirty`` where a tracked file differs.

    A package from a wheel or a tarball may lie inside an unrelated repository, whose commit says nothing. A commit
    therefore counts only if its repository tracks this package at ``src/gradalign``. Otherwise the version of the
    package is returned, as in ``version 0.1.0``, or ``unknown`` where there is none.
    """
    try:
        place, head = _git(folder, "rev-parse", "--show-prefix", "HEAD").split("\n")
        _git(folder, "ls-files", "--error-unmatch", "gradalign/__init__.py")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, ValueError, subprocess.CalledProcessError):
        place = ""
    if place != "src/":
        return _installed_version(folder)
    return f"{head}-dirty" if changed else head


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    # Git sets these for its hooks, and they name the repository of the hook
    environment = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.rstrip("\n")


def _installed_version(folder: Path) -> str:
    """The version of the package in ``folder``, from its ``pyproject.toml`` or from what was installed there."""
    try:
        project = tomllib.loads((folder.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        if project["name"] == "gradalign":
            return f"version {project['version']}"
    except (OSError, ValueError, KeyError, TypeError):
        pass
    found = next(iter(metadata.distributions(name="gradalign", path=[str(folder)])), None)
    return "unknown" if found is None else f"version {found.version}"


class _Code(NamedTuple):
    """The imports of a Python file, and the digest of its code."""

    imports: tuple[str, ...]
    """Names of all modules that it may import; ``from a import b`` gives both ``a`` and ``a.b``."""
    digest: str


def _closure(modules: Sequence[str], roots: Sequence[Path]) -> dict[Path, _Code]:
    found: dict[Path, _Code] = {}
    # Most imports are of libraries: the first part of the name settles them
    firsts = [(root, {entry.removesuffix(".py") for entry in os.listdir(root)}) for root in roots if root.is_dir()]
    waiting, seen = list(modules), set(modules)
    while waiting:
        module = waiting.pop()
        path = _file(module, [root for root, names in firsts if module.partition(".")[0] in names])
        if path is not None and path not in found:
            state = path.stat()
            found[path] = _code(module, path, state.st_mtime_ns, state.st_size)
            new = {*found[path].imports, *_parents(module)} - seen
            seen |= new
            waiting += new
        elif path is None and module in modules:
            raise ModuleNotFoundError(f"{module}: no such module below {', '.join(map(str, roots))}", name=module)
    return found


def _file(module: str, roots: Sequence[Path]) -> Path | None:
    """The file of a module or package below the first root that has it."""
    for root in roots:
        stem = os.path.join(root, *module.split("."))
        for path in (f"{stem}.py", os.path.join(stem, "__init__.py")):
            if os.path.isfile(path):
                return Path(path)
    return None


def _parents(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts))]


@cache
def _code(module: str, path: Path, changed: int, size: int) -> _Code:
    """The code of a file, cached until its time or size changes: closures share most files."""
    tree = ast.parse(path.read_bytes(), str(path))
    imports: list[ast.Import | ast.ImportFrom] = []
    words: list[str] = []
    _spell(tree, words, imports)
    return _Code(tuple(_names(module, path, imports)), _digest("\0".join(words).encode()))


def _spell(item: object, words: list[str], imports: list[ast.Import | ast.ImportFrom]) -> None:
    """Append an unambiguous spelling of a syntax tree to ``words``, and its import statements to ``imports``.

    Empty fields are left out, because later versions of Python add some. Constants are spelled by ``repr``, which
    tells 1 from 1.0 and keeps every bit of a float.
    """
    if isinstance(item, ast.AST):
        if isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant) and isinstance(item.value.value, str):
            return  # a docstring or another bare string
        if isinstance(item, ast.Import | ast.ImportFrom):
            imports.append(item)
        words.append(item.__class__.__name__)
        for name in item._fields:
            value = getattr(item, name, None)
            if not (value is None or value == [] or name in _IGNORED):
                words.append(name)
                _spell(value, words, imports)
        words.append(")")
    elif isinstance(item, list):
        words.append("[")
        for part in item:
            _spell(part, words, imports)
        words.append("]")
    else:
        words.append(repr(item))


def _names(module: str, path: Path, imports: Sequence[ast.Import | ast.ImportFrom]) -> Iterator[str]:
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in imports:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        else:
            base = node.module or ""
            if node.level:
                anchor = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*anchor, *filter(None, [base])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


@cache
def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"
