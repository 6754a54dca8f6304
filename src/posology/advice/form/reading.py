"""One patient for a policy: from a form or from records to events, and what must be said first."""

import datetime
from dataclasses import replace
from typing import Any

import pyarrow as pa

from posology.advice.form.build import BIRTH
from posology.advice.form.contradictions import check_records, statements_of
from posology.advice.form.entries import read_table, to_events
from posology.advice.form.field import Form
from posology.advice.form.known import age_span, known_facts
from posology.advice.form.moments import check_early, day_words
from posology.advice.form.patient_reading import PatientReading
from posology.advice.form.read import read_form
from posology.advice.form.standard_facts import add_standard_facts
from posology.advice.form.timing import align_times
from posology.advice.form.unit_names import decade_words, plain_unit, unit_words
from posology.advice.form.values import NOT_KNOWN, Entry, nearest_choice
from posology.advice.wording.fact_names import beyond_words, fact_name
from posology.domain.codes import display_name, has_prefix
from posology.errors import RecordError
from posology.language.catalogue import tr, tr_count
from posology.language.numbers import number
from posology.records.sources.patient_json import check_events

_MOST_NAMED = 12
"""Facts named in full where records hold many that a model does not know."""


def read_filled_form(
    body: object, form: Form, source: str, today: datetime.datetime
) -> tuple[pa.Table, PatientReading]:
    """The events of a filled-in form. RecordError names the field, its value and the mend."""
    content = read_form(body, form, source, today)
    table, reading = _read(content.entries, form, (content.decision, source), content.unknown)
    return table, replace(reading, assumed=(*content.contradictions, *reading.assumed))


def event_times(
    body: dict[str, Any], form: Form, today: datetime.datetime
) -> list[datetime.datetime | None]:
    """The time of each of a form's `events`, as the history has it; None of a static one."""
    content = read_form(body, form, "patient", today)
    aligned, _ = align_times(content.entries, content.decision, "patient")
    return [entry.time for entry in aligned[len(aligned) - len(body.get("events") or ()) :]]


def read_records(
    events: pa.Table,
    form: Form,
    source: str,
    today: datetime.datetime,
    at: datetime.datetime | None = None,
    unknown: tuple[str, ...] = (),
) -> tuple[pa.Table, PatientReading]:
    """The events of one patient's records that the model uses, in the form of its training.

    Args:
        at: the decision; nothing after it is visible. A day without a time is the whole day. By
            default the decision is at the last event that is not the birth; today if none is.
        unknown: prefixes of facts of which is stated that they are not known.
    """
    later, events = 0, check_events(events, source)
    _check_ahead(events, at or today, source, has_decision=at is not None)
    if at is not None:
        events, later = _known_by(events, at, source)
    entries = read_table(events, form, source)
    times = [entry.time for entry in entries if entry.time is not None]
    later_than_birth = [
        entry.time
        for entry in entries
        if entry.time is not None and BIRTH not in (entry.code, entry.unknown)
    ]
    decision = max(later_than_birth, default=today) if at is None else max([at, *times])
    if at is None:
        check_early(decision, f"{source}: its newest event (give the decision's date with --at)")
    subject = events["subject_id"][0].as_py() if events.num_rows else 0
    table, reading = _read(entries, form, (decision, source), unknown, subject)
    contradictions = check_records(statements_of(entries))
    later_words = _later_words(later, decision)
    return table, replace(reading, assumed=(*contradictions, *later_words, *reading.assumed))


def _check_ahead(
    events: pa.Table, moment: datetime.datetime, source: str, has_decision: bool
) -> None:
    """RecordError for a birth after the decision, or an event after today that would decide it."""
    codes, times = events["code"].to_pylist(), events["time"].to_pylist()
    for code, time in zip(codes, times, strict=True):
        if time is None or time.date() <= moment.date():
            continue
        if code == BIRTH:
            text = tr(
                "the date of birth, {day}, lies after the decision, {decision}; correct one of the "
                "two."
            ).format(day=day_words(time), decision=day_words(moment))
            raise RecordError(f"{source}: {text}")
        if not has_decision:
            raise RecordError(
                f"{source}: an event of {day_words(time)} lies after today, {day_words(moment)}; "
                "correct its date, or give the date of the decision (--at)."
            )


def _known_by(events: pa.Table, at: datetime.datetime, source: str) -> tuple[pa.Table, int]:
    """The events that are known by the decision, and how many are later."""
    is_day = (at.hour, at.minute, at.second) == (0, 0, 0)
    end = at + datetime.timedelta(days=1) - datetime.timedelta(microseconds=1) if is_day else at
    times = events["time"].to_pylist()
    visible = [time is None or time <= end for time in times]
    dated = [time for time in times if time is not None]
    if dated and min(dated) > end:
        raise RecordError(
            f"{source}: its first event is of {day_words(min(dated))}, after the decision, "
            f"{day_words(at)}; give a later date with --at."
        )
    return events.filter(pa.array(visible, pa.bool_())), visible.count(False)


def _later_words(count: int, decision: datetime.datetime) -> tuple[str, ...]:
    if not count:
        return ()
    text = tr_count(
        "{count} event lies after the decision, {day}, and was not read.",
        "{count} events lie after the decision, {day}, and were not read.",
        count,
    )
    return (text.format(count=number(f"{count:,}"), day=day_words(decision)),)


def _read(
    entries: list[Entry],
    form: Form,
    place: tuple[datetime.datetime, str],
    unknown: tuple[str, ...],
    subject: int | None = None,
) -> tuple[pa.Table, PatientReading]:
    """place: the moment of the decision, and what errors begin with."""
    decision, source = place
    entries = add_standard_facts(entries, form, decision, source)
    aligned, assumed = align_times(entries, decision, source)
    lacking = _lacking(aligned, form)
    stated = _stated_unknown(lacking, form, unknown)
    required = _missing_required([one for one in lacking if one[0] not in stated], form)
    not_used = _not_used(aligned, form, from_records=subject is not None)
    if not any(entry.code for entry in aligned):
        text = tr("the policy knows none of its facts ({facts}); compare `posology template`.")
        raise RecordError(f"{source}: {text.format(facts=' '.join(not_used[:3]))}")
    known = known_facts(aligned, form, decision)
    reading = PatientReading(
        not_used=not_used,
        unread=_unread(aligned),
        beyond=_beyond(aligned),
        assumed=assumed,
        known=known,
        required=required,
        unknown=stated,
        age=age_span(aligned, decision),
        decision=decision.isoformat(),
    )
    if subject is None:  # a fact that is named twice is one event
        aligned = list(dict.fromkeys(aligned))
        return to_events(aligned), reading
    return to_events(aligned, subject), reading


def _unread(entries: list[Entry]) -> tuple[str, ...]:
    """Codes of the values that are not used: of a form by its field, of records as they are."""
    unused = [entry for entry in entries if not entry.code and entry.unknown]
    return tuple(
        entry.unknown if entry.field.kind == "event" else f"{entry.field.stem}//{entry.unknown}"
        for entry in unused
    )


def _lacking(entries: list[Entry], form: Form) -> list[tuple[str, str, str]]:
    """Code, name and reason of each needed fact that is missing or was not understood."""
    missing = []
    for code, name in form.required:
        if any(has_prefix(entry.code, code) for entry in entries if entry.code):
            continue
        unread = [e for e in entries if e.unknown and has_prefix(e.field.stem, code)]
        is_unread = _why_unread(unread[0]) if unread else ""
        missing.append((code, name.partition(", ")[0], is_unread or tr("is not recorded")))
    return missing


def _stated_unknown(
    lacking: list[tuple[str, str, str]], form: Form, unknown: tuple[str, ...]
) -> tuple[str, ...]:
    """The codes of the missing facts that may be stated as not known, and are."""
    return tuple(
        code
        for code, _, _ in lacking
        if code in form.may_be_unknown
        and any(has_prefix(stem, code) or has_prefix(code, stem) for stem in unknown)
    )


def _missing_required(missing: list[tuple[str, str, str]], form: Form) -> tuple[str, ...]:
    """Why there is no answer yet: a sentence on the first missing fact, then what it means."""
    if not missing:
        return ()
    (code, name, why), *others = missing
    needed = tr("The study needs it.")
    if others:
        facts = ", ".join(fact_name(other) for _, other, _ in others)
        needed = tr("The study needs it, and also {facts}.").format(facts=facts)
    if code in form.may_be_unknown:
        text = tr("Where nobody can tell it, the form may say “{word}”.")
        needed = f"{needed} {text.format(word=tr(NOT_KNOWN))}"
    head = tr("No answer yet: {fact} {why}.")
    return head.format(fact=fact_name(name), why=why), needed


def _why_unread(entry: Entry) -> str:
    text = tr("is given as {value}, which the model does not know")
    return entry.why or text.format(value=repr(entry.unknown))


def _not_used(entries: list[Entry], form: Form, from_records: bool) -> tuple[str, ...]:
    """A sentence for each fact that is not used. Of records, only those of the study's families."""
    sentences: dict[str, None] = {}
    others = 0
    for entry in entries:
        if entry.code:
            continue
        is_feature = any(has_prefix(entry.unknown, family) for family in form.families)
        is_named = is_feature or (entry.why and entry.field.kind != "event")
        if from_records and not is_named:
            others += 1
            continue
        sentences[_sentence(entry, form)] = None
    shown = list(sentences)
    if from_records and len(shown) > _MOST_NAMED:
        shown = [
            *shown[:_MOST_NAMED],
            tr("And {count} more that it does not know.").format(count=len(shown) - _MOST_NAMED),
        ]
    if others:
        text = tr_count(
            "{count} other event of the records is no fact of this study.",
            "{count} other events of the records are no facts of this study.",
            others,
        )
        shown.append(text.format(count=others))
    return tuple(shown)


def _sentence(entry: Entry, form: Form) -> str:
    field = entry.field
    if entry.why and field.kind != "event":
        unit = tr("send it with its unit, such as {unit}").format(unit=unit_words(field.unit))
        return tr("Given but not used: {fact}. It {why}; {mend}.").format(
            fact=fact_name(field.name), why=entry.why, mend=entry.mend or unit
        )
    if field.kind == "event":
        name = fact_name(display_name(entry.unknown, form.names))
        text = tr("Given but not used: {fact}. The model does not know it.")
        return text.format(fact=name)
    if field.kind == "yes_no":
        return tr(
            "Given but not used: {fact} {value}. No patient that the model learned from had this "
            "value."
        ).format(fact=fact_name(field.name), value=entry.unknown)
    near = nearest_choice(field, entry.unknown)
    text = tr("Given but not used: {fact} {value}. The model does not know this value.")
    text = text.format(fact=fact_name(field.name), value=entry.unknown)
    return f"{text} {tr('Did you mean {value}?').format(value=near)}" if near else text


def _beyond(entries: list[Entry]) -> tuple[str, ...]:
    """A sentence for each number beyond what fewer than five training patients had."""
    sentences: dict[str, None] = {}
    for entry in entries:
        value, seen = entry.value, entry.field.seen
        if value is None or not entry.code or seen.contains(value):
            continue
        too_high = seen.high is not None and value > seen.high
        bound = seen.high if too_high else seen.low
        if bound is None:
            continue
        name = fact_name(entry.field.name)
        size = _age_or_size(entry, value, entry.years)
        limit = _age_or_size(entry, bound, None)
        fact = f"{name[0].upper()}{name[1:]} {size}"
        sentences[beyond_words(too_high).format(fact=fact, bound=limit)] = None
    return tuple(sentences)


def _age_or_size(entry: Entry, value: float, years: tuple[float, float] | None) -> str:
    """A number with its unit; a decade of age as years, exact where they are known."""
    if entry.field.age_as != "decades":
        return f"{number(f'{value:g}')} {plain_unit(entry.field.unit)}".strip()
    if years is None or years[0] != years[1]:
        return decade_words(value)
    return tr("{years} years").format(years=number(f"{years[0]:g}"))
