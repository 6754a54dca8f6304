"""From rows with their fate to sorted shards: one ordered pass, bounded memory, neighbours merged.

The engine sorts small integers instead of codes and units; the names are put back as the
stream is written. Exact duplicates are neighbours there, so merging them costs no second sort.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from posology.records.io.engine import batches
from posology.records.pipeline.cleaning import REFUSALS, Book
from posology.records.pipeline.write_shards import shard_files
from posology.records.schema import EVENTS, REFUSED

ASIDE = pa.schema([*REFUSED, ("rule", pa.string()), *EVENTS])
"""The file of refused rows: REFUSED, the rule's name, and the event as it came."""


@dataclass(slots=True)
class Written:
    """What one pass wrote."""

    events: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    """Rows by rule."""
    merged: int = 0
    codes: set[str] = field(default_factory=set)


def shard_of(subject: ir.IntegerValue, shards: int) -> ir.IntegerValue:
    """The shard of a subject: one step of the Lehmer generator (Park and Miller 1988), modulo."""
    return (((subject.abs() % 2147483647) * 48271) % 2147483647 % shards).cast("int32")


def shard_of_number(subject: int, shards: int) -> int:
    """The same in Python."""
    return abs(subject) % 2147483647 * 48271 % 2147483647 % shards


def ordered(rows: ir.Table, shards: int) -> ir.Table:
    """Rows in the order they are written: shard, subject, time with null first, then code."""
    rows = rows.mutate(
        shard=ibis.literal(0, "int32") if shards == 1 else shard_of(rows.subject_id, shards)
    )
    keys = ["subject_id", "time", "pair", "numeric_value", "text_value"]
    keys = keys if shards == 1 else ["shard", *keys]
    return rows.order_by([ibis.asc(rows[key], nulls_first=True) for key in keys])


def write_shards(
    con: Any,
    rows: ir.Table,
    book: Book,
    folder: Path,
    progress: Callable[[int], None] = lambda _: None,
) -> Written:
    """Write ordered rows to `folder/data/N.parquet` and the refused to `folder/refused.parquet`."""
    done = Written()
    (folder / "data").mkdir()
    seen = np.zeros(book.names.num_rows, dtype=np.int64)
    last: pa.RecordBatch | None = None
    with (
        pq.ParquetWriter(folder / "refused.parquet", ASIDE, compression="zstd") as aside,
        shard_files(folder / "data", book.names) as write,
    ):
        for batch in batches(con, rows):
            kept = batch.drop_columns(["rule", "row", "whence"])
            if batch.column("rule").null_count < batch.num_rows:
                refused = pc.is_valid(batch.column("rule"))
                _set_aside(batch.filter(refused), book, aside, done)
                kept = kept.filter(pc.invert(refused))
            if kept.num_rows:
                fresh, last = _without_repeats(kept, last), kept.slice(kept.num_rows - 1)
                done.merged += kept.num_rows - fresh.num_rows
                done.events += fresh.num_rows
                seen += np.bincount(fresh.column("pair").to_numpy(), minlength=len(seen))
                if fresh.num_rows:
                    write(fresh)
            progress(batch.num_rows)
    done.codes = set(book.names["code"].filter(pa.array(seen > 0)).to_pylist())
    return done


def _set_aside(batch: pa.RecordBatch, book: Book, aside: pq.ParquetWriter, done: Written) -> None:
    """Write refused rows aside."""
    out = pa.Table.from_batches([batch])
    names = book.names.take(out["pair"])
    rules = pa.array(REFUSALS).take(out["rule"])
    for count in pc.value_counts(rules).to_pylist():
        done.refused[count["values"]] = done.refused.get(count["values"], 0) + count["counts"]
    field, value = _told(out, names, rules)
    columns = {
        "source": pa.array(book.sources, pa.string()).take(out["whence"]),
        "row": out["row"],
        "field": field,
        "value": value,
        "reason": pa.array([REASONS[rule] for rule in REFUSALS]).take(out["rule"]),
        "rule": rules,
        "subject_id": out["subject_id"],
        "time": out["time"],
        "code": names["code"],
        "numeric_value": out["numeric_value"],
        "text_value": out["text_value"],
        "unit": names["unit"],
    }
    table = pa.table({name: _cast(columns[name], ASIDE.field(name).type) for name in ASIDE.names})
    aside.write_table(table)


REASONS = {
    "no_subject": "no patient is named",
    "no_code": "no code is told",
    "impossible_time": "the year is outside those an event can lie in",
    "unit_incompatible": "the unit cannot be converted to the code's unit",
    "out_of_range": "the value is outside the code's plausible limits",
    "conflicting_birth": "another record tells an earlier birth of this patient",
    "conflicting_death": "another record tells a later death of this patient",
    "before_birth": "the event lies before the patient's birth",
    "after_death": "the event lies too long after the patient's death",
}
FIELDS = {
    "no_subject": "subject_id",
    "no_code": "code",
    "unit_incompatible": "unit",
    "out_of_range": "numeric_value",
}


def _told(
    out: pa.Table, names: pa.Table, rules: pa.ChunkedArray
) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """The field that was refused, and what it said."""
    field = pa.array([FIELDS.get(rule, "time") for rule in REFUSALS]).take(out["rule"])
    number = pc.coalesce(
        out["numeric_value"].cast(pa.string()), out["text_value"].cast(pa.string())
    )
    value = out["time"].cast(pa.string())
    value = pc.if_else(pc.equal(rules, "out_of_range"), number, value)
    value = pc.if_else(pc.equal(rules, "unit_incompatible"), names["unit"], value)
    value = pc.if_else(pc.equal(rules, "no_code"), names["code"], value)
    value = pc.if_else(pc.equal(rules, "no_subject"), pa.scalar(None, pa.string()), value)
    return field, value


def _without_repeats(batch: pa.RecordBatch, last: pa.RecordBatch | None) -> pa.RecordBatch:
    """The batch without rows equal to the row before them."""
    table = pa.Table.from_batches([batch] if last is None else [last, batch])
    same = np.ones(table.num_rows - 1, dtype=bool)
    for name in ("subject_id", "time", "pair"):
        column = table[name].combine_chunks()
        if column.null_count:
            valid = np.asarray(column.is_valid())
            same &= valid[1:] == valid[:-1]
        values = column.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
        same &= values[1:] == values[:-1]
    where = np.flatnonzero(same) + 1
    if where.size:
        here, before = table.take(where), table.take(where - 1)
        for name in ("numeric_value", "text_value"):
            equal = pc.equal(here[name], before[name])
            both_null = pc.and_(pc.is_null(here[name]), pc.is_null(before[name]))
            same[where - 1] &= np.asarray(pc.or_(equal.fill_null(False), both_null))
    if last is None:
        same = np.concatenate([[False], same])
    if not same.any():
        return batch
    return batch.filter(pa.array(~same))


def _cast(column: pa.Array | pa.ChunkedArray, kind: pa.DataType) -> pa.Array | pa.ChunkedArray:
    return column if column.type == kind else column.cast(kind)
