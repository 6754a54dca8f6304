"""The whole flow of a clinician without JavaScript, from sign-in to sign-out."""

import re

import pytest
from fastapi import FastAPI

from posology.service.identity.callers import ADMINISTRATOR, CLINICIAN, DATA_SCIENTIST
from posology.service.identity.people import FIRST_ADMINISTRATOR
from posology.service.store import newest_answers, verify_audit
from posology.service.store.audit import iterate_audit
from posology.service.store.decisions import decisions_of
from tests.builders.pages import Browser, ask, people_in, signed_in, store_advice
from tests.builders.service import deployment_of


def test_a_clinician_reads_asks_what_if_decides_and_signs_out(app: FastAPI) -> None:
    browser = signed_in(app, CLINICIAN)
    answer = ask(app)
    browser.get("/")
    assert "1 of 1 patient waits for your decision" in browser.text
    assert f"/answers/{answer}" in browser.links
    browser.get(f"/answers/{answer}")
    assert "not recorded yet" in browser.text
    assert "What if" in browser.text

    browser.post(f"/answers/{answer}/what-if", {"fact-0": "female"})
    assert browser.page is not None
    assert "what_if=" in str(browser.page.url)
    assert "female" not in str(browser.page.url)
    assert "Sex female (record: male)." in browser.text
    assert decisions(app, answer) == []

    browser.post(f"/answers/{answer}/decision", {"outcome": "accepted", "key": "k"})
    assert "Accepted by Dr A. Sample," in browser.text
    browser.get("/")
    assert "None of 1 patient waits for your decision" in browser.text

    browser.post("/sign-out", {})
    assert browser.page.url.path == "/sign-in"
    assert browser.get("/").url.path == "/sign-in"
    check = deployment_of(app).store.read_now(verify_audit, deployment_of(app).store.key)
    assert check.problem == ""
    rows = deployment_of(app).store.read_now(lambda connection: list(iterate_audit(connection)))
    actions = [row.action for row in rows]
    assert actions == ["sign_in", "answer", "decision", "sign_out"]


def decisions(app: FastAPI, answer: str) -> list[tuple[str, str, float | None, str]]:
    found = deployment_of(app).store.read_now(decisions_of, answer)
    return [(d.outcome, d.option, d.dose, d.reason) for d, _ in found]


def test_an_override_needs_what_is_given_and_a_reason(app: FastAPI) -> None:
    browser = signed_in(app, CLINICIAN)
    answer = store_advice(app, "better")
    browser.get(f"/answers/{answer}")
    page = browser.post(f"/answers/{answer}/decision", {"outcome": "overridden", "comment": "x<y"})
    assert page.status_code == 422
    assert "Your decision is not recorded yet" in browser.text
    assert 'href="#reason_overridden"' in page.text
    assert 'href="#option_overridden"' in page.text
    assert re.search(r"<title>Error: ", page.text)
    assert "x&lt;y</textarea>" in page.text
    assert 'value="overridden" checked' in page.text
    assert decisions(app, answer) == []
    unsaid = {"outcome": "overridden", "option_overridden": "other", "reason_overridden": "other"}
    page = browser.post(f"/answers/{answer}/decision", unsaid)
    assert "“Something else” and “Other”: say here what is given and why" in browser.text
    assert not re.search(r"<p\b[^>]*>(?:(?!</p>).)*<p\b", page.text, re.DOTALL), "p within p"
    given = {"option_overridden": "medium", "dose_overridden": "25"}
    reason = {"outcome": "overridden", "reason_overridden": "guideline", "comment": "was x<y"}
    page = browser.post(f"/answers/{answer}/decision", reason | given)
    assert "Overridden by Dr A. Sample," in browser.text
    assert "Medium start, 25 mg a week. Reason: local guideline. “was x<y”" in browser.text
    assert "“was x&lt;y”" in page.text
    assert decisions(app, answer) == [("overridden", "medium", 25.0, "guideline")]


def test_the_same_form_sent_twice_is_one_decision(app: FastAPI) -> None:
    browser = signed_in(app, CLINICIAN)
    answer = store_advice(app, "better")
    browser.get(f"/answers/{answer}")
    for _ in range(2):
        browser.post(f"/answers/{answer}/decision", {"outcome": "accepted", "key": "same"})
    assert decisions(app, answer) == [("accepted", "low", 16.0, "")]


def test_an_answer_that_is_out_of_date_cannot_be_accepted(app: FastAPI) -> None:
    browser = signed_in(app, CLINICIAN)
    old, new = (store_advice(app, "better", "p1", minute) for minute in (1, 2))
    browser.get(f"/answers/{old}")
    assert "This answer is out of date: a newer one is of" in browser.text
    assert f"/answers/{new}" in browser.links
    page = browser.post(f"/answers/{old}/decision", {"outcome": "accepted"})
    assert page.status_code == 409
    assert "This answer is out of date." in browser.text
    assert decisions(app, old) == []


def test_a_stopped_model_leaves_nothing_to_accept(app: FastAPI) -> None:
    browser = signed_in(app, CLINICIAN)
    answer = store_advice(app, "better")
    deployment_of(app).models.stopped["warfarin"] = "wrong doses, 27-Nov-2026"
    browser.get(f"/answers/{answer}")
    assert "This model is switched off: wrong doses, 27-Nov-2026" in browser.text
    assert browser.page is not None
    assert 'value="accepted"' not in browser.page.text
    headline = re.search(r"<h1[^>]*>(.*?)</h1>", browser.page.text, re.DOTALL)
    assert headline is not None
    assert headline[1].strip() == "No answer: this model is switched off"
    now = browser.text.index("What to go on now")
    assert browser.text.index("This model is switched off") < now
    assert browser.text.index("What the guideline says") < browser.text.index(headline[1].strip())
    visible = re.sub(r"<details.*?</details>", "", browser.page.text, flags=re.DOTALL)
    assert "<h2>What to go on now</h2>" in visible
    for old in ('id="options"', 'id="contrasts"', 'id="doses"', 'id="certainty"'):
        assert old not in visible
    assert "The earlier answer of this model: for reading only" in browser.text
    page = browser.post(f"/answers/{answer}/decision", {"outcome": "accepted"})
    assert (page.status_code, decisions(app, answer)) == (422, [])


def test_without_advice_there_is_nothing_to_accept(app: FastAPI) -> None:
    browser = signed_in(app, CLINICIAN)
    answer = store_advice(app, "no_option_better")
    browser.get(f"/answers/{answer}")
    assert browser.page is not None
    assert 'value="accepted"' not in browser.page.text
    browser.post(f"/answers/{answer}/decision", {"outcome": "chosen", "option_chosen": "medium"})
    assert "Chosen by Dr A. Sample," in browser.text


@pytest.mark.parametrize("path", ["/answers/{}/decision", "/answers/{}/what-if", "/sign-out"])
def test_forms_without_the_session_s_token_are_refused(app: FastAPI, path: str) -> None:
    browser, other = signed_in(app, CLINICIAN), signed_in(app, CLINICIAN)
    answer = store_advice(app, "better")
    other.get(f"/answers/{answer}")
    assert other.token
    for token in ("", "x", other.token):
        page = browser.post(path.format(answer), {"csrf": token, "outcome": "accepted"})
        assert page.status_code == 403
        assert "does not come from a page of your session" in browser.text
    assert decisions(app, answer) == []
    assert browser.get("/").status_code == 200


def test_pages_are_open_to_their_roles_alone(app: FastAPI) -> None:
    answer = store_advice(app, "better")
    for role in (DATA_SCIENTIST, ADMINISTRATOR):
        browser = signed_in(app, role)
        for path in (f"/answers/{answer}", f"/answers/{answer}/print.css"):
            assert browser.get(path).status_code == 403, (role, path)
        assert browser.get("/").url.path == "/model/warfarin"
    nobody = Browser(app)
    people_in(app)
    for path in ("/", f"/answers/{answer}", "/model", "/model/warfarin"):
        assert nobody.get(path).url.path == "/sign-in", path
    assert nobody.post(f"/answers/{answer}/decision", {}).url.path == "/sign-in"


def test_a_link_signs_in_once(app: FastAPI) -> None:
    people = people_in(app)
    token = people.links.make(FIRST_ADMINISTRATOR, people.now())
    browser = Browser(app)
    browser.get(f"/sign-in/link?token={token}")
    assert "Sign in as First administrator" in browser.text
    assert browser.get("/model").url.path == "/sign-in"
    browser.post("/sign-in/link", {"token": token})
    assert browser.get("/model").url.path == "/model/warfarin"
    again = Browser(app)
    assert again.post("/sign-in/link", {"token": token}).status_code == 403
    assert "This link was used already; each works once." in again.text
    assert "An administrator makes a new one on the page People" in again.text
    again.get(f"/sign-in/link?token={token[:40]}")
    assert "Some of it may be missing: copy the whole link." in again.text


def test_the_answer_of_a_system_names_no_patient(app: FastAPI) -> None:
    browser = signed_in(app, CLINICIAN)
    ask(app, "MRN 4711")
    browser.get("/")
    assert browser.page is not None
    assert "4711" not in browser.page.text
    key = deployment_of(app).store.read_now(newest_answers, 1)[0].patient_key
    assert f"Patient {key[:4]}-{key[4:8]}" in browser.text
