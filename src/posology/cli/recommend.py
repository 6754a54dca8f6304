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
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the recommendation to this JSON file.")
    ] = None,
) -> None:
    """Rank the options for one patient, with probabilities, the dose, reasons and unknowns."""
    from posology.cli.progress import CONSOLE
    from posology.workflows.recommend import recommend as run

    result = run(model, patient)
    CONSOLE.print(result)
    if json_file is not None:
        json_file.write_text(json.dumps(result.to_json(), indent=2) + "\n", encoding="utf-8")
