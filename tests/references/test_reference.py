"""Files of reference solutions: exact round trips, no damage that passes unnoticed, and readable errors."""

import dataclasses
import hashlib
import math

import numpy as np
import pytest

from gradalign.base.errors import ConfigurationError
from gradalign.references._contract import Reference, relative_l2, set_aside, stated_error

CONTRACT = {
    *("t", "x", "u", "problem", "solver", "resolution", "step", "self_convergence_error", "independent_check"),
    *(
        "independent_difference",
        "stated_error",
        "seconds",
        "commit",
        "evidence",
        "evidence_values",
        "inputs",
        "equation",
        "checksum",
    ),
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
        seconds=9.5,
        commit="abc-dirty",
        evidence={"mass": 2e-13, "odd part": 0.0},
        inputs="5" * 64,
        equation='{"viscosity": 0.05}',
    )


def rewritten(path, **changes):
    """The file of a reference with other entries, and a checksum that fits them; None removes an entry."""
    with np.load(path) as stored:
        entries = {name: stored[name] for name in stored.files if name != "checksum"} | changes
    entries = {name: np.asarray(value) for name, value in entries.items() if value is not None}
    text = hashlib.sha256()
    for name, array in sorted(entries.items()):
        text.update(f"{name} {array.dtype.str} {array.shape}\n".encode() + array.tobytes())
    np.savez(path, **entries, checksum=text.hexdigest())


def test_round_trip_keeps_every_bit(tmp_path, reference):
    path = tmp_path / "references" / "burgers.npz"
    reference.save(path)
    found = Reference.load(path)
    for field in dataclasses.fields(Reference):
        before, after = getattr(reference, field.name), getattr(found, field.name)
        if field.name in ("coordinates", "fields", "evidence"):
            assert list(before) == list(after)
            for name in before:
                assert np.asarray(after[name]).dtype == np.float64
                np.testing.assert_array_equal(before[name], after[name])
        elif field.name == "step":
            assert math.isnan(after)
        else:
            assert before == after
    with np.load(path, allow_pickle=False) as stored:
        assert set(stored.files) == CONTRACT | {"coordinates", "fields"}
        assert stored["stated_error"].shape == ()
        assert str(stored["problem"]) == "burgers"
    assert [file.name for file in path.parent.iterdir()] == ["burgers.npz"]


def test_the_same_reference_gives_the_same_bytes(tmp_path, reference):
    for name in ("a.npz", "b.npz"):
        reference.save(tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_no_evidence_and_arrays_in_another_order_are_kept_too(tmp_path, reference):
    turned = dataclasses.replace(reference, evidence={}, fields={"u": np.asfortranarray(reference.fields["u"])})
    turned.save(tmp_path / "turned.npz")
    found = Reference.load(tmp_path / "turned.npz")
    assert found.evidence == {}
    np.testing.assert_array_equal(found.fields["u"], reference.fields["u"])


def test_commit_is_filled_in(reference):
    values = {f.name: getattr(reference, f.name) for f in dataclasses.fields(Reference) if f.name != "commit"}
    assert Reference(**values).commit


def test_missing_and_damaged_files_are_readable_errors(tmp_path, reference):
    path = tmp_path / "burgers.npz"
    with pytest.raises(ConfigurationError, match=r"burgers.npz: no such file; .*gradalign reference PROBLEM"):
        Reference.load(path)
    reference.save(path)
    whole = path.read_bytes()
    for content in (b"", b"text", whole[: len(whole) // 2], whole[:-1]):
        path.write_bytes(content)
        with pytest.raises(ConfigurationError, match=r"burgers.npz: cannot be read .* damaged .*reference PROBLEM"):
            Reference.load(path)
    with pytest.raises(ConfigurationError, match=r"is a directory; allowed: a regular file"):
        Reference.load(tmp_path)
    np.save(tmp_path / "single.npy", np.zeros(3))
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Reference.load(tmp_path / "single.npy")
    np.savez(path, anything=np.zeros(3))
    with pytest.raises(ConfigurationError, match=r"has no entry 'coordinates'; .* only anything"):
        Reference.load(path)


def test_python_objects_in_a_file_are_refused(tmp_path):
    path = tmp_path / "burgers.npz"
    np.savez(path, coordinates=np.array([{}, None], dtype=object))
    with pytest.raises(ConfigurationError, match="holds Python objects as 'coordinates'"):
        Reference.load(path)


def test_no_flipped_bit_changes_what_is_loaded(tmp_path, reference):
    path, other = tmp_path / "burgers.npz", tmp_path / "other.npz"
    reference.save(path)
    whole = path.read_bytes()
    refused = []
    for place in range(0, len(whole), 23):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:
            found = Reference.load(path)
        except ConfigurationError as error:
            refused.append(str(error))
        else:  # a bit of the archive that means nothing, such as the time of an entry
            found.save(other)
            assert other.read_bytes() == whole
    assert len(refused) > 100
    assert all(str(path) in message for message in refused)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stated_error": None}, r"has no entry 'stated_error'; .* another version of this one"),
        ({"evidence": None}, "has no entry 'evidence'"),
        ({"u": None}, "has no entry 'u'"),
        ({"u": np.zeros((2, 2))}, r"field 'u' has shape \(2, 2\); allowed: \(3, 4\)"),
        ({"t": np.zeros((3, 1))}, r"coordinate 't' has shape \(3, 1\); allowed: \(3,\)"),
        ({"u": np.zeros((3, 4), np.float32)}, "field 'u' has dtype float32; allowed: float64"),
        ({"u": np.array([[0, 1, 2, np.nan]] * 3)}, "'u' holds 3 of 12 numbers that are not finite"),
        ({"x": np.array([0, 1, np.inf, 2])}, "'x' holds 1 of 4 numbers that are not finite"),
        ({"independent_difference": np.nan}, "independent_difference is nan, which is not a finite number >= 0"),
        ({"independent_difference": -3.8e-11}, "independent_difference is -3.8e-11, which is not a finite number >= 0"),
        ({"self_convergence_error": np.inf}, "self_convergence_error is inf, which is not a finite number >= 0"),
        ({"stated_error": np.inf}, r"stated_error is inf; allowed: 3.8e-11, the largest that was measured"),
        ({"stated_error": np.nan}, r"stated_error is nan; allowed: 3.8e-11"),
        ({"stated_error": 3.7e-11}, r"stated_error is 3.7e-11; allowed: 3.8e-11"),
        ({"stated_error": 3.9e-11}, r"stated_error is 3.9e-11; allowed: 3.8e-11"),
        ({"step": -1e-3}, "step is -0.001"),
        ({"seconds": np.nan}, "seconds is nan"),
        ({"seconds": "long"}, "has an entry of another kind"),
        ({"evidence_values": np.zeros(1)}, "has an entry of another kind"),
        ({"evidence_values": np.array([0, np.nan])}, "evidence 'odd part' is nan"),
        ({"evidence_values": np.array([0, 1e-3])}, "stated_error is 3.8e-11; allowed: 0.001, the largest that"),
        ({"solver": " ", "commit": ""}, "it does not say its solver, commit"),
        ({"fields": np.array([], np.str_)}, "it has no coordinates or no fields"),
    ],
)
def test_what_cannot_be_trusted_is_refused_though_the_checksum_fits(tmp_path, reference, changes, message):
    path = tmp_path / "burgers.npz"
    reference.save(path)
    rewritten(path)
    assert Reference.load(path).inputs == reference.inputs
    rewritten(path, **changes)
    with pytest.raises(ConfigurationError, match=f"burgers.npz: {message}.*; write it anew"):
        Reference.load(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("u", np.full((3, 4), 2.0)),
        ("x", np.linspace(-1, 1.001, 4)),
        ("seconds", 9.25),
        ("commit", "abc"),
        ("inputs", "6" * 64),
        ("evidence", np.array(["mass", "even part"])),
        ("evidence_values", np.array([1e-13, 0.0])),
        ("more", np.zeros(2)),
    ],
)
def test_the_checksum_covers_every_entry(tmp_path, reference, name, value):
    path = tmp_path / "burgers.npz"
    reference.save(path)
    with np.load(path) as stored:
        entries = {key: stored[key] for key in stored.files}
    np.savez(path, **entries)
    assert Reference.load(path).seconds == reference.seconds
    np.savez(path, **{**entries, name: value})
    with pytest.raises(ConfigurationError, match=r"content does not fit its checksum; the file is damaged"):
        Reference.load(path)


def test_a_file_of_another_problem_is_refused_where_the_problem_is_known(tmp_path, reference):
    path = tmp_path / "allen_cahn.npz"
    reference.save(path)
    assert Reference.load(path, "burgers").problem == "burgers"
    with pytest.raises(ConfigurationError, match="holds the solution of 'burgers'; allowed: that of 'allen_cahn'"):
        Reference.load(path, "allen_cahn")


def test_shapes_and_dtypes_must_agree(reference):
    with pytest.raises(ValueError, match=r"field 'u' has shape \(4, 3\); allowed: \(3, 4\)"):
        dataclasses.replace(reference, fields={"u": reference.fields["u"].T})
    with pytest.raises(ValueError, match="dtype float32"):
        dataclasses.replace(reference, fields={"u": reference.fields["u"].astype(np.float32)})


MEASURED = ["self_convergence_error", "independent_difference", "evidence"]


def with_measured(reference, name, value):
    return dataclasses.replace(reference, **{name: {"energy": value} if name == "evidence" else value})


@pytest.mark.parametrize("name", MEASURED)
@pytest.mark.parametrize("worse", [4e-11, [0.0, 4e-11, 1e-12], np.array([[4e-11, 0.0], [3e-12, 1e-13]])])
def test_the_stated_error_is_the_largest_of_all_that_was_measured(tmp_path, reference, name, worse):
    found = with_measured(reference, name, worse)
    assert found.stated_error == 4e-11
    assert (found.evidence["energy"] if name == "evidence" else getattr(found, name)) == 4e-11
    found.save(tmp_path / "burgers.npz")
    assert Reference.load(tmp_path / "burgers.npz").stated_error == stated_error(tmp_path / "burgers.npz") == 4e-11
    with pytest.raises(TypeError, match="stated_error"):
        dataclasses.replace(reference, stated_error=1e-12)


@pytest.mark.parametrize("name", MEASURED)
@pytest.mark.parametrize(
    ("measured", "said"),
    [
        (math.nan, "nan, which is not a finite number >= 0"),
        ([0.0, math.nan], "nan, which"),
        ([math.nan, 1.0], "nan, which"),
        (np.array([1e-12, math.inf]), "inf, which"),
        (-math.inf, "-inf, which"),
        (-1e-12, "-1e-12, which"),
        ([1e-3, -1e-12], "-1e-12, which"),
        ([], "empty; allowed: one number or more"),
        (np.zeros((0, 3)), "empty; allowed: one number or more"),
    ],
)
def test_what_is_no_measured_error_gives_no_reference(reference, name, measured, said):
    quantity = "evidence 'energy'" if name == "evidence" else name
    with pytest.raises(ConfigurationError, match=f"^{quantity} is {said}"):
        with_measured(reference, name, measured)


def test_a_relative_difference_hides_nothing():
    ones = np.ones((2, 3))
    for value in (math.nan, math.inf, -math.inf):
        broken = ones.copy()
        broken[1, 2] = value
        assert math.isnan(relative_l2(broken, ones))
        assert math.isnan(relative_l2(ones, broken))
        assert math.isnan(relative_l2(broken, broken))
    assert relative_l2(ones, ones) == 0
    assert relative_l2(0 * ones, ones) == 1
    for values, exact in ((ones[:, :1], ones), (ones, ones[:1]), (ones[0, 0], ones)):  # they would broadcast
        with pytest.raises(ValueError, match="the values have shape"):
            relative_l2(values, exact)
    for exact in (0 * ones, ones[:0]):
        with pytest.raises(ValueError, match="without an entry other than zero"):
            relative_l2(exact, exact)


def test_a_solution_that_is_not_finite_is_not_written(tmp_path, reference):
    path = tmp_path / "burgers.npz"
    blown_up = dataclasses.replace(reference, fields={"u": np.full((3, 4), np.inf)})
    with pytest.raises(ConfigurationError, match=r"not written, because 'u' holds 12 .* shorten the time step"):
        blown_up.save(path)
    assert not path.exists()


def test_the_stated_error_is_read_alone(tmp_path, reference):
    path = tmp_path / "burgers.npz"
    reference.save(path)
    assert stated_error(path) == 3.8e-11
    rewritten(path, stated_error="small")
    with pytest.raises(ConfigurationError, match="its stated error is no number"):
        stated_error(path)
    rewritten(path, stated_error=None)
    with pytest.raises(ConfigurationError, match="stated_error is not a file in the archive"):
        stated_error(path)


def test_only_a_file_that_is_not_sound_is_set_aside(tmp_path, reference):
    path, damaged = tmp_path / "burgers.npz", tmp_path / "burgers.damaged.npz"
    assert set_aside(path, "burgers") == ""
    reference.save(path)
    whole = path.read_bytes()
    assert set_aside(path, "burgers") == ""
    assert path.read_bytes() == whole
    for content in (whole[:100], whole[:-100]):  # the second one in place of the first
        path.write_bytes(content)
        found = set_aside(path, "burgers")
        assert "burgers.npz: cannot be read as a reference solution" in found
        assert "burgers.npz was renamed to burgers.damaged.npz, so that it is computed again" in found
        assert not path.exists()
        assert damaged.read_bytes() == content


def test_a_file_that_cannot_be_renamed_is_said_to_be_in_the_way(tmp_path):
    path = tmp_path / "burgers.npz"
    path.write_bytes(b"damaged")
    (tmp_path / "burgers.damaged.npz").mkdir()
    assert "could not be renamed: remove it yourself. Is a directory (EISDIR)" in set_aside(path, "burgers")
    assert path.exists()


def test_reserved_names_and_other_suffixes_are_refused(tmp_path, reference):
    with pytest.raises(ValueError, match="named step; these names are taken"):
        dataclasses.replace(reference, fields={"step": reference.fields["u"]})
    with pytest.raises(ConfigurationError, match=r"suffix '\.h5'; allowed: '\.npz'"):
        reference.save(tmp_path / "burgers.h5")
