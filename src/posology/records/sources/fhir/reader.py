"""FHIR R4 bulk exports (NDJSON, plain or gzipped) and Bundles as events."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from posology.records.batching import BatchBuilder, combine_batches, reject_other_files
from posology.records.io.subject_ids import to_subject_id
from posology.records.io.text_lines import list_files, read_bytes, read_lines
from posology.records.io.times import parse_time_zone
from posology.records.pipeline.staging import Source, batch_source, split_mapping
from posology.records.schema import Batch, Event, Rejection
from posology.records.sources.code_book import CodeBook, read_code_book
from posology.records.sources.fhir.coding import Context, Json, has_code, patient_id
from posology.records.sources.fhir.r4_types import R4_TYPES
from posology.records.sources.fhir.resources import EXTRACTORS, UNUSABLE

_IN_MEMORY = "patient"
"""Source of what is not read from a file."""
_EXTENSIONS = (".ndjson", ".ndjson.gz", ".json", ".json.gz", ".jsonl", ".jsonl.gz")
_INVALID_STATUS = frozenset({"entered-in-error", "refuted"})
_MALFORMED = (AttributeError, TypeError, KeyError, IndexError)
_NOT_ORDERS = frozenset({"proposal", "plan", "option"})
"""R4 intents of a MedicationRequest that authorise nothing."""
_IMAGES = frozenset({"ImagingStudy", "Media"})
_NOT_EVENTS = {
    "Medication": "read when a MedicationRequest or similar resource refers to it",
    "DiagnosticReport": "its results are separate Observations",
}
"""Resource types that are not events themselves, and why."""


@dataclass(frozen=True, slots=True, eq=False)
class FhirSettings:
    """How FHIR is read."""

    time_zone: str = "UTC"
    """Times with an offset are converted to this zone; other times are in it already."""
    book: CodeBook | None = None
    """Meanings of the questions of forms; by default the package's lifestyle book."""
    batch_rows: int = 50_000


def make_sources(inputs: Sequence[str | Path]) -> list[Source]:
    """One source: all files and folders together, since resources refer to one another."""
    paths = split_mapping(inputs)[1]
    return [batch_source("fhir", inputs, lambda: read_fhir(paths))]


def read_fhir(paths: Iterable[str | Path], settings: FhirSettings | None = None) -> Iterator[Batch]:
    """The events of each resource, or the reason for its rejection.

    A row is a resource: a line of an NDJSON file, or an entry of a Bundle. Parts of a resource
    that cannot be read (a component, an answer) are rejected as `file#part` with the same row. Each
    file of a folder that is not read, by its name, is one rejected row.
    """
    settings = settings or FhirSettings()
    paths = [Path(path) for path in paths]
    files = list_files(paths, _EXTENSIONS)
    book = settings.book or read_code_book()
    context = Context(parse_time_zone(settings.time_zone), book, read_medications(files))
    builder = BatchBuilder(settings.batch_rows)
    reject_other_files(builder, paths, _EXTENSIONS)
    for path in files:
        for row, resource, resource_context in _resources(path, context):
            if isinstance(resource, Rejection):
                builder.reject(str(path), row, resource)
            else:
                add_resource(builder, (str(path), row), resource, resource_context)
            yield from builder.batches()
    yield from builder.batches(last=True)


def read_resource(resource: Json, settings: FhirSettings | None = None) -> Batch:
    """The same for one resource or Bundle in memory; its source is `patient`."""
    settings = settings or FhirSettings()
    codes: dict[str, Json] = {}
    _add_medications(resource, codes)
    book = settings.book or read_code_book()
    context = Context(parse_time_zone(settings.time_zone), book, codes)
    is_bundle = resource.get("resourceType") == "Bundle"
    parts = _bundled(resource, context) if is_bundle else [(resource, context)]
    builder = BatchBuilder(settings.batch_rows)
    batches: list[Batch] = []
    for row, (part, part_context) in enumerate(parts, start=1):
        if isinstance(part, Rejection):
            builder.reject(_IN_MEMORY, row, part)
        else:
            add_resource(builder, (_IN_MEMORY, row), part, part_context)
        batches += builder.batches()
    return combine_batches([*batches, *builder.batches(last=True)])


def add_resource(
    builder: BatchBuilder, row_id: tuple[str, int], resource: Any, context: Context
) -> None:
    """Add a resource of any type and shape; `row_id` is its source and row."""
    events: list[Event] = []
    rejections: list[Rejection] = []
    if isinstance(resource, dict) and "resourceType" not in resource:
        reason = "has no resourceType, so it is not a FHIR resource"
        builder.reject(*row_id, Rejection("resource", resource, reason))
        return
    try:
        subject = _extract(resource, context, events, rejections)
    except _MALFORMED as error:
        kind = resource.get("resourceType") if isinstance(resource, dict) else None
        kind = kind if isinstance(kind, str) and kind in EXTRACTORS else None
        reason = f"not a valid FHIR R4 resource ({type(error).__name__}: {error})"
        builder.reject(*row_id, Rejection(str(kind or "resource"), resource, reason))
        return
    except ValueError as error:
        value = resource.get(str(error).partition(" ")[0].partition(".")[0], "")
        builder.reject(*row_id, Rejection(str(resource["resourceType"]), value, str(error)))
        return
    builder.add(*row_id, subject, events, rejections)


def _extract(
    resource: Json, context: Context, events: list[Event], rejections: list[Rejection]
) -> int | None:
    """Append the resource's events and rejections; returns its subject, None if rejected."""
    kind = resource["resourceType"]
    extractor = EXTRACTORS.get(kind)
    if extractor is None:
        reason = _NOT_EVENTS.get(kind, _unmapped(kind))
        rejections.append(Rejection("resourceType", kind, reason))
        return None
    status = resource.get("status")
    if status in UNUSABLE.get(kind, ()):
        rejections.append(
            Rejection("status", status, f"{kind} of this status did not happen or is not valid")
        )
        return None
    if kind == "MedicationRequest" and resource.get("intent") in _NOT_ORDERS:
        value = resource["intent"]
        rejections.append(Rejection("intent", value, "a request of this intent is not an order"))
        return None
    if has_code(resource.get("verificationStatus"), _INVALID_STATUS):
        value = resource["verificationStatus"]
        rejections.append(Rejection("verificationStatus", value, "entered in error, or ruled out"))
        return None
    subject = patient_id(resource, context)
    if isinstance(subject, Rejection):
        rejections.append(subject)
        return None
    extractor(resource, context, events, rejections)
    return to_subject_id(subject)


def _unmapped(kind: Any) -> str:
    """Why a resource of this type is rejected; a type that R4 does not have is not repeated."""
    if kind in _IMAGES:
        return (
            f"resources of type {kind} are not mapped to events; give images to ingest with "
            '--dicom, and those of one patient as "image" in an event of a form'
        )
    if isinstance(kind, str) and kind in R4_TYPES:
        return f"resources of type {kind} are not mapped to events"
    return "this type of resource is not mapped to events"


def _resources(path: Path, context: Context) -> Iterator[tuple[int, Json | Rejection, Context]]:
    """Every resource of a file with its row, and the context with its Bundle's addresses."""
    row = 0
    for _, parsed in _documents(path):
        if isinstance(parsed, dict) and parsed.get("resourceType") == "Bundle":
            for resource, bundle in _bundled(parsed, context):
                row += 1
                yield row, resource, bundle
        elif isinstance(parsed, Rejection | dict):
            row += 1
            yield row, parsed, context
        else:
            row += 1
            yield row, Rejection("line", parsed, "is JSON but not a resource"), context


def _bundled(bundle: Json, context: Context) -> Iterator[tuple[Json | Rejection, Context]]:
    """The resources of a Bundle and of the Bundles in it, each with its Bundle's addresses."""
    entries = bundle.get("entry") or []
    inner = replace(context, addresses={**context.addresses, **_addresses(entries)})
    for entry in entries if isinstance(entries, list) else [entries]:
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if not isinstance(resource, dict):
            yield Rejection("entry", entry, "an entry without a resource"), inner
        elif resource.get("resourceType") == "Bundle":
            yield from _bundled(resource, inner)
        else:
            yield resource, inner


def _documents(path: Path) -> Iterator[tuple[int, Any]]:
    """The JSON values of a file: one per line, or the whole file if it is `.json`."""
    if not _is_document(path):
        yield from _parse_lines(read_lines(path))
        return
    text, damage = read_bytes(path)
    lines: list[bytes] = []
    try:
        yield 1, orjson.loads(text)
    except orjson.JSONDecodeError:
        lines = text.splitlines()
        if lines and _is_resource(lines[0]):
            yield from _parse_lines(enumerate(lines, start=1))
        elif damage is None:
            yield 1, Rejection("file", "", "is neither a JSON document nor lines of JSON")
    if damage is not None:
        yield len(lines) + 1, damage


def _parse_lines(lines: Iterable[tuple[int, bytes | Rejection]]) -> Iterator[tuple[int, Any]]:
    for number, line in lines:
        if isinstance(line, Rejection):
            yield number, line
        elif line.strip():
            try:
                yield number, orjson.loads(line)
            except orjson.JSONDecodeError as error:
                text = line[:600].decode("utf-8", "replace")
                yield number, Rejection("line", text, f"is not JSON in UTF-8: {error}")


def _is_document(path: Path) -> bool:
    """Whether the file's name says that it is one JSON document."""
    return ".json" in path.suffixes[-2:]


def _is_resource(line: bytes) -> bool:
    try:
        return isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return False


def _addresses(entries: Any) -> dict[str, str]:
    """`Type/id` of each entry of a Bundle, by its fullUrl."""
    addresses: dict[str, str] = {}
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and isinstance(entry.get("resource"), dict):
            resource, address = entry["resource"], entry.get("fullUrl")
            if isinstance(address, str):
                name = resource.get("id") or address.rsplit(":", 1)[-1]
                addresses[address] = f"{resource.get('resourceType')}/{name}"
    return addresses


def read_medications(files: Iterable[Path]) -> dict[str, Json]:
    """The code of every Medication in the files, by its id, and {} for one that has no code; only
    these lines are parsed."""
    codes: dict[str, Json] = {}
    for path in files:
        lines = (line for _, line in read_lines(path) if isinstance(line, bytes))
        for text in [read_bytes(path)[0]] if _is_document(path) else lines:
            if b'"Medication"' in text:
                _add_medications_of_text(text, codes)
    return codes


def _add_medications_of_text(text: bytes, codes: dict[str, Json]) -> None:
    try:
        parsed = orjson.loads(text)
    except orjson.JSONDecodeError:
        return
    if isinstance(parsed, dict):
        _add_medications(parsed, codes)


def _add_medications(parsed: Json, codes: dict[str, Json]) -> None:
    pending: list[Any] = [{"resource": parsed}]
    while pending:
        entry = pending.pop()
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(resource, dict) and resource.get("resourceType") == "Bundle":
            entries = resource.get("entry")
            pending += reversed(entries) if isinstance(entries, list) else ()
        if isinstance(resource, dict) and resource.get("resourceType") == "Medication":
            address = str(entry.get("fullUrl") or "")
            name = resource.get("id") or address.rsplit(":", 1)[-1]
            code = resource.get("code")
            if isinstance(code, dict):
                codes[str(name)] = code
            else:
                codes.setdefault(str(name), {})
