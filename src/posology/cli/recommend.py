"""`posology recommend`: advice for one patient."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from posology.cli.options import ModelFolder, writable_file
from posology.records.io.drafts import write_whole

if TYPE_CHECKING:
    from posology.workflows.pharmacogenomics.advice import PgxOptions


def recommend(
    model: ModelFolder,
    patient: Annotated[
        Path,
        typer.Option(
            help="A form from `posology template`; or one patient's FHIR Bundle or MEDS Parquet."
        ),
    ],
    at: Annotated[
        str | None,
        typer.Option(
            help="Date of the decision, such as 2026-11-27: nothing after it is visible. By "
            "default that of the form, or the last event of records."
        ),
    ] = None,
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json", help="Write the recommendation to this JSON file.", callback=writable_file
        ),
    ] = None,
    pgx_tables: Annotated[
        Path | None,
        typer.Option(
            help="Folder of pharmacogenomic tables, in PharmCAT's and CPIC's layout; by default "
            "that of the study file."
        ),
    ] = None,
    pgx_calls: Annotated[
        Path | None,
        typer.Option(
            help="A laboratory's results: tab-separated gene, diplotype, phenotype, activity score."
        ),
    ] = None,
    pgx_population: Annotated[
        str, typer.Option(help="For whom, as the guidelines name it, such as 'CVI ACS PCI'.")
    ] = "",
    html: Annotated[
        Path | None,
        typer.Option(
            help="Write the page that a clinician reads to this HTML file.", callback=writable_file
        ),
    ] = None,
    language: Annotated[
        str,
        typer.Option(
            help="Language of the answer: en or de. Names of options and facts stay as the study "
            "has them."
        ),
    ] = "en",
) -> None:
    """Advise on one patient: options with benefit and harms, dose, reasons, and what is missing."""
    from posology.cli.progress import CONSOLE
    from posology.language.catalogue import in_language
    from posology.workflows.recommend import recommend as run

    with in_language(language):
        result = run(model, patient, at, _pgx(pgx_tables, pgx_calls, pgx_population))
    CONSOLE.print(result)
    if json_file is not None:
        write_whole(json_file, json.dumps(result.to_json(), indent=2) + "\n")
    if html is not None:
        result.report(html)
        CONSOLE.print(f"Page: {html}")


def _pgx(tables: Path | None, calls: Path | None, population: str) -> "PgxOptions | None":
    from posology.workflows.pharmacogenomics.advice import PgxOptions

    if tables is None and calls is None and not population:
        return None
    return PgxOptions(tables, calls, population)
