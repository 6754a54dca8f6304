"""The audit log as FHIR AuditEvents: who, what and when, and no value."""

import io
import json
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from posology.errors import UserError
from posology.service.keys import KEY, derive_key, read_or_make_key
from posology.service.store import AuditEvent, append_event, open_store
from posology.service.store.audit import check_head
from posology.service.store.audit_events import to_audit_event, write_audit_events
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


@pytest.mark.parametrize("head", ["a1b2c3d4e5f6", "f" * 63, "g" * 64])
def test_what_is_no_whole_head_is_refused_and_says_nothing_of_the_log(
    tmp_path: Path, head: str
) -> None:
    """The first characters of a right head once read "rows were cut off": a false alarm."""
    store = open_store(address_of(tmp_path, ""), b"k" * 32)
    store.write_now(append_event, b"k" * 32, AuditEvent("answer", "ehr"))
    with pytest.raises(UserError) as refused:
        store.read_now(check_head, b"k" * 32, head)
    store.close()
    assert str(refused.value) == (
        f"--head: has {len(head)} characters and is no head of an audit log, which has 64, each a "
        "digit or a letter from a to f; give the whole one, as `posology serve audit verify` "
        "printed it. Nothing was checked."
    )


def test_a_head_in_capitals_or_with_spaces_is_the_same(tmp_path: Path) -> None:
    store = open_store(address_of(tmp_path, ""), b"k" * 32)
    head = store.write_now(append_event, b"k" * 32, AuditEvent("answer", "ehr"))
    assert store.read_now(check_head, b"k" * 32, f" {head.upper()}\n").problem == ""
    store.close()


def resource_of(event: AuditEvent) -> dict[str, Any]:
    detail = json.dumps(event.detail)
    row = asdict(event) | {"detail": detail, "number": 7, "hash": "b" * 64, "before": "a" * 64}
    return to_audit_event(cast(Any, SimpleNamespace(**row, at="2026-11-28T10:00:00.000000Z")))


def test_each_item_of_a_list_is_a_detail_of_its_own() -> None:
    """The roles once read `['clinician', 'administrator']`, the way Python prints a list."""
    roles = {"roles": ["clinician", "administrator"], "door": "smart", "count": 3, "old": True}
    entity = resource_of(AuditEvent("sign_in", "local:a", detail=roles))["entity"][0]
    assert [(one["type"], one["valueString"]) for one in entity["detail"]] == [
        ("count", "3"),
        ("door", "smart"),
        ("old", "true"),
        ("roles", "clinician"),
        ("roles", "administrator"),
    ]


def empty_places(value: Any, place: str = "") -> list[str]:
    """Where a resource has an empty text, list, object or null, which FHIR's JSON forbids."""
    if isinstance(value, str | bool | int | float):
        return [place] if value == "" else []
    inner = value.items() if isinstance(value, dict) else enumerate(value or [])
    found = [one for key, item in inner for one in empty_places(item, f"{place}.{key}")]
    return found if value else [place]


@pytest.mark.parametrize(
    "event",
    [
        AuditEvent("sign_in_refused", ""),
        AuditEvent("feedback", "ehr", detail={"outcome": "accepted", "reason": "", "card": "c"}),
        AuditEvent("swap", "local:a", "warfarin", "d" * 64),
        AuditEvent("erase", "service", detail={"before": "2026-01-01", "answers": 1}),
        AuditEvent("answer", "ehr", "warfarin", "d" * 64, "a1", {"patient": "p", "state": None}),
    ],
)
def test_an_audit_event_has_what_r4_requires_and_nothing_empty(event: AuditEvent) -> None:
    """An unknown caller and an empty reason once were empty texts, which no FHIR server takes."""
    resource = resource_of(event)
    assert empty_places(resource) == []
    assert {"type", "recorded", "agent", "source"} <= set(resource)
    assert resource["agent"][0]["requestor"] is True
    assert resource["source"]["observer"]
    assert all(("name" in one) != ("role" in one) for one in resource["entity"])
    assert all(
        {"type", "valueString"} == set(d) for e in resource["entity"] for d in e.get("detail", [])
    )


@pytest.mark.parametrize(
    ("action", "kind", "subtypes", "letter", "outcome"),
    [
        ("answer", "110110", ["answer"], "E", "0"),
        ("erase", "110110", ["erase"], "D", "0"),
        ("sign_in", "110114", ["110122", "sign_in"], "E", "0"),
        ("sign_in_refused", "110114", ["110122", "sign_in_refused"], "E", "4"),
        ("sign_out", "110114", ["110123", "sign_out"], "E", "0"),
        ("swap", "110100", ["swap"], "U", "0"),
    ],
)
def test_the_type_says_what_was_done(
    action: str, kind: str, subtypes: list[str], letter: str, outcome: str
) -> None:
    """Everything once was an Application Activity, which is DICOM's for start and stop."""
    resource = resource_of(AuditEvent(action, "a"))
    assert resource["type"]["code"] == kind
    assert [one["code"] for one in resource["subtype"]] == subtypes
    assert (resource["action"], resource["outcome"]) == (letter, outcome)


def test_a_folder_without_a_service_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(UserError, match=r"service\.key: does not exist; name the folder in which"),
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
