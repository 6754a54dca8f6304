"""Outcomes of MEDS events into the service's store: each once, linked to its recommendation."""

import datetime
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection

from posology.domain.study import Study
from posology.errors import UserError
from posology.service.api.expected_outcomes import (
    ExpectedOutcome,
    expected_outcomes,
    find_expected,
    in_the_study_s_unit,
)
from posology.service.returning.linking import (
    UNKNOWN_WORD,
    GivenAnswer,
    answers_by_patient,
    link,
    what_became,
)
from posology.service.store import AuditEvent, OutcomeRecord, Store, append_event, save_outcome
from posology.service.store.clock import now, to_moment, to_text

SENDER = "posology outcomes add"
"""Who sent them, the same for every run: an outcome that was added before is known again."""
IMPOSSIBLE = "impossible_value"
_TOGETHER = 500
"""Outcomes in one transaction: of a killed run, each is kept whole or not at all."""


@dataclass(frozen=True, slots=True)
class Added:
    """What became of the outcomes of some events."""

    results: dict[str, int]
    """kept, corrected (the last version counts) and known (kept before)."""
    linked: dict[str, int]
    """accepted, overridden and unknown: what became of the recommendation each followed."""
    unlinked: dict[str, int]
    """Not kept, by reason."""
    missing: int
    """Answers whose window has ended, about patients of these events, without an outcome."""
    dry_run: bool

    def to_json(self) -> dict[str, Any]:
        """Every count."""
        return {name: getattr(self, name) for name in Added.__slots__}


@dataclass(frozen=True, slots=True)
class Question:
    """Whose outcomes are looked for."""

    model: str
    """Name under which it was served."""
    study: Study
    patient_key: Callable[[int], str]
    """What the store holds instead of a subject's id."""


def add_outcomes(store: Store, question: Question, events: pa.Table, dry_run: bool) -> Added:
    """Keep every outcome that followed an answer of the model; run again, it counts nothing twice.

    Args:
        store: of the service.
        question: the model, its study and how patients are keyed.
        events: of whole patients.
        dry_run: count, and keep nothing.
    """
    expected = expected_outcomes(question.study)
    keys = {s: question.patient_key(s) for s in pc.unique(events["subject_id"]).to_pylist()}
    answers = store.read_now(answers_by_patient, question.model, sorted(keys.values()))
    unlinked: Counter[str] = Counter()
    records: dict[str, OutcomeRecord] = {}
    for row in _outcome_rows(events, expected):
        found, key = find_expected(expected, row["code"]), keys[row["subject_id"]]
        assert found is not None
        made = link(answers.get(key, ()), row["observed_at"], _window(question.study, found))
        if not made.answer:
            unlinked[made.reason] += 1
            continue
        try:
            value = in_the_study_s_unit(row["numeric_value"], row["unit"] or "", found)
        except ValueError:
            unlinked[IMPOSSIBLE] += 1
            continue
        name = f"{SENDER}|{key}|{row['code']}|{row['observed_at']}"
        records[name] = OutcomeRecord(  # of two at one moment the last one stands
            name, row["code"], value, row["observed_at"], SENDER, key, made.answer
        )
    became = store.read_now(what_became, {one.answer for one in records.values()})
    linked = Counter(became.get(one.answer, UNKNOWN_WORD) for one in records.values())
    results = _keep(store, list(records.values()), dry_run)
    followed = {one.answer for one in records.values() if _is_outcome(expected, one.code)}
    missing = _without_outcome(answers, followed, question.study.outcome.within_days)
    return Added(dict(results), dict(linked), dict(unlinked), missing, dry_run)


def _outcome_rows(
    events: pa.Table, expected: tuple[ExpectedOutcome, ...]
) -> Iterator[dict[str, Any]]:
    """Dated events that the study names, with their time as the store writes it."""
    codes = pc.unique(events["code"]).to_pylist()
    wanted = [code for code in codes if find_expected(expected, code) is not None]
    kept = pc.is_in(events["code"], pa.array(wanted, pa.string()))
    for row in events.filter(kept).to_pylist():
        if row["time"] is None:
            continue
        moment = row["time"].replace(tzinfo=datetime.UTC)
        yield row | {"observed_at": to_text(moment), "unit": row.get("unit")}


def _window(study: Study, expected: ExpectedOutcome) -> float:
    """Days after an answer in which the outcome, the harm or what is forecast may come."""
    if expected.role not in ("harm", "forecast"):
        return study.outcome.within_days
    costs = (cost.within_days for cost in study.reward.costs if expected.code in cost.codes)
    targets = (*study.diagnosis, *study.time_to_event, *study.progression)
    forecasts = (one.within_days for one in targets if expected.code in one.codes)
    return max((*costs, *forecasts), default=study.outcome.within_days)


def _is_outcome(expected: tuple[ExpectedOutcome, ...], code: str) -> bool:
    found = find_expected(expected, code)
    return found is not None and found.role == "outcome"


def _keep(store: Store, records: list[OutcomeRecord], dry_run: bool) -> Counter[str]:
    results: Counter[str] = Counter()
    for start in range(0, len(records), _TOGETHER):
        some = records[start : start + _TOGETHER]
        if dry_run:
            with store.engines.writing.connect() as connection:
                results.update(save_outcome(connection, record) for record in some)
                connection.rollback()
        else:
            results.update(store.write_now(_save, store.key, some))
    return results


def _save(connection: Connection, key: bytes, records: list[OutcomeRecord]) -> list[str]:
    results = [save_outcome(connection, record) for record in records]
    for record, result in zip(records, results, strict=True):
        if result != "known":
            event = AuditEvent("outcome", SENDER, subject=record.answer, detail={"result": result})
            append_event(connection, key, event)
    return results


def _without_outcome(answers: dict[str, list[GivenAnswer]], followed: set[str], days: float) -> int:
    """Last answers of patients whose window is over, without an outcome."""
    moment, day = now(), datetime.timedelta(days=1)
    last = [of_patient[-1] for of_patient in answers.values()]
    over = [one.id for one in last if (moment - to_moment(one.made_at)) / day > days]
    return sum(answer not in followed for answer in over)


def served_name(names: list[str], wanted: str) -> str:
    """The name under which the model was served; UserError if it is none, or not clear."""
    if wanted in names:
        return wanted
    if not wanted and len(names) == 1:
        return names[0]
    known = ", ".join(names) or "none"
    raise UserError(f"--name {wanted or '(missing)'}: the store has answers of: {known}; name one.")
