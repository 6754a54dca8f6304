"""Sort cleaned rows into shards in one pass with bounded memory, and merge exact duplicates.

The engine sorts small integers instead of codes and units; the texts are added when the stream is
written. Duplicates are neighbours after sorting, so merging them needs no second sort.
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

from posology.records.io.engine import iter_batches
from posology.records.pipeline.cleaning import CleaningPlan
from posology.records.pipeline.cleaning_rules import REJECTION_REASONS, REJECTION_RULES
from posology.records.pipeline.rejected_rows import REJECTED_EVENTS, REJECTED_FILE
from posology.records.pipeline.write_shards import shard_expression, shard_writer


@dataclass(slots=True)
class WriteResult:
    """Counts of one pass."""

    events: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    """Rows by rule."""
    merged: int = 0
    codes: set[str] = field(default_factory=set)


def sort_rows(rows: ir.Table, shards: int) -> ir.Table:
    """The rows ordered by shard, subject, time (null first), then code and value."""
    rows = rows.mutate(
        shard=ibis.literal(0, "int32") if shards == 1 else shard_expression(rows.subject_id, shards)
    )
    keys = ["subject_id", "time", "pair", "numeric_value", "text_value"]
    keys = keys if shards == 1 else ["shard", *keys]
    return rows.order_by([ibis.asc(rows[key], nulls_first=True) for key in keys])


def write_sorted(
    con: Any,
    rows: ir.Table,
    plan: CleaningPlan,
    folder: Path,
    progress: Callable[[int], None] = lambda _: None,
) -> WriteResult:
    """Write sorted rows to `folder/data/N.parquet`, rejected ones to `folder/rejected.parquet`."""
    result = WriteResult()
    (folder / "data").mkdir()
    counts = np.zeros(plan.pairs.num_rows, dtype=np.int64)
    last: pa.RecordBatch | None = None
    with (
        pq.ParquetWriter(folder / REJECTED_FILE, REJECTED_EVENTS, compression="zstd") as rejects,
        shard_writer(folder / "data", plan.pairs) as write,
    ):
        for batch in iter_batches(con, rows):
            accepted = batch.drop_columns(["rule", "row", "source_index"])
            if batch.column("rule").null_count < batch.num_rows:
                is_rejected = pc.is_valid(batch.column("rule"))
                _write_rejected(batch.filter(is_rejected), plan, rejects, result)
                accepted = accepted.filter(pc.invert(is_rejected))
            if accepted.num_rows:
                unique = _without_duplicates(accepted, last)
                last = accepted.slice(accepted.num_rows - 1)
                result.merged += accepted.num_rows - unique.num_rows
                result.events += unique.num_rows
                counts += np.bincount(unique.column("pair").to_numpy(), minlength=len(counts))
                if unique.num_rows:
                    write(unique)
            progress(batch.num_rows)
    result.codes = set(plan.pairs["code"].filter(pa.array(counts > 0)).to_pylist())
    return result


def _write_rejected(
    batch: pa.RecordBatch, plan: CleaningPlan, writer: pq.ParquetWriter, result: WriteResult
) -> None:
    rows = pa.Table.from_batches([batch])
    pairs = plan.pairs.take(rows["pair"])
    rules = pa.array(REJECTION_RULES).take(rows["rule"])
    for count in pc.value_counts(rules).to_pylist():
        rule = count["values"]
        result.rejected[rule] = result.rejected.get(rule, 0) + count["counts"]
    field, value = _field_and_value(rows, pairs, rules)
    columns = {
        "source": pa.array(plan.sources, pa.string()).take(rows["source_index"]),
        "row": rows["row"],
        "field": field,
        "value": value,
        "reason": pa.array(list(REJECTION_REASONS.values())).take(rows["rule"]),
        "rule": rules,
        "subject_id": rows["subject_id"],
        "time": rows["time"],
        "code": pairs["code"],
        "numeric_value": rows["numeric_value"],
        "text_value": rows["text_value"],
        "unit": pairs["unit"],
    }
    writer.write_table(
        pa.table({kind.name: _cast(columns[kind.name], kind.type) for kind in REJECTED_EVENTS})
    )


FIELDS = {
    "no_subject": "subject_id",
    "no_code": "code",
    "free_text_code": "code",
    "unit_incompatible": "unit",
    "out_of_range": "numeric_value",
}
"""The field that a rule rejects; `time` for every other rule."""


def _field_and_value(
    rows: pa.Table, pairs: pa.Table, rules: pa.ChunkedArray
) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """The field that was rejected, and its value as text."""
    field = pa.array([FIELDS.get(rule, "time") for rule in REJECTION_RULES]).take(rows["rule"])
    number = pc.coalesce(
        rows["numeric_value"].cast(pa.string()), rows["text_value"].cast(pa.string())
    )
    value = rows["time"].cast(pa.string())
    value = pc.if_else(pc.equal(rules, "out_of_range"), number, value)
    value = pc.if_else(pc.equal(rules, "unit_incompatible"), pairs["unit"], value)
    value = pc.if_else(
        pc.is_in(rules, pa.array(["no_code", "free_text_code"])), pairs["code"], value
    )
    value = pc.if_else(pc.equal(rules, "no_subject"), pa.scalar(None, pa.string()), value)
    return field, value


def _without_duplicates(batch: pa.RecordBatch, last: pa.RecordBatch | None) -> pa.RecordBatch:
    """The batch without rows equal to the row before them; `last` is the row before the batch."""
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
