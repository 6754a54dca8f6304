"""The rejected rows of a folder: stored, cleaned again after new records, or replaced."""

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from posology.records.pipeline.cleaning_rules import PATIENT_RULES
from posology.records.pipeline.write_shards import shard_number
from posology.records.schema import EVENTS, RAW, REJECTED

REJECTED_FILE = "rejected.parquet"
REJECTED_EVENTS = pa.schema([*REJECTED, ("rule", pa.string()), *EVENTS])
"""Columns of the file: REJECTED, the rule's name, and the raw event."""


@dataclass(frozen=True, slots=True)
class EarlierRejections:
    """Which rejected rows of earlier ingests this one cleans again or replaces."""

    changed_shards: frozenset[int]
    """Shards that new events belong to."""
    shards: int
    reread: frozenset[str]
    """Sources that are read whole again (databases): their rejected rows are replaced."""

    def is_reopened(self, table: pa.Table) -> pa.Array:
        """Rows rejected because of the patient's other records, which new records may undo."""
        in_changed_shard = pa.array(
            [
                s is not None and shard_number(s, self.shards) in self.changed_shards
                for s in table["subject_id"].to_pylist()
            ],
            pa.bool_(),
        )
        by_patient_rule = pc.is_in(table["rule"].combine_chunks(), pa.array(PATIENT_RULES))
        replaced = self.is_replaced(table)
        return pc.and_(pc.and_(by_patient_rule, in_changed_shard), pc.invert(replaced))

    def is_replaced(self, table: pa.Table) -> pa.Array:
        """Rows of the sources that are read again."""
        sources = table["source"].to_pylist()
        return pa.array([(s or "").split("#")[0] in self.reread for s in sources], pa.bool_())


def reopen_rejected(folder: Path, earlier: EarlierRejections, scratch: Path) -> Path | None:
    """The folder's rejected events that new records may accept, as a file of raw events."""
    path = folder / REJECTED_FILE
    if not earlier.changed_shards or not path.exists():
        return None
    reopened, rows = scratch / "reopened.parquet", 0
    with pq.ParquetWriter(reopened, RAW) as writer:
        for batch in pq.ParquetFile(path).iter_batches():
            table = pa.Table.from_batches([batch])
            table = table.filter(earlier.is_reopened(table))
            writer.write_table(table.select(RAW.names))
            rows += table.num_rows
    return reopened if rows else None


def merge_rejected(
    folder: Path, new_folder: Path, unreadable: Iterable[Path], earlier: EarlierRejections
) -> dict[str, int]:
    """Add earlier rejections and unreadable rows to the rejected rows of `new_folder`.

    Order: rejections of earlier ingests that still hold, unreadable rows, rows rejected now.
    Returns the number of unreadable rows by reason, the most frequent first.
    """
    path, now = new_folder / REJECTED_FILE, new_folder / f"new.{REJECTED_FILE}"
    reasons: Counter[str] = Counter()
    os.replace(path, now)
    with pq.ParquetWriter(path, REJECTED_EVENTS, compression="zstd") as writer:
        if (folder / REJECTED_FILE).exists():
            for batch in pq.ParquetFile(folder / REJECTED_FILE).iter_batches():
                table = pa.Table.from_batches([batch])
                obsolete = pc.or_(earlier.is_reopened(table), earlier.is_replaced(table))
                writer.write_table(table.filter(pc.invert(obsolete)))
        for file in unreadable:
            for batch in pq.ParquetFile(file).iter_batches():
                writer.write_table(_unreadable(pa.Table.from_batches([batch])))
                for count in pc.value_counts(batch.column("reason")).to_pylist():
                    reasons[count["values"]] += count["counts"]
        for batch in pq.ParquetFile(now).iter_batches():
            writer.write_batch(batch)
    now.unlink()
    path.chmod(0o600)  # it holds what patients' rows said
    return dict(reasons.most_common())


def _unreadable(table: pa.Table) -> pa.Table:
    """Rows in REJECTED as REJECTED_EVENTS, by the rule `unreadable`."""
    rows = table.num_rows
    columns = [
        table[f.name].cast(f.type)
        if f.name in REJECTED.names
        else pa.array(["unreadable"] * rows, pa.string())
        if f.name == "rule"
        else pa.nulls(rows, f.type)
        for f in REJECTED_EVENTS
    ]
    return pa.table(columns, schema=REJECTED_EVENTS)
