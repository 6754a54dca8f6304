"""What a stopped model answers: why, since when, by whom, and what to do instead."""

import asyncio
import re

import httpx
from fastapi import FastAPI

from posology.service.identity.callers import CLINICIAN
from posology.service.models.switching import stop
from tests.builders.hook_calls import call
from tests.builders.pages import signed_in
from tests.builders.service import FORM, client, deployment_of

WHY = re.compile(
    r"The model warfarin was stopped on \d\d-\w{3}-\d{4} \d\d:\d\d UTC by Dr A\. Admin: wrong "
    r"doses\. It gives no answers\. Use the guideline or usual care until it answers again\."
)


def stopped(app: FastAPI) -> None:
    asyncio.run(stop(deployment_of(app), "warfarin", "wrong doses", "Dr A. Admin"))


def test_the_api_and_hooks_say_why_in_their_own_shapes(app: FastAPI) -> None:
    stopped(app)

    async def send() -> list[httpx.Response]:
        async with client(app) as http:
            hook = await http.post("/cds-services/warfarin", json=call())
            return [await http.post("/recommendations", json={"form": FORM}), hook]

    answer, hook = asyncio.run(send())
    assert (answer.status_code, hook.status_code) == (503, 503)
    assert answer.json()["error"]["code"] == "model_stopped"
    assert WHY.fullmatch(answer.json()["error"]["message"])
    assert WHY.fullmatch(hook.json()["issue"][0]["details"]["text"])


def test_the_page_to_ask_says_why_and_has_no_form(app: FastAPI) -> None:
    browser = signed_in(app, CLINICIAN)
    browser.get("/ask")
    stopped(app)
    page = browser.post("/ask", {"model": "warfarin", "fact-0": "180"})
    assert page.status_code == 503
    for text in (browser.text, browser.get("/ask") and browser.text):
        assert "This model is switched off" in text
        assert WHY.search(text)
    assert "Date of the decision" not in browser.text
