"""Give every fact the time it would have had in training, or say what is missing."""

import datetime
from collections.abc import Iterable
from dataclasses import replace

from posology.advice.form.field import DATED, STATIC, UNKNOWN, Field
from posology.advice.form.moments import day_words
from posology.advice.form.values import Entry
from posology.domain.formulas.ages import birth_of_age
from posology.errors import RecordError
from posology.language.catalogue import deferred, tr

RECENT_DAYS = 31.0
"""A fact without a date is taken as recorded at the decision if, in training, its median age was at
most this; an older one needs its date. Our choice."""

WITHOUT_DATE = deferred("Used without a date, as the training records have none: ")
NO_DATE = deferred("No date was given for ")
"""How the notes begin that say of which day a fact was taken to be; the fact itself is used."""


def align_times(
    entries: Iterable[Entry], decision: datetime.datetime, source: str
) -> tuple[list[Entry], tuple[str, ...]]:
    """The entries with the times that training would have given them, and what was assumed."""
    aligned: list[Entry] = []
    undated: dict[str, None] = {}
    unneeded: dict[str, None] = {}
    unknown = False
    for entry in entries:
        field, time = entry.field, entry.time
        if entry.age is not None:
            time = birth_of_age(entry.age, time or decision)
        elif time is None and field.timing == DATED and entry.code:
            _check_recent(field, source)
            time = decision
            undated[field.name] = None
        elif time is not None and field.timing == STATIC and entry.code:
            time = None
            unneeded[field.name] = None
        unknown |= time is None and field.timing == UNKNOWN
        aligned.append(replace(entry, time=time))
    notes = []
    if undated:
        text = tr("No date was given for {facts}: taken as recorded at the decision, {day}.")
        notes.append(text.format(facts=", ".join(undated), day=day_words(decision)))
    if unneeded:
        text = tr("Used without a date, as the training records have none: {facts}.")
        notes.append(text.format(facts=", ".join(unneeded)))
    if unknown:
        notes.append(
            tr(
                "This policy was saved without telling which facts had a date in training: a fact "
                "without a date is read as having none, which may change the answer. Fit it again."
            )
        )
    return aligned, tuple(notes)


def _check_recent(field: Field, source: str) -> None:
    if field.days_before is None or field.days_before <= RECENT_DAYS:
        return
    value = '"yes"' if field.kind == "yes_no" else "..."
    text = tr(
        "`{fact}` needs its date: training patients had it for a median of {days} days before the "
        "decision, and the answer depends on that. Write {example}; a year alone will do."
    )
    example = f'{{"value": {value}, "since": "2024-03-01"}}'
    days = f"{field.days_before:.0f}"
    raise RecordError(f"{source}: {text.format(fact=field.name, days=days, example=example)}")
