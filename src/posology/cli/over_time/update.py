"""`posology update`: a challenger from new patients, and the gate's verdict on it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from posology.cli.options import (
    JsonFile,
    PatientIds,
    PlainIds,
    Seed,
    ServedName,
    StoreAddress,
    author_name,
    writable_folder,
)
from posology.cli.over_time.served import ServiceStore, advice_of
from posology.errors import UserError
from posology.records.io.drafts import write_whole

if TYPE_CHECKING:
    import pyarrow as pa

    from posology.lifecycle.advice_log import AdviceLog


def update(
    model: Annotated[
        Path, typer.Argument(help="A registry (`posology models`), or a policy's folder.")
    ],
    events: Annotated[
        list[Path],
        typer.Option(
            metavar="<path>",
            help="MEDS folder or Parquet file of events; several times: new patients, old ones.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="A new folder for the challenger.", callback=writable_folder),
    ] = None,
    judge: Annotated[
        str,
        typer.Option(help="Learn nothing: judge this version of the registry on who came since."),
    ] = "",
    service: Annotated[
        Path | None,
        typer.Option(help="Folder of a service, whose recommendations are then accounted for."),
    ] = None,
    name: ServedName = "",
    ids: PatientIds = None,
    plain_ids: PlainIds = False,
    database: StoreAddress = "",
    reason: Annotated[str, typer.Option(help="Why, for the history.")] = "",
    by: Annotated[str, typer.Option(help="Who does it; by default this machine's user.")] = "",
    evidence_decisions: Annotated[
        int,
        typer.Option(min=0, help="As in `posology fit`: of the effect study that is kept."),
    ] = 20_000,
    learn_since: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            help="Learn only from decisions from this day on: where outcomes changed for another "
            "reason, such as a laboratory's, older ones mislead about a drug that came since.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count patients; learn, judge and write nothing.")
    ] = False,
    seed: Seed = 0,
    json_file: JsonFile = None,
) -> None:
    """Learn a challenger from new and replayed patients and judge it on others.

    The gate is open only if the challenger is shown to be better and nothing is clearly worse. In
    a registry each look spends a part of the chance of ever approving a bad model. Exit code 0 if
    the gate is open, 3 if it is closed; then `posology models promote` makes it champion.
    """
    _check_options(out, judge, learn_since)
    kept = _store_of(service, name, ids, plain_ids, database)
    from posology.cli.progress import CONSOLE, show_progress, use_one_thread
    from posology.workflows.over_time.events import read_events

    table = read_events(events)
    use_one_thread()
    # What takes seconds to import comes after what the user may have mistyped.
    from posology.evaluation.gate.requirement import GATE_CLOSED
    from posology.lifecycle.registry.changes import Author
    from posology.workflows.over_time.preview import preview_update
    from posology.workflows.over_time.update import Learning, NewRecords, judge_again
    from posology.workflows.over_time.update import update as run

    since = None if learn_since is None else learn_since.replace(tzinfo=UTC).timestamp() / 86_400
    if dry_run:
        preview = preview_update(model, table, judge, tuple(events), since)
        CONSOLE.print(preview, highlight=False)
        if json_file is not None:
            write_whole(json_file, json.dumps(preview.to_json(), indent=1) + "\n")
        return
    advice = None if kept is None else _advice(kept, model, table)
    records = NewRecords(table, advice, tuple(events))
    author = Author(author_name(by), reason)
    with show_progress("update") as progress:
        if out is not None:
            learning = Learning(seed, evidence_decisions, since)
            result = run(model, records, out, author, learning, progress)
        else:
            result = judge_again(model, judge, records, author, seed, progress)
    CONSOLE.print(result, highlight=False)
    if json_file is not None:
        write_whole(json_file, json.dumps(result.to_json(), indent=1) + "\n")
    if not result.verdict.is_open:
        raise typer.Exit(GATE_CLOSED)


def _check_options(out: Path | None, judge: str, learn_since: datetime | None) -> None:
    if (out is None) == (not judge):
        raise UserError("posology update: add --out with a new folder, or --judge VERSION.")
    if learn_since is not None and out is None:
        raise UserError("--learn-since: is of learning, and --judge learns nothing; leave one out.")
    if out is not None and out.exists():
        raise UserError(f"--out {out}: exists already; name a new folder.")


def _store_of(
    service: Path | None, name: str, ids: Path | None, plain_ids: bool, database: str
) -> ServiceStore | None:
    if service is not None:
        return ServiceStore(service, name, ids, plain_ids, database)
    if name or ids or plain_ids or database:
        raise UserError(
            "--name, --ids, --plain-ids and --database say how a service keeps its answers; add "
            "its folder with --service, or leave them out."
        )
    return None


def _advice(service: ServiceStore, model: Path, events: "pa.Table") -> "AdviceLog":
    from posology.cli.progress import CONSOLE

    advice = advice_of(service, model, events)
    if not len(advice.subject_id):
        CONSOLE.print(
            f"Warning: no answer of {service.folder} advised a patient of these events. If its "
            "callers use other ids, give --ids; if it stores ids as they are, --plain-ids.",
            markup=False,
        )
    return advice
