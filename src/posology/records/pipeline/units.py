"""One unit and one spelling per code: decided for each distinct code and unit, not for each row."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from posology.errors import RecordError

DOSES = ("DRUG", "DRUG_PER_DAY", "DRUG_RATE", "RXNORM", "ATC", "NDC", "MEDICATION", "INFUSION")
"""Code families whose number is a dose: it cannot be negative, and its mass is told in mg."""
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
ENTRY = {"name", "unit", "low", "high", "molar_mass"}


@dataclass(frozen=True, slots=True)
class Treated:
    """What becomes of one (code, unit) pair: `value * factor + shift`, within `low` and `high`."""

    code: str
    unit: str | None
    factor: float = 1.0
    shift: float = 0.0
    low: float | None = None
    high: float | None = None
    refusal: str | None = None
    """The rule that refuses the pair's numbers, where they cannot be brought to the code's unit."""
    repairs: tuple[str, ...] = ()


@cache
def codebook(extra: Path | None = None) -> dict[str, Any]:
    """The units file of the package; a file of the user's adds to its sections and wins."""
    text = resources.files("posology.records.pipeline").joinpath("units.toml").read_text("utf-8")
    book = tomllib.loads(text)
    if extra is None:
        return _with_capitals(book)
    try:
        mine = tomllib.loads(extra.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecordError(f"code book {extra}: {error}") from error
    for section, entries in mine.items():
        if section not in book:
            raise RecordError(
                f"code book {extra}: section {section!r} is not known; "
                f"the sections are {', '.join(book)}"
            )
        for key, entry in entries.items():
            if section == "code" and not set(entry) <= ENTRY:
                wrong = sorted(set(entry) - ENTRY)[0]
                raise RecordError(
                    f"code book {extra}: {key}: {wrong!r} is not known; "
                    f"an entry has {', '.join(sorted(ENTRY))}"
                )
            book[section][key] = entry
    return _with_capitals(book)


def _with_capitals(book: dict[str, Any]) -> dict[str, Any]:
    """Lets every known unit be written in any case, letters that stand alone aside (m and M)."""
    for dimension in DIMENSIONS:
        for unit in book[dimension]:
            if len(unit) > 1:
                book["spelling"].setdefault(unit.lower(), unit)
    return book


def treated(code: str, unit: str | None, book: dict[str, Any]) -> Treated:
    """The canonical code and unit of a pair, and how its values become that unit."""
    repairs = []
    clean = normalised(code)
    if clean != code:
        repairs.append("code_normalised")
    spelled = _spelled(unit, book)
    if spelled != unit:
        repairs.append("unit_spelling")
    entry = _entry(clean, book["code"])
    if entry is None:
        family = clean.partition("//")[0]
        target = _default_unit(family, spelled, book)
        bounds = (0.0, None) if family in DOSES else (None, None)
    else:
        target = entry.get("unit", spelled)
        bounds = (_limit(entry, "low"), _limit(entry, "high"))
        if spelled is None and entry.get("unit"):
            repairs.append("unit_assumed")
            spelled = target
    factor, shift = 1.0, 0.0
    if target != spelled and target is not None and spelled is not None:
        change = _change(spelled, target, (entry or {}).get("molar_mass"), book)
        if change is None:
            return Treated(clean, spelled, refusal="unit_incompatible", repairs=tuple(repairs))
        factor, shift = change
        repairs.append("unit_converted")
    return Treated(clean, target, factor, shift, *bounds, repairs=tuple(repairs))


def _limit(entry: dict[str, Any], name: str) -> float | None:
    return None if entry.get(name) is None else float(entry[name])


def normalised(code: str) -> str:
    """Spaces trimmed, the family in capitals, and ICD codes without their dot (as MIMIC's)."""
    parts = [" ".join(part.split()) for part in code.split("//")]
    if len(parts) > 1:
        parts[0] = parts[0].upper()
    if len(parts) > 1 and parts[0].startswith("ICD"):
        parts[1:] = [part.replace(".", "").upper() for part in parts[1:]]
    return "//".join(parts)


def _spelled(unit: str | None, book: dict[str, Any]) -> str | None:
    if unit is None or not unit.strip():
        return None
    text = " ".join(unit.split())
    if any(text in book[dimension] for dimension in DIMENSIONS):
        return text
    if text.endswith("/d") and text != "/d":
        return f"{_spelled(text.removesuffix('/d'), book)}/d"
    return book["spelling"].get(text.lower(), text)


def _entry(code: str, codes: dict[str, Any]) -> dict[str, Any] | None:
    """The book's entry for the longest prefix of the code, or of what follows its family."""
    parts = code.split("//")
    for start in (0, 1):
        for end in range(len(parts), start, -1):
            prefix = "//".join(parts[start:end])
            if prefix in codes:
                return codes[prefix]
    return None


def _default_unit(family: str, unit: str | None, book: dict[str, Any]) -> str | None:
    """For codes the book does not name: doses in mg and mL, temperature in Cel, else as it is."""
    if unit == "[degF]":
        return "Cel"
    amount, slash, rest = (unit or "").partition("/")
    if family in DOSES and slash + rest in ("", "/d"):
        if amount in book["mass"]:
            return f"mg{slash}{rest}"
        if amount in book["volume"]:
            return f"mL{slash}{rest}"
    return unit


def _change(
    unit: str, target: str, molar_mass: float | None, book: dict[str, Any]
) -> tuple[float, float] | None:
    """Factor and shift from one unit to another, or None where they measure different things."""
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
