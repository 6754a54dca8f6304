"""`posology export`: a cohort as files for other libraries."""

from pathlib import Path
from typing import Annotated

import typer

from posology.cli.options import Events, StudyOrCohort, writable_file, writable_folder


def export(
    study: StudyOrCohort,
    events: Events = None,
    table: Annotated[
        Path | None,
        typer.Option(
            help="One row a decision, with what is known, the treatment and the outcome: a .csv "
            "or .parquet file.",
            callback=writable_file,
        ),
    ] = None,
    episodes: Annotated[
        Path | None,
        typer.Option(
            help="Observations, actions, rewards and ends, for d3rlpy and Minari: an .npz file.",
            callback=writable_file,
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            help="A new folder of MEDS label files, one a task, and the patients' splits.",
            callback=writable_folder,
        ),
    ] = None,
) -> None:
    """Write a cohort for other libraries: a table, episodes, MEDS labels.

    The files hold patients: keep them where the records may be. `posology evaluate --beside` takes
    predictions back.
    """
    from posology.cli.progress import CONSOLE, show_progress
    from posology.workflows.cohorts import read_cohort
    from posology.workflows.exchange.export import export as run

    with show_progress("export") as progress:
        progress("reading the cohort")
        cohort = read_cohort(study, events)
        progress(f"{len(cohort):,} decisions")
        result = run(cohort, table, episodes, labels)
    CONSOLE.print(result.summary(), highlight=False, markup=False, soft_wrap=True)
