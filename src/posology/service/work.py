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


@dataclass(frozen=True, slots=True)
class Done:
    """What a worker sends back: small, and ready to be stored and sent."""

    state: str
    headline: str
    json: bytes
    """RecommendResult.to_json."""
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
    result = recommend(model, given, job.at, reasons=job.reasons)
    advice = result.recommendation
    return Done(
        state=advice.state,
        headline=advice.headline,
        json=write_json(result),
        stored=pack_result(result),
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


def pack_result(result: RecommendResult) -> bytes:
    """The result without its study, compressed."""
    parts = {
        "recommendation": result.recommendation,
        "reading": result.reading,
        "study_evidence": result.study_evidence,
        "dose_evidence": result.dose_evidence,
    }
    return _pack(parts)


def unpack_result(stored: bytes, model: Artifact) -> RecommendResult:
    """The result that was packed, with the study of its model."""
    parts = unpack(stored)
    return RecommendResult(
        recommendation=deserialize(Recommendation, parts["recommendation"], {}),
        study=model.study,
        digest=model.digest,
        reading=deserialize(PatientReading, parts["reading"], {}),
        study_evidence=deserialize(StudyEvidence | None, parts["study_evidence"], {}),
        dose_evidence=deserialize(DoseEvidence | None, parts["dose_evidence"], {}),
    )


def unpack_json(stored: bytes) -> dict[str, Any]:
    """RecommendResult.to_json of a result that was packed."""
    parts = unpack(stored)
    evidence = {name: parts[name] for name in ("study_evidence", "dose_evidence")}
    advice = as_sent(deserialize(Recommendation, parts["recommendation"], {}))
    return to_plain_json({"reading": parts["reading"], **asdict(advice), **evidence})


def unpack(packed: bytes) -> dict[str, Any]:
    """The JSON values that were packed."""

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
