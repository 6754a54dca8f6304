"""`posology pretrain`: weights to start from, for studies with few decisions."""

import time
from pathlib import Path
from typing import Annotated

import typer

from posology.cli.options import Events, Seed, StudyOrCohort, writable_file


def pretrain(
    study: StudyOrCohort,
    out: Annotated[Path, typer.Option(help="A new file for the weights.", callback=writable_file)],
    events: Events = None,
    recipe: Annotated[
        str,
        typer.Option(
            help="Sizes of the network: those of default, histories, paper, or a recipe file."
        ),
    ] = "histories",
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training patients.")] = 5,
    seed: Seed = 0,
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json", help="Write the learning curve to this JSON file.", callback=writable_file
        ),
    ] = None,
) -> None:
    """Learn to predict each next step of the training patients; no outcome is used."""
    from posology.cli.progress import CONSOLE, show_progress, use_one_thread
    from posology.errors import UserError
    from posology.workflows.cohorts import read_cohort

    started = time.perf_counter()
    if out.exists():
        raise UserError(f"--out {out}: exists already; name a new file.")
    cohort = read_cohort(study, events)
    use_one_thread()
    # What takes seconds to import comes after what the user may have mistyped.
    from posology.workflows.fit import pretrain as run
    from posology.workflows.results import write_measurements

    with show_progress("pretrain") as progress:
        result = run(cohort, recipe, epochs, seed, progress)
    CONSOLE.print(result, highlight=False)
    result.save(out)
    CONSOLE.print(
        f"Weights saved in {out}\nNext: posology fit {study} --recipe {recipe} --start {out}"
    )
    if json_file is not None:
        write_measurements(json_file, result.rows, started, seed)
