"""The tables that every source produces: MEDS events, and the rows that were rejected."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa

EVENTS = pa.schema(
    [
        ("subject_id", pa.int64()),
        ("time", pa.timestamp("us")),
        ("code", pa.string()),
        ("numeric_value", pa.float32()),
        ("text_value", pa.large_string()),
        ("unit", pa.string()),
    ]
)
"""MEDS 0.4 data (subject_id to text_value) and one modifier of the code, the number's UCUM unit."""

COLUMN_TYPES: dict[str, tuple[str, Callable[[pa.DataType], bool]]] = {
    "subject_id": ("integers", lambda kind: pa.types.is_integer(kind) and kind != pa.uint64()),
    "time": ("times", lambda kind: pa.types.is_timestamp(kind) or pa.types.is_date(kind)),
    "code": ("texts", lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind)),
    "numeric_value": (
        "numbers",
        lambda kind: pa.types.is_floating(kind) or pa.types.is_integer(kind) or kind == pa.null(),
    ),
}
"""The types that columns of MEDS data may have."""

RAW = EVENTS.append(pa.field("source", pa.string())).append(pa.field("row", pa.int64()))
"""Events before cleaning. `source`: the file or table as the user named it; `row`: from 1."""

REJECTED = pa.schema(
    [
        ("source", pa.string()),
        ("row", pa.int64()),
        ("field", pa.string()),
        ("value", pa.string()),
        ("reason", pa.string()),
    ]
)
"""Rows that could not become an event: their place, the faulty field and value, and the reason."""

MAX_FLOAT32 = 3.4028234663852886e38
"""Largest finite number of 32 bits (IEEE 754), the type of `numeric_value`."""


class Event(NamedTuple):
    """One event of a row, without its subject."""

    code: str
    time: int | None
    """Microseconds since 1970; None for a static fact."""
    number: float | None = None
    text: str | None = None
    unit: str | None = None


class Rejection(NamedTuple):
    """Why a row, or a part of it, cannot become an event."""

    field: str
    value: object
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Some rows of a source. Every row gives at least one event or exactly one rejection.

    If one part of a row (a component, an answer) is rejected and the rest gives events, the
    rejected part counts as a row of its own, of the source `file#part`.
    """

    events: pa.Table
    """In the schema RAW."""
    rejected: pa.Table
    """In the schema REJECTED."""
    rows: int
    """Number of rows of the source that were read for this batch."""


def finite_number(value: object) -> float:
    """The value as a float that fits in 32 bits; raises ValueError otherwise."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("not a number")
    try:
        number = float(value)
    except OverflowError as error:
        raise ValueError("too large for an event's number") from error
    if not math.isfinite(number) or abs(number) > MAX_FLOAT32:
        raise ValueError("not a finite number that fits in 32 bits")
    return number
