"""The facts of one patient as they are recorded, and the advice if some of them were others."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from posology.advice.form.field import Field
from posology.advice.form.moments import parse_decision
from posology.advice.form.reading import read_filled_form, read_records
from posology.advice.form.values import NOT_KNOWN
from posology.artifact import Artifact
from posology.domain.codes import has_prefix
from posology.domain.formulas.ages import completed_years
from posology.errors import RecordError
from posology.workflows.patient import Patient, form_of, read_given
from posology.workflows.recommend import RecommendResult, recommend

_BEFORE = datetime.datetime(1, 1, 1)  # noqa: DTZ001 - MEDS times have no zone


@dataclass(frozen=True, slots=True)
class FactValue:
    """One field of the patient's form, and what the record holds."""

    field: Field
    value: str
    """As the form writes it: a number in the field's unit, a word; empty if not recorded."""
    time: datetime.datetime | None = None
    """Since when it is known; None for a fact without a date."""
    others: tuple[str, ...] = ()
    """Other choices that the record holds of a field with several."""


@dataclass(frozen=True, slots=True, eq=False)
class PatientFacts:
    """What one patient's record holds at a decision."""

    events: pa.Table
    """Events that the model uses, in the MEDS schema, up to the decision."""
    decision: datetime.datetime
    values: tuple[FactValue, ...]
    """One a listed field, in the form's order."""
    unknown: tuple[str, ...] = ()
    """Prefixes of needed facts of which the form says that they are not known."""


def read_facts(model: Artifact, patient: Patient, at: str | None = None) -> PatientFacts:
    """The facts of a patient, from a form or from records."""
    form = form_of(model)
    now = datetime.datetime.now(datetime.UTC)
    today = datetime.datetime(now.year, now.month, now.day)  # noqa: DTZ001 - MEDS times have no zone
    given = read_given(patient)
    if isinstance(given, dict):
        body = given if at is None else given | {"decision": at}
        events, reading = read_filled_form(body, form, "patient", today)
    else:
        moment = None if at is None else parse_decision(at, "at", today)
        events, reading = read_records(given[0], form, "patient", today, moment)
    decision = datetime.datetime.fromisoformat(reading.decision)
    fields = [field for field in form.fields if field.is_listed]
    values = tuple(
        replace(value, value=NOT_KNOWN)
        if not value.value and any(has_prefix(value.field.stem, c) for c in reading.unknown)
        else value
        for value in (_value(field, events, decision) for field in fields)
    )
    return PatientFacts(events, decision, values, reading.unknown)


def what_if(
    model: Artifact, patient: Patient, changes: Mapping[str, str], at: str | None = None
) -> RecommendResult:
    """Advice for the patient if facts were others; the record itself is not changed.

    Args:
        changes: of each field's name, the value as the form writes it; empty for not recorded. The
            last number of a field is replaced, and the choice that `read_facts` shows; other events
            stay, and so do a field's other choices where there may be several.
        at: date of the decision, as for `recommend`.
    """
    facts = read_facts(model, patient, at)
    known = {fact.field.name: fact for fact in facts.values}
    unknown = [name for name in changes if name not in known]
    if unknown:
        raise RecordError(f"what if: `{unknown[0]}` is not a fact of this model.")
    events = facts.events
    stated = {known[name].field.stem for name, value in changes.items() if value != NOT_KNOWN}
    unknown = [code for code in facts.unknown if not any(has_prefix(stem, code) for stem in stated)]
    for name, value in changes.items():
        events = _without(events, known[name])
        if value == NOT_KNOWN:
            unknown.append(known[name].field.stem)
        elif value and _has_event(known[name].field, value):
            events = pa.concat_tables([events, _changed(model, facts, known[name], value)])
    has_time = pc.is_valid(events["time"])
    undated, dated = events.filter(pc.invert(has_time)), events.filter(has_time)
    ordered = pa.concat_tables([undated, dated.sort_by("time")])
    return recommend(model, ordered, facts.decision.isoformat(), unknown=tuple(unknown))


def _has_event(field: Field, value: str) -> bool:
    """Whether the value stands in records; `no` may be that nothing does."""
    return field.kind != "yes_no" or bool(dict(field.choices).get(value, value))


def _changed(model: Artifact, facts: PatientFacts, fact: FactValue, value: str) -> pa.Table:
    """The event that a changed fact becomes, dated as the one that it replaces."""
    body = {"facts": {fact.field.name: value}, "decision": facts.decision.isoformat()}
    if fact.time is not None and fact.field.kind != "age":
        dated = {"value": value, "date": fact.time.isoformat()}
        body["facts"] = {fact.field.name: dated}
    form = replace(form_of(model), required=())
    table, _ = read_filled_form(body, form, "what if", facts.decision)
    if facts.events.num_rows:
        subject = pa.array([facts.events["subject_id"][0].as_py()] * table.num_rows, pa.int64())
        table = table.set_column(0, table.schema.field(0), subject)
    return table.cast(facts.events.schema)


def _codes(field: Field) -> tuple[str, ...]:
    return tuple(code for _, code in field.choices if code) or (field.stem,)


def _rows(field: Field, events: pa.Table) -> list[int]:
    """Rows of the events of a field, the oldest first."""
    codes = set(_codes(field))
    has_words = bool(field.choices)
    names, times = events["code"].to_pylist(), events["time"].to_pylist()
    rows = [
        row
        for row, code in enumerate(names)
        if code in codes or (has_words and field.kind == "choice" and has_prefix(code, field.stem))
    ]
    return sorted(rows, key=lambda row: times[row] or _BEFORE)


def _without(events: pa.Table, fact: FactValue) -> pa.Table:
    """The events without the value that is shown of the field."""
    rows = _rows(fact.field, events)
    shows_last = fact.field.kind == "number" or fact.field.several
    gone = set(rows[-1:] if shows_last else rows)
    keep = [row for row in range(events.num_rows) if row not in gone]
    return events.take(pa.array(keep, pa.int64()))


def _value(field: Field, events: pa.Table, decision: datetime.datetime) -> FactValue:
    rows = _rows(field, events)
    if not rows:
        return FactValue(field, "")
    event = events.slice(rows[-1], 1).to_pylist()[0]
    time, number = event["time"], event["numeric_value"]
    if field.kind == "age":
        return FactValue(field, _age(field, number, time, decision), time)
    if number is not None:
        return FactValue(field, f"{number:.6g}", time)
    words = {code: word for word, code in field.choices}
    shown = words.get(event["code"], "")
    codes = events["code"].to_pylist()
    others = [words.get(codes[row], "") for row in rows[:-1]] if field.several else []
    named = tuple(dict.fromkeys(word for word in others if word not in ("", shown)))
    return FactValue(field, shown, time, named)


def _age(
    field: Field, number: float | None, time: datetime.datetime | None, now: datetime.datetime
) -> str:
    if field.age_as == "decades" and number is not None:
        return f"{10 * number:.0f}-{10 * number + 9:.0f}"
    if number is not None:
        return f"{number:.6g}"
    return "" if time is None else str(completed_years(time, now))
