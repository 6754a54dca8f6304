"""A decision stands for a newer answer that says the same, and not for another."""

import dataclasses
from dataclasses import replace

import pytest
from fastapi import FastAPI

from posology.domain.recommendation.findings import KnownFact
from posology.domain.recommendation.recommendation import Recommendation
from posology.service.identity.callers import CLINICIAN
from posology.service.store import DecisionRecord, StoredAnswer, save_answer, save_decision
from posology.service.work import _pack
from tests.builders.pages import signed_in
from tests.builders.recommendations import ADVICE_BY_STATE
from tests.builders.service import deployment_of

SAME = ADVICE_BY_STATE["dose"]
assert SAME.dose is not None
assert SAME.dose.plan_for is not None
LOW, HIGH = SAME.dose.plan_for
OTHERS = [
    replace(SAME, dose=replace(SAME.dose, dose=SAME.dose.dose + 5)),
    replace(SAME, dose=replace(SAME.dose, plan_for=(LOW, HIGH + 5))),
    ADVICE_BY_STATE["fact_missing"],
]


def answered(app: FastAPI, ident: str, minute: int, advice: Recommendation) -> None:
    parts = {"recommendation": advice, "reading": {}, "study_evidence": None, "dose_evidence": None}
    deployment = deployment_of(app)
    row = StoredAnswer(
        id=ident,
        made_at=f"2026-11-27T08:{minute:02d}:00.000000Z",
        model="warfarin",
        digest=deployment.models.get("warfarin").digest,
        patient_key="one patient",
        state=advice.state,
        headline=advice.headline,
        asked_by="ehr",
        door="cds_hooks",
        door_reference="",
        is_demo=False,
        milliseconds=1.0,
        body=_pack(parts),
        given=None,
    )
    deployment.store.write_now(save_answer, row)


def decided(app: FastAPI) -> None:
    record = DecisionRecord("k", "first", "accepted", "local:Dr A. Sample", dose=25.0)
    deployment_of(app).store.write_now(save_decision, record)


def test_a_hook_that_says_the_same_leaves_the_patient_decided(app: FastAPI) -> None:
    answered(app, "first", 0, SAME)
    decided(app)
    answered(app, "second", 5, dataclasses.replace(SAME, time="2026-11-27T08:05:00"))
    browser = signed_in(app, CLINICIAN)
    browser.get("/")
    assert "None of 1 patient waits for your decision" in browser.text
    assert "Accepted" in browser.text
    browser.get("/answers/second")
    assert "Accepted by Dr A. Sample" in browser.text


@pytest.mark.parametrize("advice", OTHERS)
def test_other_advice_asks_again_and_says_so(app: FastAPI, advice: Recommendation) -> None:
    answered(app, "first", 0, SAME)
    decided(app)
    answered(app, "second", 5, advice)
    browser = signed_in(app, CLINICIAN)
    browser.get("/")
    assert "1 of 1 patient waits for your decision" in browser.text
    assert "Changed since your decision of" in browser.text
    browser.get("/answers/second")
    assert "The advice changed since your decision of" in browser.text


KNOWN = (KnownFact("height", "180 cm"), KnownFact("VKORC1", "A/G"), KnownFact("sex", "male"))
FULL = replace(SAME, known=KNOWN)
POORER = replace(OTHERS[0], known=KNOWN[2:])


def test_an_answer_that_knew_less_reopens_no_decision_and_says_what_is_missing(
    app: FastAPI,
) -> None:
    answered(app, "first", 0, FULL)
    decided(app)
    answered(app, "second", 5, POORER)
    browser = signed_in(app, CLINICIAN)
    browser.get("/")
    assert "None of 1 patient waits for your decision" in browser.text
    assert "knew fewer facts than before: height, VKORC1 missing" in browser.text
    assert "/answers/first" in browser.links
    browser.get("/answers/second")
    assert "This answer knew fewer facts than before: height, VKORC1 missing." in browser.text
    assert "/answers/first" in browser.links
    browser.get("/answers/first")
    assert "knew fewer facts than before: height, VKORC1 missing." in browser.text
    assert "out of date" not in browser.text
    assert "/answers/second" in browser.links


def test_a_decision_reopened_with_all_facts_stays_open_after_one_that_knew_less(
    app: FastAPI,
) -> None:
    answered(app, "first", 0, FULL)
    decided(app)
    answered(app, "second", 5, replace(OTHERS[0], known=KNOWN))
    answered(app, "third", 6, POORER)
    browser = signed_in(app, CLINICIAN)
    browser.get("/")
    assert "1 of 1 patient waits for your decision" in browser.text
    assert "A newer answer knew fewer facts than before" in browser.text
    assert "/answers/second" in browser.links


def test_a_new_value_reopens_the_decision_though_other_facts_are_missing(app: FastAPI) -> None:
    answered(app, "first", 0, FULL)
    decided(app)
    answered(app, "second", 5, replace(POORER, known=(KnownFact("sex", "female"),)))
    browser = signed_in(app, CLINICIAN)
    browser.get("/")
    assert "1 of 1 patient waits for your decision" in browser.text
    assert "This answer knew fewer facts than before: height, VKORC1 missing" in browser.text
    browser.get("/answers/second")
    assert "Decide again. This answer knew fewer facts than before" in browser.text
