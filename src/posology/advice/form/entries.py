"""Events of the records, one by one or as a table, as entries of the form."""

import datetime
from functools import lru_cache
from typing import Any

import pyarrow as pa

from posology.advice.form.field import DATED, EITHER, Field, Form
from posology.advice.form.moments import parse_moment
from posology.advice.form.unit_names import needs_unit, unread_unit, without_unit
from posology.advice.form.values import Entry, check_limits
from posology.domain.codes import display_name, has_prefix
from posology.domain.standard_facts import other_family
from posology.errors import RecordError
from posology.records.io.few_events import few_events
from posology.records.pipeline.units import convert_number
from posology.records.schema import EVENTS

SUBJECT = 1
"""Subject id of a patient in a form, which has no identifier."""
_EVENT_KEYS = ("code", "time", "value", "unit")


@lru_cache(maxsize=4)
def field_of_code(form: Form) -> dict[str, Field]:
    """The field of each code that the form uses."""
    fields: dict[str, Field] = {}
    for field in sorted(form.fields, key=lambda f: f.is_listed):
        codes = [code for _, code in field.choices if code] or [field.stem]
        fields.update(dict.fromkeys(codes, field))
    other = Field("", "", "event", timing=EITHER)
    for code in form.codes:
        if not code.startswith("FORMULA//"):
            fields.setdefault(code, other)
    return fields


def read_event(event: Any, by_code: dict[str, Field], place: str) -> Entry:
    """The entry of one object of `events`."""
    if not isinstance(event, dict) or not isinstance(event.get("code"), str):
        raise RecordError(f'{place}: needs a text "code", and optionally "time" and "value".')
    code = event["code"].strip()
    place = f"{place} ({code})"
    unknown = [key for key in event if key not in _EVENT_KEYS]
    if unknown:
        raise RecordError(
            f"{place}: key `{unknown[0]}` is unknown; an event has {', '.join(_EVENT_KEYS)}."
        )
    value, unit = event.get("value"), event.get("unit")
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise RecordError(f"{place}: value {value!r} is not a number.")
    if unit is not None and not isinstance(unit, str):
        raise RecordError(f"{place}: unit {unit!r} is not a text such as 'kg'.")
    time = None if event.get("time") is None else parse_moment(event["time"], f"{place}: time")
    return make_entry(code, (_float(value, place), unit), time, by_code, place)


def _float(value: int | float | None, place: str) -> float | None:
    try:
        return None if value is None else float(value)
    except OverflowError as error:
        raise RecordError(f"{place}: value {value} is too large for a number.") from error


def make_entry(
    code: str,
    number: tuple[float | None, str | None],
    time: datetime.datetime | None,
    by_code: dict[str, Field],
    place: str,
    unread: bool = False,
) -> Entry:
    """The entry of an event, its number checked and in the records' unit.

    unread: a number whose unit cannot be read is an entry that is not used, and says why; otherwise
    it is a RecordError.
    """
    value, unit = number
    field = by_code.get(code)
    if field is None and other_family(code) in by_code:
        code = other_family(code)
        field = by_code[code]
    if field is None:
        unknown = Field(code, code, "event", unit=unit or "", timing=DATED)
        why = without_unit(value) if unit == "" and value is not None else ""
        return Entry(unknown, "", value, time, unknown=code, why=why)
    if value is None:
        if field.kind == "number":
            raise RecordError(f"{place}: needs a number.")
        return Entry(field, code, None, time)
    if unread and not unit and unit is not None and needs_unit(field.unit, code):
        return Entry(field, "", value, time, unknown=code, why=without_unit(value))
    if unit and field.unit:
        converted = convert_number(value, (unit, field.unit), code)
        if converted is None and unread:
            return Entry(field, "", value, time, unknown=code, why=unread_unit(unit, field.unit))
        if converted is None:
            raise RecordError(f"{place}: unit {unit!r} cannot be converted to {field.unit}.")
        value = converted
    return Entry(field, code, _checked(field, value, place), time)


def _checked(field: Field, value: float, place: str) -> float:
    limits_of_records = field.kind == "number"
    unlimited = Field(field.name, field.stem, "number", unit=field.unit)
    return check_limits(field if limits_of_records else unlimited, value, place)


def read_table(events: pa.Table, form: Form, source: str) -> list[Entry]:
    """The entries of one patient's events, in the MEDS schema."""
    by_code = field_of_code(form)
    rows = events.select([n for n in EVENTS.names if n in events.column_names]).to_pylist()
    entries = []
    for row in rows:
        by_code = _with_safety(row["code"], by_code, form)
        field = by_code.get(row["code"])
        name = field.name if field and field.name else display_name(row["code"], form.names)
        place = f"{source}: `{name}`" + (f" of {row['time']:%d-%b-%Y}" if row["time"] else "")
        number = (row["numeric_value"], row.get("unit"))
        entries.append(make_entry(row["code"], number, row["time"], by_code, place, unread=True))
    return entries


def _with_safety(code: str, by_code: dict[str, Field], form: Form) -> dict[str, Field]:
    """The fields, with one for a code that only safety rules read."""
    if code in by_code or not any(has_prefix(code, prefix) for prefix in form.safety):
        return by_code
    similar = [by_code[p] for p in form.safety if has_prefix(code, p) and p in by_code]
    return by_code | {code: similar[0] if similar else Field("", "", "event", timing=EITHER)}


def to_events(entries: list[Entry], subject: int = SUBJECT) -> pa.Table:
    """The used entries as events."""
    used = [entry for entry in entries if entry.code]
    return few_events(
        subject,
        [entry.time for entry in used],
        [entry.code for entry in used],
        [entry.value for entry in used],
    )
