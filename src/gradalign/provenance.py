"""Where a result came from: the source files behind an entry point, their digest, the commit. Standard library only."""

import ast
import hashlib
import subprocess
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent
"""The folder that holds the package."""


def import_closure(modules: Sequence[str], roots: Sequence[Path] = (SOURCE,)) -> list[Path]:
    """Files of ``modules`` and of everything they import, directly or not, below ``roots``; sorted.

    Imports are read from the syntax tree, not executed; those inside functions and under ``TYPE_CHECKING`` count. Names
    outside ``roots`` (the standard library, installed packages) and look-ups by string are not followed: that is what
    keeps one problem's file out of another problem's closure. Raises ``ModuleNotFoundError`` for one of ``modules``
    that has no file below ``roots``.

    >>> [path.name for path in import_closure(["gradalign.errors"])]
    ['__init__.py', 'errors.py']
    """
    found: dict[Path, None] = {}
    waiting = list(modules)
    for module in modules:
        if _file(module, roots) is None:
            raise ModuleNotFoundError(f"{module}: no such module below {', '.join(map(str, roots))}", name=module)
    while waiting:
        module = waiting.pop()
        path = _file(module, roots)
        if path is not None and path not in found:
            found[path] = None
            state = path.stat()
            waiting += [*_imported(module, path, state.st_mtime_ns, state.st_size), *_parents(module)]
    return sorted(found)


def source_digest(modules: Sequence[str], roots: Sequence[Path] = (SOURCE,)) -> str:
    """SHA-256 over the names and contents of ``import_closure(modules)``, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for path in import_closure(modules, roots):
        root = next(root for root in roots if path.is_relative_to(root))
        content = path.read_bytes()
        digest.update(f"{path.relative_to(root).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def commit(folder: Path = SOURCE) -> str:
    """The commit checked out in ``folder``, with ``-dirty`` where any tracked file differs from it.

    ``unknown`` where ``folder`` is not in a git checkout, or git is not installed.
    """
    try:
        head = _git(folder, "rev-parse", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{head}-dirty" if changed else head


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _file(module: str, roots: Sequence[Path]) -> Path | None:
    """The file of a module or package below the first root that has it."""
    for root in roots:
        stem = root.joinpath(*module.split("."))
        for path in (stem.with_name(f"{stem.name}.py"), stem / "__init__.py"):
            if path.is_file():
                return path
    return None


def _parents(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts))]


@cache
def _imported(module: str, path: Path, changed: int, size: int) -> tuple[str, ...]:
    """Names of all modules that a file, last changed at that time, may import.

    ``from a import b`` gives both ``a`` and ``a.b``. Closures share most files: each is parsed once.
    """
    return tuple(_names(module, path))


def _names(module: str, path: Path) -> Iterator[str]:
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                anchor = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*anchor, *filter(None, [base])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
