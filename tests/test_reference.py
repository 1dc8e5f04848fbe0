"""Files of reference solutions: exact round trips and readable errors."""

import dataclasses
import math

import numpy as np
import pytest

from gradalign.errors import ConfigurationError
from gradalign.reference import Reference

CONTRACT = {
    *("t", "x", "u", "problem", "solver", "resolution", "step", "self_convergence_error", "independent_check"),
    *("independent_difference", "stated_error", "seconds", "commit"),
}


@pytest.fixture
def reference():
    t, x = np.linspace(0, 1, 3), np.linspace(-1, 1, 4)
    return Reference(
        problem="burgers",
        coordinates={"t": t, "x": x},
        fields={"u": np.outer(t, x) / 3},
        solver="Cole-Hopf quadrature",
        resolution="1501 nodes",
        step=math.nan,
        self_convergence_error=1e-15,
        independent_check="Fourier ETDRK4, ν = 0.01/π",
        independent_difference=3.8e-11,
        stated_error=3.8e-11,
        seconds=9.5,
        commit="abc-dirty",
    )


def test_round_trip_keeps_every_bit(tmp_path, reference):
    path = tmp_path / "references" / "burgers.npz"
    reference.save(path)
    found = Reference.load(path)
    for field in dataclasses.fields(Reference):
        before, after = getattr(reference, field.name), getattr(found, field.name)
        if field.name in ("coordinates", "fields"):
            assert list(before) == list(after)
            for name in before:
                assert after[name].dtype == np.float64
                np.testing.assert_array_equal(before[name], after[name])
        elif field.name == "step":
            assert math.isnan(after)
        else:
            assert before == after
    with np.load(path, allow_pickle=False) as stored:
        assert set(stored.files) >= CONTRACT
        assert stored["stated_error"].shape == ()
        assert str(stored["problem"]) == "burgers"
    assert [file.name for file in path.parent.iterdir()] == ["burgers.npz"]


def test_the_same_reference_gives_the_same_bytes(tmp_path, reference):
    for name in ("a.npz", "b.npz"):
        reference.save(tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_commit_is_filled_in(reference):
    values = {f.name: getattr(reference, f.name) for f in dataclasses.fields(Reference) if f.name != "commit"}
    assert Reference(**values).commit


def test_missing_and_damaged_files_are_readable_errors(tmp_path, reference):
    path = tmp_path / "burgers.npz"
    with pytest.raises(ConfigurationError, match=r"burgers.npz: no such file; .*gradalign reference PROBLEM"):
        Reference.load(path)
    reference.save(path)
    whole = path.read_bytes()
    for content in (b"", b"text", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(ConfigurationError, match=r"burgers.npz: cannot be read .* damaged"):
            Reference.load(path)
    np.save(tmp_path / "single.npy", np.zeros(3))
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Reference.load(tmp_path / "single.npy")
    np.savez(path, anything=np.zeros(3))
    with pytest.raises(ConfigurationError, match=r"has no entry 'coordinates'; .* only anything"):
        Reference.load(path)


def test_python_objects_in_a_file_are_refused(tmp_path):
    path = tmp_path / "burgers.npz"
    np.savez(path, coordinates=np.array([{}, None], dtype=object))
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Reference.load(path)


def test_shapes_must_agree(tmp_path, reference):
    with pytest.raises(ValueError, match=r"field 'u' has shape \(4, 3\); allowed: \(3, 4\)"):
        dataclasses.replace(reference, fields={"u": reference.fields["u"].T})
    path = tmp_path / "burgers.npz"
    reference.save(path)
    with np.load(path) as stored:
        values = {name: stored[name] for name in stored.files}
    np.savez(path, **{**values, "u": np.zeros((2, 2))})
    with pytest.raises(ConfigurationError, match=r"burgers.npz: field 'u' has shape \(2, 2\)"):
        Reference.load(path)


def test_reserved_names_and_other_suffixes_are_refused(tmp_path, reference):
    with pytest.raises(ValueError, match="named step; these names are taken"):
        dataclasses.replace(reference, fields={"step": reference.fields["u"]})
    with pytest.raises(ConfigurationError, match=r"suffix '\.h5'; allowed: '\.npz'"):
        reference.save(tmp_path / "burgers.h5")
