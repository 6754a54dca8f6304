"""Clean raw events: every repair is a named rule with its source, every rejection has a reason.

Rules about a code and its unit are decided once for each distinct pair (`units.py`) and joined to
the rows; rules about a row or a patient are expressions. No Python code runs for each row.
"""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from posology.domain.codes import has_prefix
from posology.records.io.engine import materialize
from posology.records.pipeline.cleaning_rules import (
    NUMBER,
    REJECTION_RULES,
    CleaningSettings,
)
from posology.records.pipeline.units import CodeRule, code_rule, is_free_text, load_codebook
from posology.records.schema import MAX_FLOAT32


@dataclass(frozen=True, slots=True, eq=False)
class CleaningPlan:
    """How to clean each distinct (code, unit) pair."""

    rules: ir.Table
    """One row for each raw pair: its key (code_key, unit_key) and its rule."""
    pairs: pa.Table
    """Columns code and unit of all raw and clean pairs, which `rules` refers to by index."""
    sources: tuple[str, ...]
    """The sources of the rows."""
    source_index: ir.Table | None
    """Columns source_key and source_index (into `sources`); None if there is at most one source."""
    repairs: Counter[tuple[str, str]]
    """Number of rows of each source that each rule for codes and units changes."""
    births: tuple[str, ...]
    """Raw codes that mean a birth."""
    deaths: tuple[str, ...]
    """Raw codes that mean a death."""


def profile_codes(con: Any, raw: ir.Table) -> pa.Table:
    """Counts for each source, code and unit: rows, numbers, numbers as text, invalid numbers."""
    readable = _finite(raw.numeric_value).isnull() & _is_number(raw.text_value)
    table = raw.group_by("source", "code", "unit").agg(
        rows=raw.count(),
        numbers=raw.numeric_value.count(),
        readable=readable.sum(),
        broken=_is_invalid(raw.numeric_value).sum(),
    )
    return con.to_pyarrow(table)


def plan_cleaning(con: Any, profile: pa.Table, settings: CleaningSettings) -> CleaningPlan:
    """Choose the rule of every (code, unit) pair of the profile."""
    book = load_codebook(settings.codebook)
    repairs: Counter[tuple[str, str]] = Counter()
    rules: dict[tuple[str, str | None], CodeRule] = {}
    for row in profile.to_pylist():
        key = (row["code"] or "", row["unit"] or None)
        if key not in rules:
            rule = code_rule(*key, book)
            is_text = not settings.free_text_codes and is_free_text(rule.code)
            rules[key] = replace(rule, rejection="free_text_code") if is_text else rule
        for rule in rules[key].repairs:
            repairs[row["source"], rule] += row["rows"]
        repairs[row["source"], "text_number"] += row["readable"] or 0
        repairs[row["source"], "not_a_number"] += row["broken"] or 0
    pairs = sorted(
        {*rules, *((rule.code, rule.unit) for rule in rules.values())},
        key=lambda pair: (pair[0], pair[1] or ""),
    )
    index = {pair: number for number, pair in enumerate(pairs)}
    codes = {(code, rule.code) for (code, _), rule in rules.items()}
    sources = tuple(sorted({source or "" for source in profile["source"].to_pylist()}))
    return CleaningPlan(
        rules=_rule_table(con, rules, index),
        pairs=pa.table(
            {
                "code": pa.array([code for code, _ in pairs], pa.string()),
                "unit": pa.array([unit for _, unit in pairs], pa.string()),
            }
        ),
        sources=sources,
        source_index=_source_table(con, sources) if len(sources) > 1 else None,
        repairs=+repairs,
        births=tuple(sorted(code for code, clean in codes if has_prefix(clean, "MEDS_BIRTH"))),
        deaths=tuple(sorted(code for code, clean in codes if has_prefix(clean, "MEDS_DEATH"))),
    )


def _rule_table(
    con: Any,
    rules: dict[tuple[str, str | None], CodeRule],
    index: dict[tuple[str, str | None], int],
) -> ir.Table:
    """The rules as a table of the engine."""
    values = list(rules.values())
    table = pa.table(
        {
            "code_key": pa.array([code for code, _ in rules], pa.string()),
            "unit_key": pa.array([unit or "" for _, unit in rules], pa.string()),
            "raw_pair": pa.array([index[pair] for pair in rules], pa.int32()),
            "clean_pair": pa.array([index[rule.code, rule.unit] for rule in values], pa.int32()),
            "factor": pa.array([rule.factor for rule in values], pa.float64()),
            "shift": pa.array([rule.shift for rule in values], pa.float64()),
            "low": pa.array([rule.low for rule in values], pa.float32()),
            "high": pa.array([rule.high for rule in values], pa.float32()),
            "incompatible": pa.array(
                [rule.rejection == "unit_incompatible" for rule in values], pa.bool_()
            ),
            "is_free_text": pa.array(
                [rule.rejection == "free_text_code" for rule in values], pa.bool_()
            ),
            "has_no_code": pa.array([not code.strip() for code, _ in rules], pa.bool_()),
            "is_birth": pa.array(
                [has_prefix(rule.code, "MEDS_BIRTH") for rule in values], pa.bool_()
            ),
            "is_death": pa.array(
                [has_prefix(rule.code, "MEDS_DEATH") for rule in values], pa.bool_()
            ),
        }
    )
    return materialize(con, table, "posology_rules")


def _source_table(con: Any, sources: tuple[str, ...]) -> ir.Table:
    """The sources with their index as a table of the engine."""
    numbers = pa.array(range(len(sources)), pa.int32())
    table = pa.table({"source_key": sources, "source_index": numbers})
    return materialize(con, table, "posology_sources")


def births_and_deaths(
    raw: ir.Table, plan: CleaningPlan, settings: CleaningSettings
) -> ir.Table | None:
    """Each patient's birth (the earliest stated) and death (the latest); None if none is stated.

    Impossible times are ignored, so that the order of ingests does not matter.
    """
    if not (plan.births or plan.deaths):
        return None
    named = raw.subject_id.notnull() & raw.code.isin([*plan.births, *plan.deaths])
    stated = raw.filter(named & ~_impossible(raw, settings))
    is_birth = stated.code.isin(list(plan.births) or [""])
    is_death = stated.code.isin(list(plan.deaths) or [""])
    return stated.group_by(lifespan_subject=stated.subject_id).agg(
        birth=stated.time.min(where=is_birth), death=stated.time.max(where=is_death)
    )


def clean_events(
    raw: ir.Table, plan: CleaningPlan, lifespans: ir.Table | None, settings: CleaningSettings
) -> ir.Table:
    """Every raw row, cleaned, or with the rule that rejects it.

    Columns: subject_id, time; `pair`, an index into `plan.pairs` (the clean pair, or of a rejected
    row the raw one); numeric_value (clean, or of a rejected row the raw one if it is finite),
    text_value; `rule`, an index into REJECTION_RULES or null; `row`; `source_index`, into
    `plan.sources`. Indices, because a text column of reasons made the whole ingest a tenth slower.
    """
    keys = raw.mutate(code_key=raw.code.fill_null(""), unit_key=raw.unit.fill_null(""))
    rows = keys.join(plan.rules, ["code_key", "unit_key"])
    if plan.source_index is not None:
        rows = rows.mutate(source_key=rows.source.fill_null(""))
        rows = rows.join(plan.source_index, "source_key")
    if lifespans is not None:
        rows = rows.left_join(lifespans, rows.subject_id == lifespans.lifespan_subject)
    rows = _with_numbers(rows, {rule for _, rule in plan.repairs})
    rows = rows.mutate(rule=_rule(rows, settings))
    rejected = rows.rule.notnull()
    return rows.select(
        "subject_id",
        "time",
        pair=ibis.ifelse(rejected, rows.raw_pair, rows.clean_pair),
        # Ibis on Spark does not distinguish NaN from null, so no engine's rows have NaN
        numeric_value=ibis.ifelse(rejected, rows.raw_number, rows.number),
        text_value=rows.text_value,
        rule=rows.rule,
        row=rows.row,
        source_index=(ibis.literal(0, "int32") if plan.source_index is None else rows.source_index),
    )


def _with_numbers(rows: ir.Table, repairs: set[str]) -> ir.Table:
    """Add `raw_number` (null if it is not finite) and `number`, the clean one.

    A repair that no row of the profile needs is left out, except that for NaN, which an engine
    may miss when it counts (see `_is_invalid`). Each step is a `mutate` of its own, because an
    engine recomputes an expression that is used twice in one step.
    """
    rows = rows.mutate(raw_number=_finite(rows.numeric_value))
    number = rows.raw_number.cast("float64")
    if "text_number" in repairs:
        number = number.fill_null(_from_text(rows.text_value))
    if "unit_converted" in repairs:
        number = number * rows.factor + rows.shift
    rows = rows.mutate(number=number)
    # limits are compared in float32, as numbers are stored: an accepted number stays accepted
    return rows.mutate(number=_null_if_too_large(rows.number).cast("float32"))


def _impossible(rows: ir.Table, settings: CleaningSettings) -> ir.Value:
    first, last = settings.years
    start, end = ibis.timestamp(f"{first}-01-01"), ibis.timestamp(f"{last}-01-01")
    return (rows.time < start) | (rows.time >= end)


def _rule(rows: ir.Table, settings: CleaningSettings) -> ir.Value:
    """The index of the first rule that rejects each row; null for an accepted row."""
    tests = {
        "no_subject": rows.subject_id.isnull(),
        "no_code": rows.has_no_code,
        "free_text_code": rows.is_free_text,
        "impossible_time": _impossible(rows, settings),
        "unit_incompatible": rows.incompatible & rows.number.notnull(),
        "out_of_range": (rows.number < rows.low) | (rows.number > rows.high),
    }
    if "birth" in rows.columns:
        last = rows.death + ibis.interval(days=settings.after_death_days)
        tests |= {
            "conflicting_birth": rows.is_birth & (rows.time != rows.birth),
            "conflicting_death": rows.is_death & (rows.time != rows.death),
            "before_birth": rows.time < rows.birth.truncate("D"),
            "after_death": rows.time > last,
        }
    indices = {name: ibis.literal(REJECTION_RULES.index(name), "int8") for name in tests}
    branches = [(test, indices[name]) for name, test in tests.items()]
    return ibis.cases(*branches, else_=ibis.null("int8"))


def _finite(number: ir.Value) -> ir.Value:
    """Null if it is NaN or infinite."""
    return ibis.ifelse(_is_invalid(number), ibis.null(number.type()), number)


def _is_invalid(number: ir.Value) -> ir.Value:
    """Whether it is NaN or infinite.

    Tested twice, by `isnan` and by arithmetic: Parquet's statistics omit NaN, and DuckDB 2.0
    sometimes concludes from them that a file has none, or that a column is one constant. Turning
    that optimisation off would double the time of an ingest.
    """
    return number.isnan() | ~((number - number) == 0)


def _null_if_too_large(number: ir.Value) -> ir.Value:
    """Null if 32 bits cannot hold it."""
    return ibis.ifelse(number.abs() > MAX_FLOAT32, ibis.null("float64"), number)


def _is_number(text: ir.Value) -> ir.Value:
    return text.notnull() & text.re_search(NUMBER)


def _from_text(text: ir.Value) -> ir.Value:
    digits = text.re_replace("(; .*)|[<>≤≥=, ]", "")
    return ibis.ifelse(_is_number(text), digits, ibis.null("string")).cast("float64")
