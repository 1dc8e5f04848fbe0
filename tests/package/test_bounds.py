"""The lower bounds of pyproject.toml are the versions that were tried: those of requirements.oldest.lock."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
LOCKED = ("command-line", "pipeline", "test")
"""Extras in the locks; the others belong to machines that they name."""


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def direct():
    """Every requirement that pyproject.toml names, by extra; the extra of the library itself is ""."""
    found = {"": project()["dependencies"], **project()["optional-dependencies"]}
    return {extra: [name for name in names if not name.startswith("gradalign[")] for extra, names in found.items()}


def lower_bound(requirement):
    (bound,) = (part for part in requirement.specifier if part.operator == ">=")
    return Version(bound.version)


def locked(name, text=None):
    """Versions by name for the oldest Python; a lock of several platforms repeats a name with other conditions."""
    text = (ROOT / name).read_text(encoding="utf-8") if text is None else text
    oldest = project()["requires-python"].removeprefix(">=")
    environment = {"python_version": oldest, "python_full_version": f"{oldest}.0"}
    versions = {}
    for line in re.findall(r"^([^\s#-].*?)\s*\\?$", text, flags=re.MULTILINE):
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate(environment):
            (pin,) = requirement.specifier
            assert pin.operator == "==", line
            versions[canonicalize_name(requirement.name)] = Version(pin.version)
    return versions


def requirements(extras):
    return {
        canonicalize_name(requirement.name): requirement
        for extra in extras
        for requirement in map(Requirement, direct()[extra])
    }


@pytest.mark.parametrize("extra", direct())
def test_every_direct_dependency_has_one_lower_bound_and_no_upper_one(extra):
    for requirement in map(Requirement, direct()[extra]):
        assert [part.operator for part in requirement.specifier] == [">="], str(requirement)


def test_the_oldest_lock_has_exactly_the_lower_bounds():
    versions = locked("requirements.oldest.lock")
    bounds = {name: lower_bound(requirement) for name, requirement in requirements(("", *LOCKED)).items()}
    assert {name: versions.get(name) for name in bounds} == bounds, "run `make lock`"


def test_the_newest_lock_is_within_the_bounds():
    versions = locked("requirements.lock")
    for name, requirement in requirements(("", *LOCKED)).items():
        assert requirement.specifier.contains(versions[name]), f"{requirement}, but {versions[name]}: run `make lock`"


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements.oldest.lock"])
def test_locks_have_hashes_and_no_addresses(lock):
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert "://" not in text
    entries = re.split(r"^(?=[^\s#])", text, flags=re.MULTILINE)[1:]
    assert len(entries) > 50
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_a_lock_is_read_for_the_oldest_python():
    text = """numpy==2.1.0 ; python_full_version < '3.13' \\
    --hash=sha256:00
numpy==2.2.0 ; python_full_version >= '3.13' \\
    --hash=sha256:01
    # via gradalign (pyproject.toml)
Rich-Text==1.0 \\
    --hash=sha256:02
"""
    assert locked("", text) == {"numpy": Version("2.1.0"), "rich-text": Version("1.0")}
