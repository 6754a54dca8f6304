from pathlib import Path

import pytest

from posology.errors import RecordError
from posology.records.batching import combine_batches
from posology.records.pipeline.ingest import IngestSettings, ingest
from posology.records.sources.genomics.diplotypes import read_diplotypes
from posology.records.sources.genomics.reader import make_sources
from tests.builders.raw_events import events_of

TABLE = """subject,gene,diplotype,phenotype,activity_score,date
7,CYP2C19,*2/*2,Poor Metabolizer,,2020-01-02
7,CYP2C9,CYP2C9 *1/*3,,1.0,2020-01-02
8,TPMT,,Normal Metabolizer,,
9,TPMT,,,,2020-01-01
,TPMT,*1/*1,,,2020-01-01
9,,*1/*1,,,2020-01-01
9,TPMT,*1/*1,,,someday
9,DPYD,*1/*1,,high,2020-01-01
9,DPYD
"""


def test_reported_diplotypes_become_events(tmp_path: Path) -> None:
    (tmp_path / "lab.csv").write_text(TABLE)
    batch = combine_batches(read_diplotypes([tmp_path / "lab.csv"]))
    events = [
        (e["subject_id"], str(e["time"])[:10], e["code"], e["numeric_value"])
        for e in batch.events.to_pylist()
    ]
    assert events == [
        (7, "2020-01-02", "GENOTYPE//CYP2C19//*2/*2", None),
        (7, "2020-01-02", "PHENOTYPE//CYP2C19//poor_metabolizer", None),
        (7, "2020-01-02", "GENOTYPE//CYP2C9//*1/*3", None),
        (7, "2020-01-02", "ACTIVITY_SCORE//CYP2C9", 1.0),
        (8, "None", "PHENOTYPE//TPMT//normal_metabolizer", None),
        (9, "2020-01-01", "GENOTYPE//DPYD//*1/*1", None),
    ]
    rejected = [(r["row"], r["field"], r["reason"]) for r in batch.rejected.to_pylist()]
    assert rejected == [
        (4, "diplotype", "neither a diplotype nor a phenotype"),
        (5, "subject", "names no subject"),
        (6, "gene", "names no gene"),
        (7, "date", "is not a date"),
        (8, "activity_score", "is not a number"),
        (9, "row", "has 2 cells where the header has 6"),
    ]
    assert batch.rows == 10


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    (tmp_path / "lab.csv").write_text("subject,gene\n1,TPMT\n")
    with pytest.raises(RecordError, match="has no column 'diplotype'; its columns are 'subject'"):
        list(read_diplotypes([tmp_path / "lab.csv"]))


def test_a_table_of_any_kind_is_ingested_beside_vcf_files(tmp_path: Path) -> None:
    table = "subject\tgene\tdiplotype\tdate\n7\tCYP2C19\t*1/*2\t2020-01-02\n"
    (tmp_path / "lab.TSV").write_text(table)
    ingest(make_sources([tmp_path / "lab.TSV"]), tmp_path / "out", IngestSettings(report=False))
    assert events_of(tmp_path / "out")["code"].to_pylist() == ["GENOTYPE//CYP2C19//*1/*2"]
