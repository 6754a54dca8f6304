"""MEDS events as arrays, sorted by subject and time, with codes as numbers."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float32, Float64, Int32, Int64

from posology.domain.codes import has_prefix

_DAY = 86_400e6
"""Microseconds in a day."""
_NO_TIME = -(2**63)
"""Stands for null among microseconds."""


_FEW = 256
"""Up to so many events one sort by all keys takes less time than to see whether it is needed."""


@dataclass(frozen=True, slots=True, eq=False)
class EventStream:
    """Events sorted by subject, time, code and value; static ones (without a time) first."""

    subject_id: Int64[np.ndarray, " event"]
    time: Float64[np.ndarray, " event"]
    """Days since 1970-01-01; NaN if static."""
    code: Int32[np.ndarray, " event"]
    """Row of `codes`."""
    value: Float32[np.ndarray, " event"]
    codes: tuple[str, ...]
    """In alphabetical order."""


def sort_events(events: pa.Table, codes: tuple[str, ...] | None = None) -> EventStream:
    """Sort a table of MEDS events (subject_id, time, code, numeric_value).

    codes: all codes that may occur, in alphabetical order; the table's own codes if None.
    """
    encoded = events["code"].combine_chunks()
    has_own = isinstance(encoded, pa.DictionaryArray)  # which may have codes that no event has
    if not has_own:
        encoded = encoded.dictionary_encode()
    names = encoded.dictionary.to_pylist()
    indices = _numbers(encoded.indices)
    if codes is None:
        codes = tuple(sorted([names[i] for i in np.unique(indices)] if has_own else names))
    number = {name: row for row, name in enumerate(codes)}
    rank = np.array([number.get(name, -1) for name in names], dtype=np.int32)
    code = rank[indices] if names else np.empty(0, np.int32)
    subject = _numbers(events["subject_id"]).astype(np.int64)
    time = _days(events["time"])
    value = _numbers(_filled(events["numeric_value"], np.nan)).astype(np.float32)
    rows = event_order(subject, time, code, value)
    return EventStream(subject[rows], time[rows], code[rows], value[rows], codes)


def subject_runs(
    events: EventStream,
) -> tuple[Int64[np.ndarray, " subject"], Int64[np.ndarray, " event"]]:
    """The distinct subjects in order, and the row of each event's subject among them."""
    is_new = np.ones(len(events.subject_id), dtype=bool)
    is_new[1:] = events.subject_id[1:] != events.subject_id[:-1]
    return events.subject_id[is_new], np.cumsum(is_new) - 1


def has_any_code(events: EventStream, prefixes: tuple[str, ...]) -> Bool[np.ndarray, " event"]:
    """Whether each event's code has any of the prefixes."""
    if not prefixes or not len(events.code):
        return np.zeros(len(events.code), dtype=bool)
    return matching_codes(events.codes, prefixes)[events.code]


@lru_cache(maxsize=256)
def matching_codes(codes: tuple[str, ...], prefixes: tuple[str, ...]) -> Bool[np.ndarray, " code"]:
    """Whether each code has any of the prefixes."""
    return np.array([any(has_prefix(c, p) for p in prefixes) for c in codes], dtype=bool)


def select_events(events: EventStream, rows: np.ndarray) -> EventStream:
    """The events of some rows."""
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
    """Rows that sort the events as in an EventStream; cheap if subjects and times are sorted."""
    when = np.where(np.isnan(time), -np.inf, time)
    if len(time) > _FEW and _ascending(subject, when):
        time_rank = np.zeros(len(subject), dtype=np.int64)
        time_rank[1:] = np.cumsum((subject[1:] != subject[:-1]) | (when[1:] != when[:-1]))
        key = time_rank * (int(code.max(initial=0)) + 1) + code
        rows = np.argsort(key, kind="stable")
        key = key[rows]
        tied = np.zeros(len(key), dtype=bool)
        tied[1:] = key[1:] == key[:-1]
        tied[:-1] |= tied[1:]
        ties = rows[tied]
        rows[tied] = ties[np.lexsort((value[ties], key[tied]))]
        return rows
    return np.lexsort((value, code, when, subject))


def _ascending(subject: np.ndarray, when: np.ndarray) -> bool:
    same = subject[1:] == subject[:-1]
    return bool(((subject[1:] > subject[:-1]) | (same & (when[1:] >= when[:-1]))).all())


def _days(time: pa.ChunkedArray) -> Float64[np.ndarray, " event"]:
    if time.type != pa.timestamp("us"):
        time = pc.cast(time, pa.timestamp("us"))
    micros = pc.cast(time, pa.int64())
    known = _numbers(_filled(micros, _NO_TIME))
    return np.where(known == _NO_TIME, np.nan, known.astype(np.float64) / _DAY)


def _numbers(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Numbers without nulls. By DLPack: pyarrow's own conversion imports pandas."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return np.from_dlpack(array) if len(array) else np.empty(0, array.type.to_pandas_dtype())


def _filled(column: pa.ChunkedArray, value: float | int) -> pa.ChunkedArray:
    """The column with a number in place of nulls, which is made without pyarrow's import too."""
    if not column.null_count:
        return column
    one = np.array([value], column.type.to_pandas_dtype())
    scalar = pa.Array.from_buffers(column.type, 1, [None, pa.py_buffer(one.tobytes())])[0]
    return pc.fill_null(column, scalar)
