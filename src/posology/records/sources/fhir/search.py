"""Answers to FHIR reads and searches from one patient's resources, as a client would prefetch."""

import re
from typing import Any
from urllib.parse import parse_qsl

Resource = dict[str, Any]
TOKEN = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
"""A token of a prefetch template."""
_LONGEST_COUNT = 9
"""Digits of a `_count` that is followed: no patient has a billion resources (our choice)."""
_USER_TOKENS = {
    "userPractitionerId": "Practitioner",
    "userPractitionerRoleId": "PractitionerRole",
    "userPatientId": "Patient",
    "userRelatedPersonId": "RelatedPerson",
}


def fill_template(template: str, context: dict[str, Any]) -> str | None:
    """A prefetch template with its tokens replaced; None where the context does not have one."""
    missing = False

    def value(match: re.Match[str]) -> str:
        nonlocal missing
        name = match.group(1)
        found: Any = None
        if name in _USER_TOKENS:
            kind, _, ident = str(context.get("userId", "")).partition("/")
            found = ident if kind == _USER_TOKENS[name] else None
        elif name.startswith("context."):
            found = context.get(name.removeprefix("context."))
        if not isinstance(found, str | int | float):
            missing = True
            return ""
        return str(found)

    filled = TOKEN.sub(value, template)
    return None if missing else filled


def answer_query(query: str, resources: list[Resource]) -> Resource | None:
    """The resource of a read, the searchset of a search; None where a read finds nothing."""
    path, _, search = query.partition("?")
    parts = path.strip("/").split("/")
    if len(parts) == 2 and not search:
        return next((r for r in resources if _is(r, parts[0]) and r.get("id") == parts[1]), None)
    found = [resource for resource in resources if _is(resource, parts[0])]
    count = None
    for name, value in parse_qsl(search):
        if name == "_count" and value.isdecimal() and len(value) <= _LONGEST_COUNT:
            count = int(value)
        elif name == "_sort":
            found.sort(key=_date, reverse=value.startswith("-"))
        elif name in {"code", "category", "status", "_id"}:
            found = [resource for resource in found if _matches(resource, name, value)]
    return searchset(found if count is None else found[:count])


def searchset(resources: list[Resource], total: int | None = None) -> Resource:
    """A Bundle of search results; `total` above their number makes it a first page."""
    bundle: Resource = {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": len(resources) if total is None else total,
    }
    if resources:
        bundle["entry"] = [{"resource": resource} for resource in resources]
    return bundle


def _is(resource: Resource, kind: str) -> bool:
    return resource.get("resourceType") == kind


def _date(resource: Resource) -> str:
    for name in ("effectiveDateTime", "authoredOn", "onsetDateTime", "recordedDate"):
        if isinstance(resource.get(name), str):
            return resource[name]
    return str(resource.get("period", {}).get("start", ""))


def _matches(resource: Resource, name: str, value: str) -> bool:
    wanted = [token.rpartition("|")[2] for token in value.split(",")]
    if name in {"status", "_id"}:
        return str(resource.get("id" if name == "_id" else "status", "")) in wanted
    concept = resource.get(name) or resource.get("medicationCodeableConcept") or {}
    concepts = concept if isinstance(concept, list) else [concept]
    codes = {coding.get("code") for one in concepts for coding in one.get("coding", ())}
    return bool(codes & set(wanted))
