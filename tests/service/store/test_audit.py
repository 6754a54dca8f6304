"""The audit log finds every change, and the database itself refuses the simple ones."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from posology.service.store import AuditEvent, Store, append_event, open_store, verify_audit

KEY = b"k" * 32


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(f"sqlite:///{tmp_path / 'store.sqlite'}", KEY)
    for number in range(4):
        store.write_now(append_event, KEY, AuditEvent("answer", "ehr", subject=str(number)))
    yield store
    store.close()


def _without_triggers(connection: Connection, statement: str) -> None:
    connection.execute(text("DROP TRIGGER audit_no_update"))
    connection.execute(text("DROP TRIGGER audit_no_delete"))
    connection.execute(text(statement))


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE audit SET subject = 'x' WHERE number = 2", "row 2 was changed after"),
        ("DELETE FROM audit WHERE number = 3", "row 3 is missing: row 4 stands in its place"),
        (
            "INSERT INTO audit SELECT 5, at, action, caller, model, digest, subject, detail, "
            "before, hash FROM audit WHERE number = 4",
            "row 5 does not follow row 4",
        ),
    ],
)
def test_a_row_changed_removed_or_added_is_found(
    store: Store, statement: str, problem: str
) -> None:
    assert store.read_now(verify_audit, KEY).problem == ""
    store.write_now(_without_triggers, statement)
    assert store.read_now(verify_audit, KEY).problem.startswith(problem)


@pytest.mark.parametrize("action", ["UPDATE audit SET subject = ''", "DELETE FROM audit"])
def test_the_database_refuses_to_change_the_log(store: Store, action: str) -> None:
    with pytest.raises(IntegrityError, match="the audit log is append-only"):
        store.write_now(lambda connection: connection.execute(text(action)))
    assert store.read_now(verify_audit, KEY).rows == 4


def test_rows_cut_off_at_the_end_change_the_head(store: Store) -> None:
    head = store.read_now(verify_audit, KEY).head
    store.write_now(_without_triggers, "DELETE FROM audit WHERE number = 4")
    cut = store.read_now(verify_audit, KEY)
    assert (cut.rows, cut.problem) == (3, "")
    assert cut.head != head


def test_who_does_not_have_the_key_cannot_write_a_row(store: Store) -> None:
    store.write_now(append_event, b"x" * 32, AuditEvent("answer", "intruder"))
    assert store.read_now(verify_audit, KEY).problem.startswith("row 5 was changed")


def test_one_write_that_fails_does_not_undo_those_it_shares_a_transaction_with(
    store: Store,
) -> None:
    def fail(connection: Connection) -> None:
        append_event(connection, KEY, AuditEvent("answer", "ehr"))
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        store.write_now(fail)
    store.write_now(append_event, KEY, AuditEvent("answer", "ehr"))
    check = store.read_now(verify_audit, KEY)
    assert (check.rows, check.problem) == (5, "")
