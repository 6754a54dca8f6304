"""What a client sent for each query: data, none, nothing at all, an error, or only a part.

A key that is absent says nothing about the patient; null says that there is nothing; the two are
never taken for one another.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from posology.service.cds_hooks.queries import PATIENT, Query

Json = dict[str, Any]
COMPLETE, ABSENT, FAILED, PARTIAL = "complete", "absent", "failed", "partial"


@dataclass(frozen=True, slots=True)
class Received:
    """What is there for one query."""

    status: str
    """COMPLETE, also of an empty list; ABSENT: not sent; FAILED: an error was sent, or something
    else than the query wants; PARTIAL: a first page, or a list with errors in it."""
    resources: tuple[Json, ...] = ()
    next_page: str = ""
    """Address of the next page, if one is named."""
    total: int | None = None
    """How many there are on all pages, if a part says so."""


def read_prefetch(query: Query, prefetch: Mapping[str, Json | None] | None) -> Received:
    """What the client sent for the query."""
    if prefetch is None or query.key not in prefetch:
        return Received(ABSENT)
    value = prefetch[query.key]
    if value is None:
        return Received(COMPLETE if query.key != PATIENT else FAILED)
    return read_answer(query, value)


def read_answer(query: Query, value: Json) -> Received:
    """What one answer to the query holds: a resource, or a page of a search."""
    kind = value.get("resourceType")
    if kind == "Bundle":
        return _read_bundle(query, value)
    if kind != query.kind:
        return Received(FAILED)  # an OperationOutcome, or of another type
    return Received(COMPLETE, (value,))


def _read_bundle(query: Query, bundle: Json) -> Received:
    entries = bundle.get("entry") or []
    if not isinstance(entries, list):
        return Received(FAILED)
    resources = [one for one in (_resource_of(entry) for entry in entries) if not _is_remark(one)]
    wanted = tuple(one for one in resources if _kind(one) in (query.kind, "Medication"))
    found = sum(_kind(one) == query.kind for one in wanted)
    if query.key == PATIENT and found != 1:
        return Received(FAILED)
    if len(wanted) < len(resources):
        return Received(PARTIAL, wanted)
    following, total = _next_page(bundle), bundle.get("total")
    known = total if isinstance(total, int) and not isinstance(total, bool) else None
    is_cut = known is not None and known > found
    return Received(PARTIAL if following or is_cut else COMPLETE, wanted, following, known)


def _resource_of(entry: Any) -> Json:
    resource = entry.get("resource") if isinstance(entry, dict) else None
    return resource if isinstance(resource, dict) else {}


def _kind(resource: Json) -> object:
    return resource.get("resourceType")


def _is_remark(resource: Json) -> bool:
    """Whether it is an OperationOutcome without an error: servers add hints to searches."""
    if _kind(resource) != "OperationOutcome":
        return False
    issues = resource.get("issue")
    return isinstance(issues, list) and all(
        isinstance(one, dict) and one.get("severity") in ("information", "warning")
        for one in issues
    )


def _next_page(bundle: Json) -> str:
    links = bundle.get("link")
    for link in links if isinstance(links, list) else ():
        if isinstance(link, dict) and link.get("relation") == "next":
            url = link.get("url")
            return url if isinstance(url, str) else ""
    return ""
