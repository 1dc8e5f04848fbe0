"""What every topic of claims promises. Its records are expensive: each topic is checked once for all tests."""

import jax
import pytest

from gradalign.claims import inter_step, score, soap_statistics
from gradalign.discovery import module_names
from gradalign.errors import ConfigurationError

TOPICS = {"inter_step": inter_step, "score": score, "soap_statistics": soap_statistics}
CLAIMS = {
    "score": "T1a T1b T1c T1d T1e T2a T2b T2c T3a T3b T3c T3d T4 T5 T6 T7 T8a T8b T8c T8d T9 T10 T11",
    "inter_step": "T14a T14b T14c T14d T14e T18a T18b",
    "soap_statistics": "T28a T28b T28c T29a T29b T29c T29d T30 T31 T31i T31ii T31iii T31iv T31v T31vi T32",
}
FALSE_IN_GENERAL = {"score": {"T2c", "T5", "T8d"}, "inter_step": {"T14b", "T14e"}, "soap_statistics": {"T29d", "T31ii"}}


@pytest.fixture(scope="module", params=TOPICS)
def topic(request):
    return request.param


@pytest.fixture(scope="module")
def records(topic):
    return TOPICS[topic].check()


def test_every_topic_is_tested_here():
    assert sorted(TOPICS) == module_names("claims")


def test_all_records_are_confirmed(records):
    assert [record for record in records if record.verdict != "confirmed"] == []


def test_records_cover_the_claims(topic, records):
    assert {record.claim for record in records} == set(CLAIMS[topic].split())
    assert {record.claim for record in records if record.status == "false in general"} == FALSE_IN_GENERAL[topic]


def test_every_record_says_something_of_its_own(records):
    keys = [(record.claim, record.statement, record.quantity) for record in records]
    assert len(set(keys)) == len(keys)


def test_checks_need_64_bit_types(topic):
    with jax.enable_x64(False), pytest.raises(ConfigurationError, match="64-bit"):
        TOPICS[topic].check()
