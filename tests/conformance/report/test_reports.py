"""The report as text, JSON and page."""

import datetime
import re

import pytest

from posology.conformance.examine import Examination
from posology.conformance.ledger import Ledger
from posology.conformance.report.json import report_json
from posology.conformance.report.page import report_page
from posology.conformance.report.text import report_text, verdict_of


def found(*faults: str) -> Examination:
    ledger = Ledger()
    ledger.expect("cds-4", True, "discovery", "")
    for statement in faults:
        for number in range(5):
            ledger.expect(statement, False, f"<dose> on order-sign, card {number}", "a & b " * 20)
    at = datetime.datetime(2026, 11, 28, 9, 5, tzinfo=datetime.UTC)
    services = ("dose-advisor on patient-view",) * 9
    return Examination("http://a.example/cds-services", at, services, 70, 1.25, ledger.findings())


def test_no_line_is_longer_than_80_columns() -> None:
    text = report_text(found("cds-83", "cds-8", "own-unknown"))
    assert max(len(line) for line in text.splitlines()) <= 80
    assert text.endswith("\n")


def test_the_verdict_counts_only_what_shall() -> None:
    assert verdict_of(found("cds-8", "own-unknown")).startswith("No SHALL failed: 1 passed")
    assert verdict_of(found("cds-83", "cds-87")).startswith("2 SHALL failed: 1 passed")
    assert found("cds-8").faults == ()


def test_faults_name_places_and_count_the_rest() -> None:
    text = report_text(found("cds-83"))
    block = text.partition("FAILED\n")[2].partition("\n\n")[0]
    assert block.startswith("cds-83        SHALL  A card's summary is text under 140 characters\n")
    assert "<dose> on order-sign, card 2: a & b" in block
    assert "and 2 more of 5" in block
    assert "card 3" not in block


def test_what_cannot_be_seen_has_its_reason() -> None:
    block = report_text(found()).partition("NOT OBSERVABLE\n")[2]
    assert "cds-213" in block
    assert "it is an agreement between two organisations" in block


def test_a_statement_that_is_unknown_is_an_error() -> None:
    ledger = Ledger()
    with pytest.raises(KeyError, match="cds-999"):
        ledger.expect("cds-999", True, "", "")


def test_json_has_every_statement_once() -> None:
    body = report_json(found("cds-83"))
    ids = [finding["id"] for finding in body["findings"]]
    assert len(ids) == len(set(ids)) == 125
    fault = next(f for f in body["findings"] if f["id"] == "cds-83")
    assert (fault["verdict"], fault["seen"], len(fault["faults"])) == ("failed", 5, 5)
    assert body["at"] == "2026-11-28T09:05:00+00:00"


def test_the_page_escapes_what_the_service_sent() -> None:
    page = report_page(found("cds-83"))
    assert "&lt;dose&gt; on order-sign" in page
    assert "<dose>" not in page
    assert not re.search(r"<script|https?://(?!a\.example)", page)
    assert page.count("<h1>") == 1
