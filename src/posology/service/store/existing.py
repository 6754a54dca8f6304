"""The store of a service, where it is and for whoever administers it."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DatabaseError

from posology.errors import UserError
from posology.service.keys import KEY, derive_key, read_key
from posology.service.store.store import Store, open_store

SQLITE = "store.sqlite"
"""File in the service's folder, where no database is named."""


def address_of(folder: Path, database: str) -> str:
    """The SQLAlchemy address: of the settings, or of SQLite in the service's folder."""
    return database or f"sqlite:///{(folder / SQLITE).absolute()}"


@contextmanager
def existing_store(folder: Path, database: str = "") -> Generator[Store]:
    """The store of a service that ran before; UserError if there is none, or it is damaged.

    A damaged row may name a patient: the error does not show it.
    """
    for path in (folder / KEY, *(() if database else (folder / SQLITE,))):
        if not path.exists():
            raise UserError(f"{path}: does not exist; name the folder in which a service ran.")
    key = derive_key(read_key(folder / KEY), "audit")
    try:
        store = open_store(address_of(folder, database), key)
        try:
            yield store
        finally:
            store.close()
    except DatabaseError as error:
        kind = type(error.orig).__name__
        raise UserError(
            f"{folder}: the store is damaged or cannot be read ({kind}); restore it from a backup."
        ) from error
