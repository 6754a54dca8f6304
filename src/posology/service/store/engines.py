"""Connections to SQLite or PostgreSQL whose acknowledged writes survive a crash."""

import sqlite3
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from posology.errors import UserError

_CHAIN = 0x705C
"""Number of PostgreSQL's advisory lock that orders the writers of several services."""


@dataclass(frozen=True, slots=True)
class Engines:
    """One engine to read and one to write; on SQLite, readers never wait for the writer."""

    reading: Engine
    writing: Engine

    def close(self) -> None:
        """Close every connection."""
        self.reading.dispose()
        self.writing.dispose()


def open_engines(address: str) -> Engines:
    """Engines of an SQLAlchemy address; UserError if it is none of SQLite or PostgreSQL."""
    try:
        url = make_url(address)
    except ArgumentError as error:
        raise UserError(
            "database: is no SQLAlchemy address; write sqlite:///FILE or "
            "postgresql+psycopg://USER@HOST/NAME."
        ) from error
    kind = url.get_backend_name()
    if kind == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
        reading = create_engine(url, pool_size=8, pool_pre_ping=True)
        writing = create_engine(url, pool_size=1, pool_pre_ping=True)
        event.listen(writing, "begin", _lock_writers)
        return Engines(reading, writing)
    if kind != "sqlite":
        raise UserError(f"database: is of {kind}; SQLite and PostgreSQL are supported.")
    reading, writing = create_engine(url), create_engine(url)
    for engine, begin in ((reading, "BEGIN"), (writing, "BEGIN IMMEDIATE")):
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_with(begin))
    return Engines(reading, writing)


def _set_up_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where SQLAlchemy says
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",  # a commit is on the disk before it is acknowledged
        "foreign_keys=ON",
        "busy_timeout=10000",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_with(statement: str) -> Any:
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(statement)

    return begin


def _lock_writers(connection: Connection) -> None:
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_CHAIN})")
