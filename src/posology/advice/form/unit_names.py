"""Units as people write them, beside the UCUM spelling of the records."""

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
    """The unit as people write it; annotations such as `{INR}` without their braces."""
    return _WORDS.get(unit, unit[1:-1] if unit.startswith("{") and unit.endswith("}") else unit)


def usual_units(unit: str, code: str) -> tuple[str, ...]:
    """Other units in which a number of the code may be written."""
    others = convertible_units(unit, code)[1:]
    sizes = ((other, abs(convert_number(1.0, (other, unit), code) or 0.0)) for other in others)
    words = [unit_words(o) for o, size in sizes if 1 / _USUAL <= size <= _USUAL]
    return tuple(word for word in words if word != unit_words(unit))


def plain_unit(unit: str) -> str:
    """The unit without the braces of UCUM: `mL/min/1.73 m2`."""
    return unit_words(unit).replace("{", "").replace("}", "").replace("_", " ")
