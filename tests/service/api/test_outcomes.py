"""`POST /outcomes`: sent twice it is kept once, sent otherwise it is a correction."""

import asyncio
import datetime
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from posology.domain.study import Bounds, Cost, Study
from posology.service.api.expected_outcomes import (
    expected_outcomes,
    find_expected,
    in_the_study_s_unit,
)
from posology.service.store.tables import OUTCOMES
from tests.builders.pages import ask
from tests.builders.service import client, deployment_of

DOSE = "OUTCOME//WARFARIN_DOSE"
FIRST = {
    **{"key": "lab-1", "code": DOSE, "value": 35.0, "patient_id": "p1"},
    "observed_at": "2026-05-01T08:00:00Z",
}


def post(app: FastAPI, *outcomes: dict[str, Any]) -> httpx.Response:
    async def send() -> httpx.Response:
        async with client(app) as http:
            return await http.post("/outcomes", json={"outcomes": outcomes})

    return asyncio.run(send())


def kept(app: FastAPI) -> list[tuple[Any, ...]]:
    query = select(OUTCOMES.c.version, OUTCOMES.c.code, OUTCOMES.c.value)
    ordered = query.order_by(OUTCOMES.c.number)
    return deployment_of(app).store.read_now(lambda c: [tuple(row) for row in c.execute(ordered)])


def test_an_outcome_is_kept_once_and_every_correction_stays(app: FastAPI) -> None:
    assert post(app, FIRST).json() == {"results": ["kept"]}
    assert post(app, FIRST, FIRST | {"key": "lab-2"}).json() == {"results": ["known", "kept"]}
    assert post(app, FIRST | {"value": 28.0}).json() == {"results": ["corrected"]}
    assert post(app, FIRST | {"value": 28.0}).json() == {"results": ["known"]}
    query = select(OUTCOMES.c.version, OUTCOMES.c.value).where(OUTCOMES.c.key.endswith("lab-1"))
    rows = deployment_of(app).store.read_now(lambda c: c.execute(query).all())
    assert sorted(map(tuple, rows)) == [(1, 35.0), (2, 28.0)]


def test_an_outcome_that_does_not_fit_is_refused_and_not_repeated(app: FastAPI) -> None:
    response = post(app, FIRST | {"value": "Jane Roe"}, FIRST | {"colour": "Jane Roe"})
    assert response.status_code == 422
    assert response.json()["error"]["problems"] == [
        "outcomes.0.value: is a text; send a number.",
        "outcomes.1.[...]: is no field of this request; take it out.",
    ]
    assert "Roe" not in response.text


def test_an_observation_of_the_future_is_refused_and_named(app: FastAPI) -> None:
    def at(**ahead: float) -> str:
        return (datetime.datetime.now(datetime.UTC) + datetime.timedelta(**ahead)).isoformat()

    late = FIRST | {"key": "lab-9", "observed_at": at(minutes=7)}
    response = post(app, FIRST, late, late | {"observed_at": at(days=2)})
    assert response.status_code == 422
    assert response.json()["error"]["problems"] == [
        "outcomes.1.observed_at: lies in the future; send what was observed, once it was.",
        "outcomes.2.observed_at: lies in the future; send what was observed, once it was.",
    ]
    assert kept(app) == []
    assert post(app, FIRST | {"observed_at": at(minutes=4)}).json() == {"results": ["kept"]}


def test_an_observation_before_its_answer_or_far_before_all_is_refused(app: FastAPI) -> None:
    assert post(app, FIRST | {"observed_at": "1926-05-01T08:00:00Z"}).status_code == 200
    answer, made = ask(app), datetime.datetime.now(datetime.UTC)

    def before(**delta: float) -> str:
        return (made - datetime.timedelta(**delta)).isoformat()

    own = FIRST | {"key": "lab-2", "answer": answer, "patient_id": ""}
    response = post(
        app,
        own | {"observed_at": before(days=2)},
        own | {"observed_at": before(hours=20)},
        FIRST | {"observed_at": "1926-05-01T08:00:00Z"},
        FIRST | {"observed_at": before(days=360)},
    )
    assert response.status_code == 422
    day, two_days = made.date(), (made - datetime.timedelta(days=2)).date()
    assert response.json()["error"]["problems"] == [
        f"outcomes.0.observed_at: {two_days} lies before the answer, which was made on {day}; mend "
        "the date, or name the answer that it followed.",
        "outcomes.2.observed_at: 1926-05-01 lies over a year before the first answer of this "
        f"service, which was made on {day}; mend the date, or leave the observation out.",
    ]


def test_everything_wrong_with_outcomes_is_named_at_once_and_nothing_is_kept(
    app: FastAPI,
) -> None:
    """Any code with any number once was kept, and no page ever showed it."""
    response = post(
        app,
        FIRST,
        FIRST | {"code": "INR", "value": 2.5},
        FIRST | {"value": 471_100.0},
        FIRST | {"value": None, "answer": "gone"},
        FIRST | {"unit": "mmol/L"},
        FIRST | {"code": "MEDS_DEATH", "value": 35.0},
        FIRST | {"patient_id": ""},
    )
    assert response.status_code == 422
    assert response.json()["error"]["problems"] == [
        "outcomes.1.code: is no outcome and no harm that a study names; those are "
        f"{DOSE}, MEDS_DEATH (GET /models lists them).",
        "outcomes.2.value: cannot be right; possible is from 0.5 to 350 mg/wk. Check the unit.",
        "outcomes.3.answer: no answer has this id; send `id` of the reply to POST "
        "/recommendations.",
        "outcomes.3.value: is missing; this is a number in mg/wk.",
        "outcomes.4.unit: cannot be converted; send the number in mg/wk.",
        "outcomes.5.value: this is an event; send 1 (or nothing) where it happened and 0 where it "
        "did not, without a unit.",
        "outcomes.6.patient_id: is missing, and so is answer; send one, or it belongs to nobody.",
    ]
    assert response.json()["error"]["message"].startswith("Nothing was kept. outcomes.1.code: ")
    assert "4711" not in response.text
    assert kept(app) == []


def test_an_outcome_of_the_study_is_kept_in_its_unit(app: FastAPI) -> None:
    answer = ask(app)
    today = FIRST | {"observed_at": datetime.datetime.now(datetime.UTC).isoformat()}
    good = [
        today | {"key": "a", "value": 5.0, "unit": "mg/d"},
        today | {"key": "b", "unit": "mg/wk", "answer": answer, "patient_id": ""},
        today | {"key": "c", "code": f"{DOSE}//clinic"},
        today | {"key": "d", "code": "MEDS_DEATH", "value": None},
        today | {"key": "e", "code": "MEDS_DEATH", "value": 0},
    ]
    assert post(app, *good).json() == {"results": ["kept"] * 5}
    assert kept(app) == [
        (1, DOSE, 35.0),
        (1, DOSE, 35.0),
        (1, f"{DOSE}//clinic", 35.0),
        (1, "MEDS_DEATH", None),
        (1, "MEDS_DEATH", 0.0),
    ]


def test_the_models_name_the_outcomes_that_are_taken(app: FastAPI) -> None:
    async def read() -> httpx.Response:
        async with client(app) as http:
            return await http.get("/models")

    (model,) = asyncio.run(read()).json()
    assert [(o["code"], o["role"], o["is_number"]) for o in model["outcomes"]] == [
        (DOSE, "outcome", True),
        ("MEDS_DEATH", "end", False),
    ]
    dose = model["outcomes"][0]
    assert (dose["unit"], dose["least"], dose["most"]) == ("mg/wk", 0.5, 350.0)


@pytest.fixture
def study(app: FastAPI) -> Study:
    """A study of a laboratory value, with a harm that also continues a code of the outcome."""
    own = deployment_of(app).models.find("warfarin").artifact.study
    outcome = replace(
        own.outcome,
        codes=("LAB//SUGAR",),
        unit="mmol/L",
        kind="value_in_range",
        range=Bounds(4.0, 7.0),
        unless=("DRUG//STOPPED",),
    )
    reward = replace(own.reward, costs=(Cost(("LAB//SUGAR//LOW", "BLEED"), 1.0, 30.0),))
    return replace(own, outcome=outcome, reward=reward)


def test_harms_and_stopped_options_are_events_and_the_longest_code_counts(study: Study) -> None:
    found = expected_outcomes(study)
    assert [(one.code, one.role, one.is_number) for one in found] == [
        ("LAB//SUGAR", "outcome", True),
        ("LAB//SUGAR//LOW", "harm", False),
        ("BLEED", "harm", False),
        ("DRUG//STOPPED", "stopped", False),
        ("MEDS_DEATH", "end", False),
    ]
    low = find_expected(found, "LAB//SUGAR//LOW//home")
    assert low is not None
    assert low.role == "harm"
    assert find_expected(found, "LAB//SUGAR2") is None
    assert in_the_study_s_unit(6.0, "", found[0]) == 6.0
