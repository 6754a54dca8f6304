"""`posology monitor`: whether the world is still the one that a policy learned from."""

import time
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from posology.cli.options import JsonFile, ModelFolder

_DATE = ["%Y-%m-%d", "%Y-%m"]


def monitor(
    model: ModelFolder,
    events: Annotated[
        Path,
        typer.Argument(
            help="MEDS folder or Parquet file with the events of later patients, past included."
        ),
    ],
    since: Annotated[
        datetime | None,
        typer.Option(formats=_DATE, help="Judge decisions from this month on; default: all."),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(formats=_DATE, help="Last month to judge; default: that of the last one."),
    ] = None,
    settle: Annotated[
        int,
        typer.Option(
            min=0,
            help="Months at the start that are the reference of behaviour, outcomes, calibration "
            "and value, since the model's use changes them; they are not judged.",
        ),
    ] = 0,
    json_file: JsonFile = None,
) -> None:
    """Watch inputs, missingness, behaviour, outcomes, calibration and value month by month.

    Compares with the patients the policy was fitted on. All monitors together raise at most one
    false alarm in 1,000 undisturbed months. Exit code 3 if the last month alarms, else 0.
    """
    from posology import artifact
    from posology.cli.progress import CONSOLE, show_progress, use_one_thread
    from posology.workflows.monitoring.monitor import ALARM, MonitorSettings
    from posology.workflows.monitoring.monitor import monitor as run
    from posology.workflows.results import write_measurements

    started = time.perf_counter()
    use_one_thread()
    settings = MonitorSettings(since and since.date(), until and until.date(), settle)
    with show_progress("monitor") as progress:
        result = run(artifact.load(model), events, settings, progress)
    CONSOLE.print(result)
    if json_file is not None:
        write_measurements(json_file, result.rows, started)
    raise typer.Exit(ALARM if result.is_alarm else 0)
