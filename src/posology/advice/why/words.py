"""Facts, values and leads in words."""

import datetime
import math

from posology.advice.form.unit_names import decade_words, is_decade
from posology.advice.why.facts import BIRTH, CHOICE, NO_EVENT, NUMBER, SINCE, Fact
from posology.advice.wording.fact_names import fact_name
from posology.advice.wording.titles import small_first
from posology.domain.profile import Profile
from posology.language.catalogue import tr
from posology.language.numbers import number as written
from posology.language.numbers import parse_number


def describe_value(fact: Fact, row: int, number: float | None, profile: Profile) -> str:
    """A fact with a value: `eGFR 38 mL/min`, `age 72`, `genotype CYP2C9: *1/*3`."""
    if row == NO_EVENT:
        return tr("no {fact}").format(fact=fact_name(fact.name))
    if fact.kind == CHOICE:
        return within_sentence(fact_name(profile.name(row)))
    if number is None or fact.kind not in (NUMBER, SINCE):
        return fact_name(fact.name)
    if fact.kind == SINCE and profile.codes[row] != BIRTH:
        text = tr("{fact} for {years}")
        return text.format(fact=fact_name(fact.name), years=describe_number(fact, number))
    joint = ": " if {",", ":"} & set(fact.name) else " "
    return f"{fact_name(fact.name)}{joint}{describe_number(fact, number)}"


def name_of_number(fact: Fact, profile: Profile) -> str:
    """What a number is of: `eGFR`, `time since type 2 diabetes`."""
    if fact.kind == SINCE and profile.codes[fact.rows[0]] != BIRTH:
        return tr("time since {fact}").format(fact=fact_name(fact.name))
    return fact_name(fact.name)


def describe_number(fact: Fact, number: float) -> str:
    """A number of the fact with its unit; decades as years."""
    if fact.age_as == "decades":
        return decade_words(number)
    if fact.age_as == "years" or fact.kind == SINCE:
        return tr("{years} years").format(years=f"{number:.0f}")
    return f"{written(f'{number:.4g}')} {fact.unit}".strip()


def describe_limit(fact: Fact, number: float, is_at_least: bool) -> str:
    """A number as a limit: of decades the year with which the first one begins or the last ends."""
    if fact.age_as != "decades":
        return describe_number(fact, number)
    years = 10 * number if is_at_least else 10 * number + 9
    return tr("{years} years").format(years=f"{years:.0f}")


def describe_size(size: float, unit: str) -> str:
    """An amount of a lead: `3 of 100`, or the number with its unit."""
    if unit:
        return f"{written(f'{abs(size):.2g}')} {unit}"
    return tr("{count} of 100").format(count=f"{abs(size):.0f}")


def is_nothing(size: float, unit: str) -> bool:
    """Whether an amount is shown as 0, or is but an error of rounding."""
    return parse_number(describe_size(round(size, 9), unit).split()[0]) == 0


def code_label(profile: Profile, row: int, value: float) -> str:
    """A readable name of a code, with its value: `genotype CYP2C9: *1/*3`, `height, cm: 170`."""
    name = fact_name(profile.name(row))
    if math.isnan(value):
        return name
    if is_decade(profile.codes[row], name.partition(", ")[2] or profile.unit(row)):
        return f"{tr('age')} {decade_words(value)}"
    return f"{name}: {value:g}" if "," in name else f"{name} {value:g}"


def describe_day(day: float) -> str:
    """The date of a step, ISO 8601; the first step has none."""
    if math.isnan(day):
        return tr("static facts")
    return (datetime.datetime(1970, 1, 1) + datetime.timedelta(days=day)).date().isoformat()  # noqa: DTZ001


def within_sentence(text: str) -> str:
    """The text with a small first letter, unless its first word has other capitals (`HbA1c`)."""
    first = text.split(" ", 1)[0]
    return small_first(text) if first[1:] == first[1:].lower() else text


def as_sentence(text: str) -> str:
    """The text with a capital first, unless its first word has one elsewhere (`eGFR`)."""
    first = text.split(" ", 1)[0]
    return text[:1].upper() + text[1:] if first == first.lower() else text
