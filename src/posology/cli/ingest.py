"""`posology ingest`: from any hospital's records to one folder of events."""

import json
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from posology.errors import RecordError

if TYPE_CHECKING:
    from posology.records.pipeline.ingest import Ingested, Settings, Source

Paths = list[Path] | None
SHOWN_REASONS = 5
"""Reasons that the screen tells; refused.parquet tells all (own choice)."""


def ingest(
    out: Annotated[Path, typer.Option(help="The MEDS folder to make or to add to.")],
    meds: Annotated[Paths, typer.Option(help="A MEDS folder or Parquet file of events.")] = None,
    omop: Annotated[
        list[str] | None, typer.Option(help="An OMOP CDM: folder, zip, or postgresql:// URL.")
    ] = None,
    table: Annotated[
        Paths, typer.Option(help="A mapping file (TOML) of CSV, Parquet or database tables.")
    ] = None,
    fhir: Annotated[
        Paths, typer.Option(help="FHIR R4: NDJSON or Bundles, files or folders.")
    ] = None,
    vcf: Annotated[
        Paths, typer.Option(help="VCF files, plain or gzipped; tables of diplotypes.")
    ] = None,
    questionnaire: Annotated[
        Paths,
        typer.Option(help="A settings file (TOML), then tables of forms; or FHIR forms alone."),
    ] = None,
    wearable: Annotated[
        Paths, typer.Option(help="A mapping file (TOML) of wearables, then their recordings.")
    ] = None,
    dicom: Annotated[
        Paths, typer.Option(help="DICOM files or folders; vectors as npz or Parquet.")
    ] = None,
    environment: Annotated[
        Paths, typer.Option(help="A mapping file (TOML) of exposures, then residence tables.")
    ] = None,
    codebook: Annotated[
        Path | None, typer.Option(help="Units and plausible limits of your own codes (TOML).")
    ] = None,
    engine: Annotated[str, typer.Option(help="duckdb, spark, or postgresql://user@host/name.")] = (
        "duckdb"
    ),
    memory: Annotated[str, typer.Option(help="What the engine may hold, such as 2GB.")] = "2GB",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List what would be read, and read nothing.")
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write what was read and refused as rows of JSON.")
    ] = None,
) -> None:
    """Read records from any sources into one MEDS folder, cleaned, nothing lost in silence.

    Such as: posology ingest --out events --omop cdm/ --table labs.toml --vcf genomes/

    Each source option may be repeated, and later runs add to the folder. Sources that it already
    holds, by their content, are skipped. What was refused is in refused.parquet, the quality report
    in quality.html and quality.json. docs/records.md tells what each source needs.
    """
    from posology.cli.measures import write_measures
    from posology.records.pipeline.ingest import ingest as run

    by_reader = {
        "fhir": fhir,
        "vcf": vcf,
        "questionnaire": questionnaire,
        "wearable": wearable,
        "dicom": dicom,
        "environment": environment,
    }
    sources = _sources(meds or [], omop or [], table or [], by_reader)
    if not sources:
        raise RecordError("nothing to ingest: name a source, such as --omop FOLDER")
    for source in sources:
        for path in source.files:
            if not path.exists():
                raise RecordError(f"{path}: there is no such file or folder")
    if dry_run:
        for source in sources:
            typer.echo(f"{source.name}: {len(source.files)} files")
        return
    began = time.perf_counter()
    with _progress(quiet=not sys.stderr.isatty()) as settings_of:
        result = run(sources, out, settings_of(engine, memory, codebook))
    if json_file is not None:
        report = out / "quality.json"
        refused = json.loads(report.read_text("utf-8"))["refused"] if result.sources else []
        write_measures(json_file, _rows(result, refused), began)
    typer.echo(_sentences(result, out))


def _sources(
    meds: list[Path], omop: list[str], table: list[Path], by_reader: dict[str, Paths]
) -> "list[Source]":
    from posology.records.pipeline.ingest import meds_source
    from posology.records.sources.omop.reader import omop_source
    from posology.records.sources.registry import reader_source
    from posology.records.sources.tables import table_sources

    return [
        *[meds_source(path) for path in meds],
        *[omop_source(place) for place in omop],
        *[source for path in table for source in table_sources(path)],
        *[reader_source(kind, paths) for kind, paths in by_reader.items() if paths],
    ]


@contextmanager
def _progress(quiet: bool) -> "Generator":
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

    from posology.records.io.engine import Engine
    from posology.records.pipeline.cleaning import Cleaning
    from posology.records.pipeline.ingest import Settings

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TextColumn("{task.completed:,.0f} rows"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), disable=quiet) as bar:
        tasks: dict[str, TaskID] = {}

        def told(what: str, rows: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=None)
            bar.advance(tasks[what], rows)

        def settings_of(engine: str, memory: str, codebook: Path | None) -> "Settings":
            return Settings(
                engine=Engine(engine, memory), cleaning=Cleaning(codebook), progress=told
            )

        yield settings_of


def _rows(result: "Ingested", refused: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """This run's counts; of the refused rows, all that the folder now has, by source and reason."""
    counts = [("read", name, rows, {}) for name, rows in result.sources.items()]
    counts += [("skipped", name, 1, {}) for name in result.skipped]
    for metric in ("raw", "held", "events", "merged", "unreadable"):
        counts.append((metric, "all", getattr(result, metric), {}))
    counts += [("repaired", "all", n, {"rule": rule}) for rule, n in result.repairs.items()]
    for row in refused:
        why = {key: row[key] for key in ("rule", "reason", "field")}
        counts.append(("refused", row["source"], row["rows"], why))
    return [
        {"study": "ingest", "model": "posology", "split": split, "metric": metric, "value": value,
         "low": None, "high": None, "n": None, **more}
        for metric, split, value, more in counts
    ]  # fmt: skip


def _sentences(result: "Ingested", out: Path) -> str:
    lines = [f"{name}: {rows:,} rows" for name, rows in result.sources.items()]
    lines += [f"{name}: ingested before, skipped" for name in result.skipped]
    if not result.sources:
        return "\n".join([*lines, f"{out} is as it was"])
    lines.append(
        f"{result.raw + result.held:,} raw events = {result.events:,} events "
        f"+ {sum(result.refused.values()):,} refused + {result.merged:,} exact duplicates merged"
    )
    lines += [f"  refused, {rule}: {rows:,}" for rule, rows in result.refused.items()]
    if result.unreadable:
        lines.append(f"  rows that gave no event: {result.unreadable:,}")
        told = list(result.reasons.items())
        lines += [f"    {reason}: {rows:,}" for reason, rows in told[:SHOWN_REASONS]]
        if len(told) > SHOWN_REASONS:
            lines.append(f"    and {len(told) - SHOWN_REASONS} reasons more, in refused.parquet")
    lines.append(f"{out} is ready; see {out / 'quality.html'}")
    return "\n".join(lines)
