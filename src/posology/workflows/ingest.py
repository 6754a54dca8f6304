"""Ingest records from any sources into one MEDS folder."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from posology.errors import RecordError
from posology.records.io.engine import Engine
from posology.records.io.memory import format_size, peak_memory
from posology.records.io.remote import changed_folder, is_url
from posology.records.io.text_lines import line_limit
from posology.records.pipeline import ingest as pipeline
from posology.records.pipeline.cleaning_rules import CleaningSettings
from posology.records.pipeline.losses import describe_loss
from posology.records.pipeline.staging import Source
from posology.records.pipeline.subject_splits import parse_shares
from posology.records.sources.registry import SOURCE_KINDS, make_sources
from posology.records.sources.tables.preview import preview_mapping
from posology.workflows.progress import Progress, no_progress
from posology.workflows.results import Row, render_text, rows_to_table

Places = str | Path | Sequence[str | Path]
"""One path or several; for `omop`, also a postgresql:// URL."""
MERGED_SHARE = 1 / 3
"""Share of events that are exact duplicates from which on the summary warns. Our choice."""
REASONS_SHOWN = 5
"""Reasons in the summary; rejected.parquet has all. Our choice."""

SOURCES_SHOWN = 10
"""Sources in the summary; --json has all. Our choice."""
LOSSES_SHOWN = 3
"""Sources in the summary's warning; quality.json has all. Our choice."""


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """How records are ingested."""

    engine: str = "duckdb"
    """duckdb, spark, or postgresql://user@host/name."""
    memory: str = "2GB"
    """The most that the engine, and what reads beside it, may use; the rest of the process needs
    about 0.3 GB more."""
    codebook: Path | None = None
    """Units and plausible limits of your own codes (TOML)."""
    free_text_codes: bool = False
    """Whether a text without a code becomes a code; it may name a person."""
    splits: str | None = None
    """Shares of train, validation and test, such as 0.8,0.1,0.1, for subjects without a split."""
    max_line: int = 32_000_000
    """Bytes of the longest line that is read; a document (a Bundle) may have 16 times as many."""


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What an ingest read, repaired and rejected."""

    counts: pipeline.IngestCounts
    folder: str | Path
    """A path or a URL."""
    rejected: tuple[dict[str, Any], ...]
    """All rejected rows of the folder so far, by source and reason."""
    losses: tuple[dict[str, Any], ...] = ()
    """Sources of this ingest that lost more than 5 % of their rows: source, lost and rows."""
    commas: tuple[str, ...] = ()
    """Codes of this ingest whose values are texts with a comma, such as 61,5, in sentences."""
    strays: tuple[str, ...] = ()
    """Columns of numbers in which a few cells are texts, and patients who are there twice because
    of leading zeros, in sentences."""
    peak_memory: int = 0
    """The most memory that this process has had so far, in bytes."""

    @property
    def rows(self) -> list[Row]:
        """Counts of this ingest; rejected rows of the whole folder, by source and reason."""
        c = self.counts
        counts: list[tuple[str, str, int, Row]]
        counts = [("read", name, rows, {}) for name, rows in c.sources.items()]
        counts += [("skipped", name, 1, {}) for name in c.skipped]
        for metric in ("raw", "held", "events", "merged", "unreadable"):
            counts.append((metric, "all", getattr(c, metric), {}))
        counts += [("repaired", "all", n, {"rule": rule}) for rule, n in c.repairs.items()]
        for row in self.rejected:
            reason = {key: row[key] for key in ("rule", "reason", "field")}
            counts.append(("rejected", row["source"], row["rows"], reason))
        counts.append(("peak_memory_bytes", "all", self.peak_memory, {}))
        for loss in self.losses:
            counts.append(("lost", loss["source"], loss["lost"], {"rows": loss["rows"]}))
        names = {"study": "ingest", "model": "posology"}
        interval = {"low": None, "high": None, "n": None}
        return [
            {**names, "split": split, "metric": metric, "value": value, **interval, **extra}
            for metric, split, value, extra in counts
        ]

    @property
    def warning(self) -> str:
        """The sources that lost many rows, the worst first, in one line."""
        shown = "; ".join(describe_loss(loss) for loss in self.losses[:LOSSES_SHOWN])
        more = len(self.losses) - LOSSES_SHOWN
        rest = f"; and {more} more {'source' if more == 1 else 'sources'}" if more > 0 else ""
        return f"Rows were lost: {shown}{rest}"

    def to_frame(self) -> pa.Table:
        """The rows as an Arrow table."""
        return rows_to_table(self.rows)

    def summary(self) -> str:
        """The sources, the balance of events, and the most frequent reasons for rejection."""
        c = self.counts
        lines = [self.warning] if self.losses else []
        if c.merged > MERGED_SHARE * (c.raw + c.held):
            lines.append(
                f"Check the mapping: {c.merged:,} of {c.raw + c.held:,} events are the same as "
                "another one (patient, time, code and number) and were merged. Either a table was "
                "given twice, or a column that tells them apart, such as the time, is not read."
            )
        for start, sentences in (("the mapping", self.commas), ("the data", self.strays)):
            lines += [f"Check {start}: {sentence}" for sentence in sentences[:LOSSES_SHOWN]]
            if len(sentences) > LOSSES_SHOWN:
                more = len(sentences) - LOSSES_SHOWN
                lines.append(f"and {more} more such codes; see quality.html")
        lines += [f"{name}: {rows:,} rows" for name, rows in [*c.sources.items()][:SOURCES_SHOWN]]
        if len(c.sources) > SOURCES_SHOWN:
            more = sum([*c.sources.values()][SOURCES_SHOWN:])
            others = len(c.sources) - SOURCES_SHOWN
            sources = "source" if others == 1 else "sources"
            lines.append(f"and {others:,} more {sources}: {more:,} rows")
        lines += [f"{name}: ingested before, skipped" for name in c.skipped]
        if not c.sources:
            return "\n".join([*lines, f"{self.folder} is unchanged"])
        lines.append(
            f"{c.raw + c.held:,} raw events = {c.events:,} events "
            f"+ {sum(c.rejected.values()):,} rejected + {c.merged:,} exact duplicates merged"
        )
        lines += [f"  rejected, {rule}: {rows:,}" for rule, rows in c.rejected.items()]
        if c.unreadable:
            lines.append(f"  rows without an event: {c.unreadable:,}")
            reasons = list(c.reasons.items())
            lines += [
                f"    {reason}: {rows:,}{self._first_place(reason)}"
                for reason, rows in reasons[:REASONS_SHOWN]
            ]
            if len(reasons) > REASONS_SHOWN:
                more = len(reasons) - REASONS_SHOWN
                lines.append(f"    and {more} more reasons, in rejected.parquet")
        lines.append(f"Peak memory: {format_size(self.peak_memory)}; --memory bounds it")
        lines.append(f"{self.folder} is ready; see {_in_folder(self.folder, 'quality.html')}")
        return "\n".join(lines)

    def _first_place(self, reason: str) -> str:
        """Where a row without an event was found for this reason."""
        for row in self.rejected:
            if row["rule"] == "unreadable" and row["reason"] == reason and row["first_row"]:
                field = f", {row['field']}" if row["field"] else ""
                return f" ({row['source']}, row {row['first_row']:,}{field})"
        return ""

    def __rich__(self) -> str:
        return render_text(self.summary())


def find_sources(places: Mapping[str, Places]) -> list[Source]:
    """The sources at the places of each kind; RecordError if one is missing or none is named."""
    kinds = [kind.name for kind in SOURCE_KINDS]
    unknown = sorted(set(places) - set(kinds))
    if unknown:
        raise RecordError(f"unknown kind of source {unknown[0]!r}; it is one of {', '.join(kinds)}")
    sources = []
    for kind in kinds:
        paths = _as_list(places.get(kind, ()))
        for path in paths:
            if is_url(path) and not (kind == "omop" and str(path).startswith("postgres")):
                raise RecordError(
                    f"--{kind} {path}: sources are read from a disk; mount the store, or copy "
                    "the files here. (--out may be a URL.)"
                )
        if paths:
            sources += make_sources(kind, paths)
    if not sources:
        raise RecordError("nothing to ingest: name a source, such as --omop FOLDER")
    for source in sources:
        for path in source.files:
            if not path.exists():
                raise RecordError(f"{path}: there is no such file or folder")
    return sources


def preview(sources: Mapping[str, Places]) -> Iterator[str]:
    """Lines on what would be read: each source with its files, some events of each mapping."""
    found = find_sources(sources)
    tables = [Path(path) for path in _as_list(sources.get("table", ()))]
    mapped = {source.name for source in make_sources("table", tables)} if tables else set()
    for source in found:
        if source.name not in mapped:
            count = len(source.files)
            yield f"{source.name}: {count} {'file' if count == 1 else 'files'}"
    for path in tables:
        yield from preview_mapping(path)


def ingest(
    sources: Mapping[str, Places],
    folder: str | Path,
    options: IngestOptions = IngestOptions(),
    progress: Progress = no_progress,
) -> IngestResult:
    """Add records to a MEDS folder, cleaned; each rejected row is listed with its reason.

    Args:
        sources: paths by kind, such as `{"omop": "cdm/", "vcf": ["genomes/"]}`.
        folder: the MEDS folder to make or to add to, a path or a URL such as s3://bucket/events.
        options: engine, memory, code book, and whether texts become codes.
        progress: called with each stage and the rows it has done.
    """
    rows_done: dict[str, int] = {}

    def report_rows(stage: str, rows: int) -> None:
        rows_done[stage] = rows_done.get(stage, 0) + rows
        progress(stage, rows_done[stage])

    settings = pipeline.IngestSettings(
        engine=Engine(options.engine, options.memory),
        cleaning=CleaningSettings(options.codebook, free_text_codes=options.free_text_codes),
        splits=None if options.splits is None else parse_shares(options.splits),
        progress=report_rows,
    )
    found = find_sources(sources)
    with changed_folder(folder) as out:
        before = _report(out)
        with line_limit(options.max_line):
            counts = pipeline.ingest(found, out, settings)
        report = _report(out)
    place = folder if is_url(folder) else Path(folder)
    if not counts.sources:
        return IngestResult(counts, place, (), peak_memory=peak_memory())
    if counts.raw == 0 or counts.events == 0:
        reason = next(iter({**counts.reasons, **counts.rejected}), "the sources have no rows")
        raise RecordError(
            f"no row of {', '.join(counts.sources)} became an event (most frequent reason: "
            f"{reason}); see {_in_folder(place, 'rejected.parquet')}"
        )
    losses = tuple(loss for loss in report["losses"] if loss not in before.get("losses", []))
    commas = tuple(text for text in report["commas"] if text not in before.get("commas", []))
    strays = tuple(
        text
        for part in ("twice", "strays")
        for text in report[part]
        if text not in before.get(part, [])
    )
    return IngestResult(
        counts, place, tuple(report["rejected"]), losses, commas, strays, peak_memory()
    )


def _in_folder(folder: str | Path, name: str) -> str:
    """The file of a folder that is a path or a URL."""
    return f"{str(folder).rstrip('/')}/{name}"


def _report(folder: Path) -> dict[str, Any]:
    """The folder's quality report; empty if it has none that can be read."""
    try:
        return json.loads((folder / "quality.json").read_text("utf-8"))
    except (OSError, ValueError):  # a damaged one is refused by its checksum
        return {}


def _as_list(places: Places) -> list[str | Path]:
    return [places] if isinstance(places, str | Path) else list(places)
