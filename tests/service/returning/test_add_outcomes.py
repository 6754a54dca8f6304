"""Outcomes into the store: linked, corrected, never twice; what is left out has its reason."""

import datetime
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from sqlalchemy import func, select

from posology.errors import UserError
from posology.lifecycle.advice_log import ACCEPTED, OVERRIDDEN, UNKNOWN
from posology.service.keys import KEY, derive_key, read_or_make_key
from posology.service.returning.add_outcomes import Added, Question, add_outcomes, served_name
from posology.service.returning.advice_log import read_advice_log
from posology.service.returning.patients import patient_keys, served_models
from posology.service.returning.words import describe
from posology.service.store import (
    DecisionRecord,
    FeedbackRecord,
    Store,
    open_store,
    save_answer,
    save_decision,
    save_feedback,
    verify_audit,
)
from posology.service.store.tables import OUTCOMES
from posology.service.work import _pack
from tests.builders.pages import made_up_answer
from tests.builders.two_drug_records import ZERO, event_table, study


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Answers on day 0: patient 1 accepted, 2 overridden, 3 without a reaction."""
    key = read_or_make_key(tmp_path / KEY)
    opened = open_store(f"sqlite:///{tmp_path / 'store.sqlite'}", derive_key(key, "audit"))
    made = ZERO.replace(tzinfo=datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    key_of = patient_keys(tmp_path, None, plain=False)
    advice = {"state": "recommended", "is_ranked": True, "dose": None}
    advice |= {"options": [{"name": "b", "dose": None}]}
    for subject in (1, 2, 3):
        answer = made_up_answer("dose", made, key_of(subject), "0" * 64)
        body = _pack({"recommendation": advice})
        stored = replace(answer, id=f"a{subject}", model="two_drugs", body=body)
        opened.write_now(save_answer, stored)
    opened.write_now(save_decision, DecisionRecord("k1", "a1", "accepted", "ada", "b"))
    feedback = FeedbackRecord("s", "card", "overridden", made, "ehr", "a2")
    opened.write_now(save_feedback, feedback)
    yield opened
    opened.close()


def question(folder: Path) -> Question:
    return Question("two_drugs", study(), patient_keys(folder, None, plain=False))


EVENTS = event_table(
    (1, -5, "LAB", 7.0),
    (1, 20, "LAB", 4.0),
    (2, 20, "LAB", 6.0),
    (2, 90, "LAB", 6.0),
    (3, 5, "HARM", None),
    (4, 20, "LAB", 4.0),
)


def rows(store: Store) -> int:
    return store.read_now(lambda c: c.scalar(select(func.count()).select_from(OUTCOMES)))


def test_outcomes_are_linked_and_the_others_have_a_reason(store: Store, tmp_path: Path) -> None:
    dry = add_outcomes(store, question(tmp_path), EVENTS, dry_run=True)
    assert rows(store) == 0
    found = add_outcomes(store, question(tmp_path), EVENTS, dry_run=False)
    assert replace(dry, dry_run=False) == found
    assert found == Added(
        results={"kept": 3},
        linked={"accepted": 1, "overridden": 1, "unknown": 1},
        unlinked={"before_any_answer": 1, "after_the_window": 1, "nobody_asked": 1},
        missing=1,
        dry_run=False,
    )
    assert rows(store) == 3
    assert not store.read_now(verify_audit, store.key).problem
    assert describe(found).splitlines() == [
        "Kept: 3; corrected: 0; known before: 0.",
        "Linked, by what became of the recommendation: 1 accepted, 1 overridden, 1 unknown.",
        "Not linked: 1, after the study's window of the last answer.",
        "Not linked: 1, observed before any answer.",
        "Not linked: 1, nobody asked about the patient.",
        "Missing: 1 answers whose window is over have no outcome.",
    ]


def test_nothing_is_counted_twice_and_a_correction_is_a_new_version(
    store: Store, tmp_path: Path
) -> None:
    add_outcomes(store, question(tmp_path), EVENTS, dry_run=False)
    assert add_outcomes(store, question(tmp_path), EVENTS, False).results == {"known": 3}
    corrected = event_table((1, 20, "LAB", 4.5), (2, 20, "LAB", 6.0))
    found = add_outcomes(store, question(tmp_path), corrected, False)
    assert found.results == {"corrected": 1, "known": 1}
    twice = pa.concat_tables([EVENTS, event_table((1, 20, "LAB", 4.5))])
    assert add_outcomes(store, question(tmp_path), twice, False).results == {"known": 3}
    assert rows(store) == 4


def test_a_value_that_cannot_be_is_not_kept(store: Store, tmp_path: Path) -> None:
    wrong = event_table((3, 5, "HARM", 7.0), (1, 20, "LAB", None))
    found = add_outcomes(store, question(tmp_path), wrong, False)
    assert (found.results, found.unlinked) == ({}, {"impossible_value": 2})


def test_an_update_gets_what_was_recommended_and_what_became_of_it(
    store: Store, tmp_path: Path
) -> None:
    key_of = patient_keys(tmp_path, None, plain=False)
    keys = {subject: key_of(subject) for subject in (1, 2, 3, 4)}
    log = store.read_now(read_advice_log, "two_drugs", study(), keys)
    assert log.subject_id.tolist() == [1, 2, 3]
    assert log.option.tolist() == [1, 1, 1]
    assert log.accepted.tolist() == [ACCEPTED, OVERRIDDEN, UNKNOWN]
    nobody = store.read_now(read_advice_log, "two_drugs", study(), {4: key_of(4)})
    assert len(nobody.time) == 0


def test_patients_may_have_other_ids_and_the_model_another_name(
    store: Store, tmp_path: Path
) -> None:
    (tmp_path / "ids.csv").write_text("subject_id,patient_id\n77,1\n")
    key_of = patient_keys(tmp_path, tmp_path / "ids.csv", plain=False)
    assert key_of(77) == patient_keys(tmp_path, None, plain=False)(1)
    assert key_of(1) == ""
    assert patient_keys(tmp_path, None, plain=True)(1) == "1"
    (tmp_path / "bad.csv").write_text("subject_id,patient_id\nx,1\n")
    with pytest.raises(UserError, match=r"bad\.csv, line 2: subject_id must be a whole number"):
        patient_keys(tmp_path, tmp_path / "bad.csv", plain=False)
    names = store.read_now(served_models)
    assert served_name(names, "") == "two_drugs"
    with pytest.raises(UserError, match="--name heparin: the store has answers of: two_drugs"):
        served_name(names, "heparin")
