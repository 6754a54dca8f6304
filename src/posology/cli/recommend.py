"""`posology recommend`: advice for one patient."""

import json
from pathlib import Path
from typing import Annotated

import typer

from posology.cli.options import ModelFolder


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
        Path | None, typer.Option("--json", help="Write the recommendation to this JSON file.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write the page that a clinician reads to this HTML file.")
    ] = None,
) -> None:
    """Advise on one patient: options with benefit and harms, dose, reasons, and what is missing."""
    from posology.cli.progress import CONSOLE
    from posology.workflows.recommend import recommend as run

    result = run(model, patient, at)
    CONSOLE.print(result)
    if json_file is not None:
        json_file.write_text(json.dumps(result.to_json(), indent=2) + "\n", encoding="utf-8")
    if html is not None:
        result.report(html)
        CONSOLE.print(f"Page: [bold]{html}[/]")
