"""One answer, made in a worker: nothing here knows HTTP, the store or who calls."""

import datetime
import json
import time
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import orjson
import pyarrow as pa

from posology import artifact
from posology.advice.form.patient_reading import PatientReading
from posology.artifact import Artifact
from posology.domain.recommendation.evidence import DoseEvidence, StudyEvidence
from posology.domain.recommendation.recommendation import Recommendation, as_sent
from posology.domain.serialization import deserialize
from posology.errors import ArtifactError, UserError
from posology.language.catalogue import ENGLISH, current_language, in_language
from posology.records.schema import EVENTS
from posology.service.models.golden import made_up_patients
from posology.workflows.patient import Patient, read_given
from posology.workflows.recommend import RecommendResult, recommend
from posology.workflows.results import to_plain_json

_ANYBODY = {
    "resourceType": "Bundle",
    "type": "collection",
    "entry": [{"resource": {"resourceType": "Patient", "id": "1", "gender": "male"}}],
}
"""A patient of whom nothing is known."""


@dataclass(frozen=True, slots=True)
class Job:
    """A question without its caller."""

    folder: Path
    digest: str
    patient: Patient
    at: str | None
    reasons: bool = True
    languages: tuple[str, ...] = (ENGLISH,)
    """In which the answer is kept, beside English."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a worker sends back: small, and ready to be stored and sent."""

    state: str
    headline: str
    """In English."""
    json: bytes
    """RecommendResult.to_json in the language of the caller."""
    stored: bytes
    """The parts of the result, packed: `unpack_result` makes it again."""
    given: bytes
    """The patient's facts, packed."""
    milliseconds: float


@lru_cache(maxsize=8)
def load_model(folder: Path, digest: str) -> Artifact:
    """The saved policy, loaded once a process; ArtifactError if it is another than this digest."""
    loaded = artifact.load(folder)
    if loaded.digest != digest:
        raise ArtifactError(
            f"{folder}: is now version {loaded.digest[:12]}, and {digest[:12]} is served; the "
            "folder of a served model must not change."
        )
    return loaded


def warm_model(model: tuple[Path, str]) -> None:
    """Load the model of this folder and digest, and answer once, which loads what answers need.

    A Bundle is read too: the first one would take a second.
    """
    loaded = load_model(*model)
    with suppress(UserError):
        read_given(_ANYBODY)
    for form in made_up_patients(loaded):
        with suppress(UserError):  # a model that needs other facts is loaded all the same
            recommend(loaded, form)


def answer_job(job: Job) -> Done:
    """Advise on the patient of the job."""
    started = time.perf_counter()
    given = read_given(job.patient)
    model = load_model(job.folder, job.digest)
    results: dict[str, RecommendResult] = {}
    for language in dict.fromkeys((ENGLISH, *job.languages)):
        with in_language(language):
            results[language] = recommend(model, given, job.at, reasons=job.reasons)
    advice = results[ENGLISH].recommendation
    return Done(
        state=advice.state,
        headline=advice.headline,
        json=write_json(results.get(current_language(), results[ENGLISH])),
        stored=pack_result(results.pop(ENGLISH), results),
        given=_pack(_without_identity(given)),
        milliseconds=1000 * (time.perf_counter() - started),
    )


def write_json(result: RecommendResult) -> bytes:
    """RecommendResult.to_json as text, in a tenth of the time."""
    advice = as_sent(result.recommendation)
    parts = {field.name: getattr(advice, field.name) for field in fields(advice)}
    body = {"reading": result.reading, **parts}
    body |= {"study_evidence": result.study_evidence, "dose_evidence": result.dose_evidence}
    return orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)


def pack_result(
    result: RecommendResult, others: Mapping[str, RecommendResult] = MappingProxyType({})
) -> bytes:
    """The result without its study, compressed.

    Args:
        result: in English, which is what the service itself compares and counts.
        others: the same answer by other languages, for who reads them.
    """
    parts = _spoken(result) | {
        "study_evidence": result.study_evidence,
        "dose_evidence": result.dose_evidence,
    }
    if others:
        parts["others"] = {language: _spoken(other) for language, other in others.items()}
    return _pack(parts)


def _spoken(result: RecommendResult) -> dict[str, object]:
    """What of a result depends on its language."""
    return {"recommendation": result.recommendation, "reading": result.reading}


def unpack_spoken(stored: bytes) -> dict[str, Any]:
    """The parts of a result in the reader's language, else in English, and their `language`."""
    parts, language = unpack(stored), current_language()
    others = parts.pop("others", {})
    own = {"language": language} if language in others else {"language": ENGLISH}
    return parts | others.get(language, {}) | own


def unpack_result(stored: bytes, model: Artifact) -> RecommendResult:
    """The result that was packed, with the study of its model, in the reader's language."""
    parts = unpack_spoken(stored)
    return RecommendResult(
        recommendation=deserialize(Recommendation, parts["recommendation"], {}),
        study=model.study,
        digest=model.digest,
        reading=deserialize(PatientReading, parts["reading"], {}),
        study_evidence=deserialize(StudyEvidence | None, parts["study_evidence"], {}),
        dose_evidence=deserialize(DoseEvidence | None, parts["dose_evidence"], {}),
        language=parts["language"],
    )


def unpack_json(stored: bytes) -> dict[str, Any]:
    """RecommendResult.to_json of a result that was packed, in the reader's language."""
    parts = unpack_spoken(stored)
    evidence = {name: parts[name] for name in ("study_evidence", "dose_evidence")}
    advice = as_sent(deserialize(Recommendation, parts["recommendation"], {}))
    return to_plain_json({"reading": parts["reading"], **asdict(advice), **evidence})


def unpack(packed: bytes) -> dict[str, Any]:
    """The JSON values that were packed; of a result, those in English."""
    return json.loads(zlib.decompress(packed))


def stored_patient(given: Mapping[str, Any], at: str) -> tuple[Patient, str | None]:
    """A stored patient as `recommend` takes it, and the decision where the form has it not."""
    if "facts" in given:
        return dict(given), None if given.get("decision") else at
    rows = [
        row
        | {
            "subject_id": 1,
            "time": None if row["time"] is None else datetime.datetime.fromisoformat(row["time"]),
        }
        for row in given["events"]
    ]
    return pa.Table.from_pylist(rows, schema=EVENTS), at


def _pack(body: object) -> bytes:

    text = json.dumps(body, separators=(",", ":"), default=_fields_of)
    return zlib.compress(text.encode(), 1)


def _fields_of(value: Any) -> dict[str, Any]:
    """A dataclass as `json` writes it."""
    return {field.name: getattr(value, field.name) for field in fields(value)}


def _without_identity(given: dict[str, Any] | tuple[pa.Table, tuple[str, ...]]) -> dict[str, Any]:
    """The form itself; of records the rows, without the number of their patient."""
    if isinstance(given, dict):
        return given
    rows = given[0].select([n for n in given[0].column_names if n != "subject_id"]).to_pylist()
    for row in rows:
        row["time"] = None if row["time"] is None else row["time"].isoformat()
    return {"events": rows}
