"""Asking on a page, stopping a model and inviting people: each a plain form."""

import re
from dataclasses import replace

import pytest
from fastapi import FastAPI

from posology.service.identity.callers import ADMINISTRATOR, CLINICIAN, DATA_SCIENTIST
from posology.service.store import newest_answers
from posology.service.store.audit import iterate_audit
from tests.builders.pages import Browser, signed_in, store_advice
from tests.builders.service import deployment_of


def field_of(browser: Browser, label: str) -> str:
    """Id of the field with this label."""
    assert browser.page is not None
    found = re.search(rf'<label for="([^"]+)">{label}</label>', browser.page.text)
    assert found is not None
    return found[1]


def test_a_question_asked_on_a_page_is_answered_and_stored(app: FastAPI) -> None:
    browser = signed_in(app, CLINICIAN)
    browser.get("/ask")
    fields = {field_of(browser, name): value for name, value in FACTS.items()}
    browser.post("/ask", {"model": "warfarin", "patient": "MRN 1"} | fields)
    assert browser.page is not None
    kept = deployment_of(app).store.read_now(newest_answers, 10)
    assert browser.page.url.path == f"/answers/{kept[0].id}"
    assert (kept[0].door, kept[0].asked_by) == ("page", "local:Dr A. Sample")
    assert "MRN" not in kept[0].patient_key


FACTS = {"Age": "70-79", "Height": "180", "Weight": "80", "Sex": "male"}


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, "Nothing is known of this patient; fill in at least one fact"),
        ({"Height": "1750"}, "Height: 1750 cm cannot be right; enter from"),
        ({"Height": "tall"}, "Height: “tall” is no number in cm; enter one, or leave it empty"),
        ({"Age": "old"}, "Age: “old” is no age; enter years such as 72, a range such as 70-79, or"),
    ],
)
def test_a_question_that_cannot_be_right_is_shown_again_with_the_mend(
    app: FastAPI, facts: dict[str, str], words: str
) -> None:
    browser = signed_in(app, CLINICIAN)
    browser.get("/ask")
    fields = {field_of(browser, name): value for name, value in facts.items()}
    page = browser.post("/ask", {"model": "warfarin"} | fields)
    assert page.status_code == 422
    assert words in browser.text
    assert "<title>Error: " in page.text
    if "Height" in facts:
        assert 'aria-invalid="true"' in page.text
        assert f'value="{facts["Height"]}"' in page.text
    assert deployment_of(app).store.read_now(newest_answers, 10) == []


def test_an_administrator_stops_a_model_after_a_confirming_page(app: FastAPI) -> None:
    browser, reader = signed_in(app, ADMINISTRATOR), signed_in(app, DATA_SCIENTIST)
    stop = "/monitoring/warfarin/stop"
    reader.get("/monitoring/warfarin")
    assert stop not in reader.links
    assert reader.post(stop, {"reason": "x"}).status_code == 403
    browser.get("/monitoring/warfarin")
    assert "Too few answers to judge yet" in browser.text
    assert stop in browser.links
    browser.get(stop)
    assert browser.post(stop, {"reason": " "}).status_code == 422
    assert "Write why, so that others understand it" in browser.text
    assert deployment_of(app).models.stopped == {}
    browser.post(stop, {"reason": "wrong doses"})
    assert "This model is switched off" in browser.text
    assert deployment_of(app).models.stopped == {"warfarin": "wrong doses"}
    browser.get("/monitoring/warfarin/resume")
    browser.post("/monitoring/warfarin/resume", {"reason": "mended"})
    assert deployment_of(app).models.stopped == {}
    assert "Answers again" in browser.text
    browser.get("/monitoring/warfarin?verify=1")
    assert "Audit log verified:" in browser.text
    assert browser.get("/monitoring/warfarin/explode").status_code == 404


def test_an_administrator_invites_a_person_who_signs_in_once(app: FastAPI) -> None:
    browser = signed_in(app, ADMINISTRATOR)
    browser.get("/people")
    assert browser.post("/people", {"role": "king"}).status_code == 422
    assert "Enter the person's name" in browser.text
    page = browser.post("/people", {"name": "Dr C. Sample", "role": CLINICIAN})
    link = re.search(r"http://[^<]+/sign-in/link\?token=[\w-]+", page.text)
    assert link is not None
    guest = Browser(app)
    guest.get(link[0])
    guest.post("/sign-in/link", {"token": link[0].partition("=")[2]})
    assert "Dr C. Sample, clinician" in guest.text
    assert signed_in(app, CLINICIAN).get("/people").status_code == 403


def test_an_error_page_says_what_to_do_and_keeps_its_policy(app: FastAPI) -> None:
    browser = signed_in(app, CLINICIAN)
    page = browser.get("/answers/none")
    assert page.status_code == 404
    assert "There is nothing at this address" in browser.text
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["cache-control"] == "no-store"


def test_a_dose_far_above_all_others_needs_a_word(app: FastAPI) -> None:
    """900 mg for 90 is a slip of the keyboard more often than a dose."""
    browser = signed_in(app, CLINICIAN)
    answer = store_advice(app, "better")
    browser.get(f"/answers/{answer}")
    body = {
        "outcome": "overridden",
        "option_overridden": "medium",
        "dose_overridden": "900",
        "reason_overridden": "guideline",
    }
    page = browser.post(f"/answers/{answer}/decision", body)
    assert page.status_code == 422
    assert "900 mg a week is far above" in page.text
    assert "say under “Anything to add” why it is right" in page.text
    browser.post(f"/answers/{answer}/decision", body | {"comment": "resistant to warfarin"})
    assert "Overridden by" in browser.text


def test_a_refused_age_stands_at_the_age(app: FastAPI) -> None:
    """It stood at the first field that was filled in."""
    browser = signed_in(app, CLINICIAN)
    page = browser.get("/ask")
    fields = dict(re.findall(r'<label for="(fact-\d+)">\s*([^<]*?)\s*<', page.text))
    own = {label: name for name, label in fields.items()}
    page = browser.post("/ask", {"model": "warfarin", own["Sex"]: "female", own["Age"]: "820"})
    assert page.status_code == 422
    assert f'href="#{own["Age"]}"' in page.text
    assert f'href="#{own["Sex"]}"' not in page.text


def test_a_decision_of_the_future_is_refused(app: FastAPI) -> None:
    browser = signed_in(app, CLINICIAN)
    page = browser.get("/ask")
    own = re.search(r'<label for="(fact-\d+)">\s*Age', page.text)
    assert own is not None
    page = browser.post("/ask", {"model": "warfarin", own[1]: "70", "decision": "2999-01-01"})
    assert page.status_code == 422
    assert "A decision of the future cannot be advised on" in page.text


def test_the_header_names_every_role(app: FastAPI) -> None:
    browser = signed_in(app, CLINICIAN, ADMINISTRATOR)
    browser.get("/")
    assert "Dr A. Sample, clinician, administrator" in browser.text


def test_every_wrong_field_is_named_at_once_at_its_place(app: FastAPI) -> None:
    browser = signed_in(app, CLINICIAN)
    browser.get("/ask")
    wrong = {"Height": "1750", "Weight": "8,000 kg", "Age": "old", "Sex": "mal"}
    fields = {field_of(browser, name): value for name, value in wrong.items()}
    body = {"model": "warfarin", "patient": "1" * 101, "decision": "1900-01-01"}
    page = browser.post("/ask", body | fields)
    assert page.status_code == 422
    assert page.text.count('aria-invalid="true"') == 6
    for own in (*fields, "patient", "decision"):
        assert f'<a href="#{own}">' in page.text
        assert f'id="{own}-why"' in page.text
    for words in (
        "Height: 1750 cm cannot be right; enter from 100 to 250 cm, or leave it empty",
        "Weight: ",
        "a comma before three digits may mean 8000 or 8.000; write the number with a point",
        "Age: \u201cold\u201d is no age; enter years such as 72",
        "Sex: ",
        "Shorten the patient's number to 100 characters",
        "Date of the decision: 01-Jan-1900 lies before 01-Jan-1950",
    ):
        assert words in browser.text, words
    assert "null" not in browser.text


def test_a_needed_fact_is_entered_or_ticked_as_not_known(app: FastAPI) -> None:
    needy = ("WEIGHT",)
    model = deployment_of(app).models.current["warfarin"]
    profile = replace(model.artifact.study.profile, required_for_advice=needy, may_be_unknown=needy)
    study = replace(model.artifact.study, profile=profile)
    changed = replace(model, artifact=replace(model.artifact, study=study))
    deployment_of(app).models.current["warfarin"] = changed
    browser = signed_in(app, CLINICIAN)
    browser.get("/ask")
    assert browser.text.count("needed: enter it, or tick \u201cNot known\u201d") == 1
    assert "no answer without it" not in browser.text, "the tick beside it brings one"
    assert "needed: it tells whether the study is for this patient" in browser.text, "age"
    weight, sex = field_of(browser, "Weight"), field_of(browser, "Sex")
    body = {"model": "warfarin", sex: "male"}
    assert browser.post("/ask", body).status_code == 422
    assert "Weight is needed: enter it, or tick \u201cNot known\u201d" in browser.text
    both = browser.post("/ask", body | {weight: "80", f"{weight}-unknown": "yes"})
    assert both.status_code == 422
    assert "Weight: is entered, and ticked as not known; keep one of the two" in browser.text
    assert f'name="{weight}-unknown" value="yes" checked' in both.text
    alone = browser.post("/ask", {"model": "warfarin", f"{weight}-unknown": "yes"})
    assert alone.status_code == 422
    assert "Nothing is known of this patient" in browser.text


def test_a_double_click_is_one_question_and_a_changed_form_another(app: FastAPI) -> None:
    browser = signed_in(app, CLINICIAN)
    browser.get("/ask")
    fields = {field_of(browser, name): value for name, value in FACTS.items()}
    token, made = browser.token, []
    for facts in (fields, fields, fields | {field_of(browser, "Weight"): "81"}):
        page = browser.post("/ask", {"csrf": token, "model": "warfarin"} | facts)
        made.append(page.url.path)
    assert made[0] == made[1] != made[2]
    assert len(deployment_of(app).store.read_now(newest_answers, 10)) == 2


@pytest.mark.parametrize("day", ["2026-13-45", "tomorrow", "2999-01-01"])
def test_a_date_that_is_none_or_ahead_is_named_at_its_field(app: FastAPI, day: str) -> None:
    browser = signed_in(app, CLINICIAN)
    browser.get("/ask")
    page = browser.post("/ask", {"model": "warfarin", "decision": day})
    assert page.status_code == 422
    words = "A decision of the future" if day > "2999" and day < "3" else "is not a day"
    assert words in browser.text
    assert 'id="decision-why"' in page.text


def test_the_audit_log_has_no_name_of_an_invited_person(app: FastAPI) -> None:
    browser = signed_in(app, ADMINISTRATOR)
    subjects = []
    for _ in range(2):
        browser.get("/people")
        page = browser.post("/people", {"name": "Dr C. Canary", "role": CLINICIAN})
        link = re.search(r"http://[^<]+/sign-in/link\?token=[\w-]+", page.text)
        assert link is not None
        guest = Browser(app)
        guest.post("/sign-in/link", {"token": link[0].partition("=")[2]})
        assert "Dr C. Canary, clinician" in guest.text
    log = deployment_of(app).store.read_now(lambda c: [tuple(row) for row in iterate_audit(c)])
    assert "Canary" not in str(log)
    subjects = [row[3] for row in log if row[2] == "sign_in"]
    assert subjects[-1] == subjects[-2], "whose decisions these are is known at the next sign-in"
