"""What every topic of claims promises. A test file per topic inherits it: expensive records are made once."""

import jax
import numpy as np
import pytest

from gradalign.errors import ConfigurationError
from gradalign.records import claim_number


class TopicContract:
    """Set ``topic`` (the module), ``claims`` (names of all its records) and ``false_in_general`` (of those so)."""

    topic = None
    claims = ""
    false_in_general = ""

    @pytest.fixture(scope="class")
    @classmethod
    def records(cls):
        return cls.topic.check()

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
        with jax.enable_x64(False), pytest.raises(ConfigurationError, match="64-bit"):
            self.topic.check()
