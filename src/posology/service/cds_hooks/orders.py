"""Draft orders of a call: which of the study's options they are, if any."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from posology.domain.formulary import Treatment
from posology.domain.study import Study
from posology.records.sources.fhir.coding import SYSTEMS
from posology.service.cds_hooks.patient_bundle import check_subject
from posology.service.cds_hooks.requests import ID, ORDER_SELECT, PATIENT_VIEW, HookCall
from posology.service.errors import BadRequestError

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class DraftOrder:
    """One draft MedicationRequest."""

    resource: Json
    codes: frozenset[str]
    """`SYSTEM//code` of its drug; empty if it has none."""
    option: str
    """Name of the study's option that it is; "" if it is none."""

    @property
    def reference(self) -> str:
        """`MedicationRequest/103`; "" if the draft has no id that FHIR allows."""
        name = self.resource.get("id")
        is_id = isinstance(name, str) and re.fullmatch(ID, name) is not None
        return f"MedicationRequest/{name}" if is_id else ""


@dataclass(frozen=True, slots=True)
class Orders:
    """The draft orders of a call."""

    drafts: tuple[DraftOrder, ...]
    is_about_study: bool
    """Whether the study has anything to say: always without orders; with orders, if one is of a
    drug that the study is about, or of a drug that is not stated."""


def read_orders(call: HookCall, study: Study, order_codes: Sequence[str]) -> Orders:
    """The drafts that the user selected or signs.

    Args:
        order_codes: of drugs that the study is about, as `address|code`.
    """
    if call.hook == PATIENT_VIEW:
        return Orders((), is_about_study=True)
    resources = _medication_requests(call.context.draftOrders or {})
    for resource in resources:
        check_subject(resource, call.context.patientId)
    if call.hook == ORDER_SELECT and call.context.selections:
        chosen = {f"MedicationRequest/{r.get('id')}": r for r in resources}
        picked = [chosen[name] for name in call.context.selections if name in chosen]
        resources = picked
    medications = _medications(call.context.draftOrders or {})
    drafts = tuple(_draft(resource, study, medications) for resource in resources)
    about = {*_option_codes(study), *(_study_code(code) for code in order_codes)}
    return Orders(drafts, any(_is_about(draft, about) for draft in drafts))


def _is_about(draft: DraftOrder, about: set[str]) -> bool:
    return not about or not draft.codes or bool(draft.codes & about)


def _entries(bundle: Json) -> list[Json]:
    if bundle.get("resourceType") != "Bundle":
        raise BadRequestError("context.draftOrders is no Bundle.")
    entries = bundle.get("entry") or []
    if not isinstance(entries, list):
        raise BadRequestError("context.draftOrders has no list of entries.")
    resources = [one.get("resource") for one in entries if isinstance(one, dict)]
    return [one for one in resources if isinstance(one, dict)]


def _medication_requests(bundle: Json) -> list[Json]:
    return [one for one in _entries(bundle) if one.get("resourceType") == "MedicationRequest"]


def _medications(bundle: Json) -> dict[str, Json]:
    """Medication resources of the Bundle by their reference."""
    return {
        f"Medication/{one.get('id')}": one
        for one in _entries(bundle)
        if one.get("resourceType") == "Medication"
    }


def _draft(resource: Json, study: Study, medications: Mapping[str, Json]) -> DraftOrder:
    codes = _drug_codes(resource, medications)
    for option in study.formulary.treatments:
        if not option.together and codes & _codes_of(option):
            return DraftOrder(resource, codes, option.name)
    return DraftOrder(resource, codes, "")


def _drug_codes(resource: Json, medications: Mapping[str, Json]) -> frozenset[str]:
    concept = resource.get("medicationCodeableConcept")
    pointer = resource.get("medicationReference")
    if concept is None and isinstance(pointer, dict):
        name = str(pointer.get("reference") or "")
        inner = resource.get("contained")
        contained = {
            f"#{one.get('id')}": one
            for one in (inner if isinstance(inner, list) else [])
            if isinstance(one, dict)
        }
        concept = (contained.get(name) or medications.get(name) or {}).get("code")
    codings = concept.get("coding") if isinstance(concept, dict) else None
    pairs = [one for one in (codings if isinstance(codings, list) else []) if isinstance(one, dict)]
    known = [(SYSTEMS.get(str(p.get("system"))), p.get("code")) for p in pairs]
    return frozenset(f"{system}//{code}" for system, code in known if system and code)


def _codes_of(option: Treatment) -> frozenset[str]:
    """`SYSTEM//code` of the drug of an option."""
    parts = (code.split("//") for code in option.codes)
    return frozenset(
        f"{rest[0]}//{rest[1]}"
        for family, *rest in parts
        if family.startswith("DRUG") and len(rest) >= 2
    )


def _option_codes(study: Study) -> set[str]:
    return {code for option in study.formulary.treatments for code in _codes_of(option)}


def _study_code(token: str) -> str:
    system, _, code = token.rpartition("|")
    return f"{SYSTEMS.get(system, system)}//{code}"
