"""How to clean each distinct (code, unit) pair: one spelling and one unit per code."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any

from posology.errors import RecordError
from posology.records.io.documents import parse_toml

DOSE_FAMILIES = (
    "DRUG",
    "DRUG_PER_DAY",
    "DRUG_RATE",
    "RXNORM",
    "ATC",
    "NDC",
    "MEDICATION",
    "INFUSION",
)
"""Code families whose number is a dose: it cannot be negative, and its mass is in mg."""
DIMENSIONS = (
    "mass",
    "length",
    "volume",
    "mass_concentration",
    "molar_concentration",
    "counts",
    "pressure",
    "enzyme",
)
_BODY_HEIGHT = "LOINC//8302-2"
ENTRY_KEYS = {"name", "unit", "low", "high", "molar_mass"}


@dataclass(frozen=True, slots=True)
class CodeRule:
    """The clean code and unit of a pair; its value is `value * factor + shift`, in [low, high]."""

    code: str
    unit: str | None
    factor: float = 1.0
    shift: float = 0.0
    low: float | None = None
    high: float | None = None
    rejection: str | None = None
    """The rule that rejects the pair's numbers (a unit that cannot be converted) or its rows."""
    repairs: tuple[str, ...] = ()


@cache
def load_codebook(extra: Path | None = None) -> dict[str, Any]:
    """The package's code book of units; entries of the user's own file take precedence."""
    text = resources.files("posology.records").joinpath("codebooks/units.toml").read_text("utf-8")
    book = tomllib.loads(text)
    if extra is None:
        return _with_lower_case(book)
    try:
        own = parse_toml(extra.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise RecordError(f"code book {extra}: {error}") from error
    for section, entries in own.items():
        if section not in book:
            raise RecordError(
                f"code book {extra}: section {section!r} is not known; "
                f"the sections are {', '.join(book)}"
            )
        if not isinstance(entries, dict):
            raise RecordError(f"code book {extra}: {section} is not a table; write [{section}]")
        for key, entry in entries.items():
            problem = _entry_problem(section, entry)
            if problem:
                raise RecordError(f"code book {extra}: {key}: {problem}")
            book[section][key] = entry
    return _with_lower_case(book)


def _entry_problem(section: str, entry: Any) -> str | None:
    """What is wrong with an entry of the user's code book; None if nothing is."""
    if section == "spelling":
        return None if isinstance(entry, str) else f"{entry!r} is not a unit; write it in quotes"
    if section != "code":
        is_factor = _is_number(entry) and entry > 0
        return None if is_factor else f"{entry!r} is not a factor; write a number above 0"
    if not isinstance(entry, dict):
        return f"{entry!r} is not an entry; write a table"
    unknown = sorted(set(entry) - ENTRY_KEYS)
    if unknown:
        return f"{unknown[0]!r} is not known; an entry has {', '.join(sorted(ENTRY_KEYS))}"
    for name, value in entry.items():
        if name in ("name", "unit") and not isinstance(value, str):
            return f"{name} {value!r} is not a text"
        if name not in ("name", "unit") and not _is_number(value):
            return f"{name} {value!r} is not a number"
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _with_lower_case(book: dict[str, Any]) -> dict[str, Any]:
    """Accept every known unit in any case, except single letters (m and M differ)."""
    for dimension in DIMENSIONS:
        for unit in book[dimension]:
            if len(unit) > 1:
                book["spelling"].setdefault(unit.lower(), unit)
    return book


def code_rule(code: str, unit: str | None, book: dict[str, Any]) -> CodeRule:
    """The canonical code and unit of a pair, and how to convert its values to that unit."""
    repairs = []
    clean = normalise_code(code)
    if clean != code:
        repairs.append("code_normalised")
    spelled = _ucum_spelling(unit, book)
    if spelled != unit:
        repairs.append("unit_spelling")
    entry = _find_entry(clean, book["code"])
    if entry is None:
        family = clean.partition("//")[0]
        target = _default_unit(family, spelled, book)
        bounds = (0.0, None) if family in DOSE_FAMILIES else height_limits(clean, target)
    else:
        target = entry.get("unit", spelled)
        bounds = (_limit(entry, "low"), _limit(entry, "high"))
        if spelled is None and entry.get("unit"):
            repairs.append("unit_assumed")
            spelled = target
    factor, shift = 1.0, 0.0
    if target != spelled and target is not None and spelled is not None:
        conversion = _conversion(spelled, target, (entry or {}).get("molar_mass"), book)
        if conversion is None:
            return CodeRule(clean, spelled, rejection="unit_incompatible", repairs=tuple(repairs))
        factor, shift = conversion
        repairs.append("unit_converted")
    return CodeRule(clean, target, factor, shift, *bounds, repairs=tuple(repairs))


_DAYS = {"/d": 1.0, "/wk": 7.0}
"""Rates of doses, and the days of each."""
_ANNOTATION = re.compile(r"/?\{[^}]*\}|/?1\.73[ _]?m\^?2")
"""UCUM's annotations have no meaning: mL/min/{1.73_m2} is mL/min (UCUM specification 2.1)."""


def unit_conversion(code: str, unit: str, target: str) -> tuple[float, float] | None:
    """Factor and shift from a code's unit to another; None if they measure different quantities.

    (1, 0) if they are the same unit, however it is spelled.
    """
    book = load_codebook()
    seen, wanted = (
        _ANNOTATION.sub("", _ucum_spelling(text, book) or "") for text in (unit, target)
    )
    known = any(text in book[dimension] for dimension in DIMENSIONS for text in (seen, wanted))
    if seen == wanted or (not known and seen.lower() == wanted.lower()):
        return 1.0, 0.0
    entry = _find_entry(normalise_code(code), book["code"]) or {}
    for rate, days in _DAYS.items():
        for other, other_days in _DAYS.items():
            if seen.endswith(rate) and wanted.endswith(other):
                amounts = seen.removesuffix(rate), wanted.removesuffix(other)
                found = _conversion(*amounts, entry.get("molar_mass"), book)
                same = (1.0, 0.0) if amounts[0] == amounts[1] else found
                return None if same is None else (same[0] * other_days / days, same[1])
    return _conversion(seen, wanted, entry.get("molar_mass"), book)


def convert_number(value: float, units: tuple[str, str], code: str) -> float | None:
    """The value of a code in another unit; None if the two measure different quantities.

    units: the value's unit, in any usual spelling, and the unit to convert to.
    """
    conversion = unit_conversion(code, *units)
    return None if conversion is None else value * conversion[0] + conversion[1]


def convertible_units(unit: str, code: str) -> tuple[str, ...]:
    """The units from which a number of the code can be converted to `unit`, which comes first."""
    book = load_codebook()
    known = [name for dimension in DIMENSIONS for name in book[dimension]] + ["Cel", "[degF]"]
    others = (u for u in known if convert_number(1.0, (u, unit), code) is not None)
    return tuple(dict.fromkeys((unit, *others)))


def is_known_unit(unit: str) -> bool:
    """Whether the code book has the unit, in any usual spelling."""
    book = load_codebook()
    text = _ucum_spelling(unit, book) or ""
    others = set(book["spelling"].values()) | {"Cel", "[degF]"}
    return text in others or any(text in book[dimension] for dimension in DIMENSIONS)


def plausible_limits(code: str) -> tuple[str | None, float | None, float | None]:
    """Unit and plausible limits of a code in the package's code book; None where it has none."""
    entry = _find_entry(normalise_code(code), load_codebook()["code"]) or {}
    return entry.get("unit"), _limit(entry, "low"), _limit(entry, "high")


def height_limits(code: str, unit: str | None) -> tuple[float | None, float | None]:
    """Limits of a body height under a code or name that the book does not list, in its own unit.

    Told by its words, `HEIGHT` or `body height`, in a unit of length. Of other words neither tells
    what they are: a creatinine may be in serum or urine, a weight a newborn's in g.
    """
    book = load_codebook()
    last = re.sub(r"[\W_]+", " ", code.rpartition("//")[2]).lower()
    words = last.strip().removesuffix(f" {(unit or '').lower()}")
    factor = book["length"].get(unit)
    if factor is None or words not in ("height", "body height"):
        return None, None
    entry, in_cm = book["code"][_BODY_HEIGHT], factor / book["length"]["cm"]
    return float(f"{entry['low'] / in_cm:.4g}"), float(f"{entry['high'] / in_cm:.4g}")


def title_of(code: str) -> str:
    """The name of a code in the package's code book; the code where it has none."""
    entry = _find_entry(normalise_code(code), load_codebook()["code"]) or {}
    return str(entry.get("name", code))


def _limit(entry: dict[str, Any], name: str) -> float | None:
    return None if entry.get(name) is None else float(entry[name])


def normalise_code(code: str) -> str:
    """The code with spaces trimmed, its family in capitals, and ICD codes without a dot (MIMIC)."""
    parts = [" ".join(part.split()) for part in code.split("//")]
    if len(parts) > 1:
        parts[0] = parts[0].upper()
    if len(parts) > 1 and parts[0].startswith("ICD"):
        parts[1:] = [part.replace(".", "").upper() for part in parts[1:]]
    return "//".join(parts)


MAX_SOURCE_CODE = 40
"""Characters of the longest text of a source that can be a code (own choice)."""
MAX_JOINED_CODE = 20
"""The same of texts with underscores, which need a digit: `LAB_123` (own choice)."""


def is_free_text(code: str) -> bool:
    """Whether a part of the code is a text that a person wrote, not a code of a vocabulary.

    That is what follows `TEXT` (a FHIR concept without a code), and what follows `SOURCE` (an OMOP
    source value) if it is long or has several words, which ingest joins by underscores. `LAB_123`
    is a code.
    """
    parts = code.split("//")
    for system, text in pairwise(parts):
        if system == "TEXT":
            return True
        if system == "SOURCE" and "_" in text:
            return len(text) > MAX_JOINED_CODE or not any(c.isdigit() for c in text)
        if system == "SOURCE":
            return len(text) > MAX_SOURCE_CODE
    return False


def _ucum_spelling(unit: str | None, book: dict[str, Any]) -> str | None:
    if unit is None or not unit.strip():
        return None
    text = " ".join(unit.split())
    if any(text in book[dimension] for dimension in DIMENSIONS):
        return text
    if text.endswith("/d") and text != "/d":
        return f"{_ucum_spelling(text.removesuffix('/d'), book)}/d"
    return book["spelling"].get(text.lower(), text)


def _find_entry(code: str, codes: dict[str, Any]) -> dict[str, Any] | None:
    """The entry of the longest prefix of the code, or of the code without its family."""
    parts = code.split("//")
    for start in (0, 1):
        for end in range(len(parts), start, -1):
            prefix = "//".join(parts[start:end])
            if prefix in codes:
                return codes[prefix]
    return None


def _default_unit(family: str, unit: str | None, book: dict[str, Any]) -> str | None:
    """Unit of a code that the book does not list: doses in mg or mL, temperature in Cel."""
    if unit == "[degF]":
        return "Cel"
    amount, slash, rest = (unit or "").partition("/")
    if family in DOSE_FAMILIES and slash + rest in ("", "/d"):
        if amount in book["mass"]:
            return f"mg{slash}{rest}"
        if amount in book["volume"]:
            return f"mL{slash}{rest}"
    return unit


def _conversion(
    unit: str, target: str, molar_mass: float | None, book: dict[str, Any]
) -> tuple[float, float] | None:
    """Factor and shift from one unit to another; None if they measure different quantities."""
    if (unit, target) == ("[degF]", "Cel"):
        return 5 / 9, -160 / 9
    if unit.endswith("/d") and target.endswith("/d"):
        unit, target = unit.removesuffix("/d"), target.removesuffix("/d")
    for dimension in DIMENSIONS:
        units = book[dimension]
        if unit in units and target in units:
            return units[unit] / units[target], 0.0
    moles, grams = book["molar_concentration"], book["mass_concentration"]
    if molar_mass and unit in moles and target in grams:
        return moles[unit] * molar_mass / 10 / grams[target], 0.0  # mmol/L x g/mol = mg/L
    if molar_mass and unit in grams and target in moles:
        return grams[unit] * 10 / molar_mass / moles[target], 0.0
    return None
