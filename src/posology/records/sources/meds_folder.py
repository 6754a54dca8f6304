"""A MEDS folder with its split file, or one Parquet file of events in any order."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import meds
import pyarrow as pa
import pyarrow.parquet as pq

from posology.records import meds_dataset
from posology.records.pipeline.staging import Source, StagedSource
from posology.records.schema import RAW


def make_sources(inputs: Sequence[str | Path]) -> list[Source]:
    """One source for each MEDS folder or Parquet file."""
    return [_source(Path(path)) for path in inputs]


def _source(path: Path) -> Source:
    files = tuple(meds_dataset.data_files(path)) if path.is_dir() else (path,)
    split_file = path / meds.subject_splits_filepath
    has_splits = path.is_dir() and split_file.exists()

    def stage(con: Any, folder: Path) -> StagedSource:
        rows = sum(meds_dataset.open_events(file).metadata.num_rows for file in files)
        splits = (meds_dataset.read_splits(path) or {}) if has_splits else {}
        if con.name == "duckdb":  # reads the files in place, and numbers their rows
            return StagedSource(files, rows=rows, splits=splits)
        staged = tuple(folder / f"{number}.parquet" for number in range(len(files)))
        for file, copy in zip(files, staged, strict=True):
            _copy_with_rows(file, copy)
        return StagedSource(staged, rows=rows, splits=splits)

    return Source(str(path), (*files, split_file) if has_splits else files, stage)


def _copy_with_rows(file: Path, copy: Path) -> None:
    """Copy a file of events and add the columns `source` and `row`."""
    start = 1
    with pq.ParquetWriter(copy, RAW) as writer:
        for batch in meds_dataset.open_events(file).iter_batches():
            table = meds_dataset.in_schema(pa.Table.from_batches([batch]))
            table = table.append_column("source", pa.array([str(file)] * len(table)))
            table = table.append_column("row", pa.array(range(start, start + len(table))))
            writer.write_table(table.cast(RAW))
            start += len(table)
