"""`posology tune`: search for a recipe on the validation split."""

import time
from pathlib import Path
from typing import Annotated

import typer

from posology.cli.options import Events, Seed, StudyOrCohort, writable_file, writable_inside


def tune(
    study: StudyOrCohort,
    events: Events = None,
    out: Annotated[
        Path,
        typer.Option(
            help="Folder of the search; an interrupted search continues from it.",
            callback=writable_inside,
        ),
    ] = Path("tuned"),
    trials: Annotated[
        int, typer.Option(min=2, help="Number of recipes to try, the default one first.")
    ] = 16,
    first_epochs: Annotated[
        int, typer.Option(min=1, help="Epochs of each recipe before the worse ones are stopped.")
    ] = 2,
    seed: Seed = 0,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", help="Write every trial to this JSON file.", callback=writable_file),
    ] = None,
) -> None:
    """Try recipes at random, stop the worse two thirds early, and write the best to a file.

    Recipes are fitted on the training split and compared on the validation split. The test split
    is not used, so no figure of the search measures how good the recipe is.
    """
    from posology.cli.progress import CONSOLE, show_progress, use_one_thread
    from posology.workflows.cohorts import read_cohort

    started = time.perf_counter()
    cohort = read_cohort(study, events)
    use_one_thread()
    # What takes seconds to import comes after what the user may have mistyped.
    from posology.learners.tune import Search
    from posology.workflows.results import write_measurements
    from posology.workflows.tune import tune as run

    with show_progress("tune") as progress:
        result = run(cohort, out, Search(trials, first_epochs, seed=seed), progress)
    CONSOLE.print(result, highlight=False)
    CONSOLE.print(f"Next: posology fit {study} --recipe {result.path}")
    if json_file is not None:
        write_measurements(json_file, result.rows, started, seed)
