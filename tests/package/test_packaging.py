"""What outsiders get: one version everywhere, whole packages, files in the formats of those who read them."""

import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tomllib
from collections import namedtuple
from importlib import metadata
from pathlib import Path

import pytest
import yaml

import gradalign
from gradalign.base.errors import ConfigurationError
from gradalign.pipeline import shipped as shipping
from gradalign.pipeline.shipped import COPIED, shipped

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
CODEMETA = json.loads((ROOT / "codemeta.json").read_text(encoding="utf-8"))
DOI = "10.52202/085713-5615"
Version = namedtuple("Version", "major minor micro")


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def document(name):
    return yaml.safe_load(text(name))


def test_the_version_is_that_of_the_project():
    assert gradalign.__version__ == PROJECT["version"]
    assert CITATION["version"] == CODEMETA["version"] == PROJECT["version"]
    assert re.search(r"^## \[(.+?)\]", text("CHANGELOG.md"), re.MULTILINE)[1] == PROJECT["version"]


def test_a_package_that_is_not_installed_has_an_unknown_version(monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert gradalign.__version__ == "unknown"
    with pytest.raises(AttributeError, match="no attribute '__versoin__'"):
        _ = gradalign.__versoin__


def test_importing_the_package_loads_nothing():
    program = (
        "import sys; before = set(sys.modules); import gradalign; gradalign.__version__; "
        "print(sorted(name for name in set(sys.modules) - before if name.split('.')[0] in "
        "('jax', 'numpy', 'pydantic', 'typer', 'gradalign')))"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    found = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "['gradalign']"


def test_descriptions_agree():
    assert CODEMETA["name"] == CITATION["title"] == PROJECT["name"]
    assert CODEMETA["description"] == PROJECT["description"] == CITATION["abstract"].strip().rstrip(".")
    assert [author["name"] for author in CODEMETA["author"]] == [author["name"] for author in PROJECT["authors"]]
    assert CITATION["authors"] == PROJECT["authors"]
    assert CODEMETA["keywords"] == CITATION["keywords"] == PROJECT["keywords"]
    assert CODEMETA["license"] == f"https://spdx.org/licenses/{PROJECT['license']}"
    assert CITATION["license"] == PROJECT["license"]
    assert CODEMETA["runtimePlatform"] == f"Python {PROJECT['requires-python']}"
    assert CODEMETA["@context"] == "https://w3id.org/codemeta/3.0"


def test_the_citation_file_has_the_fields_of_its_schema():
    """Citation File Format 1.2.0: what it requires, of the file and of each reference."""
    assert CITATION["cff-version"] == "1.2.0"
    assert set(CITATION) >= {"cff-version", "message", "title", "authors"}
    assert CITATION["type"] == "software"
    for reference in CITATION["references"]:
        assert set(reference) >= {"authors", "title", "type"}
        assert all(set(author) <= {"family-names", "given-names"} for author in reference["authors"])
        assert reference["type"] in ("article", "conference-paper")
        assert all(set(one) == {"type", "value"} and one["type"] == "other" for one in reference["identifiers"])


def test_the_paper_has_its_doi_everywhere():
    paper = CITATION["references"][0]
    assert paper["doi"] == DOI
    assert {"type": "other", "value": "arXiv:2502.00604"} in paper["identifiers"]
    assert CODEMETA["referencePublication"]["@id"] == f"https://doi.org/{DOI}"
    assert CODEMETA["referencePublication"]["name"] == paper["title"]
    (entry,) = re.findall(r"@\w+\{wang2025gradient,.*?\n\}", text("paper/references.bib"), re.DOTALL)
    assert f"doi = {{{DOI}}}" in entry
    assert paper["title"] in entry


def test_shipped_files_are_those_of_the_checkout():
    for name, place in COPIED.items():
        assert shipped(name).read_bytes() == (ROOT / place).read_bytes()
    with pytest.raises(ConfigurationError, match=r"laptop\.yaml is missing from this installation"):
        shipped("laptop.yaml")


def test_a_copy_in_the_package_comes_before_the_checkout(tmp_path, monkeypatch):
    monkeypatch.setattr(shipping, "PACKAGE", tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "smoke.yaml").write_text("scale: smoke")
    assert shipped("smoke.yaml") == tmp_path / "data" / "smoke.yaml"
    with pytest.raises(ConfigurationError, match=r"references\.bib is missing"):
        shipped("references.bib")


def test_a_source_distribution_is_whole_and_builds_a_whole_package(tmp_path):
    """As an installer does it: source distribution, from that the package, and the package in another folder."""
    ignored = shutil.ignore_patterns(
        ".git", ".venv", "results", "build", "__pycache__", ".snakemake", ".*_cache", "*.egg-info", ".hypothesis"
    )
    checkout = shutil.copytree(ROOT, tmp_path / "checkout", ignore=ignored)
    given = {path.relative_to(checkout).as_posix() for path in checkout.rglob("*") if path.is_file()}
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files"], capture_output=True, text=True)
    if listed.returncode == 0:  # and not what else lies in the folder
        given &= set(listed.stdout.splitlines())

    def setup(folder, *arguments):
        found = subprocess.run(
            [sys.executable, "setup.py", "-q", *arguments], cwd=folder, env=clean, capture_output=True, text=True
        )
        assert found.returncode == 0, found.stdout + found.stderr

    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    setup(checkout, "sdist", "--dist-dir", str(tmp_path))
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(tmp_path, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))  # since 3.11.4
    unpacked = tmp_path / archive.name.removesuffix(".tar.gz")
    found = {path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*") if path.is_file()}
    assert not given - found  # a new folder also goes into MANIFEST.in
    assert {
        "tests/package/test_packaging.py",
        "workflow/config/smoke.yaml",
        "paper/references.bib",
        "setup.py",
    } <= found
    setup(unpacked, "build_py", "--build-lib", str(tmp_path / "package"))
    package = tmp_path / "package" / "gradalign"
    modules = {path.relative_to(package) for path in package.rglob("*.py")}
    assert modules == {path.relative_to(ROOT / "src/gradalign") for path in (ROOT / "src/gradalign").rglob("*.py")}
    for name, place in COPIED.items():
        assert (package / "pipeline" / "data" / name).read_bytes() == (ROOT / place).read_bytes()
    shutil.rmtree(checkout)
    shutil.rmtree(unpacked)
    program = (
        "from gradalign.pipeline import citation, shipped; print(shipped.shipped('smoke.yaml')); citation.bibtex()"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=clean | {"PYTHONPATH": str(package.parent)},
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert said.strip() == str(package / "pipeline" / "data" / "smoke.yaml")


def guarded(source, version, monkeypatch):
    """Run the first lines of a file under another version of Python."""
    monkeypatch.setattr(sys, "version_info", Version(*version))
    exec(compile(source, "guard", "exec"), {"__name__": "guard"})


def test_an_old_python_is_named_by_the_build(monkeypatch):
    start = text("setup.py").split("\nfrom setuptools import setup")[0]
    with pytest.raises(SystemExit, match=r"gradalign needs Python 3.11 or newer, and this is Python 3.9"):
        guarded(start, (3, 9, 18), monkeypatch)
    guarded(start, (3, 11, 0), monkeypatch)
    assert PROJECT["requires-python"] == ">=3.11"


def test_snakemake_of_another_environment_is_named(monkeypatch):
    workflow_error = importlib.import_module("snakemake.exceptions").WorkflowError
    start = text("Snakefile").split("\nreport:")[0]
    with pytest.raises(workflow_error, match=r"Python 3.10, and gradalign needs 3.11 or newer; use the environment"):
        guarded(start, (3, 10, 13), monkeypatch)
    guarded(start, (3, 12, 0), monkeypatch)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(workflow_error, match=rf"runs in {sys.prefix} with a Python that does not have gradalign"):
        guarded(start, (3, 12, 0), monkeypatch)


def make(folder, python, *arguments):
    """``make environment`` in a copy of the Makefile, with a script that stands for Python."""
    shutil.copy(ROOT / "Makefile", folder / "Makefile")
    for lock in ROOT.glob("requirements*.lock"):
        (folder / lock.name).touch()
    script = folder / "python"  # of the shell: the first line of a Python script takes no path with a blank
    script.with_suffix(".py").write_text(f"import os, sys\n{python}")
    script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(f"{script}.py")} "$@"\n')
    script.chmod(0o755)
    command = ["make", "environment", f"PYTHON={script}", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


# The installer of a new environment is a script that only fails
VENV = """
from collections import namedtuple
if "venv" in sys.argv:
    folder = os.path.join(sys.argv[-1], "bin")
    os.makedirs(folder)
    with open(os.path.join(folder, "python"), "w") as file:
        file.write("#!/bin/sh\\necho {message!r}\\nexit 1\\n")
    os.chmod(file.name, 0o755)
else:
    sys.version_info = namedtuple("Version", "major minor micro")(*{version})
    exec(sys.argv[2])
"""
needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


@needs_make
def test_make_names_an_old_python(tmp_path):
    found = make(tmp_path, VENV.format(version=(3, 9, 18), message=""))
    assert found.returncode != 0
    assert f"{tmp_path}/python is Python 3.9; gradalign needs Python 3.11 or newer" in found.stderr
    assert not (tmp_path / ".venv").exists()


@needs_make
@pytest.mark.parametrize(
    ("message", "said"),
    [
        (
            "NewConnectionError: Failed to establish",
            "This machine does not reach the package index: make needs the net",
        ),
        (
            "OSError: [Errno 28] No space left",
            "pip could not install the packages of requirements.lock: see its message",
        ),
    ],
)
def test_make_says_why_packages_could_not_be_installed(message, said, tmp_path):
    found = make(tmp_path, VENV.format(version=(3, 12, 0), message=message))
    assert found.returncode != 0
    assert message in found.stdout  # of pip itself
    assert said in found.stderr
    assert found.stderr.count("package") <= 2
    assert not (tmp_path / ".venv" / "installed").exists()


def test_workflows_run_what_the_makefile_has():
    checks = document(".github/workflows/checks.yml")
    jobs = checks["jobs"]
    assert set(checks[True]) >= {"push", "pull_request"}  # YAML 1.1 reads the key `on` as true
    matrix = jobs["tests"]["strategy"]["matrix"]["include"]
    tested = {
        target: [one["python"] for one in matrix if one["target"] == target] for target in ("test-all", "test-oldest")
    }
    assert tested == {"test-all": ["3.11", "3.12", "3.13"], "test-oldest": ["3.11"]}
    assert PROJECT["requires-python"] == f">={tested['test-all'][0]}"
    commands = [step.get("run", "") for job in jobs.values() for step in job["steps"]]
    assert any(command.startswith("make check") for command in commands)
    for path in re.findall(r"\b(?:tests|workflow/scripts)/\w+\.py", "\n".join(commands)):
        assert (ROOT / path).is_file(), path


def test_hooks_are_the_checks_of_the_makefile():
    hooks = [hook for repository in document(".pre-commit-config.yaml")["repos"] for hook in repository["hooks"]]
    check = re.search(r"^check:.*?\n\n", text("Makefile"), re.MULTILINE | re.DOTALL)[0]
    for hook in hooks:
        assert {"id", "name", "entry", "language"} <= set(hook)
        assert hook["entry"] in check, hook["id"]
    files = next(hook["files"] for hook in hooks if hook["id"] == "snakefmt")
    assert re.search(files, "Snakefile")
    assert re.search(files, "workflow/rules/runs.smk")


def test_templates_are_forms():
    forms = sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"))
    assert len(forms) == 4
    for path in forms:
        form = yaml.safe_load(path.read_text(encoding="utf-8"))
        if path.name == "config.yml":
            continue
        assert {"name", "description", "body"} <= set(form)
        ids = [part["id"] for part in form["body"]]
        assert len(set(ids)) == len(ids)
        assert all(part["type"] in ("input", "textarea") and part["attributes"]["label"] for part in form["body"])
    assert "tests/mutations.yaml" in text(".github/PULL_REQUEST_TEMPLATE.md")


def test_the_catalogue_shows_flags_that_the_pipeline_takes():
    usage = document(".snakemake-workflow-catalog.yml")["usage"]
    assert set(usage) == {"mandatory-flags", "software-stack-deployment", "report"}
    assert set(usage["mandatory-flags"]) == {"desc", "flags"}
    (scale,) = re.findall(r"scale=(\w+)", usage["mandatory-flags"]["flags"])
    assert (ROOT / f"workflow/config/{scale}.yaml").is_file()


def test_contributing_names_what_there_is():
    page = text("CONTRIBUTING.md")
    assert len(page.splitlines()) < 70  # one page
    targets = set(re.findall(r"^    make ([\w-]+)", page, re.MULTILINE)) - {"test-oldest"}
    assert targets <= set(re.findall(r"^([\w-]+):", text("Makefile"), re.MULTILINE))
    for path in re.findall(r"\b(?:tests|src|workflow)/[\w/]+(?:\.\w+)?/?", page):
        assert (ROOT / path).exists(), path
