# ruff: noqa: DTZ001  (the times of events are wall clocks)
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posology.errors import PosologyError
from posology.records.batching import BatchBuilder, code_part, combine_batches, truncate_value
from posology.records.io.subject_ids import to_subject_id, to_subject_ids
from posology.records.io.times import parse_time, to_microseconds
from posology.records.schema import Batch, Event, Rejection, finite_number

ZONE = ZoneInfo("UTC")


def test_integer_identifiers_are_unchanged_and_texts_hash_to_fixed_ids() -> None:
    assert to_subject_id("17") == 17
    assert to_subject_id(" -17 ") == -17
    assert to_subject_id(str(2**63 - 1)) == 2**63 - 1
    assert to_subject_id("patient-a") == 5153293042992249886
    assert to_subject_id("017") != 17
    assert 0 <= to_subject_id(str(2**63)) < 2**63
    assert 0 <= to_subject_id("²") < 2**63
    assert to_subject_id("\udcff") >= 0
    with pytest.raises(ValueError, match="an empty text names no subject"):
        to_subject_id("  ")


@settings(deadline=None)
@given(st.lists(st.none() | st.text(max_size=4) | st.integers().map(str), max_size=20))
def test_a_column_gives_the_same_ids_as_its_cells(texts: list[str | None]) -> None:
    numbers = to_subject_ids(pa.chunked_array([pa.array(texts, pa.string())]))
    assert numbers.to_pylist() == [to_subject_id(t) if t and t.strip() else None for t in texts]


@settings(deadline=None)
@given(st.datetimes(), st.integers(-14 * 60, 14 * 60))
def test_times_agree_with_the_standard_library(moment: datetime, minutes: int) -> None:
    naive = (moment - datetime(1970, 1, 1)) // timedelta(microseconds=1)
    assert parse_time(moment.isoformat(), ZONE) == naive
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert parse_time(aware.isoformat(), ZONE) == naive - minutes * 60_000_000


def test_times_with_an_offset_are_converted_to_the_zone() -> None:
    zurich = ZoneInfo("Europe/Zurich")
    assert parse_time("2020-07-01T00:00:00Z", zurich) == parse_time("2020-07-01T02:00:00", zurich)
    with pytest.raises(ValueError, match="out of range"):
        to_microseconds(datetime(1, 1, 1, tzinfo=UTC), ZoneInfo("America/New_York"))
    for text in ("", "yesterday", "2020-13", "20", "0000", "2020-02-30", "2020-01-01T25:00"):
        with pytest.raises(ValueError, match=r".*"):
            parse_time(text, ZONE)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (True, "not a number"),
        ("1", "not a number"),
        (None, "not a number"),
        (float("nan"), "not a finite number that fits in 32 bits"),
        (1e39, "not a finite number that fits in 32 bits"),
        (10**400, "too large for an event's number"),
    ],
)
def test_a_value_that_is_no_finite_number_is_rejected(value: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        finite_number(value)


def test_combining_batches_raises_an_error_for_a_lost_row() -> None:
    rows = BatchBuilder(10)
    rows.add("a.csv", 1, 5, [Event("X", 0)], [Rejection("b", 1, "bad")])
    rows.add("a.csv", 2, None, [])
    (batch,) = rows.batches(last=True)
    whole = combine_batches([batch])
    assert whole.rejected["source"].to_pylist() == ["a.csv#b", "a.csv"]
    assert whole.rejected["reason"].to_pylist() == ["bad", "nothing in it becomes an event"]
    with pytest.raises(PosologyError, match="4 rows were read, 1 gave events and 2 were rejected"):
        combine_batches([Batch(batch.events, batch.rejected, batch.rows + 1)])


def test_code_parts_and_rejected_values_have_bounded_length() -> None:
    assert code_part("  a  b//c ") == "a_b/c"
    assert len(code_part("x" * 999)) == 120
    assert truncate_value("é" * 600) == "é" * 500 + "... (600 characters)"
    assert truncate_value("\ud800") == "?"
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    assert truncate_value(deep) == "(nested too deeply to show)"
