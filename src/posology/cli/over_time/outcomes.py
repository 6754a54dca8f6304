"""`posology outcomes`: what became of patients, linked to what was recommended."""

import json
from pathlib import Path
from typing import Annotated

import typer

from posology.cli.options import PatientIds, PlainIds, ServedName, StoreAddress, writable_file
from posology.cli.serve.packages import require_packages
from posology.records.io.drafts import write_whole

outcomes = typer.Typer(
    name="outcomes",
    help="Bring outcomes back to a service, linked to the recommendations they followed.",
    no_args_is_help=True,
)


@outcomes.command()
def add(
    events: Annotated[
        list[Path],
        typer.Argument(help="MEDS folders or Parquet files of events.", metavar="<path>"),
    ],
    model: Annotated[
        Path, typer.Option(help="The policy's folder, or its registry: its study names outcomes.")
    ],
    service: Annotated[Path, typer.Option(help="Folder of the service.")] = Path(
        "posology-service"
    ),
    name: ServedName = "",
    ids: PatientIds = None,
    plain_ids: PlainIds = False,
    database: StoreAddress = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count and link; keep nothing.")
    ] = False,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", help="Write the counts to this file.", callback=writable_file),
    ] = None,
) -> None:
    """Keep outcomes that followed a recommendation; run again, nothing is counted twice.

    Prints what was kept, what was corrected, whether the recommendation was accepted, and what was
    not linked and why.
    """
    require_packages()
    from posology.cli.over_time.served import study_of
    from posology.cli.progress import CONSOLE, show_progress
    from posology.service.returning.add_outcomes import Question, add_outcomes, served_name
    from posology.service.returning.patients import patient_keys, served_models
    from posology.service.returning.words import describe
    from posology.service.store.existing import existing_store
    from posology.workflows.over_time.events import read_events

    with show_progress("outcomes") as progress, existing_store(service, database) as store:
        progress("reading events")
        table, study = read_events(events), study_of(model)
        known = served_name(store.read_now(served_models), name)
        question = Question(known, study, patient_keys(service, ids, plain_ids))
        progress("linking and keeping")
        found = add_outcomes(store, question, table, dry_run)
    CONSOLE.print(describe(found), highlight=False)
    if json_file is not None:
        write_whole(json_file, json.dumps(found.to_json(), indent=1) + "\n")
