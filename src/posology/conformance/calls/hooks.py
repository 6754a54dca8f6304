"""The hooks of the standard: which fields their context has, and a context for the patient."""

from dataclasses import dataclass
from typing import Any

from posology.records.sources.fhir.search import Resource

USER_IDENTIFIERS = frozenset(
    {"userPractitionerId", "userPractitionerRoleId", "userPatientId", "userRelatedPersonId"}
)
_VISIT = frozenset({"userId", "patientId", "encounterId"})


@dataclass(frozen=True, slots=True)
class Hook:
    """The context of a hook: fields with one value, and fields with structures."""

    single: frozenset[str]
    structured: frozenset[str] = frozenset()


HOOKS = {
    "patient-view": Hook(_VISIT),
    "order-select": Hook(_VISIT, frozenset({"selections", "draftOrders"})),
    "order-sign": Hook(_VISIT, frozenset({"draftOrders"})),
    "order-dispatch": Hook(
        frozenset({"patientId", "order", "performer"}),
        frozenset({"dispatchedOrders", "task", "fulfillmentTasks"}),
    ),
    "appointment-book": Hook(_VISIT, frozenset({"appointments"})),
    "encounter-start": Hook(_VISIT),
    "encounter-discharge": Hook(_VISIT),
}
"""Hooks of cds-hooks.hl7.org; others are the matter of client and service."""


def context_of(hook: str, patient: str, order: Resource) -> dict[str, Any]:
    """A context of this hook for one patient, as a client sends it.

    Args:
        patient: the FHIR id of the patient.
        order: the draft MedicationRequest that is being chosen or signed.
    """
    context: dict[str, Any] = {"userId": "Practitioner/conform-1", "patientId": patient}
    drafts = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": order}]}
    reference = f"{order['resourceType']}/{order['id']}"
    if hook == "order-select":
        return context | {"selections": [reference], "draftOrders": drafts}
    if hook == "order-sign":
        return context | {"draftOrders": drafts}
    if hook == "order-dispatch":
        return {
            "patientId": patient,
            "order": reference,
            "dispatchedOrders": [reference],
            "performer": "Organization/conform-1",
        }
    if hook == "appointment-book":
        appointment = {"resourceType": "Appointment", "id": "conform-1", "status": "proposed"}
        return context | {
            "appointments": {
                "resourceType": "Bundle",
                "type": "collection",
                "entry": [{"resource": appointment}],
            }
        }
    if hook in {"encounter-start", "encounter-discharge"}:
        return context | {"encounterId": "conform-encounter"}
    return context
