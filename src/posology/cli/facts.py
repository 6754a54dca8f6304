"""`posology facts`: what must be known of a model before it is used."""

import json
from pathlib import Path
from typing import Annotated

import typer

from posology.cli.options import ModelFolder, writable_file
from posology.records.io.drafts import write_whole


def facts(
    model: ModelFolder,
    details: Annotated[
        Path | None,
        typer.Option(help="TOML file that states what the model cannot know, such as `funding`."),
    ] = None,
    xml: Annotated[
        Path | None,
        typer.Option(
            help="Write a CHAI Applied Model Card to this XML file.", callback=writable_file
        ),
    ] = None,
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json", help="Write the attributes to this JSON file.", callback=writable_file
        ),
    ] = None,
) -> None:
    """Show the 31 source attributes of a saved policy; what nobody stated is not provided."""
    from posology.cli.progress import CONSOLE
    from posology.workflows.facts.model_facts import model_facts

    result = model_facts(model, details)
    CONSOLE.print(result)
    if json_file is not None:
        write_whole(json_file, json.dumps(result.to_json(), indent=2) + "\n")
    if xml is not None:
        write_whole(xml, result.card)
