"""MEDS events as arrays, sorted by subject and time, their codes numbered."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float32, Float64, Int32, Int64

from posology.domain.codes import has_prefix

_DAY = 86_400e6
"""Microseconds in a day."""


@dataclass(frozen=True, slots=True, eq=False)
class EventStream:
    """Events sorted by subject, then time, then code and number; static ones (no time) first."""

    subject_id: Int64[np.ndarray, " event"]
    time: Float64[np.ndarray, " event"]
    """Days since 1970-01-01; NaN where static."""
    code: Int32[np.ndarray, " event"]
    """Row of `codes`."""
    value: Float32[np.ndarray, " event"]
    codes: tuple[str, ...]
    """In alphabetical order."""


def sort_events(events: pa.Table, codes: tuple[str, ...] | None = None) -> EventStream:
    """A table of MEDS events (subject_id, time, code, numeric_value) as a sorted stream.

    codes: all that may occur, in alphabetical order; those of the table where not given.
    """
    encoded = events["code"].combine_chunks()
    if not isinstance(encoded, pa.DictionaryArray):
        encoded = encoded.dictionary_encode()
    names = encoded.dictionary.to_pylist()
    indices = encoded.indices.to_numpy(zero_copy_only=False)
    if codes is None:
        codes = tuple(sorted(names[i] for i in np.unique(indices)))
    number = {name: row for row, name in enumerate(codes)}
    rank = np.array([number.get(name, -1) for name in names], dtype=np.int32)
    code = rank[indices] if names else np.empty(0, np.int32)
    subject = events["subject_id"].to_numpy().astype(np.int64)
    time = _days(events["time"])
    value = events["numeric_value"].to_numpy().astype(np.float32)
    rows = event_order(subject, time, code, value)
    return EventStream(subject[rows], time[rows], code[rows], value[rows], codes)


def subject_runs(
    events: EventStream,
) -> tuple[Int64[np.ndarray, " subject"], Int64[np.ndarray, " event"]]:
    """The subjects in order, and the row of each event's subject among them."""
    new = np.ones(len(events.subject_id), dtype=bool)
    new[1:] = events.subject_id[1:] != events.subject_id[:-1]
    return events.subject_id[new], np.cumsum(new) - 1


def has_any_code(events: EventStream, prefixes: tuple[str, ...]) -> Bool[np.ndarray, " event"]:
    """Which events' codes belong to any of the prefixes."""
    if not prefixes or not len(events.code):
        return np.zeros(len(events.code), dtype=bool)
    return matching_codes(events.codes, prefixes)[events.code]


@lru_cache(maxsize=256)
def matching_codes(codes: tuple[str, ...], prefixes: tuple[str, ...]) -> Bool[np.ndarray, " code"]:
    """Which codes belong to any of the prefixes."""
    return np.array([any(has_prefix(c, p) for p in prefixes) for c in codes], dtype=bool)


def select_events(events: EventStream, rows: np.ndarray) -> EventStream:
    """Some of the events, in their order."""
    return EventStream(
        events.subject_id[rows],
        events.time[rows],
        events.code[rows],
        events.value[rows],
        events.codes,
    )


def event_order(
    subject: np.ndarray, time: np.ndarray, code: np.ndarray, value: np.ndarray
) -> Int64[np.ndarray, " event"]:
    """Rows in the stream's order; cheap where subjects and times are in order already."""
    when = np.nan_to_num(time, nan=-np.inf)
    if _ascending(subject, when):
        moment = np.zeros(len(subject), dtype=np.int64)
        moment[1:] = np.cumsum((subject[1:] != subject[:-1]) | (when[1:] != when[:-1]))
        key = moment * (int(code.max(initial=0)) + 1) + code
        rows = np.argsort(key, kind="stable")
        key = key[rows]
        tied = np.zeros(len(key), dtype=bool)
        tied[1:] = key[1:] == key[:-1]
        tied[:-1] |= tied[1:]
        some = rows[tied]
        rows[tied] = some[np.lexsort((value[some], key[tied]))]
        return rows
    return np.lexsort((value, code, when, subject))


def _ascending(subject: np.ndarray, when: np.ndarray) -> bool:
    same = subject[1:] == subject[:-1]
    return bool(((subject[1:] > subject[:-1]) | (same & (when[1:] >= when[:-1]))).all())


def _days(time: pa.ChunkedArray) -> Float64[np.ndarray, " event"]:
    micros = pc.cast(pc.cast(time, pa.timestamp("us")), pa.int64())
    return (
        micros.to_numpy(zero_copy_only=False).astype(np.float64) / _DAY
        if len(time)
        else (np.empty(0, dtype=np.float64))
    )
