"""Calibration as outcomes arrive: predicted against observed, and errors of the dose."""

import asyncio
import re
from dataclasses import replace

import pytest
from fastapi import FastAPI
from sqlalchemy import Connection

from posology.cohorts.study.reader import read_study
from posology.domain.recommendation.option import NOT_ESTIMATED, Estimate
from posology.domain.recommendation.recommendation import (
    BETTER_FOR_PATIENT,
    DOSE_ONLY,
    Recommendation,
)
from posology.domain.serialization import serialize
from posology.domain.study import Bounds, Outcome, Study
from posology.service.followed_outcomes import (
    DoseError,
    Followed,
    Prediction,
    read_followed,
)
from posology.service.identity.callers import DATA_SCIENTIST
from posology.service.pages.monitoring.followed import followed_part, probability_bins
from posology.service.store import (
    DecisionRecord,
    OutcomeRecord,
    save_answer,
    save_decision,
    save_outcome,
)
from tests.builders.model_evidence import ERRORS
from tests.builders.pages import made_up_answer, pack, signed_in
from tests.builders.recommendations import ADVICE_BY_STATE
from tests.builders.service import deployment_of

CODE = "OUTCOME//WARFARIN_DOSE"


def dose_advice(low: float) -> Recommendation:
    """16 mg a week, with this chance (of 100) that a dose in the low range is right."""
    advice = ADVICE_BY_STATE[DOSE_ONLY]
    options = tuple(
        replace(option, standing=NOT_ESTIMATED, outcome=Estimate(value, 0.0, 100.0))
        for option, value in zip(advice.options[:2], (low, 100.0 - low), strict=True)
    )
    return replace(advice, options=options)


def store_followed(app: FastAPI, patients: int, right: float = 18.0) -> None:
    def write(connection: Connection) -> None:
        for at in range(patients):
            made = f"2026-11-27T08:{at % 60:02d}:{at // 60:02d}.000000Z"
            advice = dose_advice(90.0 if at % 2 else 20.0)
            body = pack({"recommendation": serialize(advice, {})})
            stored = made_up_answer("dose", made, f"p{at}", "d" * 64)
            save_answer(connection, replace(stored, id=f"a{at}", body=body))
            value = right if at % 2 else 30.0
            outcome = OutcomeRecord(f"k{at}", CODE, 99.0, "2026-12-27", "x", f"p{at}")
            save_outcome(connection, outcome)
            save_outcome(connection, replace(outcome, value=value))  # corrected

    asyncio.run(deployment_of(app).store.write(write))


def followed(app: FastAPI, study: Study) -> Followed:
    return deployment_of(app).store.read_now(read_followed, "warfarin", study)


def test_doses_and_classes_are_judged_by_the_last_version_of_each_outcome(app: FastAPI) -> None:
    store_followed(app, 40)
    found = followed(app, read_study("iwpc"))
    assert len(found.doses) == 40
    assert {(d.advised, d.right, d.planned) for d in found.doses} == {
        (16.0, 18.0, True),
        (16.0, 30.0, False),
    }
    assert {(p.probability, p.came_true) for p in found.predictions} == {
        (0.9, True),
        (0.1, False),
        (0.2, False),
        (0.8, True),
    }
    part = followed_part(found, ERRORS)
    rows = {name: (now, then) for name, now, then in part.doses}
    assert rows["Patients with a right dose"] == ("40", "")
    [name] = [name for name in rows if name.startswith("Off on average")]
    assert rows[name][0].startswith("8.0 (6")
    assert rows[name][1].startswith("8.5 (")
    assert rows["Right dose in the interval to plan for, of 100"][0] == "50"
    assert part.verdict.startswith("In 2 of 4 bins what happened differs")


def test_of_fewer_than_five_patients_nothing_is_shown(app: FastAPI) -> None:
    store_followed(app, 4)
    part = followed_part(followed(app, read_study("iwpc")), None)
    assert (part.calibration, part.doses) == (None, ())
    assert part.verdict == "Outcomes of under 5 patients are known: nothing is shown yet."
    few = [Prediction(f"p{at}", 0.1 if at < 3 else 0.9, True) for at in range(60)]
    assert sum(b.patients for b in probability_bins(few)) >= 57
    assert all(b.patients >= 5 for b in probability_bins(few))


def test_what_differs_from_the_prediction_is_said() -> None:
    wrong = [Prediction(f"p{at}", 0.9, at % 10 == 0) for at in range(60)]
    part = followed_part(Followed(wrong, [DoseError("p", 16.0, 18.0, None)]), None)
    assert part.verdict.endswith("first: predicted 90 of 100, observed 10.")
    assert part.doses == ()
    right = [Prediction(f"p{at}", 0.5, at % 2 == 0) for at in range(60)]
    assert followed_part(Followed(right, []), None).verdict == (
        "What was predicted agrees with what happened, within the intervals."
    )


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("occurs", 1.0, True),
        ("occurs", None, True),
        ("occurs", 0.0, False),
        ("does_not_occur", 1.0, False),
        ("value_in_range", 2.5, True),
        ("value_in_range", 3.5, False),
        ("change", 2.5, None),
    ],
)
def test_an_option_s_chance_is_judged_by_what_was_given(
    app: FastAPI, kind: str, value: float | None, expected: bool | None
) -> None:
    outcome = Outcome(("INR",), "", kind, 30.0, range=Bounds(2.0, 3.0))
    study = replace(read_study("iwpc"), outcome=outcome)

    def write(connection: Connection) -> None:
        stored = made_up_answer(BETTER_FOR_PATIENT, "2026-11-27T08:00:00.000000Z", "p", "d" * 64)
        save_answer(connection, stored)
        decision = DecisionRecord("d", stored.id, "overridden", "x", "medium", 25.0, "guideline")
        save_decision(connection, decision)
        record = OutcomeRecord("k", "INR//x", value, "2026-12-27", "x", answer=stored.id)
        save_outcome(connection, record)
        save_outcome(connection, replace(record, key="other", code="OTHER"))

    asyncio.run(deployment_of(app).store.write(write))
    found = followed(app, study)
    medium = next(o for o in ADVICE_BY_STATE[BETTER_FOR_PATIENT].options if o.name == "medium")
    assert medium.outcome is not None
    wanted = [] if expected is None else [(medium.outcome.value / 100, expected)]
    assert [(p.probability, p.came_true) for p in found.predictions] == wanted
    assert found.unlinked == (expected is None)


def test_the_page_shows_outcomes_as_they_arrive(app: FastAPI) -> None:
    store_followed(app, 30)
    browser = signed_in(app, DATA_SCIENTIST)
    browser.get("/monitoring/warfarin")
    assert "How patients fared: predicted and observed" in browser.text
    assert "30 patients with a known outcome" in browser.text
    assert "Right dose in the interval to plan for, of 100" in browser.text


def test_a_page_without_a_judged_check_has_no_tick(app: FastAPI) -> None:
    """It said "✓ 10 checks" under "Too few answers to judge yet"."""
    browser = signed_in(app, DATA_SCIENTIST)
    page = browser.get("/monitoring/warfarin").text
    assert "Too few answers to judge yet" in page
    assert re.search(r">0 of \d+ checks judged<", page)
