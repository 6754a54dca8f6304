"""From sources to a MEDS folder: staged, cleaned, sorted, and put in place in one step.

The old folder is not touched until the new one is whole. Sources that were ingested before are
known by their content and skipped; shards that no new patient's events reach are linked, not read.
"""

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import meds
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from posology.errors import PosologyError, RecordError
from posology.records import meds_folder
from posology.records.cleaning import OF_PATIENT, Cleaning, cleaned, decide, facts, profile
from posology.records.engine import Engine, connect, keep, load
from posology.records.events import RAW, REFUSED, Batch
from posology.records.shards import ASIDE, ordered, shard_of, write_shards
from posology.records.swap import replacing

EARLIER = "an earlier ingest"
"""The source of events that the folder already held, when a later record refuses them."""
SHARD_ROWS = 50_000_000
"""Rows in a shard at the first ingest (own choice: one is sorted in a minute and 2 GB)."""


@dataclass(frozen=True, slots=True)
class Staged:
    """A source as Parquet files: its events in RAW, its refused rows in REFUSED."""

    events: tuple[Path, ...]
    refused: tuple[Path, ...] = ()
    rows: int = 0
    """Rows read from the source."""
    meanings: dict[str, str] = field(default_factory=dict)
    """What codes mean, where the source says so."""


@dataclass(frozen=True, slots=True)
class Source:
    """One thing to ingest."""

    name: str
    """As the user named it."""
    files: tuple[Path, ...]
    """Files whose content decides whether it was ingested before; none for a database."""
    stage: Callable[[Any, Path], Staged]
    """Given the engine's connection and an empty folder, reads it."""
    settings: str = ""
    """Whatever else decides what is read from it, such as the mapping."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How to ingest."""

    engine: Engine = field(default_factory=Engine)
    cleaning: Cleaning = field(default_factory=Cleaning)
    shards: int | None = None
    """Number of data files of a new folder; by default one for each 50 million events."""
    name: str = "posology"
    """The data set's name, for its metadata."""
    progress: Callable[[str, int], None] = lambda _what, _rows: None
    """Told the stage and how many more rows it has done."""


@dataclass(frozen=True, slots=True)
class Ingested:
    """What an ingest did: `raw + held = events + refused + merged`, checked before it ends."""

    sources: dict[str, int]
    """Rows read from each new source."""
    skipped: tuple[str, ...]
    """Sources ingested before, with the same content and settings."""
    raw: int
    """Raw events of the new sources."""
    unreadable: int
    """Rows of the new sources that gave no event."""
    held: int
    """Events and lifted refusals of the folder that were looked at again."""
    events: int
    """Events now in the shards that were written."""
    refused: dict[str, int]
    """Refused events by rule."""
    merged: int
    repairs: dict[str, int]


def ingest(sources: Iterable[Source], out: Path, settings: Settings = Settings()) -> Ingested:
    """Add the sources to the MEDS folder `out`, making it where there is none."""
    settings = settings or Settings()
    with replacing(out) as fresh:
        manifest = read_manifest(out)
        known = {entry["digest"] for entry in manifest["sources"]}
        digests = {source: _digest(source) for source in sources}
        new = {s: d for s, d in digests.items() if d is None or d not in known}
        skipped = tuple(source.name for source in digests if source not in new)
        if not new:
            return Ingested({}, skipped, 0, 0, 0, 0, {}, 0, {})
        scratch = fresh / "scratch"
        scratch.mkdir()
        con = connect(_with_spill(settings.engine, scratch))
        try:
            staged = _stage(con, new, scratch, settings)
            done = _build(con, staged, out, fresh, (manifest, settings))
        finally:
            con.disconnect()
        result = Ingested(**done, skipped=skipped)
        shutil.rmtree(scratch)
        _finish(fresh, manifest, new, result)
        return result


def read_manifest(folder: Path) -> dict[str, Any]:
    """What was ingested into the folder so far; empty where the folder is new."""
    path = folder / "manifest.json"
    if path.exists():
        try:
            return json.loads(path.read_text())
        except ValueError as error:
            raise RecordError(f"{path} is damaged: {error}; ingest into a new folder") from error
    if folder.exists() and any(folder.iterdir()):
        raise RecordError(
            f"{folder} is not empty and was not made by `posology ingest`: it has no "
            "manifest.json; choose another folder"
        )
    return {"shards": None, "sources": [], "repairs": {}, "merged": 0, "unreadable": 0}


def _digest(source: Source) -> str | None:
    if not source.files:
        return None
    digest = hashlib.sha256(source.settings.encode())
    for path in sorted(source.files):
        try:
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise RecordError(f"{source.name}: {path} cannot be read: {error.strerror}") from error
    return digest.hexdigest()


def _with_spill(engine: Engine, scratch: Path) -> Engine:
    spill = engine.spill or scratch / "spill"
    return Engine(engine.name, engine.memory, engine.threads, spill)


def _stage(
    con: Any, new: dict[Source, str | None], scratch: Path, settings: Settings
) -> list[tuple[str, Staged]]:
    staged = []
    for number, source in enumerate(new):
        folder = scratch / str(number)
        folder.mkdir()
        one = source.stage(con, folder)
        settings.progress(source.name, one.rows)
        staged.append((source.name, one))
    return staged


def _build(
    con: Any,
    staged: list[tuple[str, Staged]],
    out: Path,
    fresh: Path,
    told: tuple[dict[str, Any], Settings],
) -> dict[str, Any]:
    """Clean and sort the staged events, with what the touched shards hold, into `fresh`."""
    manifest, settings = told
    files = [path for _, one in staged for path in one.events]
    raw = load(con, files, RAW, "posology_new")
    count = int(con.to_pyarrow(raw.count()).as_py())
    number = manifest["shards"] or settings.shards or max(1, -(-count // SHARD_ROWS))
    touched = _touched(con, raw, number) if manifest["shards"] else set()
    old = [path for s in touched if (path := out / "data" / f"{s}.parquet").exists()]
    held = 0
    for earlier in _earlier(con, old, _lift(out, touched, number, fresh / "scratch")):
        held += int(con.to_pyarrow(earlier.count()).as_py())
        raw = raw.union(earlier)
    seen = profile(con, raw)
    book = decide(con, seen, settings.cleaning)
    told_facts = facts(raw, book)
    if told_facts is not None:
        told_facts = keep(con, told_facts, "posology_facts")
    rows = cleaned(raw, book, told_facts, settings.cleaning)
    written = write_shards(
        con,
        ordered(rows, number),
        book,
        fresh,
        lambda n: settings.progress("clean and sort", n),
    )
    events, refused = written.events, sum(written.refused.values())
    if count + held != events + refused + written.merged:
        raise PosologyError(
            f"rows were lost: {count} new and {held} held, but {events} events, {refused} "
            f"refused and {written.merged} merged; please report this"
        )
    unreadable = _put_aside(out, fresh, staged, touched, number)
    _link_untouched(out, fresh, touched)
    _metadata(out, fresh, staged, written.codes, settings.name)
    _carry_splits(out, fresh)
    manifest["shards"] = number
    return {
        "sources": {name: one.rows for name, one in staged},
        "raw": count,
        "unreadable": unreadable,
        "held": held,
        "events": events,
        "refused": written.refused,
        "merged": written.merged,
        "repairs": _by_rule(book.repairs),
    }


def _earlier(con: Any, shards: list[Path], lifted: Path | None) -> Iterator[ir.Table]:
    """What the touched shards hold, and the refused events that are looked at again."""
    if shards:
        events = load(con, shards, RAW, "posology_held")
        yield events.mutate(source=ibis.literal(EARLIER), row=ibis.null("int64"))
    if lifted is not None:
        yield load(con, [lifted], RAW, "posology_lifted")


def _by_rule(repairs: Counter[tuple[str, str]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for (_, rule), rows in repairs.items():
        total[rule] += rows
    return dict(total)


def _touched(con: Any, raw: ir.Table, number: int) -> set[int]:
    """Shards that any new event belongs to; a row without a subject counts for none."""
    shard = raw.filter(raw.subject_id.notnull()).select(shard=shard_of(raw.subject_id, number))
    return set(con.to_pyarrow(shard.distinct())["shard"].to_pylist())


def _lift(out: Path, touched: set[int], number: int, scratch: Path) -> Path | None:
    """Refused events of the touched shards that a new record may lift, as raw events again."""
    path = out / "refused.parquet"
    if not touched or not path.exists():
        return None
    lifted = scratch / "lifted.parquet"
    rows = 0
    with pq.ParquetWriter(lifted, RAW) as writer:
        for batch in pq.ParquetFile(path).iter_batches():
            table = pa.Table.from_batches([batch])
            table = table.filter(_liftable(table, touched, number))
            writer.write_table(table.select(RAW.names))
            rows += table.num_rows
    return lifted if rows else None


def _liftable(table: pa.Table, touched: set[int], number: int) -> pa.Array:
    """Rows refused because of the patient's other records, of a touched shard."""
    subject = table["subject_id"].to_pylist()
    mine = pa.array(
        [
            s is not None and abs(s) % 2147483647 * 48271 % 2147483647 % number in touched
            for s in subject
        ]
    )
    of_patient = pc.is_in(table["rule"].combine_chunks(), pa.array(OF_PATIENT))
    return pc.and_(of_patient, mine)


def _put_aside(
    out: Path, fresh: Path, staged: list[tuple[str, Staged]], touched: set[int], number: int
) -> int:
    """Add to the refused rows those the sources could not read and those of earlier ingests."""
    path, unreadable = fresh / "refused.parquet", 0
    mine = fresh / "refused.new.parquet"
    os.rename(path, mine)
    with pq.ParquetWriter(path, ASIDE, compression="zstd") as writer:
        if (out / "refused.parquet").exists():
            for batch in pq.ParquetFile(out / "refused.parquet").iter_batches():
                table = pa.Table.from_batches([batch])
                keep = pc.invert(_liftable(table, touched, number))
                writer.write_table(table.filter(keep))
        for file in [f for _, one in staged for f in one.refused]:
            for batch in pq.ParquetFile(file).iter_batches():
                writer.write_table(_unreadable(pa.Table.from_batches([batch])))
                unreadable += batch.num_rows
        for batch in pq.ParquetFile(mine).iter_batches():
            writer.write_batch(batch)
    mine.unlink()
    return unreadable


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


def _link_untouched(out: Path, fresh: Path, touched: set[int]) -> None:
    for path in sorted((out / "data").glob("*.parquet")):
        if int(path.stem) in touched:
            continue
        try:
            os.link(path, fresh / "data" / path.name)
        except OSError:  # another file system, or one without links
            shutil.copy2(path, fresh / "data" / path.name)


def _metadata(
    out: Path, fresh: Path, staged: list[tuple[str, Staged]], codes: set[str], name: str
) -> None:
    meaning: dict[str, str | None] = {**meds_folder.read_codes(out)}
    for code in codes:
        meaning.setdefault(code, None)
    for _, one in staged:
        meaning.update({c: text for c, text in one.meanings.items() if c in meaning})
    meds_folder.write_metadata(fresh, meaning, name)


def _carry_splits(out: Path, fresh: Path) -> None:
    path = out / meds.subject_splits_filepath
    if path.exists():
        shutil.copy2(path, fresh / meds.subject_splits_filepath)


def _finish(
    fresh: Path, manifest: dict[str, Any], new: dict[Source, str | None], result: Ingested
) -> None:
    """Write the manifest, last of all: a folder with one is whole."""
    for source, digest in new.items():
        manifest["sources"].append(
            {"name": source.name, "digest": digest, "rows": result.sources[source.name]}
        )
    repairs = Counter(manifest["repairs"])
    repairs.update(result.repairs)
    manifest["repairs"] = dict(repairs)
    manifest["merged"] += result.merged
    manifest["unreadable"] += result.unreadable
    manifest["last"] = asdict(result)
    (fresh / "manifest.json").write_text(json.dumps(manifest, indent=1))


def staged_batches(batches: Iterable[Batch], folder: Path) -> Staged:
    """Write what an extractor yields into the folder."""
    events, refused, rows = folder / "events.parquet", folder / "refused.parquet", 0
    with pq.ParquetWriter(events, RAW) as good, pq.ParquetWriter(refused, REFUSED) as bad:
        for batch in batches:
            good.write_table(batch.events)
            bad.write_table(batch.refused)
            rows += batch.rows
    return Staged((events,), (refused,), rows)


def meds_source(path: Path) -> Source:
    """A MEDS folder, or one Parquet file of events in any order."""
    files = tuple(meds_folder.data_files(path)) if path.is_dir() else (path,)

    def stage(con: Any, folder: Path) -> Staged:
        rows = sum(meds_folder.open_events(file).metadata.num_rows for file in files)
        if con.name == "duckdb":
            return Staged(files, rows=rows)
        staged = []
        for number, file in enumerate(files):
            staged.append(folder / f"{number}.parquet")
            _number_rows(file, staged[-1])
        return Staged(tuple(staged), rows=rows)

    return Source(str(path), files, stage)


def _number_rows(file: Path, out: Path) -> None:
    start = 1
    with pq.ParquetWriter(out, RAW) as writer:
        for batch in meds_folder.open_events(file).iter_batches():
            table = meds_folder.in_schema(pa.Table.from_batches([batch]))
            table = table.append_column("source", pa.array([str(file)] * len(table)))
            table = table.append_column("row", pa.array(range(start, start + len(table))))
            writer.write_table(table.cast(RAW))
            start += len(table)
