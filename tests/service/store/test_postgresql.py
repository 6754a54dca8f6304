"""The same store on PostgreSQL: tables, an append-only audit log, outcomes kept once."""

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from posology.errors import UserError
from posology.service.store import (
    AuditEvent,
    OutcomeRecord,
    append_event,
    open_store,
    save_answer,
    save_outcome,
    verify_audit,
)
from posology.service.store.shadows import ShadowAnswer, read_pairs, save_shadows
from tests.builders.pages import made_up_answer

KEY = b"k" * 32


def test_the_store_works_on_postgresql(postgresql: str) -> None:
    store = open_store(postgresql, KEY)
    try:
        other = open_store(postgresql, KEY)  # a second service on the same database
        other.write_now(append_event, KEY, AuditEvent("answer", "ehr"))
        store.write_now(append_event, KEY, AuditEvent("answer", "ehr"))
        other.close()
        for action in ("UPDATE audit SET subject = 'x'", "DELETE FROM audit", "TRUNCATE audit"):
            with pytest.raises(SQLAlchemyError, match="append-only"):
                store.write_now(_run, action)
        record = OutcomeRecord("k1", "INR", 2.5, "2026-05-01", "ehr")
        assert [store.write_now(save_outcome, record) for _ in range(2)] == ["kept", "known"]
        answer = made_up_answer("dose", "2026-11-27T08:00:00.000000Z", "p", "d" * 64)
        store.write_now(save_answer, answer)
        shadow = ShadowAnswer(answer.id, answer.made_at, "e" * 64, "dose")
        store.write_now(save_shadows, [shadow])
        assert len(store.read_now(read_pairs, "warfarin", "d" * 64, "e" * 64)) == 1
        check = store.read_now(verify_audit, KEY)
        assert (check.rows, check.problem) == (2, "")
    finally:
        store.close()


def _run(connection: Connection, statement: str) -> None:
    connection.execute(text(statement))


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (
            "postgresql://posology:hush@127.0.0.1:1/posology",
            r":\*\*\*@127.0.0.1:1/posology",
        ),
        ("sqlite:////nowhere/at/all/store.sqlite", "unable to open database file"),
    ],
)
def test_a_database_that_cannot_be_opened_is_named_without_its_password(
    address: str, words: str
) -> None:
    pytest.importorskip("psycopg", reason="no psycopg: pip install 'posology[postgres]'")
    with pytest.raises(UserError, match=f"{words}.*Start the database, or mend its") as error:
        open_store(address, KEY)
    assert "hush" not in str(error.value)
