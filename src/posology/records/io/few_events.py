"""A small table of events from Python values, without the pandas that pyarrow imports for lists.

`pyarrow.array` of a list imports pandas where it is installed, which takes longer than an answer.
"""

import datetime
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from posology.records.schema import EVENTS

_EPOCH = datetime.datetime(1970, 1, 1)  # noqa: DTZ001 - MEDS times have no zone
_MICROSECOND = datetime.timedelta(microseconds=1)


def few_events(
    subject: int,
    times: Sequence[datetime.datetime | None],
    codes: Sequence[str],
    values: Sequence[float | None],
) -> pa.Table:
    """Events of one subject in the MEDS schema, without texts and units."""
    n = len(codes)
    micros = [0 if time is None else (time - _EPOCH) // _MICROSECOND for time in times]
    numbers = [np.nan if value is None else value for value in values]
    columns = [
        _fixed(np.full(n, subject, np.int64), pa.int64()),
        _fixed(np.array(micros, np.int64), pa.timestamp("us"), [t is not None for t in times]),
        _texts(codes),
        _fixed(np.array(numbers, np.float32), pa.float32(), [v is not None for v in values]),
        *(pa.nulls(n, EVENTS.field(name).type) for name in ("text_value", "unit")),
    ]
    return pa.Table.from_arrays(columns, schema=EVENTS)


def _fixed(values: np.ndarray, kind: pa.DataType, known: Sequence[bool] | None = None) -> pa.Array:
    """Numbers, or times; null where they are not known."""
    mask = None
    if known is not None and not all(known):
        mask = pa.py_buffer(np.packbits(np.array(known, bool), bitorder="little").tobytes())
    return pa.Array.from_buffers(kind, len(values), [mask, pa.py_buffer(values.tobytes())])


def _texts(texts: Sequence[str]) -> pa.Array:
    encoded = [text.encode() for text in texts]
    ends = np.cumsum([0, *map(len, encoded)]).astype(np.int32)
    buffers = [None, pa.py_buffer(ends.tobytes()), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(texts), buffers)
