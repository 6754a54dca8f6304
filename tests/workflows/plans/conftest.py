"""A clinic's model with plans, fitted once."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from posology.cohorts.storage.arrays import load_cohort
from posology.cohorts.storage.folder import build_folder
from posology.cohorts.study.reader import read_study
from posology.simulators.clinic.files.dataset import write_clinic
from posology.simulators.clinic.settings import ClinicSettings
from posology.workflows.fit import fit
from posology.workflows.plans.learn import learn_plans, with_plans


@pytest.fixture(scope="package")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A model with plans, and the events of one patient who was treated."""
    folder = tmp_path_factory.mktemp("plans")
    for _ in write_clinic(ClinicSettings(patients=220, seed=11), folder / "records"):
        pass
    meds = folder / "records" / "meds"
    build_folder(read_study("clinic"), meds, folder / "cohort")
    cohort = load_cohort(folder / "cohort")
    result = fit(cohort, "logistic", evidence_decisions=0, progress=lambda *_: None)
    with_plans(result, learn_plans(cohort, horizon=3)).save(folder / "model")
    events = pa.concat_tables(
        [pq.read_table(f) for f in sorted((meds / "data").rglob("*.parquet"))]
    )
    drug = pc.match_substring(events["code"], "DRUG_PER_DAY//RXNORM//593411")
    subject = events.filter(drug)["subject_id"][0]
    pq.write_table(events.filter(pc.equal(events["subject_id"], subject)), folder / "one.parquet")
    return folder / "model", folder / "one.parquet"
