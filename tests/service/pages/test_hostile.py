"""A hostile user: markup in facts and names, long words, a model that is stopped."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from html import escape
from pathlib import Path

import pytest
from fastapi import FastAPI

from posology.domain.recommendation.findings import KnownFact
from posology.domain.recommendation.recommendation import BETTER_FOR_PATIENT
from posology.domain.serialization import serialize
from posology.service.identity.callers import CLINICIAN
from posology.service.settings import Settings
from posology.service.store import save_answer
from tests.builders.pages import made_up_answer, pack, signed_in
from tests.builders.recommendations import ADVICE_BY_STATE
from tests.builders.service import deployment_of, running_app

SCRIPT = "<script>alert(1)</script>"
NAME = f"{SCRIPT}{'W' * 150}"


def store_hostile(app: FastAPI) -> str:
    advice = ADVICE_BY_STATE[BETTER_FOR_PATIENT]
    hostile = replace(
        advice, headline=f"{SCRIPT}.", known=(*advice.known, KnownFact("note", SCRIPT, ""))
    )
    stored = made_up_answer(BETTER_FOR_PATIENT, "2026-11-27T08:00:00.000000Z", NAME, "d" * 64)
    stored = replace(stored, body=pack({"recommendation": serialize(hostile, {})}))
    asyncio.run(deployment_of(app).store.write(save_answer, stored))
    return stored.id


@pytest.fixture
def naming_app(small_model: Path, tmp_path: Path) -> Iterator[FastAPI]:
    settings = Settings(models=(), allow_unsigned=True, store_patient_ids=True)
    with running_app(small_model, tmp_path, settings) as app:
        yield app


def test_markup_in_facts_and_names_stays_text(naming_app: FastAPI) -> None:
    browser = signed_in(naming_app, CLINICIAN, name=f"Dr {SCRIPT}")
    answer = store_hostile(naming_app)
    for path in ("/", f"/answers/{answer}", f"/?find={SCRIPT}", "/ask?model=warfarin"):
        page = browser.get(path)
        assert page.status_code == 200, path
        assert "<script" not in page.text, path
        assert escape(SCRIPT) in page.text, path
    style = browser.get(f"/answers/{answer}/print.css").text
    assert "<" not in style
    assert style.count("{") == style.count("}") == 2


def test_a_question_with_markup_is_shown_again_as_text(app: FastAPI) -> None:
    browser = signed_in(app, CLINICIAN)
    browser.get("/ask")
    body = {"model": "warfarin", "patient": NAME, "decision": "2999-01-01", "fact-0": SCRIPT}
    page = browser.post("/ask", body)
    assert page.status_code == 422
    assert "<script" not in page.text
    assert escape(NAME) in page.text
    for model in ("nothing", SCRIPT, "../warfarin"):
        refused = browser.get(f"/ask?model={model}")
        assert refused.status_code == 404
        assert "<script" not in refused.text


def test_a_stopped_model_gives_no_answer_to_a_question(app: FastAPI) -> None:
    browser = signed_in(app, CLINICIAN)
    deployment_of(app).models.stopped["warfarin"] = SCRIPT
    browser.get("/ask")
    page = browser.post("/ask", {"model": "warfarin", "fact-0": "male"})
    assert page.status_code == 503
    assert "<script" not in page.text
