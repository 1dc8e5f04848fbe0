"""The store of reference solutions: what decides the name of a file, what is taken from it; it fails no run."""

import dataclasses
import json
import os

import numpy as np
import pytest
from experiments import line_reference
from typer.testing import CliRunner

from gradalign.base import provenance
from gradalign.pipeline.cli import application
from gradalign.problems import allen_cahn, burgers
from gradalign.references import _cache as reference_cache
from gradalign.references import allen_cahn as allen_cahn_reference
from gradalign.references import burgers as burgers_reference
from gradalign.references._contract import Reference
from gradalign.references._specification import ReferenceSpecification

TINY = {"times": 3, "points": 9, "nodes": 801, "refined_nodes": 1001, "modes": 512, "time_step": 0.005}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The folder of the cache, which is not the user's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "gradalign" / "references"


@pytest.fixture
def said():
    return []


def solution(inputs="1" * 64, **changes):
    return dataclasses.replace(line_reference(), inputs=inputs, **changes)


def digest_of(**settings):
    return reference_cache.digest("burgers", burgers_reference.Settings(**settings), burgers.Settings())


def test_the_digest_counts_every_setting_of_solver_and_equation():
    plain, grid = burgers.Settings(), burgers_reference.Settings()
    found = {
        digest_of(),
        *(digest_of(**{name: 2 * getattr(grid, name)}) for name in type(grid).model_fields if name != "nodes"),
        digest_of(nodes=grid.nodes + 1),
        reference_cache.digest("burgers", grid, burgers.Settings(viscosity=2 * plain.viscosity)),
    }
    assert len(found) == len(burgers_reference.Settings.model_fields) + 2


def test_the_digest_takes_defaults_and_given_values_alike():
    grid = burgers_reference.Settings()
    assert digest_of(**grid.model_dump()) == digest_of()
    assert len(digest_of()) == 64


def test_the_digest_leaves_out_how_the_problem_is_posed_to_a_network():
    grid = allen_cahn_reference.Settings()

    def digest(**settings):
        return reference_cache.digest("allen_cahn", grid, allen_cahn.Settings(**settings))

    embedded, penalised = (digest(initial_condition="kinked", boundary=kind) for kind in ("embedded", "penalised"))
    assert embedded == penalised
    assert embedded != digest(initial_condition="band_limited")


def test_the_digest_counts_the_sources_behind_the_reference(monkeypatch):
    asked = []

    def sources(modules):
        asked.append(modules)
        return "other sources"

    before = digest_of()
    monkeypatch.setattr(reference_cache, "source_digest", sources)
    assert digest_of() != before
    assert asked == [["gradalign.references.burgers"]]
    names = {path.name for path in provenance.import_closure(["gradalign.references.burgers"])}
    assert {"cole_hopf.py", "spectral.py", "burgers.py", "_contract.py"} <= names


def test_a_kept_solution_is_found_and_no_other(cache, said):
    kept = solution()
    reference_cache.store(kept, said.append)
    found = reference_cache.fetch("burgers", "1" * 64, said.append)
    np.testing.assert_array_equal(found.fields["u"], kept.fields["u"])
    assert [file.name for file in cache.iterdir()] == [f"burgers-{'1' * 64}.npz"]
    assert reference_cache.fetch("burgers", "2" * 64, said.append) is None
    assert reference_cache.fetch("allen_cahn", "1" * 64, said.append) is None
    assert said == []


@pytest.mark.parametrize("damage", ["truncated", "flipped", "renamed", "another problem"])
def test_a_file_that_cannot_be_trusted_is_not_used(cache, said, damage):
    reference_cache.store(solution(), said.append)
    path = reference_cache.location("burgers", "1" * 64)
    whole = path.read_bytes()
    place = whole.index(np.float64(-0.5).tobytes())  # a value of x or u
    changed = {
        "truncated": whole[: len(whole) // 2],
        "flipped": whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :],
    }
    if damage in changed:
        path.write_bytes(changed[damage])
    else:
        name = "burgers" if damage == "renamed" else "wave"
        solution("2" * 64, problem=name).save(path)
    assert reference_cache.fetch("burgers", "1" * 64, said.append) is None
    assert len(said) == 1
    assert said[0].startswith("warning: the solution in the cache is not used.")
    assert path.name in said[0]


def test_the_files_used_last_stay(said, monkeypatch):
    monkeypatch.setattr(reference_cache, "KEPT", 2)
    for age, letter in enumerate("abc"):
        reference_cache.store(solution(letter), said.append)
        os.utime(reference_cache.location("burgers", letter), ns=(age, age))  # c was stored last
        if letter == "b":
            assert reference_cache.fetch("burgers", "a", said.append) is not None  # used after b was stored
    reference_cache.store(solution("d", problem="wave"), said.append)  # another problem, with files of its own
    folder = reference_cache.location("burgers", "a").parent
    assert {file.name for file in folder.iterdir()} == {"burgers-a.npz", "burgers-c.npz", "wave-d.npz"}


@pytest.mark.parametrize("obstacle", ["a file in the way", "no home", "no space"])
def test_an_unusable_cache_is_a_warning(tmp_path, said, monkeypatch, obstacle):
    match obstacle:
        case "a file in the way":
            (tmp_path / "cache").write_text("not a folder")
        case "no home":
            monkeypatch.delenv("XDG_CACHE_HOME")
            monkeypatch.setattr(reference_cache.Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
        case "no space":
            monkeypatch.setattr(Reference, "save", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
    reference_cache.store(solution(), said.append)
    assert len(said) == 1
    assert said[0].startswith("warning: the solution is not kept in the cache.")
    assert reference_cache.fetch("burgers", "1" * 64, said.append) is None


def test_the_cache_is_where_the_system_keeps_such_files(monkeypatch, tmp_path):
    assert reference_cache.location("wave", "3").is_relative_to(tmp_path / "cache")
    for unset in ("", None):
        monkeypatch.setenv("HOME", str(tmp_path / "me"))
        monkeypatch.setenv("XDG_CACHE_HOME", "") if unset == "" else monkeypatch.delenv("XDG_CACHE_HOME")
        expected = tmp_path / "me" / ".cache" / "gradalign" / "references" / "wave-3.npz"
        assert reference_cache.location("wave", "3") == expected


@pytest.fixture
def solve(tmp_path, monkeypatch):
    """Calls ``gradalign reference burgers`` with a tiny grid: (name of the file, options) to (text, file)."""
    monkeypatch.chdir(tmp_path)

    def call(name, *options, nodes=801, scale="smoke", code=0):
        specification = ReferenceSpecification(
            scale=scale,
            problem="burgers",
            problem_settings={"viscosity": 0.05},
            reference_settings=TINY | {"nodes": nodes},
        )
        (tmp_path / "tiny.json").write_text(specification.model_dump_json())
        output = tmp_path / name
        arguments = ["reference", "burgers", "--specification", "tiny.json", "--output", name, *options]
        found = CliRunner().invoke(application, arguments)
        assert found.exit_code == code, found.output
        return found.output, output

    return call


def test_the_command_computes_once_and_copies_after_that(cache, solve):
    text, first = solve("first.npz")
    assert "Cole-Hopf, 801 nodes" in text
    assert "taken from the cache" not in text
    stored = next(cache.iterdir())
    text, second = solve("second.npz", scale="laptop")
    assert f"burgers: taken from the cache, {stored}" in text
    assert "Cole-Hopf" not in text
    assert first.read_bytes() == second.read_bytes() == stored.read_bytes()
    assert len({path.stat().st_ino for path in (first, second, stored)}) == 3
    second.write_bytes(b"")
    assert stored.read_bytes() == first.read_bytes()
    assert f"burgers-{Reference.load(first, 'burgers').inputs}.npz" == stored.name


def test_the_file_says_its_equation_copied_or_computed(solve):
    for name in ("first.npz", "second.npz"):
        assert json.loads(Reference.load(solve(name)[1]).equation) == {"viscosity": 0.05}


def test_other_settings_are_computed(cache, solve):
    solve("first.npz")
    text, _ = solve("second.npz", nodes=802)
    assert "Cole-Hopf, 802 nodes" in text
    assert len(list(cache.iterdir())) == 2


def test_a_damaged_file_in_the_cache_is_computed_again_and_replaced(cache, solve):
    _, first = solve("first.npz")
    stored = next(cache.iterdir())
    stored.write_bytes(stored.read_bytes()[:1000])
    text, second = solve("second.npz")
    assert "warning: the solution in the cache is not used." in text
    assert "Cole-Hopf, 801 nodes" in text
    old, new = Reference.load(first), Reference.load(second)
    np.testing.assert_array_equal(old.fields["u"], new.fields["u"])
    assert stored.read_bytes() == second.read_bytes()


def test_without_the_cache_nothing_is_read_or_kept(cache, solve):
    solve("first.npz", "--no-cache")
    assert not cache.exists()
    solve("second.npz")
    text, _ = solve("third.npz", "--no-cache")
    assert "Cole-Hopf, 801 nodes" in text


def test_a_cache_that_cannot_be_written_does_not_stop_the_command(tmp_path, solve):
    (tmp_path / "cache").write_text("not a folder")
    text, output = solve("first.npz")
    assert "warning: the solution is not kept in the cache." in text
    assert Reference.load(output).problem == "burgers"


def test_a_dry_run_says_whether_the_cache_has_it(cache, solve):
    text, output = solve("first.npz", "--dry-run")
    assert "would solve burgers with times=3" in text
    assert not output.exists()
    assert not cache.exists()
    solve("first.npz")
    assert "would copy burgers" in solve("second.npz", "--dry-run")[0]


def test_another_suffix_is_refused_before_anything_is_computed(solve):
    text, output = solve("first.h5", code=1)
    assert "suffix '.h5'; allowed: '.npz'" in text
    assert "Cole-Hopf" not in text
    assert not output.exists()
