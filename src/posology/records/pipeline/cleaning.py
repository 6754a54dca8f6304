"""Raw events to clean ones: every repair a named rule with its source, every refusal a reason.

The rules about a code and its unit are decided once per distinct pair (`units.py`) and joined to
the rows; those about a row or a patient are expressions. Nothing runs row by row in Python.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from posology.domain.codes import belongs
from posology.records.io.engine import keep
from posology.records.pipeline.units import Treated, codebook, treated

REPAIRS = {
    "code_normalised": "spaces trimmed, family in capitals, ICD codes without a dot (MIMIC's form)",
    "unit_spelling": "the unit's spelling brought to UCUM 2.1",
    "unit_converted": "the value converted to the code's unit (UCUM 2.1 factors, molar masses)",
    "unit_assumed": "no unit stated: the code book's unit is assumed (own choice)",
    "text_number": "a number told as text, such as '<5' or '1,200'; the text stays beside it",
    "not_a_number": "NaN or infinity is a missing value (IEEE 754)",
    "duplicate": "exact repetitions of an event are merged into one (MEDS keeps no order in time)",
}
"""What is mended, by rule, and where the rule comes from."""

REFUSALS = (
    "no_subject",
    "no_code",
    "impossible_time",
    "unit_incompatible",
    "out_of_range",
    "conflicting_birth",
    "conflicting_death",
    "before_birth",
    "after_death",
)
"""Why an event is refused; the first that applies is told. Its row holds the index."""

OF_PATIENT = ("conflicting_birth", "conflicting_death", "before_birth", "after_death")
"""Refusals that later records of the same patient may lift."""

LARGEST = 3.4028234e38
"""The largest number that 32 bits hold (IEEE 754)."""
NUMBER = (
    r"^ *[<>]?=? ?[-+]?"
    r"(([1-9][0-9]{0,2}(,[0-9]{3}){1,9}|0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?|\.[0-9]{1,30})"
    r"([eE][-+]?[0-9]{1,2})? *(; .*)?$"
)
"""A number as laboratories write it, and what tables put beside it after a semicolon. '02139' and
'1,2' are none: they could mean something else."""


@dataclass(frozen=True, slots=True)
class Cleaning:
    """What the cleaning may refuse."""

    codebook: Path | None = None
    """A TOML file with units and plausible limits of your own codes, added to the package's."""
    years: tuple[int, int] = (1850, 2300)
    """Years an event can lie in: from the oldest plausible birth (OHDSI Data Quality Dashboard,
    plausibleValueLow of year_of_birth) to beyond the shifted dates of MIMIC (2100 to 2200)."""
    after_death_days: int = 60
    """Events so long after death are still believed: certificates and bills come late (OHDSI
    Data Quality Dashboard, plausibleBeforeDeath)."""


@dataclass(frozen=True, slots=True, eq=False)
class Book:
    """What becomes of each distinct (code, unit) pair, and the pairs that come out."""

    pairs: ir.Table
    """Columns code_key and unit_key, and what is decided of the pair, once for all its rows."""
    names: pa.Table
    """Columns code and unit: `pair` and `clean` are rows of it."""
    sources: tuple[str, ...]
    """The sources of the rows."""
    whence: ir.Table | None
    """Columns source_key and whence, an index into `sources`; None where there is one at most."""
    repairs: Counter[tuple[str, str]]
    """How many rows of each source each rule of the code and unit touches."""
    births: tuple[str, ...]
    deaths: tuple[str, ...]


def profile(con: Any, raw: ir.Table) -> pa.Table:
    """Rows, numbers, those told as text and those that are none, for each source, code and unit."""
    readable = _finite(raw.numeric_value).isnull() & _is_number(raw.text_value)
    table = raw.group_by("source", "code", "unit").agg(
        rows=raw.count(),
        numbers=raw.numeric_value.count(),
        readable=readable.sum(),
        broken=_broken(raw.numeric_value).sum(),
    )
    return con.to_pyarrow(table)


def decide(con: Any, seen: pa.Table, settings: Cleaning) -> Book:
    """Decide what becomes of every pair that the profile saw."""
    book = codebook(settings.codebook)
    repairs: Counter[tuple[str, str]] = Counter()
    fates: dict[tuple[str, str | None], Treated] = {}
    for row in seen.to_pylist():
        key = (row["code"] or "", row["unit"] or None)
        if key not in fates:
            fates[key] = treated(*key, book)
        for rule in fates[key].repairs:
            repairs[row["source"], rule] += row["rows"]
        repairs[row["source"], "text_number"] += row["readable"] or 0
        repairs[row["source"], "not_a_number"] += row["broken"] or 0
    names = sorted(
        {*fates, *((fate.code, fate.unit) for fate in fates.values())},
        key=lambda name: (name[0], name[1] or ""),
    )
    rank = {name: index for index, name in enumerate(names)}
    codes = {(code, fate.code) for (code, _), fate in fates.items()}
    sources = tuple(sorted({source or "" for source in seen["source"].to_pylist()}))
    return Book(
        pairs=_pairs(con, fates, rank),
        names=pa.table(
            {
                "code": pa.array([code for code, _ in names], pa.string()),
                "unit": pa.array([unit for _, unit in names], pa.string()),
            }
        ),
        sources=sources,
        whence=_whence(con, sources) if len(sources) > 1 else None,
        repairs=+repairs,
        births=tuple(sorted(code for code, clean in codes if belongs(clean, "MEDS_BIRTH"))),
        deaths=tuple(sorted(code for code, clean in codes if belongs(clean, "MEDS_DEATH"))),
    )


def _pairs(
    con: Any,
    fates: dict[tuple[str, str | None], Treated],
    rank: dict[tuple[str, str | None], int],
) -> ir.Table:
    """The decisions as a table of the engine."""
    table = pa.table(
        {
            "code_key": pa.array([code for code, _ in fates], pa.string()),
            "unit_key": pa.array([unit or "" for _, unit in fates], pa.string()),
            "pair": pa.array([rank[key] for key in fates], pa.int32()),
            "clean": pa.array([rank[f.code, f.unit] for f in fates.values()], pa.int32()),
            "factor": pa.array([f.factor for f in fates.values()], pa.float64()),
            "shift": pa.array([f.shift for f in fates.values()], pa.float64()),
            "low": pa.array([f.low for f in fates.values()], pa.float32()),
            "high": pa.array([f.high for f in fates.values()], pa.float32()),
            "incompatible": pa.array([f.refusal is not None for f in fates.values()], pa.bool_()),
            "nameless": pa.array([not code.strip() for code, _ in fates], pa.bool_()),
            "born": pa.array([belongs(f.code, "MEDS_BIRTH") for f in fates.values()], pa.bool_()),
            "dead": pa.array([belongs(f.code, "MEDS_DEATH") for f in fates.values()], pa.bool_()),
        }
    )
    return keep(con, table, "posology_pairs")


def _whence(con: Any, sources: tuple[str, ...]) -> ir.Table:
    """The sources with their numbers as a table of the engine."""
    numbers = pa.array(range(len(sources)), pa.int32())
    return keep(con, pa.table({"source_key": sources, "whence": numbers}), "posology_sources")


def facts(raw: ir.Table, book: Book, settings: Cleaning) -> ir.Table | None:
    """Each patient's birth (the earliest told) and death (the latest told), where any is.

    Times that are refused as impossible tell nothing, whenever they are ingested.
    """
    if not (book.births or book.deaths):
        return None
    told = raw.filter(raw.code.isin([*book.births, *book.deaths]) & ~_impossible(raw, settings))
    born = told.code.isin(list(book.births) or [""])
    dead = told.code.isin(list(book.deaths) or [""])
    return told.group_by(fact_subject=told.subject_id).agg(
        birth=told.time.min(where=born), death=told.time.max(where=dead)
    )


def cleaned(raw: ir.Table, book: Book, told: ir.Table | None, settings: Cleaning) -> ir.Table:
    """Every raw row with its fate.

    Columns: subject_id, time; `pair`, a row of `book.names` (the clean one, or for a refused row
    the one it came with); numeric_value (clean, or as it came if that is finite), text_value;
    `rule`, an index into REFUSALS or null; `row` and `whence`, an index into `book.sources`. These
    are numbers for all rows, because a text for the refused alone took a tenth of the whole ingest
    longer to sort.
    """
    keys = raw.mutate(code_key=raw.code.fill_null(""), unit_key=raw.unit.fill_null(""))
    rows = keys.join(book.pairs, ["code_key", "unit_key"])
    if book.whence is not None:
        rows = rows.mutate(source_key=rows.source.fill_null("")).join(book.whence, "source_key")
    if told is not None:
        rows = rows.left_join(told, rows.subject_id == told.fact_subject)
    rows = _numbered(rows, {rule for _, rule in book.repairs})
    rows = rows.mutate(rule=_rule(rows, settings))
    refused = rows.rule.notnull()
    return rows.select(
        "subject_id",
        "time",
        pair=ibis.ifelse(refused, rows.pair, rows.clean),
        # Ibis on Spark does not tell NaN from null, so no engine's rows hold one
        numeric_value=ibis.ifelse(refused, rows.came, rows.number),
        text_value=rows.text_value,
        rule=rows.rule,
        row=rows.row,
        whence=ibis.literal(0, "int32") if book.whence is None else rows.whence,
    )


def _numbered(rows: ir.Table, mended: set[str]) -> ir.Table:
    """Adds `came`, the number as it came if that is finite, and `number`, the clean one.

    What the profile saw nowhere is not asked of any row, but for NaN, which an engine may overlook
    when it counts (see `_broken`). A step each, for an engine works out anew what one step names
    twice.
    """
    rows = rows.mutate(came=_finite(rows.numeric_value))
    number = rows.came.cast("float64")
    if "text_number" in mended:
        number = number.fill_null(_from_text(rows.text_value))
    if "unit_converted" in mended:
        number = number * rows.factor + rows.shift
    rows = rows.mutate(number=number)
    # compared as float32, as it is written: what was accepted once is accepted again
    return rows.mutate(number=_fitting(rows.number).cast("float32"))


def _impossible(rows: ir.Table, settings: Cleaning) -> ir.Value:
    first, last = settings.years
    start, end = ibis.timestamp(f"{first}-01-01"), ibis.timestamp(f"{last}-01-01")
    return (rows.time < start) | (rows.time >= end)


def _rule(rows: ir.Table, settings: Cleaning) -> ir.Value:
    tests = {
        "no_subject": rows.subject_id.isnull(),
        "no_code": rows.nameless,
        "impossible_time": _impossible(rows, settings),
        "unit_incompatible": rows.incompatible & rows.number.notnull(),
        "out_of_range": (rows.number < rows.low) | (rows.number > rows.high),
    }
    if "birth" in rows.columns:  # somebody's birth or death is told
        late = rows.death + ibis.interval(days=settings.after_death_days)
        tests |= {
            "conflicting_birth": rows.born & (rows.time != rows.birth),
            "conflicting_death": rows.dead & (rows.time != rows.death),
            "before_birth": rows.time < rows.birth.truncate("D"),
            "after_death": rows.time > late,
        }
    branches = [(test, ibis.literal(REFUSALS.index(name), "int8")) for name, test in tests.items()]
    return ibis.cases(*branches, else_=ibis.null("int8"))


def _finite(number: ir.Value) -> ir.Value:
    """Null where it is NaN or infinite."""
    return ibis.ifelse(_broken(number), ibis.null(number.type()), number)


def _broken(number: ir.Value) -> ir.Value:
    """Whether it is NaN or infinite.

    Asked twice, by `isnan` and by arithmetic: Parquet's statistics leave NaN out, and DuckDB 2.0
    concludes from them now that a file has none, now that a column is one constant. Forbidding it
    that would double the time of an ingest.
    """
    return number.isnan() | ~((number - number) == 0)


def _fitting(number: ir.Value) -> ir.Value:
    """Null where 32 bits cannot hold it."""
    return ibis.ifelse(number.abs() > LARGEST, ibis.null("float64"), number)


def _is_number(text: ir.Value) -> ir.Value:
    return text.notnull() & text.re_search(NUMBER)


def _from_text(text: ir.Value) -> ir.Value:
    digits = text.re_replace("(; .*)|[<>=, ]", "")
    return ibis.ifelse(_is_number(text), digits, ibis.null("string")).cast("float64")
