"""`posology pool`: the summaries of several hospitals, pooled."""

import time
from pathlib import Path
from typing import Annotated

import typer

from posology.cli.options import JsonFile, ReportFile


def pool(
    summaries: Annotated[
        list[Path],
        typer.Argument(
            help="Files that `posology effect --share` or `posology evaluate --share` wrote, one a "
            "hospital; each hospital is called by its file's name."
        ),
    ],
    every: Annotated[
        bool,
        typer.Option("--all", help="Print also the comparisons that do not differ."),
    ] = False,
    report: ReportFile = None,
    json_file: JsonFile = None,
) -> None:
    """Pool effects over hospitals, and say whether they differ between them.

    Random effects: the mean, how far hospitals differ, and what another hospital may expect.
    Summaries of different studies are refused, with what differs.
    """
    from posology.cli.progress import CONSOLE
    from posology.workflows.pooling.pool import pool as run
    from posology.workflows.results import write_measurements

    started = time.perf_counter()
    result = run(summaries)
    CONSOLE.print(result.every_comparison if every else result)
    if report is not None:
        result.report(report)
        CONSOLE.print(f"Report: {report}")
    if json_file is not None:
        write_measurements(json_file, result.rows, started)
