"""`posology ingest`: from any hospital's records to one folder of events."""

import json
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from posology.errors import RecordError

if TYPE_CHECKING:
    from posology.records.ingest import Settings, Source

Paths = list[Path] | None


def ingest(
    out: Annotated[Path, typer.Option(help="The MEDS folder to make or to add to.")],
    meds: Annotated[Paths, typer.Option(help="A MEDS folder or Parquet file of events.")] = None,
    omop: Annotated[
        list[str] | None, typer.Option(help="An OMOP CDM: folder, zip, or postgresql:// URL.")
    ] = None,
    table: Annotated[Paths, typer.Option(help="A mapping file (TOML) of tables.")] = None,
    fhir: Annotated[
        Paths, typer.Option(help="FHIR R4: NDJSON or Bundles, files or folders.")
    ] = None,
    vcf: Annotated[Paths, typer.Option(help="VCF files, plain or gzipped.")] = None,
    questionnaire: Annotated[
        Paths, typer.Option(help="FHIR QuestionnaireResponses, files or folders.")
    ] = None,
    wearable: Annotated[
        Paths, typer.Option(help="A mapping file (TOML) of wearables, then their recordings.")
    ] = None,
    dicom: Annotated[Paths, typer.Option(help="DICOM files or folders.")] = None,
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
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Read records from any sources into one MEDS folder, cleaned, nothing lost in silence.

    Sources that the folder already holds, by their content, are skipped. What was refused is in
    refused.parquet, the quality report in quality.html and quality.json.
    """
    from posology.records.ingest import ingest as run

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
    if dry_run:
        for source in sources:
            typer.echo(f"{source.name}: {len(source.files)} files")
        return
    with _progress(quiet=as_json or not sys.stderr.isatty()) as settings_of:
        result = run(sources, out, settings_of(engine, memory, codebook))
    if result.sources:
        _write_report(out)
    told = asdict(result)
    typer.echo(json.dumps(told) if as_json else _sentences(told, out))


def _sources(
    meds: list[Path], omop: list[str], table: list[Path], by_reader: dict[str, Paths]
) -> "list[Source]":
    from posology.records.ingest import meds_source
    from posology.records.omop import omop_source
    from posology.records.readers import reader_source
    from posology.records.tables import table_sources

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

    from posology.records.cleaning import Cleaning
    from posology.records.engine import Engine
    from posology.records.ingest import Settings

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


def _write_report(out: Path) -> None:
    from posology.records.quality import quality, quality_page

    report = quality(out)
    (out / "quality.json").write_text(json.dumps(report, indent=1), "utf-8")
    (out / "quality.html").write_text(quality_page(report, out), "utf-8")


def _sentences(told: dict, out: Path) -> str:
    lines = [f"{name}: {rows:,} rows" for name, rows in told["sources"].items()]
    lines += [f"{name}: ingested before, skipped" for name in told["skipped"]]
    if not told["sources"]:
        return "\n".join([*lines, f"{out} is as it was"])
    refused = sum(told["refused"].values())
    lines.append(
        f"{told['raw'] + told['held']:,} raw events = {told['events']:,} events "
        f"+ {refused:,} refused + {told['merged']:,} exact duplicates merged"
    )
    lines += [f"  refused, {rule}: {rows:,}" for rule, rows in told["refused"].items()]
    if told["unreadable"]:
        lines.append(f"  rows that gave no event: {told['unreadable']:,}")
    lines.append(f"{out} is ready; see {out / 'quality.html'}")
    return "\n".join(lines)
