"""What a new project is about: what the user stated; what they did not is guessed or left open."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from posology.errors import UserError

DATA = ("simulated", "csv", "omop", "fhir", "meds")
QUESTIONS = ("treatment", "dose")
DAYS = 365.0
"""Days from entry to the outcome where nothing states them (our choice; marked in the files)."""


@dataclass(frozen=True, slots=True)
class Request:
    """A project and the roles of its columns (of a table) or codes (of records).

    None: to be guessed from the table, or left open in the study file of records.
    """

    folder: Path
    data: str = "simulated"
    path: Path | None = None
    """The table, folder or file of the records."""
    question: str = "treatment"
    subject: str | None = None
    entry: str | None = None
    """Column of the date, or code, at which treatment is chosen."""
    treatments: tuple[str, ...] = ()
    """One column of a table; two or more codes of records."""
    dose: str | None = None
    outcome: str | None = None
    days: str | None = None
    """Days from entry to the outcome: a number, or the column of the time to an event."""
    goal: str | None = None
    """What counts as a good outcome: <=140, >=50, or a value of the column."""
    randomised: bool | None = None
    circe: Path | None = None
    """A cohort definition of ATLAS: time zero and who is in the study."""


def check_request(request: Request) -> None:
    """UserError where the words are unknown, the place is taken or the data are missing."""
    check_known("--data", request.data, DATA)
    check_known("--question", request.question, QUESTIONS)
    folder, path = request.folder, request.path
    if folder.is_file():
        raise UserError(f"{folder}: is a file; name a new folder.")
    if folder.is_dir() and any(folder.iterdir()):
        raise UserError(f"{folder}: is not empty; nothing is overwritten. Name a new folder.")
    if request.data == "csv" and path is None:
        raise UserError("posology new: --data csv needs --path with the table's file.")
    if request.data == "simulated" and path is not None:
        raise UserError("posology new: --path needs --data csv, omop, fhir or meds.")
    if path is not None and not path.exists():
        raise UserError(f"--path {path}: there is no such file or folder{_nearest(path)}")
    if request.circe is not None and (request.data != "omop" or path is None or request.entry):
        raise UserError(
            "posology new: --circe needs --data omop and --path with the CDM, and takes the place "
            "of --entry."
        )
    if request.question == "dose" and request.data not in ("csv", "simulated"):
        raise UserError(
            f"posology new: --question dose with --data {request.data}: only tables have a column "
            "of doses. Choose --question treatment and add `dose` to [[treatments]] "
            "(docs/study-file.md)."
        )


def check_known(place: str, name: str, known: Sequence[str]) -> None:
    """UserError with the nearest known name, if this one is not known."""
    if name in known:
        return
    near = difflib.get_close_matches(name.lower(), [k.lower() for k in known], 1, 0.5)
    hint = next((f"did you mean {k!r}? " for k in known if near and k.lower() == near[0]), "")
    raise UserError(f"{place} {name!r} is unknown; {hint}known: {', '.join(known)}.")


def _nearest(path: Path) -> str:
    """The nearest name in the same folder, as the end of a sentence."""
    try:
        names = [entry.name for entry in path.absolute().parent.iterdir()]
    except OSError:
        return "."
    near = difflib.get_close_matches(path.name, names, 1)
    return f"; did you mean {path.parent / near[0]}?" if near else "."
