"""Facts that were sent under standard codes, as the facts of the model's form.

The one place where a date of birth becomes an age and a coded result a fact: forms, MEDS events,
FHIR Bundles and calls of record systems all pass through here.
"""

import datetime
from collections.abc import Sequence

from posology.advice.form.entries import field_of_code
from posology.advice.form.field import STATIC, Field, Form
from posology.advice.form.moments import day_words
from posology.advice.form.unit_names import needs_unit, unread_unit, without_unit
from posology.advice.form.values import Entry, check_limits, decade_of
from posology.domain.formulas.ages import completed_years
from posology.domain.standard_facts import CODE, NUMBER, StandardFact
from posology.errors import RecordError
from posology.language.catalogue import deferred, tr
from posology.records.pipeline.units import convert_number, plausible_limits

FROM_BIRTH = deferred("from the date of birth")
_BEFORE = datetime.datetime(1, 1, 1)  # noqa: DTZ001 - MEDS times have no zone


def add_standard_facts(
    entries: Sequence[Entry], form: Form, decision: datetime.datetime, source: str
) -> list[Entry]:
    """The entries with the facts found under standard codes, and why others were not taken.

    A fact that is given itself is left as it is. RecordError if a number cannot be right.
    """
    found = [_with_age(entry, decision, source) for entry in entries]
    fields = field_of_code(form)
    for spec in form.standard:
        field = fields.get(spec.fact)
        sent = [e for e in found if spec.is_sent_as(e.unknown or e.code)]
        if field is None or not sent or any(fields.get(e.code) is field for e in found if e.code):
            continue
        recent = [e for e in sent if _is_recent(e, spec, decision)]
        if not recent:
            found.append(_too_old(field, sent, spec))
        elif spec.how == NUMBER:
            found += _numbers(field, recent, source)
        elif spec.how == CODE:
            found.append(_coded(field, spec, recent))
        else:
            births = [e.time for e in recent if e.time is not None]
            place = f"{source}: date of birth"
            found += [_age(field, spec.fact, b, (decision, place)) for b in births[:1]]
        used = {id(entry) for entry in sent if not entry.code}
        found = [entry for entry in found if id(entry) not in used]
    return found


def _with_age(entry: Entry, decision: datetime.datetime, source: str) -> Entry:
    """The entry itself; of an age for which a date of birth was written, the age.

    RecordError where nobody is as old as the date of birth says.
    """
    field, place = entry.field, f"{source}: `{entry.field.name}`"
    if field.kind != "age" or entry.value is not None or entry.time is None:
        return entry
    if field.age_as != "birth":
        return _age(field, entry.code, entry.time, (decision, place))
    if entry.age is None and entry.time <= decision:
        check_limits(field, float(completed_years(entry.time, decision)), place)
    return entry


def _age(
    field: Field, code: str, birth: datetime.datetime, at: tuple[datetime.datetime, str]
) -> Entry:
    """The age at the decision; `at`: that moment, and the place for errors."""
    decision, place = at
    years = float(completed_years(birth, decision))
    if birth > decision:
        text = tr("{day} lies after the decision, {decision}; correct one of the two.")
        text = text.format(day=day_words(birth), decision=day_words(decision))
        raise RecordError(f"{place}: {text}")
    check_limits(field, years, place)
    value = decade_of(field, years, years, place) if field.age_as == "decades" else years
    return Entry(field, code, value, years=(years, years), origin=tr(FROM_BIRTH))


def _is_recent(entry: Entry, spec: StandardFact, decision: datetime.datetime) -> bool:
    if spec.within_days is None or entry.time is None:
        return True
    return decision - entry.time <= datetime.timedelta(days=spec.within_days)


def _too_old(field: Field, sent: Sequence[Entry], spec: StandardFact) -> Entry:
    last = max(sent, key=_time)
    why = tr("is of {day}, older than {days} days").format(
        day=day_words(_time(last)), days=f"{spec.within_days or 0.0:g}"
    )
    unknown = last.unknown or last.code
    return Entry(field, "", last.value, unknown=unknown, why=why, mend=tr("give a newer one"))


def _numbers(field: Field, sent: Sequence[Entry], source: str) -> list[Entry]:
    """The numbers in the field's unit: all of a series, else the latest."""
    known = [entry for entry in sent if entry.value is not None]
    known = sorted(known, key=_time)
    found = []
    for entry in known[-1:] if field.timing == STATIC else known:
        assert entry.value is not None
        code, sent_unit = entry.unknown or entry.code, entry.field.unit
        is_needed = bool(entry.why) or needs_unit(field.unit, code)
        unit = sent_unit or ("" if is_needed else plausible_limits(code)[0]) or ""
        number = convert_number(entry.value, (unit, field.unit), code) if unit else None
        if number is None:
            why = unread_unit(sent_unit, field.unit) if sent_unit else without_unit(entry.value)
            found.append(Entry(field, "", entry.value, unknown=code, why=why))
            continue
        number = check_limits(field, number, f"{source}: `{field.name}`")
        time = None if field.timing == STATIC else entry.time
        found.append(Entry(field, field.stem, number, time, origin=_origin(entry)))
    return found


def _coded(field: Field, spec: StandardFact, sent: Sequence[Entry]) -> Entry:
    last = max(sent, key=_time)
    time = None if field.timing == STATIC else last.time
    return Entry(field, spec.fact, None, time, origin=_origin(last))


def _time(entry: Entry) -> datetime.datetime:
    return entry.time or _BEFORE


def _origin(entry: Entry) -> str:
    """`from LOINC 29463-7 of 03-Mar-2026`."""
    code = " ".join((entry.unknown or entry.code).split("//")[1:3])
    if entry.time is None:
        return tr("from {code}").format(code=code)
    return tr("from {code} of {day}").format(code=code, day=day_words(entry.time))
