"""Files of unknown origin: nothing waits, nothing expands, nothing runs, and our own are read as before."""

import io
import os
import pickle
import socket
import stat
import zipfile

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gradalign.base import untrusted, yaml_files
from gradalign.base.errors import ConfigurationError, ForeignFileError
from gradalign.base.machine import Memory
from gradalign.references._contract import Reference, set_aside
from gradalign.training import checkpoints, records


def special(kind, path):
    if kind == "a named pipe":
        os.mkfifo(path)
    elif kind == "a directory":
        path.mkdir()
    elif kind == "a device":
        path.symlink_to("/dev/zero")
    else:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(path))
    return path


KINDS = ["a named pipe", "a directory", "a device", "a socket"]


@pytest.mark.parametrize("kind", KINDS)
def test_only_regular_files_are_read(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # paths of sockets must be short
    path = special(kind, tmp_path / "a.npz")
    for read in (
        untrusted.contents,
        untrusted.text,
        untrusted.table,
        untrusted.arrays,
        yaml_files.read,
        Reference.load,
        checkpoints._read,
    ):
        with pytest.raises((ConfigurationError, checkpoints.CheckpointError), match=f"is {kind}|{kind}"):
            read(path)


@pytest.mark.parametrize("kind", KINDS)
def test_the_pipeline_names_them_before_it_plans(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    reference = special(kind, tmp_path / "r.npz")
    assert f"is {kind}" in set_aside(reference, "burgers")
    (tmp_path / "run" / "checkpoints" / "seed-0").mkdir(parents=True)
    (tmp_path / "run" / "checkpoints" / "seed-0" / "step-000000000004.safetensors").touch()
    special(kind, tmp_path / "run" / "checksums.sha256")
    assert f"is {kind}" in records.set_aside(tmp_path / "run")


def test_a_pipe_that_takes_the_place_of_a_file_is_not_waited_for(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "a.csv")
    regular = os.stat(__file__)
    monkeypatch.setattr(untrusted.os, "stat", lambda path: regular)
    assert stat.S_ISREG(regular.st_mode)
    with pytest.raises(ForeignFileError, match="is a named pipe"):
        untrusted.contents(tmp_path / "a.csv")


def test_a_file_is_as_large_as_its_kind_may_be(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b" " * untrusted.LARGEST_TEXT)
    assert len(untrusted.contents(path)) == untrusted.LARGEST_TEXT
    with path.open("ab") as file:
        file.write(b" ")
    with pytest.raises(ForeignFileError, match=r"a\.json: has 1\.0 MB; allowed: at most 1\.0 MB"):
        untrusted.contents(path)
    with path.open("wb") as file:
        file.truncate(untrusted.LARGEST_TABLE + 1)  # a sparse file: takes no space
    with pytest.raises(ForeignFileError, match=r"has 268\.4 MB"):
        untrusted.table(path)


def test_an_archive_that_would_fill_the_memory_is_not_expanded(tmp_path, monkeypatch):
    path = tmp_path / "zeros.npz"
    np.savez_compressed(path, u=np.zeros(10**6))
    monkeypatch.setattr(np.lib.format, "read_array", lambda *given, **options: pytest.fail("expanded"))
    with pytest.raises(ForeignFileError, match=r"would expand to 8\.0 MB, more than 100 times"):
        untrusted.arrays(path)
    np.savez(path, u=np.zeros(1000))
    monkeypatch.setattr(untrusted, "available_memory", lambda: Memory(4000, "the memory of this machine"))
    with pytest.raises(ForeignFileError, match=r"allowed: at most the 4\.0 kB free in the memory of this machine"):
        untrusted.arrays(path)


def archive(path, header_shape, data, descr="<f8"):
    """An archive with one array, whose header and bytes are given separately."""
    member = io.BytesIO()
    np.lib.format.write_array_header_1_0(member, {"descr": descr, "fortran_order": False, "shape": header_shape})
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("u.npy", member.getvalue() + data)


@pytest.mark.parametrize("shape", [(10**12,), (2**40, 2**40), (3,), (0,), (1,), (-2,)])
def test_a_shape_that_its_bytes_do_not_fill_is_refused(shape, tmp_path):
    archive(tmp_path / "a.npz", shape, bytes(16))
    with pytest.raises(ForeignFileError, match="which does not fit its"):
        untrusted.arrays(tmp_path / "a.npz")


def test_python_objects_are_never_made(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("a pickle ran",))

    np.savez(tmp_path / "a.npz", u=np.asarray([Bomb()], dtype=object))
    with pytest.raises(ForeignFileError, match="holds Python objects as 'u'"):
        untrusted.arrays(tmp_path / "a.npz")


@given(
    st.lists(st.integers(0, 4), min_size=0, max_size=3), st.sampled_from(["f8", "f4", "i8", "U5", "?"]), st.booleans()
)
def test_our_arrays_are_read_as_numpy_reads_them(tmp_path_factory, shape, dtype, packed):
    path = tmp_path_factory.mktemp("arrays") / "a.npz"
    values = {"u": np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype), "v": np.asarray("text")}
    (np.savez_compressed if packed else np.savez)(path, **values)
    found = untrusted.arrays(path)
    assert list(found) == ["u", "v"]
    for name, value in values.items():
        np.testing.assert_array_equal(found[name], value)
        assert found[name].dtype == value.dtype
    with pytest.raises(KeyError):
        untrusted.arrays(path, "w")


def test_aliases_that_multiply_a_file_are_counted_and_others_are_not(tmp_path):
    path = tmp_path / "laughs.yaml"
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    path.write_text("\n".join(lines))
    with pytest.raises(ConfigurationError, match=rf"more than {yaml_files.LARGEST_NODES} keys and values"):
        yaml_files.read(path)
    path.write_text("a: &a {b: [1, 2]}\nc: *a\n")
    assert yaml_files.read(path) == yaml.safe_load(path.read_text())
    path.write_text("a: &a [*a]\n")
    with pytest.raises(ConfigurationError, match="contains itself"):
        yaml_files.read(path)
    path.write_text("a: " + "[" * 100_000)
    with pytest.raises(ConfigurationError, match="more than 100 open brackets"):
        yaml_files.read(path)


def test_a_list_of_checksums_names_no_file_twice(tmp_path):
    files = [tmp_path / "runs.csv", tmp_path / "curves.csv"]
    for file in files:
        file.write_text("a")
    records.seal(tmp_path, files)
    assert records.damage(tmp_path) == ""
    sealed = (tmp_path / "checksums.sha256").read_text()
    (tmp_path / "checksums.sha256").write_text(sealed * 1000)
    assert "lists a file twice" in records.damage(tmp_path)


def test_the_error_comes_back_from_another_process():
    error = ForeignFileError("curves.csv.gz", "cannot be unpacked")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
