"""The pages in the language of their reader; what is kept is in all languages of the service."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from posology.errors import UserError
from posology.service.identity.callers import CLINICIAN
from posology.service.ranges import check_ranges
from posology.service.settings import ModelSettings, Settings
from posology.service.store import newest_answers
from posology.service.work import unpack
from tests.builders.german import english_left, visible
from tests.builders.pages import Browser, ask, signed_in, store_advice
from tests.builders.service import FORM, deployment_of, running_app

FACTS = {"Alter": "70-79", "Größe": "180", "Gewicht": "80,5", "Geschlecht": "male"}
NOT_OURS = re.compile(r"Dr A\. Sample|[Pp]osology")


@pytest.fixture(scope="module")
def bilingual(small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    settings = Settings(models=(), allow_unsigned=True, languages=("en", "de"))
    with running_app(small_model, tmp_path_factory.mktemp("bilingual"), settings) as running:
        yield running


def german(app: FastAPI) -> Browser:
    return signed_in(app, CLINICIAN, language="de-DE,de;q=0.9,en;q=0.1")


def left_in_english(browser: Browser) -> list[str]:
    assert browser.page is not None
    assert '<html lang="de">' in browser.page.text
    text = NOT_OURS.sub("·", visible(browser.page.text))
    return english_left(text, deployment_of(browser.app).models.find("warfarin").artifact.study)


def field_of(browser: Browser, label: str) -> str:
    assert browser.page is not None
    found = re.search(rf'<label for="([^"]+)">{label}</label>', browser.page.text)
    assert found is not None, label
    return found[1]


def test_a_clinician_reads_nothing_in_english(bilingual: FastAPI) -> None:
    stranger = Browser(bilingual, language="de")
    stranger.get("/sign-in")
    assert left_in_english(stranger) == []
    stranger.get("/sign-in/link?token=x")
    assert left_in_english(stranger) == []
    browser = german(bilingual)
    browser.get("/")
    assert left_in_english(browser) == []
    browser.get("/ask")
    assert left_in_english(browser) == []
    height = field_of(browser, "Größe")
    browser.post("/ask", {"model": "warfarin", height: "1.750", "decision": "2999-01-01"})
    assert left_in_english(browser) == []
    assert "kann Tausender oder Nachkommastellen bedeuten" in browser.text
    browser.post("/ask", {"model": "warfarin", height: "17500"})
    assert left_in_english(browser) == []
    fields = {field_of(browser, name): value for name, value in FACTS.items()}
    browser.post("/ask", {"model": "warfarin", "patient": "1"} | fields)
    assert browser.page is not None
    address = browser.page.url.path
    assert "80,5 kg" in browser.text
    assert left_in_english(browser) == []

    browser.post(f"{address}/what-if", {field_of(browser, "Gewicht"): "90,25"})
    assert "Gewicht 90,25 kg (Akte: 80,5 kg)." in browser.text
    assert left_in_english(browser) == []
    browser.post(f"{address}/decision", {"outcome": "overridden", "dose_overridden": "x"})
    assert "Ihre Entscheidung ist noch nicht dokumentiert" in browser.text
    assert left_in_english(browser) == []
    own = {"option_chosen": "other", "comment": "abc", "reason_deferred": "other"}
    for outcome in ("chosen", "deferred"):
        browser.post(f"{address}/decision", {"outcome": outcome} | own)
    assert " von Dr A. Sample, " in browser.text
    assert left_in_english(browser) == []
    browser.get("/?state=waiting")
    assert left_in_english(browser) == []
    browser.get("/model")
    assert "Aus wem es gelernt hat" in browser.text
    assert left_in_english(browser) == []
    browser.get("/answers/none")
    assert "Unter dieser Adresse gibt es keine Antwort." in browser.text
    assert left_in_english(browser) == []


def test_a_value_as_the_page_shows_it_is_no_change(bilingual: FastAPI) -> None:
    form = {"facts": FORM["facts"] | {"weight": 80.5}}
    answer = ask(bilingual, "unchanged", form)
    browser = german(bilingual)
    browser.get(f"/answers/{answer}")
    assert browser.page is not None
    assert 'value="80,5"' in browser.page.text
    browser.post(f"/answers/{answer}/what-if", {field_of(browser, "Gewicht"): "80,5"})
    assert "what_if=" not in str(browser.page.url)


def test_an_answer_is_read_in_either_language_whoever_asked(bilingual: FastAPI) -> None:
    for asked in ("en", "de"):
        answer = ask(bilingual, f"either {asked}", language=asked)
        pages = {}
        for language in ("en", "de"):
            browser = signed_in(bilingual, CLINICIAN, language=language)
            pages[language] = browser.get(f"/answers/{answer}").text
            assert f'<html lang="{language}">' in pages[language]
        assert "What was missing" in pages["en"]
        assert "Was fehlte" in pages["de"]


def test_the_store_compares_in_english_whoever_asked(bilingual: FastAPI) -> None:
    answers = [ask(bilingual, f"stored {one}", language=one) for one in ("en", "de")]
    kept = deployment_of(bilingual).store.read_now(newest_answers, 500)
    bodies = [unpack(one.body) for one in kept if one.id in answers and one.body]
    assert bodies[0]["recommendation"] == bodies[1]["recommendation"]
    assert list(bodies[0]["others"]) == ["de"]


def test_a_decision_stands_though_somebody_asked_again_in_another_language(
    bilingual: FastAPI,
) -> None:
    browser = german(bilingual)
    answer = ask(bilingual, "stands", language="en")
    browser.get(f"/answers/{answer}")
    decision = {"outcome": "deferred", "reason_deferred": "awaits_result"}
    browser.post(f"/answers/{answer}/decision", decision)
    browser.get(f"/answers/{ask(bilingual, 'stands', language='de')}")
    assert "Zurückgestellt von Dr A. Sample," in browser.text


def test_an_answer_that_was_kept_in_english_alone_has_an_english_page(bilingual: FastAPI) -> None:
    browser = german(bilingual)
    page = browser.get(f"/answers/{store_advice(bilingual, 'better', 'old')}")
    assert '<html lang="en">' in page.text
    assert "Skip to the answer" in page.text
    assert "Zur Antwort springen" not in page.text
    rows = re.findall(r'<tr role="row"( lang="en")?>(.*?)</tr>', browser.get("/").text)
    assert [bool(language) for language, row in rows if "Better than usual" in row] == [True]


def test_two_languages_at_once_do_not_mix(bilingual: FastAPI) -> None:
    async def send() -> list[tuple[str, httpx.Response]]:
        transport = httpx.ASGITransport(bilingual)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as http:

            async def one(language: str) -> tuple[str, httpx.Response]:
                headers = {"accept-language": language}
                body = {"form": FORM, "reasons": False}
                return language, await http.post("/recommendations", json=body, headers=headers)

            return await asyncio.gather(*(one(language) for language in ("de", "en") * 6))

    for language, response in asyncio.run(send()):
        known = {f["fact"]: f["value"] for f in response.json()["recommendation"]["known"]}
        assert known["age"] == {"de": "70 bis 79 Jahre", "en": "70 to 79 years"}[language]


def test_a_service_that_offers_english_alone_speaks_it(app: FastAPI) -> None:
    browser = german(app)
    assert '<html lang="en">' in browser.get("/").text
    answer = ask(app, language="de")
    kept = deployment_of(app).store.read_now(newest_answers, 1)
    assert kept[0].id == answer
    assert "others" not in unpack(kept[0].body or b"")


@pytest.mark.parametrize("languages", [(), ("en", "fr")])
def test_a_language_that_is_not_there_is_refused(languages: tuple[str, ...]) -> None:
    settings = Settings((ModelSettings("m", Path("m")),), languages=languages)
    with pytest.raises(UserError, match=r"languages: is .*; write some of en, de, the usual one"):
        check_ranges(settings)
