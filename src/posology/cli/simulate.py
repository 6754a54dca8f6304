"""`posology simulate`: patients whose best treatment is known."""

import json
import resource
import time
from pathlib import Path
from typing import Annotated

import typer


def simulate(
    which: Annotated[str, typer.Argument(help="What to simulate: clinic.")],
    out: Annotated[Path, typer.Option(help="New folder for the records and, apart, the truth.")],
    patients: Annotated[int, typer.Option(help="How many patients.")] = 10_000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same patients.")] = 0,
    formats: Annotated[
        str, typer.Option(help="Comma-separated: meds,omop,fhir,vcf,questionnaires,wearables.")
    ] = "meds",
    history_effect: Annotated[
        float, typer.Option(help="Scale of the lasting personal response; 0 switches it off.")
    ] = 1.0,
    confounding: Annotated[
        float, typer.Option(help="How much clinicians choose by the patient; 0 as in a trial.")
    ] = 1.0,
    chunk: Annotated[int, typer.Option(help="Patients in memory at once.")] = 10_000,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the summary as rows of JSON.")
    ] = None,
) -> None:
    """Simulate a virtual clinic: its records in hospital formats, and apart from them the truth."""
    from rich.console import Console
    from rich.progress import Progress

    from posology.errors import UserError
    from posology.simulators.clinic.files.dataset import write_clinic
    from posology.simulators.clinic.settings import ClinicSettings
    from posology.simulators.clinic.summary import Summary

    if which != "clinic":
        raise UserError(f"simulate {which}: only 'clinic' can be simulated to a folder")
    settings = ClinicSettings(
        patients=patients, seed=seed, history_effect=history_effect, confounding=confounding,
        chunk=chunk,
    )  # fmt: skip
    wanted = tuple(name.strip() for name in formats.split(",") if name.strip())
    began, summary, console = time.perf_counter(), Summary(), Console(stderr=True)
    with Progress(console=console) as progress:
        task = progress.add_task("patients", total=patients)
        for course in write_clinic(settings, out, wanted):
            summary.add(course)
            progress.advance(task, len(course.patients.subject_id))
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # kB on Linux
    rows = summary.rows()
    console.print(f"{patients:,} patients in {seconds:.1f} s, at most {peak:.2f} GiB: {out}")
    for row in rows:
        if str(row["metric"]).startswith(("events", "decisions", "effective.", "regret.")):
            console.print(f"  {row['metric']:32} {row['value']:.3f}")
    if json_file is not None:
        meta = {"command": "simulate clinic", "patients": patients, "seed": seed,
                "formats": wanted, "history_effect": history_effect, "confounding": confounding,
                "seconds": seconds, "peak_gib": peak}  # fmt: skip
        json_file.write_text(json.dumps({"meta": meta, "rows": rows}, indent=1) + "\n")
