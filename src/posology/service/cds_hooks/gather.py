"""Bring together what is known of the patient: what was sent, and what had to be fetched."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from posology.language.catalogue import deferred, tr
from posology.service.cds_hooks.patient_bundle import missing_medications, put_together
from posology.service.cds_hooks.prefetch import (
    ABSENT,
    COMPLETE,
    FAILED,
    PARTIAL,
    Received,
    read_answer,
    read_prefetch,
)
from posology.service.cds_hooks.queries import Query
from posology.service.errors import ServiceError
from posology.service.fhir.client import FetchError, FhirAccess, within

Json = dict[str, Any]
_WHY = {
    ABSENT: deferred("was not sent"),
    FAILED: deferred("was sent as an error, or is no answer to the query"),
    PARTIAL: deferred("was sent in part only"),
}
_MOST_MEDICATIONS = 50
"""Medication resources of one call that are fetched. Our choice."""


class CannotJudgeError(ServiceError):
    """What is needed to judge is not there, and cannot be fetched (CDS Hooks 2.0: 412)."""

    status = 412
    code = "cannot_judge"

    def __init__(self, message: str, for_people: str = "") -> None:
        super().__init__(message)
        self.for_people = for_people
        """The same without the words of CDS Hooks, for a page; empty if they are the same."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """The patient as a FHIR Bundle, and sentences about what was not there."""

    bundle: Json
    not_there: tuple[str, ...]
    """Of queries that help and are not needed: whole sentences for the card."""
    fetched: int
    """Queries that were not answered by prefetch, for metrics."""


async def gather(
    queries: Sequence[Query],
    prefetch: Mapping[str, Json | None] | None,
    patient: str,
    access: FhirAccess | str,
) -> Gathered:
    """All that is known of the patient; CannotJudgeError if something needed is not there.

    Args:
        access: the server from which missing data may be fetched; or why none may be.
    """
    received = {query: read_prefetch(query, prefetch) for query in queries}
    missing = [query for query in queries if received[query].status != COMPLETE]
    reasons: dict[Query, str] = {}
    if isinstance(access, FhirAccess):
        fetched = await asyncio.gather(*(_fetch(q, patient, access) for q in missing))
        for query, outcome in zip(missing, fetched, strict=True):
            if isinstance(outcome, Received):
                received[query] = outcome
            else:
                reasons[query] = outcome
    else:
        reasons = dict.fromkeys(missing, access)
    _check_needed(received, reasons)
    resources = [r for query in queries for r in received[query].resources]
    resources += await _medications(resources, access)
    not_there = tuple(
        tr("Not available: {data}. It {why}.").format(
            data=tr(query.words), why=tr(_WHY[received[query].status])
        )
        for query in queries
        if received[query].status != COMPLETE
    )
    return Gathered(put_together(resources, patient), not_there, len(missing))


def _check_needed(received: Mapping[Query, Received], reasons: Mapping[Query, str]) -> None:
    lacking = [q for q, one in received.items() if q.is_needed and one.status != COMPLETE]
    if not lacking:
        return
    part = tr("prefetch `{key}` ({data}) {why}; it could not be fetched: {reason}")
    parts = [
        part.format(
            key=query.key,
            data=tr(query.words),
            why=tr(_WHY[received[query].status]),
            reason=reasons[query],
        )
        for query in lacking
    ]
    not_read = tr("Not read: {data}; {why}")
    what = ". ".join(not_read.format(data=tr(q.words), why=reasons[q]) for q in lacking)
    raise CannotJudgeError(
        tr("Nothing can be judged: {why}").format(why=f"{'. '.join(parts)}."),
        tr(
            "The record system did not give what an answer needs. {what}. Ask its support, and go "
            "by the guideline meanwhile."
        ).format(what=what),
    )


async def _fetch(query: Query, patient: str, access: FhirAccess) -> Received | str:
    """The whole answer of the server; or why it is not there."""
    try:
        return await within(access.limits.seconds, lambda: _fetch_pages(query, patient, access))
    except FetchError as error:
        return str(error)


async def _fetch_pages(query: Query, patient: str, access: FhirAccess) -> Received:
    address, found = query.address(patient), list[Json]()
    for _ in range(access.limits.pages):
        page = read_answer(query, await access.read(address))
        found += page.resources
        if len(found) > access.limits.resources:
            raise FetchError(tr("there are more resources than the limit"))
        if page.status == COMPLETE or _is_last(query, page, found):
            return Received(COMPLETE, tuple(found))
        if page.status != PARTIAL:
            raise FetchError(tr("the FHIR server gave no answer to the query"))
        if not page.next_page:
            raise FetchError(tr("the FHIR server gave a part only"))
        address = page.next_page
    raise FetchError(tr("there are more pages than the limit"))


def _is_last(query: Query, page: Received, found: Sequence[Json]) -> bool:
    """Whether a page without a next one completes the number that the server states."""
    if page.next_page or page.total is None:
        return False
    return sum(one.get("resourceType") == query.kind for one in found) >= page.total


async def _medications(resources: list[Json], access: FhirAccess | str) -> list[Json]:
    """The Medication resources that orders refer to and that were not sent."""
    missing = missing_medications(resources)
    if not missing:
        return []
    text = tr("orders refer to Medication resources that were not sent")
    nothing = tr("Nothing can be judged: {why}")
    if not isinstance(access, FhirAccess):
        raise CannotJudgeError(nothing.format(why=f"{text}; {access}."))
    if len(missing) > _MOST_MEDICATIONS:
        raise CannotJudgeError(
            nothing.format(why=tr("{text}, too many to fetch.").format(text=text))
        )
    read = access.read
    try:
        found = await within(
            access.limits.seconds,
            lambda: asyncio.gather(*(read(f"Medication/{name}") for name in missing)),
        )
        if missing_medications([*resources, *found]):
            raise FetchError(tr("the FHIR server gave something else"))
    except FetchError as error:
        raise CannotJudgeError(nothing.format(why=f"{text}; {error}.")) from error
    return found
