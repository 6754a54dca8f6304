"""MEDS events as arrays, sorted by subject and time, their codes numbered."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float32, Float64, Int32, Int64

from posology.domain.codes import belongs

_DAY = 86_400e6
"""Microseconds in a day."""


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """Events sorted by subject, then time; static ones (no time) first."""

    subject_id: Int64[np.ndarray, " event"]
    time: Float64[np.ndarray, " event"]
    """Days since 1970-01-01; NaN where static."""
    code: Int32[np.ndarray, " event"]
    """Row of `codes`."""
    value: Float32[np.ndarray, " event"]
    codes: tuple[str, ...]


def stream(events: pa.Table) -> Stream:
    """A table of MEDS events (subject_id, time, code, numeric_value) as a sorted stream."""
    encoded = pc.dictionary_encode(events["code"].combine_chunks())
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    names = encoded.dictionary.to_pylist()
    order = sorted(range(len(names)), key=names.__getitem__)
    rank = np.empty(len(names), dtype=np.int32)
    rank[order] = np.arange(len(names), dtype=np.int32)
    code = rank[encoded.indices.to_numpy(zero_copy_only=False)] if names else np.empty(0, np.int32)
    subject = events["subject_id"].to_numpy()
    time = _days(events["time"])
    rows = np.lexsort((code, np.nan_to_num(time, nan=-np.inf), subject))
    value = events["numeric_value"].to_numpy().astype(np.float32)
    return Stream(
        subject_id=subject[rows].astype(np.int64),
        time=time[rows],
        code=code[rows].astype(np.int32),
        value=value[rows],
        codes=tuple(names[i] for i in order),
    )


def having(events: Stream, prefixes: tuple[str, ...]) -> Bool[np.ndarray, " event"]:
    """Which events' codes belong to any of the prefixes."""
    wanted = np.array([any(belongs(c, p) for p in prefixes) for c in events.codes], dtype=bool)
    return wanted[events.code] if len(wanted) else np.zeros(0, dtype=bool)


def _days(time: pa.ChunkedArray) -> Float64[np.ndarray, " event"]:
    micros = pc.cast(pc.cast(time, pa.timestamp("us")), pa.int64())
    return (
        micros.to_numpy(zero_copy_only=False).astype(np.float64) / _DAY
        if len(time)
        else (np.empty(0, dtype=np.float64))
    )
