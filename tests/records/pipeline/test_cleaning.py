"""The rules of cleaning, compared with the same rules applied row by row in Python."""

import math
import re
from datetime import timedelta
from types import SimpleNamespace

import ibis
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings

from posology.records.pipeline.cleaning import births_and_deaths
from posology.records.pipeline.cleaning_rules import CleaningSettings
from posology.records.pipeline.ingest import IngestSettings, ingest
from posology.records.pipeline.units import code_rule, load_codebook
from tests.builders.raw_events import YEAR0, events_of, raw_source, raw_table, rows

BOOK = load_codebook()
QUICK = IngestSettings(report=False)


def number_in(text):
    """The number that a laboratory's text tells, or None."""
    if text is None:
        return None
    head = text.split("; ")[0].strip()
    whole = r"(?:[1-9]\d{0,2}(?:,\d{3})+|0|[1-9]\d*)"
    plain = re.fullmatch(
        rf"[<>]?=? ?([-+]?)((?:{whole}(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d{{1,2}})?)", head
    )
    if not plain:
        return None
    return float(plain.group(1) + plain.group(2).replace(",", ""))


def value_of(number, text, rule):
    finite = number is not None and math.isfinite(number)
    value = number if finite else number_in(text)
    if value is None:
        return None
    with np.errstate(over="ignore"):
        value = np.float32(value * rule.factor + rule.shift)
    return float(value) if np.isfinite(value) else None


def naive(rows):
    """Clean events as a set of tuples, and the reasons of the others by row."""
    stated = {}
    for subject, time, code, *_ in rows:
        if time is None or subject is None or not 1850 <= time.year < 2300:
            continue
        if code in ("MEDS_BIRTH", "MEDS_DEATH"):
            stated.setdefault((subject, code), []).append(time)
    births = {s: min(ts) for (s, c), ts in stated.items() if c == "MEDS_BIRTH"}
    deaths = {s: max(ts) for (s, c), ts in stated.items() if c == "MEDS_DEATH"}
    accepted, rejected = set(), {}
    for place, (subject, time, code, number, text, unit) in enumerate(rows, start=1):
        rule = code_rule(code or "", unit or None, BOOK)
        value = value_of(number, text, rule)
        birth, death = births.get(subject), deaths.get(subject)
        checks = {
            "no_subject": subject is None,
            "no_code": not (code or "").strip(),
            "impossible_time": time is not None and not 1850 <= time.year < 2300,
            "unit_incompatible": rule.rejection is not None and value is not None,
            "out_of_range": value is not None
            and (
                (rule.low is not None and value < np.float32(rule.low))
                or (rule.high is not None and value > np.float32(rule.high))
            ),
            "conflicting_birth": code == "MEDS_BIRTH" and time is not None and time != birth,
            "conflicting_death": code == "MEDS_DEATH" and time is not None and time != death,
            "before_birth": None not in (time, birth) and time.date() < birth.date(),
            "after_death": None not in (time, death) and time > death + timedelta(days=60),
        }
        reason = next((name for name, failed in checks.items() if failed), None)
        if reason:
            rejected[place] = reason
        else:
            accepted.add((subject, time, rule.code, value, text, rule.unit))
    return accepted, rejected


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows)
@example(  # NaN next to a number: Parquet's statistics omit NaN
    rows=[(1, None, "MEDS_BIRTH", 0.0, None, None), (2, None, "X", float("nan"), "<5", None)]
)
@example(  # and of a number that is always the same they make a constant
    rows=[
        (None, None, "MEDS_BIRTH", 1.0, None, None),
        (-5, None, "MEDS_BIRTH", float("nan"), None, None),
    ]
)
@example(  # which hides that a text tells the number
    rows=[
        (None, None, "MEDS_BIRTH", 1.0, None, None),
        (-5, None, "MEDS_BIRTH", float("nan"), "<5", None),
    ]
)
def test_cleaning_agrees_with_a_naive_version_of_its_rules(tmp_path_factory, rows):
    import pyarrow.parquet as pq

    folder = tmp_path_factory.mktemp("in")
    ingest(
        [raw_source(folder / "a.parquet", raw_table(rows))],
        folder / "out",
        IngestSettings(report=False),
    )
    accepted, rejected = naive(rows)
    columns = events_of(folder / "out").columns
    assert set(zip(*(c.to_pylist() for c in columns), strict=True)) == accepted
    listed = pq.read_table(folder / "out" / "rejected.parquet").to_pylist()
    assert {row["row"]: row["rule"] for row in listed} == rejected


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows)
def test_cleaning_clean_events_changes_nothing(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("in")
    ingest([raw_source(folder / "a.parquet", raw_table(rows))], folder / "out", QUICK)
    once = events_of(folder / "out")
    again = ingest([raw_source(folder / "b.parquet", once)], folder / "again", QUICK)
    assert events_of(folder / "again") == once
    assert again.merged == 0
    assert again.rejected == {}
    assert set(again.repairs) <= {"text_number"}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("<5", 5),
        (">= 7.5", 7.5),
        ("≥7.5", 7.5),
        ("≤ 5", 5),
        ("1,200", 1200),
        ("1,234,567.5", 1234567.5),
        ("-3", -3),
        ("1e3", 1000),
        (".5", 0.5),
        ("25,000; route IV", 25000),
        ("0", 0),
        ("1,2", None),
        ("02139", None),
        ("5 mg", None),
        ("", None),
        ("5-7", None),
        ("1,20", None),
        ("e5", None),
        (".", None),
        ("-", None),
        ("1" * 400, None),
        ("NEG", None),
        (" 5 ", 5),
        ("; 5", None),
    ],
)
def test_numbers_are_read_from_texts(tmp_path, text, number):
    rows = [(1, YEAR0, "LAB//a", None, text, None)]
    ingest([raw_source(tmp_path / "a.parquet", raw_table(rows))], tmp_path / "out")
    (event,) = events_of(tmp_path / "out").to_pylist()
    assert event["numeric_value"] == number
    assert event["text_value"] == text


def test_a_nan_that_parquet_statistics_omit_is_detected(tmp_path):
    rows = [
        (1, YEAR0, "LAB//a", float("nan"), "1,200", None),
        (2, YEAR0, "LAB//a", 0.0, None, None),
    ]
    done = ingest([raw_source(tmp_path / "a.parquet", raw_table(rows))], tmp_path / "out")
    assert events_of(tmp_path / "out")["numeric_value"].to_pylist() == [1200, 0]
    assert done.repairs == {"text_number": 1, "not_a_number": 1}


def test_births_without_a_patient_are_no_patients_birth():
    """Spark got all patients' births without a match if one row had no patient."""
    raw = ibis.memtable(
        raw_table(
            [
                (1, YEAR0, "MEDS_BIRTH", None, None, None),
                (None, YEAR0, "MEDS_BIRTH", None, None, None),
            ]
        )
    )
    plan = SimpleNamespace(births=("MEDS_BIRTH",), deaths=())
    found = births_and_deaths(raw, plan, CleaningSettings())
    assert found.to_pyarrow()["lifespan_subject"].to_pylist() == [1]
