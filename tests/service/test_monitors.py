"""The store's answers become observations, and the page and the command judge them."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fastapi import FastAPI
from sqlalchemy import Connection
from typer.testing import CliRunner

from posology import artifact
from posology.advice.form.training_facts import EVIDENCE as FACTS
from posology.advice.form.training_facts import measure_facts
from posology.cli import app as command
from posology.domain.serialization import serialize
from posology.lifecycle.monitoring.verdict import MonitorMonth, Verdict
from posology.lifecycle.monitoring.words import alarm_words
from posology.service.identity.callers import DATA_SCIENTIST
from posology.service.monitors.cases import (
    MOST_OF_COMMAND,
    observe_cases,
    read_cases,
    reference_of,
)
from posology.service.pages.monitoring.content import ModelState, page_headline
from posology.service.pages.monitoring.monitors import evidence_words, verdict_words
from posology.service.store import OutcomeRecord, save_answer, save_outcome
from posology.workflows.monitoring.monitor import ALARM
from tests.builders.pages import made_up_answer, signed_in
from tests.builders.policies import iwpc_cohort
from tests.builders.service import deployment_of, running_app
from tests.workflows.monitoring.test_monitor import saved

CODE = "OUTCOME//WARFARIN_DOSE"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    model = saved()
    evidence = model.evidence | {FACTS: serialize(measure_facts(iwpc_cohort()), {})}
    artifact.save(model.policy, model.study, evidence, tmp_path / "model")
    return tmp_path


@pytest.fixture
def app(place: Path) -> Iterator[FastAPI]:
    with running_app(place / "model", place / "service") as running:
        yield running


def store_answers(app: FastAPI, count: int, weight: float) -> None:
    rng = np.random.default_rng(0)
    digest = deployment_of(app).models.find("warfarin").digest

    def write(connection: Connection) -> None:
        for at in range(count):
            age = 10 * int(rng.integers(2, 10))
            facts = {"sex": rng.choice(["male", "female"]), "age": f"{age}-{age + 9}"}
            facts |= {"weight": float(np.clip(rng.normal(weight, 15), 35, 200))}
            made = f"2026-10-{1 + at % 28:02d}T08:00:00.000000Z"
            stored = made_up_answer("dose", made, f"p{at}", digest, {"facts": facts})
            save_answer(connection, replace(stored, id=f"a{at}"))
            if at < 60:
                record = OutcomeRecord(f"k{at}", CODE, 30.0, "2026-11-02", "x", answer=f"a{at}")
                save_outcome(connection, record)

    asyncio.run(deployment_of(app).store.write(write))


def test_answers_become_observations_with_their_outcomes(app: FastAPI) -> None:
    store_answers(app, 80, 75.0)
    model = deployment_of(app).models.find("warfarin").artifact
    cases = asyncio.run(deployment_of(app).store.read(read_cases, "warfarin", model))
    observed = observe_cases(model, cases)
    assert observed is not None
    assert len(observed) == len(cases) == 80
    weight = observed.number[:, observed.facts.index("WEIGHT")]
    assert 65 < weight.mean() < 85
    assert (observed.followed >= 0).sum() == 60
    assert set(observed.given[observed.followed >= 0]) == {1}, "30 mg a week is a medium dose"
    judged = observed.followed >= 0
    assert (observed.effective[judged] == (observed.first[judged] == 1)).all()


def test_the_page_names_a_shifted_input_and_what_to_do(app: FastAPI) -> None:
    store_answers(app, 300, 110.0)
    browser = signed_in(app, DATA_SCIENTIST)
    browser.get("/monitoring/warfarin")
    if "No alarm in" in browser.text:  # the outcomes' windows closed in a later month
        assert "The last one was in 2026-10: weight, kg: level rose" in browser.text
        assert "Alarm: " not in browser.text
        assert "A month outside what is allowed is no alarm yet" in browser.text
    else:
        assert "Alarm in 2026-10." in browser.text
        strongest = r"Alarm: \S.* (rose|fell) and \d+ more in 2026-10 The model still answers"
        assert re.search(strongest, browser.text)


def test_an_alarm_is_the_headline_of_the_page_and_an_earlier_one_names_its_monitor() -> None:
    reference = reference_of(saved())
    assert reference is not None
    months = [[MonitorMonth(100, 0.9, 2.0, True, row == 0) for row in range(2)]]
    months.append([MonitorMonth(100, 0.5, 0.0, True, False) for _ in range(2)])
    now = Verdict(12 * 2026 + 9, reference.monitors[:2], (), (tuple(months[0]),), (2.0,), (True,))
    earlier = replace(now, months=tuple(map(tuple, months)), alarms=(True, False))
    about = f"{reference.monitors[0].name} rose"
    assert alarm_words(now, 0) == about
    assert verdict_words(now) == "Alarm in 2026-10."
    assert verdict_words(earlier) == f"No alarm in 2026-11. The last one was in 2026-10: {about}."
    state = ModelState("warfarin", "", (), False, "", f"{about} in 2026-10")
    assert page_headline(state, ()) == f"Alarm: {about} in 2026-10"
    assert page_headline(replace(state, stopped="a fault"), ()) == "This model is switched off"


def test_the_page_of_a_model_without_a_reference_says_so(tmp_path: Path) -> None:
    from tests.builders.service import save_small_model

    model = save_small_model(tmp_path / "model")
    with running_app(model, tmp_path / "service") as app:
        browser = signed_in(app, DATA_SCIENTIST)
        browser.get("/monitoring/warfarin")
        assert "keeps no reference for monitors: fit it again" in browser.text


def test_the_command_reads_the_store(app: FastAPI, place: Path) -> None:
    store_answers(app, 300, 110.0)
    arguments = ["monitor", str(place / "model"), "--service", str(place / "service")]
    result = CliRunner().invoke(command, [*arguments, "--until", "2026-10"])
    assert result.exit_code == ALARM, result.output
    assert "weight, kg: level rose" in " ".join(result.output.split())
    both = CliRunner().invoke(command, ["monitor", str(place / "model")])
    assert "name the events of later patients, or the folder" in str(both.exception)


def test_evidence_in_words() -> None:
    assert [evidence_words(x) for x in (0.0, 0.02, 1.5, 1e9)] == [
        "under 0.001",
        "0.02",
        "1.5",
        "over 1,000",
    ]


def test_the_command_sees_the_outcomes_of_all_answers_whatever_else_came_later(
    app: FastAPI,
) -> None:
    store_answers(app, 700, 75.0)

    def write(connection: Connection) -> None:
        for at in range(700):
            moment = "2026-11-02T00:00:00.000000Z"
            record = OutcomeRecord(f"k{at}", CODE, 35.0, moment, "x", patient_key=f"p{at}")
            save_outcome(connection, record)
            harm = OutcomeRecord(f"h{at}", "HARM//BLEEDING", None, moment, "x", f"p{at}")
            save_outcome(connection, harm)

    store = deployment_of(app).store
    asyncio.run(store.write(write))
    model = deployment_of(app).models.find("warfarin").artifact
    cases = asyncio.run(store.read(read_cases, "warfarin", model, MOST_OF_COMMAND))
    assert [case.outcome for case in cases] == [35.0] * 700, "a correction counts, and no harm"
