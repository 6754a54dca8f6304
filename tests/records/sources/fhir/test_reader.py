# ruff: noqa: DTZ001  (the times of events are wall clocks)
import gzip
import json
import subprocess
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from posology.errors import RecordError
from posology.records.batching import combine_batches
from posology.records.io.subject_ids import to_subject_id
from posology.records.schema import Batch
from posology.records.sources.fhir.reader import FhirSettings, read_fhir

LOINC, SNOMED = "http://loinc.org", "http://snomed.info/sct"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"


def coded(system: str, code: str, display: str | None = None) -> dict:
    return {"coding": [{"system": system, "code": code, "display": display}]}


def of(kind: str, **fields: object) -> dict:
    return {"resourceType": kind, "subject": {"reference": "Patient/7"}, **fields}


def read(folder: Path, *resources: object, zone: str = "UTC") -> Batch:
    path = folder / "all.ndjson"
    path.write_bytes(b"\n".join(orjson.dumps(resource) for resource in resources))
    return combine_batches(read_fhir([path], FhirSettings(time_zone=zone)))


def events_of(batch: Batch) -> list[tuple[object, ...]]:
    """Time, code, number, text and unit of each event."""
    columns = ["time", "code", "numeric_value", "text_value", "unit"]
    return list(zip(*(batch.events[c].to_pylist() for c in columns), strict=True))


def reasons(batch: Batch) -> list[tuple[str, str]]:
    return list(
        zip(batch.rejected["field"].to_pylist(), batch.rejected["reason"].to_pylist(), strict=True)
    )


def test_a_patient_gives_birth_death_sex_and_race(tmp_path: Path) -> None:
    core = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
    race = {"url": "ombCategory", "valueCoding": {"code": "2106-3", "display": "white"}}
    batch = read(
        tmp_path,
        {
            "resourceType": "Patient",
            "id": "7",
            "birthDate": "1950",
            "deceasedDateTime": "2020-05-04",
            "gender": "female",
            "extension": [{"url": core + "race", "extension": [race]}],
        },
    )
    assert events_of(batch) == [
        (datetime(1950, 1, 1), "MEDS_BIRTH", None, None, None),
        (datetime(2020, 5, 4, 23, 59, 59), "MEDS_DEATH", None, None, None),
        (None, "SEX//female", None, None, None),
        (None, "RACE//White", None, None, None),
    ]
    assert set(batch.events["subject_id"].to_pylist()) == {7}
    assert batch.rows == 1


def test_a_condition_is_known_when_recorded_not_at_onset(tmp_path: Path) -> None:
    condition = of(
        "Condition",
        code=coded(SNOMED, "44054006"),
        onsetDateTime="2010-01-01",
        recordedDate="2015-06-01T10:00:00+02:00",
    )
    assert events_of(read(tmp_path, condition)) == [
        (datetime(2015, 6, 1, 8), "CONDITION//SNOMED//44054006", None, None, None)
    ]
    assert events_of(read(tmp_path, condition, zone="Europe/Zurich"))[0][0] == datetime(
        2015, 6, 1, 10
    )


def test_a_month_without_a_day_means_its_end(tmp_path: Path) -> None:
    batch = read(tmp_path, of("Condition", code=coded(SNOMED, "1"), onsetDateTime="2015-12"))
    assert events_of(batch)[0][0] == datetime(2015, 12, 31, 23, 59, 59)


def test_an_order_gives_dose_route_and_dose_per_day(tmp_path: Path) -> None:
    dosage = {
        "route": {"text": "oral"},
        "timing": {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}},
        "doseAndRate": [{"doseQuantity": {"value": 500, "unit": "milligram", "code": "mg"}}],
    }
    order = of(
        "MedicationRequest",
        status="active",
        medicationReference={"reference": "Medication/m1"},
        authoredOn="2020-01-02",
        dosageInstruction=[dosage],
    )
    medication = {
        "resourceType": "Medication",
        "id": "m1",
        "code": {
            "coding": [{"system": "urn:x:local", "code": "9"}, {"system": RXNORM, "code": "860975"}]
        },
    }
    batch = read(tmp_path, order, medication)
    assert events_of(batch) == [
        (datetime(2020, 1, 2), "DRUG//RXNORM//860975//ordered", 500.0, "route oral", "mg"),
        (datetime(2020, 1, 2), "DRUG_PER_DAY//RXNORM//860975//ordered", 1000.0, None, "mg/d"),
    ]
    assert reasons(batch) == [
        ("resourceType", "read when a MedicationRequest or similar resource refers to it")
    ]
    alone = read(tmp_path, order)
    assert reasons(alone) == [
        ("medicationReference", "the Medication it refers to is not among the files; add its file")
    ]


def test_an_administration_is_dated_at_its_start_and_a_statement_when_asserted(
    tmp_path: Path,
) -> None:
    drug = coded(RXNORM, "11289")
    batch = read(
        tmp_path,
        of(
            "MedicationAdministration",
            medicationCodeableConcept=drug,
            effectivePeriod={"start": "2020-01-01T08:00:00Z", "end": "2020-01-01T09:00:00Z"},
            dosage={"dose": {"value": 5, "unit": "mg"}},
        ),
        of(
            "MedicationStatement",
            medicationCodeableConcept=drug,
            effectiveDateTime="2019-01-01",
            dateAsserted="2020-01-05",
        ),
    )
    assert events_of(batch) == [
        (datetime(2020, 1, 1, 8), "DRUG//RXNORM//11289//given", 5.0, None, "mg"),
        (datetime(2020, 1, 5), "DRUG//RXNORM//11289//reported", None, None, None),
    ]


def test_unread_parts_of_an_order_are_rejected(tmp_path: Path) -> None:
    drug = {"medicationCodeableConcept": coded(RXNORM, "11289"), "authoredOn": "2020-01-01"}
    taper = [
        {"doseAndRate": [{"doseQuantity": {"value": 5, "unit": "mg"}}]},
        {"doseAndRate": [{"doseQuantity": {"value": 3, "unit": "mg"}}]},
    ]
    span = [{"doseAndRate": [{"doseRange": {"low": {"value": 1}}}]}]
    rate = [{"doseAndRate": [{"rateQuantity": {"value": 20, "code": "mL/h"}}]}]
    batch = read(
        tmp_path,
        of("MedicationRequest", doNotPerform=True, **drug),
        of("MedicationRequest", dosageInstruction=taper, reportedBoolean=True, **drug),
        of("MedicationRequest", dosageInstruction=span, **drug),
        of("MedicationRequest", dosageInstruction=rate, **drug),
    )
    assert [(code, number, unit) for _, code, number, _, unit in events_of(batch)] == [
        ("DRUG//RXNORM//11289//reported", 5.0, "mg"),
        ("DRUG//RXNORM//11289//ordered", None, None),
        ("DRUG//RXNORM//11289//ordered", None, None),
        ("DRUG_RATE//RXNORM//11289//ordered", 20.0, "mL/h"),
    ]
    assert reasons(batch) == [
        ("doNotPerform", "an order not to give it"),
        (
            "dosageInstruction[1]",
            "a further dosage of one order is not read: not every dosage has a dose per day",
        ),
        (
            "dosageInstruction.dose",
            "the dose cannot be read: a range, not one amount",
        ),
    ]


LABORATORY = [{"coding": [{"code": "laboratory"}]}]


def test_an_observation_is_known_when_issued(tmp_path: Path) -> None:
    batch = read(
        tmp_path,
        of(
            "Observation",
            status="final",
            category=LABORATORY,
            code=coded(LOINC, "4548-4"),
            effectiveDateTime="2020-01-01",
            issued="2020-01-03T07:00:00.250Z",
            valueQuantity={"value": 7.5, "unit": "percent", "code": "%"},
        ),
        of(
            "Observation",
            category=LABORATORY,
            code=coded(LOINC, "30522-7"),
            effectiveDateTime="2020-01-01",
            valueQuantity={"value": 0.2, "comparator": "<", "code": "mg/L"},
        ),
        of(
            "Observation",
            category=[{"coding": [{"code": "social-history"}]}],
            code=coded(LOINC, "72166-2"),
            effectiveDateTime="2020-01-01",
            valueCodeableConcept=coded(SNOMED, "266919005", "Never smoked"),
        ),
    )
    assert events_of(batch) == [
        (datetime(2020, 1, 3, 7, 0, 0, 250000), "MEASUREMENT//LOINC//4548-4", 7.5, None, "%"),
        (datetime(2020, 1, 1), "MEASUREMENT//LOINC//30522-7", None, "<0.2", "mg/L"),
        (
            datetime(2020, 1, 1),
            "OBSERVATION//LOINC//72166-2//SNOMED//266919005",
            None,
            "Never smoked",
            None,
        ),
    ]


def test_a_component_that_cannot_be_read_is_rejected_alone(tmp_path: Path) -> None:
    parts = [
        {"code": coded(LOINC, "8480-6"), "valueQuantity": {"value": 120, "code": "mm[Hg]"}},
        {"code": coded(LOINC, "8462-4"), "dataAbsentReason": {"text": "not asked"}},
    ]
    batch = read(
        tmp_path,
        of(
            "Observation",
            category=[{"coding": [{"code": "vital-signs"}]}],
            code=coded(LOINC, "85354-9"),
            effectiveDateTime="2020-01-01",
            component=parts,
        ),
    )
    assert events_of(batch) == [
        (datetime(2020, 1, 1), "MEASUREMENT//LOINC//8480-6", 120.0, None, "mm[Hg]")
    ]
    assert batch.rejected.to_pylist() == [
        {
            "source": f"{tmp_path / 'all.ndjson'}#component[1].value",
            "row": 1,
            "field": "component[1].value",
            "value": "not asked",
            "reason": "has no value",
        }
    ]
    assert batch.rows == 2


def test_other_resource_types_become_events(tmp_path: Path) -> None:
    patient = {"patient": {"reference": "https://hospital.example/fhir/Patient/7/_history/2"}}
    period = {"start": "2020-01-01T08:00:00Z", "end": "2020-01-02T09:00:00Z"}
    vaccine = coded("http://hl7.org/fhir/sid/cvx", "140")
    batch = read(
        tmp_path,
        of("Encounter", **{"class": {"code": "IMP"}}, period=period),
        of("Procedure", code=coded(SNOMED, "80146002"), performedPeriod=period),
        {
            "resourceType": "AllergyIntolerance",
            "code": {"text": "Penicillin  G"},
            "recordedDate": "2019-01-01",
            **patient,
        },
        {
            "resourceType": "Immunization",
            "vaccineCode": vaccine,
            "occurrenceDateTime": "2018-01-01",
            **patient,
        },
    )
    assert [(time, code) for time, code, *_ in events_of(batch)] == [
        (datetime(2020, 1, 1, 8), "VISIT//IMP//start"),
        (datetime(2020, 1, 2, 9), "VISIT//IMP//end"),
        (datetime(2020, 1, 2, 9), "PROCEDURE//SNOMED//80146002"),
        (datetime(2019, 1, 1), "ALLERGY//TEXT//penicillin_g"),
        (datetime(2018, 1, 1), "IMMUNIZATION//CVX//140"),
    ]
    assert set(batch.events["subject_id"].to_pylist()) == {7}


def test_a_form_is_read_with_the_code_book(tmp_path: Path) -> None:
    items = [
        {
            "linkId": "g",
            "item": [
                {"linkId": "/72166-2", "answer": [{"valueCoding": {"code": "LA18978-9"}}]},
                {"linkId": "/93832-4", "answer": [{"valueDecimal": 6.5}]},
                {
                    "linkId": "q9",
                    "text": "Your favourite colour?",
                    "answer": [{"valueString": "x"}],
                },
            ],
        }
    ]
    batch = read(tmp_path, of("QuestionnaireResponse", authored="2020-01-01", item=items))
    events = sorted(events_of(batch), key=lambda event: str(event[1]))
    assert events == [
        (datetime(2020, 1, 1), "LIFESTYLE//sleep_hours", 6.5, None, "h"),
        (datetime(2020, 1, 1), "LIFESTYLE//smoking_status//never", None, None, None),
    ]
    assert reasons(batch) == [("item.q9", "a question the code book does not know")]


def test_genotypes_of_the_reporting_guide_are_read(tmp_path: Path) -> None:
    hgnc = "http://www.genenames.org"
    gene = {
        "code": coded(LOINC, "48018-6"),
        "valueCodeableConcept": coded(hgnc, "HGNC:2621", "CYP2C19"),
    }

    def component(code: str, value: object) -> dict:
        key = "valueString" if isinstance(value, str) else "valueCodeableConcept"
        return {"code": coded(LOINC, code), key: value}

    variant = [
        gene,
        component("81252-9", coded("http://www.ncbi.nlm.nih.gov/projects/SNP", "rs4244285")),
        component("69547-8", "G"),
        component("69551-0", "A"),
        component("53034-5", coded(LOINC, "LA6706-1")),
    ]
    batch = read(
        tmp_path,
        of(
            "Observation",
            code=coded(LOINC, "84413-4"),
            issued="2019-04-01",
            valueCodeableConcept={"text": "CYP2C19*2/*2"},
            component=[gene],
        ),
        of("Observation", code=coded(LOINC, "69548-6"), issued="2019-04-01", component=variant),
        of(
            "Observation",
            code=coded(LOINC, "84413-4"),
            issued="2019-04-01",
            valueCodeableConcept={"text": "*1/*2"},
        ),
    )
    assert [code for _, code, *_ in events_of(batch)] == [
        "GENOTYPE//CYP2C19//*2/*2",
        "GENOTYPE//CYP2C19_rs4244285//A/G",
    ]
    assert reasons(batch) == [("component", "no gene studied (LOINC 48018-6)")]


REJECTED = [
    ({"resourceType": "Claim"}, "resources of type Claim are not mapped to events"),
    ({"resourceType": "Anna"}, "this type of resource is not mapped to events"),
    ({"no": "type"}, "has no resourceType, so it is not a FHIR resource"),
    ([1, 2], "is JSON but not a resource"),
    (
        of("Observation", status="entered-in-error"),
        "Observation of this status did not happen or is not valid",
    ),
    (
        {"resourceType": "Condition", "code": coded(SNOMED, "1"), "recordedDate": "2020-01-01"},
        "no reference to a patient",
    ),
    (
        {"resourceType": "Condition", "subject": {"reference": "Group/1"}},
        "refers to something other than a Patient",
    ),
    (
        of("Condition", code=coded(SNOMED, "1"), recordedDate="2020-13-01"),
        "recordedDate is not a date",
    ),
    (
        of("Condition", code=coded(SNOMED, "1")),
        "has none of recordedDate, onsetDateTime, onsetPeriod: when it became known is unknown",
    ),
    (of("Condition", code={}, recordedDate="2020"), "has neither code nor text"),
    (
        of("Condition", code=coded(SNOMED, "1"), verificationStatus=coded("x", "entered-in-error")),
        "entered in error, or ruled out",
    ),
    (
        of("Condition", code=coded(SNOMED, "1"), verificationStatus=coded("x", "refuted")),
        "entered in error, or ruled out",
    ),
    (
        of("Observation", code=coded(LOINC, "1"), issued="2020", valueQuantity={"value": True}),
        "cannot be read: not a number",
    ),
    (
        of("Observation", code=coded(LOINC, "1"), issued="2020", valueQuantity={"value": 1e300}),
        "cannot be read: not a finite number that fits in 32 bits",
    ),
    (
        of("Observation", code=coded(LOINC, "1"), issued="2020", valueSampledData={}),
        "cannot be read: valueSampledData is not read; ingest dense series with --wearable",
    ),
    ({"resourceType": "Patient", "gender": "male"}, "a Patient without an id"),
    ({"resourceType": "Patient", "id": "1"}, "nothing in it becomes an event"),
    (
        {"resourceType": "Patient", "id": "1", "deceasedBoolean": True},
        "died, but the date is missing",
    ),
]


@pytest.mark.parametrize(("resource", "reason"), REJECTED)
def test_an_unreadable_resource_is_rejected_with_its_reason(
    tmp_path: Path, resource: object, reason: str
) -> None:
    batch = read(tmp_path, resource)
    assert batch.events.num_rows == 0
    assert batch.rejected["reason"].to_pylist() == [reason]
    assert batch.rows == 1


def test_a_bundle_resolves_its_own_addresses(tmp_path: Path) -> None:
    bundle = {
        "resourceType": "Bundle",
        "entry": [
            {
                "fullUrl": "urn:uuid:aa",
                "resource": {"resourceType": "Patient", "id": "17", "gender": "male"},
            },
            {
                "resource": {
                    "resourceType": "Condition",
                    "subject": {"reference": "urn:uuid:aa"},
                    "code": coded(SNOMED, "1"),
                    "recordedDate": "2020-01-01",
                }
            },
            {"request": {"method": "DELETE"}},
        ],
    }
    path = tmp_path / "bundle.json"
    path.write_text(json.dumps(bundle, indent=2))
    batch = combine_batches(read_fhir([tmp_path]))
    assert batch.events["subject_id"].to_pylist() == [17, 17]
    assert batch.events["row"].to_pylist() == [1, 2]
    assert reasons(batch) == [("entry", "an entry without a resource")]
    path.write_text(json.dumps({"resourceType": "Bundle", "entry": {"resource": 3}}))
    assert combine_batches(read_fhir([path])).rejected.num_rows == 1


def synthetic(rng: np.random.Generator, patients: int) -> list[dict]:
    """Patients with laboratory values, orders and diagnoses: all valid."""
    resources: list[dict] = []
    for number in range(patients):
        me = {"subject": {"reference": f"Patient/p{number}"}}
        resources.append({"resourceType": "Patient", "id": f"p{number}", "birthDate": "1960-02-03"})
        for _ in range(int(rng.integers(1, 6))):
            day = f"2020-{rng.integers(1, 13):02d}-{rng.integers(1, 29):02d}"
            value = {"value": float(rng.normal(7, 1)), "code": "%"}
            resources += [
                {
                    "resourceType": "Observation",
                    "code": coded(LOINC, "4548-4"),
                    "category": LABORATORY,
                    "issued": day,
                    "valueQuantity": value,
                    **me,
                },
                {
                    "resourceType": "Condition",
                    "code": coded(SNOMED, str(rng.integers(1e6))),
                    "recordedDate": day,
                    **me,
                },
                {
                    "resourceType": "MedicationRequest",
                    "authoredOn": day,
                    "medicationCodeableConcept": coded(RXNORM, "860975"),
                    **me,
                },
            ]
    return resources


@pytest.mark.parametrize("batch_rows", [1, 7, 10_000])
@pytest.mark.parametrize("files", [1, 3])
def test_batch_size_and_files_do_not_change_the_events(
    tmp_path: Path, batch_rows: int, files: int
) -> None:
    resources = synthetic(np.random.default_rng(3), 20)
    np.random.default_rng(4).shuffle(resources)
    for part in range(files):
        lines = b"\n".join(orjson.dumps(r) for r in resources[part::files])
        (tmp_path / f"{part}.ndjson.gz").write_bytes(gzip.compress(lines))
    batches = list(read_fhir([tmp_path], FhirSettings(batch_rows=batch_rows)))
    assert max(batch.rows for batch in batches) <= batch_rows
    whole = combine_batches(batches)
    assert whole.rows == len(resources)
    assert whole.rejected.num_rows == 0
    expected = Counter(
        to_subject_id(r.get("id") or r["subject"]["reference"].split("/")[1]) for r in resources
    )
    assert Counter(whole.events["subject_id"].to_pylist()) == expected


def test_damaged_files_lose_no_row(tmp_path: Path) -> None:
    lines = [orjson.dumps(r) for r in synthetic(np.random.default_rng(3), 200)]
    packed = gzip.compress(b"\n".join(lines))
    (tmp_path / "cut.ndjson.gz").write_bytes(packed[: len(packed) // 2])
    cut = combine_batches(read_fhir([tmp_path / "cut.ndjson.gz"]))
    assert 0 < cut.events.num_rows < len(lines)
    assert cut.rejected["reason"].to_pylist()[-1].startswith("the gzip stream is damaged here")

    text = lines[0] + b"\n\xff\xfe{}\n\n" + lines[1][:-5] + b"\n" + b'{"a": NaN}\n' + lines[1]
    (tmp_path / "odd.ndjson").write_bytes(text)
    odd = combine_batches(read_fhir([tmp_path / "odd.ndjson"]))
    assert (odd.rows, odd.rejected.num_rows) == (5, 3)
    assert all(r.startswith("is not JSON in UTF-8") for r in odd.rejected["reason"].to_pylist())

    (tmp_path / "not.json").write_bytes(b"<html>")
    odd = combine_batches(read_fhir([tmp_path / "not.json"]))
    assert reasons(odd) == [("file", "is neither a JSON document nor lines of JSON")]


def test_ten_megabytes_of_text_and_the_year_1_are_read(tmp_path: Path) -> None:
    text = "x" * 10_000_000
    note = of("Observation", code=coded(LOINC, "1"), issued="0001-01-01", valueString=text)
    batch = read(tmp_path, note, of("Condition", code={"text": text}, recordedDate=text))
    assert events_of(batch)[0][0] == datetime(1, 1, 1)
    assert len(events_of(batch)[0][3]) == 10_000_000
    assert len(batch.rejected["value"].to_pylist()[0]) < 1000
    assert len(batch.rejected["reason"].to_pylist()[0]) < 200


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.text(max_size=5)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "coding",
                    "code",
                    "system",
                    "value",
                    "reference",
                    "start",
                    "end",
                    "item",
                    "answer",
                    "linkId",
                    "repeat",
                    "text",
                    "extension",
                    "url",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
FIELDS = [
    "id",
    "subject",
    "patient",
    "status",
    "code",
    "category",
    "issued",
    "recordedDate",
    "authoredOn",
    "authored",
    "valueQuantity",
    "valueCodeableConcept",
    "component",
    "dosageInstruction",
    "dosage",
    "medicationCodeableConcept",
    "medicationReference",
    "period",
    "class",
    "item",
    "extension",
    "birthDate",
    "deceasedDateTime",
    "gender",
    "verificationStatus",
    "vaccineCode",
    "occurrenceDateTime",
    "contained",
    "beneficiary",
]
KINDS = [
    "Patient",
    "Coverage",
    "Encounter",
    "Condition",
    "MedicationRequest",
    "MedicationAdministration",
    "MedicationStatement",
    "Observation",
    "Procedure",
    "AllergyIntolerance",
    "Immunization",
    "QuestionnaireResponse",
    "Bundle",
    "Medication",
]
GOOD = {
    "subject": {"reference": "Patient/1"},
    "issued": "2020",
    "recordedDate": "2020",
    "authored": "2020",
    "authoredOn": "2020",
    "code": {"text": "a"},
}


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(
            st.sampled_from(KINDS) | JSON,
            st.booleans(),
            st.dictionaries(st.sampled_from(FIELDS), JSON),
        ),
        max_size=4,
    )
)
def test_no_resource_causes_a_traceback_or_a_lost_row(
    tmp_path: Path, made: list[tuple[object, bool, dict]]
) -> None:
    resources = [{"resourceType": k, **(GOOD if good else {}), **rest} for k, good, rest in made]
    batch = read(tmp_path, *resources)
    assert batch.rows >= sum(r["resourceType"] != "Bundle" for r in resources)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"nowhere\.ndjson: there is no such file or folder"):
        list(read_fhir([tmp_path / "nowhere.ndjson"]))
    with pytest.raises(RecordError, match=r"no file ends in \.ndjson"):
        list(read_fhir([tmp_path]))
    with pytest.raises(RecordError, match="time_zone 'Mars' is not a time zone"):
        read(tmp_path, {}, zone="Mars")


def _generate(command: list[str], module: str, folder: Path) -> None:
    pytest.importorskip(module, reason=f"{module} is not installed (pip install)")
    program = str(Path(sys.executable).with_name(command[0]))
    subprocess.run([program, *command[1:]], cwd=folder, check=True, capture_output=True)


def test_carebundle_is_read_completely(tmp_path: Path) -> None:
    _generate(
        [
            "carebundle",
            "generate",
            "--profile",
            "mixed",
            "--count",
            "10",
            "--format",
            "ndjson",
            "--out",
            "made",
        ],
        "carebundle",
        tmp_path,
    )
    batch = combine_batches(read_fhir([tmp_path / "made"]))
    assert batch.events.num_rows > 300
    assert set(batch.rejected["field"].to_pylist()) == {"resourceType"}


def test_synthea_is_read_completely(tmp_path: Path) -> None:
    _generate(["synthea", "-p", "1", "-s", "7", "-o", "made"], "synthea", tmp_path)
    batch = combine_batches(read_fhir([tmp_path / "made"]))
    assert batch.events.num_rows > 300
    assert set(batch.rejected["field"].to_pylist()) <= {"resourceType", "value", "status"}


def test_clinosim_with_its_invalid_resources_loses_no_row(tmp_path: Path) -> None:
    _generate(
        [
            "clinosim",
            "simulate",
            "-o",
            "made",
            "-p",
            "60",
            "-s",
            "5",
            "--start",
            "2025-01-01",
            "--end",
            "2025-01-31",
            "--format",
            "fhir",
        ],
        "clinosim",
        tmp_path,
    )
    folder = tmp_path / "made" / "fhir_r4"
    lines = sum(len(p.read_bytes().splitlines()) for p in folder.glob("*.ndjson"))
    batch = combine_batches(read_fhir(sorted(folder.glob("*.ndjson"))))
    assert batch.rows - sum("#" in s for s in batch.rejected["source"].to_pylist()) == lines
    assert batch.events.num_rows > 300
