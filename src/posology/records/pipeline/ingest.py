"""Ingest sources into a MEDS folder: stage, clean, sort, and replace the old folder in one step.

The old folder stays unchanged until the new one is complete. Sources that were ingested before are
recognised by their content and skipped; shards without new events are linked, not read.
"""

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb
import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq

from posology.errors import PosologyError
from posology.records import meds_dataset
from posology.records.io.atomic_replace import atomic_replace
from posology.records.io.checksums import write_checksums
from posology.records.io.engine import (
    Engine,
    check_readable,
    connect,
    load_parquet,
    materialize,
)
from posology.records.io.image_store import place_images
from posology.records.io.memory import memory_limit, parse_size
from posology.records.pipeline.cleaning import (
    births_and_deaths,
    clean_events,
    plan_cleaning,
    profile_codes,
)
from posology.records.pipeline.cleaning_rules import CleaningSettings
from posology.records.pipeline.manifest import (
    add_counts,
    count_by_source,
    read_manifest,
    write_manifest,
)
from posology.records.pipeline.quality import write_report
from posology.records.pipeline.rejected_rows import (
    EarlierRejections,
    merge_rejected,
    reopen_rejected,
)
from posology.records.pipeline.sort_shards import sort_rows, write_sorted
from posology.records.pipeline.staging import Source, StagedSource, content_digest
from posology.records.pipeline.subject_splits import write_splits
from posology.records.pipeline.units import normalise_code
from posology.records.pipeline.write_shards import shard_expression
from posology.records.schema import EVENTS, RAW

EARLIER = "an earlier ingest"
"""Source of events that the folder had already, if a later record causes their rejection."""
SHARD_ROWS = 50_000_000
"""Rows in a shard at the first ingest (own choice: one is sorted in a minute and 2 GB)."""


@dataclass(frozen=True, slots=True)
class IngestSettings:
    """How to ingest."""

    engine: Engine = field(default_factory=Engine)
    cleaning: CleaningSettings = field(default_factory=CleaningSettings)
    shards: int | None = None
    """Number of data files of a new folder; by default one for each 50 million events."""
    splits: tuple[float, float, float] | None = None
    """Shares of train, validation and test, to draw splits of subjects without one."""
    name: str = "posology"
    """The data set's name, for its metadata."""
    report: bool = True
    """Whether the quality report is written with the events."""
    progress: Callable[[str, int], None] = lambda _stage, _rows: None
    """Called with a stage's name and the number of rows it has processed since the last call."""


@dataclass(frozen=True, slots=True)
class IngestCounts:
    """Counts of an ingest. `raw + held = events + rejected + merged` is checked before it ends."""

    sources: dict[str, int]
    """Rows read from each new source."""
    skipped: tuple[str, ...]
    """Sources ingested before, with the same content and settings."""
    raw: int
    """Raw events of the new sources."""
    unreadable: int
    """Rows of the new sources that gave no event."""
    reasons: dict[str, int]
    """Number of unreadable rows by reason, the most frequent first."""
    held: int
    """Events and rejected events of the folder that were cleaned again."""
    events: int
    """Events in the shards that were written."""
    rejected: dict[str, int]
    """Rejected events by rule."""
    merged: int
    """Exact duplicates that were merged."""
    repairs: dict[str, int]
    """Repaired rows by rule."""


@dataclass(frozen=True, slots=True)
class _Run:
    """One ingest: its new sources, the folders, and the manifest that it updates."""

    con: Any
    """The engine's connection."""
    digests: dict[Source, str | None]
    """The new sources and the digests of their content."""
    folder: Path
    """The folder as it was."""
    new_folder: Path
    manifest: dict[str, Any]
    settings: IngestSettings
    unchanged: dict[str, str] = field(default_factory=dict)
    """Checksums of the shards and images that are linked into the new folder."""

    @property
    def scratch(self) -> Path:
        """Folder for intermediate files."""
        return self.new_folder / "scratch"

    @property
    def reread(self) -> frozenset[str]:
        """Sources that are read whole each time."""
        return frozenset(source.name for source, digest in self.digests.items() if digest is None)


def ingest(
    sources: Iterable[Source], folder: Path, settings: IngestSettings = IngestSettings()
) -> IngestCounts:
    """Add the sources to a MEDS folder, which is created if it does not exist."""
    limit = parse_size(settings.engine.memory)
    with atomic_replace(folder) as new_folder, memory_limit(limit):
        manifest = read_manifest(folder)
        known = {entry["digest"] for entry in manifest["sources"]}
        digests = {source: content_digest(source) for source in sources}
        new = {s: d for s, d in digests.items() if d is None or d not in known}
        skipped = tuple(source.name for source in digests if source not in new)
        if not new:
            return IngestCounts({}, skipped, 0, 0, {}, 0, 0, {}, 0, {})
        scratch = new_folder / "scratch"
        scratch.mkdir()
        engine = settings.engine
        con = connect(replace(engine, spill=engine.spill or scratch / "spill"))
        try:
            run = _Run(con, new, folder, new_folder, manifest, settings)
            staged = _stage(run)
            try:
                result = replace(_build(run, staged), skipped=skipped)
            except duckdb.Error:
                check_readable(path for _, source in staged for path in source.events)
                raise
        finally:
            con.disconnect()
        shutil.rmtree(scratch)
        _update_manifest(run, result, [source for _, source in staged])
        if settings.report:
            write_report(new_folder, manifest, folder.name)
        write_manifest(new_folder, manifest)
        write_checksums(new_folder, run.unchanged)
        return result


def _stage(run: _Run) -> list[tuple[str, StagedSource]]:
    """The name of each new source, and the source staged."""
    staged = []
    for number, source in enumerate(run.digests):
        folder = run.scratch / str(number)
        folder.mkdir()
        staged.append((source.name, source.stage(run.con, folder)))
        run.settings.progress(source.name, staged[-1][1].rows)
    return staged


def _build(run: _Run, staged: list[tuple[str, StagedSource]]) -> IngestCounts:
    """Clean and sort the staged events, with the events of changed shards, into the new folder."""
    con, manifest, settings = run.con, run.manifest, run.settings
    files = [path for _, source in staged for path in source.events]
    raw = load_parquet(con, files, RAW, "posology_new")
    count = int(con.to_pyarrow(raw.count()).as_py())
    shards = manifest["shards"] or settings.shards or max(1, -(-count // SHARD_ROWS))
    changed = _changed_shards(con, raw, shards) if manifest["shards"] else set()
    earlier = EarlierRejections(frozenset(changed), shards, run.reread)
    reopened, held = reopen_rejected(run.folder, earlier, run.scratch), 0
    for table in _held_events(run, changed, reopened):
        held += int(con.to_pyarrow(table.count()).as_py())
        raw = raw.union(table)
    profile = profile_codes(con, raw)
    plan = plan_cleaning(con, profile, settings.cleaning)
    lifespans = births_and_deaths(raw, plan, settings.cleaning)
    if lifespans is not None:
        lifespans = materialize(con, lifespans, "posology_lifespans")
    rows = clean_events(raw, plan, lifespans, settings.cleaning)
    written = write_sorted(
        con,
        sort_rows(rows, shards),
        plan,
        run.new_folder,
        lambda n: settings.progress("clean and sort", n),
    )
    rejected = sum(written.rejected.values())
    if count + held != written.events + rejected + written.merged:
        raise PosologyError(
            f"rows were lost: {count} new and {held} held, but {written.events} events, "
            f"{rejected} rejected and {written.merged} merged; please report this"
        )
    unreadable = [path for _, source in staged for path in source.rejected]
    reasons = merge_rejected(run.folder, run.new_folder, unreadable, earlier)
    _link_unchanged(run, changed)
    images = [path for _, source in staged for path in source.images]
    sums = meds_dataset.verify_folder(run.folder, ())
    run.unchanged.update(place_images(run.folder, run.new_folder, images, sums))
    _write_metadata(run, staged, written.codes)
    splits = [(name, source.splits) for name, source in staged]
    write_splits((run.folder, run.new_folder), splits, settings.splits)
    manifest["shards"] = shards
    manifest["source_counts"] = _source_counts(run, profile, reopened)
    return IngestCounts(
        sources={name: source.rows for name, source in staged},
        skipped=(),
        raw=count,
        unreadable=sum(reasons.values()),
        reasons=reasons,
        held=held,
        events=written.events,
        rejected=written.rejected,
        merged=written.merged,
        repairs=_sum_by_rule(plan.repairs),
    )


def _held_events(run: _Run, changed: set[int], reopened: Path | None) -> Iterator[ir.Table]:
    """Events of the changed shards, and rejected events that are cleaned again."""
    paths = [run.folder / "data" / f"{shard}.parquet" for shard in sorted(changed)]
    existing = [path for path in paths if path.exists()]
    meds_dataset.verify_folder(run.folder, [f"data/{path.name}" for path in existing])
    if existing:
        events = load_parquet(run.con, existing, RAW, "posology_held")
        yield events.mutate(source=ibis.literal(EARLIER), row=ibis.null("int64"))
    if reopened is not None:
        yield load_parquet(run.con, [reopened], RAW, "posology_reopened")


def _source_counts(run: _Run, profile: pa.Table, reopened: Path | None) -> list[dict[str, Any]]:
    """Counts of each source so far; rows that are cleaned again are not counted twice."""
    before = [
        row
        for row in run.manifest["source_counts"]
        if row["source"].split("#")[0] not in run.reread
    ]
    new = {key: count for key, count in count_by_source(profile).items() if key[0] != EARLIER}
    counted_before = {}
    if reopened is not None:
        table = load_parquet(run.con, [reopened], RAW, "posology_counted")
        counted_before = count_by_source(profile_codes(run.con, table))
    return add_counts(before, new, counted_before)


def _sum_by_rule(repairs: Counter[tuple[str, str]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for (_, rule), rows in repairs.items():
        total[rule] += rows
    return dict(total)


def _changed_shards(con: Any, raw: ir.Table, shards: int) -> set[int]:
    """Shards that a new event belongs to; a row without a subject belongs to none."""
    named = raw.filter(raw.subject_id.notnull())
    shard = named.select(shard=shard_expression(named.subject_id, shards))
    return set(con.to_pyarrow(shard.distinct())["shard"].to_pylist())


def _link_unchanged(run: _Run, changed: set[int]) -> None:
    """Link the shards without new events into the new folder."""
    data = run.new_folder / "data"
    sums = meds_dataset.verify_folder(run.folder, ())
    for path in sorted((run.folder / "data").glob("*.parquet")):
        if int(path.stem) in changed:
            continue
        run.unchanged[f"data/{path.name}"] = sums.get(f"data/{path.name}", "")
        try:
            os.link(path, data / path.name)
        except OSError:  # another file system, or one without links
            shutil.copy2(path, data / path.name)
    if not any(data.iterdir()):  # every row was rejected: still a MEDS folder
        pq.write_table(EVENTS.empty_table(), data / "0.parquet")


def _write_metadata(run: _Run, staged: list[tuple[str, StagedSource]], codes: set[str]) -> None:
    meanings: dict[str, str | None] = {**meds_dataset.read_codes(run.folder)}
    parents: dict[str, Sequence[str]] = {**meds_dataset.read_parent_codes(run.folder)}
    for code in codes:
        meanings.setdefault(code, None)
    for _, source in staged:
        for code, text in source.meanings.items():
            if normalise_code(code) in meanings:
                meanings[normalise_code(code)] = text
        for code, names in source.parents.items():
            if normalise_code(code) in meanings:
                parents[normalise_code(code)] = names
    meds_dataset.write_metadata(run.new_folder, meanings, run.settings.name, parents)


def _update_manifest(run: _Run, result: IngestCounts, staged: Iterable[StagedSource]) -> None:
    """Add this ingest to the manifest; a database is listed once."""
    manifest = run.manifest
    previous = [
        entry
        for entry in manifest["sources"]
        if entry["digest"] is not None or entry["name"] not in run.reread
    ]
    manifest["sources"] = previous + [
        {"name": source.name, "digest": digest, "rows": result.sources[source.name]}
        | ({"models": dict(found.models)} if found.models else {})
        | ({"strays": list(found.strays)} if found.strays else {})
        for (source, digest), found in zip(run.digests.items(), staged, strict=True)
    ]
    manifest["repairs"] = dict(Counter(manifest["repairs"]) + Counter(result.repairs))
    manifest["merged"] += result.merged
    manifest["last"] = asdict(result)
