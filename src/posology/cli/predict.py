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
    plan: Annotated[
        Path | None,
        typer.Option(
            help="A file of planned treatments: print the value after each step of each plan, of a "
            "model fitted with --plans. --write-plan writes one to edit."
        ),
    ] = None,
    write_plan: Annotated[
        Path | None,
        typer.Option(help="Write a file of plans for this patient: continue, stop, switch."),
    ] = None,
) -> None:
    """Predict each diagnosis, each value, and the risk of each event over time.

    For one patient now, or for every decision of a cohort built for the policy's study. With
    --plan: a value of one patient under planned treatments.
    """
    from posology.cli.progress import CONSOLE, show_progress
    from posology.workflows.predict import predict as run

    if plan is not None or write_plan is not None:
        _compare(model, patient, plan, write_plan, json_file)
        return
    with show_progress("predict") as progress:
        result = run(model, patient, split, json_file, progress)
    CONSOLE.print(result)


def _compare(
    model: Path, patient: Path, plan: Path | None, write_plan: Path | None, json_file: Path | None
) -> None:
    from posology.cli.progress import CONSOLE
    from posology.workflows.plans.compare import compare_plans, write_comparison
    from posology.workflows.plans.compare import write_plan_template as write

    if write_plan is not None:
        written = write(model, patient, write_plan)
        names = ", ".join(each.name for each in written.plans)
        CONSOLE.print(f"Plans written to {write_plan}: {names}", highlight=False)
        for remark in written.remarks:
            CONSOLE.print(remark, highlight=False)
    if plan is not None:
        result = compare_plans(model, patient, plan)
        if json_file is not None:
            write_comparison(result, json_file)
        CONSOLE.print(result)
