"""Bad input of every source: never a traceback, never a lost row."""

import warnings
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from posology.errors import UserError
from posology.records.io.engine import Engine, connect
from posology.records.pipeline.ingest import IngestSettings, ingest
from posology.records.pipeline.staging import Source, StagedSource
from posology.records.sources.registry import make_sources
from tests.builders.damaged_records import (
    CELLS,
    DAMAGES,
    FILES,
    LINES,
    TABLES,
    Table,
    nested_table,
    to_csv,
    valid_rows,
    write_parquet,
)

QUICK = IngestSettings(report=False)
LOOKED_UP = ("concept", "drug_strength", "exposures")
"""Tables that are joined to others: their valid rows are not rows of the source."""

SKIPPED = ("person", "drug_exposure", "drug_strength")
"""Tables of the CDM that are opened in the same way as `measurement` and `concept`."""


def read(paths: Iterable[Path]) -> list[dict]:
    """Rows of Parquet files without their times, which Python cannot always represent."""
    rows = []
    for path in paths:
        names = [name for name in pq.read_schema(path).names if name != "time"]
        rows += pq.read_table(path, columns=names).to_pylist()
    return rows


def assert_no_row_lost(staged: StagedSource, name: str) -> None:
    """Assert that every staged row of the source is an event or rejected."""
    events, rejected = read(staged.events), read(staged.rejected)
    if any("#" in path.name or path.name.startswith("person_") for path in staged.events):
        # OMOP: only the first events of a table have one for each row
        first = [p for p in staged.events if p.stem.endswith("_0")]
        assert len(read(first)) + len(rejected) == staged.rows
        return
    if "(event" in name:  # a malformed line has its line number, other rows their row number
        assert len(events) + len(rejected) == staged.rows
        return
    accepted = {(e["source"], e["row"]) for e in events}
    rejected_rows = [(r["source"], r["row"]) for r in rejected]
    assert len(rejected_rows) == len(set(rejected_rows)), "a row is rejected once"
    assert not accepted & set(rejected_rows), "a row is an event or rejected"
    assert len(accepted) + len(rejected_rows) == staged.rows
    assert all(r["reason"] for r in rejected)


def stage_all(sources: list[Source], folder: Path) -> list[StagedSource] | None:
    """The staged sources, checked for lost rows; None if staging raises an error for the user."""
    con = connect(Engine())
    staged = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom warns about damaged files
            for number, source in enumerate(sources):
                (folder / f"staged{number}").mkdir()
                staged.append(source.stage(con, folder / f"staged{number}"))
                assert_no_row_lost(staged[-1], source.name)
    except UserError:
        return None
    finally:
        con.disconnect()
    return staged


def assert_no_event_lost(staged: list[StagedSource], folder: Path) -> None:
    """Assert that every staged event is an event, rejected or merged after ingest."""
    sources = [
        Source(str(n), (), lambda _con, _folder, one=one: one) for n, one in enumerate(staged)
    ]
    done = ingest(sources, folder / "out", QUICK)
    rejected = pq.read_metadata(folder / "out" / "rejected.parquet").num_rows
    assert rejected == done.unreadable + sum(done.rejected.values())
    assert done.raw == sum(pq.read_metadata(p).num_rows for one in staged for p in one.events)
    assert done.raw == done.events + sum(done.rejected.values()) + done.merged


def data_rows(name: str, staged: list[StagedSource]) -> int:
    """Number of rows of the damaged table that are events or rejected."""
    (one,) = staged
    events, rejected = read(one.events), read(one.rejected)
    if name == "wearable":
        samples = sum(e["numeric_value"] for e in events if e["code"].endswith("//samples"))
        return int(samples) + len(rejected)
    if name in ("person", "drug_exposure", "measurement"):
        mine = [r for r in rejected if r["source"].endswith(f"#{name}")]
        return len(read(p for p in one.events if p.stem == f"{name}_0")) + len(mine)
    if name == "tables":
        return one.rows
    places = [(row["source"].split("#")[0], row["row"]) for row in [*events, *rejected]]
    return len(set(places))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", [n for n in TABLES if n not in SKIPPED])
def test_a_damaged_table_is_an_error_or_its_rows_are_rejected(
    folder: Path, name: str, damage: str
) -> None:
    table, path = TABLES[name], folder / "in" / "data.csv"
    path.write_bytes(DAMAGES[damage](to_csv(table, valid_rows(table))))
    if name == "embeddings":
        path = path.rename(path.with_suffix(".parquet"))
    staged = stage_all(table.sources(path), folder)
    if damage in ("whole", "gzipped", "twice", "byte order mark") and name != "embeddings":
        assert staged is not None
        if name not in LOOKED_UP:
            assert data_rows(name, staged) == (2 * LINES + 1 if damage == "twice" else LINES)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_an_error_or_its_rows_are_rejected(
    folder: Path, name: str, damage: str
) -> None:
    if name == "dicom":
        pytest.importorskip("pydicom", reason="needs posology[imaging]")
    kind, file, good = FILES[name]
    path = folder / "in" / file
    path.write_bytes(DAMAGES[damage](good()))
    staged = stage_all(make_sources(kind, [path]), folder)
    if damage == "whole":
        assert staged is not None
        assert read(staged[0].events)


@pytest.mark.parametrize("name", [n for n in TABLES if n != "embeddings"])
@settings(
    max_examples=3,  # each draws every cell of the table; a table of the CDM takes a second
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_no_cell_causes_a_traceback_or_a_lost_row(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    folder, table = tmp_path_factory.mktemp("cells"), TABLES[name]
    good = valid_rows(table)
    rows = [
        [data.draw(st.one_of(st.just(cell), st.sampled_from(CELLS))) for cell in row]
        for row in good
    ]
    (folder / "in").mkdir()
    path = folder / "in" / "data.csv"
    path.write_bytes(to_csv(table, rows))
    staged = stage_all(table.sources(path), folder)
    if name not in LOOKED_UP:
        assert staged is not None
        assert data_rows(name, staged) == LINES
        assert_no_event_lost(staged, folder)


@pytest.mark.parametrize("name", [n for n in TABLES if n != "embeddings"])
def test_a_cell_of_ten_megabytes_is_one_row(folder: Path, name: str) -> None:
    table, path = TABLES[name], folder / "in" / "data.csv"
    rows = valid_rows(table)
    rows[2][-1] = "9 x" * 3_500_000
    path.write_bytes(to_csv(table, rows))
    staged = stage_all(table.sources(path), folder)
    assert staged is not None
    if name not in LOOKED_UP:
        assert data_rows(name, staged) == LINES


@pytest.mark.parametrize("name", TABLES)
def test_nested_null_and_unusual_parquet_types_lose_no_row(folder: Path, name: str) -> None:
    table: Table = TABLES[name]
    path = folder / "in" / "data.parquet"
    pq.write_table(nested_table(table), path)
    staged = stage_all(table.sources(path), folder)
    assert staged is None or name in LOOKED_UP or data_rows(name, staged) == LINES


ODD = {
    "dates": pa.array([-719_162] * LINES, pa.date32()),  # year 1
    "nanoseconds": pa.array([2**62] * LINES, pa.timestamp("ns")),
    "far": pa.array([2**62] * LINES, pa.timestamp("us")),
    "zoned": pa.array([0] * LINES, pa.timestamp("us", "Mars/Olympus")),
    "NaN": pa.array([float("nan")] * LINES),
    "large": pa.array([2**64 - 1] * LINES, pa.uint64()),
    "decimal": pa.array([10**30] * LINES, pa.decimal128(38, 3)),
    "truth": pa.array([True, None, False] * (LINES // 3)),
    "lists": pa.array([[1.0, None], None, []] * (LINES // 3)),
    "dictionary": pa.array(["x", None, ""] * (LINES // 3)).dictionary_encode(),
    "duration": pa.array([5] * LINES, pa.duration("s")),
}


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("name", [name for name in TABLES if name not in SKIPPED])
def test_no_column_type_causes_a_traceback(folder: Path, name: str, kind: str) -> None:
    table = TABLES[name]
    columns = list(table.columns)
    at = list(ODD).index(kind)
    path = folder / "in" / "data.parquet"
    write_parquet(path, table, {columns[at % len(columns)]: ODD[kind]})
    staged = stage_all(table.sources(path), folder)
    assert staged is None or name in LOOKED_UP or data_rows(name, staged) == LINES
