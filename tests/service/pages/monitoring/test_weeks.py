"""Answers by week, and that a page asks the database a few times however much it holds."""

import datetime
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from fastapi import FastAPI
from sqlalchemy import Connection, delete, event

from posology.cohorts.study.reader import read_study
from posology.domain.recommendation.recommendation import BETTER_FOR_PATIENT, OUTSIDE_TRAINING
from posology.service.followed_outcomes import read_followed
from posology.service.pages.monitoring.weeks import WEEKS, read_use
from posology.service.store import DecisionRecord, OutcomeRecord, save_answer, save_decision
from posology.service.store import save_outcome as keep
from posology.service.store.clock import now, to_text
from posology.service.store.tables import ANSWERS, DECISIONS, OUTCOMES
from tests.builders.pages import made_up_answer
from tests.builders.service import deployment_of


def statements(app: FastAPI, read: Callable[..., Any], *given: Any) -> tuple[Any, int]:
    """What it reads, and by how many statements."""
    seen: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    def run(connection: Connection) -> Any:
        event.listen(connection, "before_cursor_execute", note)
        return read(connection, *given)

    return deployment_of(app).store.read_now(run), len(seen)


def store(app: FastAPI, count: int) -> None:
    """So many answers, one every six hours back from now, each of a patient with an outcome."""

    def write(connection: Connection) -> None:
        for at in range(count):
            made = to_text(now() - datetime.timedelta(hours=6 * at, minutes=1))
            answer = made_up_answer(BETTER_FOR_PATIENT, made, f"p{at}", "d" * 64)
            state = OUTSIDE_TRAINING if at % 4 == 0 else answer.state
            save_answer(connection, replace(answer, id=f"a{at}", state=state))
            outcome = OutcomeRecord(f"k{at}", "OUTCOME//WARFARIN_DOSE", 20.0, made, "x")
            by_answer = replace(outcome, answer=f"a{at}", observed_at=to_text(now()))
            by_patient = replace(by_answer, answer="", patient_key=f"p{at}")
            keep(connection, by_answer if at % 2 else by_patient)
            if at % 3 == 0:
                record = DecisionRecord(f"d{at}", f"a{at}", "overridden", "x", reason="guideline")
                save_decision(connection, record)

    deployment_of(app).store.write_now(write)


def test_answers_are_counted_in_their_week(app: FastAPI) -> None:
    store(app, 40)
    future = made_up_answer("dose", to_text(now() + datetime.timedelta(hours=1)), "f", "d" * 64)
    old = replace(future, id="old", made_at=to_text(now() - datetime.timedelta(weeks=13)))
    for stored in (future, old):
        deployment_of(app).store.write_now(save_answer, stored)
    use, _ = statements(app, read_use, "warfarin")
    assert len(use.weeks) == WEEKS
    assert [week.answers for week in use.weeks[-3:]] == [0, 12, 29]
    assert [week.abstained for week in use.weeks[-2:]] == [3, 7]
    assert [week.read for week in use.weeks[-2:]] == [12, 29]
    assert [len(week.milliseconds) for week in use.weeks[-2:]] == [12, 29]
    assert (use.outcomes["overridden"], use.outcomes[""], use.reasons["guideline"]) == (14, 27, 14)
    assert statements(app, read_use, "other")[0].weeks == [type(use.weeks[0])()] * WEEKS


def test_the_statements_do_not_grow_with_the_answers(app: FastAPI) -> None:
    """Each of 600 outcomes once took two statements of its own: a quarter of a second a view."""
    study = read_study("iwpc")
    counts = []
    for answers in (2, 10):
        store(app, answers)
        use, of_use = statements(app, read_use, "warfarin")
        found, of_followed = statements(app, read_followed, "warfarin", study)
        assert sum(week.answers for week in use.weeks) == answers
        assert found.unlinked + len({p.patient for p in found.predictions}) == answers
        counts.append((of_use, of_followed))
        deployment_of(app).store.write_now(_empty)
    assert counts[0] == counts[1]


def _empty(connection: Connection) -> None:
    for table in (OUTCOMES, DECISIONS, ANSWERS):
        connection.execute(delete(table))
