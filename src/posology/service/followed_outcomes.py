"""Outcomes as they arrive, each with the answer that it followed and what was then done."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from sqlalchemy import Connection, desc, exists, false, or_, select

from posology.domain.codes import has_prefix
from posology.domain.formulary import is_in_range
from posology.domain.safety import is_within
from posology.domain.study import Study
from posology.service.store.answers import in_parts
from posology.service.store.tables import ANSWERS, DECISIONS, OUTCOMES
from posology.service.work import unpack

AdviceOf: TypeAlias = Callable[[Connection, Any], Mapping[str, Any] | None]
MOST_READ = 600
"""Newest outcomes that a page looks at."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """One probability, and whether it came true."""

    patient: str
    probability: float
    came_true: bool


@dataclass(frozen=True, slots=True)
class DoseError:
    """A dose that was advised, and the one that turned out right."""

    patient: str
    advised: float
    right: float
    planned: bool | None
    """Whether the right dose lay in the interval to plan for; None without one."""


@dataclass(slots=True)
class Followed:
    """What became of the patients of one model's answers."""

    predictions: list[Prediction]
    doses: list[DoseError]
    unlinked: int = 0
    """Patients whose answer does not predict their outcome, or was erased."""


def advice_of_answer(_connection: Connection, answer: Any) -> Mapping[str, Any] | None:
    """What the answer advised; None after its retention."""
    return None if answer.body is None else unpack(answer.body)["recommendation"]


def read_followed(
    connection: Connection, model: str, study: Study, advice_of: AdviceOf = advice_of_answer
) -> Followed:
    """The outcomes of a model's answers: the last version of each, the newest of a patient.

    Args:
        advice_of: the advice to be judged for a row of ANSWERS; None if it is not known.
    """
    rows = newest_versions(connection, study.outcome.codes)
    answers = answers_of(connection, rows, model)
    given = _given(connection, {answer.id for answer in answers.values()})
    found = Followed([], [])
    seen: set[str] = set()
    for row in rows:
        answer = answers.get(row.number)
        if answer is None:
            continue  # of another model, or of a patient of whom nobody asked
        advice = advice_of(connection, answer)
        if advice is None:
            found.unlinked += 1
            continue
        patient = answer.patient_key or answer.id
        if patient in seen:
            continue
        seen.add(patient)
        before = len(found.predictions) + len(found.doses)
        if study.outcome.kind == "dose_class":
            _follow_dose(found, patient, advice, row.value, study)
        else:
            _follow_choice(found, patient, advice, (row.value, given.get(answer.id, "")), study)
        found.unlinked += before == len(found.predictions) + len(found.doses)
    return found


def newest_versions(
    connection: Connection, codes: Sequence[str], most: int = MOST_READ
) -> list[Any]:
    """The last version of each of the newest outcomes with any of the codes (prefixes)."""
    later = OUTCOMES.alias()
    is_corrected = exists().where(
        later.c.key == OUTCOMES.c.key, later.c.version > OUTCOMES.c.version
    )
    fitting = (OUTCOMES.c.code.startswith(code, autoescape=True) for code in codes)
    query = (
        select(OUTCOMES)
        .where(or_(false(), *fitting), ~is_corrected)
        .order_by(desc(OUTCOMES.c.number))
    )
    rows = connection.execute(query.limit(most))
    return [row for row in rows if any(has_prefix(row.code, code) for code in codes)]


def answers_of(connection: Connection, outcomes: Sequence[Any], model: str) -> dict[int, Any]:
    """Of each outcome (its number) the answer that it followed, as a row with its body."""
    wanted = answer_ids(connection, outcomes, model)
    by_id: dict[str, Any] = {}
    for some in in_parts(set(wanted.values())):
        query = select(ANSWERS.c.id, ANSWERS.c.patient_key, ANSWERS.c.body)
        by_id |= {row.id: row for row in connection.execute(query.where(ANSWERS.c.id.in_(some)))}
    return {number: by_id[answer] for number, answer in wanted.items()}


def answer_ids(connection: Connection, outcomes: Sequence[Any], model: str) -> dict[int, str]:
    """Of each outcome (its number) the model's answer that its sender names; else its patient's
    last one before the observation. A few queries for all of them."""
    patients = {row.patient_key for row in outcomes if row.patient_key and not row.answer}
    made: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for some in in_parts(patients):
        own = select(ANSWERS.c.patient_key, ANSWERS.c.made_at, ANSWERS.c.id)
        own = own.where(ANSWERS.c.model == model, ANSWERS.c.patient_key.in_(some))
        for patient, made_at, answer in connection.execute(own.order_by(ANSWERS.c.made_at)):
            made[patient].append((made_at, answer))
    wanted = {row.number: row.answer or _last_before(made, row) for row in outcomes}
    known: set[str] = set()
    for some in in_parts(set(wanted.values()) - {""}):
        query = select(ANSWERS.c.id).where(ANSWERS.c.model == model, ANSWERS.c.id.in_(some))
        known.update(connection.scalars(query))
    return {number: answer for number, answer in wanted.items() if answer in known}


def _last_before(made: Mapping[str, list[tuple[str, str]]], outcome: Any) -> str:
    """The patient's last answer made by the time of the observation; empty without one."""
    before = [
        answer for at, answer in made.get(outcome.patient_key, ()) if at <= outcome.observed_at
    ]
    return before[-1] if before else ""


def _given(connection: Connection, answers: Collection[str]) -> dict[str, str]:
    """The option that was given after each answer, where somebody recorded it; the last one."""
    query = select(DECISIONS.c.answer, DECISIONS.c.option).where(DECISIONS.c.answer.in_(answers))
    return {
        row.answer: row.option for row in connection.execute(query.order_by(DECISIONS.c.number))
    }


def _follow_dose(
    found: Followed, patient: str, advice: Mapping[str, Any], right: float | None, study: Study
) -> None:
    if right is None:
        return
    dose = advice["dose"]
    if dose is not None:
        plan = dose["plan_for"]
        planned = None if plan is None else plan[0] <= right <= plan[1]
        found.doses.append(DoseError(patient, dose["dose"], right, planned))
    ranges = {t.name: t.dose for t in study.formulary.treatments}
    for option in advice["options"]:
        span = ranges.get(option["name"])
        if option["outcome"] is not None and span is not None:
            share = option["outcome"]["value"] / 100
            came_true = bool(is_in_range(np.array([right]), span)[0])
            found.predictions.append(Prediction(patient, share, came_true))


def _follow_choice(
    found: Followed,
    patient: str,
    advice: Mapping[str, Any],
    outcome: tuple[float | None, str],
    study: Study,
) -> None:
    """outcome: the number that was sent, and the option that was given."""
    value, given = outcome
    came_true = is_effective(value, study)
    if came_true is None or advice["unit"]:
        return
    for option in advice["options"]:
        if option["name"] == given and option["outcome"] is not None:
            share = option["outcome"]["value"] / 100
            found.predictions.append(Prediction(patient, share, came_true))


def is_effective(value: float | None, study: Study) -> bool | None:
    """Whether the goal was reached; None where one number does not say so."""
    kind = study.outcome.kind
    if kind in ("occurs", "does_not_occur"):  # 0 says that it did not happen
        return (value != 0) == (kind == "occurs")
    if kind == "value_in_range" and study.outcome.range is not None and value is not None:
        return bool(is_within(np.array([value]), study.outcome.range)[0])
    return None
