"""The record system of a demonstration in German, and the cards that it gets."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from posology.service.app import create_app
from posology.service.deployment import open_deployment
from posology.service.ehr.trust import with_record_system
from posology.service.identity.callers import ADMINISTRATOR, CLINICIAN
from posology.service.settings import ModelSettings, Settings
from tests.builders.german import english_left, visible
from tests.builders.pages import Browser, signed_in
from tests.builders.service import deployment_of

PAGE = "/ehr/patients/demo-01"
FIRE = {"entry": "warfarin patient-view", "server": "http://127.0.0.1:8000"}
OURS = re.compile(r"<pre>.*?</pre>|<small>[^<]*\?[^<]*</small>|patient-view|order-\w+", re.DOTALL)


@pytest.fixture(scope="module")
def app(small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    settings = Settings(
        models=(ModelSettings("warfarin", small_model),),
        folder=tmp_path_factory.mktemp("german"),
        is_demo=True,
        allow_unsigned=True,
        languages=("en", "de"),
    )
    deployment = open_deployment(with_record_system(settings))
    deployment.is_ready = True
    yield create_app(deployment.settings, deployment)
    deployment.workers.close()
    deployment.store.close()


def left_in_english(browser: Browser) -> list[str]:
    assert browser.page is not None
    assert '<html lang="de">' in browser.page.text
    text = visible(OURS.sub(" ", browser.page.text))
    return english_left(text, deployment_of(browser.app).models.find("warfarin").artifact.study)


def test_a_hook_is_fired_and_answered_in_german(app: FastAPI) -> None:
    browser = signed_in(app, CLINICIAN, language="de")
    browser.get("/ehr")
    assert left_in_english(browser) == []
    browser.get(PAGE)
    assert left_in_english(browser) == []
    browser.post(PAGE, FIRE)
    assert "Der Dienst hat 1 Karte gesendet" in browser.text
    assert "Aus der Akte gelesen:" in browser.text
    assert left_in_english(browser) == []
    card = re.search(r'name="card" value="([^"]+)"', browser.page.text if browser.page else "")
    assert card is not None
    assert browser.page is not None
    browser.post(browser.page.url.path, {"card": card[1], "reason": "0"})
    assert "Anders entschieden: Der Dienst hat mit Status 200 geantwortet." in browser.text
    assert left_in_english(browser) == []


def test_an_administrator_invites_in_german(app: FastAPI) -> None:
    browser = signed_in(app, ADMINISTRATOR, language="de")
    browser.get("/people")
    assert left_in_english(browser) == []
    browser.post("/people", {"name": ""})
    assert left_in_english(browser) == []
    browser.post("/people", {"name": "Dr. B. Muster", "role": "clinician"})
    assert "Senden Sie diesen Link nur dieser Person." in browser.text
    assert left_in_english(browser) == []
