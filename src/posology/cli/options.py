"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

StudyOrCohort = Annotated[
    str,
    typer.Argument(
        help="A cohort's folder; or, with --events, a study file or the name of a study that ships "
        "(iwpc, clinic)."
    ),
]
Events = Annotated[
    Path | None,
    typer.Option(help="MEDS folder or Parquet file of events, if STUDY is not a cohort's folder."),
]
ReportFile = Annotated[Path | None, typer.Option(help="Write the report to this HTML file.")]
JsonFile = Annotated[
    Path | None, typer.Option("--json", help="Write every figure to this JSON file.")
]
Seed = Annotated[int, typer.Option(help="Random seed; the same seed gives the same result.")]
ModelFolder = Annotated[
    Path, typer.Argument(help="A policy's folder, as `posology fit` or `posology demo` saves it.")
]
