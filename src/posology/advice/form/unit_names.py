"""Units as people write them, beside the UCUM spelling of the records."""

import re

from posology.records.pipeline.units import convert_number, convertible_units

_WORDS = {
    "[in_i]": "in",
    "[ft_i]": "ft",
    "[lb_av]": "lb",
    "[oz_av]": "oz",
    "mm[Hg]": "mmHg",
    "Cel": "°C",
    "[degF]": "°F",
}
_USUAL = 1001.0
"""A unit is named on the form if it is at most this many times larger or smaller."""


def unit_words(unit: str) -> str:
    """The unit as people write it: `mmHg`, and annotations such as `{INR}` without braces."""
    return _WORDS.get(unit, unit.replace("{", "").replace("}", "").replace("_", " "))


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
