"""`posology safety`: check knowledge packs of safety rules, and seal them after review."""

import json
from pathlib import Path
from typing import Annotated

import typer

from posology.cli.options import writable_file
from posology.records.io.drafts import write_whole

safety = typer.Typer(
    name="safety",
    help="Check knowledge packs of safety rules, and seal them after review.",
    no_args_is_help=True,
)
JsonFile = Annotated[
    Path | None,
    typer.Option("--json", help="Write the findings to this file.", callback=writable_file),
]


@safety.command()
def check(
    packs: Annotated[list[Path], typer.Argument(help="Files of safety rules (docs/safety.md).")],
    study: Annotated[
        str | None,
        typer.Option(help="A study file, or the name of one that ships: only its options count."),
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Read packs strictly; show what they are, what has expired and where they contradict."""
    from posology.cli.progress import CONSOLE
    from posology.workflows.safety.packs import check_packs

    result = check_packs(packs, study)
    CONSOLE.print(result)
    if json_file is not None:
        write_whole(json_file, json.dumps(result.to_json(), indent=2) + "\n")


@safety.command()
def seal(
    pack: Annotated[Path, typer.Argument(help="A file of safety rules that you have reviewed.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Compute the checksum; write nothing.")
    ] = False,
    json_file: JsonFile = None,
) -> None:
    """Write the checksum of a pack's content into it: from then on a change is refused."""
    from posology.cli.progress import CONSOLE
    from posology.workflows.safety.packs import seal_pack

    if pack.exists() and not dry_run:
        writable_file(pack)
    result = seal_pack(pack, dry_run)
    CONSOLE.print(result)
    if json_file is not None:
        write_whole(json_file, json.dumps(result.to_json(), indent=2) + "\n")
