"""Patients of a demonstration have made-up names, and the model can judge them."""

from pathlib import Path

import pyarrow as pa

from posology import artifact
from posology.records.schema import EVENTS
from posology.service.demo.patients import name_patients
from posology.workflows.patient import form_of
from posology.workflows.recommend import recommend


def test_each_patient_has_a_name_and_only_what_the_model_reads(small_model: Path) -> None:
    model = artifact.load(small_model)
    rows = [
        {"subject_id": subject, "code": code}
        for subject in range(30)
        for code in ("SEX//male", "UNKNOWN//code")
    ]
    patients = name_patients(pa.Table.from_pylist(rows, schema=EVENTS), form_of(model))
    assert len(patients) == 24
    assert (patients[0].id, patients[0].name) == ("demo-01", "Ada Sample")
    assert len({patient.name for patient in patients}) == 24
    assert patients[13].events["code"].to_pylist() == ["SEX//male"]
    assert recommend(model, patients[13].events).recommendation.state == "dose"
