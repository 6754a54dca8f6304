"""Outcomes into the store: linked, corrected, never twice; what is left out has its reason."""

import datetime
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from sqlalchemy import func, select

from posology.domain.study import PredictionTarget
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
    OutcomeRecord,
    Store,
    open_store,
    save_answer,
    save_decision,
    save_feedback,
    save_outcome,
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


def test_an_outcome_dated_after_today_is_not_kept(store: Store, tmp_path: Path) -> None:
    """A patient asked about today has a window of 30 days ahead, in which a wrong date fits."""
    now = datetime.datetime.now(datetime.UTC)
    key_of = patient_keys(tmp_path, None, plain=False)
    asked = made_up_answer("dose", now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), key_of(5), "0" * 64)
    store.write_now(save_answer, replace(asked, id="a5", model="two_drugs"))
    day = (now.replace(tzinfo=None) - ZERO) / datetime.timedelta(days=1)
    ahead = event_table((5, day + 10, "LAB", 4.0))
    found = add_outcomes(store, question(tmp_path), ahead, dry_run=False)
    assert (found.results, found.unlinked) == ({}, {"in_the_future": 1})
    assert "Not linked: 1, dated after today: mend the date." in describe(found)
    assert rows(store) == 0


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


def test_an_answer_about_nobody_named_is_no_answer_about_a_patient_without_an_id(
    store: Store, tmp_path: Path
) -> None:
    made = ZERO.replace(tzinfo=datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    stored = replace(made_up_answer("dose", made, "", "0" * 64), id="nobody", model="two_drugs")
    store.write_now(save_answer, stored)
    (tmp_path / "ids.csv").write_text("subject_id,patient_id\n1,1\n")
    key_of = patient_keys(tmp_path, tmp_path / "ids.csv", plain=False)
    events = event_table((1, 20, "LAB", 4.0), (9, 20, "LAB", 4.0))
    found = add_outcomes(store, Question("two_drugs", study(), key_of), events, False)
    assert (found.results, found.unlinked) == ({"kept": 1}, {"nobody_asked": 1})
    log = store.read_now(read_advice_log, "two_drugs", study(), {1: key_of(1), 9: key_of(9)})
    assert log.subject_id.tolist() == [1]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\xef\xbb\xbfsubject_id,patient_id\n77,1\n", ""),
        (b"subject_id,patient_id\n77,1\n77,1\n", ""),
        (b"subject_id,patient_id\n77,M\xfcller\n", r"ids\.csv: is not in UTF-8"),
        (b"subject_id,patient_id\n77\n", r"ids\.csv, line 2: patient_id is missing"),
        (b"subject_id,patient_id\n77,\n", r"ids\.csv, line 2: patient_id is missing"),
        (b"subject_id,patient_id\n77,1\n77,2\n", r"line 3: this subject_id stands above with"),
        (b"patient_id,subject_id\n1,77\n", "its first line must be subject_id,patient_id"),
    ],
)
def test_a_file_of_ids_as_spreadsheets_write_it(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    (tmp_path / "ids.csv").write_bytes(content)
    if problem:
        with pytest.raises(UserError, match=problem):
            patient_keys(tmp_path, tmp_path / "ids.csv", plain=True)
    else:
        assert patient_keys(tmp_path, tmp_path / "ids.csv", plain=True)(77) == "1"


def test_what_is_forecast_has_a_window_of_its_own_which_may_never_end(
    store: Store, tmp_path: Path
) -> None:
    target = PredictionTarget("stroke", ("STROKE",), within_days=math.inf)
    asked = replace(question(tmp_path), study=replace(study(), diagnosis=(target,)))
    events = event_table((1, 90, "STROKE", None), (2, 90, "LAB", 6.0))
    found = add_outcomes(store, asked, events, False)
    assert (found.results, found.unlinked) == ({"kept": 1}, {"after_the_window": 1})


def test_a_long_key_is_kept_as_its_hash_and_known_again(store: Store) -> None:
    long = OutcomeRecord("x" * 400, "LAB", 4.0, "2026-01-01T00:00:00.000000Z", "lab", answer="a1")
    assert store.write_now(save_outcome, long) == "kept"
    assert store.write_now(save_outcome, long) == "known"
    assert store.write_now(save_outcome, replace(long, value=5.0)) == "corrected"
    keys = store.read_now(lambda c: c.scalars(select(OUTCOMES.c.key)).all())
    assert {len(key) for key in keys} == {64}, "the column has 200 characters"
