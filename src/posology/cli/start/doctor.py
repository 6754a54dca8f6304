"""`posology doctor`: what this machine and these files lack, and what to do."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from posology.cli.options import JsonFile
from posology.records.io.drafts import write_whole

if TYPE_CHECKING:
    from posology.workflows.doctor.check import Check

PROBLEMS = 2
"""Exit code where something must be mended, as of every error that the caller can mend."""


def doctor(
    model: Annotated[Path | None, typer.Option(help="A saved policy to check too.")] = None,
    study: Annotated[
        str | None, typer.Option(help="A study file, or the name of one that ships, to check too.")
    ] = None,
    events: Annotated[Path | None, typer.Option(help="A folder of events to check too.")] = None,
    settings: Annotated[
        Path | None, typer.Option(help="Settings of posology serve to check too.")
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Check this machine, the packages and your files; say what to do. Nothing is changed.

    Ends with exit code 2 if anything must be mended.
    """
    from posology.cli.progress import CONSOLE
    from posology.workflows.doctor.checkup import check_up

    checkup = check_up(model, study, events, _service(settings))
    CONSOLE.print(checkup)
    if json_file is not None:
        write_whole(json_file, json.dumps(checkup.to_json(), indent=2) + "\n")
    if checkup.problems:
        raise typer.Exit(PROBLEMS)


def _service(path: Path | None) -> "Iterator[Check]":
    from posology.errors import PosologyError, describe_install
    from posology.workflows.doctor.check import GOOD, PROBLEM, Check

    if path is None:
        return
    try:
        from posology.service.ranges import check_ranges
        from posology.service.settings import read_settings
    except ImportError as error:
        yield Check("service", PROBLEM, f"{error}.", f"Run {describe_install('serve')}.")
        return
    try:
        settings = read_settings(path)
        check_ranges(settings)
    except (PosologyError, OSError) as error:
        yield Check("service", PROBLEM, str(error))
        return
    models = ", ".join(model.name for model in settings.models) or "none"
    yield Check("service", GOOD, f"{path}: can be read; models: {models}.")
    for model in settings.models:
        if not model.folder.exists():
            yield Check(
                "service",
                PROBLEM,
                f"{path}: models {model.name}: {model.folder} is not there.",
                "Correct folder; paths are relative to where the service starts.",
            )
