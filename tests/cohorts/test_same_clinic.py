"""The same clinic through OMOP, through FHIR and as MEDS: the same cohort, array for array."""

from dataclasses import fields
from pathlib import Path

import numpy as np

from posology.cohorts.storage.folder import build_folder
from posology.cohorts.study.reader import read_study
from posology.domain.cohort import DECISION_COLUMNS
from posology.records.pipeline.ingest import ingest
from posology.records.sources.registry import make_sources
from posology.simulators.clinic.files.dataset import write_clinic
from posology.simulators.clinic.settings import ClinicSettings


def test_fhir_omop_and_meds_records_give_the_same_cohort(tmp_path: Path) -> None:
    out, study = tmp_path / "clinic", read_study("clinic")
    for _ in write_clinic(ClinicSettings(patients=120, seed=5), out, ("meds", "omop", "fhir")):
        pass
    ingest(make_sources("omop", [str(out / "omop")]), tmp_path / "from_omop")
    ingest(make_sources("fhir", [out / "fhir"]), tmp_path / "from_fhir")
    places = (out / "meds", tmp_path / "from_omop", tmp_path / "from_fhir")
    first, *others = (
        build_folder(study, place, tmp_path / f"cohort-{row}") for row, place in enumerate(places)
    )
    assert len(first) > 300
    for other in others:
        assert other.profile.codes == first.profile.codes
        a, b = np.argsort(first.history.subject_id), np.argsort(other.history.subject_id)
        np.testing.assert_array_equal(first.history.subject_id[a], other.history.subject_id[b])
        for f in fields(first.history):
            np.testing.assert_array_equal(
                getattr(first.history, f.name), getattr(other.history, f.name), err_msg=f.name
            )
        np.testing.assert_allclose(other.profile.center, first.profile.center, rtol=1e-6)
        for name in DECISION_COLUMNS:
            np.testing.assert_array_equal(getattr(first, name), getattr(other, name), err_msg=name)
