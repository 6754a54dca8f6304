"""Ordered events to one Parquet file a shard, written while the next ones are made ready."""

import base64
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from posology.records.io.engine import ROW_GROUP
from posology.records.schema import EVENTS

AS_INDICES = pa.schema(
    [
        pa.field(field.name, pa.dictionary(pa.int32(), field.type))
        if field.name in ("code", "unit")
        else field
        for field in EVENTS
    ]
)
"""EVENTS with codes and units as they are handed to Parquet, which stores them so anyway."""


@contextmanager
def shard_files(folder: Path, names: pa.Table) -> Generator[Callable[[pa.RecordBatch], None]]:
    """A function that writes batches, in the order of their shards, to `folder/N.parquet`.

    Column `pair` of a batch is a row of `names`, its code and unit. A thread writes one batch
    while its caller makes the next; what fails there is raised at the next call or at the end.
    """
    words = {name: names[name].combine_chunks().dictionary_encode() for name in ("code", "unit")}
    open_file: dict[int, pq.ParquetWriter] = {}

    def write(batch: pa.RecordBatch) -> None:
        for shard, part in _by_shard(batch):
            if shard not in open_file:
                _close(open_file)
                open_file[shard] = _open(folder / f"{shard}.parquet")
            open_file[shard].write_batch(_named(part, words), row_group_size=ROW_GROUP)

    running: list[Future[None]] = []
    with ThreadPoolExecutor(1) as thread:

        def hand_over(batch: pa.RecordBatch) -> None:
            while running:
                running.pop().result()
            running.append(thread.submit(write, batch))

        try:
            yield hand_over
            while running:
                running.pop().result()
        finally:
            thread.shutdown()
            _close(open_file)


def _open(path: Path) -> pq.ParquetWriter:
    """Dictionaries where texts repeat, statistics where readers filter: half the time of all."""
    writer = pq.ParquetWriter(
        path,
        AS_INDICES,
        compression="snappy",
        use_dictionary=["code", "unit", "text_value"],
        write_statistics=["subject_id", "time"],
        store_schema=False,
    )
    schema = base64.b64encode(EVENTS.serialize().to_pybytes()).decode()
    writer.add_key_value_metadata({"ARROW:schema": schema})  # readers see EVENTS, not indices
    return writer


def _close(open_file: dict[int, pq.ParquetWriter]) -> None:
    while open_file:
        open_file.popitem()[1].close()


def _by_shard(batch: pa.RecordBatch) -> list[tuple[int, pa.RecordBatch]]:
    """The batch cut where the shard changes."""
    shard = batch.column("shard").to_numpy()
    starts = [0, *(np.flatnonzero(np.diff(shard)) + 1).tolist()]
    ends = [*starts[1:], len(shard)]
    return [(int(shard[a]), batch.slice(a, b - a)) for a, b in zip(starts, ends, strict=True)]


def _named(batch: pa.RecordBatch, words: dict[str, pa.DictionaryArray]) -> pa.RecordBatch:
    """The batch with its codes and units by name again."""
    columns = []
    for field in AS_INDICES:
        if field.name in words:
            word = words[field.name]
            indices = word.indices.take(batch.column("pair"))
            columns.append(pa.DictionaryArray.from_arrays(indices, word.dictionary))
        else:
            column = batch.column(field.name)
            columns.append(column if column.type == field.type else column.cast(field.type))
    return pa.record_batch(columns, schema=AS_INDICES)
