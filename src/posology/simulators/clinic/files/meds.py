"""The clinic as a MEDS dataset: one Parquet shard per chunk, and its metadata."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from posology.records.schema import EVENTS
from posology.simulators.clinic.events import CODES, STATIC, Events
from posology.simulators.clinic.files.periods import CODES as CODES_OF_PERIODS
from posology.simulators.clinic.files.periods import Periods, observation_periods

_DAY = 86_400
"""Seconds."""


def meds_table(events: Events) -> pa.Table:
    """The events as MEDS rows; static facts have a null time, codes without a value a null value.

    A visit has two events (start and end), and so has a prescription (daily dose and order), as in
    posology's ingest of OMOP or FHIR.
    """
    has_second = np.array([bool(code.second_event) for code in CODES])[events.code]
    rows = np.repeat(np.arange(len(events.code)), 1 + has_second)
    second = np.r_[False, rows[1:] == rows[:-1]]
    name = pa.array(events.code[rows] + len(CODES) * second)
    code = pa.array([c.meds for c in CODES] + [c.second_event for c in CODES]).take(name)
    nothing = [None] * len(CODES)
    unit = pa.array([c.unit or None for c in CODES] + nothing, pa.string()).take(name)
    titles = [c.title if c.answer else None for c in CODES]
    text = pa.array(titles + nothing, pa.large_string()).take(name)
    static = events.minute[rows] == STATIC
    time = pa.array(np.where(static, 0, events.minute[rows]) * 60_000_000, mask=static)
    value = events.value[rows]
    table = pa.table(
        {
            "subject_id": events.subject_id[rows],
            "time": time.cast(pa.timestamp("us")),
            "code": code,
            "numeric_value": pa.array(value, mask=np.isnan(value) | second),
            "text_value": text,
            "unit": unit,
        },
        schema=EVENTS,
    )
    return _with_periods(table, observation_periods(events))


def _with_periods(table: pa.Table, periods: Periods) -> pa.Table:
    """The same with observation periods: from the first second of a day to the last of another."""
    seconds = np.concatenate([periods.first_day * _DAY, periods.last_day * _DAY + _DAY - 1])
    subject, rows = np.tile(periods.subject_id, 2), len(periods.subject_id)
    columns = {
        "subject_id": subject,
        "time": pa.array(seconds * 1_000_000).cast(pa.timestamp("us")),
        "code": np.repeat(CODES_OF_PERIODS, rows),
    }
    others = {f.name: pa.nulls(2 * rows, f.type) for f in EVENTS if f.name not in columns}
    whole = pa.concat_tables([table, pa.table(columns | others, schema=EVENTS)])
    time = whole["time"].cast(pa.int64()).fill_null(np.iinfo(np.int64).min)
    return whole.take(np.lexsort((time.to_numpy(), whole["subject_id"].to_numpy())))


def write_meds(folder: Path, shard: int, events: Events) -> None:
    """Write one chunk's events as a shard."""
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    pq.write_table(meds_table(events), data / f"{shard:05d}.parquet", compression="zstd")


def write_meds_metadata(folder: Path, name: str) -> None:
    """Write codes and dataset metadata; the study defines the splits."""
    from meds import CodeMetadataSchema

    metadata = folder / "metadata"
    metadata.mkdir(parents=True, exist_ok=True)
    titles = {code.meds: code.title for code in CODES}
    titles |= {code.second_event: code.title for code in CODES if code.second_event}
    titles |= dict(
        zip(CODES_OF_PERIODS, ("start of observation", "end of observation"), strict=True)
    )
    table = pa.table(
        {
            "code": list(titles),
            "description": list(titles.values()),
            "parent_codes": pa.array([None] * len(titles), pa.list_(pa.string())),
        }
    )
    pq.write_table(CodeMetadataSchema.align(table), metadata / "codes.parquet")
    about = {
        "dataset_name": name,
        "etl_name": "posology simulate clinic",
        "meds_version": "0.4.1",
        "code_modifier_columns": ["unit"],
    }
    (metadata / "dataset.json").write_text(json.dumps(about, indent=2) + "\n")
