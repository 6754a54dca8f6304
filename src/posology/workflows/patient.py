"""One patient for a saved policy: a filled-in form, MEDS events or a FHIR Bundle."""

import datetime
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from posology.advice.form.build import build_form
from posology.advice.form.field import Form
from posology.advice.form.moments import parse_decision
from posology.advice.form.patient_reading import PatientReading
from posology.advice.form.reading import event_times, read_filled_form, read_records
from posology.advice.form.training_facts import EVIDENCE, TrainingFacts
from posology.advice.uncertainty.distance import usual_families
from posology.advice.uncertainty.evidence import EVIDENCE as UNCERTAINTY
from posology.advice.uncertainty.evidence import NOT_MEASURED, UncertaintyEvidence
from posology.artifact import Artifact
from posology.cohorts.patient import encode_with_visible_facts
from posology.domain.history import History
from posology.domain.safety_rules.facts import VisibleFacts
from posology.domain.serialization import deserialize
from posology.errors import RecordError
from posology.records.schema import Batch
from posology.records.sources.patient_json import read_patient

Records: TypeAlias = tuple[pa.Table, tuple[str, ...]]
"""The events of one patient, and sentences about what of the source could not be read."""
Patient: TypeAlias = str | Path | dict[str, Any] | pa.Table | Records
"""A filled-in `template` or its file; the MEDS events of one patient, a file or a table; a FHIR
Bundle or its file; or what `read_given` made of one of these."""

_FHIR_FILES = (".ndjson", ".ndjson.gz", ".jsonl", ".jsonl.gz", ".json.gz")


def encode(
    model: Artifact, patient: Patient, at: str | None = None
) -> tuple[History, PatientReading]:
    """The patient's history up to the decision, and sentences about the facts given.

    Args:
        at: date of the decision. By default that of the form, or the last event of records.
    """
    history, reading, _ = encode_with_facts(model, patient, at)
    return history, reading


def encode_with_facts(
    model: Artifact, patient: Patient, at: str | None = None, unknown: tuple[str, ...] = ()
) -> tuple[History, PatientReading, VisibleFacts]:
    """As `encode`, with what every event shows to safety rules."""
    shown: list[tuple[str, np.ndarray]] = []
    reads_images = model.study.profile.images
    if reads_images:
        from posology.workflows.advice import patient_images  # they need the network's modules

        reads_images = patient_images.image_size(model.policy) > 0
        if reads_images and isinstance(given := read_given(patient), dict):
            folder = Path(patient).parent if isinstance(patient, str | Path) else None
            body = given if at is None else _with_decision(given, at, "patient")
            times = partial(event_times, form=form_of(model), today=today())
            patient, shown = patient_images.take_images(model, body, folder, times)
    events, reading = read_known_events(model, patient, at, unknown)
    now = datetime.datetime.fromisoformat(reading.decision) - datetime.datetime(1970, 1, 1)  # noqa: DTZ001
    days = now / datetime.timedelta(days=1)
    profile = model.policy.profile
    history, facts = encode_with_visible_facts(events, model.study, profile, days)
    if reads_images:
        history = patient_images.show_images(history, profile, shown)
    return history, reading, facts


def read_known_events(
    model: Artifact, patient: Patient, at: str | None = None, unknown: tuple[str, ...] = ()
) -> tuple[pa.Table, PatientReading]:
    """The events of the patient that the model or its safety rules know, as training had them.

    Args:
        unknown: prefixes of facts of records of which is stated that they are not known; a form
            says so itself.
    """
    form, now = form_of(model), today()
    source = str(patient) if isinstance(patient, str | Path) else "patient"
    moment = None if at is None else parse_decision(at, "--at", now)
    given = read_given(patient)
    if isinstance(given, dict):
        body = given if at is None else _with_decision(given, at, source)
        events, reading = read_filled_form(body, form, source, now)
    else:
        table, rejected = given
        events, reading = read_records(table, form, source, now, moment, unknown)
        reading = replace(reading, not_used=rejected + reading.not_used)
    return events, reading


def _with_decision(body: dict[str, Any], at: str, source: str) -> dict[str, Any]:
    """The form with the date of the decision, which must stand in one place only."""
    own = body.get("decision")
    if own is not None and str(own).strip() != at.strip():
        raise RecordError(
            f'{source}: "decision" is {own!r} and --at is {at!r}; leave one of them out.'
        )
    return body | {"decision": at}


@lru_cache(maxsize=8)
def form_of(model: Artifact) -> Form:
    """The patient's form of a saved policy."""
    form = build_form(model.study, model.policy.profile, facts_of(model))
    distance = uncertainty_of(model).distance
    usual = () if distance is None else usual_families(distance)
    fields = (replace(f, is_usual=True) if f.stem in usual else f for f in form.fields)
    return replace(form, fields=tuple(fields)) if usual else form


def seen_doses(model: Artifact) -> dict[str, tuple[float, float]]:
    """Bounds of the training patients' doses by option; empty if not measured."""
    facts = facts_of(model)
    return {} if facts is None else {name: (low, high) for name, low, high in facts.doses}


@lru_cache(maxsize=8)
def facts_of(model: Artifact) -> TrainingFacts | None:
    """What each code was in training; None if it was not measured."""
    stored = model.evidence.get(EVIDENCE)
    return None if stored is None else deserialize(TrainingFacts, stored, {})


@lru_cache(maxsize=8)
def uncertainty_of(model: Artifact) -> UncertaintyEvidence:
    """What `fit` measured about uncertainty; nothing if the policy was saved before it was."""
    stored = model.evidence.get(UNCERTAINTY)
    return NOT_MEASURED if stored is None else deserialize(UncertaintyEvidence, stored, {})


def today() -> datetime.datetime:
    """The day here, or by UTC if that is later."""
    now = datetime.datetime.now(datetime.UTC)
    day = max(now.date(), now.astimezone().date())
    return datetime.datetime(day.year, day.month, day.day)  # noqa: DTZ001 - MEDS times have no zone


def read_given(patient: Patient) -> dict[str, Any] | Records:
    """A filled-in form; or events, and sentences about what could not be read."""
    if isinstance(patient, tuple):
        return patient
    if isinstance(patient, pa.Table):
        return patient, ()
    if isinstance(patient, dict):
        body: pa.Table | dict[str, Any] = patient
    elif str(patient).endswith(_FHIR_FILES):
        return _read_fhir(Path(patient))
    else:
        body = read_patient(Path(patient))
    if isinstance(body, pa.Table):
        return body, ()
    if "resourceType" not in body:
        return body
    if isinstance(patient, str | Path):
        return _read_fhir(Path(patient))
    return _read_bundle(body)


def _read_bundle(body: dict[str, Any]) -> Records:
    """The events of a FHIR resource, cleaned as those of a file, without files and an engine."""
    from posology.records.sources.fhir.reader import read_resource

    return _clean_patient([read_resource(body)], "patient")


def _read_fhir(path: Path) -> Records:
    """The events of a FHIR file, cleaned by the rules of `posology ingest`."""
    from posology.records.sources.fhir.reader import read_fhir

    if not path.is_file():
        raise RecordError(f"{path}: there is no such file.")
    return _clean_patient(read_fhir([path]), str(path))


def _clean_patient(batches: Iterable[Batch], source: str) -> Records:
    """The clean events of one patient; a number whose unit cannot be read is kept as sent."""
    from posology.records.pipeline.clean_in_memory import clean_in_memory

    raw: list[pa.Table] = []
    reasons: Counter[str] = Counter()
    subjects: set[int] = set()
    for batch in batches:
        reasons.update(batch.rejected["reason"].to_pylist())
        subjects.update(batch.events["subject_id"].unique().to_pylist())
        raw = [*raw, batch.events] if len(subjects) <= 1 else []
    if len(subjects) > 1:
        raise RecordError(f"{source}: has {len(subjects)} patients; give a file with exactly one.")
    cleaned = clean_in_memory(pa.concat_tables(raw), keep_unread=True) if raw else None
    reasons += cleaned.rejected if cleaned else Counter()
    if cleaned is None or not cleaned.events.num_rows:
        reason = reasons.most_common(1)[0][0] if reasons else "it has no resources"
        raise RecordError(f"{source}: nothing of it could be read ({reason}).")
    return cleaned.events.drop_columns("text_value"), _rejected_words(reasons)


def _rejected_words(reasons: Counter[str]) -> tuple[str, ...]:
    """Sentences about what of a FHIR file was rejected."""
    return tuple(
        f"Given but not read: {count} {'entry' if count == 1 else 'entries'} of the FHIR file: "
        f"{reason}."
        for reason, count in reasons.most_common()
    )
