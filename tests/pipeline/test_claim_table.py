"""One claim on a terminal: found by its text, measured alone, and shown whole."""

import re

import pytest
from typer.testing import CliRunner

from gradalign.base.discovery import module_names
from gradalign.base.errors import ConfigurationError
from gradalign.claims._checks import checks_of
from gradalign.claims._records import claim_number
from gradalign.pipeline.claim_table import belongs, topic_of
from gradalign.pipeline.cli import application


@pytest.mark.parametrize("topic", module_names("claims"))
def test_every_record_is_found_by_its_number(topic):
    module = __import__(f"gradalign.claims.{topic}", fromlist=["claims"])
    checks = checks_of(module)
    assert checks
    for check in checks:
        found = {topic_of(check.claim), topic_of(claim_number(check.claim))}
        assert topic in found or len(found) == 2  # a claim of two topics is found in the first
        assert belongs(check.claim, claim_number(check.claim))


def test_a_claim_is_printed_with_all_that_a_reader_needs(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    found = CliRunner().invoke(application, ["claim", "T1d"])
    assert found.exit_code == 0, found.output
    text = re.sub(r"\s+", " ", found.output)
    for part in ("claim statement measured quantity measured expected verdict", "confirmed", "(proven)", "[score."):
        assert part in text
    assert "T1a" not in text
    assert "tolerance: " in text
    assert text.rstrip().endswith("T1d: confirmed 4 proven; violated none")


def test_an_unknown_claim_is_told_those_that_exist():
    with pytest.raises(ConfigurationError, match=r"unknown claim 'T99'; allowed: T1, T10, T11"):
        topic_of("T99")
