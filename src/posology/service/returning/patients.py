"""How a service's store keys the patients of a table of events."""

import csv
import hashlib
import hmac
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, select

from posology.errors import UserError
from posology.service.keys import KEY, derive_key, read_key
from posology.service.store.tables import ANSWERS


def patient_keys(folder: Path, ids: Path | None, plain: bool) -> Callable[[int], str]:
    """What the store of this service holds instead of a subject's id.

    Args:
        folder: of the service, with its key.
        ids: CSV of `subject_id,patient_id`; None: callers used the subject's id itself.
        plain: whether the service was set to store ids as they are (`store_patient_ids`).
    """
    named = {} if ids is None else _read_ids(ids)
    key = b"" if plain else derive_key(read_key(folder / KEY), "patient")

    def key_of(subject: int) -> str:
        name = named.get(subject, "" if ids is not None else str(subject))
        if not name or plain:
            return name
        return hmac.new(key, name.encode(), hashlib.sha256).hexdigest()

    return key_of


def served_models(connection: Connection) -> list[str]:
    """Names of the models that have answers."""
    return sorted(connection.scalars(select(ANSWERS.c.model).distinct()))


def _read_ids(path: Path) -> dict[int, str]:
    """The id of each subject; UserError names the line, never an id."""
    found: dict[int, str] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # Excel writes a mark first
            reader = csv.DictReader(file)
            if reader.fieldnames != ["subject_id", "patient_id"]:
                raise UserError(f"{path}: its first line must be subject_id,patient_id.")
            for row in reader:
                subject, name = _read_row(row, f"{path}, line {reader.line_num}")
                if found.setdefault(subject, name) != name:
                    raise UserError(
                        f"{path}, line {reader.line_num}: this subject_id stands above with "
                        "another patient_id; keep one of the two lines."
                    )
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not in UTF-8; save it as CSV in UTF-8.") from error
    return found


def _read_row(row: dict[str, str | None], place: str) -> tuple[int, str]:
    try:
        subject = int(row["subject_id"] or "")
    except ValueError as error:
        raise UserError(f"{place}: subject_id must be a whole number.") from error
    if not row["patient_id"]:
        raise UserError(f"{place}: patient_id is missing; write it, or take the line out.")
    return subject, row["patient_id"]
