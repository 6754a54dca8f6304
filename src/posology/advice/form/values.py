"""What one value of the form means: codes, numbers in the records' unit, and dates."""

import datetime
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from posology.advice.form.field import Field, Limits, normalise
from posology.advice.form.moments import is_date, parse_moment
from posology.advice.form.sex import words_of_sex
from posology.advice.form.unit_names import read_pair, unit_words, usual_units
from posology.errors import RecordError
from posology.records.pipeline.units import convert_number
from posology.records.schema import MAX_FLOAT32

_NUMBER = re.compile(r"([-+]?(?:\d+(?:[.,]\d+)?|[.,]\d+)(?:[eE][-+]?\d+)?)\s*(.*)", re.DOTALL)
_AGE_RANGE = re.compile(r"(\d{1,3})\s*(?:-|to|bis)\s*(\d{1,3})|(\d{1,3})\s*\+")
_RANGE = re.compile(r"\d+(?:[.,]\d+)?\s*(?:-|\u2013|to)\s*\d+(?:[.,]\d+)?")
NOT_KNOWN = "not known"
NOT_KNOWN_WORDS = frozenset({NOT_KNOWN, "unknown", "unbekannt", "nicht bekannt"})
_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2}(?:,\d{3})+")
"""What is 1234 for some readers, and 1.234 for others."""
_SHOWN = 60
"""Characters of a value that an error repeats. Our choice."""
_NEAR = 0.8
"""Likeness (difflib) from which on a value is taken for misspelt. Our choice."""
YES_WORDS = frozenset({"yes", "y", "true", "present", "ja", "j", "vorhanden"})
NO_WORDS = frozenset({"no", "n", "false", "absent", "nein"})
_YEARS = ("years", "year", "y", "a", "jahre", "jahr", "j")
"""Words of a form in English and German."""
BMI_UNITS = ("kg/m2", "kg/m²", "kg/m^2", "kg/m*2")
_KEYS = ("value", "unit", "date", "since")
_LAST_DECADE = 9.0
"""Ages of 90 and more are one group where ages are kept as decades."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event that a value of the form becomes; or, without a code, one that is not used."""

    field: Field
    code: str
    value: float | None = None
    time: datetime.datetime | None = None
    age: float | None = None
    """Years at the decision, from which the date of birth follows."""
    years: tuple[float, float] | None = None
    """Youngest and oldest age that was given, where the records hold less."""
    unknown: str = ""
    """The value, where the model does not know it."""
    why: str = ""
    """Why a number is not used: `was sent in stone, which is not a unit posology knows`."""
    mend: str = ""
    """What to do about `why`; empty: send the number with its unit."""
    origin: str = ""
    """Of a fact that was worked out from another: `from the date of birth`."""


def read_value(field: Field, value: Any, place: str) -> Iterator[Entry]:
    """The entries of a field's value; none for null. RecordError names the place and the mend."""
    if value is None or value == [] or value == "":
        return
    if not isinstance(value, list):
        yield from _read_one(field, value, place)
        return
    entries = [entry for item in value for entry in read_value(field, item, place)]
    known = {(entry.code, entry.value) for entry in entries if entry.code}
    if len(known) > 1 and not may_have_several(field):
        raise RecordError(
            f"{place}: {len(known)} values are given, but training patients had one; keep one."
        )
    yield from entries


def _read_one(field: Field, value: Any, place: str) -> Iterator[Entry]:
    """The entries of one value, written plainly or as an object with its unit and date."""
    time, unit = None, None
    if isinstance(value, dict) and field.unit in BMI_UNITS and {"weight", "height"} & set(value):
        value = _body_mass_index(value, place)
    if isinstance(value, dict):
        value, unit, time = _parts(value, place)
    elif field.kind == "yes_no" and is_date(value):
        value, time = True, parse_moment(value, place)
    if value is None and time is None:
        return
    if field.kind == "number":
        yield Entry(field, field.stem, _number(field, value, unit, place), time)
    elif field.kind == "age":
        age = _age(field, value, place)
        yield replace(age, time=age.time or time)
    elif field.kind == "yes_no":
        yield from _yes_no(field, value, time, place)
    else:
        yield _choice(field, value, time, place)


def is_not_known(field: Field, value: Any) -> bool:
    """Whether a value states in words that the fact is not known, and is none of its choices."""
    word = normalise(value) if isinstance(value, str) else ""
    return word in NOT_KNOWN_WORDS and word not in _codes_by_word(field)


def is_range(value: Any) -> bool:
    """Whether a value is a range such as `2-3`."""
    return isinstance(value, str) and _RANGE.fullmatch(value.strip()) is not None


def may_have_several(field: Field) -> bool:
    """Whether a patient may have several values of the field."""
    return field.several or (field.kind != "age" and field.timing != "static")


def _parts(value: dict, place: str) -> tuple[Any, str | None, datetime.datetime | None]:
    """Value, unit and time of an object such as `{"value": 80, "unit": "kg", "date": ...}`."""
    unknown = [key for key in value if key not in _KEYS]
    if unknown:
        raise RecordError(f"{place}: `{unknown[0]}` is unknown; an object has {', '.join(_KEYS)}.")
    when = [value[key] for key in ("date", "since") if value.get(key) is not None]
    if len(when) > 1:
        raise RecordError(f"{place}: has both `date` and `since`; keep one.")
    time = parse_moment(when[0], place) if when else None
    unit = value.get("unit")
    if unit is not None and not isinstance(unit, str):
        raise RecordError(f"{place}: unit {unit!r} is not a text such as 'kg'.")
    given = value.get("value")
    if isinstance(given, dict | list):
        raise RecordError(f"{place}: value {given!r} is not one value; write a list of objects.")
    return (True if given is None and "since" in value else given), unit, time


def _body_mass_index(value: dict, place: str) -> dict:
    """The object with the value worked out from its weight (kg) and height (cm)."""
    rest = {key: item for key, item in value.items() if key not in ("weight", "height")}
    weight = Field("weight", "LOINC//29463-7", "number", unit="kg", limits=Limits(0.2, 650.0))
    height = Field("height", "LOINC//8302-2", "number", unit="cm", limits=Limits(20.0, 275.0))
    kg, cm = (_number(f, value.get(f.name), None, f"{place}: {f.name}") for f in (weight, height))
    return {**rest, "value": kg / (cm / 100) ** 2}


def _number(field: Field, value: Any, unit: str | None, place: str) -> float:
    if is_range(value):
        raise RecordError(
            f"{place} is the range {shown(value)}, and the model knows one "
            f"number{_in_unit(field)}; write the number that counts, or null."
        )
    number, written = split_number(value, place)
    if number is None:
        raise RecordError(
            f"{place} must be a number{_in_unit(field)}, not {shown(value)}; "
            "write null if it is not known."
        )
    if unit and written and not _is_same_unit(field, unit, written):
        raise RecordError(f"{place} has the unit {written!r} and also {unit!r}; keep one.")
    unit = unit or written
    if unit and not field.unit:
        raise RecordError(
            f"{place}: the records give no unit for it, so {unit!r} cannot be converted; write the "
            "number as the records have it, without a unit."
        )
    if unit:
        converted = convert_number(number, (unit, field.unit), field.stem)
        if converted is None:
            units = ", ".join((unit_words(field.unit), *usual_units(field.unit, field.stem)))
            raise RecordError(f"{place}: unit {unit!r} is not one of {units}; convert the number.")
        number = converted
    return check_limits(field, number, place)


def _is_same_unit(field: Field, first: str, second: str) -> bool:
    sizes = [convert_number(1.0, (unit, field.unit), field.stem) for unit in (first, second)]
    return first == second or (None not in sizes and sizes[0] == sizes[1])


def shown(value: Any) -> str:
    """A value as an error repeats it; a long one is cut."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _in_unit(field: Field) -> str:
    return f" in {unit_words(field.unit)}" if field.unit else ""


def check_limits(field: Field, number: float, place: str) -> float:
    """The number; RecordError if it cannot be right."""
    if math.isfinite(number) and abs(number) <= MAX_FLOAT32 and field.limits.contains(number):
        return number
    unit = "years" if field.kind == "age" else unit_words(field.unit)
    given = f"{number:g} {unit}".strip()
    raise RecordError(
        f"{place} of {given} cannot be right: it must be {field.limits.describe(unit)}. "
        "Correct it, name its unit, or leave it out if it is not known; no answer was worked out."
    )


def split_number(value: Any, place: str) -> tuple[float | None, str | None]:
    """The number, and the unit written after it; (None, None) if it is none."""
    if isinstance(value, bool):
        return None, None
    if isinstance(value, int | float):
        try:
            return float(value) + 0.0, None  # -0 is 0
        except OverflowError:
            return math.inf, None
    if not isinstance(value, str):
        return None, None
    text = " ".join(value.replace("\u2212", "-").split())
    found = read_pair(text, place) or _NUMBER.fullmatch(text)
    if isinstance(found, tuple):
        return found
    if not found:
        return None, None
    if _THOUSANDS.fullmatch(found[1]):
        plain = found[1].replace(",", "")
        raise RecordError(
            f"{place} is {shown(value)}: a comma before three digits may mean {plain} or "
            f"{found[1].replace(',', '.', 1)}; write the number with a point, or without a comma."
        )
    return float(found[1].replace(",", ".")) + 0.0, found[2].strip() or None


def _age(field: Field, value: Any, place: str) -> Entry:
    """An age in years, a range of ages, or the date of birth."""
    if is_date(value):
        return Entry(field, field.stem, None, parse_moment(value, place))
    span = _AGE_RANGE.fullmatch(value.strip()) if isinstance(value, str) else None
    if span:
        first = float(span[1] or span[3])
        last = float(span[2]) if span[2] else first
        if last < first:
            raise RecordError(f"{place}: {value!r} ends before it begins; swap the ages.")
    else:
        number, unit = split_number(value, place)
        if number is None or normalise(unit or "years") not in _YEARS:
            raise RecordError(
                f"{place} must be years, a range such as '70-79' or the date of birth, not "
                f"{shown(value)}; write null if it is not known."
            )
        first = last = number
    for age in (first, last):
        check_limits(field, age, place)
    oldest = field.limits.high if span and span[3] else None
    years = first, last if oldest is None else oldest
    if field.age_as == "decades":
        return Entry(field, field.stem, decade_of(field, first, last, place), years=years)
    middle = first if first == last else (first + last + 1) / 2
    if field.age_as == "birth":
        return Entry(field, field.stem, age=middle, years=years)
    return Entry(field, field.stem, middle, years=years)


def decade_of(field: Field, first: float, last: float, place: str) -> float:
    """The decade of an age; the last one of training, or 90 to 99, also stands for later ones."""
    decades = {math.floor(age / 10) for age in (first, last)}
    highest = max(field.seen.high or 0.0, _LAST_DECADE)
    decades = {min(decade, highest) for decade in decades}
    if len(decades) > 1:
        raise RecordError(
            f"{place}: {first:g} to {last:g} years are of two decades, and the model knows decades "
            f"of age; write one, such as {10 * min(decades):.0f}-{10 * min(decades) + 9:.0f}."
        )
    return float(decades.pop())


def _yes_no(
    field: Field, value: Any, time: datetime.datetime | None, place: str
) -> Iterator[Entry]:
    word = str(value).strip().casefold() if isinstance(value, bool | str) else None
    if value in (0, 1) and not isinstance(value, bool | str):
        word = "yes" if value else "no"
    if word not in YES_WORDS | NO_WORDS:
        raise RecordError(f"{place} is yes or no, not {shown(value)}; write yes, no or null.")
    answer = "yes" if word in YES_WORDS else "no"
    codes = dict(field.choices)
    if codes[answer]:
        yield Entry(field, codes[answer], None, time)
    elif answer == "yes":
        yield Entry(field, "", None, time, unknown="yes")


def _choice(field: Field, value: Any, time: datetime.datetime | None, place: str) -> Entry:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        words = ", ".join(word for word, _ in field.choices[:8])
        raise RecordError(f"{place} is {shown(value)}; write one of {words}, or null.")
    text = value.strip() if isinstance(value, str) else str(value).removesuffix(".0")
    known = _codes_by_word(field)
    code = known.get(normalise(text)) or known.get(plain_range(text))
    if code is None and field.role == "sex":
        return _sex(field, text, time, place)
    return Entry(field, code or "", None, time, unknown="" if code else text)


def plain_range(text: str) -> str:
    """A range as the records write it: `2-3` for `2 – 3` and `2 to 3`."""
    return (
        re.sub(r"\s*(?:-|\u2013|to)\s*", "-", text.strip().replace(",", "."))
        if is_range(text)
        else ""
    )


def _sex(field: Field, text: str, time: datetime.datetime | None, place: str) -> Entry:
    """Sex in another word than the records': a short form, or another language's."""
    meant, known = words_of_sex(text), _codes_by_word(field)
    if meant:
        code = next((code for word, code in known.items() if word in meant), "")
        return Entry(field, code, None, time, unknown="" if code else text)
    words = [title or word for (word, _), title in zip(field.choices, _titles(field), strict=True)]
    near = get_close_matches(normalise(text), [normalise(w) for w in words], n=1, cutoff=_NEAR)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise RecordError(
        f"{place} is {shown(text)}, which is none of {', '.join(words)}.{hint} Write one of them, "
        "or null if it is not known."
    )


def _titles(field: Field) -> tuple[str, ...]:
    return field.titles or ("",) * len(field.choices)


@lru_cache(maxsize=1024)
def _codes_by_word(field: Field) -> dict[str, str]:
    """Code of each choice, by its word, its name and the code itself."""
    titles = _titles(field)
    codes = {normalise(word): code for word, code in field.choices}
    for (_, code), title in zip(field.choices, titles, strict=True):
        for other in (title, code):
            codes.setdefault(normalise(other), code)
    codes.pop("", None)
    for word, code in list(codes.items()):  # the order of the two alleles means nothing
        first, slash, second = word.partition("/")
        if slash:
            codes.setdefault(f"{second}/{first}", code)
        if slash and len(first) == len(second) == 1:
            codes.setdefault(f"{first}{second}", code)
            codes.setdefault(f"{second}{first}", code)
    return codes


def nearest_choice(field: Field, text: str) -> str:
    """The choice that is spelled most like the text; "" if none is close.

    Never another genotype, whose letters are not a spelling, nor another medicine: flonase is not
    fluconazole, though six of its letters are.
    """
    if "/" in text:
        return ""
    words = [name for name in (*(w for w, _ in field.choices), *field.titles) if name]
    near = get_close_matches(text, words, n=1, cutoff=_NEAR)
    return near[0] if near else ""
