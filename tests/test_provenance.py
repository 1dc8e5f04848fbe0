"""The static import closure, its digest, and the commit."""

import subprocess
import sys
from pathlib import Path

import pytest

from gradalign.provenance import SOURCE, commit, import_closure, source_digest

FILES = {
    "tree/__init__.py": "",
    "tree/root.py": "",
    "tree/leaf.py": "from tree import root\n",
    "tree/late.py": "def f():\n    import tree.leaf\n",
    "tree/typed.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from tree.leaf import name\n",
    "tree/dynamic.py": "from importlib import import_module\nmodule = import_module('tree.leaf')\n",
    "tree/branch/__init__.py": "",
    "tree/branch/twig.py": "from ..root import x\nfrom . import bud\nfrom .bud import y\n",
    "tree/branch/bud.py": "import numpy as np\nimport tree.branch.twig\n",
}


@pytest.fixture
def roots(tmp_path: Path) -> tuple[Path]:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return (tmp_path,)


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("tree.root", ["__init__", "root"]),
        ("tree.leaf", ["__init__", "leaf", "root"]),
        ("tree.late", ["__init__", "late", "leaf", "root"]),
        ("tree.typed", ["__init__", "leaf", "root", "typed"]),
        ("tree.dynamic", ["__init__", "dynamic"]),
        ("tree.branch.twig", ["__init__", "branch/__init__", "branch/bud", "branch/twig", "root"]),
        ("tree.branch.bud", ["__init__", "branch/__init__", "branch/bud", "branch/twig", "root"]),
    ],
)
def test_closure_follows_imports_wherever_they_stand(roots, module, expected):
    found = import_closure([module], roots)
    assert sorted(str(path.relative_to(roots[0] / "tree").with_suffix("")) for path in found) == expected


def test_an_unknown_module_is_an_error(roots):
    with pytest.raises(ModuleNotFoundError, match=r"tree\.nowhere: no such module below"):
        import_closure(["tree.nowhere"], roots)


def test_closure_holds_every_module_that_python_really_imports():
    """An oracle: the gradalign modules in ``sys.modules`` of a fresh process that imports the entry point."""
    code = (
        "import sys, gradalign.optimizers.soap\n"
        "print(*sorted(m.__file__ for n, m in sys.modules.items() if n.split('.')[0] == 'gradalign'), sep='\\n')"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = {Path(line) for line in run.stdout.split()}
    assert imported <= set(import_closure(["gradalign.optimizers.soap"]))


def test_one_method_does_not_depend_on_another_nor_on_a_problem():
    names = {path.relative_to(SOURCE).as_posix() for path in import_closure(["gradalign.runs"])}
    assert not {name for name in names if "/optimizers/" in name and not name.endswith("__init__.py")}
    assert not {name for name in names if "/problems/" in name and not name.endswith("__init__.py")}


def test_digest_changes_with_any_file_of_the_closure_and_no_other(roots):
    before = source_digest(["tree.leaf"], roots)
    (roots[0] / "tree/late.py").write_text("x = 1\n")
    assert source_digest(["tree.leaf"], roots) == before
    (roots[0] / "tree/root.py").write_text("x = 1\n")
    assert source_digest(["tree.leaf"], roots) != before
    assert len(before) == 64


def test_provenance_imports_the_standard_library_only():
    code = "import sys, gradalign.provenance; print([n for n in ('jax', 'numpy', 'pydantic') if n in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_commit_says_dirty_when_a_tracked_file_changed(tmp_path):
    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        run = subprocess.run(["git", *identity, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True)
        return run.stdout.strip()

    assert commit(tmp_path) == "unknown"
    git("init", "--quiet")
    (tmp_path / "a.txt").write_text("1")
    git("add", "a.txt")
    git("commit", "--quiet", "--message", "first")
    head = git("rev-parse", "HEAD")
    assert commit(tmp_path) == head
    (tmp_path / "untracked.txt").write_text("1")
    assert commit(tmp_path) == head
    (tmp_path / "a.txt").write_text("2")
    assert commit(tmp_path) == f"{head}-dirty"


def test_commit_is_unknown_without_git(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert commit() == "unknown"


def test_an_edited_file_is_read_again(tmp_path):
    (tmp_path / "one.py").write_text("import two\n")
    (tmp_path / "two.py").write_text("")
    (tmp_path / "three.py").write_text("")
    assert [path.name for path in import_closure(["one"], (tmp_path,))] == ["one.py", "two.py"]
    (tmp_path / "one.py").write_text("import three\n")
    assert [path.name for path in import_closure(["one"], (tmp_path,))] == ["one.py", "three.py"]
