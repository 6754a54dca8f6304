"""`posology models`: versions of a model, which one is champion, and which was when."""

import datetime
import json
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer

from posology.cli.options import author_name, writable_file
from posology.errors import UserError
from posology.records.io.drafts import write_whole

models = typer.Typer(
    name="models",
    help="Keep versions of a model in a registry: promote, shadow, roll back, and look back.",
    no_args_is_help=True,
)
RegistryFolder = Annotated[Path, typer.Argument(help="The registry's folder.")]
Version = Annotated[str, typer.Argument(help="First characters of a version's digest.")]
Reason = Annotated[str, typer.Option(help="Why, for the history.")]
By = Annotated[str, typer.Option(help="Who does it; by default the user of this machine.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Check everything, say what would be done; write nothing.")
]
JsonFile = Annotated[
    Path | None,
    typer.Option("--json", help="Write the result to this file.", callback=writable_file),
]


@models.command()
def add(
    registry: RegistryFolder,
    model: Annotated[Path, typer.Argument(help="A policy's folder, as `posology fit` saves it.")],
    reason: Reason = "",
    by: By = "",
    dry_run: DryRun = False,
    json_file: JsonFile = None,
) -> None:
    """Copy a saved policy into the registry, which is made if there is none."""
    from posology.lifecycle.registry.changes import Author
    from posology.workflows.over_time.registry import add_model

    _show(add_model(registry, model, Author(author_name(by), reason, dry_run)), json_file)


@models.command("list")
def list_versions(registry: RegistryFolder, json_file: JsonFile = None) -> None:
    """Show every version; each file is compared with what was added."""
    from posology.workflows.over_time.registry import VersionTable, check_registry

    found = check_registry(registry)
    _show(found, json_file, VersionTable(found))


@models.command()
def history(
    registry: RegistryFolder,
    on: Annotated[
        str, typer.Option(help="Which version was champion then? 2026-03-01 or 2026-03-01T08:30.")
    ] = "",
    json_file: JsonFile = None,
) -> None:
    """Show every change and every look of the gate; the chain of hashes is checked."""
    from posology.lifecycle.registry.state import read_registry
    from posology.workflows.over_time.registry import HistoryTable, RegistryListing

    found = RegistryListing(read_registry(registry), _moment(on))
    _show(found, json_file, HistoryTable(found))


@models.command()
def promote(
    registry: RegistryFolder,
    version: Version,
    reason: Reason = "",
    without_gate: Annotated[
        bool,
        typer.Option("--without-gate", help="Even if the gate is closed; the history says so."),
    ] = False,
    by: By = "",
    dry_run: DryRun = False,
    json_file: JsonFile = None,
) -> None:
    """Make a version the champion, for which the gate was open."""
    from posology.lifecycle.registry.changes import Author
    from posology.lifecycle.registry.changes import promote as run
    from posology.lifecycle.registry.state import read_registry
    from posology.workflows.over_time.registry import describe_change

    author, found = Author(author_name(by), reason, dry_run), read_registry(registry)
    entry = run(found, version, author, without_gate)
    _show(describe_change(found, entry, author), json_file)


@models.command()
def shadow(
    registry: RegistryFolder,
    version: Annotated[
        str, typer.Argument(help="First characters of a version's digest; none: no challenger.")
    ] = "",
    reason: Reason = "",
    by: By = "",
    dry_run: DryRun = False,
    json_file: JsonFile = None,
) -> None:
    """Let a version answer silently beside the champion; without VERSION, none any more."""
    from posology.lifecycle.registry.changes import Author, drop_challenger
    from posology.lifecycle.registry.changes import shadow as run
    from posology.lifecycle.registry.state import read_registry
    from posology.workflows.over_time.registry import describe_change

    author, found = Author(author_name(by), reason, dry_run), read_registry(registry)
    entry = run(found, version, author) if version else drop_challenger(found, author)
    _show(describe_change(found, entry, author), json_file)


@models.command()
def rollback(
    registry: RegistryFolder,
    to: Annotated[str, typer.Option(help="An earlier champion; by default the one before.")] = "",
    reason: Reason = "",
    by: By = "",
    dry_run: DryRun = False,
    json_file: JsonFile = None,
) -> None:
    """Make an earlier champion the champion again, with every answer as it was."""
    from posology.lifecycle.registry.changes import Author, roll_back
    from posology.lifecycle.registry.state import read_registry
    from posology.workflows.over_time.registry import describe_change

    author, found = Author(author_name(by), reason, dry_run), read_registry(registry)
    entry = roll_back(found, author, to)
    _show(describe_change(found, entry, author), json_file)


@models.command()
def plan(
    registry: RegistryFolder,
    settings: Annotated[
        Path | None, typer.Option("--set", help="TOML file of settings: begin a new plan with it.")
    ] = None,
    document: Annotated[
        Path | None,
        typer.Option(
            help="Write the predetermined change control plan to this Markdown file.",
            callback=writable_file,
        ),
    ] = None,
    reason: Reason = "",
    by: By = "",
    dry_run: DryRun = False,
    json_file: JsonFile = None,
) -> None:
    """Show the gate's plan, begin a new one, or describe it for a regulator."""
    from posology.lifecycle.registry.changes import Author
    from posology.workflows.over_time.plan import set_plan, show_plan

    if settings is None:
        found = show_plan(registry)
    else:
        found = set_plan(registry, settings, Author(author_name(by), reason, dry_run))
    _show(found, json_file)
    if document is not None:
        write_whole(document, found.document)


def _moment(text: str) -> datetime.datetime | None:
    """The end of a day, or the moment, in UTC; it is read as UTC unless it names a zone."""
    if not text:
        return None
    try:
        moment = datetime.datetime.fromisoformat(text)
        if len(text) == len("2026-03-01"):
            moment = datetime.datetime.combine(moment, datetime.time.max)
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=datetime.UTC)
        moment = moment.astimezone(datetime.UTC)
    except (ValueError, OverflowError) as error:
        raise UserError(f"--on {text}: write a date or time such as 2026-03-01T08:30.") from error
    if moment.date() > datetime.datetime.now(datetime.UTC).date():
        raise UserError(f"--on {text}: is in the future; nobody knows which version will answer.")
    return moment


class _Result(Protocol):
    def to_json(self) -> dict[str, Any]: ...


def _show(result: _Result, json_file: Path | None, shown: object = None) -> None:
    from posology.cli.progress import CONSOLE

    CONSOLE.print(result if shown is None else shown, highlight=False)
    if json_file is not None:
        write_whole(json_file, json.dumps(result.to_json(), indent=1) + "\n")
