"""The static import closure, the digest of its code, and the commit."""

import ast
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from gradalign.base import provenance
from gradalign.base.discovery import module_names
from gradalign.base.provenance import SOURCE, commit, import_closure, source_digest, sources

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
    imported = {Path(line) for line in run.stdout.splitlines()}
    assert imported <= set(import_closure(["gradalign.optimizers.soap"]))


def test_one_method_does_not_depend_on_another_nor_on_a_problem():
    names = {path.relative_to(SOURCE).as_posix() for path in import_closure(["gradalign.training.runner"])}
    assert not {name for name in names if "/optimizers/" in name and "/_" not in name}
    assert not {name for name in names if "/problems/" in name and "/_" not in name}


def test_digest_changes_with_the_code_of_any_file_of_the_closure_and_no_other(roots):
    before = source_digest(["tree.leaf"], roots)
    (roots[0] / "tree/late.py").write_text("x = 1\n")
    assert source_digest(["tree.leaf"], roots) == before
    (roots[0] / "tree/root.py").write_text("x = 1\n")
    assert source_digest(["tree.leaf"], roots) != before
    assert len(before) == 64


CODE = '''"""What the module is about."""

import numpy as np

RATE = 0.5  # a half
"""Of what there is."""


class Decay:
    """It becomes less."""

    def step(self, u, scale=1):
        """One step."""
        return np.exp(-RATE) * u if u is not None else "none"
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("What the module is about.", "Something else."),
        ('"""What the module is about."""\n', ""),
        ("# a half", "# one of two"),
        ("Of what there is.", "Of all."),
        ("It becomes less.", "It vanishes."),
        ('        """One step."""\n', ""),
        ("import numpy as np\n", "import numpy as np\n\n\n"),
        ("np.exp(-RATE) * u if", "(np.exp(-RATE)\n            * u) if"),
        ('"none"', "'none'"),
        ("0.5", "5e-1"),
    ],
)
def test_words_and_layout_change_no_digest(tmp_path, old, new):
    assert digests(tmp_path, CODE) == digests(tmp_path, CODE.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("0.5", "0.5000000000000001"),
        ("scale=1", "scale=1.0"),
        ("scale=1", "scale=True"),
        ("scale=1", "*, scale=1"),
        ("scale=1", "scale: int = 1"),
        ("-RATE", "RATE"),
        ("* u if", "+ u if"),
        ("is not None", "is None"),
        ('"none"', '"None"'),
        ('"none"', 'b"none"'),
        ('"none"', "None"),
        ("step", "leap"),
        ("RATE = 0.5", "RATE = 0.5\nRATE = 0.5"),
        ("class Decay:", "class Decay(dict):"),
        ("import numpy as np", "import jax.numpy as np"),
    ],
)
def test_a_change_of_code_changes_the_digest(tmp_path, old, new):
    assert digests(tmp_path, CODE) != digests(tmp_path, CODE.replace(old, new, 1))


def digests(folder: Path, code: str) -> dict[str, str]:
    """Digests of a module with this code, without the versions of libraries."""
    (folder / "one.py").write_text(code)
    return {name: digest for name, digest in sources(["one"], (folder,)).items() if name.endswith(".py")}


def test_fields_that_a_later_python_adds_to_its_syntax_trees_do_not_count(tmp_path, monkeypatch):
    before = digests(tmp_path, CODE)
    provenance._code.cache_clear()
    monkeypatch.setattr(ast.FunctionDef, "_fields", (*ast.FunctionDef._fields, "new"))
    monkeypatch.setattr(ast.FunctionDef, "new", [], raising=False)
    assert digests(tmp_path, CODE) == before
    monkeypatch.setattr(ast.FunctionDef, "new", ["used"])
    provenance._code.cache_clear()
    assert digests(tmp_path, CODE) != before
    provenance._code.cache_clear()


def test_the_time_of_a_file_does_not_count(tmp_path):
    (tmp_path / "one.py").write_text(CODE)
    before = sources(["one"], (tmp_path,))
    os.utime(tmp_path / "one.py", (0, 0))
    assert sources(["one"], (tmp_path,)) == before
    (tmp_path / "one.py").write_text(CODE.replace("0.5", "0.25"))
    os.utime(tmp_path / "one.py", (1, 1))  # as `rsync -a` and `tar` leave an edited file
    assert sources(["one"], (tmp_path,)) != before


def test_data_files_count_for_the_modules_that_read_them():
    """The published tables of the cavity count for the figure that shows them, and for no other figure or result."""
    tables = {path.relative_to(SOURCE).as_posix() for path in (SOURCE / "gradalign/references/data").glob("*.csv")}
    root = SOURCE.parent
    figures = [f"figures.items.{path.stem}" for path in (root / "figures/items").glob("fig_*.py")]
    kinds = ("claims", "references", "references.studies", "problems")
    modules = [f"gradalign.{kind}.{name}" for kind in kinds for name in module_names(kind)]
    readers = {
        module: tables & sources([module], (SOURCE, root)).keys()
        for module in [*modules, "gradalign.training.runner", *figures]
    }
    assert len(tables) == 4
    assert {module: found for module, found in readers.items() if found} == {
        "figures.items.fig_lid_driven_cavity_centrelines": tables
    }


def test_the_bytes_of_a_data_file_count(tmp_path):
    (tmp_path / "tree/data").mkdir(parents=True)
    (tmp_path / "tree/__init__.py").touch()
    (tmp_path / "tree/table.py").write_text("from importlib.resources import files\n")
    (tmp_path / "tree/user.py").write_text("from tree.table import files\n")
    (tmp_path / "tree/other.py").write_text("")
    table = tmp_path / "tree/data/table.csv"
    found = []
    for content in ("1,2\n", "1,3\n"):
        table.write_text(content)
        os.utime(table, (0, 0))
        found.append(sources(["tree.user"], (tmp_path,)))
    assert [name for name in found[0] if found[0][name] != found[1][name]] == ["tree/data/table.csv"]
    assert "tree/data/table.csv" not in sources(["tree.other"], (tmp_path,))


def test_versions_count_where_a_library_is_used(monkeypatch):
    monkeypatch.setattr(provenance, "_version", lambda name: f"{name} of today")
    before = {
        name: sources([f"gradalign.{name}"])
        for name in ("networks.architectures", "optimizers.soap", "references._contract", "base.errors")
    }
    versions = {name: [key for key in found if not key.startswith("gradalign/")] for name, found in before.items()}
    assert versions == {
        "networks.architectures": ["jax", "jaxlib", "numpy", "scipy"],
        "optimizers.soap": ["jax", "jaxlib", "numpy", "optax", "scipy"],
        "references._contract": ["numpy"],
        "base.errors": [],
    }
    assert before["networks.architectures"]["jax"] == "jax of today"
    monkeypatch.setattr(provenance, "_version", lambda name: f"{name} of {'tomorrow' if name == 'jax' else 'today'}")
    changed = {name: source_digest([f"gradalign.{name}"]) for name in before}
    monkeypatch.setattr(provenance, "_version", lambda name: f"{name} of today")
    same = {name for name in before if source_digest([f"gradalign.{name}"]) == changed[name]}
    assert same == {"references._contract", "base.errors"}


def test_versions_are_those_that_are_imported():
    import jax
    import numpy as np

    found = sources(["gradalign.training.runner"])
    assert (found["jax"], found["numpy"]) == (jax.__version__, np.__version__)


def test_provenance_imports_the_standard_library_only():
    code = "import sys, gradalign.base.provenance; print([n for n in ('jax', 'numpy', 'pydantic') if n in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


def package(folder: Path) -> Path:
    """Create a package of our name in ``folder``; returns the folder."""
    (folder / "gradalign").mkdir(parents=True)
    (folder / "gradalign/__init__.py").touch()
    return folder


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with the package at ``src/gradalign``."""
    package(tmp_path / "ours/src")
    git(tmp_path / "ours", "init", "--quiet")
    git(tmp_path / "ours", "add", ".")
    git(tmp_path / "ours", "commit", "--quiet", "--message", "first")
    return tmp_path / "ours"


def test_commit_says_dirty_when_a_tracked_file_changed(checkout):
    head = git(checkout, "rev-parse", "HEAD")
    assert commit(checkout / "src") == head
    (checkout / "untracked.txt").write_text("1")
    assert commit(checkout / "src") == head
    (checkout / "src/gradalign/__init__.py").write_text("x = 1\n")
    assert commit(checkout / "src") == f"{head}-dirty"


def test_the_commit_of_another_repository_is_not_ours(checkout):
    """A wheel in a virtual environment inside a repository, tracked or not, and a tarball unpacked there."""
    wheel = package(checkout / ".venv/lib/python3.11/site-packages")
    assert commit(wheel) == "unknown"
    (wheel / "gradalign-1.2.3.dist-info").mkdir()
    (wheel / "gradalign-1.2.3.dist-info/METADATA").write_text(
        "Metadata-Version: 2.1\nName: gradalign\nVersion: 1.2.3\n"
    )
    assert commit(wheel) == "version 1.2.3"
    tarball = package(checkout / "vendor/gradalign/src")
    (tarball.parent / "pyproject.toml").write_text('[project]\nname = "gradalign"\nversion = "4.5.6"\n')
    assert commit(tarball) == "version 4.5.6"
    git(checkout, "add", "--force", ".")
    git(checkout, "commit", "--quiet", "--message", "all of it")
    assert [commit(wheel), commit(tarball)] == ["version 1.2.3", "version 4.5.6"]


def test_a_package_at_its_place_that_the_repository_does_not_track_has_no_commit(checkout):
    git(checkout, "rm", "--quiet", "--cached", "src/gradalign/__init__.py")
    git(checkout, "commit", "--quiet", "--message", "not ours any more", "--allow-empty")
    assert commit(checkout / "src") == "unknown"


def test_the_repository_of_a_git_hook_is_not_taken_for_ours(checkout, tmp_path, monkeypatch):
    head = git(checkout, "rev-parse", "HEAD")
    other = tmp_path / "other"
    package(other / "src")
    git(other, "init", "--quiet")
    git(other, "add", ".")
    git(other, "commit", "--quiet", "--message", "another first")
    wheel = package(tmp_path / "site-packages")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert commit(checkout / "src") == head
    assert commit(wheel) == "unknown"
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git/index"))
    assert commit(checkout / "src") == head
    assert commit(wheel) == "unknown"


@pytest.mark.parametrize("text", ["", "[project", "[project]\nname = 'other'\nversion = '1'", "project = 1"])
def test_the_version_of_another_project_is_not_ours(tmp_path, text):
    (tmp_path / "pyproject.toml").write_text(text)
    assert commit(package(tmp_path / "src")) == "unknown"


def test_without_git_the_version_is_known(monkeypatch):
    monkeypatch.setenv("PATH", "")
    declared = tomllib.loads((SOURCE.parent / "pyproject.toml").read_text())["project"]["version"]
    assert commit() == f"version {declared}"


def test_an_edited_file_is_read_again(tmp_path):
    (tmp_path / "one.py").write_text("import two\n")
    (tmp_path / "two.py").write_text("")
    (tmp_path / "three.py").write_text("")
    assert [path.name for path in import_closure(["one"], (tmp_path,))] == ["one.py", "two.py"]
    (tmp_path / "one.py").write_text("import three\n")
    assert [path.name for path in import_closure(["one"], (tmp_path,))] == ["one.py", "three.py"]


def test_an_edit_of_the_differentiation_rules_recomputes_no_reference():
    for name in module_names("references"):
        closure = {path.relative_to(SOURCE).as_posix() for path in import_closure([f"gradalign.references.{name}"])}
        assert not {path for path in closure if "/derivatives/" in path or "/networks/" in path}, name
