"""Options that several commands share."""

import getpass
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from posology.errors import UserError
from posology.records.io.remote import is_url

_NEEDED = 1 << 20
"""Bytes that must be free where a result is written (our choice; results are larger)."""


def writable_file(path: Path | None) -> Path | None:
    """Check, before anything is computed, that this file can be written; UserError otherwise."""
    if path is None:
        return None
    if path.is_dir():
        raise UserError(f"{path}: is a folder; name a file.")
    _try_to_write(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            path.open("ab").close()
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}).") from error
    return path


def writable_folder(path: Path | None) -> Path | None:
    """The same of a folder that is made, or replaced, in one step."""
    if path is None:
        return None
    if path.is_file():
        raise UserError(f"{path}: is a file; name a folder.")
    _try_to_write(path)
    return path


def writable_inside(path: Path | None) -> Path | None:
    """The same of a folder into which files are written, whether it is there already or not."""
    if path is None or not path.is_dir():
        return writable_folder(path)
    _try_to_write(path / "file", path)
    return path


def author_name(by: str) -> str:
    """Who makes a change: as given, or the user of this machine; UserError if it has no name."""
    try:
        return by or getpass.getuser()
    except (OSError, KeyError) as error:  # a container without a name for its user
        raise UserError("--by: this machine has no name for its user; say who you are.") from error


def writable_place(place: str | None) -> str | None:
    """The same of a folder that may be a URL, which is not tried."""
    if place is not None and not is_url(place):
        writable_folder(Path(place))
    return place


def _try_to_write(path: Path, named: Path | None = None) -> None:
    """Write and remove a temporary file in the nearest folder above the path that exists.

    named: what the error names, if not the path.
    """
    folder = path.absolute().parent
    try:
        while not folder.exists():
            folder = folder.parent
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(_NEEDED))
            file.flush()
    except OSError as error:
        raise UserError(
            f"{named or path}: cannot be written ({error.strerror or error}); make room in "
            f"{folder} or choose another place."
        ) from error


StudyOrCohort = Annotated[
    str,
    typer.Argument(
        help="A cohort's folder; or, with --events, a study file or the name of a study that ships "
        "(iwpc, clinic)."
    ),
]
Events = Annotated[
    str | None,
    typer.Option(
        metavar="<path>",
        help="MEDS folder or Parquet file of events, if STUDY is not a cohort's folder.",
    ),
]
ReportFile = Annotated[
    Path | None,
    typer.Option(help="Write the report to this HTML file.", callback=writable_file),
]
JsonFile = Annotated[
    Path | None,
    typer.Option("--json", help="Write every figure to this JSON file.", callback=writable_file),
]
ServedName = Annotated[
    str, typer.Option("--name", help="Name it was served under, if there are several.")
]
PatientIds = Annotated[
    Path | None,
    typer.Option(
        "--ids", help="CSV of subject_id,patient_id, if callers use other ids of patients."
    ),
]
PlainIds = Annotated[
    bool, typer.Option("--plain-ids", help="The service stores ids of patients unhashed.")
]
StoreAddress = Annotated[
    str, typer.Option("--database", help="SQLAlchemy address, if not SQLite in the folder.")
]
ShareFile = Annotated[
    Path | None,
    typer.Option(
        "--share",
        help="Write estimates and counts, no patient, to this JSON file, for `posology pool`.",
        callback=writable_file,
    ),
]
ShareFrom = Annotated[
    int,
    typer.Option(
        metavar="<count>", help="Smallest count of patients in the --share file; 5 at least."
    ),
]
Seed = Annotated[int, typer.Option(help="Random seed; the same seed gives the same result.")]
ModelFolder = Annotated[
    Path, typer.Argument(help="A policy's folder, as `posology fit` or `posology demo` saves it.")
]
