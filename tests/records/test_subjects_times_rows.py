# ruff: noqa: DTZ001  (the times of events are wall clocks)
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posology.errors import PosologyError
from posology.records.batching import Fact, Refusal, Rows, clean_part, finite, gather, shorten
from posology.records.io.subject_ids import subject_number, subject_numbers
from posology.records.io.times import microseconds_of, parse_time
from posology.records.schema import Batch

ZONE = ZoneInfo("UTC")


def test_integers_stay_and_texts_are_hashed_the_same_everywhere() -> None:
    assert subject_number("17") == 17
    assert subject_number(" -17 ") == -17
    assert subject_number(str(2**63 - 1)) == 2**63 - 1
    assert subject_number("patient-a") == 5153293042992249886
    assert subject_number("017") != 17
    assert 0 <= subject_number(str(2**63)) < 2**63
    assert 0 <= subject_number("²") < 2**63
    assert subject_number("\udcff") >= 0
    with pytest.raises(ValueError, match="an empty text names no subject"):
        subject_number("  ")


@settings(deadline=None)
@given(st.lists(st.none() | st.text(max_size=4) | st.integers().map(str), max_size=20))
def test_a_column_gives_the_same_numbers_as_its_cells(texts: list[str | None]) -> None:
    numbers = subject_numbers(pa.chunked_array([pa.array(texts, pa.string())]))
    assert numbers.to_pylist() == [subject_number(t) if t and t.strip() else None for t in texts]


@settings(deadline=None)
@given(st.datetimes(), st.integers(-14 * 60, 14 * 60))
def test_times_agree_with_the_standard_library(moment: datetime, minutes: int) -> None:
    naive = (moment - datetime(1970, 1, 1)) // timedelta(microseconds=1)
    assert parse_time(moment.isoformat(), ZONE) == naive
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert parse_time(aware.isoformat(), ZONE) == naive - minutes * 60_000_000


def test_a_zone_is_the_clock_on_which_events_stand() -> None:
    zurich = ZoneInfo("Europe/Zurich")
    assert parse_time("2020-07-01T00:00:00Z", zurich) == parse_time("2020-07-01T02:00:00", zurich)
    with pytest.raises(ValueError, match="out of range"):
        microseconds_of(datetime(1, 1, 1, tzinfo=UTC), ZoneInfo("America/New_York"))
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
def test_what_is_no_number_is_refused(value: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        finite(value)


def test_a_lost_row_is_an_error_not_a_silence() -> None:
    rows = Rows(10)
    rows.add("a.csv", 1, 5, [Fact("X", 0)], [Refusal("b", 1, "bad")])
    rows.add("a.csv", 2, None, [])
    (batch,) = rows.batches(last=True)
    whole = gather([batch])
    assert whole.refused["source"].to_pylist() == ["a.csv#b", "a.csv"]
    assert whole.refused["reason"].to_pylist() == ["bad", "nothing in it becomes an event"]
    with pytest.raises(PosologyError, match="4 rows were read, 1 gave events and 2 were refused"):
        gather([Batch(batch.events, batch.refused, batch.rows + 1)])


def test_parts_of_codes_and_shown_values_are_bounded() -> None:
    assert clean_part("  a  b//c ") == "a_b/c"
    assert len(clean_part("x" * 999)) == 120
    assert shorten("é" * 600) == "é" * 500 + "... (600 characters)"
    assert shorten("\ud800") == "?"
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    assert shorten(deep) == "(nested too deeply to show)"
