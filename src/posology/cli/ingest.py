"""`posology ingest`: from the records of a hospital to one folder of events."""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from posology.cli.options import JsonFile

Paths = list[Path] | None


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
        Paths, typer.Option(help="DICOM files or folders; embeddings as npz or Parquet.")
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
    memory: Annotated[str, typer.Option(help="Memory limit of the engine, such as 2GB.")] = "2GB",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the sources without reading them.")
    ] = False,
    accept: Annotated[
        bool,
        typer.Option(
            "--accept", help="Exit with 0 although a source lost more than 5 % of its rows."
        ),
    ] = False,
    json_file: JsonFile = None,
) -> None:
    """Read records from any sources into one folder of clean MEDS events.

    For example: posology ingest --out events --omop cdm/ --table labs.toml --vcf genomes/

    Each source option may be repeated, and later runs add to the folder. Sources that the folder
    already contains, by their content, are skipped. Every rejected row is in rejected.parquet with
    its reason; the quality report is quality.html and quality.json. docs/records.md describes
    what each source needs.
    """
    from posology.cli.progress import show_stages
    from posology.workflows.ingest import find_sources
    from posology.workflows.ingest import ingest as run
    from posology.workflows.results import write_measurements

    started = time.perf_counter()
    sources = {
        "meds": meds or [],
        "omop": omop or [],
        "table": table or [],
        "fhir": fhir or [],
        "vcf": vcf or [],
        "questionnaire": questionnaire or [],
        "wearable": wearable or [],
        "dicom": dicom or [],
        "environment": environment or [],
    }
    if dry_run:
        for source in find_sources(sources):
            typer.echo(f"{source.name}: {len(source.files)} files")
        return
    with show_stages(is_quiet=not sys.stderr.isatty()) as progress:
        result = run(sources, out, engine, memory, codebook, progress)
    if json_file is not None:
        write_measurements(json_file, result.rows, started)
    typer.echo(result.summary())
    if result.losses and not accept:
        raise typer.Exit(3)
