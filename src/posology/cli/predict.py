"""`posology predict`: future diagnoses, values and times to events."""

from pathlib import Path
from typing import Annotated

import typer

from posology.cli.options import ModelFolder, writable_file


def predict(
    model: ModelFolder,
    patient: Annotated[
        Path,
        typer.Argument(
            help="A form from `posology template`, one patient's FHIR Bundle or MEDS Parquet, or "
            "a cohort's folder."
        ),
    ],
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json",
            help="Write the predictions to this file, one line a decision.",
            callback=writable_file,
        ),
    ] = None,
    split: Annotated[
        str, typer.Option(help="Of a cohort: train, validation, test or all.")
    ] = "test",
) -> None:
    """Predict each diagnosis, each value, and the risk of each event over time.

    For one patient now, or for every decision of a cohort built for the policy's study.
    """
    from posology.cli.progress import CONSOLE, show_progress
    from posology.workflows.predict import predict as run

    with show_progress("predict") as progress:
        result = run(model, patient, split, json_file, progress)
    CONSOLE.print(result)
