"""The refused rows of a folder through its ingests: kept, looked at again, or told anew."""

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from posology.records.pipeline.cleaning import OF_PATIENT
from posology.records.pipeline.sort_shards import ASIDE, shard_of_number
from posology.records.schema import RAW, REFUSED

NAME = "refused.parquet"


@dataclass(frozen=True, slots=True)
class Earlier:
    """Which refused rows of earlier ingests this one takes up."""

    touched: frozenset[int]
    """Shards that new events belong to."""
    shards: int
    reread: frozenset[str]
    """Sources that are read again whole (databases), whose refused rows are told anew."""

    def again(self, table: pa.Table) -> pa.Array:
        """Rows refused because of the patient's other records, which new ones may lift."""
        mine = pa.array(
            [
                s is not None and shard_of_number(s, self.shards) in self.touched
                for s in table["subject_id"].to_pylist()
            ],
            pa.bool_(),
        )
        of_patient = pc.is_in(table["rule"].combine_chunks(), pa.array(OF_PATIENT))
        return pc.and_(pc.and_(of_patient, mine), pc.invert(self.anew(table)))

    def anew(self, table: pa.Table) -> pa.Array:
        """Rows of the sources that are read again."""
        whose = table["source"].to_pylist()
        return pa.array([(s or "").split("#")[0] in self.reread for s in whose], pa.bool_())


def lift(folder: Path, earlier: Earlier, scratch: Path) -> Path | None:
    """The folder's refused events that a new record may lift, as raw events again."""
    path = folder / NAME
    if not earlier.touched or not path.exists():
        return None
    lifted, rows = scratch / "lifted.parquet", 0
    with pq.ParquetWriter(lifted, RAW) as writer:
        for batch in pq.ParquetFile(path).iter_batches():
            table = pa.Table.from_batches([batch])
            table = table.filter(earlier.again(table))
            writer.write_table(table.select(RAW.names))
            rows += table.num_rows
    return lifted if rows else None


def put_aside(
    folder: Path, fresh: Path, unread: Iterable[Path], earlier: Earlier
) -> dict[str, int]:
    """Before this ingest's refused events, those of earlier ones and the rows not read.

    Returns how many rows could not be read, by reason, the most frequent first.
    """
    path, mine = fresh / NAME, fresh / f"new.{NAME}"
    reasons: Counter[str] = Counter()
    os.rename(path, mine)
    with pq.ParquetWriter(path, ASIDE, compression="zstd") as writer:
        if (folder / NAME).exists():
            for batch in pq.ParquetFile(folder / NAME).iter_batches():
                table = pa.Table.from_batches([batch])
                gone = pc.or_(earlier.again(table), earlier.anew(table))
                writer.write_table(table.filter(pc.invert(gone)))
        for file in unread:
            for batch in pq.ParquetFile(file).iter_batches():
                writer.write_table(_unreadable(pa.Table.from_batches([batch])))
                for count in pc.value_counts(batch.column("reason")).to_pylist():
                    reasons[count["values"]] += count["counts"]
        for batch in pq.ParquetFile(mine).iter_batches():
            writer.write_batch(batch)
    mine.unlink()
    return dict(reasons.most_common())


def _unreadable(table: pa.Table) -> pa.Table:
    rows = table.num_rows
    columns = [
        table[f.name].cast(f.type)
        if f.name in REFUSED.names
        else pa.array(["unreadable"] * rows, pa.string())
        if f.name == "rule"
        else pa.nulls(rows, f.type)
        for f in ASIDE
    ]
    return pa.table(columns, schema=ASIDE)
