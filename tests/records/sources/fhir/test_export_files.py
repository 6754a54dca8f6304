"""What a FHIR export has beside ordinary resources: marks, searches, proposals, other files."""

from pathlib import Path

import orjson
import pytest

from posology.records.batching import combine_batches
from posology.records.schema import Batch
from posology.records.sources.fhir.reader import read_fhir
from posology.records.sources.patient_json import read_patient

MARK = b"\xef\xbb\xbf"
PATIENT = {"resourceType": "Patient", "id": "7", "birthDate": "1950-01-02"}


def read(path: Path, *resources: dict) -> Batch:
    path.write_bytes(b"\n".join(orjson.dumps(resource) for resource in resources))
    return combine_batches(read_fhir([path]))


def rejected(batch: Batch) -> list[tuple[str, str, str]]:
    rows = batch.rejected.to_pylist()
    return [(row["field"], row["value"], row["reason"]) for row in rows]


@pytest.mark.parametrize("name", ["a.ndjson", "a.json"])
def test_a_byte_order_mark_is_accepted(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(MARK + orjson.dumps(PATIENT))
    batch = combine_batches(read_fhir([tmp_path / name]))
    assert batch.events["code"].to_pylist() == ["MEDS_BIRTH"]
    assert rejected(batch) == []


def test_a_byte_order_mark_is_accepted_in_a_patient_file(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_bytes(MARK + b'{"facts": {"AGE": 50}}')
    assert read_patient(tmp_path / "p.json") == {"facts": {"AGE": 50}}


@pytest.mark.parametrize("intent", ["proposal", "plan", "option"])
def test_a_request_that_authorises_nothing_is_not_an_order(tmp_path: Path, intent: str) -> None:
    order = {
        "resourceType": "MedicationRequest",
        "intent": "order",
        "subject": {"reference": "Patient/7"},
        "authoredOn": "2020-01-01",
        "medicationCodeableConcept": {"text": "drug"},
    }
    batch = read(tmp_path / "a.ndjson", order, {**order, "intent": intent})
    assert batch.events["row"].to_pylist() == [1]
    assert rejected(batch) == [("intent", intent, "a request of this intent is not an order")]


def test_a_search_for_a_patient_is_not_a_patient(tmp_path: Path) -> None:
    search = "Patient?identifier=http://hospital.org/mrn|12"
    condition = {
        "resourceType": "Condition",
        "subject": {"reference": search},
        "recordedDate": "2020-01-01",
        "code": {"text": "asthma"},
    }
    batch = read(tmp_path / "a.ndjson", condition)
    assert batch.events.num_rows == 0
    reason = "a search, not a reference to one patient; export references with ids"
    assert rejected(batch) == [("subject", search, reason)]


def test_files_of_other_endings_are_listed(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "b.xml").write_text("<Patient/>")
    (tmp_path / "README.md").write_text("an export")
    (tmp_path / "a.ndjson").write_bytes(orjson.dumps(PATIENT))
    batch = combine_batches(read_fhir([tmp_path]))
    assert batch.rows == 3
    reason = (
        "the file's name does not end in .ndjson, .ndjson.gz, .json, .json.gz, .jsonl, .jsonl.gz"
    )
    assert rejected(batch) == [
        ("fileName", "README.md", reason),
        ("fileName", "b.xml", reason),
    ]
