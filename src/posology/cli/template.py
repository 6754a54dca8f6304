"""`posology template`: a blank patient file to fill in."""

import json
from pathlib import Path
from typing import Annotated

import typer

from posology.cli.options import writable_file


def template(
    study: Annotated[
        str,
        typer.Argument(
            help="A policy's folder, a study file, or the name of a study that ships (iwpc)."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Write to this file; by default, to the screen.", callback=writable_file),
    ] = None,
) -> None:
    """Write a blank patient's form: JSON whose facts are null until you fill them in.

    From a policy's folder, with the unit, limits and choices of every fact that the policy uses.
    """
    from posology.workflows.recommend import template as run

    text = json.dumps(run(study), indent=2, ensure_ascii=False)
    if out is None:
        typer.echo(text)
    else:
        out.write_text(text + "\n", encoding="utf-8")
        typer.echo(f"{out}: fill in what is known, leave the rest null.")
