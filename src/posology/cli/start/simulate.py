"""`posology simulate`: patients whose best treatment is known."""

import json
from pathlib import Path
from typing import Annotated

import typer

from posology.cli.options import JsonFile, Seed, writable_folder
from posology.records.io.drafts import write_whole


def simulate(
    which: Annotated[str, typer.Argument(help="What to simulate: clinic.")],
    out: Annotated[
        Path,
        typer.Option(
            help="A new folder for the records and, separately, the truth.",
            callback=writable_folder,
        ),
    ],
    patients: Annotated[int, typer.Option(help="Number of patients.")] = 10_000,
    seed: Seed = 0,
    formats: Annotated[
        str,
        typer.Option(
            help="Formats of the records, separated by commas: meds, omop, fhir, vcf, "
            "questionnaires, wearables."
        ),
    ] = "meds",
    history_effect: Annotated[
        float, typer.Option(help="Scale of the lasting personal response; 0 switches it off.")
    ] = 1.0,
    confounding: Annotated[
        float,
        typer.Option(help="How much clinicians choose by the patient; 0 as in a randomised trial."),
    ] = 1.0,
    chunk: Annotated[int, typer.Option(help="Patients in memory at once.")] = 10_000,
    json_file: JsonFile = None,
) -> None:
    """Simulate a clinic: its records in hospital formats and, separately, the truth."""
    from rich.console import Console

    from posology.cli.progress import show_progress
    from posology.errors import UserError
    from posology.simulators.clinic.settings import ClinicSettings
    from posology.workflows.simulate import simulate as run

    if which != "clinic":
        raise UserError(f"simulate {which}: only 'clinic' can be simulated to a folder")
    settings = ClinicSettings(
        patients=patients,
        seed=seed,
        history_effect=history_effect,
        confounding=confounding,
        chunk=chunk,
    )
    names = tuple(name.strip() for name in formats.split(",") if name.strip())
    with show_progress("simulate") as progress:
        result = run(out, settings, names, progress)
    Console(stderr=True, markup=False).print(result, highlight=False)
    if json_file is not None:
        meta = {
            "command": "simulate clinic",
            "patients": patients,
            "seed": seed,
            "formats": names,
            "history_effect": history_effect,
            "confounding": confounding,
            "seconds": result.seconds,
            "peak_gib": result.peak_gib,
        }
        body = json.dumps({"meta": meta, "rows": result.rows}, indent=1)
        write_whole(json_file, body + "\n")
