"""One patient's resources as a Bundle: of this patient only, and without what names a person."""

from collections.abc import Iterable, Sequence
from typing import Any

from posology.service.errors import BadRequestError

Json = dict[str, Any]
_NAMES_PERSON = frozenset(
    {
        *("text", "name", "identifier", "telecom", "address", "photo", "contact", "communication"),
        *("generalPractitioner", "managingOrganization", "link", "note", "maritalStatus"),
    }
)
"""Elements that no model reads and that may name somebody. `text` is the narrative."""
_PATIENT_ELEMENTS = frozenset(
    {
        *("resourceType", "id", "gender", "birthDate", "deceasedBoolean", "deceasedDateTime"),
        "extension",
    }
)
"""All that is read of a Patient; race and ethnicity are extensions."""


def put_together(resources: Iterable[Json], patient: str) -> Json:
    """The Bundle. BadRequestError if a resource is about another patient."""
    kept: dict[tuple[object, object], Json] = {}
    for number, resource in enumerate(resources):
        check_subject(resource, patient)
        given = resource.get("id")
        name = given if isinstance(given, str) and given else number
        kept[resource.get("resourceType"), name] = _slim(resource)
    entries = [{"resource": resource} for resource in kept.values()]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def missing_medications(resources: Sequence[Json]) -> tuple[str, ...]:
    """Ids of Medication resources that are referred to and not there.

    A display beside the reference does not help: it is a text, and the model reads codes.
    """
    there = {str(r.get("id")) for r in resources if r.get("resourceType") == "Medication"}
    names: dict[str, None] = {}
    for resource in resources:
        pointer = resource.get("medicationReference")
        reference = pointer.get("reference") if isinstance(pointer, dict) else None
        if not isinstance(reference, str) or reference.startswith("#"):
            continue
        kind, _, name = reference.split("/_history/")[0].rpartition("/")
        if kind.rpartition("/")[2] == "Medication" and name not in there:
            names[name] = None
    return tuple(names)


def check_subject(resource: Json, patient: str) -> None:
    """BadRequestError if it is, or is about, another patient; its id is not repeated."""
    if resource.get("resourceType") == "Patient":
        if resource.get("id") != patient:
            raise BadRequestError("The Patient that was sent is not the patient of the context.")
        return
    for element in ("subject", "patient"):
        pointer = resource.get(element)
        reference = pointer.get("reference") if isinstance(pointer, dict) else None
        if isinstance(reference, str) and _last_id(reference) != patient:
            kind = resource.get("resourceType")
            raise BadRequestError(
                f"{kind}: one that was sent is not about the patient of the context."
            )


def _last_id(reference: str) -> str:
    return reference.split("/_history/")[0].rpartition("/")[2]


def _slim(resource: Json) -> Json:
    if resource.get("resourceType") == "Patient":
        return {k: v for k, v in resource.items() if k in _PATIENT_ELEMENTS}
    return {k: v for k, v in resource.items() if k not in _NAMES_PERSON}
