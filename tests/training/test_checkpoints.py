"""Damaged checkpoints: every truncation and every flipped bit is found, and runs resume from a sound state."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradalign.base.errors import CheckpointError
from gradalign.base.trees import named_leaves
from gradalign.pipeline.configuration import load as load_configuration
from gradalign.training import checkpoints
from gradalign.training.loop import build

PAPER = load_configuration([Path(__file__).resolve().parents[2] / "workflow/config/paper.yaml"])
STATE = {"kernel": jnp.arange(12.0).reshape(3, 4), "calls": jnp.asarray(5, jnp.int32), "skip": jnp.asarray(-0.0)}
LOG = {"step": np.asarray([0.0, 4.0]), "loss": np.asarray([1.0, np.nan])}


def same(one, other):
    leaves = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return all(np.asarray(a).tobytes() == np.asarray(b).tobytes() for a, b in leaves)


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    path = tmp_path_factory.mktemp("content") / "state.safetensors"
    checkpoints.save(path, STATE, {"seconds": 1.5})
    return path.read_bytes()


def load(tmp_path, content):
    path = tmp_path / "state.safetensors"
    path.write_bytes(content)
    return checkpoints.load(path, STATE)


def test_equal_states_leave_equal_files(tmp_path, content):
    for attempt in range(5):
        path = tmp_path / f"{attempt}.safetensors"
        checkpoints.save(path, STATE, {"seconds": 1.5})
        assert path.read_bytes() == content


def test_every_truncation_is_found(tmp_path, content):
    assert same(load(tmp_path, content)[0], STATE)
    for length in range(len(content)):
        with pytest.raises(CheckpointError, match=r"state\.safetensors cannot be read as a checkpoint"):
            load(tmp_path, content[:length])


@pytest.mark.slow
def test_every_flipped_bit_is_found_or_harmless(tmp_path, content):
    """A space of the padding may become another blank; no number may change."""
    harmless = 0
    for place in range(len(content)):
        for bit in range(8):
            damaged = content[:place] + bytes([content[place] ^ (1 << bit)]) + content[place + 1 :]
            try:
                tree, metadata = load(tmp_path, damaged)
            except CheckpointError:
                continue
            harmless += 1
            assert same(tree, STATE)
            assert metadata == {"seconds": 1.5}
    assert harmless < 8


def test_a_checksum_that_fits_hides_nothing_else(tmp_path, content):
    """The checksum also covers names, dtypes and shapes: the same bytes in another tree are another tree."""
    path = tmp_path / "other.safetensors"
    for other in (STATE | {"kernel": STATE["kernel"].reshape(4, 3)}, {**STATE, "scale": STATE["skip"]}):
        checkpoints.save(path, other, {})
        with pytest.raises(CheckpointError, match="belongs to another network or method"):
            checkpoints.load(path, STATE)
    place = content.index(b'"kernel"')
    renamed = content[:place] + b'"kermel"' + content[place + 8 :]
    with pytest.raises(CheckpointError, match="does not agree with its checksum"):
        load(tmp_path, renamed)


def state_at(step):
    return STATE | {"kernel": step * STATE["kernel"], "calls": jnp.asarray(step, jnp.int32)}


def save_steps(folder, steps, identity="mine"):
    for step in steps:
        log = {name: column * step for name, column in LOG.items()}
        checkpoints.save_step(folder, step, state_at(step), log, {"identity": identity})


def test_the_last_two_are_kept_and_the_last_sound_one_is_loaded(tmp_path):
    said = []
    save_steps(tmp_path, (4, 8, 12))
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["step-000000000008.safetensors", "step-000000000012.safetensors"]
    tree, log, metadata = checkpoints.load_last(tmp_path, STATE, "mine", said.append)
    assert (int(tree["calls"]), metadata) == (12, {"identity": "mine"})
    assert list(log) == ["step", "loss"]
    np.testing.assert_array_equal(log["loss"], LOG["loss"] * 12)
    assert not said
    (tmp_path / files[1]).write_bytes(b"")
    tree, _, _ = checkpoints.load_last(tmp_path, STATE, "mine", said.append)
    assert int(tree["calls"]) == 8
    assert [files[1] in line for line in said] == [True]
    assert checkpoints.load_last(tmp_path, STATE, "other", said.append) is None
    checkpoints.clear(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_large_state_is_split_and_a_lost_part_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "LARGEST", 60)
    said = []
    save_steps(tmp_path, (4, 8))
    files = sorted(path.name for path in tmp_path.iterdir() if "000008" in path.name)
    assert len(files) > 1
    tree, log, _ = checkpoints.load_last(tmp_path, STATE, "mine", said.append)
    assert same(tree, state_at(8))
    assert log["step"] == [0.0, 32.0]
    part = tmp_path / "step-000000000008-part-1.safetensors"
    older = tmp_path / "step-000000000004-part-1.safetensors"
    part.write_bytes(older.read_bytes())  # sound, but of another checkpoint
    tree, log, _ = checkpoints.load_last(tmp_path, STATE, "mine", said.append)
    assert same(tree, state_at(4))  # never half of one and half of another
    assert log["step"] == [0.0, 16.0]
    assert "it belongs to another checkpoint" in said[-1]
    part.unlink()
    tree, _, _ = checkpoints.load_last(tmp_path, STATE, "mine", said.append)
    assert int(tree["calls"]) == 4
    assert part.name in said[-1]
    (tmp_path / "step-000000000008.safetensors").unlink()  # killed before the main file was written
    assert int(checkpoints.load_last(tmp_path, STATE, "mine", said.append)[0]["calls"]) == 4


@pytest.mark.parametrize("run", PAPER.run_names)
def test_the_checkpoints_of_the_paper_lie_in_files_below_16_mb(run):
    """From shapes alone: arrays, their names, and a log that is longer than any real one."""
    specification = PAPER.run(run)
    experiment = build(specification)
    shapes = named_leaves(jax.eval_shape(lambda: experiment.start(0)))
    rows = 1 + specification.training.steps // specification.training.log_every
    log = {f"log/{number}": 8 * rows for number in range(100)}
    sizes = {name: leaf.size * leaf.dtype.itemsize for name, leaf in shapes.items()} | log
    files = checkpoints.split(sizes)
    assert sorted(name for names in files for name in names) == sorted(sizes)
    for names in files:
        header = sum(len(name) + 100 for name in names) + 10_000  # dtype, shape and place of each; metadata
        assert sum(sizes[name] for name in names) + header < 16_000_000


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.text(max_size=5), st.floats(width=64) | st.integers(-(2**40), 2**40) | st.text(max_size=9)))
def test_metadata_survives(tmp_path_factory, metadata):
    path = tmp_path_factory.mktemp("metadata") / "state.safetensors"
    checkpoints.save(path, {"w": jnp.zeros(1)}, metadata)
    _, found = checkpoints.load(path, {"w": jnp.zeros(1)})
    assert json.dumps(found) == json.dumps(metadata)
