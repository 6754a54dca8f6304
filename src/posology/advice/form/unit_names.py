"""Units as people write them, beside the UCUM spelling of the records: 5 ft 4 in, 11 st 4 lb."""

import re
from dataclasses import dataclass

from posology.errors import RecordError
from posology.language.catalogue import tr
from posology.language.numbers import number
from posology.records.pipeline.units import convert_number, convertible_units, is_known_unit

_WORDS = {
    "[in_i]": "in",
    "[ft_i]": "ft",
    "[lb_av]": "lb",
    "[oz_av]": "oz",
    "[stone_av]": "stone",
    "mm[Hg]": "mmHg",
    "Cel": "°C",
    "[degF]": "°F",
}
_SHORT = re.compile(r"\S{1,20}")
_USUAL = 1001.0
"""A unit is named on the form if it is at most this many times larger or smaller."""


def unit_words(unit: str) -> str:
    """The unit as people write it: `mmHg`, and annotations such as `{INR}` without braces."""
    return _WORDS.get(unit, unit.replace("{", "").replace("}", "").replace("_", " "))


def is_decade(code: str, unit: str) -> bool:
    """Whether a number is an age in decades, as 7 for 70 to 79 years."""
    return unit in ("decades", "{decade}") or code.rpartition("//")[2] == "AGE_DECADE"


def decade_words(decade: float) -> str:
    """`70 to 79 years`, of an age that is known as its decade."""
    first, last = f"{10 * decade:.0f}", f"{10 * decade + 9:.0f}"
    return tr("{first} to {last} years").format(first=first, last=last)


def usual_units(unit: str, code: str) -> tuple[str, ...]:
    """Other units in which a number of the code may be written."""
    others = convertible_units(unit, code)[1:]
    sizes = ((other, abs(convert_number(1.0, (other, unit), code) or 0.0)) for other in others)
    words = [unit_words(o) for o, size in sizes if 1 / _USUAL <= size <= _USUAL]
    return tuple(word for word in words if word != unit_words(unit))


def plain_unit(unit: str) -> str:
    """The unit beside a number, `mL/min/1.73 m²`; nothing for mere annotations (`{score}`)."""
    is_annotation = unit.startswith("{") and unit.endswith("}")
    return "" if unit == "1" or is_annotation else re.sub(r"m2\b", "m²", unit_words(unit))


def needs_unit(unit: str, code: str) -> bool:
    """Whether a number of the code means nothing without its unit; not so scores and ratios."""
    if not unit or unit == "1" or unit.startswith("{"):
        return False
    return "/" in unit or unit in ("%", "Cel") or len(convertible_units(unit, code)) > 1


def without_unit(value: float) -> str:
    """What is wrong with a number that was sent without a unit."""
    return tr("was sent as {value} without a unit").format(value=number(f"{value:g}"))


def unread_unit(unit: str, wanted: str) -> str:
    """What is wrong with the unit of a number. A long one is not repeated: it may be any text."""
    if not _SHORT.fullmatch(unit):
        return tr("was sent in a unit posology does not know")
    if is_known_unit(unit):
        text = tr("was sent in {unit}, which cannot be read as {wanted}")
        return text.format(unit=unit, wanted=unit_words(wanted))
    return tr("was sent in {unit}, which is not a unit posology knows").format(unit=unit)


_N = r"(\d+(?:[.,]\d+)?)"
_ALONE = ("st", "'", "\u2019", "\u2032")
"""Large units that the code book of units does not know; the others are its own."""
_AND = r"\s*(?:,|and)?\s*"


@dataclass(frozen=True, slots=True)
class _Pair:
    """A large unit, the small one in which both are counted, and how many make the large one."""

    pattern: re.Pattern[str]
    words: tuple[str, str]
    unit: str
    size: float


def _pair(large: str, small: str, words: tuple[str, str], unit: str, size: float) -> _Pair:
    text = rf"{_N}\s*({large})(?:{_AND}{_N}\s*(?:{small})?)?"
    return _Pair(re.compile(text, re.IGNORECASE), words, unit, size)


_PAIRS = (
    _pair(
        r"ft|foot|feet|['\u2019\u2032]",
        r"in|inch|inches|''|[\"\u201d\u2033]",
        ("feet", "inches"),
        "in",
        12.0,
    ),
    _pair(r"st|stones?", r"lbs?|pounds?", ("stone", "pounds"), "lb", 14.0),
    _pair(r"lbs?|pounds?", r"oz|ounces?", ("pounds", "ounces"), "oz", 16.0),
    _pair(r"m|met(?:re|er)s?", r"cm", ("metres", "centimetres"), "cm", 100.0),
)


def read_pair(text: str, place: str) -> tuple[float, str] | None:
    """The number and its unit of a measure in two units; None if the text is none.

    RecordError if the small part makes another large one: `5 ft 14 in`.
    """
    for pair in _PAIRS:
        found = pair.pattern.fullmatch(text.strip())
        if found is None or (found[3] is None and found[2].lower() not in _ALONE):
            continue
        large, small = (float((part or "0").replace(",", ".")) for part in (found[1], found[3]))
        if small >= pair.size or (found[3] is not None and large % 1):
            raise RecordError(
                f"{place} is {text.strip()!r}: write whole {pair.words[0]}, and fewer than "
                f"{pair.size:g} {pair.words[1]}."
            )
        return large * pair.size + small, pair.unit
    return None
