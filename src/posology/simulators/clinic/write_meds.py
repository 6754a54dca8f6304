"""The clinic as a MEDS dataset: one Parquet shard a chunk, and its metadata."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from posology.records.events import EVENTS
from posology.simulators.clinic.codes import CODES
from posology.simulators.clinic.log import STATIC, Events


def meds_table(events: Events) -> pa.Table:
    """The events as MEDS rows; static facts have null time, codes without number a null value."""
    dictionary = pa.array([code.meds for code in CODES])
    units = pa.array([code.unit or None for code in CODES])
    row = pa.array(events.code.astype(np.int32))
    static = events.minute == STATIC
    time = pa.array(np.where(static, 0, events.minute) * 60_000_000, pa.int64(), mask=static)
    value = pa.array(events.value, mask=np.isnan(events.value))
    return pa.table(
        {
            "subject_id": events.subject_id,
            "time": time.cast(pa.timestamp("us")),
            "code": dictionary.take(row),
            "numeric_value": value,
            "text_value": pa.nulls(len(row), pa.large_string()),
            "unit": units.take(row),
        },
        schema=EVENTS,
    )


def write_meds(folder: Path, shard: int, events: Events) -> None:
    """Write one chunk's events as a shard."""
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    pq.write_table(meds_table(events), data / f"{shard:05d}.parquet", compression="zstd")


def write_meds_metadata(folder: Path, name: str) -> None:
    """Codes and dataset metadata; splits are left to the study."""
    from meds import CodeMetadataSchema

    metadata = folder / "metadata"
    metadata.mkdir(parents=True, exist_ok=True)
    table = pa.table(
        {
            "code": [code.meds for code in CODES],
            "description": [code.title for code in CODES],
            "parent_codes": pa.array([None] * len(CODES), pa.list_(pa.string())),
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
