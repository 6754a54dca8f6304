"""The worklist: groups, the newest answer of each patient, the words of every state."""

import asyncio
import datetime
from dataclasses import replace

import pytest
from fastapi import FastAPI

from posology.domain.recommendation.recommendation import STATES
from posology.service.identity.callers import CLINICIAN
from posology.service.models.switching import stop
from posology.service.pages.worklist.content import WorklistEntry, WorklistQuery, worklist_page
from tests.builders.pages import signed_in, store_advice
from tests.builders.recommendations import ADVICE_BY_STATE
from tests.builders.service import deployment_of


def test_every_state_has_a_tag_and_a_line(app: FastAPI) -> None:
    browser = signed_in(app, CLINICIAN)
    for minute, state in enumerate(STATES):
        store_advice(app, state, f"patient {minute}", minute)
    page = browser.get("/")
    assert page.status_code == 200
    assert f"{len(STATES)} of {len(STATES)} patients wait for your decision" in browser.text
    for words in ("Better than usual", "Too few alike", "Not eligible", "21 more of 100"):
        assert words in browser.text
    assert browser.text.index("Not eligible") > browser.text.index("Better than usual")


@pytest.mark.parametrize(
    ("query", "count", "words"),
    [
        ("?state=waiting", 0, "No patient fits"),
        ("?find=nobody", 0, "No patient fits"),
        ("", 1, "Decide"),
    ],
)
def test_a_newer_answer_replaces_the_older_one_and_rows_can_be_found(
    app: FastAPI, query: str, count: int, words: str
) -> None:
    browser = signed_in(app, CLINICIAN)
    old, new = (store_advice(app, "better", "p1", minute) for minute in (1, 2))
    browser.get(f"/{query}")
    assert (browser.links.count(f"/answers/{new}"), f"/answers/{old}" in browser.links) == (
        count,
        False,
    )
    assert words in browser.text


def test_a_stopped_model_advises_nothing_on_the_worklist(app: FastAPI) -> None:
    """No dose of it, nobody waits for a decision about it, and the stop stands at the top."""
    browser = signed_in(app, CLINICIAN)
    store_advice(app, "dose", "p1", 1)
    store_advice(app, "better", "p2", 2)
    browser.get("/")
    assert " mg" in browser.text
    asyncio.run(stop(deployment_of(app), "warfarin", "wrong doses", "local:admin"))
    browser.get("/")
    today = datetime.datetime.now(datetime.UTC).strftime("%d-%b-%Y")
    assert "Model stopped. The model warfarin was stopped on" in browser.text
    assert browser.text.index("wrong doses") < browser.text.index("None of 2 patients waits")
    assert browser.text.count(f"Stopped No advice since {today}; follow the guideline") == 2
    assert " mg" not in browser.text
    assert "more of 100" not in browser.text
    assert "Model stopped 2" in browser.text


def test_a_note_about_a_date_is_nothing_to_look_at_first() -> None:
    note = "Used without a date, as the training records have none: age."
    warning = "Height 205 cm is above 202 cm; fewer than 5 training patients had more."

    def look(*remarks: str) -> str:
        advice = replace(ADVICE_BY_STATE["dose"], callouts=remarks, safety=())
        entry = WorklistEntry("a", "2026-11-27T08:00:00", "m", "p", advice, "en", None, "", "")
        (group,) = worklist_page([entry], [("m", "M")], WorklistQuery()).groups
        return group.rows[0].look

    assert look(note) == ""
    assert look(note, warning) == warning.removesuffix(".")
