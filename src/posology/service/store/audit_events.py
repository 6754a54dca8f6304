"""The audit log as FHIR R4 AuditEvent resources, in the shape of IHE BALP: ids, never values."""

import json
from typing import Any, TextIO

from sqlalchemy import Connection, Row

from posology.service.store.audit import iterate_audit

_ACTIONS = {"answer": "E", "decision": "C", "feedback": "C", "outcome": "C"}
"""E: executed; C: created; U, an update, for the rest (http://hl7.org/fhir/audit-event-action)."""
_DCM = "http://dicom.nema.org/resources/ontology/DCM"


def write_audit_events(connection: Connection, file: TextIO, after: int = 0) -> int:
    """One resource a line; returns how many."""
    count = 0
    for row in iterate_audit(connection, after):
        file.write(json.dumps(to_audit_event(row), sort_keys=True) + "\n")
        count += 1
    return count


def to_audit_event(row: Row[Any]) -> dict[str, Any]:
    """One row as a resource: its patient is the keyed hash that the store has."""
    detail = json.loads(row.detail)
    patient = detail.pop("patient", "")
    entities = [_entity("model", f"{row.model}@{row.digest}", {})] if row.model else []
    if row.subject or detail:
        entities.append(_entity(row.action, row.subject, detail))
    if patient:
        role = {"system": "http://terminology.hl7.org/CodeSystem/object-role", "code": "1"}
        what = {"identifier": {"value": patient}}
        entities.append({"what": what, "role": role})
    return {
        "resourceType": "AuditEvent",
        "id": f"posology-{row.number}",
        "type": {"system": _DCM, "code": "110100", "display": "Application Activity"},
        "subtype": [{"system": "https://posology.dev/audit-action", "code": row.action}],
        "action": _ACTIONS.get(row.action, "U"),
        "recorded": row.at,
        "outcome": "0",
        "agent": [{"who": {"identifier": {"value": row.caller}}, "requestor": True}],
        "source": {"observer": {"display": "posology"}},
        "entity": [*entities, _entity("chain", row.hash, {"before": row.before})],
    }


def _entity(name: str, value: str, detail: dict[str, Any]) -> dict[str, Any]:
    entity: dict[str, Any] = {"name": name}
    if value:
        entity["what"] = {"identifier": {"value": value}}
    if detail:
        entity["detail"] = [{"type": k, "valueString": str(v)} for k, v in sorted(detail.items())]
    return entity
