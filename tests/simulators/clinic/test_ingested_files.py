"""The clinic read back by posology's own ingest: from OMOP, from FHIR, the same events."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from posology.records.pipeline import ingest as ingesting
from posology.records.sources.registry import make_sources
from posology.simulators.clinic.files.dataset import write_clinic
from posology.simulators.clinic.settings import ClinicSettings

COLUMNS = ["subject_id", "time", "code", "numeric_value", "text_value"]


def events_of(folder: Path) -> pa.Table:
    """Events in one order, without `DRUG`: FHIR tells a dose there, OMOP only a dose a day."""
    table = pa.concat_tables(
        pq.read_table(p, columns=COLUMNS) for p in sorted((folder / "data").rglob("*.parquet"))
    )
    table = table.filter(pc.invert(pc.starts_with(table["code"], "DRUG//")))
    return table.sort_by([(name, "ascending") for name in COLUMNS[:4]]).combine_chunks()


def test_omop_and_fhir_give_the_events_that_the_clinic_writes_as_meds(tmp_path):
    out = tmp_path / "clinic"
    for _ in write_clinic(ClinicSettings(patients=60, seed=3), out, ("meds", "omop", "fhir")):
        pass
    for name, source in (
        ("omop", make_sources("omop", [str(out / "omop")])[0]),
        ("fhir", make_sources("fhir", [out / "fhir"])[0]),
    ):
        done = ingesting.ingest([source], tmp_path / name)
        assert done.unreadable == 0
        assert not done.rejected
        assert events_of(tmp_path / name).equals(events_of(out / "meds"))
    meds = events_of(out / "meds")
    periods = meds.filter(pc.starts_with(meds["code"], "OBSERVATION_PERIOD//"))
    assert periods.group_by("code").aggregate([("subject_id", "count_distinct")]).to_pydict() == {
        "code": ["OBSERVATION_PERIOD//START", "OBSERVATION_PERIOD//END"],
        "subject_id_count_distinct": [60, 60],
    }
