"""`posology cohort`: from a study and events to decisions."""

import json
from pathlib import Path
from typing import Annotated

import typer

from posology.cli.options import writable_inside, writable_place


def cohort(
    study: Annotated[
        str, typer.Argument(help="A study file, or the name of a study that ships (clinic, iwpc).")
    ],
    events: Annotated[
        str, typer.Argument(help="A MEDS folder, or a Parquet file of events: a path or a URL.")
    ],
    out: Annotated[
        str | None,
        typer.Option(
            metavar="<path>",
            help="A new folder for the cohort: a path or a URL, such as s3://bucket/cohort.",
            callback=writable_place,
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only count the decisions; build nothing, even with --out."),
    ] = False,
    truth: Annotated[
        Path | None,
        typer.Option(help="A simulator's truth folder, to evaluate against; never a feature."),
    ] = None,
    parts: Annotated[
        Path | None,
        typer.Option(
            help="A folder that caches the result for each file of events; unchanged files are "
            "not processed again.",
            callback=writable_inside,
        ),
    ] = None,
    rows: Annotated[
        int, typer.Option(help="Events in memory at once, for each core; limits memory.")
    ] = 2_000_000,
    memory: Annotated[
        str | None,
        typer.Option(
            metavar="<size>",
            help="The most memory of all cores together, such as 4GB; chooses --rows.",
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option(help="Cores to use, one file of events each; 0: all, at most four.")
    ] = 0,
    engine: Annotated[
        str,
        typer.Option(
            help="What runs the workers: loky (this machine), dask, ray or spark; all must see the "
            "same files."
        ),
    ] = "loky",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the selection flow as JSON.")
    ] = False,
) -> None:
    """Build a study's cohort: decisions with history, treatment, outcome and follow-up.

    Prints how many decisions remain after each step of selection, the arms, outcome rates and
    follow-up.
    """
    from joblib import cpu_count

    from posology.cli.progress import CONSOLE, show_progress
    from posology.errors import UserError
    from posology.workflows.cohorts import CohortSettings, as_study, build_cohort

    parsed = as_study(study)
    if not dry_run and out is None:
        raise UserError("posology cohort: add --out with a new folder, or --dry-run.")
    if parts is not None and dry_run:
        raise UserError("posology cohort: --parts needs --out; a dry run caches nothing.")
    settings = CohortSettings(truth, parts, rows, workers or min(4, cpu_count()), engine, memory)
    with show_progress("cohort") as progress:
        result = build_cohort(parsed, events, None if dry_run else out, settings, progress)
    if as_json:
        memory_bytes = {"this_process": result.peak_memory, "worker": result.worker_memory}
        typer.echo(json.dumps({**result.flow, "peak_memory_bytes": memory_bytes}, indent=1))
        return
    CONSOLE.print(result)
    if dry_run:
        CONSOLE.print("Nothing was built: this was a dry run.")
    else:
        CONSOLE.print(f"Cohort saved in {out}\nNext: posology effect {out} --report effect.html")
