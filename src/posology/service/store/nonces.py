"""Nonces of tokens, ended sessions and used links until they expire: hashed, as all are secrets."""

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import IntegrityError

from posology.service.store.tables import NONCES


def save_nonce(connection: Connection, key: str, until: float, now: float) -> None:
    """Keep the nonce, and forget those that have expired.

    Args:
        key: its hash.
        until, now: seconds since 1970.
    """
    connection.execute(delete(NONCES).where(NONCES.c.until <= now))
    if not is_kept(connection, key):
        connection.execute(insert(NONCES), {"key": key, "until": until})


def use_nonce(connection: Connection, key: str, until: float, now: float) -> bool:
    """Keep the nonce as `save_nonce` does; whether it was new.

    It is not if another service on the same database keeps it at the same moment.
    """
    if is_kept(connection, key):
        return False
    try:
        with connection.begin_nested():
            save_nonce(connection, key, until, now)
    except IntegrityError:
        return False
    return True


def is_kept(connection: Connection, key: str) -> bool:
    """Whether this key was kept and not yet forgotten."""
    return connection.execute(select(NONCES.c.key).where(NONCES.c.key == key)).first() is not None


def unexpired_nonces(connection: Connection, now: float) -> list[tuple[str, float]]:
    """The nonces whose tokens still hold, and until when."""
    query = select(NONCES.c.key, NONCES.c.until).where(NONCES.c.until > now)
    return [(row.key, row.until) for row in connection.execute(query)]
