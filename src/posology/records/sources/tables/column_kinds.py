"""What the columns of an unknown table probably are, by their names and a sample of their cells."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from posology.records.pipeline.units import DIMENSIONS, load_codebook
from posology.records.sources.tables.months import guess_language, month_numbers, numeric_format
from posology.records.sources.tables.number_marks import decimal_mark

SUBJECT = re.compile(
    r"(^|_)(patient|patienten|pat|subject|subj|usubj|person|pid|mrn|pacjent|pacjenta|chory|case"
    r"|fall|record|participant)(_?(id|ids|nr|no|number|nummer|numer|num|nbr|identifier|kennung))?$"
    r"|^(id|nr|lp|pesel|pseudonym)$"
)
RECORD = re.compile(
    r"(^|_)(encounter|visit|stay|hadm|icustay|admission|sample|order|aufenthalt|probe|auftrag)"
    r"_?(id|nr|no|number|nummer|nbr|num|key)$"
)
BIRTH = re.compile(r"birth|^dob$|urodz|geburt|^geb")
DEATH = re.compile(r"death|deceased|^dod$|zgon|todes|^tod$|verstorben")
SEX = re.compile(r"^(sex|gender|plec|geschlecht)$")
ENTRY = re.compile(
    r"date|data|datum|visit|wizyt|admission|przyjec|aufnahme|entered|enrol|start|index|taken|time"
    r"|randomi|einschluss|inclusion|consent|einwilligung"
)
REMARK = re.compile(
    r"^notes?$|comment|remark|free_?text|bemerk|anmerk|komment|notiz|freitext|^uwagi"
)
"""Names of columns (English, Polish, German), in lower case without diacritics."""
FORMATS = (
    *("%d.%m.%Y", "%d-%m-%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%y"),
    *("%d.%m.%Y %H:%M", "%d/%m/%Y %H:%M", "%d-%m-%Y %H:%M", "%d %m %Y", "%d-%b-%Y", "%m.%Y"),
    *("%m/%Y", "%d %B %Y", "%d %b %Y", "%d. %B %Y", "%d. %b %Y", "%B %Y"),
)
"""Formats that are tried after ISO 8601."""
ISO = re.compile(r"\d{4}(-\d\d(-\d\d([ T]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?)?)?")
NUMBER = re.compile(r"[<>≤≥]?=? ?[-+]?(\d+(\.\d+)?|\.\d+)([eE][-+]?\d+)?")
DECIMAL_COMMA = re.compile(r"[<>≤≥]?=? ?[-+]?(\d{1,3}(\.\d{3})+|\d+),\d+")
CODES = {
    "LOINC": re.compile(r"\d{1,5}-\d"),
    "ATC": re.compile(r"[ABCDGHJLMNPRSV]\d{2}[A-Z]{2}\d{2}"),
    "ICD10": re.compile(r"[A-TV-Z]\d{2}(\.?[0-9A-Z]{1,4})?"),
}
"""Patterns of codes: loinc.org (number and check digit), whocc.no (fifth level), WHO's ICD-10."""
MISSING = (
    *("na", "n/a", "#n/a", "nan", "null", "nil", "unknown", "missing", "not known", "unbekannt"),
    *("k.a.", "k. a.", "keine angabe", "fehlt", "fehlend", "nicht erhoben", "nicht bekannt"),
    *("n.b.", "brak", "brak danych", "b.d.", "nieznane", "?", ".", "-", "--"),
)
"""Cells, in small letters, that mean that nothing is known (English, German, Polish; our choice).
Those of SIGNS only among numbers, dates and codes: a category may be called `-`."""
SIGNS = ("-", "--", ".")
BELOW_0 = re.compile(r"-9{2,}")
"""Numbers such as -99 that say the same in a column where nothing else is below 0."""
MOST = 0.9
"""Share of a column's cells that must be dates, so that it is one of dates (our choice)."""
FEW = 12
"""Distinct values of a column of categories (our choice)."""


@dataclass(frozen=True, slots=True)
class Column:
    """What a column probably is."""

    name: str
    kind: str
    """subject, record (the number of a visit or order), birth, death, sex, date, number, category,
    code, bound (numbers and some like 90+), text or empty."""
    formats: tuple[str, ...] = ()
    """Of dates, formats for strptime; none for ISO 8601."""
    months: str | None = None
    """Of dates, the language of the names of months."""
    unit: str | None = None
    """Of numbers, the unit in the column's name, in UCUM."""
    marks: tuple[str, str] = ("", "")
    """Of numbers, their decimal mark where they show it, else "", and one with a mark of either
    kind (`decimal_mark`)."""
    system: str | None = None
    """Of codes, their system."""
    ambiguous: bool = False
    """Whether day and month could be the other way round."""
    misfits: int = 0
    """Of dates, how many cells are none."""
    missing: tuple[str, ...] = ()
    """Cells that mean that nothing is known, as written."""


def describe_column(name: str, cells: Sequence[str]) -> Column:
    """What the column of this name and these cells probably is."""
    filled = [cell.strip() for cell in cells if cell.strip()]
    marks = {cell for cell in filled if cell.lower() in MISSING}
    below_0 = {cell for cell in filled if cell.startswith("-") and cell not in marks}
    if all(BELOW_0.fullmatch(cell) for cell in below_0):
        marks |= below_0
    known = _describe(name, [cell for cell in filled if cell not in marks])
    if known.kind in ("category", "sex"):
        marks -= set(SIGNS)
    if known.kind in ("subject", "text", "empty"):
        return _describe(name, filled)
    return replace(known, missing=tuple(sorted(marks)))


def _describe(name: str, filled: Sequence[str]) -> Column:
    """The same of cells that are not empty, whatever they say."""
    plain = plain_name(name)
    if not filled:
        return Column(name, "empty")
    dated = _as_dates(name, filled)
    is_named_date = any(names.search(plain) for names in (ENTRY, BIRTH, DEATH))
    if dated is not None and (is_named_date or not _are_numbers(filled)):
        kind = "birth" if BIRTH.search(plain) else "death" if DEATH.search(plain) else "date"
        return Column(name, kind, *dated)
    if SEX.search(plain) and len(set(filled)) <= 6:
        return Column(name, "sex")
    if SUBJECT.search(plain):
        return Column(name, "subject")
    if RECORD.search(plain) and len(set(filled)) == len(filled) > FEW:
        return Column(name, "record")
    for system, pattern in CODES.items():
        if all(pattern.fullmatch(cell.upper()) for cell in filled):
            return Column(name, "code", system=system)
    if _are_numbers(filled) and set(filled) - {"0", "1"}:
        return Column(name, "number", unit=unit_in_name(name), marks=decimal_mark(filled))
    distinct = set(filled)
    is_few = len(distinct) <= FEW and (len(filled) > len(distinct) or len(filled) < 3)
    if is_few and max(map(len, distinct)) <= 40 and not REMARK.search(plain):
        return Column(name, "category")
    without_plus = [cell.removesuffix("+").rstrip() for cell in filled]
    return Column(name, "bound" if _are_numbers(without_plus) else "text")


_LETTERS = str.maketrans({"ł": "l", "ß": "ss", "ø": "o", "æ": "ae", "œ": "oe", "đ": "d"})
"""Letters that Unicode does not take apart into a letter and its sign."""


def plain_name(name: str) -> str:
    """The name in lower case, without diacritics, with underscores for all other signs."""
    text = unicodedata.normalize("NFKD", name.lower().translate(_LETTERS))
    text = "".join(c for c in text if not unicodedata.combining(c))
    return re.sub(r"[^a-z0-9]+", "_", text).strip("_")


def _are_numbers(cells: Sequence[str]) -> bool:
    return all(NUMBER.fullmatch(cell) or DECIMAL_COMMA.fullmatch(cell) for cell in cells)


def _as_dates(
    name: str, cells: Sequence[str]
) -> tuple[tuple[str, ...], str | None, None, tuple[str, str], None, bool, int] | None:
    """Fields `formats` to `misfits` of a Column of dates; None if the cells are none.

    A few cells may be no date (31 February): the column is one of dates nevertheless.
    """
    dates = [cell for cell in cells if ISO.fullmatch(cell)]
    if len(dates) >= MOST * len(cells):
        is_year = all(len(cell) == 4 for cell in dates)
        plausible = all(1850 <= int(cell) <= 2100 for cell in dates) if is_year else True
        known = BIRTH.search(plain_name(name)) or ENTRY.search(plain_name(name)) or not is_year
        misfits = len(cells) - sum(map(_is_iso_day, dates))
        return ((), None, None, ("", ""), None, False, misfits) if plausible and known else None
    language = guess_language(list(cells))
    texts = [month_numbers(cell, language) for cell in cells] if language else list(cells)
    tried = [f for f in FORMATS if "%b" in f.lower()] if language else list(FORMATS)
    counts = {f: sum(_fits(t, numeric_format(f) if language else f) for t in texts) for f in tried}
    most = max(counts.values())
    if most < MOST * len(cells):
        return None
    fitting = [f for f in tried if counts[f] == most]
    ambiguous = "%d/%m/%Y" in fitting and "%m/%d/%Y" in fitting
    return (fitting[0],), language, None, ("", ""), None, ambiguous, len(cells) - most


def _is_iso_day(text: str) -> bool:
    """Whether the day of an ISO date exists; a year or month has none."""
    try:
        return len(text) < 10 or date.fromisoformat(text[:10]) is not None
    except ValueError:
        return False


def _fits(text: str, time_format: str) -> bool:
    try:
        datetime.strptime(text, time_format)  # noqa: DTZ007
    except ValueError:
        return False
    return True


def unit_in_name(name: str) -> str | None:
    """The unit at the end of a column's name, such as `Hb [g/dl]`, `weight_kg`; None without."""
    book = load_codebook()
    known = {unit.lower(): unit for dimension in DIMENSIONS for unit in book[dimension]}
    known |= book["spelling"]
    inside = re.search(r"[\[(]([^\])]+)[\])]\s*$", name)
    tokens = re.split(r"[_ ]+", name.lower())
    endings = ["/".join(tokens[-2:]), tokens[-1]] if len(tokens) > 1 else []
    for text in [inside[1]] if inside else endings:
        found = known.get(text.strip().lower()) or (text if text == "%" else None)
        if found and (inside or len(text) > 1 or text == "%"):
            return found
    return inside[1].strip() if inside else None
