"""Names of the people who signed in, so that pages can say who decided; never of patients."""

from collections.abc import Iterable

from sqlalchemy import Connection, insert, select, update

from posology.service.store.clock import now, to_text
from posology.service.store.tables import PEOPLE

MOST_NAME = 200
"""Characters of a name that are kept."""


def save_person(connection: Connection, subject: str, name: str) -> None:
    """Keep the name that a person signed in with; the newest one counts."""
    row = {"name": name[:MOST_NAME], "seen_at": to_text(now())}
    own = PEOPLE.c.subject == subject
    if connection.execute(select(PEOPLE.c.subject).where(own)).first() is None:
        connection.execute(insert(PEOPLE), row | {"subject": subject})
    else:
        connection.execute(update(PEOPLE).where(own).values(row))


def names_of(connection: Connection, subjects: Iterable[str]) -> dict[str, str]:
    """Of each person who signed in before, the name."""
    wanted = sorted(set(subjects) - {""})
    if not wanted:
        return {}
    query = select(PEOPLE.c.subject, PEOPLE.c.name).where(PEOPLE.c.subject.in_(wanted))
    return {row.subject: row.name for row in connection.execute(query)}
