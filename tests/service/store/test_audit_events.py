"""The audit log as FHIR AuditEvents: who, what and when, and no value."""

import io
import json
from pathlib import Path

import pytest

from posology.errors import UserError
from posology.service.keys import KEY, derive_key, read_or_make_key
from posology.service.store import AuditEvent, append_event, open_store
from posology.service.store.audit import check_head
from posology.service.store.audit_events import write_audit_events
from posology.service.store.existing import address_of, existing_store


def test_each_row_is_an_audit_event(tmp_path: Path) -> None:
    key = derive_key(read_or_make_key(tmp_path / KEY), "audit")
    store = open_store(address_of(tmp_path, ""), key)
    detail = {"patient": "a1b2", "state": "dose"}
    event = AuditEvent("answer", "ehr", "warfarin", "d" * 64, "answer-1", detail)
    head = store.write_now(append_event, key, event)
    store.close()
    file = io.StringIO()
    with existing_store(tmp_path) as again:
        assert again.read_now(write_audit_events, file) == 1
        assert again.read_now(check_head, key, head).problem == ""
        cut = again.read_now(check_head, key, "f" * 64)
    assert cut.problem == "no row has the hash noted before: rows were cut off"
    resource = json.loads(file.getvalue())
    assert resource["resourceType"] == "AuditEvent"
    assert (resource["action"], resource["subtype"][0]["code"]) == ("E", "answer")
    assert resource["agent"][0]["who"]["identifier"]["value"] == "ehr"
    values = [e["what"]["identifier"]["value"] for e in resource["entity"]]
    assert values == [f"warfarin@{'d' * 64}", "answer-1", "a1b2", head]


def test_a_folder_without_a_service_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(UserError, match=r"service\.key: does not exist; name the folder of a serv"),
        existing_store(tmp_path),
    ):
        pass


def test_a_damaged_store_is_one_paragraph_without_its_content(tmp_path: Path) -> None:
    key = derive_key(read_or_make_key(tmp_path / KEY), "audit")
    store = open_store(address_of(tmp_path, ""), key)
    head = store.write_now(append_event, key, AuditEvent("answer", "ehr"))
    store.close()
    path = tmp_path / "store.sqlite"
    path.write_bytes(path.read_bytes().replace(head.encode(), b"\xff" + head.encode()[1:]))
    with (
        pytest.raises(
            UserError, match=r"the store is damaged or cannot be read \(Operat"
        ) as caught,
        existing_store(tmp_path) as again,
    ):
        again.read_now(check_head, key, "")
    assert head[1:] not in str(caught.value)
