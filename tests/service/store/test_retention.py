"""Facts and texts of old answers are erased; what is counted and audited stays."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, select, update

from posology.service.store import (
    DecisionRecord,
    Store,
    StoredAnswer,
    open_store,
    read_answer,
    save_answer,
    save_decision,
    verify_audit,
)
from posology.service.store.decisions import decisions_of
from posology.service.store.feedback import FeedbackRecord, save_feedback
from posology.service.store.retention import count_erasable, erase_patients
from posology.service.store.shadows import (
    ShadowAnswer,
    read_pairs,
    read_shadow_body,
    save_shadows,
)
from posology.service.store.tables import FEEDBACK

SECRET = b"k" * 32
ANSWER = StoredAnswer(
    *("a1", "2026-01-01T00:00:00.000000Z", "warfarin", "d" * 64, "p1", "dose", "Give 35 mg."),
    *("ehr", "api", "ref", False, 1.0, b"body", b"given"),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(f"sqlite:///{tmp_path / 'store.sqlite'}", SECRET)
    yield store
    store.close()


def test_old_answers_lose_their_patient_and_nothing_else(store: Store) -> None:
    new = StoredAnswer(*("a2", "2099-01-01T00:00:00.000000Z"), *_rest(ANSWER))
    for answer in (ANSWER, new):
        store.write_now(save_answer, answer)
    record = DecisionRecord("k", "a1", "overridden", "person-1", reason="other", comment="Jane")
    store.write_now(save_decision, record)
    assert store.read_now(count_erasable, 30).answers == 1
    found = store.write_now(erase_patients, SECRET, 30)
    assert (found.answers, found.comments) == (1, 1)
    again = store.write_now(erase_patients, SECRET, 30)
    assert (again.answers, again.comments) == (0, 0)
    erased, kept = (store.read_now(read_answer, name) for name in ("a1", "a2"))
    assert erased is not None
    assert (erased.body, erased.given, erased.headline) == (None, None, "")
    assert (erased.state, erased.patient_key, erased.model) == ("dose", "p1", "warfarin")
    assert kept == new
    (decision, _), *_ = store.read_now(decisions_of, "a1")
    assert (decision.outcome, decision.reason, decision.comment) == ("overridden", "other", "")
    check = store.read_now(verify_audit, SECRET)
    assert (check.rows, check.problem) == (1, "")


def test_a_comment_on_a_card_that_nobody_knows_is_erased_by_its_own_time(store: Store) -> None:
    times = ("2026-01-01T00:00:00.000000Z", "2099-01-01T00:00:00.000000Z")
    for card, received in zip(("old", "new"), times, strict=True):
        record = FeedbackRecord("warfarin", card, "overridden", received, "ehr", comment="Jane Roe")
        store.write_now(save_feedback, record)
        store.write_now(_receive_at, card, received)
    assert store.write_now(erase_patients, SECRET, 30).comments == 1
    assert store.read_now(_comments) == {"old": "", "new": "Jane Roe"}
    assert store.read_now(verify_audit, SECRET).problem == ""


def test_challengers_answers_lose_their_text_with_the_answer_given(
    store: Store,
) -> None:
    store.write_now(save_answer, ANSWER)
    shadow = ShadowAnswer("a1", ANSWER.made_at, "e" * 64, "dose", "low", 16.0, "low", 17.0, 1.0)
    store.write_now(save_shadows, [replace(shadow, body=b"body")])
    assert store.read_now(count_erasable, 30).shadows == 1
    assert store.write_now(erase_patients, SECRET, 30).shadows == 1
    assert store.read_now(read_shadow_body, "a1", "e" * 64) is None
    [pair] = store.read_now(read_pairs, "warfarin", "d" * 64, "e" * 64)
    assert (pair.option, pair.dose, pair.champion_dose) == ("low", 16.0, 17.0)
    assert store.read_now(count_erasable, 30).shadows == 0


def _receive_at(connection: Connection, card: str, at: str) -> None:
    connection.execute(update(FEEDBACK).where(FEEDBACK.c.card == card).values(received_at=at))


def _comments(connection: Connection) -> dict[str, str]:
    return {r.card: r.comment for r in connection.execute(select(FEEDBACK))}


def test_a_form_sent_twice_is_one_decision(store: Store) -> None:
    store.write_now(save_answer, ANSWER)
    record = DecisionRecord("form-1", "a1", "accepted", "person-1")
    assert store.write_now(save_decision, record)
    assert not store.write_now(save_decision, record)
    assert len(store.read_now(decisions_of, "a1")) == 1


def _rest(answer: StoredAnswer) -> tuple:
    return tuple(getattr(answer, name) for name in StoredAnswer.__slots__[2:])
