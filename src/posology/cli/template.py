"""`posology template`: a blank patient file to fill in."""

import json
from pathlib import Path
from typing import Annotated

import typer

from posology.cli.options import writable_file
from posology.records.io.drafts import write_whole


def template(
    study: Annotated[
        str,
        typer.Argument(
            help="A policy's folder, a study file, or the name of a study that ships (iwpc)."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write to this file; by default to standard output, as a list for reading if that "
            "is a terminal.",
            callback=writable_file,
        ),
    ] = None,
    typical: Annotated[
        bool,
        typer.Option(
            "--typical",
            help="Fill in means and most frequent values of the training patients, of a policy's "
            "folder: no real person, to try it out.",
        ),
    ] = False,
) -> None:
    """Write a blank patient's form: JSON whose facts are null until you fill them in.

    From a policy's folder, with the unit, limits and choices of every fact that the policy uses.
    """
    from posology.advice.form.blank import form_as_text
    from posology.cli.progress import CONSOLE
    from posology.workflows.recommend import template as run

    body = run(study, typical)
    text = json.dumps(body, indent=2, ensure_ascii=False)
    if out is None and CONSOLE.is_terminal:
        typer.echo(form_as_text(body))
        typer.echo("\nWrite the form to a file with --out patient.json.")
    elif out is None:
        typer.echo(text)
    else:
        write_whole(out, text + "\n")
        todo = (
            "a typical patient; change it"
            if typical
            else "fill in what is known, leave the rest null"
        )
        typer.echo(f"{out}: {todo}.")
