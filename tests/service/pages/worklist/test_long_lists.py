"""A worklist of hundreds of patients, of one's own patients, and with decisions by others."""

import asyncio

from fastapi import FastAPI

from posology.service.identity.callers import CLINICIAN
from posology.service.store import save_answer
from tests.builders.pages import Browser, made_up_answer, signed_in, store_advice
from tests.builders.service import deployment_of


def decide(browser: Browser, answer: str) -> None:
    browser.get(f"/answers/{answer}")
    browser.post(f"/answers/{answer}/decision", {"outcome": "accepted", "key": answer})


def test_hundreds_of_patients_stand_on_pages_of_fifty(app: FastAPI) -> None:
    browser = signed_in(app, CLINICIAN)
    deployment = deployment_of(app)

    def fill(connection: object) -> None:
        for at in range(120):
            moment = f"2026-11-27T{8 + at // 60:02d}:{at % 60:02d}:00.000000Z"
            stored = made_up_answer("too_few_alike", moment, f"patient {at}", "d" * 64)
            save_answer(connection, stored)  # type: ignore[arg-type]

    asyncio.run(deployment.store.write(fill))
    browser.get("/")
    assert "120 of 120 patients wait for your decision" in browser.text
    assert "1 to 50 of 120 patients" in browser.text
    seen = {link for link in browser.links if link.startswith("/answers/") and "#" not in link}
    assert len(seen) == 50
    for words in ("51 to 100 of 120 patients", "101 to 120 of 120 patients"):
        browser.get(next(link for link in reversed(browser.links) if "page=" in link))
        assert words in browser.text
        seen |= {link for link in browser.links if link.startswith("/answers/") and "#" not in link}
    assert len(seen) == 120
    for odd in ("page=99999", "page=0", "page=-1", "page=x", "page=%C2%B2"):
        assert browser.get(f"/?{odd}").status_code == 200
    browser.get("/?page=99999")
    assert "101 to 120 of 120 patients" in browser.text


def test_one_s_own_patients_are_those_asked_about_or_decided(app: FastAPI) -> None:
    other, mine = (store_advice(app, "better", f"p{at}", at) for at in (1, 2))
    browser = signed_in(app, CLINICIAN)
    browser.get("/?whose=mine")
    assert "No patient fits what you look for." in browser.text
    decide(browser, mine)
    browser.get("/?whose=mine")
    assert f"/answers/{mine}" in browser.links
    assert f"/answers/{other}" not in browser.links
    assert all("whose=mine" in link for link in browser.links if link.startswith("/?"))


def test_a_decision_says_by_whom(app: FastAPI) -> None:
    """Others read `another clinician`."""
    answer = store_advice(app, "better", "p1")
    decide(signed_in(app, CLINICIAN, name="Dr B. Sample"), answer)
    reader = signed_in(app, CLINICIAN, name="Dr C. Sample")
    reader.get(f"/answers/{answer}")
    assert "Accepted by Dr B. Sample," in reader.text
    reader.get("/")
    assert "by Dr B. Sample" in reader.text


def test_a_list_without_patients_says_so(app: FastAPI) -> None:
    browser = signed_in(app, CLINICIAN)
    assert browser.get("/").status_code == 200
    assert "No answers were given yet." in browser.text
    assert "/ask" in browser.links
