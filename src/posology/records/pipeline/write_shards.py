"""Write sorted events to one Parquet file per shard, while the next batch is prepared."""

import base64
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from posology.records.io.engine import ROW_GROUP
from posology.records.schema import EVENTS

DICTIONARY_EVENTS = pa.schema(
    [
        pa.field(field.name, pa.dictionary(pa.int32(), field.type))
        if field.name in ("code", "unit")
        else field
        for field in EVENTS
    ]
)
"""EVENTS with codes and units as dictionaries, as Parquet stores them anyway."""


def shard_expression(subject: ir.IntegerValue, shards: int) -> ir.IntegerValue:
    """The shard of a subject: one step of the Lehmer generator (Park and Miller 1988), modulo."""
    return (((subject.abs() % 2147483647) * 48271) % 2147483647 % shards).cast("int32")


def shard_number(subject: int, shards: int) -> int:
    """The same shard, computed in Python."""
    return abs(subject) % 2147483647 * 48271 % 2147483647 % shards


@contextmanager
def shard_writer(folder: Path, pairs: pa.Table) -> Generator[Callable[[pa.RecordBatch], None]]:
    """A function that writes batches, sorted by shard, to `folder/N.parquet`.

    Column `pair` of a batch is an index into `pairs`, the codes and units. A thread writes one
    batch while the caller prepares the next; its errors are raised at the next call or at the end.
    """
    texts = {name: pairs[name].combine_chunks().dictionary_encode() for name in ("code", "unit")}
    open_file: dict[int, pq.ParquetWriter] = {}

    def write(batch: pa.RecordBatch) -> None:
        for shard, part in _by_shard(batch):
            if shard not in open_file:
                _close(open_file)
                open_file[shard] = _open(folder / f"{shard}.parquet")
            open_file[shard].write_batch(_with_texts(part, texts), row_group_size=ROW_GROUP)

    running: list[Future[None]] = []
    with ThreadPoolExecutor(1) as thread:

        def submit(batch: pa.RecordBatch) -> None:
            while running:
                running.pop().result()
            running.append(thread.submit(write, batch))

        try:
            yield submit
            while running:
                running.pop().result()
        finally:
            thread.shutdown()
            _close(open_file)


def _open(path: Path) -> pq.ParquetWriter:
    """Dictionaries only for repeated texts, statistics only for filter columns: half the time."""
    writer = pq.ParquetWriter(
        path,
        DICTIONARY_EVENTS,
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
    """The batch split where the shard changes."""
    shard = batch.column("shard").to_numpy()
    starts = [0, *(np.flatnonzero(np.diff(shard)) + 1).tolist()]
    ends = [*starts[1:], len(shard)]
    return [(int(shard[a]), batch.slice(a, b - a)) for a, b in zip(starts, ends, strict=True)]


def _with_texts(batch: pa.RecordBatch, texts: dict[str, pa.DictionaryArray]) -> pa.RecordBatch:
    """The batch with the texts of its codes and units."""
    columns = []
    for field in DICTIONARY_EVENTS:
        if field.name in texts:
            text = texts[field.name]
            indices = text.indices.take(batch.column("pair"))
            columns.append(pa.DictionaryArray.from_arrays(indices, text.dictionary))
        else:
            column = batch.column(field.name)
            columns.append(column if column.type == field.type else column.cast(field.type))
    return pa.record_batch(columns, schema=DICTIONARY_EVENTS)
