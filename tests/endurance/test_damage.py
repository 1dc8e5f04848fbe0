"""Damage to files on disk is found, named and answered; it never leaves a wrong number.

Checkpoints, references and records of finished runs, with flipped bits, every truncation, and lost ranges of bytes.
Every test run includes a short form; ``--flips 200`` gives the full counts.
"""

import dataclasses
import os
import random
from collections.abc import Iterator

import jax
import numpy as np
import pytest
from experiments import line_reference, specification
from tiny_run import numbers

from gradalign.base.errors import ConfigurationError
from gradalign.references import _cache as reference_cache
from gradalign.references._contract import Reference, set_aside, stated_error
from gradalign.training import checkpoints, records, runner
from gradalign.training.loop import build

pytestmark = [pytest.mark.slow, pytest.mark.endurance]

FULL = 200
"""Number of flips from which every single truncation is tried too."""


@pytest.fixture(params=["flipped bits", "lost ranges", "truncations"])
def damages(request):
    """The kind of damage, and a function that yields the damaged contents of a file."""
    count, draw = request.config.getoption("--flips"), random.Random(0)

    def damaged(content: bytes) -> Iterator[bytes]:
        match request.param:
            case "flipped bits":
                for _ in range(count):
                    place = draw.randrange(len(content))
                    yield content[:place] + bytes([content[place] ^ (1 << draw.randrange(8))]) + content[place + 1 :]
            case "lost ranges":
                for _ in range(count):
                    first, last = sorted(draw.sample(range(len(content) + 1), 2))
                    yield content[:first] + content[last:]
            case "truncations":
                for length in range(0, len(content), 1 if count >= FULL else 1 + len(content) // 100):
                    yield content[:length]

    return request.param, damaged


def leaves(tree):
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree)]


class Run:
    """A finished run; every ``again`` starts the same command anew."""

    given = specification("soap", own_state=False)

    def __init__(self, folder):
        self.folder, self.said = folder, []
        self.like = build(self.given).start(0)
        self.identity = runner._identity(self.given, line_reference())
        self.again()
        self.content = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        self.expected = self.numbers()
        assert records.damage(folder) == ""

    def again(self):
        self.said.clear()
        runner.train(self.given, line_reference(), self.folder, say=self.said.append)

    def restore(self):
        for path, content in self.content.items():
            path.write_bytes(content)
        for path in self.folder.rglob("*"):
            if path.is_file() and path not in self.content:
                path.unlink()

    def numbers(self):
        return numbers(self.folder)


@pytest.fixture(scope="module")
def finished(tmp_path_factory, shared_programs):
    return Run(tmp_path_factory.mktemp("run"))


@pytest.fixture
def run(finished):
    finished.restore()
    return finished


def test_the_checkpoint_before_a_damaged_one_is_taken(run, damages, count):
    """The state from which the run resumes is compared bit by bit; after flipped bits, the run also finishes."""
    what, damaged = damages
    folder = run.folder / "checkpoints" / "seed-0"
    before, last = sorted(folder.iterdir())
    states = {path: checkpoints.load_last(folder, run.like, run.identity, pytest.fail) for path in [last]}
    last.unlink()
    states[before] = checkpoints.load_last(folder, run.like, run.identity, pytest.fail)
    assert [int(states[path][0].step) for path in (before, last)] == [8, 12]
    tried = survived = wrong = harmless = 0
    for content in damaged(run.content[last]):
        last.write_bytes(content)
        said = []
        found = checkpoints.load_last(folder, run.like, run.identity, said.append)
        right = states[before if said else last]  # a flip may turn a space of the padding into another blank
        same = found is not None and leaves(found[0]) == leaves(right[0]) and repr(found[1:]) == repr(right[1:])
        named = not said or (len(said) == 1 and last.name in said[0] and "goes on from an earlier state" in said[0])
        if what == "flipped bits":
            run.again()
            same = same and run.numbers() == run.expected and run.said == said
            run.restore()
        tried, survived, wrong = tried + 1, survived + (same and named), wrong + (found is not None and not same)
        harmless += not said
    count(f"checkpoints, {what}", tried, survived, wrong, f"{harmless} in blanks")
    assert (survived, wrong) == (tried, 0)
    assert harmless <= tried / 50


def test_a_damaged_reference_gives_way_to_a_new_one(tmp_path, monkeypatch, damages, count):
    """In the store of solutions and in the results; this includes ``stated_error``, which reads only one number."""
    what, damaged = damages
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    whole = dataclasses.replace(line_reference(), inputs="1" * 64, independent_difference=1e-3, evidence={"mass": 2e-4})
    reference_cache.store(whole, pytest.fail)
    path = reference_cache.location("burgers", whole.inputs)
    content = path.read_bytes()

    def content_of(reference):
        return {
            name: {key: array.tobytes() for key, array in value.items()} if name in ("coordinates", "fields") else value
            for name, value in vars(reference).items()
        } | {"step": repr(reference.step)}

    tried = survived = wrong = harmless = 0
    for changed in damaged(content):
        path.write_bytes(changed)
        said = []
        found = reference_cache.fetch("burgers", whole.inputs, said.append)
        silent_error = found is not None and content_of(found) != content_of(whole)
        try:
            silent_error |= stated_error(path) != whole.stated_error
        except ConfigurationError as error:
            assert str(path) in str(error)  # noqa: PT017 - a sound number raises nothing
        answered = found is not None
        if found is None:
            set_aside_as = set_aside(path, "burgers")
            answered = len(said) == 1 and path.name in said[0] and "so that it is computed again" in set_aside_as
            answered &= not path.exists()
            reference_cache.store(whole, pytest.fail)
            answered &= content_of(reference_cache.fetch("burgers", whole.inputs, pytest.fail)) == content_of(whole)
        tried, survived, wrong = tried + 1, survived + (answered and not silent_error), wrong + silent_error
        harmless += found is not None
    count(f"references, {what}", tried, survived, wrong, f"{harmless} in what no number hangs on")
    assert (survived, wrong) == (tried, 0)
    assert Reference.load(path).inputs == whole.inputs


def test_a_damaged_record_is_named_and_its_run_trained_again(run, damages, count):
    what, damaged = damages
    records = [path for path in run.content if not {"checkpoints", ".lock"} & set(path.parts)]
    assert len(records) == 6
    tried = survived = wrong = harmless = 0
    for path in records:
        for number, content in enumerate(damaged(run.content[path])):
            path.write_bytes(content)
            found = records.damage(run.folder)
            if not found:  # another blank in the list of checksums leaves its entries unchanged
                lines = run.content[path].decode().splitlines()
                sound = path.name == records.CHECKSUMS and content.decode().splitlines() == lines
                answered, harmless = sound, harmless + 1
            else:
                answered = path.name in found or path.name == records.CHECKSUMS
                sound = True
                if number % 20 == 0:
                    answered &= "so that the run is trained again" in records.set_aside(run.folder)
                    run.again()
                    answered &= records.damage(run.folder) == ""
                    sound = run.numbers() == run.expected
                    run.restore()
            tried, survived, wrong = tried + 1, survived + (answered and sound), wrong + (not sound)
        path.write_bytes(run.content[path])
    count(f"run records, {what}", tried, survived, wrong, f"{harmless} in blanks")
    assert (survived, wrong) == (tried, 0)
    assert harmless <= tried / 50


def test_a_record_without_checksums_is_not_finished(run):
    os.unlink(run.folder / records.CHECKSUMS)
    assert "the run is not finished" in records.damage(run.folder)
