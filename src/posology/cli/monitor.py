"""`posology monitor`: whether the world is still the one that a policy learned from."""

import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from posology.cli.options import JsonFile
from posology.errors import UserError

if TYPE_CHECKING:
    from posology.artifact import Artifact
    from posology.workflows.monitoring.monitor import MonitoringResult, MonitorSettings
    from posology.workflows.progress import Progress


def monitor(
    model: Annotated[
        Path,
        typer.Argument(
            help="Folder of a policy, from `posology fit`, or a registry: its champion is judged."
        ),
    ],
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
        str,
        typer.Option(
            metavar="MONTH",
            help="Judge decisions from this month on (2018-01); default: all. Needed where the "
            "first are of fewer than 5 patients, over a year before the rest.",
        ),
    ] = "",
    until: Annotated[
        str,
        typer.Option(
            metavar="MONTH", help="Last month to judge (2018-12); default: that of the last one."
        ),
    ] = "",
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
    if (events is None) == (service is None):
        raise UserError(
            "posology monitor: name the events of later patients, or the folder of a service with "
            "--service; one of them."
        )
    from posology import artifact
    from posology.cli.progress import CONSOLE, show_progress, use_one_thread
    from posology.workflows.over_time.champion import champion_or_model

    started = time.perf_counter()
    dates = _date(since, "--since"), _date(until, "--until")
    loaded = artifact.load(champion_or_model(model))
    use_one_thread()
    # What takes seconds to import comes after what the user may have mistyped.
    from posology.workflows.monitoring.monitor import ALARM, MonitorSettings
    from posology.workflows.monitoring.monitor import monitor as run
    from posology.workflows.results import write_measurements

    settings = MonitorSettings(*dates, settle)
    with show_progress("monitor") as progress:
        if events is not None:
            result = run(loaded, events, settings, progress)
        else:
            assert service is not None
            result = _of_service(loaded, service, database, settings, progress)
    CONSOLE.print(result)
    if json_file is not None:
        write_measurements(json_file, result.rows, started)
    raise typer.Exit(ALARM if result.is_alarm else 0)


def _date(text: str, option: str) -> date | None:
    """The day, or the first day of the month; None of an empty text."""
    if not text:
        return None
    try:
        return date.fromisoformat(f"{text}-01" if len(text) == len("2018-01") else text)
    except ValueError as error:
        mend = "write a month or day such as 2018-01 or 2018-01-31."
        raise UserError(f"{option} {text}: {mend}") from error


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
