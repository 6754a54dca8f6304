"""Answers as they were given: who got which, from which model, and the patient's facts."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, desc, func, insert, select

from posology.service.store.tables import ANSWERS

_FEW = 500
"""Ids in one query: databases limit them."""


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """One answer as it is kept."""

    id: str
    made_at: str
    model: str
    digest: str
    patient_key: str
    """Keyed hash of the caller's id of the patient, or the id itself where settings say so."""
    state: str
    headline: str
    asked_by: str
    door: str
    door_reference: str
    is_demo: bool
    milliseconds: float
    body: bytes | None
    """The result, as `work.unpack_result` reads it; None after its retention."""
    given: bytes | None
    """The patient, as `work.unpack` reads it: the form, or `{"events": rows}`; None as above."""
    is_signed: bool | None = None
    """Whether somebody vouched for the model; None of an answer from before this was kept."""


def save_answer(connection: Connection, answer: StoredAnswer) -> None:
    """Keep the answer."""
    connection.execute(insert(ANSWERS), asdict(answer))


def read_answer(connection: Connection, answer_id: str) -> StoredAnswer | None:
    """The answer of this id."""
    row = connection.execute(select(ANSWERS).where(ANSWERS.c.id == answer_id)).first()
    return None if row is None else _to_answer(row)


def in_parts(ids: Iterable[str]) -> Iterator[list[str]]:
    """The ids, as many at a time as one query may name."""
    left = iter(ids)
    while part := list(islice(left, _FEW)):
        yield part


def models_of(connection: Connection, answers: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Of each of these answers that exists, the name of its model and when it was made."""
    own = select(ANSWERS.c.id, ANSWERS.c.model, ANSWERS.c.made_at)
    query = own.where(ANSWERS.c.id.in_(sorted(set(answers))))
    return {row.id: (row.model, row.made_at) for row in connection.execute(query)}


def first_made(connection: Connection) -> str:
    """When the first answer was made; empty without one."""
    return connection.scalar(select(func.min(ANSWERS.c.made_at))) or ""


def newest_answers(
    connection: Connection, limit: int, patient_key: str = "", states: Sequence[str] = ()
) -> list[StoredAnswer]:
    """The newest answers, of one patient or with one of these states where given."""
    query = select(ANSWERS).order_by(desc(ANSWERS.c.made_at)).limit(limit)
    if patient_key:
        query = query.where(ANSWERS.c.patient_key == patient_key)
    if states:
        query = query.where(ANSWERS.c.state.in_(states))
    return [_to_answer(row) for row in connection.execute(query)]


def newest_of_version(connection: Connection, digest: str) -> StoredAnswer | None:
    """The newest answer of one version of a model that is still kept whole."""
    query = select(ANSWERS).where(ANSWERS.c.digest == digest, ANSWERS.c.body.is_not(None))
    row = connection.execute(query.order_by(desc(ANSWERS.c.made_at)).limit(1)).first()
    return None if row is None else _to_answer(row)


def _to_answer(row: Row[Any]) -> StoredAnswer:
    return StoredAnswer(**row._mapping)
