"""FHIR R4, bulk export files (NDJSON, plain or gzipped) and Bundles, to events."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from posology.records.batching import Fact, Refusal, Rows
from posology.records.io.subject_ids import subject_number
from posology.records.io.text_lines import files_of, read_lines, read_whole
from posology.records.io.times import zone_named
from posology.records.schema import Batch
from posology.records.sources.fhir.coding import Context, Json, has_code, subject_id
from posology.records.sources.fhir.resources import EXTRACTORS, UNUSABLE
from posology.records.sources.questionnaires import CodeBook, read_code_book

_ENDINGS = (".ndjson", ".ndjson.gz", ".json", ".json.gz", ".jsonl", ".jsonl.gz")
_UNTRUE = frozenset({"entered-in-error", "refuted"})
_MALFORMED = (AttributeError, TypeError, KeyError, IndexError)
_ELSEWHERE = {
    "Medication": "read where a MedicationRequest or the like refers to it",
    "DiagnosticReport": "its results are Observations of their own",
}


@dataclass(frozen=True, slots=True, eq=False)
class FhirSettings:
    """How FHIR is read."""

    time_zone: str = "UTC"
    """Times that tell their offset are put on this zone's clock; others are on it already."""
    book: CodeBook | None = None
    """What the questions of forms mean; the lifestyle book that ships where none is given."""
    batch_rows: int = 50_000


def read_fhir(paths: Iterable[str | Path], settings: FhirSettings | None = None) -> Iterator[Batch]:
    """Each resource to its events, or refused with its reason.

    A row is a resource: the line of an NDJSON file, the entry of a Bundle. Parts of a resource
    that cannot be read (a component, an answer) are refused under `file#part` with the same row.
    """
    settings = settings or FhirSettings()
    files = files_of(paths, _ENDINGS)
    book = settings.book or read_code_book()
    context = Context(zone_named(settings.time_zone), book, medications_of(files))
    rows = Rows(settings.batch_rows)
    for path in files:
        for row, resource, place in _resources(path, context):
            if isinstance(resource, Refusal):
                rows.refuse(str(path), row, resource)
            else:
                add_resource(rows, str(path), row, resource, place)
            yield from rows.batches()
    yield from rows.batches(last=True)


def add_resource(rows: Rows, source: str, row: int, resource: Any, context: Context) -> None:
    """One resource to the rows, whatever it is."""
    facts: list[Fact] = []
    refusals: list[Refusal] = []
    try:
        subject = _extract(resource, context, facts, refusals)
    except _MALFORMED as error:
        kind = resource.get("resourceType") if isinstance(resource, dict) else None
        reason = f"not of the shape that FHIR R4 gives it ({type(error).__name__}: {error})"
        rows.refuse(source, row, Refusal(str(kind or "resource"), resource, reason))
        return
    except ValueError as error:
        rows.refuse(source, row, Refusal(str(resource["resourceType"]), "", str(error)))
        return
    rows.add(source, row, subject, facts, refusals)


def _extract(
    resource: Json, context: Context, facts: list[Fact], refusals: list[Refusal]
) -> int | None:
    kind = resource["resourceType"]
    extractor = EXTRACTORS.get(kind)
    if extractor is None:
        reason = _ELSEWHERE.get(kind, "this type of resource is not mapped to events")
        refusals.append(Refusal("resourceType", kind, reason))
        return None
    status = resource.get("status")
    if status in UNUSABLE.get(kind, ()):
        refusals.append(
            Refusal("status", status, f"{kind} of this status did not happen or does not hold")
        )
        return None
    if has_code(resource.get("verificationStatus"), _UNTRUE):
        shown = resource["verificationStatus"]
        refusals.append(Refusal("verificationStatus", shown, "entered in error, or ruled out"))
        return None
    subject = subject_id(resource, context)
    if isinstance(subject, Refusal):
        refusals.append(subject)
        return None
    extractor(resource, context, facts, refusals)
    return subject_number(subject)


def _resources(path: Path, context: Context) -> Iterator[tuple[int, Json | Refusal, Context]]:
    """Every resource of a file, with its row and what it may refer to."""
    row = 0
    for _, parsed in _documents(path):
        if isinstance(parsed, dict) and parsed.get("resourceType") == "Bundle":
            entries = parsed.get("entry") or []
            inside = replace(context, addresses=_addresses(entries))
            for entry in entries if isinstance(entries, list) else [entries]:
                row += 1
                resource = entry.get("resource") if isinstance(entry, dict) else None
                if isinstance(resource, dict):
                    yield row, resource, inside
                else:
                    yield row, Refusal("entry", entry, "an entry without a resource"), inside
        elif isinstance(parsed, Refusal | dict):
            row += 1
            yield row, parsed, context
        else:
            row += 1
            yield row, Refusal("line", parsed, "is JSON but not a resource"), context


def _documents(path: Path) -> Iterator[tuple[int, Any]]:
    """The JSON values of a file: one a line, or the whole file as one where it is `.json`."""
    if not _is_document(path):
        yield from _each_line(read_lines(path))
        return
    text, broken = read_whole(path)
    lines: list[bytes] = []
    try:
        yield 1, orjson.loads(text)
    except orjson.JSONDecodeError:
        lines = text.splitlines()
        if lines and _is_resource(lines[0]):
            yield from _each_line(enumerate(lines, start=1))
        elif broken is None:
            yield 1, Refusal("file", "", "is neither a JSON document nor lines of JSON")
    if broken is not None:
        yield len(lines) + 1, broken


def _each_line(pieces: Iterable[tuple[int, bytes | Refusal]]) -> Iterator[tuple[int, Any]]:
    for number, piece in pieces:
        if isinstance(piece, Refusal):
            yield number, piece
        elif piece.strip():
            try:
                yield number, orjson.loads(piece)
            except orjson.JSONDecodeError as error:
                shown = piece[:600].decode("utf-8", "replace")
                yield number, Refusal("line", shown, f"is not JSON in UTF-8: {error}")


def _is_document(path: Path) -> bool:
    """Whether the file's name says that it is one JSON document."""
    return ".json" in path.suffixes[-2:]


def _is_resource(line: bytes) -> bool:
    try:
        return isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return False


def _addresses(entries: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and isinstance(entry.get("resource"), dict):
            resource, address = entry["resource"], entry.get("fullUrl")
            if isinstance(address, str):
                name = resource.get("id") or address.rsplit(":", 1)[-1]
                found[address] = f"{resource.get('resourceType')}/{name}"
    return found


def medications_of(files: Iterable[Path]) -> dict[str, Json]:
    """The code of every Medication in the files, by its id: a first pass that parses only these."""
    found: dict[str, Json] = {}
    for path in files:
        lines = (line for _, line in read_lines(path) if isinstance(line, bytes))
        for text in [read_whole(path)[0]] if _is_document(path) else lines:
            if b'"Medication"' in text:
                _note_medications(text, found)
    return found


def _note_medications(text: bytes, found: dict[str, Json]) -> None:
    try:
        parsed = orjson.loads(text)
    except orjson.JSONDecodeError:
        return
    if not isinstance(parsed, dict):
        return
    entries = parsed.get("entry") if parsed.get("resourceType") == "Bundle" else None
    inside = entries if isinstance(entries, list) else [{"resource": parsed}]
    for entry in inside:
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(resource, dict) and resource.get("resourceType") == "Medication":
            address = str(entry.get("fullUrl") or "")
            name = resource.get("id") or address.rsplit(":", 1)[-1]
            if isinstance(resource.get("code"), dict):
                found[str(name)] = resource["code"]
