"""`posology demo`: every step on 6,256 real warfarin patients, from records to report."""

import time
from pathlib import Path
from typing import Annotated

import typer

from posology.cli.options import JsonFile, Seed, writable_inside


def demo(
    out: Annotated[
        Path, typer.Option(help="Folder for the report and the policy.", callback=writable_inside)
    ] = Path("posology-demo"),
    seed: Seed = 0,
    json_file: JsonFile = None,
) -> None:
    """Learn warfarin doses from 6,256 real patients, compare with other models, and report."""
    from posology.cli.progress import CONSOLE, show_progress, use_one_thread
    from posology.workflows.demo import demo as run
    from posology.workflows.results import write_measurements

    started = time.perf_counter()
    use_one_thread()
    with show_progress("demo") as progress:
        result = run(out, seed, progress)
    CONSOLE.print(result)
    CONSOLE.print(
        f"Report: {result.report_path}\nPolicy: {result.model}\n"
        f"Next: posology template {result.model} --out patient.json, fill it in, then "
        f"posology recommend {result.model} --patient patient.json"
    )
    if json_file is not None:
        write_measurements(json_file, result.rows, started, seed)
