"""Clean the events of one patient in memory, by the same rules as a whole ingest (`cleaning.py`).

A service reads one patient at a time, and must not start an engine and write files for each. The
rules of codes and units are the same functions; those of rows are written here once more, and a
test holds the two together.
"""

import datetime
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from posology.domain.codes import has_prefix
from posology.records.pipeline.cleaning_rules import NUMBER, REJECTION_REASONS, CleaningSettings
from posology.records.pipeline.units import (
    CodeRule,
    code_rule,
    is_free_text,
    load_codebook,
    title_of,
)
from posology.records.schema import EVENTS, MAX_FLOAT32

_NUMBER = re.compile(NUMBER)
_NOT_DIGITS = re.compile(r"(; .*)|[<>≤≥=, ]")
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class CleanedEvents:
    """Clean events in the order of an ingest, and what was rejected."""

    events: pa.Table
    """Columns of EVENTS."""
    rejected: Counter[str] = field(default_factory=Counter)
    """Rejected rows by reason; of a number that cannot be right, and of a date, with the fact."""


@dataclass(frozen=True, slots=True)
class _Life:
    """The patient's birth (the earliest stated) and death (the latest)."""

    birth: datetime.datetime | None
    death: datetime.datetime | None


def clean_in_memory(
    raw: pa.Table, settings: CleaningSettings | None = None, keep_unread: bool = False
) -> CleanedEvents:
    """The clean events of raw ones (columns of RAW) of few patients.

    Args:
        keep_unread: a number without a unit, or in one that its code cannot be read in, is neither
            given the code's unit nor rejected: it stays as sent, with its own unit or an empty one,
            for the reader to name.
    """
    settings = settings or CleaningSettings()
    rows = raw.to_pylist()
    by_subject: dict[int | None, list[Row]] = {}
    for row in rows:
        by_subject.setdefault(row["subject_id"], []).append(row)
    kept: list[Row] = []
    rejected: Counter[str] = Counter()
    for subject in by_subject.values():
        life = _life_of(subject, settings)
        for row in subject:
            rule = _rule_of(row["code"] or "", row["unit"] or None, settings)
            rule = _as_sent(rule, row) if keep_unread else rule
            number = _number(row, rule)
            reason = _reason(row, rule, number, (life, settings))
            if reason is None:
                kept.append({**row, "code": rule.code, "unit": rule.unit, "numeric_value": number})
            else:
                rejected[_in_words(reason, row, rule.code)] += 1
    return CleanedEvents(_to_table(_without_duplicates(sorted(kept, key=_order))), rejected)


def _in_words(reason: str, row: Row, code: str) -> str:
    given = {
        "out_of_range": lambda: f"{row['numeric_value']:g} {row['unit'] or ''}".rstrip(),
        "impossible_time": lambda: f"of {row['time'].date()}",
    }
    if reason not in given or (reason == "out_of_range" and row["numeric_value"] is None):
        return REJECTION_REASONS[reason]
    return f"{REJECTION_REASONS[reason]}: {title_of(code)} {given[reason]()}"


@lru_cache(maxsize=20_000)
def _rule_of(code: str, unit: str | None, settings: CleaningSettings) -> CodeRule:
    rule = code_rule(code, unit, load_codebook(settings.codebook))
    is_text = not settings.free_text_codes and is_free_text(rule.code)
    return replace(rule, rejection="free_text_code") if is_text else rule


def _as_sent(rule: CodeRule, row: Row) -> CodeRule:
    """The rule without a guess at the unit of the row's number, and without limits in that unit."""
    if _number(row, CodeRule(rule.code, None)) is None:
        return rule
    unit = (row["unit"] or "").strip()
    if rule.rejection == "unit_incompatible" or (not unit and "unit_assumed" in rule.repairs):
        return CodeRule(rule.code, unit, repairs=rule.repairs)
    return rule if unit or rule.unit else replace(rule, unit="")


def _life_of(rows: Sequence[Row], settings: CleaningSettings) -> _Life:
    births, deaths = [], []
    for row in rows:
        if row["time"] is None or _is_impossible(row["time"], settings):
            continue
        code = _rule_of(row["code"] or "", row["unit"] or None, settings).code
        if has_prefix(code, "MEDS_BIRTH"):
            births.append(row["time"])
        if has_prefix(code, "MEDS_DEATH"):
            deaths.append(row["time"])
    return _Life(min(births, default=None), max(deaths, default=None))


def _is_impossible(time: datetime.datetime, settings: CleaningSettings) -> bool:
    first, last = settings.years
    return not first <= time.year < last


def _number(row: Row, rule: CodeRule) -> float | None:
    """The clean number, as 32 bits hold it; None if there is none."""
    number = row["numeric_value"]
    if number is not None and not math.isfinite(number):
        number = None
    if number is None:
        text = row["text_value"]
        if text is None or not _NUMBER.search(text):
            return None
        number = float(_NOT_DIGITS.sub("", text))
    number = number * rule.factor + rule.shift
    return None if abs(number) > MAX_FLOAT32 else float(np.float32(number))


def _reason(
    row: Row, rule: CodeRule, number: float | None, limits: tuple[_Life, CleaningSettings]
) -> str | None:
    """The first rule that rejects the row."""
    (life, settings), time = limits, row["time"]
    if row["subject_id"] is None:
        return "no_subject"
    if not (row["code"] or "").strip():
        return "no_code"
    if rule.rejection == "free_text_code":
        return "free_text_code"
    if time is not None and _is_impossible(time, settings):
        return "impossible_time"
    if rule.rejection == "unit_incompatible" and number is not None:
        return "unit_incompatible"
    if number is not None and not _is_inside(number, rule):
        return "out_of_range"
    return None if time is None else _against_life(rule.code, time, life, settings)


def _is_inside(number: float, rule: CodeRule) -> bool:
    """Limits are compared in 32 bits, as numbers are stored."""
    is_above = rule.low is None or number >= float(np.float32(rule.low))
    return is_above and (rule.high is None or number <= float(np.float32(rule.high)))


def _against_life(
    code: str, time: datetime.datetime, life: _Life, settings: CleaningSettings
) -> str | None:
    if life.birth is not None and has_prefix(code, "MEDS_BIRTH") and time != life.birth:
        return "conflicting_birth"
    if life.death is not None and has_prefix(code, "MEDS_DEATH") and time != life.death:
        return "conflicting_death"
    if life.birth is not None:
        start = life.birth.replace(hour=0, minute=0, second=0, microsecond=0)
        if time < start:
            return "before_birth"
    if life.death is not None:
        last = life.death + datetime.timedelta(days=settings.after_death_days)
        if time > last:
            return "after_death"
    return None


def _order(row: Row) -> tuple[Any, ...]:
    """Subject, time, code and unit, number, text; None first."""
    keys = (row["time"], row["code"], row["unit"] or "", row["numeric_value"], row["text_value"])
    return (row["subject_id"], *((key is not None, key) for key in keys))


def _without_duplicates(rows: list[Row]) -> list[Row]:
    """The sorted rows without those equal to the row before them."""
    kept: list[Row] = []
    last: tuple[Any, ...] | None = None
    for row in rows:
        key = tuple(row[name] for name in EVENTS.names)
        if key != last:
            kept.append(row)
        last = key
    return kept


def _to_table(rows: list[Row]) -> pa.Table:
    columns = {kind.name: pa.array([r[kind.name] for r in rows], kind.type) for kind in EVENTS}
    return pa.table(columns, schema=EVENTS)
