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
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames != ["subject_id", "patient_id"]:
            raise UserError(f"{path}: its first line must be subject_id,patient_id.")
        try:
            return {int(row["subject_id"]): row["patient_id"] for row in reader}
        except (ValueError, TypeError) as error:
            raise UserError(
                f"{path}, line {reader.line_num}: subject_id must be a whole number."
            ) from error
