"""From sources to a MEDS folder: staged, cleaned, sorted, and put in place in one step.

The old folder is not touched until the new one is whole. Sources that were ingested before are
known by their content and skipped; shards that no new patient's events reach are linked, not read.
"""

import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import meds
import pyarrow as pa
import pyarrow.parquet as pq

from posology.errors import PosologyError, RecordError
from posology.records import meds_dataset as meds_folder
from posology.records.io.atomic_replace import replacing
from posology.records.io.engine import Engine, connect, keep, load
from posology.records.pipeline.cleaning import Cleaning, cleaned, decide, facts, profile
from posology.records.pipeline.manifest import read_manifest, write_manifest
from posology.records.pipeline.quality import write_report
from posology.records.pipeline.rejected_rows import Earlier, lift, put_aside
from posology.records.pipeline.sort_shards import ordered, shard_of, write_shards
from posology.records.pipeline.source_counts import added, by_source
from posology.records.schema import EVENTS, RAW, REFUSED, Batch

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
    splits: Mapping[int, str] = field(default_factory=dict)
    """Each subject's split, where the source says so."""


@dataclass(frozen=True, slots=True)
class Source:
    """One thing to ingest."""

    name: str
    """As the user named it."""
    files: tuple[Path, ...]
    """Files whose content decides whether it was ingested before; none for a database, which is
    read whole each time: what it told before merges, and its refused rows are told anew."""
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
    report: bool = True
    """Whether the quality report is written with the events."""
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
    reasons: dict[str, int]
    """Why they gave none, and how many, the most frequent first."""
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
    with replacing(out) as fresh:
        manifest = read_manifest(out)
        known = {entry["digest"] for entry in manifest["sources"]}
        digests = {source: _digest(source) for source in sources}
        new = {s: d for s, d in digests.items() if d is None or d not in known}
        skipped = tuple(source.name for source in digests if source not in new)
        if not new:
            return Ingested({}, skipped, 0, 0, {}, 0, 0, {}, 0, {})
        scratch = fresh / "scratch"
        scratch.mkdir()
        con = connect(_with_spill(settings.engine, scratch))
        try:
            staged = _stage(con, new, scratch, settings)
            reread = frozenset(source.name for source, digest in new.items() if digest is None)
            done = _build(con, staged, (out, fresh), reread, (manifest, settings))
        finally:
            con.disconnect()
        result = Ingested(**done, skipped=skipped)
        shutil.rmtree(scratch)
        _told(manifest, new, result)
        if settings.report:
            write_report(fresh, manifest, out.name)
        write_manifest(fresh, manifest)
        return result


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
    folders: tuple[Path, Path],
    reread: frozenset[str],
    told: tuple[dict[str, Any], Settings],
) -> dict[str, Any]:
    """Clean and sort the staged events, with what the touched shards hold, into a new folder."""
    (out, fresh), (manifest, settings) = folders, told
    files = [path for _, one in staged for path in one.events]
    raw = load(con, files, RAW, "posology_new")
    count = int(con.to_pyarrow(raw.count()).as_py())
    number = manifest["shards"] or settings.shards or max(1, -(-count // SHARD_ROWS))
    touched = _touched(con, raw, number) if manifest["shards"] else set()
    old = [path for s in touched if (path := out / "data" / f"{s}.parquet").exists()]
    earlier, held = Earlier(frozenset(touched), number, reread), 0
    lifted = lift(out, earlier, fresh / "scratch")
    for table in _held(con, old, lifted):
        held += int(con.to_pyarrow(table.count()).as_py())
        raw = raw.union(table)
    seen = profile(con, raw)
    book = decide(con, seen, settings.cleaning)
    told_facts = facts(raw, book, settings.cleaning)
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
    unread = [path for _, one in staged for path in one.refused]
    reasons = put_aside(out, fresh, unread, earlier)
    _link_untouched(out, fresh, touched)
    _metadata(out, fresh, staged, written.codes, settings.name)
    _splits(out, fresh, staged)
    manifest["shards"] = number
    manifest["told"] = _by_source(con, manifest.get("told", []), seen, lifted, reread)
    return {
        "sources": {name: one.rows for name, one in staged},
        "raw": count,
        "unreadable": sum(reasons.values()),
        "reasons": reasons,
        "held": held,
        "events": events,
        "refused": written.refused,
        "merged": written.merged,
        "repairs": _by_rule(book.repairs),
    }


def _held(con: Any, shards: list[Path], lifted: Path | None) -> Iterator[ir.Table]:
    """What the touched shards hold, and the refused events that are looked at again."""
    if shards:
        events = load(con, shards, RAW, "posology_held")
        yield events.mutate(source=ibis.literal(EARLIER), row=ibis.null("int64"))
    if lifted is not None:
        yield load(con, [lifted], RAW, "posology_lifted")


def _by_source(
    con: Any,
    before: list[dict[str, Any]],
    seen: pa.Table,
    lifted: Path | None,
    reread: frozenset[str],
) -> list[dict[str, Any]]:
    """What each source told so far; rows looked at again are not counted again."""
    before = [row for row in before if row["source"].split("#")[0] not in reread]
    told = {key: one for key, one in by_source(seen).items() if key[0] != EARLIER}
    again = {}
    if lifted is not None:
        again = by_source(profile(con, load(con, [lifted], RAW, "posology_again")))
    return added(before, told, again)


def _by_rule(repairs: Counter[tuple[str, str]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for (_, rule), rows in repairs.items():
        total[rule] += rows
    return dict(total)


def _touched(con: Any, raw: ir.Table, number: int) -> set[int]:
    """Shards that any new event belongs to; a row without a subject counts for none."""
    shard = raw.filter(raw.subject_id.notnull()).select(shard=shard_of(raw.subject_id, number))
    return set(con.to_pyarrow(shard.distinct())["shard"].to_pylist())


def _link_untouched(out: Path, fresh: Path, touched: set[int]) -> None:
    for path in sorted((out / "data").glob("*.parquet")):
        if int(path.stem) in touched:
            continue
        try:
            os.link(path, fresh / "data" / path.name)
        except OSError:  # another file system, or one without links
            shutil.copy2(path, fresh / "data" / path.name)
    if not any((fresh / "data").iterdir()):  # all was refused: still a MEDS folder
        pq.write_table(EVENTS.empty_table(), fresh / "data" / "0.parquet")


def _metadata(
    out: Path, fresh: Path, staged: list[tuple[str, Staged]], codes: set[str], name: str
) -> None:
    meaning: dict[str, str | None] = {**meds_folder.read_codes(out)}
    for code in codes:
        meaning.setdefault(code, None)
    for _, one in staged:
        meaning.update({c: text for c, text in one.meanings.items() if c in meaning})
    meds_folder.write_metadata(fresh, meaning, name)


def _splits(out: Path, fresh: Path, staged: list[tuple[str, Staged]]) -> None:
    """The split file that the folder or a source has; a subject never moves to another split."""
    splits = dict(meds_folder.read_splits(out) or {})
    for name, one in staged:
        for subject, split in one.splits.items():
            if splits.setdefault(subject, split) != split:
                raise RecordError(
                    f"{name}: subject {subject} is in split {split}, but {splits[subject]} in "
                    f"what was ingested before; remove it from one {meds.subject_splits_filepath}"
                )
    if splits:
        meds_folder.write_splits(fresh, splits)


def _told(manifest: dict[str, Any], new: dict[Source, str | None], result: Ingested) -> None:
    """Add what this ingest did to the manifest; a database stands in it once."""
    names = {source.name for source, digest in new.items() if digest is None}
    kept = [e for e in manifest["sources"] if e["digest"] is not None or e["name"] not in names]
    manifest["sources"] = kept + [
        {"name": source.name, "digest": digest, "rows": result.sources[source.name]}
        for source, digest in new.items()
    ]
    manifest["repairs"] = dict(Counter(manifest["repairs"]) + Counter(result.repairs))
    manifest["merged"] += result.merged
    manifest["last"] = asdict(result)


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
    """A MEDS folder with its split file, or one Parquet file of events in any order."""
    files = tuple(meds_folder.data_files(path)) if path.is_dir() else (path,)
    split_file = path / meds.subject_splits_filepath
    beside = (split_file,) if path.is_dir() and split_file.exists() else ()

    def stage(con: Any, folder: Path) -> Staged:
        rows = sum(meds_folder.open_events(file).metadata.num_rows for file in files)
        splits = (meds_folder.read_splits(path) or {}) if beside else {}
        if con.name == "duckdb":
            return Staged(files, rows=rows, splits=splits)
        staged = []
        for number, file in enumerate(files):
            staged.append(folder / f"{number}.parquet")
            _number_rows(file, staged[-1])
        return Staged(tuple(staged), rows=rows, splits=splits)

    return Source(str(path), (*files, *beside), stage)


def _number_rows(file: Path, out: Path) -> None:
    start = 1
    with pq.ParquetWriter(out, RAW) as writer:
        for batch in meds_folder.open_events(file).iter_batches():
            table = meds_folder.in_schema(pa.Table.from_batches([batch]))
            table = table.append_column("source", pa.array([str(file)] * len(table)))
            table = table.append_column("row", pa.array(range(start, start + len(table))))
            writer.write_table(table.cast(RAW))
            start += len(table)
