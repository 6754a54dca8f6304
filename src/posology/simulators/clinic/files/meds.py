"""The clinic as a MEDS dataset: one Parquet shard per chunk, and its metadata."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from posology.records.schema import EVENTS
from posology.simulators.clinic.events import CODES, STATIC, Events


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
    return pa.table(
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
