"""What every topic of claims promises. The test file of each topic inherits it; expensive records are made once.

Two tests poison the measurements of a topic. The first poisons every array passed to a record, one number at a time;
the second replaces all results of the measuring functions, named in ``measured``, by NaN.
"""

import dataclasses

import jax
import numpy as np
import pytest
from types_of_32_bits import without_64_bit_types

from gradalign.base.errors import ConfigurationError
from gradalign.claims import _records as records
from gradalign.claims._checks import checked, checks_of
from gradalign.claims._records import claim_number


class TopicContract:
    """Set ``topic`` (the module), ``claims`` (names of all its records) and ``false_in_general`` (those of them).

    measured: names of the measuring functions in the module, whose results are replaced by NaN. exact: claim and
    quantity of the records that use none of them, with the reason in a comment.
    """

    topic = None
    claims = ""
    false_in_general = ""
    measured = ""
    exact = ()

    @pytest.fixture(scope="class")
    @classmethod
    def checked(cls):
        """All records, and those that stayed confirmed with one of their numbers poisoned."""
        survivors = []
        return _records_of(checks_of(cls.topic), survivors), survivors

    @pytest.fixture(scope="class")
    @classmethod
    def records(cls, checked):
        return checked[0]

    @pytest.fixture(scope="class")
    @classmethod
    def curves(cls):
        return cls.topic.curves()

    def test_all_records_are_confirmed(self, records):
        assert [record for record in records if record.verdict != "confirmed"] == []

    def test_records_cover_the_claims(self, records):
        assert {record.claim for record in records} == set(self.claims.split())
        false = {record.claim for record in records if record.status == "false in general"}
        assert false == set(self.false_in_general.split())

    def test_every_record_says_something_of_its_own(self, records):
        keys = [(record.claim, record.statement, record.quantity) for record in records]
        assert len(set(keys)) == len(keys)

    def test_curves_belong_to_claims_of_the_topic(self, curves):
        assert {curve.claim for curve in curves} <= {claim_number(name) for name in self.claims.split()}
        keys = [(curve.claim, curve.quantity, curve.series, curve.seed) for curve in curves]
        assert len(set(keys)) == len(keys)
        assert all(np.all(np.isfinite(curve.x)) for curve in curves)

    def test_checks_need_64_bit_types(self):
        with without_64_bit_types(), pytest.raises(ConfigurationError, match="64-bit"):
            checked(checks_of(self.topic))

    def test_one_bad_number_is_never_confirmed(self, checked):
        assert checked[1] == []

    def test_nothing_is_confirmed_by_measurements_that_are_nan(self, records, monkeypatch):
        assert self.measured, "name the functions that measure"
        # NaN replaces what the measuring functions return, so these keep their caches; all others are cleared
        others = vars(self.topic).keys() - set(self.measured.split())
        caches = [vars(self.topic)[name] for name in others if hasattr(vars(self.topic)[name], "cache_clear")]
        for name in self.measured.split():
            monkeypatch.setattr(self.topic, name, _all_nan(getattr(self.topic, name)))
        for cache in caches:
            cache.cache_clear()
        confirmed = set()
        try:
            for check in checks_of(self.topic):
                try:
                    found = checked([check])
                except (ValueError, FloatingPointError, np.linalg.LinAlgError):
                    continue  # a check that stops confirms nothing
                confirmed |= {(record.claim, record.quantity) for record in found if record.verdict == "confirmed"}
        finally:
            for cache in caches:
                cache.cache_clear()
        assert sorted(confirmed) == sorted(self.exact)


def _records_of(checks, survivors):
    """The records of checks, whose arrays are also tried with a NaN, with an infinity, and without any number."""
    found = []
    for check in checks:
        measured = check.measured()
        for name in ("values", "of"):
            if name == "of" and not records._flat(measured.of).size:
                continue
            for how, poisoned in _poisons_of(check, measured, name):
                if check.record(dataclasses.replace(measured, **{name: poisoned})).verdict == "confirmed":
                    survivors.append((check.claim, check.quantity, name, how))
        found.append(check.record(measured))
    return found


def _poisons_of(check, measured, name):
    """Poisoned versions of the arrays of a check."""
    samples = check.reduction == "in_band" and name == "values"
    mean = check.bound if measured.expected is None else measured.expected
    arguments = {"samples" if samples else name: getattr(measured, name), "mean": mean}
    return _poisons(arguments, "samples" if samples else name)


def _poisons(arguments, name):
    """Poisoned versions of one array argument: with a non-finite entry, or with no entry."""
    single = name == "samples" and np.ndim(arguments["mean"]) == 0
    parts = [arguments[name]] if single or not isinstance(arguments[name], list | tuple) else list(arguments[name])
    arrays = [np.array(part, np.float64) if not isinstance(part, list | tuple) else part for part in parts]
    flat = [records._flat(array) for array in arrays]
    chosen = int(np.random.default_rng(0).integers(len(flat)))
    for how, value in (("NaN", np.nan), ("infinity", np.inf)):
        bad = flat[chosen].copy()
        if bad.size:
            bad[len(bad) // 2] = value
            changed = [*flat[:chosen], bad, *flat[chosen + 1 :]]
            yield how, changed[0] if single else changed
    if name != "of":
        yield "empty", np.empty(0) if single else [np.empty(0) for _ in flat] if name == "samples" else []


def _all_nan(function):
    """The function, with every floating-point number that it returns replaced by NaN."""

    def measured(*positional, **named):
        return jax.tree.map(_nan_of, function(*positional, **named))

    return measured


def _nan_of(leaf):
    if isinstance(leaf, float):
        return np.nan
    if isinstance(leaf, np.ndarray | jax.Array | np.floating) and np.issubdtype(leaf.dtype, np.floating):
        return np.full_like(leaf, np.nan) if isinstance(leaf, np.ndarray | np.floating) else leaf * np.nan
    return leaf
