"""Read a filled-in form as the events that training would have had, or say what to mend."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from posology.advice.form.contradictions import Statement, check_form, statements_of
from posology.advice.form.entries import field_of_code, read_event
from posology.advice.form.field import Field, Form, Limits, normalise
from posology.advice.form.moments import day_words, parse_decision, parse_moment, settle_dates
from posology.advice.form.values import Entry, is_not_known, is_range, read_value
from posology.errors import RecordError
from posology.language.catalogue import tr

KEYS = ("posology", "study", "how", "fields", "choices", "decision", "facts", "events", "schema")
"""Keys of a form, in the order of a blank one."""
_OLD_KEYS = ("about", "model")
_DECADES = Limits(0.0, 12.0)


@dataclass(frozen=True, slots=True)
class FormContent:
    """What a filled-in form says."""

    entries: list[Entry]
    decision: datetime.datetime
    contradictions: tuple[str, ...]
    """Sentences on what the form's events contradict."""
    unknown: tuple[str, ...]
    """Stems of the fields of which it says in words that they are not known."""


def read_form(body: object, form: Form, source: str, today: datetime.datetime) -> FormContent:
    """What the form says. RecordError starts with `source`."""
    if not isinstance(body, dict) or not isinstance(body.get("facts"), dict):
        raise RecordError(
            f'{source}: has no "facts" object; write one with `posology template MODEL`.'
        )
    _check_keys(body, form, source)
    moment = _stated_moment(body.get("decision"), today, source)
    entries, statements, unknown = _facts(body["facts"], form, moment, source)
    events = body.get("events") or []
    if not isinstance(events, list):
        raise RecordError(f'{source}: "events" is {events!r}; write a list of objects.')
    by_code = field_of_code(form)
    for number, event in enumerate(events, start=1):
        entry = read_event(settle_dates(event, moment), by_code, f"{source}: event {number}")
        entries.append(entry)
        statements += statements_of([entry])
    contradictions = check_form(statements, source)
    if not entries:
        raise RecordError(
            f"{source}: nothing is known of this patient (every fact is null); fill in at least "
            "one."
        )
    decision = _decision(body.get("decision"), entries, today, source)
    return FormContent(entries, decision, contradictions, tuple(unknown))


def _check_keys(body: dict, form: Form, source: str) -> None:
    for key in body:
        if key not in KEYS + _OLD_KEYS:
            near = get_close_matches(str(key), KEYS, n=1, cutoff=0.6)
            hint = (
                f"did you mean `{near[0]}`?"
                if near
                else f'a file has {", ".join(KEYS)}, and facts stand inside "facts".'
            )
            raise RecordError(f"{source}: key `{key}` is unknown; {hint}")
    study = body.get("study")
    if study is not None and study != form.study:
        raise RecordError(
            f"{source}: was filled in for the study {study!r}, but this policy is of the study "
            f"{form.study!r}; write a form with `posology template MODEL`."
        )


def _facts(
    facts: dict[str, Any], form: Form, moment: datetime.datetime, source: str
) -> tuple[list[Entry], list[Statement], list[str]]:
    """The entries of the facts, what they state or deny, and stems of those stated not known.

    moment: the moment of the decision, as far as it is known before the facts.
    """
    fields, used = _fields_by_key(form), dict[str, str]()
    entries: list[Entry] = []
    statements: list[Statement] = []
    problems: list[str] = []
    unknown: list[str] = []
    for key, value in facts.items():
        try:
            field = fields.get(normalise(str(key)))
            if field is None:
                raise RecordError(_unknown_key(str(key), fields, form, source))
            if value is None:
                continue
            field = _range_field(field, value, form)
            value = settle_dates(value, moment, is_date_alone=field.kind == "yes_no")
            earlier = used.setdefault(field.stem, str(key))
            if earlier != str(key):
                raise RecordError(f"{source}: `{earlier}` and `{key}` are the same fact; keep one.")
            if is_not_known(field, value):
                unknown.append(field.stem)
                continue
            own = list(read_value(field, value, f"{source}: `{key}`"))
            denied = _denials(field, value, str(key))
        except RecordError as error:
            problems.append(str(error))
            continue
        entries += own
        statements += [*statements_of(own, str(key)), *denied]
    raise_all(problems, source)
    return entries, statements, unknown


def raise_all(problems: Sequence[str], source: str) -> None:
    """RecordError with everything that is wrong; nothing happens if nothing is."""
    if len(problems) == 1:
        raise RecordError(problems[0], (problems[0],))
    if problems:
        bare = [text.removeprefix(f"{source}: ") for text in problems]
        listed = " ".join(f"{text[:1].upper()}{text[1:]}" for text in bare)
        text = f"{source}: {len(problems)} things are to be mended. {listed}"
        raise RecordError(text, tuple(problems))


def _range_field(field: Field, value: Any, form: Form) -> Field:
    """The field of the fact's range, where a range is written for a number."""
    if field.kind != "number" or not is_range(value):
        return field
    ranges = (f for f in form.fields if f.stem == f"{field.stem}_RANGE" and f.kind == "choice")
    return next(ranges, field)


def _denials(field: Field, value: Any, key: str) -> list[Statement]:
    """What a no denies where the records have no event for it."""
    codes = dict(field.choices)
    if field.kind != "yes_no" or codes["no"]:
        return []
    items = value if isinstance(value, list) else [value]
    denied = []
    for item in items:
        if item in (None, "") or list(read_value(field, item, key)):
            continue
        when = item.get("date") or item.get("since") if isinstance(item, dict) else None
        time = None if when is None else parse_moment(when, key)
        denied.append(Statement(f"{key}: no", codes["yes"], is_denied=True, time=time))
    return denied


@lru_cache(maxsize=4)
def _fields_by_key(form: Form) -> dict[str, Field]:
    """Fields by name and, as the records write it, by code."""
    fields = {normalise(field.name): field for field in form.fields}
    for field in form.fields:
        as_recorded = field
        if field.age_as == "decades":
            as_recorded = replace(field, kind="number", unit="", limits=_DECADES)
        fields.setdefault(normalise(field.stem), as_recorded)
        if field.kind == "yes_no":
            code = dict(field.choices)["yes"]
            single = replace(field, stem=code, choices=(("yes", code), ("no", "")))
            fields.setdefault(normalise(code), single)
    return fields


def _unknown_key(key: str, fields: dict[str, Field], form: Form, source: str) -> str:
    near = get_close_matches(normalise(key), list(fields), n=1, cutoff=0.65)
    if near:
        hint = f"did you mean `{fields[near[0]].name}`?"
    else:
        names = [field.name for field in form.fields if field.is_listed]
        more = f" and {len(names) - 12} more" if len(names) > 12 else ""
        hint = f"the model's facts are {', '.join(names[:12])}{more}."
    return f"{source}: fact `{key}` is not one this model uses; {hint}"


def _decision(
    given: Any, entries: list[Entry], today: datetime.datetime, source: str
) -> datetime.datetime:
    """The moment of the decision: as given, else now; not before any fact of the same day."""
    moment = _stated_moment(given, today, source)
    times = [entry.time for entry in entries if entry.time is not None]
    same_day = [time for time in times if time.date() == moment.date()]
    if (moment.hour, moment.minute) == (0, 0):
        moment = max([moment, *same_day])
    late = [entry for entry in entries if entry.time is not None and entry.time > moment]
    if late and (given is not None or max(times) > moment + datetime.timedelta(days=1)):
        assert late[0].time is not None
        text = tr(
            "`{fact}` is of {day}, after the decision, {decision}; only what is known by then "
            'counts. Leave it out, or correct its date or "decision".'
        ).format(fact=late[0].field.name, day=day_words(late[0].time), decision=day_words(moment))
        raise RecordError(f"{source}: {text}")
    return moment


def _stated_moment(given: Any, today: datetime.datetime, source: str) -> datetime.datetime:
    return today if given is None else parse_decision(given, f"{source}: decision", today)
