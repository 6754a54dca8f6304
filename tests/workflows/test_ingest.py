"""Records are ingested from Python as from the command line."""

from pathlib import Path
from uuid import uuid4

import pyarrow.parquet as pq
import pytest

from posology.errors import RecordError
from posology.records.io.remote import local_copy
from posology.records.meds_dataset import verify_folder
from posology.workflows.ingest import find_sources, ingest
from tests.builders import synthetic_iwpc
from tests.builders.raw_events import as_set, events_of


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


def test_a_summary_lists_the_first_sources(tmp_path: Path) -> None:
    events = "".join(f'[[event]]\ncode = "LAB//{n}"\nvalue = "x"\n' for n in range(12))
    (tmp_path / "t.csv").write_text("patient,day,x\n1,2024-01-01,5\n")
    common = 'file = "t.csv"\nsubject = "patient"\ntime = "{day}"\n'
    (tmp_path / "t.toml").write_text(common + events)
    result = ingest({"table": tmp_path / "t.toml"}, tmp_path / "meds")
    assert "(event 10): 1 rows\nand 2 more sources: 2 rows\n" in result.summary()
    assert sum(row["metric"] == "read" for row in result.rows) == 12


def test_an_unknown_kind_a_missing_path_and_no_source_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="unknown kind of source 'omp'; it is one of meds, omop"):
        find_sources({"omp": tmp_path})
    with pytest.raises(RecordError, match="no such file or folder"):
        find_sources({"fhir": tmp_path / "gone"})
    with pytest.raises(RecordError, match="nothing to ingest"):
        find_sources({"fhir": []})


MAPPING = """file = "{name}.csv"
subject = "patient"
time = "{{day}}"
[[event]]
code = "LAB//X"
value = "x"
"""


def labs(folder: Path, name: str, days: list[str]) -> dict[str, Path]:
    """A mapped table with a row for each day."""
    lines = ["patient,day,x", *(f"{at % 3},{day},{at}" for at, day in enumerate(days))]
    (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
    (folder / f"{name}.toml").write_text(MAPPING.format(name=name))
    return {"table": folder / f"{name}.toml"}


def test_events_at_a_url_are_added_to_as_those_of_a_folder(tmp_path: Path) -> None:
    pytest.importorskip("fsspec", reason="no fsspec: pip install 'posology[cloud]'")
    url = f"memory://{uuid4().hex}/events"
    first = labs(tmp_path, "a", ["2020-01-01", "2020-01-02", "02.01.2020"])
    later = labs(tmp_path, "b", ["2021-01-01"] * 4)
    for source in (first, later):
        ingest(source, tmp_path / "here")
        result = ingest(source, url)
    assert f"{url} is ready; see {url}/quality.html" in result.summary()
    with local_copy(url) as copy:
        assert verify_folder(copy)
        assert as_set(events_of(copy)) == as_set(events_of(tmp_path / "here"))
        rejected = (pq.read_table(f / "rejected.parquet") for f in (copy, tmp_path / "here"))
        assert len({str(as_set(table)) for table in rejected}) == 1
    assert f"{url} is unchanged" in ingest(later, url).summary()


def test_no_event_at_a_url_is_an_error_that_names_its_list_of_rejected_rows(tmp_path: Path) -> None:
    pytest.importorskip("fsspec", reason="no fsspec: pip install 'posology[cloud]'")
    url = f"memory://{uuid4().hex}/events"
    with pytest.raises(RecordError, match=f"see {url}/rejected.parquet"):
        ingest(labs(tmp_path, "a", ["1.1.2020"]), url)
    with local_copy(url) as copy:
        assert len(pq.read_table(copy / "rejected.parquet")) == 1


def test_a_source_at_a_url_is_refused() -> None:
    with pytest.raises(RecordError, match="--fhir s3://bucket/export: sources are read from a"):
        find_sources({"fhir": "s3://bucket/export"})
