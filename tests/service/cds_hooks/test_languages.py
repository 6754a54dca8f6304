"""Cards in the language that the record system asks for."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from posology.language.catalogue import GERMAN, in_language
from posology.service.cds_hooks.cards.text import card_detail
from posology.service.settings import Settings
from tests.builders.german import english_left
from tests.builders.hook_calls import PATIENT, call, searchset
from tests.builders.recommendations import ADVICE_BY_STATE
from tests.builders.service import client, deployment_of, running_app

SERVICE = "/cds-services/warfarin"


@pytest.fixture(scope="module")
def app(small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    settings = Settings(models=(), allow_unsigned=True, languages=("de", "en"))
    with running_app(small_model, tmp_path_factory.mktemp("german"), settings) as running:
        yield running


def send(app: FastAPI, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
    async def run() -> httpx.Response:
        async with client(app) as caller:
            return await caller.request(method, path, json=body, headers=headers)

    return asyncio.run(run())


def left(app: FastAPI, texts: list[str]) -> list[str]:
    study = deployment_of(app).models.find("warfarin").artifact.study
    return english_left(" ".join(texts), study)


def texts_of(card: dict[str, Any]) -> list[str]:
    links = [one["label"] for one in card["links"]]
    reasons = [one["display"] for one in card["overrideReasons"]]
    return [card["summary"], card["detail"], *links, *reasons]


def test_a_card_has_nothing_in_english(app: FastAPI) -> None:
    services = send(app, "GET", "/cds-services").json()["services"]
    keys = [key for key in services[0]["prefetch"] if key != "patient"]
    prefetch = {"patient": PATIENT, **{key: searchset() for key in keys}}
    body = call("order-sign", prefetch=prefetch)
    (card,) = send(app, "POST", SERVICE, body).json()["cards"]
    assert left(app, texts_of(card)) == []
    assert "Aus der Akte gelesen:" in card["detail"]
    assert card["links"][0]["label"] == "Ganze Antwort öffnen"
    headers = {"accept-language": "en"}
    (english,) = send(app, "POST", SERVICE, body, **headers).json()["cards"]
    assert "Read from the record:" in english["detail"]
    described = services[0]["description"]
    assert "Empfehlung beim Öffnen einer Akte." in described


def test_what_lacks_is_named_in_german(app: FastAPI) -> None:
    response = send(app, "POST", SERVICE, call("order-sign", prefetch={}))
    assert response.status_code == 412
    text = json.loads(response.content)["issue"][0]["details"]["text"]
    assert text.startswith("Keine Beurteilung möglich: prefetch")
    assert left(app, [text]) == []


def test_headings_of_a_card_are_german() -> None:
    with in_language(GERMAN):
        detail = card_detail(ADVICE_BY_STATE["better"])
    assert "### Behandlungsoptionen" in detail
    assert "| Option |" in detail
    assert "**Nicht dokumentiert:**" in detail
