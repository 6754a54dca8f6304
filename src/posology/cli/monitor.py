"""`posology monitor`: whether the world is still the one that a policy learned from."""

import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from posology.cli.options import JsonFile, ModelFolder
from posology.errors import UserError

if TYPE_CHECKING:
    from posology.artifact import Artifact
    from posology.workflows.monitoring.monitor import MonitoringResult, MonitorSettings
    from posology.workflows.progress import Progress

_DATE = ["%Y-%m-%d", "%Y-%m"]


def monitor(
    model: ModelFolder,
    events: Annotated[
        Path | None,
        typer.Argument(
            help="MEDS folder or Parquet file with the events of later patients, past included."
        ),
    ] = None,
    service: Annotated[
        Path | None,
        typer.Option(help="Instead of events: the folder of a service that served this model."),
    ] = None,
    database: Annotated[
        str, typer.Option(help="Database of the service, if it is not SQLite in its folder.")
    ] = "",
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

    if (events is None) == (service is None):
        raise UserError(
            "posology monitor: name the events of later patients, or the folder of a service with "
            "--service; one of them."
        )
    started = time.perf_counter()
    use_one_thread()
    settings = MonitorSettings(since and since.date(), until and until.date(), settle)
    with show_progress("monitor") as progress:
        loaded = artifact.load(model)
        if events is not None:
            result = run(loaded, events, settings, progress)
        else:
            assert service is not None
            result = _of_service(loaded, service, database, settings, progress)
    CONSOLE.print(result)
    if json_file is not None:
        write_measurements(json_file, result.rows, started)
    raise typer.Exit(ALARM if result.is_alarm else 0)


def _of_service(
    model: "Artifact",
    folder: Path,
    database: str,
    settings: "MonitorSettings",
    progress: "Progress",
) -> "MonitoringResult":
    from posology.cli.serve.packages import require_packages

    require_packages()
    from posology.service.monitors.cases import monitor_store
    from posology.service.store.existing import existing_store

    with existing_store(folder, database) as store:
        return monitor_store(store, model, settings, progress)
