"""`posology facts`: what must be known of a model before it is used."""

import json
from pathlib import Path
from typing import Annotated

import typer

from posology.cli.options import ModelFolder


def facts(
    model: ModelFolder,
    details: Annotated[
        Path | None,
        typer.Option(help="TOML file that states what the model cannot know, such as `funding`."),
    ] = None,
    xml: Annotated[
        Path | None, typer.Option(help="Write a CHAI Applied Model Card to this XML file.")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the attributes to this JSON file.")
    ] = None,
) -> None:
    """Show the 31 source attributes of a saved policy; what nobody stated is not provided."""
    from posology.cli.progress import CONSOLE
    from posology.workflows.facts.model_facts import model_facts

    result = model_facts(model, details)
    CONSOLE.print(result)
    if json_file is not None:
        json_file.write_text(json.dumps(result.to_json(), indent=2) + "\n", encoding="utf-8")
    if xml is not None:
        xml.write_text(result.card, encoding="utf-8")
