"""Prefetch as clients send it: whole, withheld, null, failed, paged, damaged, of another."""

import copy
from typing import Any

from posology.records.sources.fhir.search import (
    Resource,
    answer_query,
    fill_template,
    searchset,
)

Prefetch = dict[str, Any]


def full_prefetch(
    templates: dict[str, Any], context: dict[str, Any], resources: list[Resource]
) -> Prefetch:
    """Every key answered from the patient's resources; null where a read finds nothing."""
    prefetch: Prefetch = {}
    for key, template in templates.items():
        query = fill_template(template, context) if isinstance(template, str) else None
        if query is not None:
            prefetch[key] = answer_query(query, resources)
    return prefetch


def nothing(prefetch: Prefetch) -> Prefetch:
    """Every key null: the client looked and there are no such data."""
    return dict.fromkeys(prefetch)


def failed(prefetch: Prefetch) -> Prefetch:
    """Every key an OperationOutcome: the client could not look."""
    outcome = {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": "timeout", "diagnostics": "upstream timed out"}],
    }
    return dict.fromkeys(prefetch, outcome)


def paged(prefetch: Prefetch) -> Prefetch:
    """Each search as its first page of many, with a link to the next."""

    def first_page(value: Any) -> Any:
        if not isinstance(value, dict) or value.get("resourceType") != "Bundle":
            return value
        first = [entry["resource"] for entry in value.get("entry", ())[:1]]
        link = {"relation": "next", "url": "https://ehr.invalid/fhir?page=2"}
        return searchset(first, total=250) | {"link": [link]}

    return {key: first_page(value) for key, value in prefetch.items()}


def damaged(prefetch: Prefetch) -> Prefetch:
    """Each resource cut off: text in its place, or a Bundle whose entries lost their resource."""

    def cut(value: Any) -> Any:
        if isinstance(value, dict) and value.get("resourceType") == "Bundle":
            return {"resourceType": "Bundle", "entry": [{"fullUrl": "urn:x"}, "x", None]}
        return '{"resourceType": "Pati'

    return {key: cut(value) for key, value in prefetch.items()}


def of_another(prefetch: Prefetch, patient: str) -> Prefetch:
    """The same data under the id of another patient than the context names."""
    other = f"{patient}-other"

    def renamed(value: Any) -> Any:
        if isinstance(value, dict):
            named = {name: renamed(one) for name, one in value.items()}
            if named.get("resourceType") == "Patient" and named.get("id") == patient:
                named["id"] = other
            return named
        if isinstance(value, list):
            return [renamed(one) for one in value]
        return f"Patient/{other}" if value == f"Patient/{patient}" else value

    return {key: renamed(copy.deepcopy(value)) for key, value in prefetch.items()}
