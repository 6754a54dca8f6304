"""Raw events for tests of ingest, and Hypothesis strategies for them."""

from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from posology.records.pipeline.staging import Source, StagedSource, stage_batches
from posology.records.schema import EVENTS, RAW

YEAR0 = datetime(1970, 1, 1)  # noqa: DTZ001


def raw_table(rows):
    """RAW from (subject, time, code, number, text, unit) with sources and rows of their own."""
    names = RAW.names
    full = [(*row, "a.csv", number) for number, row in enumerate(rows, start=1)]
    return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in full], schema=RAW)


def raw_source(path, table, name=None):
    pq.write_table(table, path)
    return Source(
        name or path.name, (path,), lambda _con, _folder: StagedSource((path,), (), len(table))
    )


def events_of(folder):
    return pa.concat_tables(
        [EVENTS.empty_table()]
        + [pq.read_table(path) for path in sorted((folder / "data").glob("*.parquet"))]
    ).cast(EVENTS)


def as_set(table):
    return sorted(map(repr, zip(*(column.to_pylist() for column in table.columns), strict=True)))


times = st.one_of(
    st.none(),
    st.sampled_from([0, 1, 2, 30, 40, 100, 5000, -60000, 200000]).map(
        lambda days: YEAR0 + timedelta(days=days)
    ),
)
codes = st.sampled_from(
    [
        "MEDS_BIRTH",
        "MEDS_DEATH",
        "LOINC//29463-7",
        " loinc//29463-7",
        "DRUG//x//given",
        "LAB//a",
        "ICD10CM//I48.0",
        "",
        None,
    ]
)
numbers = st.one_of(
    st.none(), st.sampled_from([0.0, 1.0, -1.0, 70.0, 9000.0, float("nan"), float("inf")])
)
texts = st.sampled_from([None, "<5", "1,200", "02139", "1,2", "5 mg", ">= 7.5", "1e99", "", "é; x"])
units = st.sampled_from([None, "kg", "lbs", "mg", "g", "MG", "mmol/L", "", " "])
rows = st.lists(
    st.tuples(st.sampled_from([None, -5, 1, 2, 3, 2**62]), times, codes, numbers, texts, units),
    max_size=40,
)

__all__ = ["as_set", "events_of", "raw_source", "raw_table", "rows", "stage_batches"]
