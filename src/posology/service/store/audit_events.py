"""The audit log as FHIR R4 AuditEvent resources, in the shape of IHE BALP: ids, never values.

https://hl7.org/fhir/R4/auditevent.html: `type`, `recorded`, `agent` with `requestor`, and `source`
with `observer` are required; a text is never empty; an entity has a name or a query.
"""

import json
from typing import Any, TextIO

from sqlalchemy import Connection, Row

from posology.service.store.audit import iterate_audit

_ACTIONS = {
    **{"answer": "E", "nothing_to_say": "E", "sign_in": "E", "sign_out": "E"},
    **{"sign_in_refused": "E", "decision": "C", "feedback": "C", "outcome": "C", "invite": "C"},
    "erase": "D",
}
"""E: executed; C: created; D: deleted; U, an update, for the rest
(http://hl7.org/fhir/audit-event-action)."""
_DCM = "http://dicom.nema.org/resources/ontology/DCM"
_PATIENT_RECORD = {"system": _DCM, "code": "110110", "display": "Patient Record"}
_AUTHENTICATION = {"system": _DCM, "code": "110114", "display": "User Authentication"}
_ACTIVITY = {"system": _DCM, "code": "110100", "display": "Application Activity"}
_TYPES = {
    **dict.fromkeys(
        ("answer", "nothing_to_say", "decision", "feedback", "outcome", "erase"), _PATIENT_RECORD
    ),
    **dict.fromkeys(("sign_in", "sign_in_refused", "sign_out"), _AUTHENTICATION),
}
_LOGIN = {"system": _DCM, "code": "110122", "display": "Login"}
_LOGOUT = {"system": _DCM, "code": "110123", "display": "Logout"}
_SUBTYPES = {"sign_in": _LOGIN, "sign_in_refused": _LOGIN, "sign_out": _LOGOUT}
_OUTCOMES = {"sign_in_refused": ("4", "The sign-in was refused.")}
"""4: minor failure; 0, success, for the rest (http://hl7.org/fhir/audit-event-outcome)."""
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
_APPLICATION_SERVER = {
    "system": f"{_TERMINOLOGY}/security-source-type",
    "code": "4",
    "display": "Application Server",
}
_PERSON = {"system": f"{_TERMINOLOGY}/audit-entity-type", "code": "1", "display": "Person"}
_PATIENT = {"system": f"{_TERMINOLOGY}/object-role", "code": "1", "display": "Patient"}


def write_audit_events(connection: Connection, file: TextIO, after: int = 0) -> int:
    """One resource a line; returns how many."""
    count = 0
    for row in iterate_audit(connection, after):
        file.write(json.dumps(to_audit_event(row), sort_keys=True) + "\n")
        count += 1
    return count


def to_audit_event(row: Row[Any]) -> dict[str, Any]:
    """One row as a resource: its patient is the keyed hash that the store has."""
    outcome, words = _OUTCOMES.get(row.action, ("0", ""))
    own = {"system": "urn:posology:audit-action", "code": row.action}
    known = [_SUBTYPES[row.action]] if row.action in _SUBTYPES else []
    who = {"who": {"identifier": {"value": row.caller}}} if row.caller else {}
    return {
        "resourceType": "AuditEvent",
        "id": f"posology-{row.number}",
        "type": _TYPES.get(row.action, _ACTIVITY),
        "subtype": [*known, own],
        "action": _ACTIONS.get(row.action, "U"),
        "recorded": row.at,
        "outcome": outcome,
        **({"outcomeDesc": words} if words else {}),
        "agent": [{**who, "requestor": True}],
        "source": {"observer": {"display": "posology"}, "type": [_APPLICATION_SERVER]},
        "entity": _entities(row),
    }


def _entities(row: Row[Any]) -> list[dict[str, Any]]:
    """The model, what it was about, the patient, and the row's place in the chain."""
    detail = json.loads(row.detail)
    patient = detail.pop("patient", "")
    entities = [_entity("model", f"{row.model}@{row.digest}", {})] if row.model else []
    if row.subject or detail:
        entities.append(_entity(row.action, row.subject, detail))
    if patient:
        what = {"identifier": {"value": patient}}
        entities.append({"what": what, "type": _PERSON, "role": _PATIENT})
    return [*entities, _entity("chain", row.hash, {"before": row.before})]


def _entity(name: str, value: str, detail: dict[str, Any]) -> dict[str, Any]:
    """An entity; each item of a list is a detail of its own, and what is empty is left out."""
    entity: dict[str, Any] = {"name": name}
    if value:
        entity["what"] = {"identifier": {"value": value}}
    texts = [(key, text) for key, item in sorted(detail.items()) for text in _texts(item)]
    if texts:
        entity["detail"] = [{"type": key, "valueString": text} for key, text in texts]
    return entity


def _texts(item: Any) -> list[str]:
    """A plain JSON value as texts: strings as they are, numbers and truth as JSON writes them."""
    if isinstance(item, list):
        return [text for one in item for text in _texts(one)]
    if item is None or item == "":
        return []
    return [item if isinstance(item, str) else json.dumps(item, sort_keys=True)]
