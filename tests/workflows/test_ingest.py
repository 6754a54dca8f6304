"""Records are ingested from Python as from the command line."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from posology.errors import RecordError
from posology.workflows.ingest import find_sources, ingest
from tests.builders import synthetic_iwpc


def test_an_ingest_balances_its_events_and_reports_each_stage(tmp_path: Path) -> None:
    pq.write_table(synthetic_iwpc.events(20), tmp_path / "events.parquet")
    stages: dict[str, int] = {}
    result = ingest(
        {"meds": tmp_path / "events.parquet"},
        tmp_path / "meds",
        progress=lambda message, done=0, total=None: stages.update({message: done}),
    )
    counts = result.counts
    assert counts.raw == counts.events + sum(counts.rejected.values()) + counts.merged
    assert {row["metric"] for row in result.rows} >= {"read", "raw", "events", "merged"}
    assert result.to_frame().num_rows == len(result.rows)
    assert f"{tmp_path / 'meds'} is ready" in result.summary()
    assert stages
    again = ingest({"meds": [tmp_path / "events.parquet"]}, tmp_path / "meds")
    assert "ingested before, skipped" in again.summary()


@pytest.mark.parametrize(("copies", "warns"), [(1, False), (2, True)])
def test_many_merged_duplicates_are_warned_of(tmp_path: Path, copies: int, warns: bool) -> None:
    rows = ["patient,day,x"] + [f"{i},2024-01-{1 + i:02},{i}" for i in range(9)] * copies
    (tmp_path / "t.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "t.toml").write_text(
        'file = "t.csv"\nsubject = "patient"\ntime = "{day}"\n[[event]]\ncode = "LAB//X"\n'
        'value = "x"\n'
    )
    summary = ingest({"table": tmp_path / "t.toml"}, tmp_path / "meds").summary()
    assert ("Check the mapping: 9 of 18 events are the same as another one" in summary) == warns


def test_an_unknown_kind_a_missing_path_and_no_source_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="unknown kind of source 'omp'; it is one of meds, omop"):
        find_sources({"omp": tmp_path})
    with pytest.raises(RecordError, match="no such file or folder"):
        find_sources({"fhir": tmp_path / "gone"})
    with pytest.raises(RecordError, match="nothing to ingest"):
        find_sources({"fhir": []})
