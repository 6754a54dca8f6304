from typing import Any

import pytest

from posology.service.cds_hooks.prefetch import ABSENT, COMPLETE, FAILED, PARTIAL, read_prefetch
from posology.service.cds_hooks.queries import Query
from tests.builders.hook_calls import PATIENT, observation, searchset

RESULTS = Query("labs", "Observation?patient={{context.patientId}}", "Observation", "labs", True)
WHO = Query("patient", "Patient/{{context.patientId}}", "Patient", "age and sex", True)
OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "x"}]}
HINT = {"resourceType": "OperationOutcome", "issue": [{"severity": "warning", "code": "x"}]}
NEXT = [{"relation": "next", "url": "https://ehr.example/fhir?page=2"}]


@pytest.mark.parametrize(
    ("query", "prefetch", "status", "count"),
    [
        (RESULTS, None, ABSENT, 0),
        (RESULTS, {}, ABSENT, 0),
        (RESULTS, {"Labs": searchset()}, ABSENT, 0),
        (RESULTS, {"labs": None}, COMPLETE, 0),
        (RESULTS, {"labs": searchset()}, COMPLETE, 0),
        (RESULTS, {"labs": {"resourceType": "Bundle", "type": "searchset"}}, COMPLETE, 0),
        (RESULTS, {"labs": searchset(observation())}, COMPLETE, 1),
        (RESULTS, {"labs": searchset(observation(), HINT)}, COMPLETE, 1),
        (RESULTS, {"labs": observation()}, COMPLETE, 1),
        (RESULTS, {"labs": OUTCOME}, FAILED, 0),
        (RESULTS, {"labs": searchset(OUTCOME)}, PARTIAL, 0),
        (RESULTS, {"labs": searchset(observation(), OUTCOME)}, PARTIAL, 1),
        (RESULTS, {"labs": searchset(observation(), link=NEXT)}, PARTIAL, 1),
        (RESULTS, {"labs": searchset(observation(), total=3)}, PARTIAL, 1),
        (RESULTS, {"labs": searchset(observation(), total=1)}, COMPLETE, 1),
        (RESULTS, {"labs": searchset(PATIENT)}, PARTIAL, 0),
        (RESULTS, {"labs": PATIENT}, FAILED, 0),
        (RESULTS, {"labs": {}}, FAILED, 0),
        (RESULTS, {"labs": {"resourceType": "Bundle", "entry": "x"}}, FAILED, 0),
        (RESULTS, {"labs": {"resourceType": "Bundle", "entry": [None]}}, PARTIAL, 0),
        (WHO, {"patient": PATIENT}, COMPLETE, 1),
        (WHO, {"patient": searchset(PATIENT)}, COMPLETE, 1),
        (WHO, {"patient": None}, FAILED, 0),
        (WHO, {"patient": searchset()}, FAILED, 0),
        (WHO, {"patient": searchset(PATIENT, PATIENT)}, FAILED, 0),
    ],
)
def test_what_was_sent(query: Query, prefetch: Any, status: str, count: int) -> None:
    received = read_prefetch(query, prefetch)
    assert (received.status, len(received.resources)) == (status, count)


def test_the_next_page_is_named() -> None:
    received = read_prefetch(RESULTS, {"labs": searchset(observation(), link=NEXT)})
    assert received.next_page == "https://ehr.example/fhir?page=2"
