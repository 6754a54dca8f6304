"""The section on the challenger: what it says, to whom, and the way to drop it."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import FastAPI

from posology import artifact
from posology.service.identity.callers import ADMINISTRATOR, CLINICIAN, DATA_SCIENTIST
from posology.service.models.switching import start
from posology.service.store.shadows import ShadowAnswer
from tests.builders.challengers import app_with_challenger, store_pairs
from tests.builders.pages import signed_in
from tests.builders.service import deployment_of

SAME = ShadowAnswer("", "", "", "dose", "low", 16.0, "low", 16.0, 30.0)


@pytest.fixture
def app(small_model: Path, tmp_path: Path) -> Iterator[FastAPI]:
    loaded = artifact.load(small_model)
    study = replace(loaded.study, title="Another")
    artifact.save(loaded.policy, study, loaded.evidence, tmp_path / "other")
    with app_with_challenger(small_model, tmp_path / "other", tmp_path / "service") as running:
        yield running


def test_the_section_compares_and_gives_no_verdict(app: FastAPI) -> None:
    rows = [SAME] * 24 + [replace(SAME, option="medium", dose=18.0)] * 6
    store_pairs(app, [(f"p{at}", row) for at, row in enumerate(rows)])
    browser = signed_in(app, DATA_SCIENTIST)
    browser.get("/monitoring/warfarin")
    text = browser.text
    assert (
        "Where both gave an answer, they name the same dose range in 80 of 100 (63 to 90)." in text
    )
    assert "answers silently beside the model in use. Nobody is shown its answers." in text
    assert "The challenger's is the same in the middle. Half differ by at most 0 mg/wk." in text
    assert "More than 10 % apart: 20 of 100 (10 to 37). More than 20 %: 0 of 100 (0 to 11)." in text
    assert "nothing is shown yet" in text
    assert "better" not in text[text.index("Challenger") : text.index("What answered when")]
    assert "Drop the challenger" not in text
    what = text[text.index("What answered when") :]
    assert deployment_of(app).models.challengers["warfarin"].digest[:12] not in what


def test_small_counts_and_shares_of_them_are_not_shown(app: FastAPI) -> None:
    rows = [SAME] * 18 + [replace(SAME, option="medium", dose=24.0)] * 2
    store_pairs(app, [(f"p{at}", row) for at, row in enumerate(rows)])
    browser = signed_in(app, DATA_SCIENTIST)
    browser.get("/monitoring/warfarin")
    assert "they name the same dose range in all but under 5 of 20." in browser.text
    assert "More than 10 % apart: under 5 of 20." in browser.text


def test_a_model_without_a_challenger_has_no_such_section(app: FastAPI) -> None:
    deployment_of(app).models.challengers.clear()
    browser = signed_in(app, ADMINISTRATOR)
    browser.get("/monitoring/warfarin")
    assert "hallenger" not in browser.text


def test_an_administrator_drops_it_with_a_reason(app: FastAPI) -> None:
    asyncio.run(start(deployment_of(app)))
    browser = signed_in(app, ADMINISTRATOR)
    browser.get("/monitoring/warfarin")
    assert "Fewer than 5 patients have an answer from both." in browser.text
    assert "/monitoring/warfarin/drop-challenger" in browser.links
    browser.get("/monitoring/warfarin/drop-challenger")
    assert "Clinicians notice nothing" in browser.text
    assert "Clinicians read it" not in browser.text
    refused = browser.post("/monitoring/warfarin/drop-challenger", {"reason": ""})
    assert refused.status_code == 422
    browser.post("/monitoring/warfarin/drop-challenger", {"reason": "too slow"})
    assert "hallenger" not in browser.text
    assert deployment_of(app).models.challengers == {}


def test_no_other_page_shows_what_it_answered(app: FastAPI) -> None:
    store_pairs(app, [("p", replace(SAME, option="medium", dose=999.25))])
    browser = signed_in(app, CLINICIAN)
    challenger = deployment_of(app).models.challengers["warfarin"].digest[:8]
    for path in ("/", "/answers/a0", "/model/warfarin"):
        assert browser.get(path).status_code == 200
        assert "999" not in browser.text
        assert challenger not in browser.text
